"""Many keys as one parameter of a statement that is made once.

PostgreSQL gets an array: a list is another statement for each count, which the driver reads through each time, and once
prepared it would be compared with every row of a young table. SQLite gets a list, which costs it nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal


class Among(ColumnElement[bool]):
    """Whether the column is one of the keys that are given as the parameter *name*: a list of them."""

    type = Boolean()
    _traverse_internals = [  # noqa: RUF012  # SQLAlchemy's own declaration: what tells two of them apart
        ("column", InternalTraversal.dp_clauseelement),
        ("name", InternalTraversal.dp_string),
    ]

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.name = name

    def self_group(self, against: Any = None) -> Among:  # noqa: ARG002  # SQLAlchemy calls it by this name
        """As it is: SQLite would compare it with 1, and look through the whole table."""
        return self


@compiles(Among)
def _as_list(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    listed = element.column.in_(bindparam(element.name, expanding=True))
    return f"({compiler.process(listed, **how)})"


@compiles(Among, "postgresql")
def _as_array(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    is_text = isinstance(element.column.type, String)
    # of any length: a key that is longer than the column would be cut, and be another one
    keys = bindparam(element.name, type_=ARRAY(String() if is_text else element.column.type))
    return f"({compiler.process(element.column, **how)} IN (SELECT unnest({compiler.process(keys, **how)})))"
