"""Work over many notifications goes in small pieces, by a task; the door answers meanwhile."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from company import Company
from lanes.test_lanes import hint, post
from sqlalchemy import func, insert, select

from receiver.commands.following import notifications_in_bulk
from receiver.commands.procedures import PROCEDURES
from receiver.errors import RefusedError
from receiver.runs.tasks import carry_out_next, task_of
from receiver.store.models import inbox
from receiver.store.tasks import Task

MANY = 1000
START = {
    "process-failed": lambda company: notifications_in_bulk.start_process_failed(company.services, "Ann"),
    "purge": lambda company: notifications_in_bulk.start_purge(company.services, 30, "Ann"),
}


def keep_failed(company: Company, count: int) -> None:
    row = {
        "received_at": company.now() - timedelta(days=40),
        "headers": {},
        "body": b"{}",
        "size": 2,
        "table_name": "account",
        "state": "failed",
    }
    ids = [f"b0000000-0000-4000-8000-{number:012d}" for number in range(count)]
    with company.services.database.writing() as connection:
        connection.execute(insert(inbox), [{**row, "lane": f"account:{id_}", "row_id": id_} for id_ in ids])


def count_of(company: Company, state: str) -> int:
    query = select(func.count()).select_from(inbox).where(inbox.c.state == state)
    with company.services.database.reading() as connection:
        return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize("command", START)
def test_it_is_done_in_pieces_and_a_sender_beside_it_is_answered(company: Company, command: str) -> None:
    keep_failed(company, MANY)
    number = START[command](company)
    left: list[int] = []

    def send(_task: Task) -> None:
        post(company, hint())
        left.append(count_of(company, "failed"))

    assert count_of(company, "failed") == MANY
    assert carry_out_next(company.services, PROCEDURES, threading.Event(), number, send)

    assert left == list(range(MANY, -1, -notifications_in_bulk.TOGETHER))
    ended = task_of(company.services, number)
    assert (ended.state, ended.done) == ("done", MANY)
    assert ended.message.startswith(f"{MANY} notification(s)")


def test_a_task_that_stops_half_way_goes_on_where_it_stands(small_company: Company) -> None:
    keep_failed(small_company, MANY)
    number, stopped = START["process-failed"](small_company), threading.Event()
    stopped.set()
    for _ in range(3):
        assert carry_out_next(small_company.services, PROCEDURES, stopped, number)
    assert 0 < count_of(small_company, "failed") < MANY

    assert carry_out_next(small_company.services, PROCEDURES, threading.Event(), number)

    assert (count_of(small_company, "failed"), task_of(small_company.services, number).done) == (0, MANY)


@pytest.mark.parametrize("command", START)
def test_a_second_one_beside_it_is_refused(small_company: Company, command: str) -> None:
    START[command](small_company)

    with pytest.raises(RefusedError, match="being done already"):
        START[command](small_company)
