"""The Faults page: every switch of `Faults`, grouped, a button that expires all tokens, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import groupby

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.sandbox.faults import Faults
from receiver.sandbox.organization import Organization
from receiver.sandbox.pages.answers import last_answers


@dataclass(frozen=True)
class Switch:
    """One input of the page."""

    name: str
    label: str
    group: str
    value: float | str
    kind: str
    """int, float or str, as the field is declared."""

    @property
    def is_text(self) -> bool:
        return self.kind == "str"

    def read(self, given: str) -> float | str:
        """What the input holds, as the switch's own type. Raises ValueError."""
        if self.is_text:
            return given.strip()
        return int(float(given)) if self.kind == "int" else float(given)


def faults_page(organization: Organization) -> Blueprint:
    pages = Blueprint("faults", __name__)

    @pages.get("/faults")
    def show() -> ResponseReturnValue:
        switches = switches_of(organization.faults)
        groups = [(name, list(group)) for name, group in groupby(switches, lambda switch: switch.group)]
        answers = last_answers(organization)
        return render_template("faults.html", groups=groups, answers=answers, note=request.args.get("note"))

    @pages.get("/faults/answers")
    def answers_alone() -> ResponseReturnValue:
        """The list's inside, for the script that refreshes it."""
        return render_template("answers_inside.html", answers=last_answers(organization))

    @pages.post("/faults")
    def change() -> ResponseReturnValue:
        note = change_faults(organization, request.form.get("command", "apply"))
        return redirect(url_for(".show", note=note), 303)

    return pages


def switches_of(faults: Faults) -> list[Switch]:
    return [
        Switch(
            name=switch.name,
            label=switch.metadata["label"],
            group=switch.metadata["group"],
            value=getattr(faults, switch.name),
            kind=str(switch.type),
        )
        for switch in fields(Faults)
        if "label" in switch.metadata
    ]


def change_faults(organization: Organization, command: str) -> str:
    """Carries out one button of the page; the sentence to show."""
    if command == "expire-tokens":
        organization.tokens.expire_all()
        return "Every token given out so far is refused from now on."
    if command == "clear":
        organization.faults.clear()
        return "All faults are off."
    for switch in switches_of(organization.faults):
        try:
            value = switch.read(request.form[switch.name])
        except (KeyError, ValueError):
            continue
        setattr(organization.faults, switch.name, value)
    return "The faults are set."
