"""What is kept aside: rows that only-coupled kept out, records that could not go out, questions, and conclusions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Delete, Select, bindparam, delete, select

from receiver.core.decision import Fail, IgnoreUnchanged, Reason, Record, RemoveCoupling, Skip
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import to_plain_values
from receiver.engine.written import Written
from receiver.store import conclusions, tracking
from receiver.store.among import Among
from receiver.store.conclusions import Conclusion
from receiver.store.models import passed_over, question
from receiver.store.upsert import upsert


def note_questions(connection: Connection, written: Sequence[Written], clock: datetime) -> None:
    """What only a person can answer is kept until it is answered, or does not arise any more."""
    asked: list[dict[str, object]] = []
    answered: list[dict[str, object]] = []
    for one in written:
        decision, now = one.outcome.decision, one.outcome.now
        if one.is_remembered or now.is_click or isinstance(decision, IgnoreUnchanged):
            continue
        source = {"mapping": now.mapping.name, "toward": now.toward, "source_id": now.source.id}
        if isinstance(decision, Skip) and decision.reason in QUESTIONS_TO_PEOPLE:
            chosen = [[candidate.key, candidate.name] for candidate in now.namesakes or now.candidates]
            asked.append({**source, "reason": decision.reason.name, "candidates": chosen, "since": clock})
        else:
            answered.append({f"is_{name}": value for name, value in source.items()})
    if asked:
        statement = upsert(connection, question)
        changed = {name: statement.excluded[name] for name in ("reason", "candidates")}
        keys = ["mapping", "toward", "source_id"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), asked)
    _end(connection, _ANSWERED, _ASKED, [(one["is_source_id"], one) for one in answered])


def _end(
    connection: Connection, ending: Delete, looking: Select[Any], ended: Sequence[tuple[object, dict[str, object]]]
) -> None:
    """Carry *ending* out for those whose id *looking* finds: nearly none, and one look costs less than each."""
    ids = {id_ for id_, _ in ended}
    standing = set(connection.execute(looking, {"ids": list(ids)}).scalars()) if ids else set()
    if standing:
        connection.execute(ending, [one for id_, one in ended if id_ in standing])


QUESTIONS_TO_PEOPLE = frozenset({Reason.MATCHES_FOUND, Reason.TWIN_EXISTS, Reason.KEY_CHANGED})
_ASKED = select(question.c.source_id).where(Among(question.c.source_id, "ids"))
_PASSED_OVER = select(passed_over.c.row_id).where(Among(passed_over.c.row_id, "ids"))
_ANSWERED = delete(question).where(
    *(question.c[name] == bindparam(f"is_{name}") for name in ("mapping", "toward", "source_id"))
)


def note_passed_over(connection: Connection, written: Sequence[Written], clock: datetime) -> None:
    """Rows that only-coupled kept out are remembered, so that switching it off can bring them in."""
    kept: list[dict[str, object]] = []
    others: list[dict[str, object]] = []
    for one in written:
        decision, now = one.outcome.decision, one.outcome.now
        if now.toward is Direction.TO or isinstance(decision, IgnoreUnchanged) or one.is_remembered:
            continue
        if isinstance(decision, Skip) and decision.reason is Reason.ONLY_COUPLED:
            row = {"mapping": now.mapping.name, "row_id": now.source.id, "reason": decision.reason.name, "since": clock}
            kept.append(row)
        else:
            others.append({"is_mapping": now.mapping.name, "is_row": now.source.id})
    if kept:
        connection.execute(upsert(connection, passed_over).on_conflict_do_nothing(), kept)
    _end(connection, _NO_LONGER_PASSED_OVER, _PASSED_OVER, [(one["is_row"], one) for one in others])


_NO_LONGER_PASSED_OVER = delete(passed_over).where(
    passed_over.c.mapping == bindparam("is_mapping"), passed_over.c.row_id == bindparam("is_row")
)


def note_conclusions(connection: Connection, written: Sequence[Written], clock: datetime) -> None:
    """What cannot be taken back is counted by the hour, or kept back."""
    drawn = [
        Conclusion(
            one.settled.mapping,
            kind,
            now.coupling.dataverse_id,
            now.coupling.local_id,
            now.toward,
            is_kept=isinstance(one.outcome.decision, Skip),
            keeper=one.outcome.keeper,
        )
        for one in written
        for now in (one.outcome.now,)
        for kind in sorted(one.outcome.conclusions)
        if now.coupling is not None
    ]
    if drawn:
        conclusions.note(connection, drawn, clock)


def note_unsettled(connection: Connection, written: Sequence[Written], clock: datetime) -> None:
    """Local records that could not go out: nobody asks for them by himself until they say something else.

    One that waits for its parent is asked for again, since nobody else would notice that the parent is there. One whose
    row was deleted is not made anew there by itself either, where a rule lets it go.
    """
    rows = [
        {"mapping": now.mapping.name, "local_id": record.id, "digest": said(now.mapping, record), "at": clock}
        for one in written
        for now in (one.outcome.now,)
        for record in (_left_here(one),)
        if record is not None
    ]
    if rows:
        tracking.remember_unsettled(connection, rows)


def _left_here(one: Written) -> Record | None:
    now, decision = one.outcome.now, one.outcome.decision
    if now.toward is Direction.FROM:
        return now.destination if isinstance(decision, RemoveCoupling) else None
    is_left = isinstance(decision, Fail | Skip) and now.source.exists and not one.settled.waits
    return now.source if is_left else None


def said(mapping: TableMapping, record: Record) -> str:
    """A digest of what a mapping would send of a local record."""
    columns = sorted({one.source for one in mapping.transfers(Direction.TO) if one.source})
    plain = to_plain_values({name: record.values.get(name) for name in columns})
    return sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()
