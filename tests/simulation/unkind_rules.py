"""What an unkind world does besides: answers, privileges, rows out of sight, backups, plug-ins, locks, new keys."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import rule
from simulation.odd_answers import COUNTED, METHODS, ODD
from simulation.unkind_database import EVENTS, TABLES
from simulation.world import MAPPINGS, in_capitals
from simulation.world import TABLES as TABLES_OF

from receiver.errors import StoreUnavailableError
from receiver.sandbox import ApiError

which = st.integers(0, 5)
mappings = st.sampled_from(["CUSTOMER", *MAPPINGS])
PRIVILEGES = [f"prv{verb}{table}" for table in ("Account", "Contact") for verb in ("Read", "Write", "Create", "Append")]
OTHER_HOST = "org.api.crm4.dynamics.com"
#: half an emoji, and what JSON and SQL cannot hold: only a plug-in brings them into a row
ODD_THERE = ["Nord\ud83d", "\ude00wind", "/Date(1506409448000)/", "\U0001f600" * 20]
ODD_HERE = ["Nord\x01wind", "\U0001f44d\U0001f3fd", "N" * 49 + "\U0001f600", "Nord\twind", "Straße  "]


def refuses_cis(_message: str, values: dict[str, Any]) -> None:
    if "Cis" in (values.get("name"), values.get("lastname")):
        raise ApiError(400, "0x80040265", "Cis is not wanted.")


def misses_somebody(_message: str, values: dict[str, Any]) -> None:
    if "Bea" in (values.get("name"), values.get("telephone1")):
        raise ApiError(404, "0x80040217", "systemuser With Id = 5e000000-0000-4000-8000-000000000001 Does Not Exist")


class UnkindRules:
    """A part of the machine of both sides; it uses what that offers."""

    world: Any
    agreement: Any

    # -- between the two --

    @rule(
        what=st.sampled_from(list(ODD)),
        method=st.sampled_from(METHODS),
        times=st.integers(1, 3),
        is_in_batch=st.booleans(),
    )
    def odd_answer(self, what: str, method: str, times: int, *, is_in_batch: bool) -> None:
        in_batch = is_in_batch and bool(ODD[what].status)
        answer = replace(
            ODD[what], method=method if in_batch or method != "PATCH" else "", times=times, in_batch=in_batch
        )
        self.world.sandbox.faults.answers.append(answer)

    @rule(fault=st.sampled_from(COUNTED), count=st.integers(1, 3))
    def trouble(self, fault: str, count: int) -> None:
        setattr(self.world.sandbox.faults, fault, count)

    @rule(is_other=st.booleans())
    def links_have_another_host(self, *, is_other: bool) -> None:
        self.world.sandbox.faults.other_host = OTHER_HOST if is_other else ""

    # -- the environment --

    @rule(mapping=mappings, number=which, is_hidden=st.sampled_from([True, True, False]))
    def out_of_sight(self, mapping: str, number: int, *, is_hidden: bool) -> None:
        """What the receiver was told meanwhile of such a row only a run finds."""
        sandbox = self.world.sandbox
        self._with_row(mapping, number, sandbox.hide if is_hidden else sandbox.show)
        self.world.is_untold = True

    @rule(privilege=st.sampled_from(PRIVILEGES), is_withheld=st.sampled_from([True, True, False]))
    def privilege(self, privilege: str, *, is_withheld: bool) -> None:
        withheld = self.world.sandbox.organization.withheld
        withheld.add(privilege) if is_withheld else withheld.discard(privilege)

    @rule(what=st.sampled_from(["capitals", "refuses", "misses", "numbers", "none"]))
    def plug_in(self, what: str) -> None:
        sandbox, table = self.world.sandbox, "account"
        if what == "capitals" and not self.world.has_capitals:
            self.world.has_capitals = True
            sandbox.plug_in(table, in_capitals)
        elif what in {"refuses", "misses"}:
            sandbox.plug_in(table, refuses_cis if what == "refuses" else misses_somebody)
        elif what in {"numbers", "none"}:
            sandbox.autonumber(table, "telephone1", "ACC-{:05d}" if what == "numbers" else "")

    @rule()
    def backed_up(self) -> None:
        self.backup = self.world.sandbox.backup()

    @rule()
    def backup_is_put_back(self) -> None:
        """What Dataverse says then is what it said when the backup was made."""
        if (backup := getattr(self, "backup", None)) is not None:
            self.world.collect().clear()
            self.world.put_back(backup)
            self.agreement.pairs.clear()

    @rule(number=which)
    def row_is_restored(self, number: int) -> None:
        if found := self.world.in_bin:
            self.world.restore_row(*found.pop(number % len(found)))

    @rule(mapping=mappings, number=which, text=st.sampled_from(ODD_THERE))
    def odd_text_there(self, mapping: str, number: int, text: str) -> None:
        column = "telephone1" if len(text) < 10 else "name" if mapping != "CONTACT" else "lastname"
        self._with_row(mapping, number, lambda table, id_: self.world.edit_row(table, id_, {column: text}))

    # -- the company --

    @rule(mapping=mappings, number=which, text=st.sampled_from(ODD_HERE))
    def odd_text_here(self, mapping: str, number: int, text: str) -> None:
        self._with_record(mapping, number, lambda table, key: self.world.edit_record(table, key, {"phone_no": text}))

    @rule(number=which, amount=st.sampled_from(["1234.56789", "0.004", "-7.005", "100"]))
    def credit_limit(self, number: int, amount: str) -> None:
        values = {"credit_limit_lcy": Decimal(amount)}
        self._with_record("CUSTOMER", number, lambda table, key: self.world.edit_record(table, key, values))

    @rule(
        table=st.sampled_from(TABLES),
        event=st.sampled_from(EVENTS),
        phone_no=st.sampled_from(["", "", "Ada", "Bea"]),
        number=which,
        is_on=st.sampled_from([True, True, False]),
    )
    def database_refuses(self, table: str, event: str, phone_no: str, number: int, *, is_on: bool) -> None:
        if is_on:
            self.world.rules.refuse(table, event, phone_no, number)
        else:
            self.world.rules.relent()

    @rule(mapping=mappings, number=which)
    def another_program_holds_a_record(self, mapping: str, number: int) -> None:
        """A worker that has its lanes already meets the lock."""
        world, table = self.world, TABLES_OF[mapping][0]
        world.take_lanes(3)
        keys = world.records(table)
        with world.rules.held_by_another_program(table, keys[number % len(keys)] if keys else ""):
            while world.taken:
                try:
                    world.go_on(0)
                except StoreUnavailableError as error:
                    note(f"  {error}")

    @rule(mapping=mappings, number=which, is_at_rest=st.booleans())
    def key_is_changed(self, mapping: str, number: int, *, is_at_rest: bool) -> None:
        """At rest it is known which record it was; one that was edited as well may be any other."""
        if is_at_rest:
            self.settle()
        self._with_record(mapping, number, self._rename if is_at_rest else self._replace)
        if is_at_rest:
            self.settle()

    def _rename(self, table: str, key: str) -> None:
        if not self.world.says_what_it_said(table, key):
            self._replace(table, key)
            return
        new = self.world.rename(table, key)
        self.agreement.follow(key, new)
        self.possessions.follow(key, new)

    def _replace(self, table: str, key: str) -> None:
        self.world.deleted |= {key, self.world.rename(table, key)}

    @rule(mapping=mappings, number=which)
    def deleted_meanwhile(self, mapping: str, number: int) -> None:
        """A record, while the receiver next speaks with Dataverse: its row may be created just then."""
        world, table = self.world, TABLES_OF[mapping][0]
        if keys := world.records(table):
            world.meanwhile.append(lambda: world.delete_local(table, keys[number % len(keys)]))
