"""Where what is stored of a Dataverse table may be behind what it is now: ask again before anything is concluded.

A column that was secured a moment ago comes back empty. So an emptiness is not believed before it is known, later than
the row was read, that we may see the column. Source: reference/answers.md §2.4.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from receiver.catalogue.reading import read_again
from receiver.core.decision import Modify, Situation
from receiver.core.mapping import Direction
from receiver.core.values import is_empty
from receiver.dataverse.metadata import SPEAKS_OF_COLUMNS
from receiver.engine.work import Outcome, Work
from receiver.errors import DataverseError, MovedError, SetUpError
from receiver.services import Services
from receiver.store import descriptions

#: an image is told in its actor's name, not in ours: of many, one a while is asked about
IMAGES_ARE_BELIEVED_FOR = timedelta(seconds=30)


def check_blanks(work: Work, outcome: Outcome) -> None:
    """Before a value is emptied here because it is empty there. Raises: MovedError when we may not see it any more."""
    now = outcome.now
    if not isinstance(outcome.decision, Modify) or now.toward is Direction.TO or not blanked(now):
        return
    table = now.mapping.dataverse_table
    is_read = (table, now.source.id) in work.rows
    read_at = work.rows_read_at if is_read else None
    if described_since(work, table, read_at or work.services.clock() - IMAGES_ARE_BELIEVED_FOR):
        return
    if look_again(work, table):
        raise MovedError


def blanked(now: Situation) -> set[str]:
    """The Dataverse columns that held a value when the pair was last equal, and come back empty."""
    base = (now.coupling and now.coupling.dataverse_base) or {}
    named = {one.source for one in now.mapping.transfers(Direction.FROM) if one.source is not None}
    return {name for name in named if not is_empty(base.get(name)) and is_empty(now.source.values.get(name))}


def described_since(work: Work, table: str, moment: datetime) -> bool:
    with work.services.database.reading() as connection:
        read_at = descriptions.read_at(connection, table)
    return read_at is not None and read_at >= moment


def look_again(work: Work, table: str) -> bool:
    """Ask what the table is like for us; whether it is another now. Raises: as `read_again`; NotAtOnceError."""
    services = work.services
    return read_again(services.database, work.dataverse, [table], services.clock())


def is_described_anew(services: Services, table: str, answer: object) -> bool:
    """After a refusal that speaks of columns: whether the table is another now, so that deciding anew helps."""
    if not isinstance(answer, DataverseError) or answer.code.lower() not in SPEAKS_OF_COLUMNS:
        return False
    if not read_again(services.database, services.dataverse, [table], services.clock()):
        return False
    if isinstance(answer, SetUpError):
        services.gatekeeper.open_([answer.gate])  # nobody has to act: from now on the column is not named
    return True
