"""The button's rows: web resource, a modern command for each table, and the Custom API behind the ribbon message.

Source: reference/dataverse.md §5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from receiver.button.script import DISPLAY_NAME, FUNCTION, NAME, content
from receiver.registration.rows import Wanted, derived_id, quoted

LABEL = "Business Central"
TOOLTIP = (
    "Opens this row in Business Central; a row that is not coupled yet is coupled first, where its mapping allows."
)
#: every command of ours begins so; the table's name follows
COMMAND_PREFIX = "rcv_business_central_"
JSCRIPT, FORM, OF_A_TABLE, RUNS_JAVASCRIPT = 3, 0, 1, 2
#: PrimaryControl: the form
PARAMETERS = '[{"type":5}]'
#: one that is drawn in every environment: with an unknown icon the client draws no button at all, and says nothing
ICON = "$clientsvg:Org"
#: a Custom API that steps may be registered on, asynchronous ones
ASYNC_ONLY = 1
_STRING, _GUID = 10, 12
_CONTEXT, _SCRIPT = "_contextentity_value", "_onclickeventjavascriptwebresourceid_value"


def command_name(table: str) -> str:
    return f"{COMMAND_PREFIX}{table}"


def web_resource(public_url: str) -> Wanted:
    """Raises: RefusedError for an address that no browser would reach."""
    columns = {"displayname": DISPLAY_NAME, "webresourcetype": JSCRIPT, "content": content(public_url)}
    return Wanted(
        entity_set="webresourceset",
        primary_id="webresourceid",
        id=derived_id("webresource", NAME),
        words=f"web resource {NAME}",
        lookup=f"name eq {quoted(NAME)}",
        columns=columns,
        body={"name": NAME, **columns},
    )


def command(table: str, metadata_id: str, resource_id: str) -> Wanted:
    """The button on a table's main forms, in every app. Where it stands among the others is the environment's."""
    columns: dict[str, Any] = {
        "name": f"{LABEL} ({table})",
        "type": 0,
        "location": FORM,
        "context": OF_A_TABLE,
        "contextvalue": table,
        "buttonlabeltext": LABEL,
        "buttontooltiptitle": LABEL,
        "buttontooltipdescription": TOOLTIP,
        "fonticon": ICON,
        "hidden": False,
        "isdisabled": False,
        "visibilitytype": 0,
        "onclickeventtype": RUNS_JAVASCRIPT,
        "onclickeventjavascriptfunctionname": FUNCTION,
        "onclickeventjavascriptparameters": PARAMETERS,
    }
    binds = {
        "ContextEntity@odata.bind": f"/entities({metadata_id})",
        "OnClickEventJavaScriptWebResourceId@odata.bind": f"/webresourceset({resource_id})",
    }
    return Wanted(
        entity_set="appactions",
        primary_id="appactionid",
        id=derived_id("appaction", table),
        words=f"command on {table}",
        lookup=f"uniquename eq {quoted(command_name(table))}",
        columns={**columns, _CONTEXT: metadata_id, _SCRIPT: resource_id},
        body={"uniquename": command_name(table), **columns, **binds},
        written_as=dict(zip((_CONTEXT, _SCRIPT), binds, strict=True)),
    )


def custom_api(name: str) -> Wanted:
    """An action without a plug-in: whoever calls it raises the message that our step hears."""
    body = {
        "uniquename": name,
        "name": name,
        "displayname": LABEL,
        "description": "A person wants this row's record in Business Central.",
        "bindingtype": 0,
        "isfunction": False,
        "isprivate": False,
        "allowedcustomprocessingsteptype": ASYNC_ONLY,
    }
    return Wanted(
        entity_set="customapis",
        primary_id="customapiid",
        id=derived_id("customapi", name),
        words=f"Custom API {name}",
        lookup=f"uniquename eq {quoted(name)}",
        columns={"displayname": LABEL, "allowedcustomprocessingsteptype": ASYNC_ONLY},
        body=body,
        fixed=frozenset({"allowedcustomprocessingsteptype"}),
    )


def custom_api_parameters(name: str, api_id: str) -> list[Wanted]:
    """`Table` and `Id`, as `handlers/ribbon.py` reads them."""
    return [_parameter(name, api_id, "Table", _STRING), _parameter(name, api_id, "Id", _GUID)]


def _parameter(api: str, api_id: str, name: str, type_: int) -> Wanted:
    body: Mapping[str, Any] = {
        "uniquename": name,
        "name": f"{api}.{name}",
        "displayname": name,
        "description": "The row's table." if name == "Table" else "The row's id.",
        "type": type_,
        "isoptional": False,
        "CustomAPIId@odata.bind": f"/customapis({api_id})",
    }
    return Wanted(
        entity_set="customapirequestparameters",
        primary_id="customapirequestparameterid",
        id=derived_id("customapirequestparameter", api, name),
        words=f"parameter {name} of {api}",
        lookup=f"uniquename eq {quoted(name)} and _customapiid_value eq {api_id}",
        columns={"displayname": name},
        body=body,
    )
