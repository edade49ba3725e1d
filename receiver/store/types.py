"""Column types that mean the same on every database."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, Numeric, String, TypeDecorator

#: SQLite numbers rows by itself only in an INTEGER column
Number = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware date-time in UTC; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Amount(TypeDecorator[Decimal]):
    """A Decimal end to end: SQLite would make a binary float of a number, so there it is text."""

    impl = Numeric(38, 10)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(50) if dialect.name == "sqlite" else Numeric(38, 10))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return f"{Decimal(value):f}"

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  # SQLAlchemy's
        return None if value is None else Decimal(value)


class Packed(TypeDecorator[bytes]):
    """Bytes that may have been packed since (`packed`); whoever reads them sees them as they came."""

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002  # SQLAlchemy's
        if value is None or not bytes(value).startswith(_MAGIC):
            return value if value is None else bytes(value)
        try:  # a stranger's bytes that only look packed stay as they are, and fill no memory
            reader = zlib.decompressobj()
            whole = reader.decompress(bytes(value)[len(_MAGIC) :], MOST_UNPACKED)
            return whole if reader.eof or len(whole) == MOST_UNPACKED else bytes(value)
        except zlib.error:
            return bytes(value)


def packed(body: bytes) -> bytes:
    """The bytes as `Packed` reads them; as they are where that saves nothing."""
    small = _MAGIC + zlib.compress(body, 6)
    return small if len(small) < len(body) <= MOST_UNPACKED else body


#: no notification begins so
_MAGIC = b"\x00packed\x00"
MOST_UNPACKED = 8 * 1024 * 1024


def sqlite_value(value: Any) -> Any:
    """A value as SQLite's driver takes it where a statement is written out: what our column types would make of it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return json.dumps(value) if isinstance(value, dict) else value
