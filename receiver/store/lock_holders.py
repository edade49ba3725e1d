"""Who holds the lock that we waited for in vain: PostgreSQL alone, and as far as it tells its user.

A transaction that has given up waits for nobody any more, so nobody can be asked whom it waited for. But the error
names the row, the row names the transaction that holds it, and the list of locks names that transaction's process.
"""

from __future__ import annotations

import re

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

#: who asks must not wait in his turn
PATIENCE = "SET LOCAL lock_timeout = '100ms'"
#: such as: while locking tuple (0,1) in relation "customer"; its words are of any language
_ROW = re.compile(r"\((\d+,\d+)\).*?[\"«»„“']([^\"«»„“”']+)[\"«»„“”']")
_OF_TRANSACTION = """
    SELECT pid FROM pg_locks WHERE locktype = 'transactionid' AND granted AND pid <> pg_backend_pid()
        AND transactionid = (SELECT xmax FROM {table} WHERE ctid = CAST(:row AS tid))
    """
#: a lock on a table that keeps others from writing; of the company's tables and ours alone
_OF_TABLES = """
    SELECT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE granted AND pid <> pg_backend_pid() AND relkind IN ('r', 'p')
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        AND relnamespace <> 'pg_catalog'::regnamespace
    """
_WHO = "SELECT pid, application_name, usename FROM pg_stat_activity WHERE pid = ANY(:pids) ORDER BY pid"


def holder_of(engine: Engine, error: DBAPIError) -> str:
    """Who is in the way, such as `process 4711, application “nightly”, user bob`; empty where that cannot be told."""
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(PATIENCE)
            pids = _holding_tables(connection) or _holding_row(connection, error)
            found = connection.execute(text(_WHO), {"pids": pids}).all()
    except SQLAlchemyError:
        return ""
    return "; ".join(
        f"process {row.pid}, application “{row.application_name or 'unnamed'}”, user {row.usename}" for row in found
    )


def _holding_tables(connection: Connection) -> list[int]:
    return list(connection.execute(text(_OF_TABLES)).scalars())


def _holding_row(connection: Connection, error: DBAPIError) -> list[int]:
    context = getattr(getattr(error.orig, "diag", None), "context", None) or ""
    named = _ROW.search(context)
    if named is None:
        return []
    table = connection.dialect.identifier_preparer.quote_identifier(named[2])
    return list(connection.execute(text(_OF_TRANSACTION.format(table=table)), {"row": f"({named[1]})"}).scalars())
