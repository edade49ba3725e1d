"""Register our service endpoint, steps and images in Dataverse, as the mappings of today want them; or remove them.

Both may break off anywhere and be started again. Source: reference/dataverse.md §4.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from receiver.commands.connection.endpoint_place import doubt, place_of
from receiver.commands.connection.steps import OPTIONAL_MESSAGES, steps_to_register
from receiver.commands.synchronizing import run_mapping as run
from receiver.core.mapping import Direction
from receiver.core.message import image_alias
from receiver.errors import RefusedError
from receiver.inbox import webhook_keys
from receiver.registration.planning import plan_steps
from receiver.registration.registered import Registered, custom_api_takes_steps, message_ids, registered
from receiver.registration.rows import Action, Delete, Wanted, carry_out, plan
from receiver.registration.solution import SOLUTION, plan_solution
from receiver.registration.steps import ENDPOINTS, STEPS, Place, endpoint
from receiver.runs.schedule import REGISTRATION
from receiver.services import Services, image_columns
from receiver.store import door_refusals, registrations, schedules, tracking
from receiver.store import webhook_keys as stored_keys
from receiver.store.mappings import Mappings, record_change

#: an endpoint's column authvalue holds no more
LONGEST_AUTHVALUE = 2048
KEY_BYTES = 32
#: beyond the time after which every server knows a key (seconds)
MARGIN_SECONDS = 1.0


@dataclass(frozen=True)
class Registration:
    """What was done, or as a preview would be; `catch_up` are mappings that a run must bring up to date afterwards."""

    actions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    catch_up: tuple[str, ...] = ()
    is_preview: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def register(
    services: Services,
    who: str,
    *,
    is_preview: bool = False,
    takes_over: bool = False,
    done: Callable[[Action], None] = lambda _: None,
) -> Registration:
    """Make Dataverse's registration what is wanted; nothing is written where it is. `done` is told of each action.

    What another installation has registered is replaced only where a person *takes_over*.

    Raises: RefusedError; what Dataverse and the database raise, then start it again: it goes on.
    """
    place = place_of(services)
    described, notes = wanted_steps(services)
    now = registered(services.dataverse, place)
    others = _of_another_installation(services, place, now)
    if others and not (is_preview or takes_over):
        raise RefusedError(f"{others} Nothing was changed. To take it over: receiver steps register --take-over")
    of_endpoint, key = _plan_endpoint(services, place, now, is_preview=is_preview)
    endpoint_id = now.endpoint.id if now.endpoint else endpoint(place).id
    ids = message_ids(services.dataverse, [_named(one) for one in described])
    steps = plan_steps(place, now, endpoint_id, described, ids)
    actions: list[Action] = [*plan_solution(services.dataverse), *of_endpoint, *steps.actions]
    unheard = {one["table"] for one in described if one["filtering_attributes"]} & steps.unheard
    if not is_preview:
        _carry_out(services, who, actions, unheard, key, done)
    notes = [*notes, *filter(None, [doubt(place), "" if takes_over else others])]
    due = _mappings_of(services, unheard) if is_preview else due_for_catch_up(services)
    return Registration(tuple(one.words for one in actions), tuple(notes), tuple(due), is_preview)


def _carry_out(
    services: Services,
    who: str,
    actions: Sequence[Action],
    unheard: set[str],
    key: str,
    done: Callable[[Action], None],
) -> None:
    with services.database.writing() as connection:
        registrations.begin(connection, unheard, services.clock())
    carry_out(services.dataverse, actions, SOLUTION, done)
    with services.database.writing() as connection:
        aliases = aliases_today(services.mappings(connection))
        registrations.finish(connection, aliases, unheard, services.clock())
        schedules.plan(connection, REGISTRATION, "", services.clock())  # what the last check found is out of date
        if unheard:
            schedules.hasten(connection, services.clock(), "steps were registered", schedules.LOOKS)
        if key:
            stored_keys.note_registered(connection, webhook_keys.fingerprint(key), services.clock())
        if actions:
            words = " ".join(one.words for one in actions)
            record_change(connection, who, "steps registered", ("", words), services.clock())


def wanted_steps(services: Services) -> tuple[list[dict[str, Any]], list[str]]:
    """The steps to register, as far as the environment takes them; why it takes none of the button, if so.

    Raises: what Dataverse and the database raise.
    """
    *all_of_tables, of_button = steps_to_register(services)
    optional = [_named(one) for one in all_of_tables if one["message"] in OPTIONAL_MESSAGES]
    lacking = set(optional) - message_ids(services.dataverse, optional, OPTIONAL_MESSAGES).keys()
    of_tables = [one for one in all_of_tables if _named(one) not in lacking]
    name = of_button["message"]
    takes = custom_api_takes_steps(services.dataverse, name)
    if takes:
        return [*of_tables, of_button], []
    why = "lets no step be registered" if takes is False else "does not exist in the environment"
    return of_tables, [f"The Custom API {name} {why}: the button gets no step. Opening by address needs none."]


def _named(described: Mapping[str, Any]) -> tuple[str, str]:
    return described["table"], described["message"]


def aliases_today(mappings: Mappings) -> dict[str, str]:
    """By Dataverse table: the alias of the post image that the enabled mappings want."""
    tables = {one.dataverse_table for one in mappings.values() if one.is_enabled}
    return {table: image_alias("post", image_columns(mappings, table)) for table in sorted(tables)}


def outdated_tables(services: Services) -> list[str]:
    """Tables whose images, as registered last, lack a column of today or have more: their rows are read.

    It asks the database alone; empty where nothing was registered from here. Raises: StoreUnavailableError.
    """
    with services.database.reading() as connection:
        known = registrations.tables(connection)
        today = aliases_today(services.mappings(connection))
    return [table for table, alias in today.items() if known and (table not in known or known[table].alias != alias)]


# -- changes that went by untold ---------------------------------------------------------------------------------


def due_for_catch_up(services: Services) -> list[str]:
    """Mappings whose steps were off, lacking or new, and which neither catch-up nor a run has brought up to date."""
    with services.database.reading() as connection:
        read = {name: one.read_at for name, one in tracking.tables(connection).items() if one.read_at is not None}
        unheard = [
            one
            for one in registrations.tables(connection).values()
            if one.unheard_since is not None and read.get(one.table_name, one.unheard_since) < one.registered_at
        ]
        mappings = services.mappings(connection)
        return [
            name
            for table in unheard
            for name in _reading(mappings, table.table_name)
            if not registrations.has_run_since(connection, name, table.registered_at)
        ]


def catch_up(services: Services, who: str) -> list[int]:
    """Start a run toward the company's database for each mapping that is due; the tasks' numbers.

    Raises: RefusedError while one of them is being run already.
    """
    return [run.start(services, name, who, Direction.FROM) for name in due_for_catch_up(services)]


def _mappings_of(services: Services, tables: set[str]) -> list[str]:
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
    return [name for table in sorted(tables) for name in _reading(mappings, table)]


def _reading(mappings: Mappings, table: str) -> list[str]:
    served = (one for one in mappings.values() if one.dataverse_table == table and one.is_enabled)
    return [one.name for one in served if one.direction.allows(Direction.FROM)]


# -- the endpoint and its key ------------------------------------------------------------------------------------


def _plan_endpoint(services: Services, place: Place, now: Registered, *, is_preview: bool) -> tuple[list[Action], str]:
    """What is to be done about the endpoint, and the key that it is given; empty where it keeps its own."""
    with services.database.reading() as connection:
        is_doubtful = door_refusals.key_since(connection, services.clock()) is not None
    if now.has_key and not is_doubtful and registered_key(services) in webhook_keys.valid(services):
        return plan(now.endpoint, endpoint(place)), ""
    key = _key_of_setting(services)
    if not key and not is_preview:
        key = make_key(services)
    wanted = endpoint(place, key or "made when it is carried out")
    refuse_long(wanted)
    return plan(now.endpoint, wanted, writes_secrets=True), key


def _of_another_installation(services: Services, place: Place, now: Registered) -> str:
    """A sentence where the endpoint sends elsewhere, and never was registered from here; else empty."""
    if now.endpoint is None or registered_key(services):
        return ""
    url = str(now.endpoint.columns.get("url") or "")
    if url == place.url:
        return ""
    return (
        f"The service endpoint {place.name} sends to {url}: another installation has registered it, and would hear "
        "nothing any more. Two companies in one environment have an endpoint each, by RECEIVER_COMPANY_ID."
    )


def registered_key(services: Services) -> str:
    """The fingerprint of the key that the endpoint was given last; empty where none was from here."""
    with services.database.reading() as connection:
        given = [one for one in stored_keys.load(connection).values() if one.registered_at is not None]
    return max(given, key=lambda one: str(one.registered_at)).fingerprint if given else ""


def _key_of_setting(services: Services) -> str:
    valid = webhook_keys.valid(services)
    return next((key for key in services.options.webhook_keys if webhook_keys.fingerprint(key) in valid), "")


def make_key(services: Services, wait: Callable[[float], None] = time.sleep) -> str:
    """A new key, kept as its hash alone. It comes back once every server knows it: a notification refused is lost."""
    key = secrets.token_urlsafe(KEY_BYTES)
    with services.database.writing() as connection:
        stored_keys.add(connection, webhook_keys.fingerprint(key), services.clock())
    wait(webhook_keys.READ_EVERY_SECONDS + MARGIN_SECONDS)
    return key


def refuse_long(wanted: Wanted) -> None:
    """Raises: RefusedError for a key that is too long for Dataverse."""
    if len(str(wanted.write_only["authvalue"])) > LONGEST_AUTHVALUE:
        raise RefusedError(f"The key is too long: with its header, Dataverse holds {LONGEST_AUTHVALUE} characters.")


# -- removing ----------------------------------------------------------------------------------------------------


def plan_removal(services: Services) -> list[Action]:
    """Steps first, then the endpoint. Raises: RefusedError naming a step that is not ours; what Dataverse raises."""
    place = place_of(services)
    now = registered(services.dataverse, place)
    if now.endpoint is None:
        return []
    if foreign := [one.name for one in now.steps if not one.is_ours(place)]:
        raise RefusedError(
            f"There are steps on the service endpoint {place.name} that are not ours: {', '.join(foreign)}. "
            "Nothing was removed. Remove them in Dataverse, or move them to an endpoint of their own."
        )
    steps = [Delete(STEPS, one.found.id, f"step for {one.table}/{one.message}") for one in now.steps]
    return [*steps, Delete(ENDPOINTS, now.endpoint.id, f"service endpoint {place.name}")]


def remove(services: Services, who: str, done: Callable[[Action], None] = lambda _: None) -> list[str]:
    """Remove what is ours, its images with the steps; what was done. Raises: as `plan_removal`."""
    actions = plan_removal(services)
    carry_out(services.dataverse, actions, done=done)
    words = [one.words for one in actions]
    with services.database.writing() as connection:
        registrations.forget(connection)
        if words:
            record_change(connection, who, "steps removed", (" ".join(words), ""), services.clock())
    return words
