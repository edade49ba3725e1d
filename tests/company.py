"""A company under test: the real application on a real database, its worker turned by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from werkzeug.serving import make_server

from receiver import create_app
from receiver.commands.at_set_times import AT_SET_TIMES
from receiver.commands.connection.steps import steps_to_register
from receiver.commands.connection.test_connection import test_connection
from receiver.commands.following import notifications as notification_commands
from receiver.commands.mappings import change_mapping as mapping_commands
from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing.open_record import Answer, Offered, open_record
from receiver.core.coupling import Coupling
from receiver.core.mapping import Direction
from receiver.engine.work import Chosen
from receiver.runs import schedule
from receiver.runs.tasks import carry_out_next
from receiver.sandbox import Sandbox, ServiceEndpoint, Step
from receiver.server.worker import Worker, run_ready
from receiver.services import Services
from receiver.store import couplings, schedules, triggers
from receiver.store.local_tables import LocalTable
from receiver.store.models import job, job_error
from receiver.store.schedules import Due
from receiver.tables import BY_NAME

KEY = "the-key"
ADMIN_TOKEN = "the-admin-token"
OPEN_TOKEN = "the-open-token"


class Company:
    """`sandbox` is its Dataverse, `services` its receiver; `work()` does what a worker would do until now."""

    def __init__(self, database_url: str, sandbox: Sandbox, **settings: str) -> None:
        self.sandbox = sandbox
        self._ahead = timedelta()
        self._stands: datetime | None = None
        #: what a test's preparation hands on to its cases
        self.kept: dict[str, Any] = {}
        self.environment = {
            "RECEIVER_DATABASE_URL": database_url,
            "RECEIVER_WEBHOOK_KEYS": KEY,
            "RECEIVER_DATAVERSE_URL": sandbox.api_url,
            "RECEIVER_AUTHORITY": sandbox.authority,
            "RECEIVER_TENANT_ID": sandbox.tenant_id,
            "RECEIVER_CLIENT_ID": sandbox.client_id,
            "RECEIVER_CLIENT_SECRET": sandbox.client_secret,
            "RECEIVER_ADMIN_TOKEN": ADMIN_TOKEN,
            "RECEIVER_OPEN_TOKEN": OPEN_TOKEN,
            **settings,
        }
        self.app = create_app(self.environment, self.now)
        self.services: Services = self.app.extensions["receiver"]
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self._server.daemon_threads = False  # closing it waits for what Dataverse still delivers
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        found = test_connection(self.services)
        assert found.is_good, found.said
        self.register_steps()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.services.close()

    # -- time and work --

    def now(self) -> datetime:
        return (self._stands or datetime.now(UTC)) + self._ahead

    def stop_the_clock(self) -> None:
        """Only `pass_time` moves it from now on: how long the machine takes says nothing."""
        self._stands = datetime.now(UTC)

    def pass_time(self, seconds: float) -> None:
        """The receiver's clock goes on; nobody waits."""
        self._ahead += timedelta(seconds=seconds)

    def work(self) -> None:
        """Wait until Dataverse has delivered, then process what is ready."""
        assert self.sandbox.settle()
        while run_ready(self.services):
            assert self.sandbox.settle()

    def catch_up(self, whats: Iterable[str] = schedule.LOOKS) -> None:
        """What runs by itself finds what was missed, now; then what it found is worked on."""
        assert self.sandbox.settle()
        schedule.keep_rows(self.services)
        with self.services.database.writing() as connection:
            for one in schedules.listed(connection):
                if one.what in whats:
                    schedules.plan(connection, one.what, one.subject, self.now())
        only = {name: one for name, one in AT_SET_TIMES.items() if name in whats}
        while schedule.run_next(self.services, only):
            pass
        with self.services.database.reading() as connection:
            bad = [one for one in schedules.listed(connection) if one.what in whats and not one.is_good]
        assert not bad, bad
        self.work()
        self.finish_tasks()

    def finish_tasks(self) -> None:
        """What waits as a task is carried out."""
        while carry_out_next(self.services, PROCEDURES, threading.Event()):
            assert self.sandbox.settle()
        self.work()

    def looked(self, what: str, subject: str = "") -> Due:
        """How it was the last time that something ran by itself."""
        with self.services.database.reading() as connection:
            return next(one for one in schedules.listed(connection) if (one.what, one.subject) == (what, subject))

    # -- set-up --

    def register_steps(self) -> None:
        """Register in Dataverse what the mappings of today want."""
        steps = [Step.from_json(step) for step in steps_to_register(self.services)]
        self.sandbox.step_set(steps, ServiceEndpoint(f"{self.url}/dataverse/notifications", value=KEY))

    def set(self, mapping: str, **changes: Any) -> None:
        """Such as `set("CUSTOMER", synch_only_coupled_records=False)`; steps are registered again."""
        mapping_commands.set_mapping(self.services, mapping, "the test", **changes)
        self.register_steps()

    def set_field(self, mapping: str, local_column: str, **changes: Any) -> None:
        """Change the field mapping of a local column; steps are registered again."""
        rows = mapping_commands.named(self.services, mapping).fields
        number = next(row.number for row in rows if row.local_column == local_column)
        mapping_commands.set_field(self.services, mapping, number, "the test", **changes)
        self.register_steps()

    def open_for_all(self, *mappings: str) -> None:
        """Switch *Synch. Only Coupled Records* off."""
        for mapping in mappings:
            self.set(mapping, synch_only_coupled_records=False)

    def insert_local(self, table: str, **values: Any) -> str:
        """A local record that the company made itself; its key."""
        with self.services.database.writing() as connection:
            return LocalTable(connection, BY_NAME[table]).insert(values).id

    def insert_currency(self, code: str) -> None:
        with self.services.database.writing() as connection:
            connection.execute(insert(BY_NAME["currency"].table).values(code=code))

    def change_local(self, table: str, key: str, **values: Any) -> None:
        """The company edits its own record."""
        with self.services.database.writing() as connection:
            LocalTable(connection, BY_NAME[table]).modify(key, values)

    def delete_local(self, table: str, key: str) -> None:
        shipped = BY_NAME[table]
        with self.services.database.writing() as connection:
            connection.execute(shipped.table.delete().where(shipped.table.c[shipped.key] == key))

    # -- what came of it --

    def local(self, table: str, key: str) -> dict[str, Any] | None:
        with self.services.database.reading() as connection:
            found = LocalTable(connection, BY_NAME[table]).get(key)
        return None if found is None else dict(found.values)

    def locals(self, table: str) -> list[dict[str, Any]]:
        with self.services.database.reading() as connection:
            return [dict(row) for row in connection.execute(select(BY_NAME[table].table)).mappings()]

    def coupling(self, mapping: str, row_id: str) -> Coupling | None:
        """The coupling of a Dataverse row under a mapping."""
        with self.services.database.reading() as connection:
            return couplings.find(connection, mapping, Direction.FROM, row_id)

    def coupled_record(self, mapping: str, row_id: str) -> dict[str, Any]:
        """The local record coupled to a row; a test fails where there is none."""
        coupling = self.coupling(mapping, row_id)
        assert coupling is not None, f"{row_id} is not coupled by {mapping}"
        found = self.local(mapping_commands.named(self.services, mapping).local_table, coupling.local_id)
        assert found is not None, f"{coupling.local_id} does not exist"
        return found

    def open(self, table: str, row_id: str, **options: Any) -> Answer:
        """Click *Business Central*."""
        return open_record(self.services, table, row_id, may_create=options.pop("may_create", True), **options)

    def offered(self, table: str, row_id: str, key: str) -> Chosen:
        """Click, and look at what is offered: the choice of this local record, as it is shown."""
        answer = self.open(table, row_id)
        assert isinstance(answer, Offered), answer
        (offer,) = [one for one in answer.offers if one.key == key]
        return Chosen(offer.mapping, offer.key, offer.digest)

    def couple_by_click(self, table: str, row_id: str) -> str:
        """Click *Business Central* on an uncoupled row whose mapping may create; the local key."""
        answer = self.open(table, row_id)
        return answer.key  # type: ignore[union-attr]  # a test fails where it was refused

    def jobs(self, mapping: str) -> list[dict[str, Any]]:
        """Job rows of a mapping, oldest first, with their error texts."""
        with self.services.database.reading() as connection:
            rows = connection.execute(select(job).where(job.c.mapping == mapping).order_by(job.c.id)).mappings().all()
            errors = connection.execute(select(job_error.c.job, job_error.c.message)).all()
        texts: dict[int, list[str]] = {}
        for number, message in errors:
            texts.setdefault(number, []).append(message)
        return [{**row, "errors": texts.get(row["id"], [])} for row in rows]

    def last_job(self, mapping: str) -> dict[str, int]:
        """The counters of the newest job that are not 0."""
        names = ("inserted", "modified", "deleted", "unchanged", "skipped", "failed", "uncoupled", "coupled")
        newest = self.jobs(mapping)[-1]
        return {name: newest[name] for name in names if newest[name]}

    def notifications(self) -> list[Any]:
        """Oldest first."""
        return list(reversed(notification_commands.listed(self.services, limit=1000)))

    def last_outcome(self, mapping: str) -> dict[str, Any]:
        """What the newest notification's outcome says of a mapping."""
        newest = self.notifications()[-1]
        return next(outcome for outcome in newest["outcome"] if outcome["mapping"] == mapping)


@contextmanager
def sleeping(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker that looks by itself only after an hour: what it does meanwhile, it was woken for."""
    monkeypatch.setattr("receiver.server.worker.LOOK_AGAIN_SECONDS", 3600.0)
    waker, worker = company.services.waker, Worker(company.services, 1)
    for thread in worker._threads:
        thread.daemon = True  # a test that fails ends, though nobody could be woken
    worker.start()
    try:
        while not worker._rings:  # it listens once it has heard us
            waker.ring()
            time.sleep(0.1)
        time.sleep(0.3)  # and sleeps again
        yield
    finally:
        worker._stopped.set()
        waker.ring()
        if not company.services.database.is_sqlite:
            with company.services.database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"NOTIFY {triggers.CHANNEL}"))
        stopping = threading.Thread(target=worker.stop, daemon=True)
        stopping.start()
        stopping.join(20)
