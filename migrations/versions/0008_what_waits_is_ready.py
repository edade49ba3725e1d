"""A notification that waits makes its lane ready by itself: the door writes nothing else.

What waits already needs no moment of its own: its lane has one.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX, IS_NEW = "ix_receiver_inbox_due", sa.text("state = 'waiting' AND due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("receiver_inbox", sa.Column("due_at", Moment))
    order: list[str | sa.TextClause | sa.ColumnElement[Any]] = [sa.text("is_click DESC"), "due_at"]
    op.create_index(INDEX, "receiver_inbox", order, sqlite_where=IS_NEW, postgresql_where=IS_NEW)


def downgrade() -> None:
    op.drop_index(INDEX, "receiver_inbox")
    op.drop_column("receiver_inbox", "due_at")
