"""Programs that run until they are asked to stop: the receiver, its worker, the tour."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading

import click

from receiver.cli.shared import services, settings, with_application
from receiver.core.away import Away
from receiver.errors import SchemaError, StoreUnavailableError


@click.command()
@click.option("--port", envvar="RECEIVER_PORT", default=8000, show_default=True, help="Port to listen on.")
def run(port: int) -> None:
    """Run the receiver and its worker, in the foreground."""
    from receiver.server.processes import run_receiver

    sys.exit(run_receiver(port))


@click.command()
def tour() -> None:
    """Run receiver, worker and sandbox together: the product without a tenant."""
    from receiver.server.tour import run_tour

    sys.exit(run_tour(os.environ))


@click.command()
@with_application
def worker() -> None:
    """Run a worker, until it is asked to stop; it finishes what it holds."""
    from receiver.server import logs
    from receiver.server.metrics_server import answering
    from receiver.server.processes import stop_signal
    from receiver.server.worker import Worker
    from receiver.settings_file import overlaid
    from receiver.web import counters

    said = overlaid(os.environ)
    logs.configure(said)
    if said.get("RECEIVER_METRICS_DIR"):
        counters.begin(counters.folder_of(said))
    sink = counters.keep()
    stop = stop_signal()
    away = Away(logging.getLogger(__name__), "What the worker works on")
    while not _schema_is_known(stop, away):
        continue
    if stop.is_set():
        return
    gc.freeze()  # what is loaded stays; to look through it for garbage would hold everything up for 70 ms
    with services().database.worked_on_alone(), answering(said.get("RECEIVER_METRICS_BIND", ""), services(), sink):
        Worker(services(), settings().worker_threads).run(stop)


def _schema_is_known(stop: threading.Event, away: Away) -> bool:
    """Whether the worker can begin, or is to stop; a database that is away, or of another version, is asked again."""
    from receiver.store import schema
    from receiver.store.wake import LOOK_AGAIN_SECONDS

    try:
        schema.check(services().database)
    except (StoreUnavailableError, SchemaError) as error:
        away.away(f"{error} The worker waits for it.")
        return stop.wait(LOOK_AGAIN_SECONDS)
    away.back()
    return True


COMMANDS = (run, tour, worker)
