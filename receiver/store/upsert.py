"""The INSERT that knows ON CONFLICT, which each database has for itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Any) -> Any:
    """The dialect's own INSERT into a table."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
