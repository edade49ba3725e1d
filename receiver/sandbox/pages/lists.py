"""The list page of each table: which columns it shows, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.sandbox.formatting import formatted
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table


@dataclass(frozen=True)
class ListPage:
    """A table in the navigation. The first column is the link to the row."""

    table: str
    title: str
    one: str
    icon: str
    columns: tuple[tuple[str, str], ...]
    is_editable: bool = True


@dataclass(frozen=True)
class Line:
    """One row of a list."""

    id: str
    cells: tuple[str, ...]


LISTS = (
    ListPage(
        "account",
        "Accounts",
        "Account",
        "building",
        (
            ("name", "Account name"),
            ("customertypecode", "Relationship"),
            ("address1_city", "City"),
            ("telephone1", "Main phone"),
            ("primarycontactid", "Primary contact"),
            ("statecode", "Status"),
        ),
    ),
    ListPage(
        "contact",
        "Contacts",
        "Contact",
        "person",
        (
            ("fullname", "Full name"),
            ("parentcustomerid", "Company"),
            ("jobtitle", "Job title"),
            ("emailaddress1", "Email"),
            ("mobilephone", "Mobile phone"),
            ("statecode", "Status"),
        ),
    ),
    ListPage(
        "systemuser",
        "Users",
        "User",
        "people",
        (
            ("fullname", "Full name"),
            ("jobtitle", "Job title"),
            ("internalemailaddress", "Email"),
            ("isdisabled", "Status"),
            ("accessmode", "Access mode"),
        ),
        is_editable=False,
    ),
    ListPage(
        "transactioncurrency",
        "Currencies",
        "Currency",
        "coins",
        (
            ("currencyname", "Currency name"),
            ("isocurrencycode", "Code"),
            ("currencysymbol", "Symbol"),
            ("exchangerate", "Exchange rate"),
        ),
        is_editable=False,
    ),
)
BY_TABLE = {page.table: page for page in LISTS}


def lines(organization: Organization, page: ListPage, search: str) -> list[Line]:
    """Sorted by name; only those in which the searched text occurs."""
    table = organization.schema.table(page.table)
    found = [_line(organization, table, page, row) for row in organization.store.rows(page.table)]
    wanted = search.casefold()
    matching = [line for line in found if any(wanted in cell.casefold() for cell in line.cells)]
    return sorted(matching, key=lambda line: line.cells[0].casefold())


def _line(organization: Organization, table: Table, page: ListPage, row: Row) -> Line:
    cells = []
    for name, _ in page.columns:
        value = row.get(name)
        label = formatted(table.by_name[name], value, organization.name_of)
        cells.append(str(value or "") if label is None else label)
    return Line(row.id, tuple(cells))
