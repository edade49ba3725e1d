"""What only a person can say: which of some records is meant. Each question names the commands that answer it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any

from sqlalchemy import Connection, Row, select

from receiver.commands.coupling.pairs import mapping_named
from receiver.core.decision import Reason
from receiver.core.mapping import Direction, TableMapping
from receiver.services import Services
from receiver.store import couplings
from receiver.store.models import question
from receiver.tables import BY_NAME

#: whose data is used: that of the record which was about to be created
_DATA = {Direction.FROM: "dataverse", Direction.TO: "local"}


@dataclass(frozen=True)
class Question:
    """One record that waits for an answer; `candidates` are ids and names of those that may be meant."""

    mapping: str
    toward: Direction
    source_id: str
    reason: str
    sentence: str
    candidates: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    since: datetime

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "since": self.since.isoformat()}


def listed(services: Services, mapping: str, limit: int) -> list[Question]:
    """The open questions of one mapping or of all, oldest first. Raises: NotFoundError."""
    query = select(question).order_by(question.c.since, question.c.source_id).limit(limit)
    if mapping:
        query = query.where(question.c.mapping == mapping_named(services, mapping).name)
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        rows = connection.execute(query).all()
        return [_question(connection, mappings[row.mapping], row) for row in rows if row.mapping in mappings]


def _question(connection: Connection, mapping: TableMapping, row: Row[Any]) -> Question:
    toward, reason = Direction(row.toward), Reason[row.reason]
    chosen = tuple((str(id_), str(name)) for id_, name in row.candidates)
    what = BY_NAME[mapping.local_table].caption if toward is Direction.TO else mapping.dataverse_table
    named = ", ".join(f"{id_} {name}".strip() for id_, name in chosen)
    sentence = f"{what} {row.source_id}: {reason.what.format(mapping=mapping.name)}: {named}."
    commands = tuple(_commands(connection, mapping, row, reason, chosen))
    return Question(mapping.name, toward, row.source_id, reason.name, sentence, chosen, commands, row.since)


def _commands(
    connection: Connection, mapping: TableMapping, row: Row[Any], reason: Reason, chosen: tuple[tuple[str, str], ...]
) -> Iterator[str]:
    """To couple with each of the candidates, and to create what none of them is; a pair is uncoupled before either."""
    toward, source = Direction(row.toward), str(row.source_id)
    pair = couplings.find(connection, mapping.name, toward, source)
    if reason is Reason.TWIN_EXISTS and pair is not None:
        yield f"receiver uncouple {quote(mapping.name)} {quote(pair.local_id)}"
    for id_, _ in chosen:
        key, row_id = (id_, source) if toward is Direction.FROM else (source, id_)
        if reason is Reason.KEY_CHANGED and pair is not None:
            key, row_id = id_, pair.dataverse_id
        data = "" if reason is Reason.KEY_CHANGED else f" --synchronize {_DATA[toward]}"
        yield f"receiver couple {quote(mapping.name)} {quote(key)} --row {row_id}{data}"
    if reason is not Reason.KEY_CHANGED:
        side = "from" if toward is Direction.FROM else "to"
        yield f"receiver create {side} {quote(mapping.name)} {quote(source)}"
