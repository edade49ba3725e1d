"""What a database's error means, in words: neither its SQL nor its parameters nor the row's contents are repeated.

Three classes. *Passing*: another program's lock, a deadlock, a serialization failure, time run out; waiting helps.
*Set-up*: a privilege, a table or a column is missing; it waits, and says what to do. *Data*: this record's own.
Source: PostgreSQL's Appendix A (error codes), SQLite's result codes.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from receiver.errors import BusyError, LocalSetUpError, LostRaceError, ReceiverError, RecordError

#: of a rule's own words, which somebody else wrote
LONGEST_WORDS = 300

PASSING = {
    "40001": "another transaction changed the same record at the same moment",
    "40P01": "two transactions waited for each other, and this one gave way",
    "55P03": "another program holds what it needs",
    "57014": "the database took longer than it may",
}
MISSING = {"42P01": "a table", "42703": "a column"}
NO_PRIVILEGE = "42501"
#: PostgreSQL's own functions, which no language changes: the right is missing; or a program raised the error itself
LACKS_RIGHT, RAISED = "aclcheck_error", "exec_stmt_raise"

#: by error code; the place is a constraint or a column
DATA = {
    "23502": "{place} may not be empty there.",
    "23503": "it refers to a record that is not there, or another still refers to it ({place}).",
    "23505": "another record has the same value already ({place}).",
    "23514": "it breaks the condition {place}.",
    "23P01": "another record stands in its way ({place}).",
    "22001": "a text is longer than its column.",
    "22003": "a number is larger than its column.",
    "22007": "a date has a form that its column does not take.",
    "22008": "a date lies outside what its column takes.",
    "22021": "a text has a character that the database cannot keep.",
    "22P02": "a value has a form that its column does not take.",
    "22P05": "a text has a character that the database's encoding lacks.",
}
#: SQLite's names for the same
OF_SQLITE = {
    "SQLITE_CONSTRAINT_NOTNULL": "23502",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "23503",
    "SQLITE_CONSTRAINT_UNIQUE": "23505",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "23505",
    "SQLITE_CONSTRAINT_ROWID": "23505",
    "SQLITE_CONSTRAINT_CHECK": "23514",
    "SQLITE_CONSTRAINT_TRIGGER": "P0001",
    "SQLITE_MISMATCH": "22P02",
    "SQLITE_TOOBIG": "22001",
}
UNIQUE, RULE, UNKEEPABLE = "23505", "P0001", "22021"


@dataclass(frozen=True)
class _Said:
    """An error as both databases' drivers tell it: PostgreSQL's code, a constraint or column, its first line."""

    code: str
    place: str
    words: str
    #: PostgreSQL's function that raised it
    raised_by: str


def passing_of(error: DBAPIError, holder: str = "") -> BusyError | None:
    """Waiting helps; *holder* says who is in the way, where that is known. None: it is nothing of the kind."""
    why = PASSING.get(_said(error.orig).code)
    if why is None:
        return None
    who = f" ({holder})" if holder else ""
    return BusyError(f"The local database is busy: {why}{who}. It is tried again by itself.")


def set_up_of(error: DBAPIError, user: str) -> LocalSetUpError | None:
    """What is missing in the database, and the statement that gives it; None: nothing is."""
    said = _said(error.orig)
    if said.code == NO_PRIVILEGE and said.raised_by == LACKS_RIGHT:
        rights, thing = _rights(error.statement or ""), said.words.rsplit(" ", 1)[-1]
        return LocalSetUpError(
            f"The database user {user} may not {rights} {thing}. An administrator of the database grants it: "
            f'GRANT {rights} ON {thing} TO "{user}"; then it goes on by itself.'
        )
    if said.code in MISSING:
        return LocalSetUpError(
            f"{MISSING[said.code].capitalize()} of the local database is missing: {said.words}. Bring it back, or "
            "change the mapping; then it goes on by itself."
        )
    return None


def refusal_of(error: DBAPIError, caption: str) -> ReceiverError | None:
    """The record's own fault; a key or value that is there already may be a race that was lost.

    None for what is passing, or set-up, or the database's own trouble.
    """
    said = _said(error.orig)
    if not said.code or said.code in PASSING or said.code in MISSING or said.code[:2] in {"08", "53", "57", "58", "XX"}:
        return None
    if said.code == NO_PRIVILEGE and said.raised_by == LACKS_RIGHT:
        return None
    words = f"The {caption} was refused by the database: {_sentence(said)}"
    return LostRaceError(words) if said.code == UNIQUE else RecordError(words)


def unkeepable(error: Exception, caption: str) -> RecordError:
    """A value that the driver could not even hand over."""
    code = UNKEEPABLE if isinstance(error, UnicodeError) else "22003"
    return RecordError(f"The {caption} was refused by the database: {DATA[code]}")


def _sentence(said: _Said) -> str:
    """Ours where the database's own may repeat a value; a rule's words are those that its author chose."""
    is_ours = said.code in DATA and said.raised_by != RAISED
    if is_ours and (said.place or "{place}" not in DATA[said.code]):
        return DATA[said.code].format(place=said.place)
    if said.code.startswith("22") and said.raised_by != RAISED:
        return f"a value does not fit its column (code {said.code})."
    return f"a rule of its own says “{said.words}”."


def _rights(statement: str) -> str:
    verb = statement.split(maxsplit=1)[0].upper() if statement.strip() else "SELECT"
    return "SELECT, UPDATE" if verb == "SELECT" and "FOR UPDATE" in statement else verb


def _said(error: BaseException | None) -> _Said:
    if isinstance(error, sqlite3.Error):
        return _said_by_sqlite(error)
    diagnosis: Any = getattr(error, "diag", None)
    code = getattr(error, "sqlstate", None) or ""
    if not code and type(error).__name__ == "DataError":
        code = UNKEEPABLE  # the driver itself turns a NUL away
    place = getattr(diagnosis, "constraint_name", None) or getattr(diagnosis, "column_name", None) or ""
    words = getattr(diagnosis, "message_primary", None) or ""
    return _Said(code, place, _short(words), getattr(diagnosis, "source_function", None) or "")


def _said_by_sqlite(error: sqlite3.Error) -> _Said:
    """Its text ends with the columns or the constraint; a trigger's is the trigger's own."""
    name, text = getattr(error, "sqlite_errorname", "") or "", str(error)
    if text.startswith("no such table"):
        return _Said("42P01", "", _short(text), "")
    if text.startswith(("no such column", "table ")) and "column" in text:
        return _Said("42703", "", _short(text), "")
    code = OF_SQLITE.get(name, "")
    place = "a reference" if name.endswith("FOREIGNKEY") else text.partition("constraint failed: ")[2]
    return _Said(code, place, _short(text), RAISED if code == RULE else "")


def _short(words: str) -> str:
    first = next(iter(words.splitlines()), "").strip()
    return first if len(first) <= LONGEST_WORDS else f"{first[:LONGEST_WORDS]}…"
