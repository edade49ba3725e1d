"""Many pairs coupled at once, in their lanes: a pair that lost a race is left out, the others are coupled."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.core.coupling import Coupling
from receiver.core.mapping import TableMapping
from receiver.errors import LeaseLostError, LostRaceError
from receiver.lanes.held import BUSY, give_back, lanes_held, leave
from receiver.lanes.lane import Lease
from receiver.lanes.waits import wake_waiting
from receiver.runs.match_reading import still_uncoupled
from receiver.services import Services
from receiver.store import couplings, jobs
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

WAS_COUPLED = "One of the two was coupled or deleted meanwhile."

#: local key and Dataverse id
Pair = tuple[str, str]


def couple(services: Services, mapping: TableMapping, pairs: Sequence[Pair], job: int) -> dict[str, str]:
    """Couple pairs, no row twice among them, and count them in the *job*; what was not coupled: {local key: why}."""
    with lanes_held(services, [(mapping.dataverse_table, id_) for _, id_ in pairs]) as taken:
        held = {lease.id: lease for lease in taken.values()}
        lost = {key: BUSY for key, id_ in pairs if id_ not in held}
        return lost | _in_lanes(services, mapping, [pair for pair in pairs if pair[1] in held], held, job)


def _in_lanes(
    services: Services, mapping: TableMapping, pairs: Sequence[Pair], held: dict[str, Lease], job: int
) -> dict[str, str]:
    """One transaction; when a race was lost in it, the halves are tried by themselves."""
    if not pairs:
        return {}
    try:
        return _coupled(services, mapping, pairs, [held[id_] for _, id_ in pairs], job)
    except (LostRaceError, LeaseLostError) as error:
        if len(pairs) == 1:
            leave(services, [held[pairs[0][1]]])
            return {pairs[0][0]: str(error)}
    middle = len(pairs) // 2
    first = _in_lanes(services, mapping, pairs[:middle], held, job)
    return first | _in_lanes(services, mapping, pairs[middle:], held, job)


def _coupled(
    services: Services, mapping: TableMapping, pairs: Sequence[Pair], leases: Sequence[Lease], job: int
) -> dict[str, str]:
    now = services.clock()
    with services.database.writing() as connection:
        local = LocalTable(connection, BY_NAME[mapping.local_table])
        there = {one.id for one in local.get_all([key for key, _ in pairs], lock=True)}
        uncoupled = still_uncoupled(connection, mapping.name, pairs)
        free = [pair for pair in pairs if pair[0] in there and pair in uncoupled]
        couplings.save_all(connection, [Coupling(mapping.name, *pair) for pair in free], now)
        wake_waiting(connection, [(mapping.dataverse_table, id_) for _, id_ in free], now)
        give_back(connection, leases)
        jobs.add(connection, job, ["coupled"] * len(free), [], now)
    return dict.fromkeys({key for key, _ in pairs} - {key for key, _ in free}, WAS_COUPLED)
