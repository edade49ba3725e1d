"""Turns an event into the execution context that one step's notification carries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from receiver.sandbox.context import (
    NO_ID,
    Bag,
    Entity,
    EntityReference,
    ExecutionContext,
    KeyValuePair,
    WireDate,
)
from receiver.sandbox.events import Event, on_the_wire
from receiver.sandbox.formatting import NameOf, formatted
from receiver.sandbox.steps import POST_OPERATION, Step, StepImage
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table

SYSTEM_USER = "5e000000-0000-4000-8000-000000000001"
AUTOMATIC_IMAGE = "AsynchronousStepPrimaryName"
MAIN_OPERATION = 30
_PLATFORM_STEP = EntityReference(
    "31cabb1b-ea3e-db11-86a7-000a3a5473e8", "sdkmessageprocessingstep", "ObjectModel Implementation"
)
_WITH_POST_IMAGE = frozenset({"Create", "Update", "Merge", "Restore"})
_WITH_PRE_IMAGE = frozenset({"Update", "Delete", "Merge"})


@dataclass(frozen=True)
class Environment:
    """The environment that sends: what every context says about it."""

    id: str
    business_unit_id: str
    name_columns: dict[str, str]
    name_of: NameOf = lambda _: None
    versionnumber_in_images: bool = True

    @property
    def unique_name(self) -> str:
        return "unq" + self.id.replace("-", "")[:29]


def context_for(
    event: Event, step: Step, environment: Environment, at: datetime, job_id: str | None
) -> ExecutionContext:
    """`job_id` is the system job of an asynchronous step, None for a synchronous one."""
    own = _context_without_images(event, step, environment, at, job_id)
    if step.stage < POST_OPERATION:
        return replace(own, InputParameters=event.asked, PreEntityImages=_pre_images(event, step, environment))
    return replace(
        own,
        InputParameters=event.inputs,
        OutputParameters=event.outputs,
        ParentContext=_parent(own, event),
        PreEntityImages=_pre_images(event, step, environment),
        PostEntityImages=_post_images(event, step, environment),
    )


def _context_without_images(
    event: Event, step: Step, environment: Environment, at: datetime, job_id: str | None
) -> ExecutionContext:
    is_delete = event.message == "Delete"
    return ExecutionContext(
        MessageName=event.message,
        PrimaryEntityName=event.table_name,
        PrimaryEntityId=event.row_id,
        Mode=step.mode,
        Stage=step.stage,
        OrganizationId=environment.id,
        OrganizationName=environment.unique_name,
        BusinessUnitId=environment.business_unit_id,
        # A Delete runs as the system account; whoever looks for its author must look at InitiatingUserId.
        UserId=SYSTEM_USER if is_delete else event.call.user_id,
        InitiatingUserId=event.call.user_id,
        CorrelationId=event.call.correlation_id,
        OperationId=job_id or event.call.request_id,
        RequestId=event.call.request_id,
        OperationCreatedOn=_created_on(at, is_synchronous=job_id is None),
        OwningExtension=EntityReference(
            step.derived_id, "sdkmessageprocessingstep", step.name if job_id is None else None
        ),
        Depth=event.call.depth,
        InitiatingUserAgent="",
        InitiatingUserAzureActiveDirectoryObjectId=NO_ID,
        UserAzureActiveDirectoryObjectId=NO_ID,
        SharedVariables=_shared_variables(event),
        IsInTransaction=job_id is None,
    )


def _created_on(at: datetime, *, is_synchronous: bool) -> WireDate:
    """Synchronous: milliseconds and no offset. Asynchronous: whole seconds and the offset of a UTC clock."""
    milliseconds = int(at.timestamp() * 1000)
    return WireDate(milliseconds) if is_synchronous else WireDate(milliseconds // 1000 * 1000, "+0000")


def _parent(own: ExecutionContext, event: Event) -> ExecutionContext:
    """The main operation's own context: the same message at stage 30, with what the caller sent."""
    changed: Bag = ()
    if event.table is not None:
        changed = (("ChangedEntityTypes", (KeyValuePair(event.table_name, "Update"),)),)
    return replace(
        own,
        Stage=MAIN_OPERATION,
        InputParameters=event.asked,
        OwningExtension=_PLATFORM_STEP if own.IsInTransaction else own.OwningExtension,
        SharedVariables=own.SharedVariables + changed,
    )


def _shared_variables(event: Event) -> Bag:
    variables: Bag = (("IsAutoTransact", True),)
    if event.message == "Create":
        variables += (("DefaultsAddedFlag", True),)
    return variables + ((("tag", event.call.tag),) if event.call.tag else ())


def _pre_images(event: Event, step: Step, environment: Environment) -> Bag:
    if event.before is None or event.table is None or event.message not in _WITH_PRE_IMAGE:
        return ()
    registered = [image for image in step.images if image.is_pre]
    images = _images(event.table, event.before, registered, environment)
    is_automatic = event.message == "Delete" and not step.is_synchronous
    return images + (_automatic(event.table, event.before) if is_automatic else ())


def _post_images(event: Event, step: Step, environment: Environment) -> Bag:
    if event.after is None or event.table is None or event.message not in _WITH_POST_IMAGE:
        return ()
    registered = [image for image in step.images if image.is_post]
    images = _images(event.table, event.after, registered, environment)
    return images + (() if step.is_synchronous else _automatic(event.table, event.after))


def _automatic(table: Table, row: Row) -> Bag:
    """What every asynchronous step gets: the row's name, if it has one, and its id."""
    name = row.get(table.name_column)
    named: Bag = () if name is None else ((table.name_column, name),)
    return ((AUTOMATIC_IMAGE, Entity(table.name, row.id, (*named, (table.id_column, row.id)))),)


def _images(table: Table, row: Row, images: list[StepImage], environment: Environment) -> Bag:
    return tuple((image.alias, _image(table, row, image, environment)) for image in images)


def _image(table: Table, row: Row, image: StepImage, environment: Environment) -> Entity:
    """Only the registered columns, only those with a value, in alphabetical order (capture 05)."""
    names = [name for name in sorted(image.columns or table.by_name) if row.get(name) is not None]
    if not environment.versionnumber_in_images:
        names = [name for name in names if name != "versionnumber"]
    attributes, shown = [], []
    for name in names:
        column, value = table.by_name[name], row.get(name)
        label = formatted(column, value, environment.name_of)
        attributes.append((name, on_the_wire(column, value, label if column.is_lookup else None)))
        if label is not None:
            shown.append((name, label))
    return Entity(table.name, row.id, tuple(attributes), tuple(shown))
