"""The Dataverse tables and columns that shipped mappings read, and how a Web API value becomes a core value.

An environment may lack a column (`bcbi_companyid` comes with Business Central's own solution) or have changed a
text's length: `metadata.py` asks, this file is what a plain environment has. Source: reference/dataverse.md §6.3, §7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from receiver.core.keeping import legible
from receiver.core.values import NUMBERS, TEXTS, WHOLE_NUMBERS, Column, ColumnType, Reference, Value

T = ColumnType
FORMATTED = "@OData.Community.Display.V1.FormattedValue"
#: the annotation that holds a value as people read it: of a lookup the row's name
NAME = "@OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"


@dataclass(frozen=True)
class DataverseTable:
    """One table: its Web API names and its columns by logical name."""

    name: str
    entity_set: str
    primary_id: str
    primary_name: str
    columns: Mapping[str, Column]


def as_kept_there(column: Column) -> Column:
    """The column with what all of Dataverse's share: UTF-16 units, no control characters, whole seconds."""
    return replace(column, counts_utf16=True, takes_controls=False, has_whole_seconds=column.type is T.DATETIME)


def _columns(*columns: Column) -> dict[str, Column]:
    return {column.name: as_kept_there(column) for column in columns}


def _text(name: str, length: int, caption: str) -> Column:
    return Column(name, T.TEXT, length, caption=caption)


def _read_only(name: str, type_: ColumnType, caption: str) -> Column:
    return Column(name, type_, caption=caption, is_read_only=True)


def _choice(name: str, caption: str, *labels: str, first: int = 1, type_: ColumnType = T.CHOICE) -> Column:
    return Column(name, type_, labels=dict(enumerate(labels, first)), caption=caption)


def _lookup(name: str, caption: str, **navigation: str) -> Column:
    return Column(name, T.LOOKUP, navigation=navigation or {}, caption=caption)


_STATE = _choice("statecode", "Status", "Active", "Inactive", first=0, type_=T.STATE)
_TERMS = ("Net 30", "2% 10, Net 30", "Net 45", "Net 60")
_AGENTS = ("Airborne", "DHL", "FedEx", "UPS", "Postal Mail", "Full Load", "Will Call")
_RELATIONS = (
    "Competitor", "Consultant", "Customer", "Investor", "Partner", "Influencer", "Press", "Prospect", "Reseller",
    "Supplier", "Vendor", "Other",
)  # fmt: skip
_CHANGED = (
    _read_only("createdon", T.DATETIME, "Created On"),
    _read_only("modifiedon", T.DATETIME, "Modified On"),
    _read_only("versionnumber", T.BIG_INTEGER, "Version Number"),
)
_OWNED = (
    _lookup("ownerid", "Owner", systemuser="ownerid", team="ownerid"),
    _lookup("transactioncurrencyid", "Currency", transactioncurrency="transactioncurrencyid"),
    _lookup("bcbi_companyid", "Company", bcbi_company="bcbi_CompanyId"),
)
_ADDRESS = (
    _text("address1_name", 200, "Address Name"),
    _text("address1_line1", 250, "Street 1"),
    _text("address1_line2", 250, "Street 2"),
    _text("address1_city", 80, "City"),
    _text("address1_stateorprovince", 50, "State/Province"),
    _text("address1_postalcode", 20, "Postal Code"),
    _text("address1_country", 80, "Country/Region"),
    _choice("address1_freighttermscode", "Freight Terms", "FOB", "No Charge"),
    _choice("address1_shippingmethodcode", "Shipping Method", *_AGENTS),
    _choice("paymenttermscode", "Payment Terms", *_TERMS),
)

_ACCOUNT = DataverseTable(
    "account",
    "accounts",
    "accountid",
    "name",
    _columns(
        Column("accountid", T.GUID, caption="Account", is_read_only=True),
        _text("name", 160, "Account Name"),
        _text("accountnumber", 20, "Account Number"),
        _choice("customertypecode", "Relationship Type", *_RELATIONS),
        _text("address1_primarycontactname", 100, "Primary Contact Name"),
        _text("telephone1", 50, "Main Phone"),
        _text("telephone2", 50, "Other Phone"),
        _text("fax", 50, "Fax"),
        _text("emailaddress1", 100, "Email"),
        _text("websiteurl", 200, "Website"),
        Column("description", T.MEMO, 2000, caption="Description"),
        Column("creditlimit", T.MONEY, caption="Credit Limit", precision=2, precision_source=2),
        _lookup("primarycontactid", "Primary Contact", contact="primarycontactid"),
        _lookup("parentaccountid", "Parent Account", account="parentaccountid"),
        _STATE,
        *_ADDRESS,
        *_OWNED,
        *_CHANGED,
    ),
)
_CONTACT = DataverseTable(
    "contact",
    "contacts",
    "contactid",
    "fullname",
    _columns(
        Column("contactid", T.GUID, caption="Contact", is_read_only=True),
        Column("fullname", T.TEXT, 160, caption="Full Name", is_read_only=True),
        _text("firstname", 50, "First Name"),
        _text("middlename", 50, "Middle Name"),
        _text("lastname", 50, "Last Name"),
        _text("salutation", 100, "Salutation"),
        _text("jobtitle", 100, "Job Title"),
        _text("emailaddress1", 100, "Email"),
        _text("telephone1", 50, "Business Phone"),
        _text("mobilephone", 50, "Mobile Phone"),
        _text("pager", 50, "Pager"),
        _text("fax", 50, "Fax"),
        _text("websiteurl", 200, "Website"),
        _lookup(
            "parentcustomerid", "Company Name", account="parentcustomerid_account", contact="parentcustomerid_contact"
        ),
        Column("parentcustomeridtype", T.TEXT, caption="Company Type", is_read_only=True),
        _STATE,
        *_ADDRESS,
        *_OWNED,
        *_CHANGED,
    ),
)
_USER = DataverseTable(
    "systemuser",
    "systemusers",
    "systemuserid",
    "fullname",
    _columns(
        Column("systemuserid", T.GUID, caption="User", is_read_only=True),
        Column("fullname", T.TEXT, 200, caption="Full Name", is_read_only=True),
        _text("firstname", 64, "First Name"),
        _text("middlename", 50, "Middle Name"),
        _text("lastname", 64, "Last Name"),
        _text("internalemailaddress", 100, "Primary Email"),
        _text("mobilephone", 64, "Mobile Phone"),
        _text("jobtitle", 100, "Job Title"),
        _text("personalemailaddress", 100, "Email 2"),
        _read_only("isdisabled", T.BOOLEAN, "Disabled"),
        _read_only("islicensed", T.BOOLEAN, "Licensed"),
        _read_only("isintegrationuser", T.BOOLEAN, "Integration User"),
        *_CHANGED,
    ),
)
_CURRENCY = DataverseTable(
    "transactioncurrency",
    "transactioncurrencies",
    "transactioncurrencyid",
    "currencyname",
    _columns(
        Column("transactioncurrencyid", T.GUID, caption="Currency", is_read_only=True),
        _text("isocurrencycode", 5, "Currency Code"),
        _text("currencyname", 100, "Currency Name"),
        _text("currencysymbol", 10, "Currency Symbol"),
        Column("exchangerate", T.DECIMAL, caption="Exchange Rate", precision=10),
        Column("currencyprecision", T.INTEGER, caption="Currency Precision"),
        _STATE,
        *_CHANGED,
    ),
)

TABLES: Mapping[str, DataverseTable] = {table.name: table for table in (_ACCOUNT, _CONTACT, _USER, _CURRENCY)}
#: not in every environment: used where metadata shows it
OPTIONAL_COLUMNS = frozenset({"bcbi_companyid"})
#: a customer lookup's table, which no query can select: it is read off the lookup itself
DERIVED_COLUMNS: Mapping[str, str] = {"parentcustomeridtype": "parentcustomerid"}
#: an update submits the parts: a step filtered on the computed column alone would stay silent
COMPUTED_COLUMNS: Mapping[str, frozenset[str]] = {"fullname": frozenset({"firstname", "middlename", "lastname"})}
CHANGE_COLUMNS = frozenset({"modifiedon", "versionnumber"})


def from_web_api(column: Column, raw: Mapping[str, Any]) -> Value:
    """One column's value out of a Web API row; numbers were parsed as Decimal.

    Raises: ValueError when the value is not of the column's type.
    """
    if column.type is T.LOOKUP:
        key = f"_{column.name}_value"
        id_ = raw.get(key)
        if id_ is None:
            return None
        return Reference(str(raw.get(key + LOOKUP_TABLE) or _only_target(column)), id_, str(raw.get(key + NAME) or ""))
    value = raw.get(column.name)
    return None if value is None else FROM_JSON[column.type](value)


def _only_target(column: Column) -> str:
    return next(iter(column.navigation)) if len(column.navigation) == 1 else ""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


FROM_JSON: Mapping[ColumnType, Callable[[Any], Value]] = {
    T.TEXT: lambda text: legible(str(text)),
    T.MEMO: lambda text: legible(str(text)),
    T.INTEGER: int,
    T.BIG_INTEGER: int,
    T.DECIMAL: Decimal,
    T.DOUBLE: Decimal,
    T.MONEY: Decimal,
    T.BOOLEAN: bool,
    T.CHOICE: int,
    T.STATE: int,
    T.STATUS: int,
    T.CHOICES: lambda text: tuple(map(int, text.split(","))),
    T.DATETIME: _moment,
    T.DATE: date.fromisoformat,
    T.GUID: str,
}


def to_web_api(column: Column, value: Value) -> tuple[str, Any]:
    """The member name and JSON value that write *value* to *column*.

    Raises: ValueError for a lookup to a table that the column cannot name.
    """
    if column.type is T.LOOKUP:
        return _bind(column, value)
    match value:
        case datetime():
            return column.name, value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return column.name, value.isoformat()
        case tuple():
            return column.name, ",".join(map(str, value)) or None
        case "":
            return column.name, None
    return column.name, value


def _bind(column: Column, value: Value) -> tuple[str, Any]:
    if not isinstance(value, Reference):
        return next(iter(column.navigation.values()), column.name), None
    navigation = column.navigation.get(value.table)
    if navigation is None:
        raise ValueError(f"Column {column.name} cannot hold a row of table “{value.table}”.")
    entity_set = TABLES[value.table].entity_set if value.table in TABLES else _plural(value.table)
    return f"{navigation}@odata.bind", f"/{entity_set}({value.id})"


def _plural(table: str) -> str:
    """The entity set of a table that is not mapped, as Dataverse makes its name."""
    return f"{table[:-1]}ies" if table.endswith("y") else f"{table}s"


def from_message(column: Column, value: Value) -> Value:
    """A webhook's value in the form that the Web API gives for the same column, so that the two compare.

    Whole decimals come without a point, whole doubles as integers, date-only columns as midnight.
    Raises: ValueError when the value is not of the column's type.
    """
    if column.type in NUMBERS and type(value) is int:
        return Decimal(value)
    if column.type is T.DATE and isinstance(value, datetime):
        return value.date()
    if column.type in TEXTS:
        value = _as_text(value)
    if value is not None and type(value) is not KINDS[column.type]:
        raise ValueError(f"A {type(value).__name__} stands in {column.name}, which is of type {column.type}.")
    return value


def _as_text(value: Value) -> Value:
    """The characters of a text that looked like a moment; of any other, those that can be kept."""
    if isinstance(value, datetime):
        offset = "" if value.tzinfo is UTC else value.tzname()
        return f"/Date({round(value.timestamp() * 1000)}{offset})/"
    return legible(value) if isinstance(value, str) else value


KINDS: Mapping[ColumnType, type] = {
    **dict.fromkeys(TEXTS, str),
    **dict.fromkeys(WHOLE_NUMBERS, int),
    **dict.fromkeys(NUMBERS, Decimal),
    T.BOOLEAN: bool,
    T.CHOICES: tuple,
    T.DATETIME: datetime,
    T.DATE: date,
    T.LOOKUP: Reference,
    T.GUID: str,
}
