"""From the steps on our endpoint to those that are wanted: what is to be done, in an order that may break off anywhere.

A step that is off tells nothing, so it is off between two requests at most: the new image is made first, then the step
is switched off and on (Dataverse may otherwise go on with the old image), then the old image goes. While it is there,
it is the sign that the switching is still to be done. Source: reference/dataverse.md §4.4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from receiver.registration.registered import FoundStep, Registered
from receiver.registration.rows import (
    Action,
    Create,
    Delete,
    Found,
    SwitchOff,
    SwitchOn,
    Wanted,
    among,
    names_in,
    plan,
)
from receiver.registration.steps import IMAGES, STEPS, MessageIds, Place, image, step


@dataclass(frozen=True)
class StepsPlan:
    """`unheard` are the tables of which a change may have gone by untold: a step was off, lacking, or new."""

    actions: tuple[Action, ...]
    unheard: frozenset[str]


def plan_steps(
    place: Place,
    now: Registered,
    endpoint_id: str,
    described: Sequence[Mapping[str, Any]],
    ids: Mapping[tuple[str, str], MessageIds],
) -> StepsPlan:
    """The steps that are wanted, and those of ours that are not any more."""
    actions: list[Action] = []
    unheard, kept = set[str](), set[str]()
    for one in described:
        table, message = one["table"], one["message"]
        wanted, known = step(place, endpoint_id, one, ids[table, message]), now.of(place, table, message)
        some = _new(place, wanted, one) if known is None else _changed(place, wanted, known, one)
        actions += some
        kept |= {known.found.id} if known else set()
        if known is None or _is_deaf(wanted, known) or any(isinstance(action, SwitchOff) for action in some):
            unheard.add(table)
    return StepsPlan((*actions, *_unwanted(place, now.steps, kept)), frozenset(unheard))


def _new(place: Place, wanted: Wanted, described: Mapping[str, Any]) -> list[Action]:
    picture = image(place, wanted.id, described)
    return [Create(wanted), *([Create(picture)] if picture else [])]


def _changed(place: Place, wanted: Wanted, known: FoundStep, described: Mapping[str, Any]) -> list[Action]:
    own = plan(known.found, wanted)
    picture = image(place, known.found.id, described)
    fitting = among(_like(known, picture), picture) if picture else None
    old = [_without(one) for one in known.images if one is not fitting]
    fresh = plan(fitting, picture) if picture else []
    is_off = any(isinstance(action, SwitchOn) for action in own)
    if is_off:
        return [*own[:-1], *fresh, *old, own[-1]]
    off, on = SwitchOff(STEPS, known.found.id, wanted.words), SwitchOn(STEPS, known.found.id, wanted.words)
    if old and (not fresh or isinstance(fresh[0], Create)):
        return [*own, *fresh, off, on, *old]
    return [*own, off, *fresh, on, *old] if fresh else own


def _like(known: FoundStep, picture: Wanted) -> list[Found]:
    """Images under the wanted one's id or alias: somebody may have changed the alias of ours."""
    alias = picture.columns["entityalias"]
    return [one for one in known.images if one.id == picture.id or one.columns["entityalias"] == alias]


def _without(one: Found) -> Action:
    return Delete(IMAGES, one.id, f"image {one.columns['entityalias']}")


def _is_deaf(wanted: Wanted, known: FoundStep) -> bool:
    """Off, or not told of a column that is mapped; without filtering attributes it is told of all."""
    told = names_in(known.found.columns.get("filteringattributes"))
    lacking = names_in(wanted.columns["filteringattributes"]) - told if told else frozenset[str]()
    return bool(known.found.columns.get("statecode")) or bool(lacking)


def _unwanted(place: Place, steps: Sequence[FoundStep], kept: Collection[str]) -> list[Action]:
    return [
        Delete(STEPS, one.found.id, f"step for {one.table}/{one.message}")
        for one in steps
        if one.is_ours(place) and one.found.id not in kept
    ]
