"""What a coupling remembered when a rule removed it, since one of its records was deleted: should the row come back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from receiver.core.coupling import Coupling
from receiver.core.values import from_plain_values, to_plain_values
from receiver.store.models import former_pair
from receiver.store.upsert import upsert


def remember(connection: Connection, coupling: Coupling, now: datetime) -> None:
    """The last pair of a row counts."""
    values = {
        "mapping": coupling.mapping,
        "dataverse_id": coupling.dataverse_id,
        "local_id": coupling.local_id,
        "local_base": None if coupling.local_base is None else to_plain_values(coupling.local_base),
        "dataverse_base": None if coupling.dataverse_base is None else to_plain_values(coupling.dataverse_base),
        "at": now,
    }
    statement = upsert(connection, former_pair).values(values)
    changed = {name: statement.excluded[name] for name in ("local_id", "local_base", "dataverse_base", "at")}
    connection.execute(statement.on_conflict_do_update(index_elements=["mapping", "dataverse_id"], set_=changed))


def of_row(connection: Connection, mapping: str, row_id: str) -> Coupling | None:
    """The pair that a row was in, as it was last equal."""
    own = (former_pair.c.mapping == mapping, former_pair.c.dataverse_id == row_id)
    row = connection.execute(select(former_pair).where(*own)).first()
    if row is None:
        return None
    return Coupling(
        mapping,
        row.local_id,
        row.dataverse_id,
        None if row.local_base is None else from_plain_values(row.local_base),
        None if row.dataverse_base is None else from_plain_values(row.dataverse_base),
    )


def forget(connection: Connection, mapping: str, row_id: str) -> None:
    own = (former_pair.c.mapping == mapping, former_pair.c.dataverse_id == row_id)
    connection.execute(delete(former_pair).where(*own))
