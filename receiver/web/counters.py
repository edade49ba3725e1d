"""What the processes of one machine count, by prometheus_client: in one folder, so that any of them tells of all.

Processes that share no folder (containers, machines) each tell of their own; Prometheus adds them up.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from receiver.core import measured

#: prometheus_client's own variable; it is read when that is imported, and so set before
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "receiver_"

#: name: (meaning, labels)
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "notifications_received": ("Requests that reached the door.", ()),
    "notifications_acknowledged": ("Notifications that were stored and answered 202.", ()),
    "applied": ("Records decided, by mapping, direction and outcome.", ("mapping", "direction", "outcome")),
    "dataverse_calls": ("Requests to Dataverse, by operation and how they were answered.", ("operation", "answer")),
}
#: name: (meaning, labels, upper bounds in seconds)
HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "notification_seconds": (
        "From a notification's arrival until it was applied.",
        (),
        (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
    ),
    "dataverse_seconds": (
        "How long Dataverse took to answer.",
        ("operation",),
        (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    ),
}


def folder_of(settings: Mapping[str, str]) -> Path:
    """The folder of this machine's counts: the setting's, else one of the database's own beneath the temporary one."""
    named = settings.get("RECEIVER_METRICS_DIR", "")
    return Path(named) if named else Path(tempfile.mkdtemp(prefix="receiver-metrics-"))


def begin(folder: Path) -> None:
    """Before anything of prometheus_client is imported: where counts are kept."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[FOLDER] = str(folder)


def forget_process(pid: int) -> None:
    """A process has ended: its gauges are no more, its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead

    with suppress(OSError):
        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # it ships none for this


class PrometheusSink:
    """Keeps what `core.measured` tells of."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        # apart from the default registry: the collected answer comes from the folder, or from this process alone
        self.registry = CollectorRegistry()
        self._counters = {
            name: Counter(PREFIX + name, meaning, labels, registry=self.registry)
            for name, (meaning, labels) in COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(PREFIX + name, meaning, labels, registry=self.registry, buckets=bounds)
            for name, (meaning, labels, bounds) in HISTOGRAMS.items()
        }

    def count(self, name: str, labels: dict[str, str], amount: int) -> None:
        found = self._counters[name]
        (found.labels(**labels) if labels else found).inc(amount)

    def took(self, name: str, labels: dict[str, str], seconds: float) -> None:
        found = self._histograms[name]
        (found.labels(**labels) if labels else found).observe(seconds)


def keep() -> PrometheusSink:
    """Have this process count from now on."""
    sink = PrometheusSink()
    measured.keep_in(sink)
    return sink
