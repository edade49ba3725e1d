"""Rows of ours in Dataverse's platform tables: said as they are to be, compared with what is there, brought about.

Three steps, so that a preview is the first two: `read` what is there, `plan` what is to be done about it (pure),
`carry_out`. Ids are derived from names: a row created again after a lost answer meets itself, so everything here may
break off between any two requests and be started again. Source: reference/dataverse.md §4, §5.2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid5

from receiver.dataverse.client import DataverseClient
from receiver.dataverse.web_api import dumps
from receiver.errors import (
    DataverseError,
    DataverseUnreachableError,
    GateClosedError,
    ReceiverError,
    SetUpError,
    ThrottledError,
)

T = TypeVar("T")

_NAMES = UUID("7ec31ae2-0000-4000-8000-000000000001")
NOT_FOUND = 404
DUPLICATE_ID = "0x80040237"
#: columns that are the state of a row, which is switched by a request of its own
STATE, ENABLED, DISABLED = "statecode", {"statecode": 0, "statuscode": 1}, {"statecode": 1, "statuscode": 2}
#: a request that waiting helps is sent so often, and no pause is longer (seconds)
ATTEMPTS, LONGEST_PAUSE, USUAL_PAUSE = 5, 60.0, 1.0


def derived_id(*names: str) -> str:
    """The same names give the same id in every environment and on every machine."""
    return str(uuid5(_NAMES, "/".join(names)))


def quoted(text: str) -> str:
    """A text as an OData filter takes it."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Wanted:
    """A row as it is to be."""

    entity_set: str
    primary_id: str
    #: derived from names
    id: str
    #: such as "step for account/Update"
    words: str
    #: an OData filter that finds it even if somebody made it by hand
    lookup: str
    #: read name -> value, as GET gives it: lookups are `_x_value`
    columns: Mapping[str, Any]
    #: as POST and PATCH take it: lookups are `x@odata.bind`
    body: Mapping[str, Any]
    #: sent and never read back, such as authvalue: it cannot be compared
    write_only: Mapping[str, Any] = field(default_factory=dict)
    #: read name -> its name in `body` where that is another
    written_as: Mapping[str, str] = field(default_factory=dict)
    #: read names of comma-separated lists, whose order means nothing
    lists: frozenset[str] = frozenset()
    #: read names that Dataverse lets nobody change: the row is replaced where one differs
    fixed: frozenset[str] = frozenset()
    is_in_solution: bool = True


@dataclass(frozen=True)
class Found:
    """A row as it is. Its id is another than the wanted one where somebody made it by hand."""

    id: str
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Create:
    wanted: Wanted

    @property
    def words(self) -> str:
        return f"Create {self.wanted.words}."


@dataclass(frozen=True)
class Change:
    """`differences` are {read name: (before, after)}; a write-only column has no before."""

    wanted: Wanted
    id: str
    differences: Mapping[str, tuple[Any, Any]]

    @property
    def words(self) -> str:
        told = "; ".join(_told(self.wanted, name, *values) for name, values in self.differences.items())
        return f"Change {self.wanted.words}: {told}."

    @property
    def body(self) -> dict[str, Any]:
        given = {**self.wanted.body, **self.wanted.write_only}
        names = (self.wanted.written_as.get(name, name) for name in self.differences)
        return {name: given.get(name) for name in names}


@dataclass(frozen=True)
class _OnRow:
    """What is done to a row that is there; *what* says which, in words."""

    entity_set: str
    id: str
    what: str
    verb: ClassVar[str]

    @property
    def words(self) -> str:
        return f"{self.verb} {self.what}."


class Delete(_OnRow):
    verb = "Delete"


class SwitchOff(_OnRow):
    verb = "Switch off"


class SwitchOn(_OnRow):
    verb = "Switch on"


Action = Create | Change | Delete | SwitchOff | SwitchOn


def read(client: DataverseClient, wanted: Wanted, more: Iterable[str] = ()) -> Found | None:
    """The row under its own id, else one that its lookup finds; with the columns *more* too.

    Raises: what Dataverse raises.
    """
    names = ",".join(sorted({wanted.primary_id, *wanted.columns, *more}))
    filter_ = f"{wanted.primary_id} eq {wanted.id} or ({wanted.lookup})"
    found = patiently(lambda: list(client.rows(wanted.entity_set, {"$select": names, "$filter": filter_})))
    return among([Found(str(row[wanted.primary_id]).lower(), row) for row in found], wanted)


def among(found: Sequence[Found], wanted: Wanted) -> Found | None:
    """The one with the derived id before any that somebody made by hand."""
    own = [one for one in found if one.id == wanted.id]
    return next(iter([*own, *sorted(found, key=lambda one: one.id)]), None)


def plan(found: Found | None, wanted: Wanted, *, writes_secrets: bool = False) -> list[Action]:
    """What makes the row what it is to be; nothing where it is. With *writes_secrets* write-only columns are sent."""
    if found is None:
        return [Create(wanted)]
    compared = {name: (found.columns.get(name), after) for name, after in wanted.columns.items()}
    differences = {name: pair for name, pair in compared.items() if not _is_same(wanted, name, *pair)}
    if wanted.fixed & differences.keys():
        return [Delete(wanted.entity_set, found.id, wanted.words), Create(wanted)]
    actions: list[Action] = []
    is_off = differences.pop(STATE, None) is not None
    if writes_secrets:
        differences |= dict.fromkeys(wanted.write_only, (None, None))
    if differences:
        actions.append(Change(wanted, found.id, differences))
    if is_off:
        actions.append(SwitchOn(wanted.entity_set, found.id, wanted.words))
    return actions


def carry_out(
    client: DataverseClient,
    actions: Iterable[Action],
    solution: str = "",
    done: Callable[[Action], None] = lambda _: None,
) -> None:
    """Do the actions in their order, one request each; what is created goes into the unmanaged *solution*.

    Each may have been done before: a row that exists already under its derived id is that row, one that is gone was
    deleted. `done` is told of each. Raises: what Dataverse raises, after it was asked again where waiting helps.
    """
    for action in actions:
        patiently(partial(_send, client, action, solution))
        done(action)


def patiently(call: Callable[[], T]) -> T:
    """The call's answer; while Dataverse asks for a pause, or cannot be reached, it is made again some times."""
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except (DataverseError, DataverseUnreachableError, GateClosedError) as error:
            if not error.waiting_helps or isinstance(error, SetUpError):
                raise
            pause = _pause_of(error)
            if pause > LONGEST_PAUSE:
                raise
            time.sleep(pause)
    return call()


def _pause_of(error: ReceiverError) -> float:
    if isinstance(error, GateClosedError):
        return LONGEST_PAUSE + 1 if error.is_set_up else error.seconds
    return error.retry_after if isinstance(error, ThrottledError) else USUAL_PAUSE


def _send(client: DataverseClient, action: Action, solution: str) -> None:
    match action:
        case Create(wanted):
            _create(client, wanted, solution)
        case Change(wanted, id_):
            _patch(client, wanted.entity_set, id_, action.body)
        case Delete(entity_set, id_):
            _delete(client, entity_set, id_)
        case SwitchOff(entity_set, id_):
            _patch(client, entity_set, id_, DISABLED)
        case SwitchOn(entity_set, id_):
            _patch(client, entity_set, id_, ENABLED)


def _create(client: DataverseClient, wanted: Wanted, solution: str) -> None:
    headers = {"MSCRM.SolutionUniqueName": solution} if solution and wanted.is_in_solution else {}
    body = {**wanted.body, **wanted.write_only}
    own = {wanted.primary_id: wanted.id, **body}
    try:
        client.call("POST", wanted.entity_set, headers=headers, body=dumps(own))
    except DataverseError as error:
        if error.code != DUPLICATE_ID:
            raise
        # The answer of an earlier attempt was lost; or somebody moved the row to where no lookup finds it.
        unchangeable = {wanted.written_as.get(name, name) for name in wanted.fixed}
        again = {name: value for name, value in body.items() if name not in unchangeable}
        _patch(client, wanted.entity_set, wanted.id, again)


def _patch(client: DataverseClient, entity_set: str, id_: str, body: Mapping[str, Any]) -> None:
    """PATCH is upsert: without the condition a row deleted meanwhile would be made anew, half."""
    client.call("PATCH", f"{entity_set}({id_})", headers={"If-Match": "*"}, body=dumps(body))


def _delete(client: DataverseClient, entity_set: str, id_: str) -> None:
    try:
        client.call("DELETE", f"{entity_set}({id_})")
    except DataverseError as error:
        if error.status != NOT_FOUND:
            raise


def _is_same(wanted: Wanted, name: str, before: Any, after: Any) -> bool:
    if name in wanted.lists:
        return names_in(before) == names_in(after)
    if isinstance(before, str) and name.endswith("_value"):
        return before.lower() == str(after)
    if isinstance(after, str):
        return str(before or "") == after
    is_same: bool = before == after
    return is_same


def names_in(listed: Any) -> frozenset[str]:
    """The names of a comma-separated list; empty for none."""
    return frozenset(name.strip() for name in str(listed or "").split(",") if name.strip())


def _told(wanted: Wanted, name: str, before: Any, after: Any) -> str:
    if name in wanted.write_only:
        return f"{name} is written"
    if name not in wanted.lists:
        return f"{name} {_said(before)} → {_said(after)}"
    now, then = names_in(before), names_in(after)
    added = [f"+{one}" for one in sorted(then - now)]
    return f"{name} {' '.join([*added, *(f'-{one}' for one in sorted(now - then))])}"


def _said(value: Any) -> str:
    return "nothing" if value is None or value == "" else str(value)
