"""Wherever something that nobody foresaw is raised, on every way in, no lane stays leased and nothing is left working."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from company import Company
from sqlalchemy import select

from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.coupling.set_up_coupling import couple
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.core.mapping import Direction
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope
from receiver.server.worker import run_ready
from receiver.store.models import inbox, lane

ACCOUNT, OTHER, UNCOUPLED, OFFERED = (f"a0000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 5, 6))


class PlantedError(Exception):
    """Something that nobody foresaw."""


@pytest.fixture
def company(small_company: Company) -> Company:
    """Two coupled customers, both changed on both sides; their notifications have come."""
    small_company.open_for_all("CUSTOMER")
    keys = [small_company.couple_by_click("account", id_) for id_ in (ACCOUNT, OTHER)]
    small_company.work()
    small_company.sandbox.put_row("account", UNCOUPLED, {"name": "Firm 5", "customertypecode": 3})
    small_company.sandbox.put_row("account", OFFERED, {"name": "Firm 6", "customertypecode": 3})
    small_company.set_field("CUSTOMER", "name", match_on_this_field=True)
    key = small_company.insert_local("customer", name="Firm 6")
    small_company.kept["chosen"] = small_company.offered("account", OFFERED, key)
    for key, id_ in zip(keys, (ACCOUNT, OTHER), strict=True):
        small_company.change_local("customer", key, phone_no="+43 5")
        small_company.sandbox.update("account", id_, {"fax": "+43 6"})
    assert small_company.sandbox.settle()
    return small_company


def notification(company: Company) -> None:
    run_ready(company.services)


def click(company: Company) -> None:
    company.open("account", ACCOUNT)


def click_that_creates(company: Company) -> None:
    company.open("account", UNCOUPLED)


def click_that_couples(company: Company) -> None:
    company.open("account", OFFERED, chosen=company.kept["chosen"])


def command(company: Company) -> None:
    synchronize_now(company.services, "CUSTOMER", [ACCOUNT, OTHER], Choice.GET, "Ada", is_forced=True)


def run_from(company: Company) -> None:
    (part,) = parts_of(mapping_named(company.services, "CUSTOMER"), Direction.FROM, Scope.FULL, "the test")
    list(run_part(company.services, part))


def run_to(company: Company) -> None:
    (part,) = parts_of(mapping_named(company.services, "CUSTOMER"), Direction.TO, Scope.FULL, "the test")
    list(run_part(company.services, part))


def set_up(company: Company) -> None:
    key = company.insert_local("customer", name="Firm 5")
    couple(company.services, "CUSTOMER", key, UNCOUPLED, "Ada")


def delete(company: Company) -> None:
    uncouple(company.services, "CUSTOMER", [ACCOUNT, OTHER], "Ada")


NOTIFICATION = ("receiver.engine.process.read_notification", "receiver.engine.process.known_of")
LOOK = ("receiver.engine.look_at_lane.synchronize", "receiver.engine.process.look_at")
OUT = ("receiver.engine.process.written_to_dataverse",)
WRITE = (
    "receiver.engine.write_lanes.settle",
    "receiver.engine.settle.couplings.save_all",
    "receiver.engine.write_lanes.wake_waiting",
    "receiver.lanes.lane.release",
)
RECORD, WAIT = "receiver.engine.settle.LocalTable", "receiver.engine.write_lanes.wait_for"
TOGETHER = (
    "receiver.runs.carry_out._known",
    "receiver.runs.carry_out._rows",
    "receiver.runs.carry_out.look_at",
    "receiver.runs.carry_out.written_to_dataverse",
    "receiver.runs.carry_out.write",
)
COUPLING = ("receiver.store.couplings.save", "receiver.lanes.lane.release")
#: each way in, and the steps that it goes through
WAYS: dict[Callable[[Company], None], tuple[str, ...]] = {
    notification: (*NOTIFICATION, *LOOK, *WRITE, RECORD, WAIT),
    click: (*NOTIFICATION, *LOOK, *OUT, *WRITE, RECORD, WAIT),
    click_that_creates: (*LOOK, *OUT, *WRITE, RECORD, WAIT),
    click_that_couples: (*LOOK, *OUT, *WRITE, RECORD, WAIT),
    command: (*TOGETHER, *WRITE, RECORD),
    run_from: (*TOGETHER, *WRITE, RECORD),
    run_to: (*TOGETHER, *WRITE),
    set_up: (*COUPLING, "receiver.commands.coupling.set_up_coupling.record_change"),
    delete: ("receiver.store.couplings.remove", "receiver.lanes.lane.release"),
}
CASES = [pytest.param(way, step, id=f"{way.__name__}: {step}") for way, steps in WAYS.items() for step in steps]


@pytest.mark.parametrize(("way", "step"), CASES)
def test_whatever_is_raised_at_a_step_leaves_no_lease(
    company: Company, monkeypatch: pytest.MonkeyPatch, way: Callable[[Company], None], step: str
) -> None:
    # what is tried together first is then tried alone; who cannot even give back has only the end of the lease
    raised = planted(monkeypatch, step, times=1 if step.endswith("release") else 2)

    with suppress(PlantedError):
        way(company)

    assert raised, f"{way.__name__} never came to {step}"
    check_nothing_is_held(company)


@pytest.mark.parametrize("way", [notification, command, run_from, run_to])
def test_what_is_raised_again_and_again_leaves_no_lease_either(
    company: Company, monkeypatch: pytest.MonkeyPatch, way: Callable[[Company], None]
) -> None:
    assert planted(monkeypatch, "receiver.engine.write_lanes.settle", times=1000) == []

    way(company)

    check_nothing_is_held(company)


def planted(monkeypatch: pytest.MonkeyPatch, step: str, times: int) -> list[str]:
    """The step raises so many times; the answer fills with what was raised."""
    place, _, name = step.rpartition(".")
    owner: Any = owner_of(place)
    genuine, raised = getattr(owner, name), list[str]()

    def unkind(*arguments: Any, **options: Any) -> Any:
        if len(raised) < times:
            raised.append(step)
            raise PlantedError
        return genuine(*arguments, **options)

    monkeypatch.setattr(owner, name, unkind)
    return raised


def owner_of(place: str) -> Any:
    """A module, or a module within one."""
    try:
        return import_module(place)
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        return getattr(import_module(module), name)


def check_nothing_is_held(company: Company) -> None:
    with company.services.database.reading() as connection:
        assert connection.execute(select(lane.c.key).where(lane.c.owner.is_not(None))).all() == []
        assert connection.execute(select(inbox.c.id).where(inbox.c.state == "working")).all() == []
