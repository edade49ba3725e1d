"""A row that was deleted and is there again under its id continues its pair: from the recycle bin, from a backup.

What the coupling remembered is kept when it is removed by rule. It is brought back in a transaction of its own, in the
row's lane; then the pair is decided like any other, and each side's changes since are found by its base.
"""

from __future__ import annotations

from receiver.core.mapping import TableMapping
from receiver.engine.work import Work
from receiver.store import couplings, former_pairs
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME


def come_back(work: Work, mapping: TableMapping, row_id: str) -> None:
    """Couple a row with its former record, if both are there and neither was coupled or uncoupled since.

    Raises: what Dataverse and the database raise.
    """
    if work.is_preview or row_id not in work.known.deleted or mapping.name in work.known.of_row(row_id):
        return
    with work.services.database.reading() as connection:
        former = former_pairs.of_row(connection, mapping.name, row_id)
    if former is None or not work.read(mapping.dataverse_table, row_id).exists:
        return
    with work.services.database.writing() as connection:
        local = LocalTable(connection, BY_NAME[mapping.local_table])
        is_taken = former.local_id in couplings.of_records(connection, mapping.name, [former.local_id], lock=True)
        was_uncoupled = former.local_id in couplings.uncoupled_records(connection, mapping.name, [former.local_id])
        if local.get(former.local_id) is not None and not is_taken and not was_uncoupled:
            couplings.save(connection, former, work.services.clock())
        former_pairs.forget(connection, mapping.name, row_id)
    work.known.forget([row_id])
