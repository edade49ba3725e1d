"""The codes of Dataverse's answers of which something is known: what each means, whose fault it is, what to do.

docs/answers.md is printed from this table. To add a code: one line. Source: reference/answers.md §1; DP/reference/
web-service-error-codes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.errors import AnswerClass

PASSING, SET_UP, DATA = AnswerClass.PASSING, AnswerClass.SET_UP, AnswerClass.DATA
#: gates: everything; every write; else an operation on one table, such as `read account`
EVERYTHING, WRITES = "everything", "writes"

_USERS = "admin.powerplatform.microsoft.com → the environment → Settings → Users + permissions → Application users"
_ROLE = (
    f"Give the application user a security role that has it (docs/role.md lists all): {_USERS} → Edit security roles."
)
_SCHEMA = "Look what the environment has: receiver doctor. Bring the column or table back, or change the mapping."
_SECURED = "Give the application user a field security profile that allows the column, or switch its field mapping off."
_ADMIN_MODE = "It ends by itself: the environment is in administration mode, or is being copied or restored."
_OTHER_ROW = "Couple the record with that row, or change the value."
_TRACK = "Switch it on: make.powerapps.com → Tables → the table → Properties → Track changes."
_STORAGE = "Free storage, or buy more: Power Platform admin center → Capacity."


@dataclass(frozen=True)
class Known:
    """A code of which something is known; `gate` empty: the operation on the table."""

    answer: AnswerClass
    means: str
    remedy: str = ""
    gate: str = ""


def _set_up(means: str, remedy: str, gate: str = "") -> Known:
    return Known(SET_UP, means, remedy, gate)


def _passing(means: str, remedy: str = "") -> Known:
    return Known(PASSING, means, remedy)


def _data(means: str, remedy: str = "") -> Known:
    return Known(DATA, means, remedy)


#: the code that says that a row does not exist, if table and id in its text are those asked for
GONE = "0x80040217"
#: the code of a privilege that is missing on a table; confirmed by what the user's roles say
NO_PRIVILEGE = "0x80040220"
#: the codes of a version that is not the row's any more, and of a row that exists already
VERSION, EXISTS = "0x80060882", frozenset({"0x80040237"})
#: the code of an access check: this row, not the table
ACCESS = "0x80048306"

KNOWN: Mapping[str, Known] = {
    # -- who we are, and what we may do
    "0x80072560": _set_up(
        "there is no application user",
        f"Make the application user: {_USERS} → New app user; choose the app registration, and give it the receiver's "
        "security role.",
        EVERYTHING,
    ),
    "0x80040225": _set_up("the application user is disabled", f"Enable it: {_USERS}.", EVERYTHING),
    "0x8004a112": _set_up("the application user is disabled", f"Enable it: {_USERS}.", EVERYTHING),
    "0x80042f09": _set_up("the application user has no role", f"Give it the receiver's role: {_USERS}.", EVERYTHING),
    "0x80040204": _set_up("the application user is not accepted", f"Look at it: {_USERS}.", EVERYTHING),
    "0x80040277": _set_up("the application user is not accepted", f"Look at it: {_USERS}.", EVERYTHING),
    NO_PRIVILEGE: _set_up("a privilege on the table is missing", _ROLE),
    "0x80040299": _set_up("a privilege on the table is missing", _ROLE),
    ACCESS: _data(
        "the application user may not see or change this row",
        "Share the row with it, or give its role the depth Organization; then Process Again.",
    ),
    "0x80040231": _data("the owner that is set may not read the table", "Give the owner's role that right."),
    "0x8004022b": _data("the owner is disabled", "Choose another owner."),
    "0x8004f502": _set_up("a secured column may not be set at create", _SECURED),
    "0x8004f507": _set_up("a secured column may not be changed", _SECURED),
    "0x8004f504": _set_up("a secured column may not be read", _SECURED),
    # -- the environment is away
    "0x8004a104": _passing("the environment is disabled for now", _ADMIN_MODE),
    "0x8004a113": _passing("the environment is in administration mode", _ADMIN_MODE),
    "0x8004a107": _passing("the environment is disabled for now", _ADMIN_MODE),
    "0x80071151": _passing("another import or publishing is under way"),
    # -- load
    "0x80072322": _passing("more than 6000 requests in five minutes"),
    "0x80072321": _passing("more than 20 minutes of work in five minutes"),
    "0x80072326": _passing("more than 52 requests at a time"),
    "0x80044150": _passing("the database refused: a deadlock, or it is busy"),
    "0x80044151": _passing("the database took too long"),
    "0x80040216": _passing("something unexpected"),
    "0x80040255": _passing("the transaction was aborted"),
    "0x80044339": _passing("a lock was not to be had"),
    "0x8004ed47": _passing("a lock was not to be had"),
    "0x80072323": _passing("the database's limit is reached"),
    "0x80072324": _passing("too many at work on the database"),
    "0x8004a001": _passing("the server is busy"),
    "0x80073000": _passing("the network between Dataverse and its database"),
    "0x80060916": _passing("busy; a job is repeated"),
    "0x80048544": _passing("the query is throttled"),
    "0x80048644": _passing("the query is throttled"),
    "0x80048744": _passing("the query is throttled"),
    "0x80048745": _passing("the query is throttled"),
    "0x8004418d": _passing("the process of a plug-in broke down"),
    "0x8004418e": _passing("no process for plug-ins is free"),
    "0x80044171": _passing("a plug-in took too long"),
    "0x80044172": _passing("a plug-in took too long"),
    "0x80044173": _passing("a plug-in took too long"),
    "0x80081111": _passing("a plug-in took longer than two minutes"),
    "0x80081116": _passing("a plug-in broke down too often"),
    "0x80050263": _passing("the system behind a virtual table is away"),
    "0x80072325": _set_up(
        "the environment's storage is full",
        _STORAGE,
        WRITES,
    ),
    "0x80050206": _set_up("webhooks are switched off", "Ask Microsoft's support to switch them on.", WRITES),
    # -- the schema is not what we believe
    "0x80041102": _set_up("the table is unknown", _SCHEMA),
    "0x80041103": _set_up("a column is unknown", _SCHEMA),
    "0x8005e009": _set_up("a column is unknown", _SCHEMA),
    "0x8006088a": _set_up("the table is unknown to the Web API", _SCHEMA),
    "0x80060888": _set_up("the Web API does not know a name in the request", _SCHEMA),
    "0x80060890": _set_up("the alternate key is unknown", _SCHEMA),
    "0x80041140": _set_up("the alternate key is unknown", _SCHEMA),
    "0x80072491": _data("change tracking is off", _TRACK),
    # -- this record
    GONE: _data("a row that the request names does not exist", "Look which one the message names; couple or mend it."),
    "0x80060891": _data("no row has this alternate key"),
    "0x80040203": _data("an argument is not valid"),
    "0x80040200": _data("a required column is empty", "Fill the column, or map one to it."),
    "0x80044331": _data("a text is too long", "Shorten it, or lengthen the column in Dataverse."),
    "0x80073001": _data("a text is too long", "Shorten it, or lengthen the column in Dataverse."),
    "0x80040278": _data("a text has characters that Dataverse does not take", "Take them out of the text."),
    "0x8004432f": _data("a number is out of range"),
    "0x80044330": _data("a number is out of range"),
    "0x8004431a": _data("the choice has no such option", "Add the option in Dataverse, or change the value."),
    "0x80040239": _data("a date is out of range"),
    "0x80048408": _data("state and status reason do not fit"),
    "0x8004f857": _data("the status may not change like this"),
    "0x80040230": _data("the row is inactive", "Activate it in Dataverse."),
    "0x8004022e": _data("the row is read-only"),
    "0x80040205": _data("a parent is missing"),
    "0x80040265": _data("a plug-in or a workflow of the environment said no", "Do what its message says."),
    "0x80040224": _data("a plug-in of the environment broke down", "Show its author the message."),
    "0x80040227": _data("other rows forbid that it is deleted"),
    "0x80048cfb": _data("the currency is empty while an amount is not"),
    "0x80060892": _data("another row has the same alternate key", _OTHER_ROW),
    "0x80073002": _data("another row has the same unique value", _OTHER_ROW),
    "0x80040237": _data("another row has the same key", _OTHER_ROW),
    "0x80040333": _data(
        "a duplicate detection rule found a row like it", "Couple the record with that row, or change the rule."
    ),
    "0x8004418a": _data("the request is too large", "Shorten what the record holds."),
}
