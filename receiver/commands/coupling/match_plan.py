"""What match-based coupling found for a mapping, and a line in words for each local record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from receiver.commands.result import Line
from receiver.core.mapping import Direction, TableMapping
from receiver.core.matching import Found, Rows, Unmatched, criteria_of
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME


@dataclass(frozen=True)
class Choices:
    """What follows the coupling; None: as the mapping says."""

    synchronizes: bool | None = None
    creates_new: bool | None = None


@dataclass(frozen=True)
class Plan:
    """What the search found for one mapping; `rows` is None where it has no criteria."""

    mapping: TableMapping
    choices: Choices
    rows: Rows | None = None
    found: tuple[Found, ...] = ()

    @property
    def synchronizes(self) -> bool:
        chosen = self.choices.synchronizes
        return self.mapping.synch_after_bulk_coupling if chosen is None else chosen

    @property
    def creates_new(self) -> bool:
        chosen = self.choices.creates_new
        wanted = self.mapping.create_new_in_case_of_no_match if chosen is None else chosen
        return wanted and self.mapping.direction.allows(Direction.TO)

    def is_created(self, one: Found) -> bool:
        """Only what no row is equal to: several, or a coupled one, may well be the same firm."""
        return self.creates_new and one.why in {Unmatched.NONE, Unmatched.NOTHING_TO_COMPARE} and not one.trouble


def lines_of(plan: Plan, matched: Callable[[Found], Line] | None = None) -> Iterator[Line]:
    """A line for each record that stays as it is, and by *matched* for each that was matched."""
    if plan.rows is None:
        said = f"No field mapping of {plan.mapping.name} is marked Match on this Field."
        remedy = f"Switch it on for one: receiver mappings field {plan.mapping.name} NUMBER --match-on-this-field on"
        yield Line(plan.mapping.name, "", "", "Fail", "failed", "NO_CRITERIA", said, remedy)
    for one in plan.found:
        if one.row:
            yield from () if matched is None else (matched(one),)
        elif not plan.is_created(one):
            yield _unmatched_line(plan, one)


def matched_line(plan: Plan, one: Found, verb: str) -> Line:
    sentence = f"{_record(plan, one.key)} {verb} {_row(plan, one.row)}."
    return Line(plan.mapping.name, one.key, one.row, "Couple", "coupled", "", sentence)


def _unmatched_line(plan: Plan, one: Found) -> Line:
    table = plan.mapping.dataverse_table
    remedy = "Couple it by hand."
    match one.why:
        case Unmatched.SEVERAL:
            named = ", ".join(_row(plan, id_) for id_ in one.rows) + (", …" if one.count > len(one.rows) else "")
            sentence = f"{one.count} rows match {_record(plan, one.key)}: {named}."
            remedy = "Couple it by hand, or match on a further field."
        case Unmatched.COUPLED:
            sentence = (
                f"{_row(plan, one.rows[0])} matches {_record(plan, one.key)}, but is coupled to "
                f"{_record(plan, one.other)}."
            )
        case Unmatched.NONE:
            sentence = f"No row of {table} inside the integration table filter matches {_record(plan, one.key)}."
            sentence = f"{sentence} {one.trouble}".strip()
        case _:
            sentence = f"{_record(plan, one.key)} is blank in {_captions(plan.mapping)}, so there is nothing to match."
            remedy = "Fill the field, or couple it by hand."
    row = one.rows[0] if len(one.rows) == 1 else ""
    return Line(plan.mapping.name, one.key, row, "Fail", "failed", one.why.name if one.why else "", sentence, remedy)


def _record(plan: Plan, key: str) -> str:
    return f"{BY_NAME[plan.mapping.local_table].caption} {key}"


def _row(plan: Plan, id_: str) -> str:
    name = plan.rows.name(id_) if plan.rows else ""
    return f"{DATAVERSE_TABLES[plan.mapping.dataverse_table].name} {name or id_}" + (f" ({id_})" if name else "")


def _captions(mapping: TableMapping) -> str:
    columns = columns_of(BY_NAME[mapping.local_table].table)
    return " and ".join(columns[one.local_column or ""].caption for one in criteria_of(mapping))
