"""What a lookup, a currency, an owner or an option means on the other side. Source: reference §12, 13.1–13.3, 14.3.

To add a conversion: a member of `Conversion` and its two functions in `CONVERSIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from receiver.core.mapping import Conversion, Direction, TableMapping, Transfer
from receiver.core.merge import Converted, Found, Keep, NoCounterpart, NotCoupled
from receiver.core.options import codes_of
from receiver.core.values import Reference, Value, Values, is_empty, shown
from receiver.engine.known_records import Known
from receiver.engine.work import Work
from receiver.store.mappings import Mappings
from receiver.tables import BY_NAME

ADD_IT = "Add it to the table in the field mapping's transformation rule; then it follows."


@dataclass(frozen=True)
class Lookups:
    """One record's lookups to resolve; `outside` holds rows known to lie outside every mapping's filter."""

    work: Work
    mapping: TableMapping
    source: Values
    destination: Values
    local_currency: str
    outside: frozenset[Reference] = frozenset()

    @property
    def known(self) -> Known:
        return self.work.known

    @property
    def mappings(self) -> Mappings:
        return self.work.mappings

    def resolve(self, toward: Direction) -> dict[int, Converted]:
        """Every transfer with a conversion, by its number."""
        found = (one for one in self.mapping.transfers(toward) if one.conversion is not Conversion.PLAIN and one.source)
        return {one.number: CONVERSIONS[one.conversion, toward](self, one) for one in found}

    def value(self, one: Transfer) -> Value:
        return self.source.get(one.source or "")


def _key_of(at: Lookups, one: Transfer) -> Converted:
    """A guid to the local key of the record coupled to it."""
    reference = at.value(one)
    if not isinstance(reference, Reference):
        return Keep() if _emptiness_is_an_artefact(at, one) else Found(None)
    coupled = at.known.local_of(one.related, reference.id)
    return Found(coupled[1]) if coupled else _not_coupled(at, one, reference)


def _emptiness_is_an_artefact(at: Lookups, one: Transfer) -> bool:
    """A local record that is not coupled could not be said in Dataverse: its lookup is empty there for that alone."""
    held = at.destination.get(one.destination)
    if is_empty(held) or not one.clears_on_failure:
        return False
    return all(at.known.coupling(name, Direction.TO, str(held)) is None for name in one.related)


def _table_of(at: Lookups, one: Transfer) -> Converted:
    """Which local table the record coupled to a guid is in: a contact's company may be customer or vendor."""
    reference = at.value(one)
    if not isinstance(reference, Reference):
        return Found(None)
    coupled = at.known.local_of([name for name in one.related if name in at.mappings], reference.id)
    return Found(at.mappings[coupled[0]].local_table) if coupled else _not_coupled(at, one, reference)


def _code_of(at: Lookups, one: Transfer) -> Converted:
    reference = at.value(one)
    if not isinstance(reference, Reference):
        return _local_currency(at, one)
    code = at.work.services.dataverse.iso_code(reference)
    if code == at.local_currency:
        return _local_currency(at, one)
    if code and at.known.record("currency", code) is not None:
        return Found(code)
    named = f"currency {code}" if code else f"the currency {shown(reference)}"
    return NotCoupled(f"{named} is not in the local table Currency. Add it there, then Process Again.", reference)


def _local_currency(at: Lookups, one: Transfer) -> Found:
    """Blank, or the code that stands there already and says the same."""
    held = at.destination.get(one.destination)
    return Found(held) if held == at.local_currency else Found(None)


def _salesperson_of(at: Lookups, one: Transfer) -> Converted:
    reference = at.value(one)
    if not isinstance(reference, Reference):
        return Keep()
    if reference.table == "team":
        return Keep(f"The owner is the team {shown(reference)}, no salesperson: {one.destination} was left alone.")
    coupled = at.known.local_of(one.related, reference.id)
    return Found(coupled[1]) if coupled else _not_coupled(at, one, reference)


def _row_of(at: Lookups, one: Transfer) -> Converted:
    """A local key to the row that its record is coupled to."""
    key = at.value(one)
    if is_empty(key):
        return Found(None)
    related = _related_of(at, one)
    for name in related:
        coupled = at.known.coupling(name, Direction.TO, str(key))
        if coupled is not None:
            return Found(Reference(at.mappings[name].dataverse_table, coupled.dataverse_id))
    caption = " or ".join(BY_NAME[at.mappings[name].local_table].caption for name in related)
    return NotCoupled(f"{caption} {key} ({one.source}) is not coupled to Dataverse. Couple it first.")


def _related_of(at: Lookups, one: Transfer) -> tuple[str, ...]:
    """Where another field says which table a key is of, only the mappings of that table; none that stands still."""
    related = tuple(name for name in one.related if name in at.mappings)
    says = (row for row in at.mapping.fields if row.conversion is Conversion.LOOKUP_TABLE)
    for row in says:
        table = at.source.get(row.local_column or "")
        if row.dataverse_column == one.destination and not is_empty(table):
            return tuple(name for name in related if at.mappings[name].local_table == table)
    return related


def _currency_of(at: Lookups, one: Transfer) -> Converted:
    code = str(at.value(one) or at.local_currency)
    reference = at.work.services.dataverse.currency_of(code)
    return Found(reference) if reference else NotCoupled(f"currency {code} is not in Dataverse. Add it there first.")


def _option_of(at: Lookups, one: Transfer) -> Converted:
    """A code to the number of the choice that it stands for."""
    code = at.value(one)
    if is_empty(code):
        return Found(None)
    codes = _codes(at, one, one.destination)
    if str(code).upper() in codes:
        return Found(codes[str(code).upper()])
    said = f"{one.source} {code} stands for no option of {one.destination} and was left alone; known are "
    return NoCounterpart(f"{said}{', '.join(codes)}. {ADD_IT}")


def _code_of_option(at: Lookups, one: Transfer) -> Converted:
    number = at.value(one)
    if is_empty(number):
        return Found(None)
    code = next((code for code, option in _codes(at, one, one.source or "").items() if option == number), None)
    if code is not None:
        return Found(code)
    return NoCounterpart(f"Option {number} of {one.source} has no code, so {one.destination} was left alone. {ADD_IT}")


def _codes(at: Lookups, one: Transfer, column: str) -> dict[str, int]:
    return codes_of(one.rule, at.mapping.described.columns[column].labels)


def _not_coupled(at: Lookups, one: Transfer, reference: Reference) -> NotCoupled:
    tables = {at.mappings[name].dataverse_table for name in one.related if name in at.mappings}
    table = reference.table or next(iter(tables), "")
    names = " or ".join(one.related)
    waits = reference in at.outside
    remedy = "It lies outside their filters." if waits else "Couple it, or let its mapping create it."
    if (table, reference.id) in at.work.wanted_by:
        remedy = (
            "The two need each other: switch Clear Value on Failed Sync on for one of the lookups between them, or "
            "couple one of them."
        )
    called = f"{table} “{reference.name}” {reference.id}" if reference.name else f"{table} {reference.id}"
    said = f"{called} ({one.source}) is not coupled by {names}. {remedy}"
    return NotCoupled(said, Reference(table, reference.id), waits)


CONVERSIONS: Mapping[tuple[Conversion, Direction], Callable[[Lookups, Transfer], Converted]] = {
    (Conversion.LOOKUP, Direction.FROM): _key_of,
    (Conversion.LOOKUP, Direction.TO): _row_of,
    (Conversion.LOOKUP_TABLE, Direction.FROM): _table_of,
    (Conversion.LOOKUP_TABLE, Direction.TO): lambda _at, _one: Keep(),
    (Conversion.CURRENCY, Direction.FROM): _code_of,
    (Conversion.CURRENCY, Direction.TO): _currency_of,
    (Conversion.OWNER, Direction.FROM): _salesperson_of,
    (Conversion.OWNER, Direction.TO): _row_of,
    (Conversion.OPTION, Direction.FROM): _code_of_option,
    (Conversion.OPTION, Direction.TO): _option_of,
}
