"""The tables of Dynamics 365 Sales that Business Central maps, with their columns, types and lengths.

Source: BCApps, BaseApp/Integration/D365Sales/CRM*.Table.al; DP/reference/entities.
A new column is one line here; a new table is one function here and its name in SALES_TABLES.
"""

from __future__ import annotations

from receiver.sandbox.table import (
    Column,
    Table,
    audit,
    choice,
    currency,
    customer,
    decimal,
    flag,
    guid,
    integer,
    lookup,
    memo,
    money,
    ownership,
    states,
    text,
    texts,
)

_PAYMENT_TERMS = ("Net 30", "2% 10, Net 30", "Net 45", "Net 60")
_FREIGHT_TERMS = ("FOB", "No Charge")
_SHIPPING = ("Airborne", "DHL", "FedEx", "UPS", "Postal Mail", "Full Load", "Will Call")
_RELATIONSHIP = (
    "Competitor",
    "Consultant",
    "Customer",
    "Investor",
    "Partner",
    "Influencer",
    "Press",
    "Prospect",
    "Reseller",
    "Supplier",
    "Vendor",
    "Other",
)
_ACTIVE_INACTIVE = [(1, 0, "Active"), (2, 1, "Inactive")]


def _address() -> list[Column]:
    return [
        text("address1_name", 200),
        *texts("address1_line1 address1_line2 address1_line3", 250),
        *texts("address1_city address1_country", 80),
        *texts("address1_stateorprovince address1_county", 50),
        text("address1_postalcode", 20),
        *texts("address1_telephone1 address1_telephone2 address1_telephone3 address1_fax", 50),
        text("address1_primarycontactname", 100),
        choice("address1_freighttermscode", _FREIGHT_TERMS),
        choice("address1_shippingmethodcode", _SHIPPING),
        memo("address1_composite", 1000, "r"),
    ]


def _marketing() -> list[Column]:
    return [
        flag("creditonhold", default=False),
        flag("donotemail", default=False, labels=("Allow", "Do Not Allow")),
        flag("donotphone", default=False, labels=("Allow", "Do Not Allow")),
        flag("donotpostalmail", default=False, labels=("Allow", "Do Not Allow")),
        choice("paymenttermscode", _PAYMENT_TERMS),
        flag("merged", access="r", default=False),
    ]


def account(*, with_company_id: bool = False) -> Table:
    """`with_company_id` adds the lookup that Business Central's base solution brings."""
    pair, statuses = states("Active,Inactive", _ACTIVE_INACTIVE)
    company = [lookup("bcbi_companyid", "bcbi_company", "bcbi_CompanyId")] if with_company_id else []
    columns = [
        guid("accountid", "cr"),
        text("name", 160),
        text("accountnumber", 20),
        *texts("telephone1 telephone2 telephone3 fax", 50),
        *texts("emailaddress1 emailaddress2", 100),
        text("websiteurl", 200),
        memo("description"),
        choice("customertypecode", _RELATIONSHIP),
        *_address(),
        *_marketing(),
        *money("creditlimit"),
        *money("revenue"),
        integer("numberofemployees"),
        lookup("primarycontactid", "contact"),
        lookup("parentaccountid", "account"),
        lookup("masterid", "account", access="r"),
        *company,
        *currency(),
        *ownership(),
        *pair,
        *audit(),
    ]
    return Table("account", "accounts", "accountid", "name", tuple(columns), tuple(statuses), 1)


def contact(*, with_company_id: bool = False) -> Table:
    pair, statuses = states("Active,Inactive", _ACTIVE_INACTIVE)
    company = [lookup("bcbi_companyid", "bcbi_company", "bcbi_CompanyId")] if with_company_id else []
    columns = [
        guid("contactid", "cr"),
        text("fullname", 160, "r"),
        text("yomifullname", 450, "r"),
        *texts("firstname middlename lastname", 50),
        *texts("salutation jobtitle", 100),
        text("suffix", 10),
        *texts("emailaddress1 emailaddress2", 100),
        *texts("telephone1 telephone2 mobilephone pager fax", 50),
        text("websiteurl", 200),
        memo("description"),
        *_address(),
        *_marketing(),
        *money("creditlimit"),
        customer("parentcustomerid"),
        lookup("accountid", "account", access="r"),
        lookup("masterid", "contact", access="r"),
        *company,
        *currency(),
        *ownership(),
        *pair,
        *audit(),
    ]
    return Table("contact", "contacts", "contactid", "fullname", tuple(columns), tuple(statuses), 2)


def systemuser() -> Table:
    modes = ("Read-Write", "Administrative", "Read", "Support User", "Non-interactive", "Delegated Admin")
    columns = [
        guid("systemuserid", "cr"),
        text("fullname", 200, "r"),
        text("yomifullname", 200, "r"),
        *texts("firstname lastname", 64),
        text("middlename", 50),
        text("internalemailaddress", 100),
        text("domainname", 1024),
        text("mobilephone", 64),
        text("title", 128),
        text("jobtitle", 100),
        *texts("address1_line1 address1_city address1_stateorprovince address1_county address1_country", 128),
        text("address1_postalcode", 40),
        text("address1_telephone1", 64),
        flag("isdisabled", default=False, labels=("Enabled", "Disabled")),
        flag("islicensed", default=False),
        flag("isintegrationuser", default=False),
        choice("accessmode", modes, first=0),
        guid("applicationid"),
        guid("azureactivedirectoryobjectid"),
        lookup("businessunitid", "businessunit"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        *audit(),
    ]
    return Table("systemuser", "systemusers", "systemuserid", "fullname", tuple(columns), (), 8)


def transactioncurrency() -> Table:
    pair, statuses = states("Active,Inactive", _ACTIVE_INACTIVE)
    columns = [
        guid("transactioncurrencyid", "cr"),
        text("isocurrencycode", 5, "cr"),
        text("currencyname", 100),
        text("currencysymbol", 10),
        decimal("exchangerate", 10),
        integer("currencyprecision", default=2),
        *pair,
        *audit(),
    ]
    return Table(
        "transactioncurrency",
        "transactioncurrencies",
        "transactioncurrencyid",
        "currencyname",
        tuple(columns),
        tuple(statuses),
        9105,
        alternate_keys=("isocurrencycode",),
    )


def product() -> Table:
    pair, statuses = states(
        "Active,Retired,Draft,Under Revision",
        [(1, 0, "Active"), (2, 1, "Retired"), (0, 2, "Draft"), (3, 3, "Under Revision")],
    )
    columns = [
        guid("productid", "cr"),
        *texts("name productnumber", 100),
        memo("description"),
        choice("producttypecode", ("Sales Inventory", "Miscellaneous Charges", "Services", "Flat Fees")),
        choice("productstructure", ("Product", "Product Family", "Product Bundle"), access="cr"),
        *money("price"),
        *money("standardcost"),
        *money("currentcost"),
        integer("quantitydecimal", default=2),
        decimal("quantityonhand", 5),
        *texts("vendorname vendorid vendorpartnumber", 100),
        lookup("defaultuomid", "uom"),
        lookup("defaultuomscheduleid", "uomschedule"),
        lookup("pricelevelid", "pricelevel"),
        *currency(),
        *pair,
        *audit(),
    ]
    return Table(
        "product",
        "products",
        "productid",
        "name",
        tuple(columns),
        tuple(statuses),
        1024,
        alternate_keys=("productnumber",),
    )


def opportunity() -> Table:
    pair, statuses = states(
        "Open,Won,Lost",
        [(1, 0, "In Progress"), (2, 0, "On Hold"), (3, 1, "Won"), (4, 2, "Canceled"), (5, 2, "Out-Sold")],
    )
    columns = [
        guid("opportunityid", "cr"),
        text("name", 300),
        memo("description"),
        *money("estimatedvalue"),
        *money("totalamount"),
        customer("customerid"),
        lookup("parentaccountid", "account"),
        lookup("parentcontactid", "contact"),
        lookup("pricelevelid", "pricelevel"),
        *currency(),
        *ownership(),
        *pair,
        *audit(),
    ]
    return Table("opportunity", "opportunities", "opportunityid", "name", tuple(columns), tuple(statuses), 3)


def _small(name: str, set_name: str, code: int, *more: Column) -> Table:
    """A table that others only point at."""
    columns = (guid(f"{name}id", "cr"), text("name", 160), *more, *audit())
    return Table(name, set_name, f"{name}id", "name", columns, (), code, notifies=False)


def pointed_at() -> list[Table]:
    """Tables that exist so that lookups have something to point at."""
    base = lookup("basecurrencyid", "transactioncurrency")
    return [
        _small("businessunit", "businessunits", 10),
        _small("team", "teams", 9),
        _small(
            "organization",
            "organizations",
            1019,
            base,
            *map(integer, ("languagecode", "pricingdecimalprecision", "expirechangetrackingindays")),
        ),
        _small("uomschedule", "uomschedules", 1056),
        _small("uom", "uoms", 1055, lookup("uomscheduleid", "uomschedule")),
        _small("pricelevel", "pricelevels", 1022, *currency()),
    ]


def sales_tables(*, with_company_id: bool = False) -> list[Table]:
    company = [_small("bcbi_company", "bcbi_companies", 10200)] if with_company_id else []
    return [
        account(with_company_id=with_company_id),
        contact(with_company_id=with_company_id),
        systemuser(),
        transactioncurrency(),
        product(),
        opportunity(),
        *pointed_at(),
        *company,
    ]
