"""What makes a mapping invalid, each problem a sentence with the place that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from receiver.core.filters import FilterError, columns_of, parse
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.options import codes_of
from receiver.core.rule_text import RuleError
from receiver.core.transformation import change_of
from receiver.core.values import NUMBERS, TEXTS, WHOLE_NUMBERS, Column, ColumnType

Columns = Mapping[str, Column]


@dataclass(frozen=True)
class Problem:
    """`part` is the attribute of the mapping, or of the field mapping at `at` of its fields."""

    sentence: str
    part: str
    at: int | None = None


def problems(mapping: TableMapping, local: Columns, dataverse: Columns, mappings: frozenset[str]) -> list[str]:
    """Everything that is wrong with *mapping*, a sentence each; none when it may be saved.

    *local* and *dataverse* are the two tables' columns, *mappings* the names of all mappings.
    """
    return [one.sentence for one in placed_problems(mapping, local, dataverse, mappings)]


def placed_problems(
    mapping: TableMapping, local: Columns, dataverse: Columns, mappings: frozenset[str]
) -> list[Problem]:
    """The same, each with its place."""
    filters = (
        ("local_filter_text", mapping.local_filter_text, local, "table filter"),
        ("dataverse_filter_text", mapping.dataverse_filter_text, dataverse, "integration table filter"),
    )
    return [
        *(
            Problem(said, part)
            for part, text, columns, called in filters
            for said in _filter_problems(text, columns, f"the {called} of {mapping.name}")
        ),
        *(Problem(said, "direction") for said in _direction_problems(mapping)),
        *(Problem(said, "depends_on") for said in _unknown_needs(mapping, mappings)),
        *(Problem(said, part) for part, said in _template_problems(mapping, local, dataverse)),
        *_numbered_twice(mapping),
        *(
            Problem(said, part, at)
            for at, row in enumerate(mapping.fields)
            for part, said in _field_problems(row, local, dataverse, mappings)
        ),
    ]


def _filter_problems(text: str, columns: Columns, where: str) -> Iterator[str]:
    try:
        unknown = columns_of(parse(text)) - set(columns)
    except FilterError as error:
        yield f"{error} (in {where})"
        return
    for name in sorted(unknown):
        yield f"Column “{name}” in {where} does not exist."


def _direction_problems(mapping: TableMapping) -> Iterator[str]:
    wanted = mapping.direction
    enabled = [row for row in mapping.fields if row.is_enabled]
    needed = (Direction.TO, Direction.FROM) if wanted is Direction.BIDIRECTIONAL else (wanted,)
    for toward in needed:
        if enabled and not any(row.direction.allows(toward) for row in enabled):
            yield (
                f"Direction {wanted} of {mapping.name} needs at least one enabled field mapping that goes "
                f"{toward}. Enable or add one, then set the direction."
            )


def _unknown_needs(mapping: TableMapping, mappings: frozenset[str]) -> Iterator[str]:
    for name in mapping.depends_on:
        if name not in mappings:
            yield f"Mapping “{name}”, which {mapping.name} depends on, does not exist."


def _template_problems(mapping: TableMapping, local: Columns, dataverse: Columns) -> Iterator[tuple[str, str]]:
    for part, template, columns in (
        ("local_template", mapping.local_template, local),
        ("dataverse_template", mapping.dataverse_template, dataverse),
    ):
        for name in sorted(set(template) - set(columns)):
            yield part, f"Column “{name}” in a template of {mapping.name} does not exist."


def _numbered_twice(mapping: TableMapping) -> Iterator[Problem]:
    seen: set[int] = set()
    for at, row in enumerate(mapping.fields):
        if row.number in seen:
            yield Problem(f"{mapping.name} has two field mappings of number {row.number}.", "number", at)
        seen.add(row.number)


def _field_problems(
    row: FieldMapping, local: Columns, dataverse: Columns, mappings: frozenset[str]
) -> Iterator[tuple[str, str]]:
    where = f"field mapping {row.number} ({row.local_column or '–'} ↔ {row.dataverse_column or '–'})"
    for part, name, columns, side in (
        ("local_column", row.local_column, local, "local"),
        ("dataverse_column", row.dataverse_column, dataverse, "Dataverse"),
    ):
        if name is not None and name not in columns:
            yield part, f"Column “{name}” of {where} does not exist in the {side} table."
    if row.local_column is None and row.dataverse_column is None:
        yield "number", f"Field mapping {row.number} names no column."
    yield from (("transformation_rule", said) for said in _rule_problems(row, where))
    if row.clear_value_on_failed_sync and row.not_null:
        yield "not_null", f"Clear Value on Failed Sync and Not Null exclude each other in {where}."
    if row.is_enabled:
        missing = (name for name in row.related if name not in mappings)
        yield from (("related", f"Mapping “{name}” of {where} does not exist.") for name in missing)
    both = local.get(row.local_column or ""), dataverse.get(row.dataverse_column or "")
    if both[0] is None or both[1] is None:
        return
    if row.conversion is Conversion.OPTION and (both[0].type not in TEXTS or both[1].type is not ColumnType.CHOICE):
        yield "conversion", f"An option is a code here and a choice in Dataverse, not so in {where}."
    if row.conversion is Conversion.PLAIN:
        yield from (("local_column", said) for said in _type_problems(row, both[0], both[1], where))


def _rule_problems(row: FieldMapping, where: str) -> Iterator[str]:
    try:
        if row.conversion is Conversion.OPTION:
            codes_of(row.transformation_rule, {})
        else:
            change_of(row.transformation_rule)
    except RuleError as error:
        yield f"Transformation rule “{row.transformation_rule}” of {where} cannot be used. {error}"


def _type_problems(row: FieldMapping, local: Column, dataverse: Column, where: str) -> Iterator[str]:
    if _kind(local.type) != _kind(dataverse.type):
        yield f"The types differ in {where}: {local.type} here, {dataverse.type} in Dataverse."
    too_short = local.max_length is not None and local.max_length < (dataverse.max_length or 0)
    if row.is_enabled and row.direction is Direction.BIDIRECTIONAL and too_short:
        yield (
            f"The local column of {where} holds {local.max_length} characters, Dataverse's {dataverse.max_length}. "
            "A bidirectional field must be at least as long here, or its text would be cut and sent back cut."
        )


def _kind(type_: ColumnType) -> str:
    for kind, members in (("text", TEXTS), ("number", NUMBERS), ("whole number", WHOLE_NUMBERS)):
        if type_ in members:
            return kind
    return type_
