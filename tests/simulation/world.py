"""Both sides of a company, its people, its workers and its mishaps; one clock, which only goes on when told to."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from company import KEY, Company
from simulation.odd_answers import COUNTED
from simulation.recorder import Recorder
from simulation.unkind_database import UnkindDatabase
from sqlalchemy import select

from receiver.commands.connection.steps import steps_to_register
from receiver.commands.mappings.confirm import confirm, kept_back
from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import run_mapping as run
from receiver.core.coupling import Coupling
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import same
from receiver.engine.process import process
from receiver.errors import ReceiverError
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.lanes.ready import is_any_ready
from receiver.runs import catch_up, local_look, tasks
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope
from receiver.sandbox import ApiError, Sandbox, ServiceEndpoint, Step
from receiver.store import couplings, gates, tracking
from receiver.store.models import coupling as coupling_rows

#: in the order in which they are run
MAPPINGS = ("CUSTOMER", "VENDOR", "CONTACT")
TABLES = {"CUSTOMER": ("customer", "account"), "VENDOR": ("vendor", "account"), "CONTACT": ("contact", "contact")}
#: the columns that people edit, local and Dataverse; all bidirectional and plain
_PARTNER = {"name": "name", "phone_no": "telephone1", "city": "address1_city"}
FIELDS = {
    "CUSTOMER": _PARTNER,
    "VENDOR": _PARTNER,
    "CONTACT": {"first_name": "firstname", "surname": "lastname", "phone_no": "telephone1"},
}
#: longer than any back-off, any lease, and the wait of a task
LONG = 1000.0
WHO = "the simulation"


class Clock:
    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class World(Company):
    """Whatever happens on either side goes through here; who wants to hear of edits adds himself to `listeners`."""

    def __init__(self, database_url: str, sandbox: Sandbox, recorder: Recorder, clock: Clock) -> None:
        self.recorder, self.clock = recorder, clock
        #: notifications that were sent and have not arrived
        self.under_way: list[bytes] = []
        self.arrived: list[bytes] = []
        #: every notification is lost, and catch-up alone finds what changed
        self.is_deaf = False
        #: lanes that workers have taken and not worked on yet
        self.taken: list[Lease] = []
        #: what somebody does while the receiver speaks with Dataverse the next time
        self.meanwhile: list[Callable[[], None]] = []
        #: something happened of which no notification tells, or of which it was lost
        self.is_untold = False
        self.is_mapping_changed = False
        #: how many notifications the door has stored
        self.delivered = 0
        #: mapping, and local key or row id, of what a person uncoupled
        self.let_go: set[tuple[str, str]] = set()
        #: rows and records that somebody deleted, or that a backup put back does not have, since both sides were at rest
        self.deleted: set[str] = set()
        #: deleted rows that the recycle bin still holds: table, id
        self.in_bin: list[tuple[str, str]] = []
        #: rows and records that people made, whoever else makes some writes history
        self.made_by_people: set[str] = set()
        #: mapping, local key and row id of couplings that a person's command ended
        self.parted: set[tuple[str, str, str]] = set()
        #: new key of a record by its old one
        self.renamed: dict[str, str] = {}
        #: whether a plug-in writes cities in capitals
        self.has_capitals = False
        #: (side, mapping's tables' record id, column, value) of each edit
        self.listeners: list[Callable[[str, str, dict[str, Any]], None]] = []
        self.made = 0
        super().__init__(database_url, sandbox, RECEIVER_LOCK_TIMEOUT_SECONDS="0.05")
        self.rules = UnkindDatabase(self.services.database)
        self._gate = self.services.dataverse._gate
        self.services.dataverse._gate = self

    def now(self) -> datetime:
        return self.clock()

    def pass_time(self, seconds: float) -> None:
        self.clock.pass_time(seconds)

    def register_steps(self) -> None:
        steps = [Step.from_json(step) for step in steps_to_register(self.services)]
        self.sandbox.step_set(steps, ServiceEndpoint(self.recorder.url, value=KEY))

    # -- the gate before each request --

    def enter(self, names: Collection[str]) -> str:
        behind = self._gate.enter(names)
        while self.meanwhile:
            self.meanwhile.pop()()
        return behind

    def refused(self, error: ReceiverError) -> None:
        self._gate.refused(error)

    def passed(self, gate: str) -> None:
        self._gate.passed(gate)

    def left(self, gate: str) -> None:
        self._gate.left(gate)

    # -- both sides --

    def rows(self, table: str) -> list[str]:
        return sorted(str(row[f"{table}id"]) for row in self.sandbox.rows(table))

    def records(self, table: str) -> list[str]:
        return sorted(row["no"] for row in self.locals(table))

    def make_row(self, table: str, values: dict[str, Any]) -> str:
        """Its id; empty where a plug-in refuses it."""
        self.made += 1
        try:
            made = str(self.sandbox.create(table, values, f"{table[0]}0000000-0000-4000-8000-{self.made:012d}"))
        except ApiError:
            return ""
        self.made_by_people.add(made)
        return made

    def edit_row(self, table: str, id_: str, values: dict[str, Any]) -> None:
        """What a plug-in refuses is not done; what it makes of the values is what was said."""
        if self.sandbox.row(table, id_) is None:
            return
        try:
            self.sandbox.update(table, id_, values)
        except ApiError:
            return
        kept = self.sandbox.row(table, id_) or {}
        self._tell("dataverse", id_, {name: kept[name] for name in values})

    def delete_row(self, table: str, id_: str) -> None:
        """Dataverse clears the lookups to it, and tells nobody of that."""
        if self.sandbox.row(table, id_) is not None:
            try:
                self.sandbox.delete(table, id_)
            except ApiError:
                return  # a plug-in refuses it
            self.in_bin.append((table, id_))
            self.deleted.add(id_)
            self.is_untold = True

    def restore_row(self, table: str, id_: str) -> None:
        """From the recycle bin. Its record may have a new row meanwhile, which is no mistake of the receiver's."""
        try:
            self.sandbox.restore(table, id_)
        except ApiError:
            return
        self.made_by_people.add(id_)
        self.let_go |= {(name, id_) for name in MAPPINGS}

    def put_back(self, backup: Any) -> None:
        """The environment is what it was; who put it back registers the steps of today, and asks for runs."""
        before = {id_ for table in ("account", "contact") for id_ in self.rows(table)}
        self.sandbox.restore_backup(backup)
        after = {id_ for table in ("account", "contact") for id_ in self.rows(table)}
        self.deleted |= before - after
        self.let_go |= {(name, id_) for name in MAPPINGS for id_ in after - before}
        self.made_by_people |= after - before
        self.in_bin.clear()
        self.register_steps()
        self.is_untold = self.is_mapping_changed = True

    def insert_local(self, table: str, **values: Any) -> str:
        with self.rules.peace():
            made = super().insert_local(table, **values)
        self.made_by_people.add(made)
        return made

    def edit_record(self, table: str, key: str, values: dict[str, Any]) -> None:
        if self.local(table, key) is not None:
            with self.rules.peace():
                self.change_local(table, key, **values)
            self._tell("local", key, values)

    def delete_local(self, table: str, key: str) -> None:
        with self.rules.peace():
            super().delete_local(table, key)
        self.deleted.add(key)

    def rename(self, table: str, key: str) -> str:
        """The new key."""
        self.made += 1
        new = f"{key[:12]}R{self.made}"
        with self.rules.peace():
            self.rules.rename(table, key, new)
        self.renamed[key] = new
        self.made_by_people.add(new)
        return new

    def says_what_it_said(self, table: str, key: str) -> bool:
        """Whether a record is as it was when its pairs were last equal: so it is known under another key."""
        names = [name for name, (own, _) in TABLES.items() if own == table]
        bases = [one.local_base or {} for name in names for one in self.couplings(name) if one.local_id == key]
        record = self.local(table, key) or {}
        return all(same(record.get(column), value) for base in bases for column, value in base.items())

    def _tell(self, side: str, id_: str, values: dict[str, Any]) -> None:
        for hear in self.listeners:
            hear(side, id_, values)

    def couplings(self, mapping: str) -> list[Coupling]:
        query = select(coupling_rows.c.local_id).where(coupling_rows.c.mapping == mapping)
        with self.services.database.reading() as connection:
            keys = list(connection.execute(query.order_by(coupling_rows.c.id)).scalars())
            found = couplings.of_records(connection, mapping, keys)
        return [found[key] for key in keys]

    def mappings(self) -> dict[str, TableMapping]:
        with self.services.database.reading() as connection:
            return dict(self.services.mappings(connection))

    # -- notifications --

    def collect(self) -> list[bytes]:
        """All that is under way by now, in the order in which it was sent."""
        assert self.sandbox.settle()
        self.under_way += self.recorder.bodies
        self.recorder.bodies.clear()
        return self.under_way

    def deliver(self, body: bytes, *, is_new: bool = False) -> None:
        """*is_new*: sent once more as if it never had been, which the inbox cannot tell."""
        if self.is_deaf:
            return
        if is_new:
            operation = re.search(rb'"OperationId":"([^"]+)"', body)
            assert operation is not None
            body = body.replace(operation[1], str(uuid.uuid4()).encode())
        answer = self.app.test_client().post(
            "/dataverse/notifications", data=body, content_type="application/json", headers={"x-receiver-key": KEY}
        )
        assert answer.status_code == 202
        self.delivered += body not in self.arrived
        self.arrived.append(body)

    # -- workers --

    def take_lanes(self, count: int) -> None:
        """A worker leases lanes, and is slow."""
        with self.services.database.writing() as connection:
            seconds = self.services.options.lease_seconds
            self.taken += lanes.lease_ready(connection, lanes.new_owner(), self.now(), seconds, count)

    def go_on(self, number: int) -> None:
        process(self.services, self.taken.pop(number))

    def carry_out_tasks(self) -> bool:
        return tasks.carry_out_next(self.services, PROCEDURES, threading.Event())

    def ask_for_run(self, mapping: str, direction: Direction | None, scope: Scope) -> None:
        run.start(self.services, mapping, WHO, direction, scope)
        self.carry_out_tasks()

    # -- the end of all trouble --

    def settle(self) -> None:
        """No more faults, every back-off run out, all delivered; then the runs that a company would make."""
        self.end_trouble()
        self.taken.clear()  # these workers died
        self.pass_time(LONG)
        self._quiet()
        while self.carry_out_tasks():
            self._quiet()
        if self.is_deaf:
            self._catch_up_to_the_end()
        scope = Scope.FULL if self.is_mapping_changed else Scope.MODIFIED
        for name in MAPPINGS if not self.is_deaf else ():
            for part in self._parts(name, scope):
                assert not [one.error for step in run_part(self.services, part) for one in step.done if one.error]
        self._confirm()
        self._quiet()
        self.is_untold = self.is_mapping_changed = False

    def _catch_up_to_the_end(self) -> None:
        """Looks until each has read both sides since now; a parent that came in lets its children follow."""
        for _ in range(2):
            began = self.now()
            self.pass_time(1)
            while self._is_unread_since(began):
                self.catch_up()
                self._quiet()

    def _is_unread_since(self, began: datetime) -> bool:
        with self.services.database.reading() as connection:
            looks = [
                *(tracking.table_of(connection, name) for name in catch_up.tables(self.services)),
                *(tracking.local_of(connection, name) for name in local_look.mappings(self.services)),
            ]
        return any(one.read_at is None or one.read_at < began for one in looks)

    def end_trouble(self) -> None:
        """Faults, refusals and what is hidden; plug-ins that only change values stay."""
        self.sandbox.faults.clear()
        self.sandbox.organization.withheld.clear()
        self.sandbox.organization.hidden.clear()
        for table in ("account", "contact"):
            self.sandbox.remove_plug_ins(table)
        if self.has_capitals:
            self.sandbox.plug_in("account", in_capitals)
        self.rules.relent()
        self.meanwhile.clear()

    def _confirm(self) -> None:
        """A person looks at what was too much at once, and lets it be done."""
        for name in MAPPINGS:
            if kept_back(self.services, name):
                confirm(self.services, name, WHO)
            assert not kept_back(self.services, name)

    def _parts(self, name: str, scope: Scope) -> Iterator[Any]:
        mapping = self.mappings()[name]
        for part in parts_of(mapping, None, scope, WHO) if mapping.is_enabled else ():
            # what notifications told needs no run
            if part.toward is Direction.TO or self.is_untold or self.is_mapping_changed:
                yield part

    def _quiet(self) -> None:
        """Deliver and work until nothing is under way; a lane that steps back is due again."""
        for _ in range(20):
            for body in self.collect():
                self.deliver(body)
            self.under_way.clear()
            self.work()
            if not self.collect() and not self._is_any_due():
                return
            self.pass_time(LONG)
        raise AssertionError("It does not come to rest.")

    def _is_any_due(self) -> bool:
        with self.services.database.reading() as connection:
            return is_any_ready(connection, self.now() + timedelta(days=1))

    def try_(self, ask: Callable[[], object]) -> str:
        """What a person asks for; a refusal is an answer like any other. What it said."""
        is_troubled = self.is_troubled
        try:
            ask()
        except ReceiverError as error:
            if error.waiting_helps and not is_troubled:
                raise
            return f"{type(error).__name__}: {error}"
        return ""

    @property
    def is_troubled(self) -> bool:
        """Whether Dataverse, another worker or another person may be in the way."""
        faults, organization = self.sandbox.faults, self.sandbox.organization
        struck = any(getattr(faults, name) for name in COUNTED) or faults.answers or organization.withheld
        return bool(
            struck
            or organization.hidden
            or self.rules.refuses
            or self.taken
            or self.meanwhile
            or self._is_gate_closed()
        )

    def _is_gate_closed(self) -> bool:
        with self.services.database.reading() as connection:
            return bool(gates.found(connection))


def in_capitals(_message: str, values: dict[str, Any]) -> dict[str, Any] | None:
    """A plug-in of the environment: cities are written in capitals."""
    return {"address1_city": values["address1_city"].upper()} if values.get("address1_city") else None
