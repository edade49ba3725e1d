"""Messages that say a row, or some rows, may have changed."""

from __future__ import annotations

from receiver.core.message import NO_ID, ExecutionContext, Image, Parameter, Row, SynchRequest
from receiver.core.values import Reference, guid

OUR_POST_IMAGE = "rcv_post_"


def row_changed(context: ExecutionContext) -> list[SynchRequest]:
    """The primary row, with our own step's post image when it came along."""
    reference = row_named(context)
    if reference is None:
        return []
    return [SynchRequest(reference.table, reference.id, _our_image(context))]


def state_changed(context: ExecutionContext) -> list[SynchRequest]:
    """SetState names its row in `EntityMoniker`; today's clients send an Update instead."""
    reference = row_named(context, "EntityMoniker")
    return [SynchRequest(reference.table, reference.id)] if reference else []


def rows_changed(context: ExecutionContext) -> list[SynchRequest]:
    """The …Multiple messages carry rows without images: each is a hint.

    A row created without an id of its own is named by the answer's `Ids`.
    """
    targets = [_row_of(item) for item in _items(context.parameters.get("Targets"))]
    named = {row.id for row in targets if row is not None and row.id != NO_ID}
    answered = {found for found in map(guid, _items(context.outputs.get("Ids"))) if found}
    return [SynchRequest(context.table, id_) for id_ in sorted(named | answered)]


def related_rows(context: ExecutionContext) -> list[SynchRequest]:
    """Associate and Disassociate name no single row: both ends are looked at."""
    ends = (context.parameters.get("Target"), *_items(context.parameters.get("RelatedEntities")))
    found = [_row_of(end) for end in ends]
    return [SynchRequest(row.table, row.id) for row in found if row is not None]


def row_named(context: ExecutionContext, parameter: str = "Target") -> Reference | None:
    """The primary row, or where the message has none, the row that a parameter holds."""
    if context.id == NO_ID or context.table == "none":
        return _row_of(context.parameters.get(parameter))
    return Reference(context.table, context.id)


def _row_of(parameter: Parameter | None) -> Reference | None:
    if isinstance(parameter, Row):
        return Reference(parameter.table, parameter.id)
    return parameter if isinstance(parameter, Reference) else None


def _items(parameter: Parameter | None) -> tuple[Parameter, ...]:
    return parameter if isinstance(parameter, tuple) else ()


def _our_image(context: ExecutionContext) -> Image | None:
    """Only an asynchronous step's image is the row: a synchronous one may still roll back."""
    if context.is_synchronous or context.defects:
        return None
    for alias, row in context.post_images.items():
        if alias.startswith(OUR_POST_IMAGE) and row.id == context.id:
            return Image(alias, row.values)
    return None
