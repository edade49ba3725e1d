"""What must hold once both sides have come to rest, and a model of what each field may say by then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from simulation.world import FIELDS, MAPPINGS, TABLES, World
from sqlalchemy import func, select

from receiver.commands.synchronizing.verify import Finding, findings, verify
from receiver.core.coupling import Coupling, Result
from receiver.core.filters import matches
from receiver.core.mapping import Conversion, DeletionConflict, Direction, FieldMapping, TableMapping
from receiver.core.values import Reference, same
from receiver.services import read_columns
from receiver.store.local_tables import LocalTable
from receiver.store.models import (
    history,
    inbox,
    job,
    job_error,
    lane,
    passed_over,
    pending_coupling,
    question,
    uncoupled,
)
from receiver.tables import BY_NAME

Pair = tuple[str, str, str]
NOTHING = object()


@dataclass
class Field:
    """What both sides said when they last agreed, and what each was changed to since."""

    agreed: Any
    local: Any = NOTHING
    dataverse: Any = NOTHING
    #: what came to the row from another record that it is coupled to, if that was sent
    possible: list[Any] = field(default_factory=list)

    @property
    def allowed(self) -> list[Any]:
        """An edit of one side, the other untouched, must have won; of two edits either may have."""
        said = [value for value in (self.local, self.dataverse) if value is not NOTHING]
        return (said or [self.agreed]) + self.possible

    def allows(self, said: Any, *, has_capitals: bool) -> bool:
        """*has_capitals*: Dataverse makes capitals of what is written."""
        if said in self.allowed:
            return True
        return has_capitals and said in [value and value.upper() for value in self.allowed if value is not NOTHING]


@dataclass
class Agreement:
    """Hears of every edit, and is asked when both sides are at rest."""

    world: World
    pairs: dict[Pair, dict[str, Field]] = field(default_factory=dict)
    #: pairs of which force, a one-way mapping or an undo may have overwritten something
    loose: set[Pair] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.world.listeners.append(self.hear)

    def hear(self, side: str, id_: str, values: dict[str, Any]) -> None:
        for pair, fields in self.pairs.items():
            mapping, key, row_id = pair
            if id_ != (key if side == "local" else row_id):
                continue
            for local, remote in FIELDS[mapping].items():
                column = local if side == "local" else remote
                if column in values:
                    setattr(fields[local], side, values[column] or None)
                    if side == "local":
                        self._may_reach_others(pair, remote, values[column] or None)

    def _may_reach_others(self, pair: Pair, remote: str, value: Any) -> None:
        """An account may be coupled to a customer and to a vendor: what one says comes to the other by the row."""
        for other, fields in self.pairs.items():
            if other[2] == pair[2] and other != pair:
                for local in (local for local, column in FIELDS[other[0]].items() if column == remote):
                    fields[local].possible.append(value)

    def follow(self, key: str, new: str) -> None:
        """A record has got another key."""
        self.pairs = {
            (mapping, new if own == key else own, row_id): fields
            for (mapping, own, row_id), fields in self.pairs.items()
        }
        self.loose = {(mapping, new if own == key else own, row_id) for mapping, own, row_id in self.loose}

    def loosen(self, mapping: str, id_: str = "") -> None:
        """Of all pairs of a mapping, or of the one that a local key or a row's id names."""
        self.loose |= {pair for pair in self.pairs if pair[0] == mapping and (not id_ or id_ in pair)}

    # -- at rest --

    def check(self) -> None:
        self._check_counters()
        self._check_nothing_waits()
        for name in MAPPINGS:
            self._check_mapping(self.world.mappings()[name])
            self._check_twins(name)

    def _check_mapping(self, mapping: TableMapping) -> None:
        world, troubled = self.world, dict[Pair, set[str]]()
        coupled = {one.local_id: one for one in world.couplings(mapping.name)}
        assert len({one.dataverse_id for one in coupled.values()}) == len(coupled)
        if mapping.is_enabled:
            verified = verify(world.services, mapping.name)
            for found in findings(world.services, verified.id):
                one = coupled.get(found.local_id)
                reasons = list(self._reasons(mapping, found, one))
                assert reasons, f"{mapping.name}: {found} has no reason; {one}"
                if one is not None:
                    pair = (mapping.name, one.local_id, one.dataverse_id)
                    troubled[pair] = troubled.get(pair, set()) | (set(found.fields) or set(FIELDS[mapping.name]))
        self.pairs = {
            pair: fields
            for pair, fields in self.pairs.items()
            if pair[0] != mapping.name or (pair[1] in coupled and coupled[pair[1]].dataverse_id == pair[2])
        }
        for one in coupled.values() if mapping.is_enabled else ():
            pair = (mapping.name, one.local_id, one.dataverse_id)
            self._check_values(mapping, pair, troubled.get(pair, set()))

    def _check_values(self, mapping: TableMapping, pair: Pair, troubled: set[str]) -> None:
        """Fields in step say what the model allows, and are agreed upon from now on."""
        local_table, table = TABLES[mapping.name]
        record, row = self.world.local(local_table, pair[1]), self.world.sandbox.row(table, pair[2])
        if record is None or row is None:
            return
        known = self.pairs.setdefault(pair, {})
        bidirectional = mapping.direction is Direction.BIDIRECTIONAL
        enabled = {one.local_column for one in mapping.fields if one.is_enabled}
        for local, remote in FIELDS[mapping.name].items():
            if local not in known:
                known[local] = Field(NOTHING)
            if local in troubled or local not in enabled or not bidirectional:
                continue
            assert same(record[local], row[remote]), f"{pair} {local}: {record[local]!r}, {row[remote]!r}"
            allowed = known[local].allowed
            if known[local].agreed is not NOTHING and pair not in self.loose:
                said = record[local] or None
                is_so = known[local].allows(said, has_capitals=self.world.has_capitals)
                assert is_so, f"{pair} {local} is {said!r}, and should be one of {allowed}"
            known[local] = Field(record[local] or None)
        if bidirectional and not troubled:
            self.loose.discard(pair)

    # -- why two sides may differ --

    def _reasons(self, mapping: TableMapping, found: Finding, one: Coupling | None) -> Iterator[str]:
        if one is None:
            yield from self._reasons_to_be_alone(mapping, found)
        else:
            yield from self._reasons_to_differ(mapping, found, one)

    def _reasons_to_differ(self, mapping: TableMapping, found: Finding, one: Coupling) -> Iterator[str]:
        if one.is_skipped:
            yield "skipped"
        if Result.FAILURE in (one.last_from.result, one.last_to.result):
            yield "failed"
        if self._is_asked_about(mapping, one):
            yield "asked about"
        if not self._is_inside(mapping, Direction.TO, one.local_id):
            yield "the record is outside the filter"
        if not self._is_inside(mapping, Direction.FROM, one.dataverse_id):
            yield "the row is outside the filter"
        if found.kind == "explained":
            yield "a rule that verify names"
        elif found.kind != "different":
            # nothing goes from the side that is gone, or toward it
            if mapping.direction is not Direction.BIDIRECTIONAL:
                yield "direction"
        elif self._waits_for_others(mapping, one) or all(
            self._is_explained(mapping, one, name) for name in found.fields
        ):
            yield "it waits for a record that it refers to, or each field has a reason"

    def _reasons_to_be_alone(self, mapping: TableMapping, found: Finding) -> Iterator[str]:
        id_ = found.local_id or found.dataverse_id
        with self.world.services.database.reading() as connection:
            if mapping.synch_only_coupled_records:
                yield "only coupled records"
            is_it = uncoupled.c.source_id == id_
            if connection.execute(select(uncoupled).where(is_it)).first():
                yield "uncoupled by a person"
            if connection.execute(select(job_error).where(job_error.c.source == id_)).first():
                yield "failed"
            if connection.execute(select(question).where(question.c.source_id == id_)).first():
                yield "asked about"
            if connection.execute(select(passed_over).where(passed_over.c.row_id == id_)).first():
                yield "passed over"
            news = select(inbox.c.id).where(inbox.c.row_id == id_, inbox.c.state == "waiting")
            due = select(lane.c.key).where(lane.c.row_id == id_, lane.c.ready_at.is_not(None))
            if connection.execute(news).first() or connection.execute(due).first():
                yield "waiting"
            is_pending = (pending_coupling.c.local_id == id_) | (pending_coupling.c.dataverse_id == id_)
            if connection.execute(select(pending_coupling).where(is_pending, pending_coupling.c.is_open)).first():
                yield "being created"
            was_coupled = (history.c.local_id == id_) | (history.c.dataverse_id == id_)
            was_coupled &= history.c.mapping == mapping.name
            if connection.execute(select(history.c.id).where(was_coupled)).first() and (
                mapping.resolve_deletion_conflicts is DeletionConflict.DELETE_COUPLING
            ):
                yield "its coupling was deleted with the other record"

    def _is_asked_about(self, mapping: TableMapping, one: Coupling) -> bool:
        ids = question.c.source_id.in_([one.local_id, one.dataverse_id])
        with self.world.services.database.reading() as connection:
            return bool(connection.execute(select(question).where(question.c.mapping == mapping.name, ids)).first())

    def _is_inside(self, mapping: TableMapping, toward: Direction, id_: str) -> bool:
        """Whether it exists inside the filter; what is gone is outside of nothing."""
        services = self.world.services
        if toward is Direction.TO:
            with services.database.reading() as connection:
                record = LocalTable(connection, BY_NAME[mapping.local_table]).get(id_)
            return record is None or matches(mapping.local_filter, record.values)
        columns = read_columns(self.world.mappings(), mapping.dataverse_table)
        row = services.dataverse.read(mapping.dataverse_table, id_, columns)
        return row is None or matches(mapping.dataverse_filter, row.values)

    def _is_explained(self, mapping: TableMapping, one: Coupling, name: str) -> bool:
        """Changed at its destination alone under a one-way mapping; or a lookup to what is not coupled."""
        mapped = [row for row in mapping.fields if row.is_enabled and name in (row.local_column, row.dataverse_column)]
        return any(self._is_one_way(mapping, one, row) or self._leads_nowhere(mapping, one, row) for row in mapped)

    def _waits_for_others(self, mapping: TableMapping, one: Coupling) -> bool:
        """A lookup that leads nowhere keeps the whole record back, where it is not cleared."""
        lookups = [row for row in mapping.fields if row.is_enabled and not row.clear_value_on_failed_sync]
        return any(self._leads_nowhere(mapping, one, row) for row in lookups)

    def _is_one_way(self, mapping: TableMapping, one: Coupling, row: FieldMapping) -> bool:
        direction = mapping.direction if row.direction is Direction.BIDIRECTIONAL else row.direction
        if direction is Direction.BIDIRECTIONAL:
            return False
        if mapping.direction not in {Direction.BIDIRECTIONAL, direction}:
            return True
        base, values = one.source_base(direction), self._source_values(mapping, one, direction)
        column = row.local_column if direction is Direction.TO else row.dataverse_column
        return column is None or base is None or same(base.get(column), values.get(column))

    def _source_values(self, mapping: TableMapping, one: Coupling, toward: Direction) -> Any:
        if toward is Direction.TO:
            return self.world.local(mapping.local_table, one.local_id) or {}
        columns = read_columns(self.world.mappings(), mapping.dataverse_table)
        row = self.world.services.dataverse.read(mapping.dataverse_table, one.dataverse_id, columns)
        return {} if row is None else row.values

    def _leads_nowhere(self, mapping: TableMapping, one: Coupling, row: FieldMapping) -> bool:
        if row.conversion not in {Conversion.LOOKUP, Conversion.LOOKUP_TABLE}:
            return False
        target = self._source_values(mapping, one, Direction.FROM).get(row.dataverse_column or "")
        key = (self.world.local(mapping.local_table, one.local_id) or {}).get(row.local_column or "")
        pairs = [pair for name in row.related for pair in self.world.couplings(name)]
        is_row_coupled = isinstance(target, Reference) and target.id in {pair.dataverse_id for pair in pairs}
        return not is_row_coupled or key not in {pair.local_id for pair in pairs}

    # -- twice --

    def _check_twins(self, name: str) -> None:
        """No two records of one row, no two rows of one record, but for what a person uncoupled."""
        local_table, table = TABLES[name]
        records, rows = set(self.world.records(local_table)), set(self.world.rows(table))
        query = select(history).where(history.c.mapping == name, history.c.decision == "Insert")
        with self.world.services.database.reading() as connection:
            inserted = connection.execute(query.order_by(history.c.id)).all()
        made_here = Counter(
            one.dataverse_id
            for one in {(one.dataverse_id, one.local_id): one for one in inserted}.values()
            if one.direction == Direction.FROM
            and one.local_id in records
            and not {(name, one.local_id), (name, one.dataverse_id)} & self.world.let_go
        )
        made_there = Counter(
            one.local_id
            for one in {(one.dataverse_id, one.local_id): one for one in inserted}.values()
            if one.direction == Direction.TO
            and one.dataverse_id in rows
            and not {(name, one.local_id), (name, one.dataverse_id)} & self.world.let_go
        )
        assert all(count == 1 for count in made_here.values()), f"{name}: records made twice of {made_here}"
        assert all(count == 1 for count in made_there.values()), f"{name}: rows made twice of {made_there}"

    # -- figures --

    def _check_counters(self) -> None:
        with self.world.services.database.reading() as connection:
            jobs = connection.execute(select(job)).all()
            errors = Counter(connection.execute(select(job_error.c.job)).scalars())
            told = Counter(tuple(one) for one in connection.execute(select(history.c.mapping, history.c.decision)))
            stored_count = connection.execute(select(func.count()).select_from(inbox)).scalar_one()
            states = Counter(connection.execute(select(inbox.c.state)).scalars())
        counted: Counter[tuple[str, str]] = Counter()
        for one in jobs:
            assert one.finished_at is not None, f"job {one} never ended"
            assert one.failed <= errors[one.id] <= one.failed + one.skipped, f"{one}: {errors[one.id]} errors"
            counted[one.mapping, "Insert"] += one.inserted
            counted[one.mapping, "Modify"] += one.modified
        assert +counted == told
        assert stored_count == self.world.delivered
        assert set(states) <= {"done", "ignored", "failed"}, states

    def _check_nothing_waits(self) -> None:
        query = select(lane).where(lane.c.ready_at.is_not(None) | lane.c.owner.is_not(None))
        with self.world.services.database.reading() as connection:
            waiting = connection.execute(query).all()
        assert not waiting, waiting
