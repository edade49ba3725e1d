"""Where Dataverse's registration is not what the mappings want, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from receiver.registration.registered import FoundStep, Registered
from receiver.registration.rows import Change as RowChange
from receiver.registration.rows import Found, among, names_in, plan
from receiver.registration.steps import MessageIds, Place, endpoint, image, step

REGISTER = "receiver steps register"
_LABELS = {
    "mode": {0: "synchronous", 1: "asynchronous"},
    "stage": {10: "PreValidation", 20: "PreOperation", 40: "PostOperation"},
}


@dataclass(frozen=True)
class Drift:
    """What is not as it should be, what to do, and which mappings it concerns."""

    words: str
    remedy: str = REGISTER
    mappings: tuple[str, ...] = field(default_factory=tuple)


def drifts(
    place: Place,
    now: Registered,
    described: Sequence[Mapping[str, Any]],
    mappings: Mapping[str, Sequence[str]],
) -> Iterator[Drift]:
    """*mappings* are the enabled ones by Dataverse table."""
    everybody = tuple(name for names in mappings.values() for name in names)
    if now.endpoint is None:
        yield Drift(f"The service endpoint {place.name} is missing: nothing is notified.", REGISTER, everybody)
        return
    for words in _of_endpoint(place, now, now.endpoint):
        yield Drift(words, REGISTER, everybody)
    kept = set[str]()
    for one in described:
        known = now.of(place, one["table"], one["message"])
        kept |= {known.found.id} if known else set()
        concerned = tuple(mappings.get(one["table"], ()))
        for words in _of_step(place, now.endpoint, known, one):
            yield Drift(words, REGISTER, concerned)
    for left in now.steps:
        if left.found.id not in kept:
            yield _left_over(place, left)


def _of_endpoint(place: Place, now: Registered, found: Found) -> Iterator[str]:
    for action in plan(found, endpoint(place)):
        for name, (before, after) in action.differences.items() if isinstance(action, RowChange) else ():
            if name == "url":
                yield f"The service endpoint sends to {before}, and this receiver is at {after}."
            else:
                yield f"The service endpoint has {name} {before} instead of {after}."
    if not now.has_key:
        yield "The service endpoint has no key: every notification is refused."


def _of_step(place: Place, owner: Found, known: FoundStep | None, described: Mapping[str, Any]) -> Iterator[str]:
    name = f"{described['table']}/{described['message']}"
    if known is None:
        yield f"The step for {name} is missing."
        return
    columns = known.found.columns
    if columns.get("statecode"):
        yield f"The step for {name} is switched off, since {_in_words(columns.get('modifiedon'))} or before."
    ids = MessageIds(str(columns["_sdkmessageid_value"]), columns.get("_sdkmessagefilterid_value"))
    for action in plan(known.found, step(place, owner.id, described, ids)):
        for column, pair in action.differences.items() if isinstance(action, RowChange) else ():
            yield from _of_column(name, column, *pair)
    yield from _of_image(place, known, name, described)


def _of_column(step_name: str, column: str, before: Any, after: Any) -> Iterator[str]:
    if column == "filteringattributes":
        yield from _of_filter(step_name, before, after)
    elif column == "description":
        yield f"The step for {step_name} was made by hand: it works, and registering takes it over."
    else:
        labels = _LABELS.get(column, {})
        said = (labels.get(value, value) for value in (before, after))
        yield "The step for {} has {} {} instead of {}.".format(step_name, column, *said)


def _of_filter(step_name: str, before: Any, after: Any) -> Iterator[str]:
    told, wanted = names_in(before), names_in(after)
    if not wanted or not told:
        yield (
            f"The step for {step_name} has {'no' if not told else 'needless'} filtering attributes"
            f"{': every change is sent' if not told else ''}."
        )
        return
    if lacking := wanted - told:
        yield f"The filtering attributes of {step_name} lack {_list(lacking)}: nobody is told when it changes."
    if more := told - wanted:
        yield f"The filtering attributes of {step_name} have {_list(more)}, which no mapping reads."


def _of_image(place: Place, known: FoundStep, name: str, described: Mapping[str, Any]) -> Iterator[str]:
    wanted = image(place, known.found.id, described)
    if wanted is None:
        return
    if not known.images:
        yield f"The image of {name} is missing: rows are read until you register."
        return
    right = [one for one in known.images if one.columns["entityalias"] == wanted.columns["entityalias"]]
    found = among(right, wanted)
    attributes = names_in(wanted.columns["attributes"])
    if found is None:
        has = names_in(known.images[0].columns["attributes"])
        told = [f"lacks {_list(attributes - has)}"] if attributes - has else []
        told += [f"has {_list(has - attributes)}, which no mapping reads"] if has - attributes else []
        yield f"The image of {name} {' and '.join(told) or 'has another alias'}: rows are read until you register."
        return
    for column in ("messagepropertyname", "imagetype"):
        if found.columns.get(column) != wanted.columns[column]:
            yield f"The image of {name} has {column} {found.columns.get(column)} instead of {wanted.columns[column]}."
    if lacking := attributes - names_in(found.columns["attributes"]):
        yield (
            f"The image of {name} lacks {_list(lacking)}, and its alias says that it has it: "
            "it is taken for empty. Register at once."
        )


def _left_over(place: Place, left: FoundStep) -> Drift:
    name = f"{left.table}/{left.message}"
    if left.is_ours(place):
        return Drift(f"There is a step for {name}, which no mapping that is switched on reads.")
    return Drift(
        f"There is a step on our service endpoint that is not ours: {left.name} ({name}).",
        "Remove it in Dataverse, or move it to an endpoint of its own.",
    )


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _in_words(moment: Any) -> str:
    """22 November 2026, 20:15 UTC."""
    try:
        found = datetime.fromisoformat(str(moment))
    except ValueError:
        return "some time"
    return f"{found.day} {found:%B %Y, %H:%M} UTC"
