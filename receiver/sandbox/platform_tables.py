"""The platform's own tables: service endpoints, messages, steps, images, system jobs, and what a button needs.

Source: DP/reference/entities/{serviceendpoint,sdkmessage,sdkmessagefilter,sdkmessageprocessingstep,
sdkmessageprocessingstepimage,asyncoperation,appaction,webresource,customapi,customapirequestparameter,publisher,solution,
solutioncomponent}.md.
"""

from __future__ import annotations

from receiver.sandbox.table import (
    Column,
    Kind,
    StatusValue,
    Table,
    Target,
    audit,
    choice,
    decimal,
    flag,
    guid,
    integer,
    lookup,
    memo,
    moment,
    states,
    text,
    texts,
)

_REGARDING = ("account", "contact", "systemuser", "transactioncurrency", "product", "opportunity")
_ENABLED = [(1, 0, "Enabled"), (2, 1, "Disabled")]
#: of a system job: number, the number of its state, label
_JOB_STATUSES = [
    (0, 0, "Waiting For Resources"),
    (10, 1, "Waiting"),
    (20, 2, "In Progress"),
    (21, 2, "Pausing"),
    (22, 2, "Canceling"),
    (30, 3, "Succeeded"),
    (31, 3, "Failed"),
    (32, 3, "Canceled"),
]


def serviceendpoint() -> Table:
    contracts = ("One-way", "Queue", "REST", "Two-way", "Topic", "Queue (Persistent)", "Event Hub", "Webhook")
    authentications = ["ACS", "SAS Key", "SAS Token", "Webhook Key", "Http Header", "Http Query String"]
    columns = [
        guid("serviceendpointid", "cr"),
        text("name", 256),
        memo("description"),
        text("url", 2000),
        choice("contract", contracts),
        choice("authtype", authentications),
        # Dataverse never gives the key back; a reader that could see it would pass tests and fail in production.
        text("authvalue", 2048, "cu"),
        flag("isauthvalueset", access="r", default=False),
        choice("connectionmode", ("Normal", "Federated")),
        choice("messageformat", ("Binary XML", "Json", "Text XML")),
        choice("messagecharset", ("Default", "UTF-8"), first=0),
        choice("userclaim", ("None", "User Id", "User Info")),
        *audit(),
    ]
    return _platform("serviceendpoint", "serviceendpoints", 4618, columns)


def sdkmessage() -> Table:
    columns = [guid("sdkmessageid", "cr"), text("name", 256), flag("isprivate", default=False), *audit()]
    return _platform("sdkmessage", "sdkmessages", 4606, columns)


def sdkmessagefilter() -> Table:
    columns = [
        guid("sdkmessagefilterid", "cr"),
        text("name", 256),
        text("primaryobjecttypecode", 128),
        text("secondaryobjecttypecode", 128),
        flag("iscustomprocessingstepallowed", default=True),
        flag("isvisible", default=True),
        lookup("sdkmessageid", "sdkmessage"),
        *audit(),
    ]
    return _platform("sdkmessagefilter", "sdkmessagefilters", 4607, columns)


def sdkmessageprocessingstep() -> Table:
    pair, statuses = states("Enabled,Disabled", _ENABLED)
    columns = [
        guid("sdkmessageprocessingstepid", "cr"),
        text("name", 256),
        memo("description"),
        choice("mode", ("Synchronous", "Asynchronous"), first=0),
        integer("stage"),
        integer("rank", default=1),
        choice("supporteddeployment", ("Server Only", "Offline Only", "Both"), first=0),
        flag("asyncautodelete", default=False),
        memo("filteringattributes", 100_000),
        memo("configuration", 1_073_741_823),
        lookup("sdkmessageid", "sdkmessage"),
        lookup("sdkmessagefilterid", "sdkmessagefilter"),
        lookup("eventhandler", "serviceendpoint", "eventhandler_serviceendpoint"),
        lookup("impersonatinguserid", "systemuser"),
        *pair,
        *audit(),
    ]
    return _platform("sdkmessageprocessingstep", "sdkmessageprocessingsteps", 4608, columns, statuses)


def sdkmessageprocessingstepimage() -> Table:
    columns = [
        guid("sdkmessageprocessingstepimageid", "cr"),
        text("name", 256),
        text("entityalias", 256),
        choice("imagetype", ("PreImage", "PostImage", "Both"), first=0),
        text("messagepropertyname", 256),
        memo("attributes", 100_000),
        lookup("sdkmessageprocessingstepid", "sdkmessageprocessingstep"),
        *audit(),
    ]
    return _platform("sdkmessageprocessingstepimage", "sdkmessageprocessingstepimages", 4615, columns)


def asyncoperation() -> Table:
    pair, statuses = states("Ready,Suspended,Locked,Completed", _JOB_STATUSES)
    columns = [
        guid("asyncoperationid", "cr"),
        text("name", 256),
        text("messagename", 160),
        integer("operationtype"),
        memo("message", 1_073_741_823),
        memo("friendlymessage", 1_073_741_823),
        integer("errorcode"),
        integer("retrycount"),
        integer("depth"),
        integer("sequence"),
        moment("startedon"),
        moment("completedon"),
        moment("postponeuntil"),
        text("primaryentitytype", 128),
        guid("correlationid"),
        guid("requestid"),
        lookup("owningextensionid", "sdkmessageprocessingstep"),
        Column(
            "regardingobjectid",
            Kind.LOOKUP,
            targets=tuple(Target(table, f"regardingobjectid_{table}") for table in _REGARDING),
        ),
        *pair,
        *audit(),
    ]
    return _platform("asyncoperation", "asyncoperations", 4700, columns, statuses)


def webresource() -> Table:
    kinds = ("HTML", "CSS", "JScript", "XML", "PNG", "JPG", "GIF", "Silverlight", "XSL", "ICO", "SVG", "RESX")
    columns = [
        guid("webresourceid", "cr"),
        text("name", 256),
        text("displayname", 200),
        memo("description"),
        choice("webresourcetype", kinds),
        memo("content", 1_073_741_823),
        _component_state(),
        *audit(),
    ]
    return _platform("webresource", "webresourceset", 9333, columns)


def appaction() -> Table:
    locations = ("Form", "Main Grid", "Sub Grid", "Associated Grid", "Quick Form", "Global Header", "Dashboard")
    script = "onclickeventjavascriptwebresourceid"
    columns = [
        guid("appactionid", "cr"),
        *texts("name uniquename onclickeventjavascriptfunctionname fonticon", 300),
        *texts("buttonlabeltext buttontooltiptitle contextvalue", 200),
        memo("buttontooltipdescription"),
        memo("onclickeventjavascriptparameters", 10_000),
        choice("type", ("Standard Button", "Dropdown Button", "Split Button", "Group"), first=0),
        choice("location", locations, first=0),
        choice("context", ("All", "Entity"), first=0),
        choice("visibilitytype", ("None", "Formula", "Classic Rules"), first=0),
        choice("onclickeventtype", ("None", "Formula", "JavaScript"), first=0),
        decimal("sequence", 10),
        flag("hidden", default=False),
        flag("isdisabled", default=False),
        integer("origin", "cr", default=0),
        _component_state(),
        # Unlike a step's, these navigation properties are written in capitals.
        lookup(script, "webresource", "OnClickEventJavaScriptWebResourceId"),
        lookup("contextentity", "entity", "ContextEntity"),
        *audit(),
    ]
    return _platform("appaction", "appactions", 10343, columns)


def _component_state() -> Column:
    """Whether what was written was published since; the platform's own to set."""
    return choice("componentstate", ("Published", "Unpublished"), first=0, access="r")


def entity() -> Table:
    """One row for each table, so that a button can be bound to it by its MetadataId."""
    columns = [guid("entityid", "cr"), text("name", 64), text("logicalname", 64), *audit()]
    return _platform("entity", "entities", 9800, columns)


def customapi() -> Table:
    columns = [
        guid("customapiid", "cr"),
        *texts("uniquename name displayname boundentitylogicalname executeprivilegename", 128),
        memo("description"),
        choice("bindingtype", ("Global", "Entity", "EntityCollection"), first=0),
        choice("allowedcustomprocessingsteptype", ("None", "Async Only", "Sync and Async"), first=0),
        flag("isfunction", default=False),
        flag("isprivate", default=False),
        flag("workflowsdkstepenabled", default=False),
        *audit(),
    ]
    return _platform("customapi", "customapis", 10036, columns)


def customapirequestparameter() -> Table:
    kinds = "Boolean DateTime Decimal Entity EntityCollection EntityReference Float Integer Money Picklist String"
    columns = [
        guid("customapirequestparameterid", "cr"),
        *texts("uniquename name displayname logicalentityname", 128),
        memo("description"),
        choice("type", (*kinds.split(), "StringArray", "Guid"), first=0),
        flag("isoptional", default=False),
        lookup("customapiid", "customapi", "CustomAPIId"),
        *audit(),
    ]
    return _platform("customapirequestparameter", "customapirequestparameters", 10037, columns)


def publisher() -> Table:
    columns = [
        guid("publisherid", "cr"),
        *texts("uniquename friendlyname", 256),
        memo("description"),
        text("customizationprefix", 8),
        integer("customizationoptionvalueprefix"),
        flag("isreadonly", access="r", default=False),
        *audit(),
    ]
    return _platform("publisher", "publishers", 7101, columns, name_column="uniquename")


def solution() -> Table:
    columns = [
        guid("solutionid", "cr"),
        text("uniquename", 65),
        text("friendlyname", 256),
        memo("description"),
        text("version", 256),
        flag("ismanaged", access="r", default=False),
        lookup("publisherid", "publisher"),
        *audit(),
    ]
    return _platform("solution", "solutions", 7100, columns, name_column="uniquename")


def solutioncomponent() -> Table:
    """What is in a solution: written by the platform, for a create with the header MSCRM.SolutionUniqueName."""
    columns = [
        guid("solutioncomponentid", "r"),
        integer("componenttype", "r"),
        guid("objectid", "r"),
        lookup("solutionid", "solution", access="r"),
        *audit(),
    ]
    return _platform("solutioncomponent", "solutioncomponents", 7103, columns, name_column="solutioncomponentid")


def fieldsecurityprofile() -> Table:
    columns = [guid("fieldsecurityprofileid", "cr"), text("name", 100), memo("description"), *audit()]
    return _platform("fieldsecurityprofile", "fieldsecurityprofiles", 1200, columns)


def fieldpermission() -> Table:
    allowed = [(0, "Not Allowed"), (4, "Allowed")]
    unmasked = ((0, "Not Allowed"), (1, "One Record"), (3, "All Records"))
    columns = [
        guid("fieldpermissionid", "cr"),
        *texts("entityname attributelogicalname", 128),
        *(Column(name, Kind.CHOICE, options=tuple(allowed)) for name in ("canread", "cancreate", "canupdate")),
        Column("canreadunmasked", Kind.CHOICE, options=unmasked),
        lookup("fieldsecurityprofileid", "fieldsecurityprofile"),
        *audit(),
    ]
    return _platform("fieldpermission", "fieldpermissions", 1201, columns, name_column="attributelogicalname")


def attributemaskingrule() -> Table:
    columns = [
        guid("attributemaskingruleid", "cr"),
        text("name", 256),
        *texts("entityname attributelogicalname", 128),
        *audit(),
    ]
    return _platform("attributemaskingrule", "attributemaskingrules", 10091, columns)


def recyclebinconfig() -> Table:
    pair, statuses = states("Active,Inactive", [(1, 0, "Active"), (2, 1, "Inactive")])
    columns = [
        guid("recyclebinconfigid", "cr"),
        text("name", 128),
        integer("cleanupintervalindays"),
        flag("isreadyforrecyclebin", default=False),
        lookup("extensionofrecordid", "entity"),
        *pair,
        *audit(),
    ]
    return _platform("recyclebinconfig", "recyclebinconfigs", 10092, columns, statuses)


def _platform(
    name: str,
    set_name: str,
    code: int,
    columns: list[Column],
    statuses: list[StatusValue] | None = None,
    name_column: str = "name",
) -> Table:
    """A table that takes no part in change tracking and fires no steps of its own."""
    return Table(
        name,
        set_name,
        f"{name}id",
        name_column,
        tuple(columns),
        tuple(statuses or ()),
        code,
        tracks_changes=False,
        notifies=False,
    )


def platform_tables() -> list[Table]:
    return [
        serviceendpoint(),
        sdkmessage(),
        sdkmessagefilter(),
        sdkmessageprocessingstep(),
        sdkmessageprocessingstepimage(),
        asyncoperation(),
        webresource(),
        appaction(),
        entity(),
        customapi(),
        customapirequestparameter(),
        publisher(),
        solution(),
        solutioncomponent(),
        recyclebinconfig(),
        fieldsecurityprofile(),
        fieldpermission(),
        attributemaskingrule(),
    ]
