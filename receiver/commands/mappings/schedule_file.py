"""What runs by itself as a file, `schedule.yaml` beside the mappings: written, compared and taken with them."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from receiver.errors import RefusedError
from receiver.runs.schedule import SHIPPED, next_time, set_
from receiver.services import Services
from receiver.store import schedules
from receiver.store.schedules import Setting

NAME = "schedule.yaml"
HEAD = '# What runs by itself, where it is another than shipped: NAME: {cron: "*/10 * * * *", paused: true}\n'


def written(services: Services) -> str:
    """What people set; what runs as it is shipped is left out."""
    with services.database.reading() as connection:
        found = schedules.settings(connection)
    plain = {
        what: {**({"cron": one.cron} if one.cron else {}), **({"paused": True} if one.is_paused else {})}
        for what, one in sorted(found.items())
    }
    out = StringIO()
    YAML().dump(plain, out)
    return HEAD + (out.getvalue() if plain else "{}\n")


def read(services: Services, path: Path) -> tuple[dict[str, Setting], list[str]]:
    """By what runs, what the file says of it; and what is wrong with the file, in sentences."""
    try:
        plain = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeError, YAMLError) as error:
        return {}, [f"The file cannot be read: {str(error).splitlines()[0]}"]
    if not isinstance(plain, dict):
        return {}, ["NAME: {cron: …, paused: …} was expected."]
    problems = [said for what, one in plain.items() for said in _problems(services, str(what), one)]
    if problems:
        return {}, problems
    return {
        what: Setting(what, str(one.get("cron", "")), bool(one.get("paused", False))) for what, one in plain.items()
    }, []


def _problems(services: Services, what: str, one: Any) -> Iterator[str]:
    if what not in SHIPPED:
        yield f"Nothing called {what} runs by itself; there are {', '.join(SHIPPED)}."
    elif not isinstance(one, dict) or one.keys() - {"cron", "paused"}:
        yield f"{what}: cron and paused were expected."
    elif not isinstance(one.get("paused", False), bool):
        yield f"{what}: paused: true or false was expected."
    elif cron := one.get("cron", ""):
        try:
            next_time(str(cron), what, "", services.clock())
        except RefusedError as error:
            yield f"{what}: {error}"


def differences(services: Services, wanted: dict[str, Setting]) -> list[tuple[str, str, str]]:
    """What runs, as it is set, and as the file has it: what the file leaves out is as it is shipped."""
    with services.database.reading() as connection:
        before = schedules.settings(connection)
    found = []
    for what in SHIPPED:
        old, new = before.get(what, Setting(what)), wanted.get(what, Setting(what))
        if (_cron(old), old.is_paused) != (_cron(new), new.is_paused):
            found.append((what, _said(old), _said(new)))
    return found


def take(services: Services, wanted: dict[str, Setting], who: str) -> None:
    """Set all of it. Raises: RefusedError; StoreUnavailableError."""
    for what, _, _ in differences(services, wanted):
        one = wanted.get(what, Setting(what))
        set_(services, what, who, cron=one.cron, is_paused=one.is_paused)


def _cron(one: Setting) -> str:
    return one.cron or SHIPPED[one.what].cron


def _said(one: Setting) -> str:
    return f"{_cron(one)}{', paused' if one.is_paused else ''}"
