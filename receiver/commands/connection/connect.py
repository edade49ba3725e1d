"""Connect: try a connection step by step, and keep its settings where it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from receiver import settings_file
from receiver.commands.connection.finding import Step
from receiver.commands.connection.test_connection import ConnectionTest, remember, tested
from receiver.errors import RefusedError
from receiver.services import Services
from receiver.store.mappings import record_change


@dataclass(frozen=True)
class Connected:
    """What was tried, and the file in which it was kept; None where nothing was stored."""

    test: ConnectionTest
    stored_in: Path | None


def connect(
    services: Services,
    values: Mapping[str, str],
    path: Path | None,
    who: str,
    *,
    told: Callable[[Step], None] = lambda _step: None,
    is_preview: bool = False,
    is_forced: bool = False,
) -> Connected:
    """Try the connection that *services* has; if it works, or is forced, keep *values* (by variable) in *path*.

    What was found is remembered for the mappings, and who did it is recorded. Values are recorded nowhere but in the
    file. Raises: RefusedError where there is no file to keep them in; SettingError; StoreUnavailableError.
    """
    if path is None and not is_preview:
        raise RefusedError(f"{settings_file.FILE} is empty: name the file that keeps the connection, or use --preview.")
    found, learnt = tested(services, told)
    if is_preview or not (found.is_good or is_forced):
        return Connected(found, None)
    assert path is not None  # else it was refused
    before = settings_file.read(path)
    settings_file.write(path, values)
    remember(services, found, learnt)
    address = f"{settings_file.PREFIX}DATAVERSE_URL"
    with services.database.writing() as connection:
        was = (before.get(address, ""), values.get(address, ""))
        record_change(connection, who, "Dataverse Connection Setup", was, services.clock())
    return Connected(found, path)
