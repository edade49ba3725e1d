"""The coupled records that a person names: by local key or by Dataverse id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from receiver.commands.result import Line
from receiver.core.coupling import Coupling
from receiver.core.mapping import TableMapping
from receiver.errors import NotFoundError
from receiver.services import Services
from receiver.store import couplings
from receiver.tables import BY_NAME


def coupled(services: Services, mapping: TableMapping, keys: Sequence[str]) -> dict[str, Coupling | None]:
    """The coupling of each record named, None where there is none; in their order."""
    ids = {key: row_id_of(key) for key in dict.fromkeys(keys)}
    with services.database.reading() as connection:
        by_key = couplings.of_records(connection, mapping.name, list(ids))
        by_row = couplings.of_rows(connection, [id_ for id_ in ids.values() if id_])
    return {key: by_key.get(key) or by_row.get(id_, {}).get(mapping.name) for key, id_ in ids.items()}


def distinct(pairs: Mapping[str, Coupling | None]) -> list[Coupling]:
    """Each coupling once, whichever of its two names were said."""
    return list({one.local_id: one for one in pairs.values() if one is not None}.values())


def row_id_of(key: str) -> str:
    """The key as a Dataverse id; empty if it is none."""
    try:
        return str(UUID(key))
    except ValueError:
        return ""


def not_coupled(mapping: TableMapping, key: str) -> str:
    """In a sentence."""
    caption = mapping.dataverse_table if row_id_of(key) else BY_NAME[mapping.local_table].caption
    return f"{caption} {key} is not coupled by {mapping.name}."


def couple_first(mapping: TableMapping, key: str) -> str:
    """What to do about one that is not coupled."""
    words = f"KEY --row {key}" if row_id_of(key) else key
    return f"Couple it first, by Set Up Coupling: receiver couple {mapping.name} {words}"


def unknown_records(mapping: TableMapping, keys: Sequence[str]) -> NotFoundError:
    """The error for local records that do not exist."""
    caption = BY_NAME[mapping.local_table].caption
    return NotFoundError(
        f"There is no {caption} {', '.join(keys)}. Look the key up in the table {mapping.local_table}."
    )


def unknown_rows(mapping: TableMapping, ids: Sequence[str]) -> NotFoundError:
    """The error for rows that do not exist."""
    return NotFoundError(
        f"There is no {mapping.dataverse_table} {', '.join(ids)}. `receiver rows {mapping.name}` lists the rows."
    )


def not_coupled_lines(mapping: TableMapping, pairs: Mapping[str, Coupling | None]) -> Iterator[Line]:
    """A skipped line for each record named that is not coupled."""
    for key, coupling in pairs.items():
        if coupling is None:
            ids = ("", key) if row_id_of(key) else (key, "")
            said = not_coupled(mapping, key)
            yield Line(mapping.name, *ids, "Skip", "skipped", "NOT_COUPLED", said, couple_first(mapping, key))


def called(mapping: TableMapping, coupling: Coupling) -> str:
    return f"{BY_NAME[mapping.local_table].caption} {coupling.local_id}"
