"""The settings file: lines `RECEIVER_NAME=value`, as they stand, without quotes; readable by its owner alone.

`receiver connect` writes it; whatever starts reads it, and the environment wins. Nothing here knows what a setting
means: config.py does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from receiver.errors import SettingError

PREFIX = "RECEIVER_"
FILE, INSTANCE = "RECEIVER_SETTINGS_FILE", "RECEIVER_INSTANCE"
#: in the instance folder
USUAL_NAME = "settings.env"
_OF_OTHERS = 0o077


def path_of(environment: Mapping[str, str]) -> Path | None:
    """Where the file is or would be; None where RECEIVER_SETTINGS_FILE is set and empty: there shall be none."""
    if FILE in environment:
        return Path(environment[FILE]) if environment[FILE].strip() else None
    return Path(environment.get(INSTANCE) or "instance") / USUAL_NAME


def overlaid(environment: Mapping[str, str]) -> dict[str, str]:
    """The file's settings, and on top of them what the environment says. Raises: SettingError."""
    path = path_of(environment)
    said = {name: text for name, text in environment.items() if text.strip() or not name.startswith(PREFIX)}
    return {**(read(path) if path else {}), **said}


def read(path: Path) -> dict[str, str]:
    """What the file says; nothing where there is none.

    Raises: SettingError naming the line; the line is not repeated, since it may hold a secret.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(_lines(path), 1):
        name, equals, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals or not name.strip().startswith(PREFIX):
            raise SettingError(f"{path}, line {number}: {PREFIX}NAME=value was expected.")
        found[name.strip()] = value.strip()
    return found


def write(path: Path, values: Mapping[str, str]) -> None:
    """Set these, and leave the other lines as they are; an empty value takes its line out. All of it or nothing.

    Raises: SettingError for a value that no line can hold, and where the file cannot be written.
    """
    for value in values.values():
        _check(value)
    kept = [line for line in _lines(path) if line.partition("=")[0].strip() not in values]
    lines = [*kept, *(f"{name}={value}" for name, value in values.items() if value)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replaced(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise SettingError(f"{path} cannot be written: {error.strerror}. Set {FILE} to a file that can.") from error


def _check(value: str) -> None:
    """What comes back is the same value, and no setting beside it. Raises: SettingError, without the value."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SettingError("A setting holds bytes that are no UTF-8; nothing was written.") from None
    if "\0" in value or len(f"|{value}|".splitlines()) > 1:
        raise SettingError("A setting cannot hold a line break; nothing was written.")
    if value != value.strip():
        raise SettingError("A setting cannot begin or end with a blank; nothing was written.")


def _replaced(path: Path, text: str) -> None:
    """Made with mode 0600, and renamed: nobody reads half of it, nobody else reads it at all, no copy stays behind."""
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise


def is_private(path: Path) -> bool:
    """Whether its owner alone may read it."""
    return not path.stat().st_mode & _OF_OTHERS


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:  # splitlines() would know ends of lines that a value may hold
            return [line.removesuffix("\n") for line in file]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read: {error}.") from error
