"""Numbers of new records: taken in blocks, so that nobody who inserts keeps another from inserting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from company import Company
from lanes.blocking import another_program
from sqlalchemy import Connection, select, update

from receiver.core.decision import Record
from receiver.sandbox import Sandbox
from receiver.store.database import Database, TimeOuts
from receiver.store.local_tables import LocalTable
from receiver.store.models import number_series
from receiver.tables import BY_NAME

CUSTOMER = BY_NAME["customer"]


@contextmanager
def opened(url: str, **options: object) -> Iterator[Database]:
    database = Database(url, **options)  # type: ignore[arg-type]  # each test names what it needs
    yield database
    database.dispose()


def inserted(connection: Connection, count: int) -> list[Record]:
    return LocalTable(connection, CUSTOMER).insert_all([{"name": f"Firm {number}"} for number in range(count)])


def numbers(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(CUSTOMER.table.c.no).order_by(CUSTOMER.table.c.no)).scalars())


def test_a_process_numbers_its_records_in_a_row(database_url: str) -> None:
    with opened(database_url) as database:
        for count in (1, 1, 3):
            with database.writing() as connection:
                inserted(connection, count)
        assert numbers(database) == ["C00010", "C00020", "C00030", "C00040", "C00050"]


def test_who_writes_for_long_keeps_nobody_from_inserting(postgresql_url: str) -> None:
    with opened(postgresql_url) as slow, opened(postgresql_url, time_outs=TimeOuts(lock=1)) as other:
        with slow.writing() as connection:
            inserted(connection, 3)
            with other.writing() as beside:
                inserted(beside, 3)
            assert len(numbers(other)) == 3
        assert len(set(numbers(other))) == 6


def test_a_series_that_another_program_holds_is_busy(postgresql_url: str, sandbox: Sandbox) -> None:
    with closing(Company(postgresql_url, sandbox, RECEIVER_LOCK_TIMEOUT_SECONDS="0.2")) as company:
        company.open_for_all("CUSTOMER")
        with another_program(postgresql_url) as other:
            other.execute("SELECT last FROM receiver_number_series FOR UPDATE")
            answer = company.open("account", "a0000000-0000-4000-8000-000000000001")
        assert "nightly report" in answer.trouble  # type: ignore[union-attr]  # it was refused


def test_numbers_that_are_used_already_are_skipped(database_url: str) -> None:
    with opened(database_url) as database:
        with database.writing() as connection:
            used = [{"no": number} for number in ("C00020", "C00030", "C00050")]
            connection.execute(CUSTOMER.table.insert(), used)
        with database.writing() as connection:
            made = [one.id for one in inserted(connection, 4)]
        assert made == ["C00010", "C00040", "C00060", "C00070"]


def test_a_series_that_people_have_moved_on_is_followed(database_url: str) -> None:
    with opened(database_url) as database, opened(database_url) as next_process:
        with database.writing() as connection:
            inserted(connection, 1)
            moved = update(number_series).where(number_series.c.table_name == "customer").values(last=5000)
        with database.writing() as connection:
            connection.execute(moved)
        with next_process.writing() as connection:
            assert [one.id for one in inserted(connection, 2)] == ["C05010", "C05020"]


def test_many_at_once_never_take_the_same_number(postgresql_url: str) -> None:
    with opened(postgresql_url) as first, opened(postgresql_url) as second:

        def insert_some(database: Database) -> None:
            for count in (1, 7, 30):
                with database.writing() as connection:
                    inserted(connection, count)

        threads = [threading.Thread(target=insert_some, args=(one,)) for one in (first, second) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(numbers(first))) == 6 * 38
