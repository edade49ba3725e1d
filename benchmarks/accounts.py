"""Made-up accounts that are customers, in a sandbox of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from benchmarks.servers import dataverse
from receiver.sandbox import Sandbox
from receiver.sandbox.limits import Limits

IN_A_TRANSACTION = 5_000
#: what people would map by hand
COLUMNS = {
    "name": "name",
    "address1_primarycontactname": "contact",
    "address1_line1": "address",
    "address1_line2": "address_2",
    "address1_postalcode": "post_code",
    "address1_city": "city",
    "address1_stateorprovince": "county",
    "address1_country": "country_region_code",
    "emailaddress1": "e_mail",
    "fax": "fax_no",
    "websiteurl": "home_page",
    "telephone1": "phone_no",
}


@contextmanager
def accounts(count: int) -> Iterator[Sandbox]:
    """A sandbox with so many accounts and nothing else, in which Dataverse's limits hold."""
    with dataverse(seeded=False, limits=Limits()) as sandbox:
        fill(sandbox, range(count))
        yield sandbox


def fill(sandbox: Sandbox, numbers: range) -> None:
    for start in range(0, len(numbers), IN_A_TRANSACTION):
        with sandbox.organization.rows.transaction():
            for number in numbers[start : start + IN_A_TRANSACTION]:
                sandbox.create("account", _account(number), id_of(number), deliver=False)


def id_of(number: int) -> str:
    return str(UUID(int=(number * 0x9E3779B97F4A7C15 << 64 | number) % (1 << 128)))


def customer(number: int) -> dict[str, Any]:
    """The local record that is equal to the account of this number."""
    account = _account(number)
    columns = {theirs: ours for theirs, ours in COLUMNS.items() if theirs in account}
    return {"no": f"X{number:09d}", **{ours: account[theirs] for theirs, ours in columns.items()}}


def _account(number: int) -> dict[str, Any]:
    return {
        "name": f"Firm {number}",
        "address1_line1": f"Street {number}",
        "address1_postalcode": f"{number % 90000 + 10000}",
        "address1_city": "Hamburg",
        "address1_country": "Germany",
        "telephone1": f"+49 40 {number}",
        "emailaddress1": f"office@firm-{number}.example",
        "websiteurl": f"https://firm-{number}.example",
        "customertypecode": 3,
    }
