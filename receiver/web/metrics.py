"""`/metrics` in Prometheus's text format: what the database knows, read when it is asked for, and what was counted.

Labels are tables, mappings, outcomes and reasons, never a record; so their number is bounded by the set-up.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from receiver.commands.following.in_step import Status, status
from receiver.commands.synchronizing.verify import last
from receiver.errors import ReceiverError
from receiver.runs import schedule
from receiver.services import Services
from receiver.store import door_refusals, gates, standings, tracking
from receiver.web.counters import FOLDER, PREFIX, PrometheusSink

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(services: Services, sink: PrometheusSink | None) -> bytes:
    """The whole answer. A database that is away is said by `receiver_database_up`, and the rest of it is left out."""
    registry = CollectorRegistry()
    if os.environ.get(FOLDER):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it ships none for this
    registry.register(_FromDatabase(services))
    answer = bytes(generate_latest(registry))
    if sink is not None and not os.environ.get(FOLDER):
        answer += bytes(generate_latest(sink.registry))
    return answer


class _FromDatabase(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        return []  # else registering would collect once, for nothing

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(self._collected())
        except ReceiverError:
            yield _gauge("database_up", "Whether the database can be used.", 0)
            return
        yield _gauge("database_up", "Whether the database can be used.", 1)
        yield from found

    def _collected(self) -> Iterator[Metric]:
        services, now = self._services, self._services.clock()
        found = status(services)
        yield from _of_status(found)
        with services.database.reading() as connection:
            yield _labelled(
                "inbox_notifications", "Notifications in the inbox.", "state", standings.by_state(connection)
            )
            yield _labelled(
                "lanes_waiting", "Lanes that wait for a row of a table.", "table", standings.waits(connection)
            )
            backlog, oldest, per_second = standings.backlog(connection, now)
            troubled = standings.troubled(connection)
            tables, refused = tracking.tables(connection), door_refusals.listed(connection)
            closed = {one.name: 1 for one in gates.found(connection)}
            couplings = standings.couplings(connection)
            seen = standings.workers(connection, now)
            sizes = standings.sizes(connection)
        yield _gauge("backlog_lanes", "Lanes with work that is due.", backlog)
        yield _gauge("troubled_lanes", "Lanes that are tried again and again.", troubled)
        yield _gauge("oldest_unapplied_seconds", "How long the oldest unapplied change waits.", _age(now, oldest))
        pace = backlog / per_second if per_second else math.inf if backlog else 0.0
        yield _gauge("drain_seconds", "How long the backlog takes at the pace of five minutes.", pace)
        yield _labelled("gate_closed", "Gates that keep requests from Dataverse.", "gate", closed)
        yield _labelled("workers", "Workers, by whether they were seen within a minute.", "seen", seen)
        yield _labelled("table_bytes", "Size of the receiver's own tables.", "table", sizes)
        yield _counter(
            "refused", "Requests refused at the door.", "reason", {one: refused[one].count for one in refused}
        )
        yield _counter(
            "catch_up_found",
            "Changes that no notification told of.",
            "table",
            {one: tables[one].found for one in tables},
        )
        looked = {one.name: one.read_at.timestamp() for one in tables.values() if one.read_at is not None}
        yield _labelled("catch_up_read_timestamp_seconds", "Up to when a table is known.", "table", looked)
        yield from self._of_schedule(now)
        pairs = GaugeMetricFamily(PREFIX + "couplings", "Couplings, by mapping and state.", labels=("mapping", "state"))
        for (mapping, state), count in couplings.items():
            pairs.add_metric((mapping, state), count)
        yield pairs
        yield from self._of_verifications(found)
        pool = services.database.engine.pool
        if hasattr(pool, "checkedout"):
            yield _gauge("pool_used", "Database connections in use in this process.", pool.checkedout())

    def _of_schedule(self, now: datetime) -> Iterator[Metric]:
        late = GaugeMetricFamily(
            PREFIX + "schedule_late_seconds", "How late what runs by itself is.", labels=("what", "subject")
        )
        good = GaugeMetricFamily(
            PREFIX + "schedule_good", "Whether it went well the last time.", labels=("what", "subject")
        )
        for one in schedule.listed(self._services):
            names = (one.due.what, one.due.subject)
            late.add_metric(names, max((now - one.due.next_at).total_seconds(), 0.0) if not one.is_paused else 0.0)
            good.add_metric(names, int(one.due.is_good))
        yield late
        yield good

    def _of_verifications(self, found: Status) -> Iterator[Metric]:
        kinds = GaugeMetricFamily(
            PREFIX + "verification_findings", "What the last verification found.", labels=("mapping", "finding")
        )
        at = GaugeMetricFamily(PREFIX + "verification_timestamp_seconds", "When it began.", labels=("mapping",))
        for one in found.standings:
            verified = last(self._services, one.mapping)
            if verified is not None:
                at.add_metric((one.mapping,), verified.started_at.timestamp())
                for kind, count in verified.counts.items():
                    kinds.add_metric((one.mapping, kind), count)
        yield kinds
        yield at


def _of_status(found: Status) -> Iterator[Metric]:
    in_step = GaugeMetricFamily(PREFIX + "in_step", "Whether a mapping is known to be in step.", labels=("mapping",))
    as_of = GaugeMetricFamily(
        PREFIX + "in_step_as_of_timestamp_seconds", "Up to when it is known to be.", labels=("mapping",)
    )
    hindered = GaugeMetricFamily(
        PREFIX + "hindrances", "What keeps a mapping, or all of them, from being in step.", labels=("mapping", "kind")
    )
    counted: dict[tuple[str, str], int] = {}
    for one in found.standings:
        in_step.add_metric((one.mapping,), int(one.is_in_step and not found.of_all))
        if one.as_of is not None:
            as_of.add_metric((one.mapping,), one.as_of.timestamp())
        for hindrance in one.hindrances:
            counted[one.mapping, hindrance.kind] = counted.get((one.mapping, hindrance.kind), 0) + 1
    for hindrance in found.of_all:
        counted["", hindrance.kind] = counted.get(("", hindrance.kind), 0) + 1
    for labels, count in counted.items():
        hindered.add_metric(labels, count)
    yield in_step
    yield as_of
    yield hindered


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, meaning, value=value)


def _labelled(name: str, meaning: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    found = GaugeMetricFamily(PREFIX + name, meaning, labels=(label,))
    for key, value in values.items():
        found.add_metric((key,), value)
    return found


def _counter(name: str, meaning: str, label: str, values: dict[str, int]) -> Metric:
    found = CounterMetricFamily(PREFIX + name, meaning, labels=(label,))
    for key, value in values.items():
        found.add_metric((key,), value)
    return found


def _age(now: datetime, since: datetime | None) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
