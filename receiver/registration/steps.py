"""Our service endpoint, steps and images as the rows that they are to be.

Source: reference/dataverse.md §4.1, §4.3, §4.4; a step is one of `commands.steps.steps_to_register`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from receiver.registration.rows import Wanted, derived_id, quoted

ENDPOINTS, STEPS, IMAGES = "serviceendpoints", "sdkmessageprocessingsteps", "sdkmessageprocessingstepimages"
STEP_ID, IMAGE_ID = "sdkmessageprocessingstepid", "sdkmessageprocessingstepimageid"
WEBHOOK, HTTP_HEADER, NORMAL, JSON, UTF_8, NO_USER = 8, 5, 1, 2, 1, 1
#: by this a step is known as ours, whoever made it
OURS = "Kept up by the receiver: receiver steps register."
#: aliases of ours; an image with another one is somebody else's, and none of our business
ALIASES = ("rcv_post_", "rcv_pre_")
IMAGE_TYPES = {"pre": 0, "post": 1}
NO_TABLE = "none"


@dataclass(frozen=True)
class Place:
    """Where Dataverse sends to: the endpoint's name, the door's address, and the header that carries the key."""

    name: str
    url: str
    header: str


@dataclass(frozen=True)
class MessageIds:
    """What a step is registered for: the message, and the message's filter of the table (none for a Custom API)."""

    message: str
    filter: str | None


def endpoint(place: Place, key: str = "") -> Wanted:
    """With a *key* it can be created, or given that key."""
    columns = {
        "name": place.name,
        "url": place.url,
        "contract": WEBHOOK,
        "authtype": HTTP_HEADER,
        "connectionmode": NORMAL,
        "messageformat": JSON,
        "messagecharset": UTF_8,
        "userclaim": NO_USER,
    }
    return Wanted(
        entity_set=ENDPOINTS,
        primary_id="serviceendpointid",
        id=derived_id("serviceendpoint", place.name),
        words=f"service endpoint {place.name}",
        lookup=f"name eq {quoted(place.name)} and contract eq {WEBHOOK}",
        columns=columns,
        body=columns,
        write_only={"authvalue": authvalue(place.header, key)} if key else {},
    )


def authvalue(header: str, key: str) -> str:
    """The header and its value, as an endpoint of authtype 5 takes them. Source: reference/dataverse.md §1.2."""
    return f"<settings><setting name={quoteattr(header)} value={quoteattr(key)} /></settings>"


def step(place: Place, endpoint_id: str, described: Mapping[str, Any], ids: MessageIds) -> Wanted:
    table, message = described["table"], described["message"]
    plain = {
        "description": OURS,
        "mode": described["mode"],
        "stage": described["stage"],
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "filteringattributes": ",".join(described["filtering_attributes"] or ()) or None,
    }
    bound = {"_sdkmessageid_value": ("sdkmessageid", "sdkmessages", ids.message)}
    if ids.filter is not None:
        bound["_sdkmessagefilterid_value"] = ("sdkmessagefilterid", "sdkmessagefilters", ids.filter)
    bound["_eventhandler_value"] = ("eventhandler_serviceendpoint", ENDPOINTS, endpoint_id)
    binds = {f"{navigation}@odata.bind": f"/{entity_set}({id_})" for navigation, entity_set, id_ in bound.values()}
    body = {"name": name_of(place, table, message), **{key: one for key, one in plain.items() if one is not None}}
    same_filter = f"_sdkmessagefilterid_value eq {ids.filter or 'null'}"
    return Wanted(
        entity_set=STEPS,
        primary_id=STEP_ID,
        id=step_id(place, table, message),
        words=f"step for {table}/{message}",
        lookup=f"_eventhandler_value eq {endpoint_id} and _sdkmessageid_value eq {ids.message} and {same_filter}",
        columns={**plain, **{name: id_ for name, (_, _, id_) in bound.items()}, "statecode": 0},
        body={**body, **binds},
        written_as={name: f"{navigation}@odata.bind" for name, (navigation, _, _) in bound.items()},
        lists=frozenset({"filteringattributes"}),
    )


def image(place: Place, owner: str, described: Mapping[str, Any]) -> Wanted | None:
    """The image of a step that has one; *owner* is the step's id."""
    given, table, message = described["image"], described["table"], described["message"]
    if given is None:
        return None
    columns = {
        "entityalias": given["alias"],
        "imagetype": IMAGE_TYPES[given["type"]],
        "messagepropertyname": given["message_property_name"],
        "attributes": ",".join(given["attributes"]),
    }
    owned = f"_{STEP_ID}_value"
    return Wanted(
        entity_set=IMAGES,
        primary_id=IMAGE_ID,
        id=derived_id("image", place.name, table, message, given["alias"]),
        words=f"image {given['alias']} of {table}/{message}",
        lookup=f"{owned} eq {owner} and entityalias eq {quoted(given['alias'])}",
        columns={**columns, owned: owner},
        body={"name": given["alias"], **columns, f"{STEP_ID}@odata.bind": f"/{STEPS}({owner})"},
        written_as={owned: f"{STEP_ID}@odata.bind"},
        lists=frozenset({"attributes"}),
        fixed=frozenset({"imagetype", "messagepropertyname", owned}),
    )


def step_id(place: Place, table: str, message: str) -> str:
    return derived_id("step", place.name, table, message)


def name_of(place: Place, table: str, message: str) -> str:
    """As Microsoft's registration tool names a step."""
    return f"{place.name}: {message}" + ("" if table == NO_TABLE else f" of {table}")
