"""The form of each table: its sections, their fields in order, and their labels."""

from __future__ import annotations

Section = tuple[str, tuple[tuple[str, str], ...]]

_ADDRESS: Section = (
    "Address",
    (
        ("address1_line1", "Street 1"),
        ("address1_line2", "Street 2"),
        ("address1_postalcode", "ZIP/Postal code"),
        ("address1_city", "City"),
        ("address1_stateorprovince", "State/Province"),
        ("address1_country", "Country/Region"),
    ),
)
SECTIONS: dict[str, tuple[Section, ...]] = {
    "account": (
        (
            "Account information",
            (
                ("name", "Account name"),
                ("accountnumber", "Account number"),
                ("customertypecode", "Relationship type"),
                ("telephone1", "Main phone"),
                ("emailaddress1", "Email"),
                ("websiteurl", "Website"),
                ("primarycontactid", "Primary contact"),
                ("parentaccountid", "Parent account"),
            ),
        ),
        _ADDRESS,
        (
            "Billing",
            (
                ("transactioncurrencyid", "Currency"),
                ("creditlimit", "Credit limit"),
                ("paymenttermscode", "Payment terms"),
                ("creditonhold", "Credit hold"),
            ),
        ),
        ("Administration", (("ownerid", "Owner"), ("statecode", "Status"), ("description", "Description"))),
    ),
    "contact": (
        (
            "Contact information",
            (
                ("firstname", "First name"),
                ("lastname", "Last name"),
                ("jobtitle", "Job title"),
                ("parentcustomerid", "Company name"),
                ("emailaddress1", "Email"),
                ("telephone1", "Business phone"),
                ("mobilephone", "Mobile phone"),
                ("fax", "Fax"),
            ),
        ),
        _ADDRESS,
        ("Billing", (("transactioncurrencyid", "Currency"), ("creditlimit", "Credit limit"))),
        ("Administration", (("ownerid", "Owner"), ("statecode", "Status"), ("description", "Description"))),
    ),
    "systemuser": (
        (
            "User information",
            (
                ("firstname", "First name"),
                ("lastname", "Last name"),
                ("jobtitle", "Job title"),
                ("internalemailaddress", "Email"),
                ("mobilephone", "Mobile phone"),
                ("address1_city", "City"),
                ("address1_country", "Country/Region"),
            ),
        ),
        (
            "Access",
            (
                ("isdisabled", "Status"),
                ("islicensed", "Licensed"),
                ("isintegrationuser", "Integration user"),
                ("accessmode", "Access mode"),
                ("applicationid", "Application id"),
            ),
        ),
    ),
    "transactioncurrency": (
        (
            "Currency",
            (
                ("currencyname", "Currency name"),
                ("isocurrencycode", "Currency code"),
                ("currencysymbol", "Symbol"),
                ("exchangerate", "Exchange rate"),
                ("currencyprecision", "Precision"),
            ),
        ),
    ),
}
