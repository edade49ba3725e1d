"""The company's own database when it is unkind: rules that refuse, keys that change, other programs with their locks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import text
from sqlalchemy.engine import make_url

from receiver.store.database import Database
from receiver.tables import BY_NAME

TABLES = ("customer", "vendor", "contact")
EVENTS = ("INSERT", "UPDATE", "DELETE")
SAYS = "the credit limit comes first"
#: PostgreSQL's code: a rule's own, a serialization failure, a lock, a deadlock, no privilege
CODES = ("P0001", "40001", "55P03", "40P01", "42501")
#: SQLite's ways for a trigger to refuse
WAYS = ("ABORT", "FAIL", "ROLLBACK")
MOOD = "CREATE TABLE mood (table_name text, event text, phone_no text, how text)"
POSTGRESQL = f"""
    {MOOD};
    CREATE FUNCTION have_moods() RETURNS trigger LANGUAGE plpgsql AS $own$
    DECLARE said text; found text;
    BEGIN
        said := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END) ->> 'phone_no';
        SELECT how INTO found FROM mood
            WHERE table_name = TG_TABLE_NAME AND event = TG_OP AND phone_no IN ('', said);
        IF found IS NOT NULL THEN RAISE EXCEPTION '{SAYS}' USING ERRCODE = found; END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $own$
    """
ON_POSTGRESQL = (
    "CREATE TRIGGER moods BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION have_moods()"
)
ON_SQLITE = """
    CREATE TRIGGER moods_{table}_{event}_{how} BEFORE {event} ON {table} WHEN EXISTS (
        SELECT 1 FROM mood WHERE table_name = '{table}' AND event = '{event}' AND how = '{how}'
            AND phone_no IN ('', {row}.phone_no))
    BEGIN SELECT RAISE({how}, '{says}'); END
    """


class UnkindDatabase:
    """Rules are off until `refuse`; they hold for whoever writes, but for who asks for `peace`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mood: tuple[str, str, str, str] | None = None
        with database.writing() as connection:
            for statement in _rules(is_sqlite=database.is_sqlite):
                connection.exec_driver_sql(statement)

    @property
    def refuses(self) -> bool:
        return self._mood is not None

    def refuse(self, table: str, event: str, phone_no: str, number: int) -> None:
        """Every such event of a record with this phone number, or with any where none is given."""
        ways = WAYS if self._database.is_sqlite else CODES
        self._have((table, event, phone_no, ways[number % len(ways)]))

    def relent(self) -> None:
        self._have(None)

    @contextmanager
    def peace(self) -> Iterator[None]:
        """The company's own programs keep the rules."""
        mood = self._mood
        if mood is not None:
            self._have(None)
        yield
        if mood is not None:
            self._have(mood)

    def _have(self, mood: tuple[str, str, str, str] | None) -> None:
        self._mood = mood
        with self._database.writing() as connection:
            connection.execute(text("DELETE FROM mood"))
            if mood is not None:
                names = dict(zip(("table", "event", "phone", "how"), mood, strict=True))
                connection.execute(text("INSERT INTO mood VALUES (:table, :event, :phone, :how)"), names)

    def rename(self, table: str, key: str, new: str) -> None:
        """A record's key, and with it what points to the record."""
        own = BY_NAME[table].table
        with self._database.writing() as connection:
            connection.execute(own.update().where(own.c.no == key).values(no=new))
            for other, column in _pointing(table):
                pointing = BY_NAME[other].table
                found = pointing.c[column] == key
                if other == "contact":
                    found &= pointing.c.company_type == table
                connection.execute(pointing.update().where(found).values({column: new}))

    @contextmanager
    def held_by_another_program(self, table: str, key: str) -> Iterator[None]:
        """The record on PostgreSQL; on SQLite, which has one lock, everything."""
        address = make_url(str(self._database.url.render_as_string(hide_password=False)))
        if self._database.is_sqlite:
            with closing(sqlite3.connect(address.database or "", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield
            return
        query = {name: str(value) for name, value in address.query.items()}
        with psycopg.connect(dbname=address.database, user=address.username, **query) as connection:
            connection.execute(f'SELECT 1 FROM "{table}" WHERE no = %s FOR UPDATE', (key,))  # type: ignore[call-overload]  # it is our own
            yield
            connection.rollback()


def _pointing(table: str) -> list[tuple[str, str]]:
    if table == "contact":
        return [("customer", "primary_contact_no"), ("vendor", "primary_contact_no")]
    return [("contact", "company_no")]


def _rules(*, is_sqlite: bool) -> Iterator[str]:
    if not is_sqlite:
        yield POSTGRESQL
        yield from (ON_POSTGRESQL.format(table=table) for table in TABLES)
        return
    yield MOOD
    for table in TABLES:
        for event in EVENTS:
            row = "OLD" if event == "DELETE" else "NEW"
            yield from (ON_SQLITE.format(table=table, event=event, row=row, how=how, says=SAYS) for how in WAYS)
