"""For each of these faults: what status, health, metrics, log and alert say before, during and after."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from commands.following.test_in_step import ACCOUNT, in_step  # noqa: F401  # a fixture
from company import Company
from prometheus_client.parser import text_string_to_metric_families
from requests import post
from scenarios.pairs import couple_customer  # noqa: F401  # what in_step stands on
from sqlalchemy import delete, insert, update
from werkzeug.serving import make_server

from receiver.commands.following import alerts
from receiver.commands.following.in_step import status
from receiver.commands.synchronizing.verify import verify
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.inbox import refusals
from receiver.runs import schedule
from receiver.runs.carry_out import carry_out, wanted_to
from receiver.sandbox import Answer
from receiver.sandbox.faults import ALWAYS
from receiver.store import conclusions, door_refusals, gates, registrations
from receiver.store.conclusions import Conclusion
from receiver.store.models import conclusion, inbox, lane, registered_table, registration, worker
from receiver.web.metrics import text

ALERT_KEY = "the-alert-key"


@dataclass
class Pager:
    """Whoever is alerted: takes what is posted, checks the signature, and counts heartbeats."""

    told: list[dict[str, Any]] = field(default_factory=list)
    beats: int = 0
    status: int = 200

    def __post_init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._take, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _take(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            self.beats += 1
        elif self.status == HTTPStatus.OK:
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            signed = f"{environ['HTTP_X_RECEIVER_TIMESTAMP']}.".encode() + body
            expected = "sha256=" + hmac.new(ALERT_KEY.encode(), signed, hashlib.sha256).hexdigest()
            assert environ["HTTP_X_RECEIVER_SIGNATURE"] == expected
            self.told.append(json.loads(body))
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", [("Content-Length", "0")])
        return [b""]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def pager() -> Iterator[Pager]:
    made = Pager()
    yield made
    made.close()


@pytest.fixture
def watched(in_step: Company, pager: Pager) -> Company:  # noqa: F811  # the fixture
    options = in_step.services.options
    for name, value in (("alert_url", pager.url), ("alert_key", ALERT_KEY), ("heartbeat_url", f"{pager.url}beat")):
        object.__setattr__(options, name, value)
    return in_step


def metrics(company: Company) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text(company.services, None).decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def kinds(company: Company) -> set[str]:
    found = status(company.services)
    return {one.kind for one in [*found.of_all, *(two for standing in found.standings for two in standing.hindrances)]}


def beat(company: Company) -> None:
    with company.services.database.writing() as connection:
        connection.execute(update(worker).values(seen_at=company.now()))


# -- each fault: how it befalls, and how it is over ----------------------------------------------------------------


@contextmanager
def _refused(company: Company, reason: str) -> Iterator[None]:
    company.pass_time(10)
    company.app.extensions["receiver_refusals"].every_seconds = 0.0
    company.app.extensions["receiver_refusals"].add(company.services, reason)
    company.app.extensions["receiver_refusals"].write(company.services)
    yield
    company.pass_time(1)
    company.catch_up()


@contextmanager
def _foreign_key(company: Company) -> Iterator[None]:
    company.app.extensions["receiver_refusals"].every_seconds = 0.0
    assert post(f"{company.url}/dataverse/notifications", headers={"x-receiver-key": "foreign"}).status_code == 401
    yield
    company.pass_time(door_refusals.SPELL.total_seconds())
    company.catch_up()


@contextmanager
def _other_organization(company: Company) -> Iterator[None]:
    company.app.extensions["receiver_refusals"].add(company.services, refusals.OTHER_ORGANIZATION)
    company.app.extensions["receiver_refusals"].write(company.services)
    yield
    company.pass_time(door_refusals.SPELL.total_seconds())
    company.catch_up()


@contextmanager
def _rows_wait(company: Company) -> Iterator[None]:
    company.sandbox.update("account", ACCOUNT, {"name": "Waits"})
    assert company.sandbox.settle()
    company.pass_time(90)
    yield
    company.catch_up()


@contextmanager
def _row_is_tried_again(company: Company) -> Iterator[None]:
    own = lane.c.key == f"account:{ACCOUNT}"
    with company.services.database.writing() as connection:
        connection.execute(update(lane).where(own).values(attempts=3, last_error="No.", troubled_since=company.now()))
    yield
    with company.services.database.writing() as connection:
        connection.execute(update(lane).where(own).values(attempts=0, last_error="", troubled_since=None))


@contextmanager
def _kept_back(company: Company) -> Iterator[None]:
    with company.services.database.writing() as connection:
        one = Conclusion("CUSTOMER", "gone", ACCOUNT, company.kept["key"], Direction.FROM, is_kept=True)
        conclusions.note(connection, [one], company.now())
    yield
    with company.services.database.writing() as connection:
        connection.execute(delete(conclusion))


@contextmanager
def _record_fails(company: Company) -> Iterator[None]:
    company.sandbox.faults.answers.append(Answer.error(400, "0x80040203", "No.", method="PATCH", times=ALWAYS))
    company.change_local("customer", company.kept["key"], name="Not wanted there")
    company.catch_up([schedule.LOCAL_EDITS])
    yield
    company.sandbox.faults.answers.clear()
    list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", [company.kept["key"]], Ask(why="again"))))


@contextmanager
def _sides_differ(company: Company) -> Iterator[None]:
    company.sandbox.update("account", ACCOUNT, {"name": "Other"}, deliver=False)
    verify(company.services, "CUSTOMER")
    yield
    company.catch_up()
    verify(company.services, "CUSTOMER")


@contextmanager
def _step_is_missing(company: Company) -> Iterator[None]:
    drift = {"words": "The step for account/Update is missing.", "remedy": "receiver steps register"}
    values = {"id": 1, "checked_at": company.now(), "drifts": [{**drift, "mappings": ["CUSTOMER"]}]}
    with company.services.database.writing() as connection:
        connection.execute(insert(registration).values(**values))
    yield
    with company.services.database.writing() as connection:
        connection.execute(delete(registration))


@contextmanager
def _steps_were_off(company: Company) -> Iterator[None]:
    company.pass_time(1)
    with company.services.database.writing() as connection:
        registrations.begin(connection, ["account"], company.now())
    yield
    company.pass_time(1)
    company.catch_up()
    with company.services.database.writing() as connection:
        connection.execute(delete(registered_table))


@contextmanager
def _nothing_comes(company: Company) -> Iterator[None]:
    start = company.now() - timedelta(hours=5)
    row = {"headers": {}, "body": b"", "size": 0, "table_name": "account", "state": "done"}
    with company.services.database.writing() as connection:
        connection.execute(inbox.delete())
        for minute in range(12):
            connection.execute(insert(inbox).values(**row, received_at=start + timedelta(minutes=minute)))
    company.sandbox.update("account", ACCOUNT, {"name": "Nobody told"}, deliver=False)
    company.catch_up()
    yield
    company.sandbox.update("account", ACCOUNT, {"name": "Told"})
    company.work()
    company.catch_up()


@contextmanager
def _catch_up_is_paused(company: Company) -> Iterator[None]:
    schedule.set_(company.services, schedule.CATCH_UP, "Ann", is_paused=True)
    yield
    schedule.set_(company.services, schedule.CATCH_UP, "Ann", is_paused=False)


@contextmanager
def _gate_is_closed(company: Company) -> Iterator[None]:
    with company.services.database.writing() as connection:
        gates.close(connection, "read account", company.now(), "No privilege.")
    yield
    company.services.gatekeeper.open_(["read account"])


@contextmanager
def _dataverse_is_away(company: Company) -> Iterator[None]:
    company.sandbox.faults.unavailable = ALWAYS
    company.pass_time(400)
    from receiver.commands.at_set_times import AT_SET_TIMES

    only = {schedule.CATCH_UP: AT_SET_TIMES[schedule.CATCH_UP]}
    while schedule.run_next(company.services, only):
        pass
    yield
    company.sandbox.faults.unavailable = 0
    company.services.gatekeeper.open_(["everything"])
    company.catch_up()


@contextmanager
def _no_worker(company: Company) -> Iterator[None]:
    with company.services.database.writing() as connection:
        connection.execute(delete(worker))
    yield
    with company.services.database.writing() as connection:
        connection.execute(insert(worker).values(id="w", started_at=company.now(), seen_at=company.now()))


Befalls = Callable[[Company], Any]
FAULTS: list[tuple[str, Befalls, str]] = [
    ("notifications could not be stored", lambda company: _refused(company, refusals.AWAY), "missed"),
    ("there was no room for notifications", lambda company: _refused(company, refusals.FULL), "missed"),
    ("a notification was too large", lambda company: _refused(company, refusals.TOO_LARGE), "missed"),
    ("somebody else's key", _foreign_key, "keys"),
    ("another environment sends here", _other_organization, "keys"),
    ("rows wait", _rows_wait, "waiting"),
    ("a row is tried again and again", _row_is_tried_again, "parked"),
    ("too much at once is kept back", _kept_back, "guarded"),
    ("a record fails", _record_fails, "failed"),
    ("both sides differ", _sides_differ, "different"),
    ("a step is missing", _step_is_missing, "steps"),
    ("steps were off", _steps_were_off, "missed"),
    ("no notification comes any more", _nothing_comes, "silent"),
    ("catch-up is paused", _catch_up_is_paused, "paused"),
    ("a privilege is missing", _gate_is_closed, "away"),
    ("Dataverse is away", _dataverse_is_away, "away"),
    ("no worker runs", _no_worker, "worker"),
]


@pytest.mark.parametrize(("befalls", "kind"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS])
def test_a_fault_is_seen_while_it_lasts_and_its_end_is_seen_too(
    watched: Company, pager: Pager, befalls: Befalls, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    alerts.tell(watched.services)
    assert (status(watched.services).is_in_step, pager.told) == (True, [])
    assert metrics(watched)["receiver_in_step", (("mapping", "CUSTOMER"),)] == 1

    with befalls(watched):
        if kind != "worker":
            beat(watched)
        found = status(watched.services)
        assert not found.is_in_step
        assert kind in kinds(watched)
        hindered = {
            labels: value for (name, labels), value in metrics(watched).items() if name == "receiver_hindrances"
        }
        assert any(dict(labels)["kind"] == kind and value >= 1 for labels, value in hindered.items())
        ready = watched.app.test_client().get("/health/ready")
        assert set(ready.get_json()) == {"status"}
        assert ready.status_code == (503 if kind == "worker" else ready.status_code)
        alerts.tell(watched.services)
        alerts.tell(watched.services)
        told = [one for one in pager.told if (one["event"], one["kind"]) == ("alert", kind)]
        assert len(told) == 1
        assert told[0]["sentence"]
        assert told[0]["remedy"]
        lines = [one.getMessage() for one in caplog.records if one.name.endswith("alerts")]
        assert len([one for one in lines if f"({kind}): {told[0]['sentence']}" in one]) == 1

    beat(watched)
    assert kinds(watched) - {"late"} == set(), status(watched.services)
    alerts.tell(watched.services)
    cleared = [one for one in pager.told if (one["event"], one["kind"]) == ("all-clear", kind)]
    assert len(cleared) == 1
    assert any(f"({kind}): this is over" in one.getMessage() for one in caplog.records)
    assert pager.beats >= 4


def test_what_could_not_be_told_is_told_again(watched: Company, pager: Pager) -> None:
    pager.status = 500
    with _no_worker(watched):
        with pytest.raises(alerts.NotToldError, match="answered 500"):
            alerts.tell(watched.services)
        pager.status = 200
        alerts.tell(watched.services)
        assert [one["kind"] for one in pager.told] == ["worker"]


def test_the_log_alone_is_told_where_no_address_is_set(
    in_step: Company,  # noqa: F811  # the fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    with _no_worker(in_step):
        assert "The log alone is told" in alerts.tell(in_step.services)
    assert "All (worker): No worker runs." in caplog.text
