"""Both sides, their people, commands, mapping changes and mishaps in any order: at rest, nothing is lost or doubled."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import MEMORY, new_postgresql
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from simulation.agreement import Agreement
from simulation.possessions import Possessions
from simulation.recorder import Recorder
from simulation.unkind_rules import UnkindRules
from simulation.world import FIELDS, LONG, MAPPINGS, TABLES, WHO, Clock, World

from receiver.commands.coupling import create, delete_coupling, match, set_up_coupling
from receiver.commands.coupling.set_up_coupling import AfterCoupling
from receiver.commands.following import coupled_errors, undo
from receiver.commands.synchronizing import open_record
from receiver.commands.synchronizing.repair import repair
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.commands.synchronizing.verify import verify
from receiver.core.mapping import DeletionConflict, Direction, UpdateConflict
from receiver.dataverse import client
from receiver.engine import settle as settlement
from receiver.lanes import held as held_lanes
from receiver.runs import catch_up, local_look
from receiver.runs import mapping_run as runs
from receiver.runs.run_pages import Scope
from receiver.sandbox import Sandbox, SandboxSettings
from receiver.store import database

#: RECEIVER_TEST_EXAMPLES=500 asks for more, and others each time; `--hypothesis-seed` says which
ASKED = os.environ.get("RECEIVER_TEST_EXAMPLES")
EXAMPLES = {"sqlite": int(ASKED or "24"), "postgresql": int(ASKED or "8")}
STEPS = 30

CUSTOMER, VENDOR = 3, 11
MOVES = {
    "vendor": {"customertypecode": VENDOR},
    "customer": {"customertypecode": CUSTOMER},
    "inactive": {"statecode": 1, "statuscode": 2},
    "active": {"statecode": 0, "statuscode": 1},
}
#: what an administrator may change of a mapping
CHANGES = {
    "resolve_deletion_conflicts": list(DeletionConflict),
    "resolve_update_conflicts": list(UpdateConflict),
    "synch_only_coupled_records": [False, True],
    "direction": [Direction.BIDIRECTIONAL, *Direction],
}
which = st.integers(0, 5)
mappings = st.sampled_from(["CUSTOMER", *MAPPINGS])
tables = st.sampled_from(["account", "contact"])
values = st.sampled_from(["Ada", "Bea", "Cis", "Dot"])
columns = st.integers(0, 2)
#: side, mapping, which pair, which column, to what
Edit = tuple[str, str, int, int, str]
edits = st.lists(
    st.tuples(
        st.sampled_from(["here", "there"]), st.sampled_from(["CUSTOMER", "CUSTOMER", "CONTACT"]), which, columns, values
    ),
    min_size=1,
    max_size=3,
)


def chosen(found: list[Any], number: int) -> Any:
    return found[number % len(found)]


@dataclass
class Stage:
    """What examples share: the sandbox, which is swept between them, and one clock."""

    sandbox: Sandbox
    recorder: Recorder
    clock: Clock
    new_database: Callable[[], AbstractContextManager[str]]

    @contextmanager
    def world(self) -> Iterator[World]:
        for table in ("contact", "account"):
            for row in self.sandbox.rows(table):
                self.sandbox.delete(table, row[f"{table}id"], deliver=False)
        self.sandbox.organization.recycle_bin.empty()
        with self.new_database() as url:
            world = World(url, self.sandbox, self.recorder, self.clock)
            try:
                yield world
            finally:
                world.has_capitals = False
                world.end_trouble()
                self.sandbox.autonumber("account", "telephone1", "")
                assert self.sandbox.settle()
                self.recorder.bodies.clear()
                world.close()


@contextmanager
def new_sqlite(template: Path) -> Iterator[str]:
    with TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "receiver.sqlite"
        shutil.copy(template, path)
        yield f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_database(request: pytest.FixtureRequest, kind: str) -> Callable[[], AbstractContextManager[str]]:
    """A new database of this kind for each example."""
    if kind == "sqlite":
        return partial(new_sqlite, request.getfixturevalue("sqlite_template"))
    return partial(new_postgresql, request.getfixturevalue("postgresql"))


@pytest.fixture
def stage(new_database: Callable[[], AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    clock, recorder = Clock(), Recorder()
    chosen_settings = SandboxSettings(page_port=0, api_port=0, seeded=False, delivery_threads=1, now=clock)
    with Sandbox(chosen_settings) as sandbox:
        sandbox.keep_deleted_days = 30
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(sandbox.ca_file))
        # nobody waits in a simulation: the clock goes on, and who finds a lane held comes back another time
        monkeypatch.setattr(runs, "time", SimpleNamespace(sleep=clock.pass_time))
        for module, name, seconds in (
            (held_lanes, "PATIENCE_SECONDS", 0.0),
            (open_record, "PATIENCE_SECONDS", 0.0),
            (open_record, "PATIENCE_COUPLED_SECONDS", 30.0),
            (database, "BUSY_TIMEOUT_MS", 20),
            (client, "PAGE", 2),  # so that there are several pages
        ):
            monkeypatch.setattr(module, name, seconds)
        yield Stage(sandbox, recorder, clock, new_database)
    recorder.close()


class BothSides(UnkindRules, RuleBasedStateMachine):
    """Each rule is something that happens; `settle` brings everything to rest and looks at it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._opened = stage.world()
        self.world = self._opened.__enter__()
        self.agreement = Agreement(self.world)
        self.possessions = Possessions(self.world)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.settle()
        finally:
            self._opened.__exit__(None, None, None)

    @initialize(
        only_coupled=st.lists(st.booleans(), min_size=3, max_size=3),
        deletion=st.sampled_from(DeletionConflict),
        update=st.sampled_from(UpdateConflict),
    )
    def begin(self, only_coupled: list[bool], deletion: DeletionConflict, update: UpdateConflict) -> None:
        for name, is_only in zip(MAPPINGS, only_coupled, strict=True):
            self.world.set(
                name,
                synch_only_coupled_records=is_only,
                resolve_deletion_conflicts=deletion,
                resolve_update_conflicts=update,
            )
            self.world.set_field(name, next(iter(FIELDS[name])), match_on_this_field=True)
        account = self.world.make_row("account", {"name": "Ada", "customertypecode": CUSTOMER})
        key = self.world.insert_local("customer", name="Bea")
        self.world.make_row("contact", {"lastname": "Cis", "parentcustomerid": ("account", account)})
        create.create_from_dataverse(self.world.services, "CUSTOMER", [account], WHO)
        create.create_in_dataverse(self.world.services, "CUSTOMER", [key], WHO)
        self.settle()

    # -- on both sides --

    @rule(made=edits)
    def edit(self, made: list[Edit]) -> None:
        """People edit coupled records, one after the other, on either side."""
        for one in made:
            if (edit := self._edit(*one)) is not None:
                edit()

    @rule(made=edits)
    def edit_and_settle(self, made: list[Edit]) -> None:
        self.edit(made)
        self.settle()

    def _edit(self, where: str, mapping: str, number: int, column: int, value: str) -> Callable[[], None] | None:
        pairs = self.world.couplings(mapping)
        if not pairs:
            return None
        one, (local_table, table) = chosen(pairs, number), TABLES[mapping]
        if where == "here":
            return partial(self._edit_record, mapping, local_table, one.local_id, column, value)
        return partial(self._edit_row, mapping, table, one.dataverse_id, column, value)

    # -- in Dataverse --

    @rule(kind=st.sampled_from([CUSTOMER, VENDOR, None]), name=values, number=which)
    def row_is_made(self, kind: int | None, name: str, number: int) -> None:
        """An account, or a contact of one."""
        if kind is not None:
            self.world.make_row("account", {"name": name, "customertypecode": kind})
        elif accounts := self.world.rows("account"):
            parent = ("account", chosen(accounts, number))
            self.world.make_row("contact", {"lastname": name, "parentcustomerid": parent})

    def _edit_row(self, mapping: str, table: str, id_: str, column: int, value: str) -> None:
        name = chosen(list(FIELDS[mapping].values()), column)
        self.world.edit_row(table, id_, {name: None if value == "Dot" and "name" not in name else value})

    @rule(number=which, how=st.sampled_from([*MOVES, "contact"]), parent=which)
    def row_moves(self, number: int, how: str, parent: int) -> None:
        """Into a filter or out of it; a contact to another company."""
        accounts = self.world.rows("account")
        if how != "contact":
            self._with_row("CUSTOMER", number, lambda table, id_: self.world.edit_row(table, id_, MOVES[how]))
        elif accounts:
            changed = {"parentcustomerid": ("account", chosen(accounts, parent))}
            self._with_row("CONTACT", number, lambda table, id_: self.world.edit_row(table, id_, changed))

    @rule(mapping=mappings, number=which)
    def row_is_deleted(self, mapping: str, number: int) -> None:
        self._with_row(mapping, number, self.world.delete_row)

    def _with_row(self, mapping: str, number: int, do: Callable[[str, str], None]) -> None:
        table = TABLES[mapping][1]
        if rows := self.world.rows(table):
            note(f"  {chosen(rows, number)}")
            do(table, chosen(rows, number))

    # -- in the company --

    @rule(table=st.sampled_from(["customer", "vendor", "contact"]), name=values, number=which)
    def record_is_made(self, table: str, name: str, number: int) -> None:
        """A customer, a vendor, or a person at a customer."""
        customers = self.world.records("customer")
        if table != "contact":
            self.world.insert_local(table, name=name)
        elif customers:
            company = {"company_type": "customer", "company_no": chosen(customers, number)}
            self.world.insert_local("contact", type="Person", surname=name, **company)

    def _edit_record(self, mapping: str, table: str, key: str, column: int, value: str) -> None:
        name = chosen(list(FIELDS[mapping]), column)
        self.world.edit_record(table, key, {name: "" if value == "Dot" and "name" not in name else value})

    @rule(number=which, is_blocked=st.booleans())
    def customer_is_blocked(self, number: int, *, is_blocked: bool) -> None:
        blocked = {"blocked": "All" if is_blocked else ""}
        self._with_record("CUSTOMER", number, lambda table, key: self.world.edit_record(table, key, blocked))

    @rule(mapping=mappings, number=which)
    def record_is_deleted(self, mapping: str, number: int) -> None:
        self._with_record(mapping, number, self.world.delete_local)

    def _with_record(self, mapping: str, number: int, do: Callable[[str, str], None]) -> None:
        table = TABLES[mapping][0]
        if keys := self.world.records(table):
            note(f"  {chosen(keys, number)}")
            do(table, chosen(keys, number))

    # -- on the way --

    @rule(number=which, how=st.sampled_from(["all", "all", "once", "twice", "again as new", "late again", "lost"]))
    def notification_comes(self, number: int, how: str) -> None:
        under_way, arrived = self.world.collect(), self.world.arrived
        if how == "late again":
            if arrived:
                self.world.deliver(chosen(arrived, number), is_new=True)
        elif how == "all":
            while under_way:
                self.world.deliver(under_way.pop(0))
        elif under_way:
            body = under_way.pop(number % len(under_way))
            self.world.is_untold |= how == "lost"
            if how != "lost":
                self.world.deliver(body)
            if how in {"twice", "again as new"}:
                self.world.deliver(body, is_new=how == "again as new")

    @rule(how=st.sampled_from(["work", "tasks", "take", "take two", "go on", "die"]), number=which)
    def worker(self, how: str, number: int) -> None:
        taken = self.world.taken
        if how == "work":
            self.world.work()
        elif how == "tasks":
            self.world.carry_out_tasks()
        elif how.startswith("take"):
            self.world.take_lanes(2 if how == "take two" else 1)
        elif taken and how == "go on":
            self.world.go_on(number % len(taken))
        elif taken:
            taken.pop(number % len(taken))

    @rule(seconds=st.sampled_from([1.0, 7.0, 40.0, 130.0, LONG]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(made=edits)
    def meanwhile(self, made: list[Edit]) -> None:
        """While the receiver next speaks with Dataverse, somebody edits."""
        self.world.meanwhile += [edit for one in made if (edit := self._edit(*one)) is not None]

    # -- what people ask for --

    @rule(number=which, table=tables, creates_new=st.booleans())
    def click(self, number: int, table: str, *, creates_new: bool) -> None:
        if rows := self.world.rows(table):
            id_ = chosen(rows, number)
            self._let_part(lambda: self.world.open(table, id_, creates_new=creates_new))

    @rule(mapping=mappings, number=which, other=which, after=st.sampled_from(AfterCoupling))
    def couple(self, mapping: str, number: int, other: int, after: AfterCoupling) -> None:
        local_table, table = TABLES[mapping]
        keys, rows = self.world.records(local_table), self.world.rows(table)
        if keys and rows:
            key, id_ = chosen(keys, number), chosen(rows, other)
            self._let_part(lambda: set_up_coupling.couple(self.world.services, mapping, key, id_, WHO, after))

    @rule(
        mapping=mappings,
        number=which,
        what=st.sampled_from(["uncouple", "send", "get", "merge", "retry", "restore", "delete", "undo"]),
    )
    def asked_of_a_pair(self, mapping: str, number: int, what: str) -> None:
        pairs = self.world.couplings(mapping)
        if not pairs:
            return
        one, services = chosen(pairs, number), self.world.services
        key, choice = [one.local_id], {"send": Choice.SEND, "get": Choice.GET, "merge": Choice.MERGE}.get(what)
        if what in {"uncouple", "delete"}:
            contacts = self.world.couplings("CONTACT") if what == "uncouple" else []
            gone = [(mapping, one), *(("CONTACT", contact) for contact in contacts)]
            self.world.let_go |= {(name, id_) for name, pair in gone for id_ in (pair.local_id, pair.dataverse_id)}
        if what in {"send", "get", "undo"}:
            self.agreement.loosen(mapping, one.local_id)
        does: dict[str, Callable[[], object]] = {
            "uncouple": lambda: delete_coupling.uncouple(services, mapping, key, WHO),
            "retry": lambda: coupled_errors.retry(services, mapping, key, WHO),
            "restore": lambda: coupled_errors.restore(services, mapping, key, WHO),
            "delete": lambda: coupled_errors.delete(services, mapping, key, WHO),
            "undo": lambda: undo.undo(services, mapping, one.local_id, WHO),
        }
        if what == "delete":
            self.world.deleted |= {one.local_id, one.dataverse_id}
        self._let_part(does.get(what) or (lambda: synchronize_now(services, mapping, key, choice or Choice.SEND, WHO)))

    @rule(
        mapping=mappings,
        what=st.sampled_from(["send", "get", "match", "repair", "run", "run"]),
        toward=st.sampled_from([None, Direction.TO, Direction.FROM]),
        scope=st.sampled_from(Scope),
        is_it=st.booleans(),
        also=st.booleans(),
    )
    def asked_of_a_mapping(
        self, mapping: str, what: str, toward: Direction | None, scope: Scope, *, is_it: bool, also: bool
    ) -> None:
        services, keys = self.world.services, [one.local_id for one in self.world.couplings(mapping)]
        if what == "repair" or (what == "run" and scope is Scope.UNCONDITIONAL) or is_it or len(keys) == 1:
            self.agreement.loosen(mapping)
        choice = Choice.SEND if what == "send" else Choice.GET
        does: dict[str, Callable[[], object]] = {
            "run": lambda: self.world.ask_for_run(mapping, toward, scope),
            "repair": lambda: list(repair(services, verify(services, mapping), WHO)),
            "match": lambda: match.match(services, [mapping], WHO, match.Choices(is_it, also)),
        }
        self._ask(does.get(what) or (lambda: synchronize_now(services, mapping, keys, choice, WHO, is_forced=is_it)))

    @rule(mapping=mappings, number=which, where=st.sampled_from(["here", "there"]))
    def create(self, mapping: str, number: int, where: str) -> None:
        (local_table, table), services = TABLES[mapping], self.world.services
        found = self.world.rows(table) if where == "here" else self.world.records(local_table)
        command = create.create_from_dataverse if where == "here" else create.create_in_dataverse
        if found:
            self._let_part(lambda: command(services, mapping, [chosen(found, number)], WHO))

    def _ask(self, ask: Callable[[], object]) -> None:
        if said := self.world.try_(ask):
            note(f"  {said}")

    def _let_part(self, ask: Callable[[], object]) -> None:
        """A command that may end couplings: those that it ends, a person has ended."""
        before = self.possessions.coupled()
        self._ask(ask)
        self.world.parted |= before - self.possessions.coupled()

    # -- what administrators change --

    @rule(mapping=mappings, name=st.sampled_from(list(CHANGES)), number=which)
    def mapping_is_changed(self, mapping: str, name: str, number: int) -> None:
        if name == "direction":
            self.agreement.loosen(mapping)
        self._set(mapping, **{name: chosen(CHANGES[name], number)})

    @rule(mapping=mappings, number=columns, is_enabled=st.booleans())
    def field(self, mapping: str, number: int, *, is_enabled: bool) -> None:
        name = chosen(list(FIELDS[mapping]), number)
        self._ask(lambda: self.world.set_field(mapping, name, is_enabled=is_enabled))
        self.world.is_mapping_changed = True

    @rule(is_narrow=st.booleans())
    def filter(self, *, is_narrow: bool) -> None:
        narrow = " and telephone1 <> 'Cis'" if is_narrow else ""
        self._set("CUSTOMER", dataverse_filter_text=f"statecode = 0 and customertypecode = {CUSTOMER}{narrow}")

    def _set(self, mapping: str, **changes: Any) -> None:
        self._ask(lambda: self.world.set(mapping, **changes))
        self.world.is_mapping_changed = True

    # -- at rest --

    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.agreement.check()
        self.possessions.check()


@pytest.mark.timeout(400 + max(EXAMPLES.values()) * 20)
def test_at_rest_both_sides_agree_and_nothing_is_lost_or_doubled(stage, kind):
    """After any history, once faults are over, all is delivered and the mappings were run:

    a coupled pair is in step as `verify` says, or what keeps it from that is written down; a change of one side, the
    other untouched, has arrived; no record came twice; each job's counters are the changes that the history tells.
    Nothing is gone that nobody deleted, no name is blank, nobody is parted who was coupled, and everything has a maker.
    """
    chosen_settings = settings(
        settings.get_profile("steady"),
        max_examples=EXAMPLES[kind],
        stateful_step_count=STEPS,
        derandomize=ASKED is None,
        suppress_health_check=list(HealthCheck),
    )

    def both_sides() -> BothSides:
        return BothSides(stage)

    run_state_machine_as_test(both_sides, settings=chosen_settings)


class Deaf(BothSides):
    """Every notification is lost. What a changed mapping makes of what did not change is a person's run, and left out."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.world.is_deaf = True
        self.world.catch_up()  # what was there before the first look is brought in by a person

    def mapping_is_changed(self) -> None: ...

    def field(self) -> None: ...

    def filter(self) -> None: ...


@pytest.mark.timeout(400 + max(EXAMPLES.values()) * 40)
def test_with_every_notification_lost_catch_up_alone_brings_both_sides_to_agree(stage, kind, monkeypatch):
    """The same promises, and no run that a person starts."""
    for module, name, count in ((local_look, "PAGE", 2), (catch_up, "TOGETHER", 2)):
        monkeypatch.setattr(module, name, count)
    chosen_settings = settings(
        settings.get_profile("steady"),
        max_examples=EXAMPLES[kind],
        stateful_step_count=STEPS,
        derandomize=ASKED is None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Deaf(stage), settings=chosen_settings)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_change_that_is_forgotten_is_noticed(stage, monkeypatch):
    """The simulation itself: with one rule broken, the field that the other side left alone is missed."""
    remembered = settlement.remembered
    forgetting = BothSides(stage)
    try:
        forgetting.begin([False] * 3, DeletionConflict.NONE, UpdateConflict.NONE)
        monkeypatch.setattr(
            settlement,
            "remembered",
            lambda sides, merged, *written: remembered(sides, replace(merged, kept=frozenset()), *written),
        )
        forgetting.edit([("there", "CUSTOMER", 0, 0, "Dot"), ("here", "CUSTOMER", 0, 1, "Cis")])
        with pytest.raises(AssertionError, match=r"has no reason|should be one of"):
            forgetting.settle()
    finally:
        forgetting._opened.__exit__(None, None, None)
