"""What is registered in Dataverse today: our endpoint, every step on it, and their images, in three requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from receiver.dataverse.client import DataverseClient
from receiver.errors import RefusedError
from receiver.registration.rows import Found, patiently, quoted, read
from receiver.registration.steps import (
    ALIASES,
    IMAGE_ID,
    IMAGES,
    NO_TABLE,
    OURS,
    STEP_ID,
    STEPS,
    MessageIds,
    Place,
    endpoint,
    step_id,
)

#: ids in one filter
TOGETHER = 20
_STEP_COLUMNS = (
    STEP_ID, "name", "description", "mode", "stage", "rank", "supporteddeployment", "asyncautodelete",
    "filteringattributes", "statecode", "modifiedon", "_sdkmessageid_value", "_sdkmessagefilterid_value",
    "_eventhandler_value",
)  # fmt: skip
_IMAGE_COLUMNS = (IMAGE_ID, "entityalias", "imagetype", "messagepropertyname", "attributes", f"_{STEP_ID}_value")
_BEHIND = "sdkmessageid($select=name),sdkmessagefilterid($select=primaryobjecttypecode)"


@dataclass(frozen=True)
class FoundStep:
    """A step on our endpoint, and the images of ours that it has."""

    found: Found
    table: str
    message: str
    images: tuple[Found, ...] = ()

    @property
    def name(self) -> str:
        return str(self.found.columns.get("name") or "") or f"{self.message} of {self.table}"

    def is_ours(self, place: Place) -> bool:
        """Made by us, or by hand and taken over by us."""
        is_derived = self.found.id == step_id(place, self.table, self.message)
        return is_derived or self.found.columns.get("description") == OURS


@dataclass(frozen=True)
class Registered:
    endpoint: Found | None
    steps: tuple[FoundStep, ...] = ()

    @property
    def has_key(self) -> bool:
        return self.endpoint is not None and bool(self.endpoint.columns.get("isauthvalueset"))

    def of(self, place: Place, table: str, message: str) -> FoundStep | None:
        """The step for this: our own before one that somebody made by hand."""
        own = step_id(place, table, message)
        fitting = [one for one in self.steps if (one.table, one.message) == (table, message) or one.found.id == own]
        return min(fitting, key=lambda one: (one.found.id != own, not one.is_ours(place), one.found.id), default=None)


def registered(client: DataverseClient, place: Place) -> Registered:
    """Raises: what Dataverse raises."""
    found = read(client, endpoint(place), more=("isauthvalueset", "modifiedon"))
    if found is None:
        return Registered(None)
    asked = {"$select": ",".join(_STEP_COLUMNS), "$filter": f"_eventhandler_value eq {found.id}", "$expand": _BEHIND}
    rows = _all(client, STEPS, asked)
    images = _images(client, [str(row[STEP_ID]) for row in rows])
    return Registered(found, tuple(_step(row, images) for row in rows))


def _step(row: Mapping[str, Any], images: Mapping[str, list[Found]]) -> FoundStep:
    filtered, id_ = row.get("sdkmessagefilterid") or {}, str(row[STEP_ID]).lower()
    table = str(filtered.get("primaryobjecttypecode") or NO_TABLE)
    message = str((row.get("sdkmessageid") or {}).get("name") or "")
    return FoundStep(Found(id_, row), table, message, tuple(images.get(id_, ())))


def _images(client: DataverseClient, step_ids: Sequence[str]) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    for some in _some(step_ids):
        filter_ = " or ".join(f"_{STEP_ID}_value eq {id_}" for id_ in some)
        for row in _all(client, IMAGES, {"$select": ",".join(_IMAGE_COLUMNS), "$filter": filter_}):
            if str(row.get("entityalias") or "").startswith(ALIASES):
                image = Found(str(row[IMAGE_ID]).lower(), row)
                found.setdefault(str(row[f"_{STEP_ID}_value"]).lower(), []).append(image)
    return found


def message_ids(
    client: DataverseClient, wanted: Iterable[tuple[str, str]], optional: Collection[str] = ()
) -> dict[tuple[str, str], MessageIds]:
    """By (table, message): where a step is registered. Ids are looked up, although those of Microsoft's are known.

    What is *optional* and not in the environment is left out.

    Raises: RefusedError naming a message that takes no steps; what Dataverse raises.
    """
    pairs = sorted(set(wanted))
    messages = sorted({message for _, message in pairs})
    named = " or ".join(f"name eq {quoted(name)}" for name in messages)
    asked = {"$select": "sdkmessageid,name", "$filter": named}
    known = {str(row["name"]): str(row["sdkmessageid"]).lower() for row in _all(client, "sdkmessages", asked)}
    filters = _filters(client, [table for table, _ in pairs if table != NO_TABLE], messages)
    found: dict[tuple[str, str], MessageIds] = {}
    for table, message in pairs:
        is_missing = message not in known or (table != NO_TABLE and (table, message) not in filters)
        if is_missing and message in optional:
            continue
        if is_missing:
            raise RefusedError(
                f"Dataverse lets nobody register a step for {table}/{message}: switch the mappings of {table} off, "
                "or ask the environment's administrator."
            )
        found[table, message] = MessageIds(known[message], filters.get((table, message)))
    return found


def _filters(client: DataverseClient, tables: Iterable[str], messages: Sequence[str]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    named = " or ".join(f"sdkmessageid/name eq {quoted(message)}" for message in messages)
    for table in sorted(set(tables)):
        asked = {
            "$select": "sdkmessagefilterid,iscustomprocessingstepallowed",
            "$filter": f"primaryobjecttypecode eq {quoted(table)} and ({named})",
            "$expand": "sdkmessageid($select=name)",
        }
        for row in _all(client, "sdkmessagefilters", asked):
            if row.get("iscustomprocessingstepallowed") is not False:
                found[table, str(row["sdkmessageid"]["name"])] = str(row["sdkmessagefilterid"]).lower()
    return found


def custom_api_takes_steps(client: DataverseClient, name: str) -> bool | None:
    """Whether the environment's Custom API lets steps be registered; None where there is none of that name."""
    asked = {"$select": "allowedcustomprocessingsteptype", "$filter": f"uniquename eq {quoted(name)}"}
    found = next(iter(_all(client, "customapis", asked)), None)
    return None if found is None else bool(found["allowedcustomprocessingsteptype"])


def _all(client: DataverseClient, entity_set: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    return patiently(lambda: list(client.rows(entity_set, asked)))


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), TOGETHER):
        yield ids[start : start + TOGETHER]
