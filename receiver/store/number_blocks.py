"""Numbers of a series, taken in blocks: who inserts does not keep the series from others while he writes.

A block is taken in a short transaction of its own. Numbers of a block that are not used are gaps, and two processes
number in turns: neither an unbroken series nor an order is promised, as in Business Central with gaps allowed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection, Integer, bindparam, update

from receiver.store.models import number_series

#: one who inserts a few records now and then wastes no more than these when his process ends
SMALLEST = 10


class NumberBlocks:
    """The blocks of one process."""

    def __init__(self, own_transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._own_transaction = own_transaction
        self._lock = threading.Lock()
        self._left: dict[str, deque[int]] = {}

    def take(self, connection: Connection, table: str, count: int) -> list[int]:
        """The next numbers of a local table's series, for a transaction that writes.

        On SQLite they are that transaction's own: it is the only one that writes, and would wait for itself.
        Raises: BusyError, StoreUnavailableError.
        """
        if connection.dialect.name == "sqlite":
            return _block(connection, table, count)
        with self._lock:
            left = self._left.setdefault(table, deque())
            if (missing := count - len(left)) > 0:
                with self._own_transaction() as own:
                    left.extend(_block(own, table, max(missing, SMALLEST)))
            return [left.popleft() for _ in range(count)]


def _block(connection: Connection, table: str, count: int) -> list[int]:
    last, increment = connection.execute(_TAKING, {"of_table": table, "count": count}).one()
    return [last - back * increment for back in reversed(range(count))]


_TAKING = (
    update(number_series)
    .where(number_series.c.table_name == bindparam("of_table"))
    .values(last=number_series.c.last + bindparam("count", type_=Integer()) * number_series.c.increment)
    .returning(number_series.c.last, number_series.c.increment)
)
