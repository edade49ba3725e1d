"""The worker: threads that lease lanes and process them, a heart that beats, and a test of the connection."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy import delete

from receiver.commands.at_set_times import AT_SET_TIMES
from receiver.commands.procedures import PROCEDURES
from receiver.core.away import Away
from receiver.core.background import in_background
from receiver.engine.process import process, process_read, process_together
from receiver.errors import BusyError, ReceiverError, SchemaError, StoreUnavailableError
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.lanes.ready import ready
from receiver.runs import schedule, tasks
from receiver.runs.local_edits import LocalChanges
from receiver.services import Services
from receiver.store import schema
from receiver.store.models import worker
from receiver.store.upsert import upsert
from receiver.store.wake import LOOK_AGAIN_SECONDS, Listener

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
#: how often a worker looks whether the database has its schema again
STANDS_STILL_SECONDS = 5.0
#: how many lanes share a transaction; more gain little and keep the first record waiting longer
LANES_TOGETHER = 100
STARTED = "the worker was started"
#: how often it is looked whether what runs by itself runs for other tables and mappings
ROWS_KEPT_SECONDS = 10.0
FORGET_WORKERS_AFTER = timedelta(days=1)


class Worker:
    """One process's worker. On SQLite one process is enough and all there may be; PostgreSQL takes any number."""

    def __init__(self, services: Services, threads: int) -> None:
        self._services = services
        self._name = lanes.new_owner()
        self._stopped = threading.Event()
        self._ready = threading.Condition()
        self._rings = 0
        self._schema_was_ours = -LOOK_AGAIN_SECONDS
        self._looking_at_schema = threading.Lock()
        self._schema_away = Away(log, "The schema that this version needs")
        #: lanes held by this worker that are worked on one by one
        self._alone: deque[Lease] = deque()
        self._together = threading.Lock()
        self._threads = [threading.Thread(target=self._work, name=f"lane-{number}") for number in range(threads)]
        if not services.database.is_sqlite:
            self._threads.append(threading.Thread(target=self._hear_local_changes, name="local changes"))
        self._threads += [
            threading.Thread(target=self._carry_out_tasks, name="tasks"),
            threading.Thread(target=self._run_long, name="schedule"),
            threading.Thread(target=self._run_short, name="tests and alerts"),
            threading.Thread(target=self._listen, name="listen"),
            threading.Thread(target=self._beat, name="beat"),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is held and end; new work is left for the next worker."""
        self._stopped.set()
        with self._ready:
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def run(self, until: threading.Event) -> None:
        """Work until *until* is set."""
        self.start()
        until.wait()
        self.stop()

    def _work(self) -> None:
        self._go_on(lambda: self._process_one_alone() or self._process_many(), "lanes", lambda: bool(self._alone))

    def _go_on(self, step: Callable[[], bool], what: str, is_held: Callable[[], bool] = lambda: False) -> None:
        """Step after step until the worker stops and nothing *is_held*, with a rest where one found nothing to do."""
        while is_held() or not self._stopped.is_set():
            rings = self._rings
            try:
                self._check_schema()
                is_idle = not step()
                self._schema_away.back()
                if is_idle:
                    self._sleep(rings)
            except SchemaError as error:
                self._schema_away.away(f"{error} The worker stands still, and goes on by itself.")
                self._stopped.wait(STANDS_STILL_SECONDS)
            except (StoreUnavailableError, BusyError) as error:
                log.debug("No %s: %s", what, error)  # the database itself tells that it is away, and back
                self._stopped.wait(LOOK_AGAIN_SECONDS)
            except Exception:
                log.exception("The thread of %s met something nobody foresaw; it goes on in a second.", what)
                self._stopped.wait(LOOK_AGAIN_SECONDS)

    def _check_schema(self) -> None:
        """At most once a second, by one of the threads, for all of them. Raises: SchemaError; StoreUnavailableError."""
        if not self._is_schema_known:
            with self._looking_at_schema:
                if not self._is_schema_known:
                    schema.check(self._services.database)
                    self._schema_was_ours = time.monotonic()

    @property
    def _is_schema_known(self) -> bool:
        return time.monotonic() - self._schema_was_ours < LOOK_AGAIN_SECONDS

    def _process_one_alone(self) -> bool:
        try:
            lease = self._alone.popleft()
        except IndexError:
            return False
        process(self._services, lease)
        return True

    def _process_many(self) -> bool:
        """One thread at a time: what needs no waiting gains nothing from a second one in the same interpreter."""
        if not self._together.acquire(blocking=False):
            return False
        try:
            leases = lease_ready(self._services)
            alone = process_together(self._services, leases)
        finally:
            self._together.release()
        alone = process_read(self._services, alone)
        self._alone.extend(alone)
        if len(alone) > 1:
            self._ring()
        return bool(leases)

    def _carry_out_tasks(self) -> None:
        """One long command at a time; notifications go on beside it."""
        with in_background():
            self._go_on(lambda: tasks.carry_out_next(self._services, PROCEDURES, self._stopped), "tasks")

    def _run_long(self) -> None:
        """What has set times and may take long; after an outage, ours or the database's, it looks what was missed."""
        kept = -ROWS_KEPT_SECONDS
        owed = STARTED
        long = {what: one for what, one in AT_SET_TIMES.items() if not schedule.SHIPPED[what].is_short}

        def step() -> bool:
            nonlocal kept, owed
            if time.monotonic() - kept >= ROWS_KEPT_SECONDS:
                schedule.keep_rows(self._services)
                kept = time.monotonic()
            if owed:
                schedule.hasten(self._services, owed, is_news=owed != STARTED)
                owed = ""
            try:
                return self._run_next(long)
            except (StoreUnavailableError, SchemaError):
                owed = "the database was away"
                raise

        self._go_on(step, "what runs by itself")

    def _run_short(self) -> None:
        """What must not wait for a long look: the test of the connection, and what is told outside."""
        short = {what: one for what, one in AT_SET_TIMES.items() if schedule.SHIPPED[what].is_short}
        self._go_on(lambda: self._run_next(short), "what is tested and told")

    def _run_next(self, procedures: Mapping[str, schedule.Procedure]) -> bool:
        if not schedule.run_next(self._services, procedures):
            self._stopped.wait(LOOK_AGAIN_SECONDS)  # it does not look each time a notification rings
        return True

    def _sleep(self, rings: int) -> None:
        with self._ready:
            self._ready.wait_for(lambda: self._rings != rings or self._stopped.is_set(), LOOK_AGAIN_SECONDS)

    def _listen(self) -> None:
        listener: Listener | None = None
        while not self._stopped.is_set():
            try:
                listener = listener or self._services.waker.listener()
                if listener.wait(LOOK_AGAIN_SECONDS / 2):
                    self._ring()
            except OSError as error:
                log.warning("Nobody can ring for this worker (%s); it looks each second.", error)
                self._stopped.wait(LOOK_AGAIN_SECONDS)
        if listener is not None:
            listener.close()

    def _hear_local_changes(self) -> None:
        heard = LocalChanges(self._services)

        def step() -> bool:
            heard.step(LOOK_AGAIN_SECONDS / 2, self._stopped.wait)
            return True  # it has waited for edits itself

        self._go_on(step, "local edits")
        heard.close()

    def _ring(self) -> None:
        with self._ready:
            self._rings += 1
            self._ready.notify_all()

    def _beat(self) -> None:
        started = self._services.clock()
        while not self._stopped.is_set():
            try:
                self._check_schema()
                self._record_heartbeat(started)
            except ReceiverError as error:
                log.debug("No heartbeat: %s", error)
            except Exception:
                log.exception("The heartbeat met something nobody foresaw; it beats on.")
            self._stopped.wait(HEARTBEAT_SECONDS)

    def _record_heartbeat(self, started: object) -> None:
        now = self._services.clock()
        with self._services.database.writing() as connection:
            statement = upsert(connection, worker).values(id=self._name, started_at=started, seen_at=now)
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"seen_at": now}))
            connection.execute(delete(worker).where(worker.c.seen_at < now - FORGET_WORKERS_AFTER))


def lease_ready(services: Services) -> list[Lease]:
    """The lanes that are ready now, as many as are worked on together. Raises: StoreUnavailableError."""
    services.left_behind.give_back(services.database)
    now, owner = services.clock(), lanes.new_owner()
    with services.database.reading() as connection:
        found = ready(connection, now, LANES_TOGETHER)
    if not found:
        return []
    time_held = (now, services.options.lease_seconds)
    try:
        with services.database.writing() as connection:
            return lanes.lease_found(connection, owner, time_held, found, LANES_TOGETHER)
    except StoreUnavailableError:
        services.left_behind.add(owner)  # the lease may have been committed, and only the answer be lost
        raise


def run_ready(services: Services) -> bool:
    """Lease lanes that are ready and process them; whether there were any. Raises: StoreUnavailableError."""
    leases = lease_ready(services)
    for lease in process_read(services, process_together(services, leases)):
        process(services, lease)
    return bool(leases)
