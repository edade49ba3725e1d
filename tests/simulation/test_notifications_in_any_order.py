"""However a row's notifications come, doubled, shuffled, inside out: the local record ends as the row ended."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from company import KEY, Company
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from simulation.recorder import Recorder

from receiver.commands.connection.steps import steps_to_register
from receiver.commands.mappings.change_mapping import named
from receiver.core.coupling import Coupling, Result
from receiver.core.mapping import Conversion, DeletionConflict, Direction
from receiver.core.values import same
from receiver.lanes.touch import Touch, touch
from receiver.sandbox import ServiceEndpoint, Step
from receiver.store import couplings

CUSTOMER = 3
VENDOR = 11
INSIDE = {"statecode": 0, "customertypecode": CUSTOMER}
#: what a person may do to a row; *delete* and *create* only where there is one, or none
ACTIONS = (
    "rename",
    "rename",
    "move",
    "deactivate",
    "activate",
    "become a vendor",
    "become a customer",
    "delete",
    "delete",
)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def synchronous(step: Step) -> list[Step]:
    """The same step inside the user's transaction: before the row is written, and after."""
    return [replace(step, mode=0, stage=20, images=()), replace(step, mode=0)]


@dataclass
class History:
    """One account's life, its notifications, and what became of the customer."""

    company: Company
    recorder: Recorder
    #: a hint of an open transaction that waits for its second look makes every look a read
    has_synchronous: bool
    tell: Callable[[str], None] = note
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    undelivered: list[bytes] = field(default_factory=list)
    delivered: list[bytes] = field(default_factory=list)
    #: the states that the row had inside the filter, by the number in its name
    inside: set[int] = field(default_factory=set)
    shown: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def act(self, action: str, *, is_stripped: bool) -> None:
        sandbox, row = self.company.sandbox, self.row
        self.recorder.bodies.clear()
        self.count += 1
        sandbox.faults.strip = 100 if is_stripped else 0
        named_now = {"name": f"State {self.count}"}
        changes = {
            "rename": named_now,
            "move": {**named_now, "address1_city": f"City {self.count}", "telephone1": None},
            "deactivate": {"statecode": 1, "statuscode": 2},
            "activate": {"statecode": 0, "statuscode": 1},
            "become a vendor": {"customertypecode": VENDOR},
            "become a customer": {"customertypecode": CUSTOMER},
        }
        if row is None:
            action = "create"
            first = {"customertypecode": CUSTOMER, "telephone1": "1", "address1_city": "Bonn"}
            sandbox.create("account", {**named_now, **first}, self.id)
        elif action == "delete":
            sandbox.delete("account", self.id)
        else:
            sandbox.update("account", self.id, changes[action])
        sandbox.faults.strip = 0
        assert sandbox.settle()
        sent = [body for body in self.recorder.bodies if self.has_synchronous or b'"Mode":0' not in body]
        self.undelivered += sent
        if self.is_inside:
            self.inside.add(_number(self.row["name"]))
        said = "gone" if self.row is None else f"{self.row['name']}, {'inside' if self.is_inside else 'outside'}"
        self.tell(f"{action}{' (stripped)' if is_stripped else ''}: {said}; {len(sent)} notifications")

    @property
    def row(self) -> dict[str, Any] | None:
        return self.company.sandbox.row("account", self.id)

    @property
    def is_inside(self) -> bool:
        return self.row is not None and all(self.row[name] == value for name, value in INSIDE.items())

    def deliver(self, body: bytes, *, is_new_delivery: bool = False) -> None:
        """*is_new_delivery*: sent again as if it never had been, which the inbox cannot tell from a new one."""
        self.tell(f"deliver {_said(body)}{' again, as a new delivery' if is_new_delivery else ''}")
        operation = re.search(rb'"OperationId":"([^"]+)"', body)
        assert operation is not None
        sent = body.replace(operation[1], str(uuid.uuid4()).encode()) if is_new_delivery else body
        answer = self.company.app.test_client().post(
            "/dataverse/notifications", data=sent, content_type="application/json", headers={"x-receiver-key": KEY}
        )
        assert answer.status_code == 202
        self.delivered.append(body)

    def work(self) -> None:
        """The receiver works; no customer ever goes back to an older state of the row."""
        self.company.work()
        coupling = self.coupling
        if coupling is None:
            self.tell("work: not coupled")
            return
        number = _number(self.local(coupling)["name"])
        self.tell(f"work: {coupling.local_id} is State {number}{', skipped' if coupling.is_skipped else ''}")
        assert number in self.inside, "a state was taken over that the row never had inside the filter"
        assert self.shown.get(coupling.local_id, 0) <= number, "an older state came over a newer one"
        self.shown[coupling.local_id] = number

    def end(self) -> None:
        """All hints of open transactions are due, and every back-off has run out."""
        for _ in range(2):
            self.work()
            self.company.pass_time(200)
        self.work()

    @property
    def coupling(self) -> Coupling | None:
        return self.company.coupling("CUSTOMER", self.id)

    def local(self, coupling: Coupling) -> dict[str, Any]:
        found = self.company.local("customer", coupling.local_id)
        assert found is not None
        return found

    def retry(self, coupling: Coupling) -> None:
        """What a person does about a skipped coupling once the cause is mended."""
        self.tell("a person retries")
        services = self.company.services
        with services.database.writing() as connection:
            couplings.save(connection, replace(coupling, is_skipped=False), services.clock())
            wish = Touch("account", self.id, services.clock(), wish="retried by a person")
            touch(connection, [wish])
        self.work()


def _number(name: str) -> int:
    return int(name.removeprefix("State "))


def _said(body: bytes) -> str:
    text = body.decode()
    message = re.findall(r'"MessageName":"(\w+)"', text)[-1]
    name = re.search(r'"rcv_post_.*?"State (\d+)"', text)
    mode = re.findall(r'"Mode":(\d)', text)[-1]
    return f"{message}{' synchronous' if mode == '0' else ''}{f' with State {name[1]}' if name else ''}"


def assert_equals_the_row(history: History) -> None:
    coupling, row = history.coupling, history.row
    assert coupling is not None, "the row is inside the filter and not coupled"
    assert row is not None
    local = history.local(coupling)
    plain = [
        one
        for one in named(history.company.services, "CUSTOMER").transfers(Direction.FROM)
        if one.source and one.conversion is Conversion.PLAIN
    ]
    assert {one.destination: local[one.destination] or None for one in plain} == {
        one.destination: row[one.source] for one in plain
    }
    assert all(same(coupling.dataverse_base[one.source], row[one.source]) for one in plain)
    assert_base_is_the_record(history, coupling)


def assert_base_is_the_record(history: History, coupling: Coupling) -> None:
    local, base = history.local(coupling), coupling.local_base
    assert base is not None
    assert all(same(local[name], value) for name, value in base.items())


def check(history: History, resolution: DeletionConflict) -> None:
    coupling = history.coupling
    if history.row is None:
        if resolution is DeletionConflict.DELETE_COUPLING:
            assert coupling is None, "the row is gone and still coupled"
        elif coupling is not None:
            assert coupling.last_from.result is Result.FAILURE
            assert_base_is_the_record(history, coupling)
        return
    if coupling is not None and coupling.is_skipped:
        assert resolution is DeletionConflict.NONE, "only a deletion can fail here"
        history.retry(coupling)
        coupling = history.coupling
    if not history.is_inside:
        if coupling is not None:
            assert_base_is_the_record(history, coupling)
        history.company.sandbox.update("account", history.id, {**INSIDE, "statuscode": 1}, deliver=False)
        history.inside.add(_number(history.row["name"]))
        history.recorder.bodies.clear()
        history.company.sandbox.update("account", history.id, {"address1_city": "Back again"})
        assert history.company.sandbox.settle()
        for body in history.recorder.bodies:
            history.deliver(body)
        history.end()
    assert_equals_the_row(history)
    assert history.coupling.last_from.result is not Result.FAILURE


def recorded(company: Company, recorder: Recorder, resolution: DeletionConflict) -> Company:
    """The company with CUSTOMER open for all; its notifications and synchronous ones go to the recorder."""
    company.open_for_all("CUSTOMER")
    company.set("CUSTOMER", resolve_deletion_conflicts=resolution)
    ours = [Step.from_json(step) for step in steps_to_register(company.services) if step["table"] == "account"]
    inside_the_transaction = itertools.chain.from_iterable(map(synchronous, ours))
    company.sandbox.step_set([*ours, *inside_the_transaction], ServiceEndpoint(recorder.url, value=KEY))
    return company


def test_an_image_of_a_row_that_was_deleted_meanwhile_brings_nothing_back(small_company, recorder):
    company = recorded(small_company, recorder, DeletionConflict.DELETE_COUPLING)
    history = History(company, recorder, has_synchronous=False, tell=print)
    for action in ("create", "rename", "delete"):
        history.act(action, is_stripped=False)
    for body in reversed(history.undelivered):
        history.deliver(body)
        history.work()
    assert history.coupling is None
    assert company.locals("customer") == []


def test_an_image_with_a_value_that_its_column_cannot_hold_costs_a_read(small_company, recorder):
    company = recorded(small_company, recorder, DeletionConflict.NONE)
    history = History(company, recorder, has_synchronous=False, tell=print)
    history.act("create", is_stripped=False)
    (body,) = history.undelivered
    history.deliver(body.replace(b'"State 1"', b'{"__type":"Novelty:x","Value":1}'))
    history.work()
    assert_equals_the_row(history)


@pytest.mark.parametrize(
    "resolution", [DeletionConflict.DELETE_COUPLING, DeletionConflict.NONE], ids=["delete coupling", "nothing said"]
)
def test_any_order_with_repetitions_ends_in_the_rows_final_state(small_company, recorder, resolution):
    """The final state, by the row's own.

    * The row is inside CUSTOMER's filter: the coupled customer says what the row says, and so do both bases. Where
      *Resolve Deletion Conflicts* is blank and the row was gone for a while, the coupling may be Skipped by then
      (the same failure twice); that is the case once a person retried.
    * The row is outside: nobody is told what happens out there. The customer, if it was ever seen inside, keeps a
      state that the row had inside, its base with it, and never goes back from a newer to an older one. When the row
      returns, all that changed meanwhile travels at once.
    * The row is gone: *Delete coupling* leaves none. Blank leaves a failed coupling whose base is the record's.

    Nowhere on the way does a customer go back to an older state, or take one over that was outside the filter.
    """
    company = recorded(small_company, recorder, resolution)

    @settings(max_examples=20, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def in_any_order(random: Random) -> None:
        history = History(company, recorder, has_synchronous=random.randint(0, 2) == 2)
        history.act("create", is_stripped=random.randint(0, 1) == 1)
        for _ in range(random.randint(1, 6)):
            history.act(random.choice(ACTIONS), is_stripped=random.randint(0, 3) == 3)
            _deliver_some(random, history, at_most=3)
        while history.undelivered:
            _deliver_some(random, history, at_most=6, at_least=1)
        _deliver_some(random, history, at_most=4)
        history.end()
        check(history, resolution)

    in_any_order()


def _deliver_some(random: Random, history: History, at_most: int, at_least: int = 0) -> None:
    """Some of what is under way, some of what came already; the receiver works now and then."""
    for _ in range(random.randint(at_least, at_most)):
        if history.undelivered:
            history.deliver(history.undelivered.pop(random.randrange(len(history.undelivered))))
        if history.delivered and random.randint(0, 2) == 0:
            history.deliver(random.choice(history.delivered), is_new_delivery=random.randint(0, 1) == 1)
        if random.randint(0, 1) == 1:
            history.work()
        if random.randint(0, 5) == 5:
            note("six seconds pass")
            history.company.pass_time(6)
