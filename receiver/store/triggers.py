"""The trigger on a company's own table that tells of its edits: PostgreSQL alone.

It never fails the company's transaction: it only says NOTIFY, swallows what goes wrong, and keeps still while
PostgreSQL's queue of notifications is half full, since a full one would refuse the commit. What was not told goes out
with the next run. What the receiver itself wrote is not told: its connections carry its name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text

from receiver.store.database import APPLICATION_NAME

NAME = CHANNEL = "receiver_local_change"
LOCK_TIMEOUT = "5s"

FUNCTION = f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $trigger$
BEGIN
    IF pg_catalog.current_setting('application_name') = '{APPLICATION_NAME}' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD *= NEW THEN
        RETURN NULL;
    END IF;
    IF pg_catalog.pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_catalog.pg_notify('{CHANNEL}', pg_catalog.json_build_array(
            TG_TABLE_NAME, pg_catalog.to_jsonb(NEW) ->> TG_ARGV[0],
            CASE WHEN TG_OP = 'UPDATE' THEN pg_catalog.to_jsonb(OLD) ->> TG_ARGV[0] END)::text);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$trigger$"""


def trigger_on(table: Table, key: str) -> str:
    """The statement that hangs the trigger on a table."""
    return (
        f'CREATE TRIGGER {NAME} AFTER INSERT OR UPDATE ON "{table.name}" '
        f"FOR EACH ROW EXECUTE FUNCTION {NAME}('{key}')"
    )


def installed(connection: Connection) -> frozenset[str]:
    """The tables that tell of their edits; one of the same name in a schema that we do not look at is another."""
    query = """
        SELECT class.relname FROM pg_trigger AS trigger JOIN pg_class AS class ON class.oid = trigger.tgrelid
        WHERE trigger.tgname = :name AND NOT trigger.tgisinternal AND trigger.tgenabled <> 'D'
            AND pg_table_is_visible(class.oid)
        """
    return frozenset(connection.execute(text(query), {"name": NAME}).scalars())


def install(connection: Connection, table: Table, key: str) -> None:
    """Hang the trigger on a table; one that is there already stays, with the function of today."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    connection.exec_driver_sql(FUNCTION)
    if table.name not in installed(connection):
        connection.exec_driver_sql(f'DROP TRIGGER IF EXISTS {NAME} ON "{table.name}"')
        connection.exec_driver_sql(trigger_on(table, key))


def remove(connection: Connection, table: Table) -> None:
    """Take the trigger off, and its function with the last one."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    connection.exec_driver_sql(f'DROP TRIGGER IF EXISTS {NAME} ON "{table.name}"')
    if not installed(connection):
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {NAME}()")


@dataclass(frozen=True)
class Told:
    """An edit of a local record; `old_key` is another than `key` where the key was changed."""

    table: str
    key: str
    old_key: str


def told(payload: str) -> Told | None:
    """What a notification says; None for one that is not the trigger's."""
    try:
        table, key, *old = json.loads(payload)  # an older function, still installed, says no old key
    except (ValueError, TypeError):
        return None
    if not isinstance(table, str) or not isinstance(key, str):
        return None
    return Told(table, key, old[0] if old and isinstance(old[0], str) else key)
