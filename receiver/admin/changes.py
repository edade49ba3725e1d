"""The history of a mapping: who changed what, when, from what to what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from receiver.admin.words import BLANK, CAPTIONS
from receiver.services import Services
from receiver.store.mappings import record_change
from receiver.store.models import change

_OF_FIELD = re.compile(r"(field mapping \d+) (\w+)")


@dataclass(frozen=True)
class Change:
    at: datetime
    who: str
    what: str
    before: str
    after: str


def of_mapping(services: Services, name: str, limit: int = 50) -> list[Change]:
    """The newest changes of a mapping, newest first."""
    is_its = change.c.what.startswith(f"{name}: ", autoescape=True)
    query = select(change).where(is_its).order_by(change.c.id.desc()).limit(limit)
    with services.database.reading() as connection:
        rows = connection.execute(query).all()
    return [
        Change(row.at, row.who, _caption(row.what.removeprefix(f"{name}: ")), row.before or BLANK, row.after or BLANK)
        for row in rows
    ]


def record(services: Services, who: str, what: str, before: str, after: str) -> None:
    with services.database.writing() as connection:
        record_change(connection, who, what, (before, after), services.clock())


def _caption(what: str) -> str:
    found = _OF_FIELD.fullmatch(what)
    if found:
        return f"{found[1].capitalize()}, {CAPTIONS.get(found[2], found[2])}"
    return CAPTIONS.get(what, what.capitalize())
