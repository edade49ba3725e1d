"""The command *Business Central* in Dataverse: install, check, remove. What its rows are: receiver/button."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from receiver.button import rows
from receiver.button.publishing import publish
from receiver.button.script import NAME
from receiver.dataverse.client import DataverseClient
from receiver.errors import RefusedError
from receiver.registration.drift import Drift
from receiver.registration.rows import Action, Change, Create, Delete, carry_out, patiently, plan, quoted, read
from receiver.registration.solution import SOLUTION, plan_solution
from receiver.services import Services

INSTALL = "receiver button install"
_MAY_HAVE_STEPS = frozenset({1, 2})


@dataclass(frozen=True)
class ButtonResult:
    """What was done, or would be done, in words and in order; then these tables were published."""

    actions: tuple[str, ...]
    published: tuple[str, ...]
    is_preview: bool

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"is_preview": self.is_preview, "actions": self.actions, "published": self.published}


@dataclass(frozen=True)
class _Plan:
    actions: list[Action]
    tables: tuple[str, ...]
    resource_id: str


def install(
    services: Services, public_url: str, *, with_custom_api: bool = False, is_preview: bool = False
) -> ButtonResult:
    """The button on the forms of every table with an enabled mapping, and on no other; again it changes nothing.

    It is published each time: an earlier attempt may have ended just before. Raises: RefusedError for an address that
    no browser would reach, and for a Custom API that nobody may register steps on; what Dataverse raises.
    """
    client = services.dataverse
    planned = _planned(services, public_url)
    if with_custom_api:
        planned.actions.extend(_plan_custom_api(client, services.options.ribbon_message))
    if not is_preview:
        carry_out(client, planned.actions, SOLUTION)
        publish(client, planned.tables, [planned.resource_id])
    return _result(planned.actions, planned.tables, is_preview=is_preview)


def check(services: Services, public_url: str) -> list[Drift]:
    """What differs from what `install` would leave. Raises: as `install`."""
    return [Drift(_differs(action), INSTALL) for action in _planned(services, public_url).actions]


def remove(services: Services, *, with_custom_api: bool = False, is_preview: bool = False) -> ButtonResult:
    """Take away every command of ours, then the script. Raises: what Dataverse raises."""
    client = services.dataverse
    commands = _commands(client)
    actions: list[Action] = [Delete("appactions", id_, f"command on {table}") for id_, table in commands.items()]
    actions += _deletes(client, "webresourceset", "webresourceid", f"name eq {quoted(NAME)}", f"web resource {NAME}")
    if with_custom_api:
        actions += _without_custom_api(client, services.options.ribbon_message)
    tables = tuple(sorted({*_existing(client, _mapped(services)[1]), *commands.values()} - {""}))
    if not is_preview:
        carry_out(client, actions)
        publish(client, tables, [])
    return _result(actions, tables, is_preview=is_preview)


def mapped_tables(services: Services) -> list[str]:
    """The Dataverse tables with an enabled mapping."""
    return _mapped(services)[0]


def metadata(client: DataverseClient, tables: Iterable[str], *members: str) -> dict[str, dict[str, Any]]:
    """These members of those of the tables that exist, by table. Raises: what Dataverse raises."""
    wanted = " or ".join(f"LogicalName eq {quoted(table)}" for table in sorted(tables))
    params = {"$select": ",".join(("LogicalName", *members)), "$filter": wanted}
    found = patiently(lambda: list(client.rows("EntityDefinitions", params))) if wanted else []
    return {str(one["LogicalName"]): one for one in found}


def _mapped(services: Services) -> tuple[list[str], list[str]]:
    """The tables with an enabled mapping, and those with any."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection).values()
    enabled = {one.dataverse_table for one in mappings if one.is_enabled}
    return sorted(enabled), sorted({one.dataverse_table for one in mappings})


def _existing(client: DataverseClient, tables: Iterable[str]) -> dict[str, str]:
    """The MetadataId of those tables that exist."""
    found = metadata(client, tables, "MetadataId")
    return {table: str(one["MetadataId"]).lower() for table, one in found.items()}


def _planned(services: Services, public_url: str) -> _Plan:
    client, (enabled, mapped) = services.dataverse, _mapped(services)
    script = rows.web_resource(public_url)
    existing = _existing(client, mapped)
    for table in enabled:
        if table not in existing:
            raise RefusedError(f"Dataverse has no table {table}. Switch its mapping off, or name its table right.")
    found = read(client, script)
    resource_id = found.id if found else script.id
    actions = [*plan_solution(client), *plan(found, script)]
    kept = set[str]()
    for table in enabled:
        command = rows.command(table, existing[table], resource_id)
        known = read(client, command)
        kept |= {known.id} if known else set()
        actions += plan(known, command)
    left = {id_: table for id_, table in _commands(client).items() if id_ not in kept}
    actions += [Delete("appactions", id_, f"command on {table}") for id_, table in left.items()]
    # a table whose mapping was switched off is published too: an earlier attempt may have deleted its command already
    return _Plan(actions, tuple(sorted({*existing, *left.values()} - {""})), resource_id)


def _commands(client: DataverseClient) -> dict[str, str]:
    """Every command of ours: its table by its id."""
    params = {
        "$select": "appactionid,contextvalue",
        "$filter": f"startswith(uniquename,{quoted(rows.COMMAND_PREFIX)})",
    }
    found = patiently(lambda: list(client.rows("appactions", params)))
    tables = {str(one["appactionid"]).lower(): str(one["contextvalue"] or "") for one in found}
    return dict(sorted(tables.items()))


def _plan_custom_api(client: DataverseClient, name: str) -> list[Action]:
    """Raises: RefusedError when it is there and no step can be registered on it, which nobody can change any more."""
    wanted = rows.custom_api(name)
    found = read(client, wanted)
    if found and found.columns["allowedcustomprocessingsteptype"] not in _MAY_HAVE_STEPS:
        raise RefusedError(
            f"The Custom API {name} is there, and no step may be registered on it; Dataverse lets nobody change that. "
            "Delete it in Dataverse, then install again."
        )
    compared = replace(wanted, columns={"displayname": rows.LABEL})
    actions = plan(found, compared)
    for parameter in rows.custom_api_parameters(name, found.id if found else wanted.id):
        actions += plan(read(client, parameter) if found else None, parameter)
    return actions


def _without_custom_api(client: DataverseClient, name: str) -> list[Action]:
    found = read(client, rows.custom_api(name))
    if found is None:
        return []
    of_it = f"_customapiid_value eq {found.id}"
    key = "customapirequestparameterid"
    parameters = _deletes(client, "customapirequestparameters", key, of_it, f"parameter of {name}")
    return [*parameters, Delete("customapis", found.id, f"Custom API {name}")]


def _deletes(client: DataverseClient, entity_set: str, key: str, filter_: str, what: str) -> list[Action]:
    found = patiently(lambda: list(client.rows(entity_set, {"$select": key, "$filter": filter_})))
    return [Delete(entity_set, id_, what) for id_ in sorted(str(one[key]) for one in found)]


def _result(actions: Iterable[Action], tables: tuple[str, ...], *, is_preview: bool) -> ButtonResult:
    return ButtonResult(tuple(_readable(action).words for action in actions), tables, is_preview)


def _readable(action: Action) -> Action:
    """A script's text is not told, only that it differs."""
    if isinstance(action, Change) and "content" in action.differences:
        told = {**action.differences, "content": ("another script or address", "today's")}
        return replace(action, differences=told)
    return action


def _differs(action: Action) -> str:
    if isinstance(action, Create):
        return f"The {action.wanted.words} is missing."
    if isinstance(action, Delete):
        return f"The {action.what} is there, and no enabled mapping wants it."
    return f"Not as installed: {_readable(action).words.removeprefix('Change ')}"
