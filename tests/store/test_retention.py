"""What is kept for a time only goes by itself, in small pieces; what has ended is packed, and read as it came."""

from __future__ import annotations

import zlib
from datetime import timedelta

import pytest
from company import Company
from hypothesis import example, given
from hypothesis import strategies as st
from scenarios.pairs import ACCOUNT, couple_customer
from sqlalchemy import func, insert, select, text, update

from receiver.commands.following.notifications import process_again
from receiver.runs import schedule
from receiver.store.models import change, coupling, inbox, job, lane, task, tombstone
from receiver.store.types import MOST_UNPACKED, Packed, packed


def count(company: Company, table: object) -> int:
    with company.services.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]  # a table


def test_what_is_older_than_its_setting_goes_and_what_still_waits_stays(company: Company) -> None:
    couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Told"})
    company.work()
    old = company.now()
    with company.services.database.writing() as connection:
        connection.execute(insert(tombstone).values(table_name="account", row_id="x" * 36, at=old))
        values = {"command": "run", "arguments": {}, "who": "Ann", "counts": {}, "created_at": old, "finished_at": old}
        connection.execute(insert(task), [{**values, "state": "done"}])
        waits = {"received_at": old, "headers": {}, "body": b"{}", "size": 2, "state": "waiting", "lane": "account:y"}
        connection.execute(insert(inbox).values(**waits))
        sleeping = {"key": "account:gone", "table_name": "account", "row_id": "gone", "modified_on": old}
        connection.execute(insert(lane).values(**sleeping))
    company.pass_time(91 * 86400)
    company.catch_up([schedule.PURGE])
    assert (count(company, inbox), count(company, tombstone), count(company, task)) == (1, 0, 1)
    with company.services.database.reading() as connection:
        assert connection.execute(select(lane.c.key).where(lane.c.key == "account:gone")).first() is None
        assert connection.execute(select(lane.c.key).where(lane.c.key == f"account:{ACCOUNT}")).first() is not None
    company.pass_time(300 * 86400)
    company.catch_up([schedule.PURGE])
    assert (count(company, job), count(company, task), count(company, change)) == (0, 0, 0)
    assert count(company, coupling) == 1


def test_more_than_a_piece_goes(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.store.retention.PIECE", 3)
    with company.services.database.writing() as connection:
        old = company.now() - timedelta(days=400)
        for number in range(10):
            row = {"received_at": old, "headers": {}, "body": b"{}", "size": 2, "state": "done", "finished_at": old}
            connection.execute(insert(inbox).values(**row, delivery=str(number)))
    company.catch_up([schedule.PURGE])
    assert count(company, inbox) == 0
    assert "10 notifications" in company.looked("purge").said


def test_an_ended_body_is_packed_and_can_still_be_shown_and_processed_again(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Told"})
    company.work()
    with company.services.database.reading() as connection:
        before = connection.execute(select(inbox.c.id, inbox.c.body).order_by(inbox.c.id.desc())).first()
    assert before is not None
    company.pass_time(2 * 3600)
    company.catch_up([schedule.PURGE])
    with company.services.database.reading() as connection:
        stored = bytes(connection.execute(text(f"SELECT body FROM receiver_inbox WHERE id = {before.id}")).scalar_one())
        shown = connection.execute(select(inbox.c.body).where(inbox.c.id == before.id)).scalar_one()
    assert shown == before.body
    assert len(stored) < len(shown) / 3
    company.change_local("customer", key, name="Changed since")
    with company.services.database.writing() as connection:
        connection.execute(update(inbox).where(inbox.c.id == before.id).values(state="failed"))
    process_again(company.services, before.id)
    company.work()
    assert company.notifications()[-1]["state"] in {"done", "ignored"}


@given(st.binary(max_size=5000))
@example(b"\x00packed\x00")
def test_whatever_was_packed_is_read_as_it_came(body: bytes) -> None:
    assert Packed().process_result_value(packed(body), None) == body  # type: ignore[arg-type]  # no dialect is asked


def test_what_only_looks_packed_fills_no_memory_and_breaks_nothing() -> None:
    bomb = b"\x00packed\x00" + zlib.compress(b"0" * (MOST_UNPACKED * 4))
    for body in (bomb, b"\x00packed\x00nonsense"):
        read = Packed().process_result_value(body, None)  # type: ignore[arg-type]  # no dialect is asked
        assert read is not None
        assert len(read) <= MOST_UNPACKED
