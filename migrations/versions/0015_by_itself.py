"""What runs by itself: when, how far each table was read, and what could not be brought in step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment, Number, Packed

revision = "0015"
down_revision = "0014"

TABLES = ("schedule", "due", "tracked_table", "local_look", "unsettled", "door_refusal", "alert", "budget")


def upgrade() -> None:
    op.create_table(
        "receiver_schedule",
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("cron", sa.String(100), nullable=False, server_default=""),
        sa.Column("is_paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("what", name="pk_receiver_schedule"),
    )
    op.create_table(
        "receiver_due",
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("next_at", Moment, nullable=False),
        sa.Column("last_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("is_good", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("said", sa.Text, nullable=False, server_default=""),
        sa.Column("cause", sa.String(200), nullable=False, server_default=""),
        sa.Column("caused_at", Moment),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", Moment),
        sa.PrimaryKeyConstraint("what", "subject", name="pk_receiver_due"),
    )
    op.create_table(
        "receiver_tracked_table",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("token", sa.Text, nullable=False, server_default=""),
        sa.Column("read_at", Moment),
        sa.Column("mark", Moment),
        sa.Column("compared_at", Moment),
        sa.Column("owed", sa.String(200), nullable=False, server_default=""),
        sa.Column("opened", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("position", sa.JSON),
        sa.Column("found", Number, nullable=False, server_default="0"),
        sa.Column("found_at", Moment),
        sa.PrimaryKeyConstraint("name", name="pk_receiver_tracked_table"),
    )
    op.create_table(
        "receiver_local_look",
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("after", sa.String(100), nullable=False, server_default=""),
        sa.Column("round_at", Moment),
        sa.Column("read_at", Moment),
        sa.PrimaryKeyConstraint("mapping", name="pk_receiver_local_look"),
    )
    op.create_table(
        "receiver_unsettled",
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("local_id", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "local_id", name="pk_receiver_unsettled"),
    )
    op.create_table(
        "receiver_door_refusal",
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("count", Number, nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.Column("last_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("reason", name="pk_receiver_door_refusal"),
    )
    op.create_table(
        "receiver_alert",
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("since", Moment),
        sa.Column("told_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "kind", name="pk_receiver_alert"),
    )
    op.create_table(
        "receiver_budget",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("window_at", Moment, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("allowed", sa.Integer, nullable=False),
        sa.Column("halved_at", Moment),
        sa.PrimaryKeyConstraint("id", name="pk_receiver_budget"),
    )
    op.add_column("receiver_inbox", sa.Column("is_packed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("receiver_finding", sa.Column("why", sa.String(20), nullable=False, server_default=""))
    few = sa.text("attempts > 0")
    op.create_index(
        "ix_receiver_lane_troubled", "receiver_lane", ["table_name"], sqlite_where=few, postgresql_where=few
    )
    op.execute(
        "INSERT INTO receiver_door_refusal (reason, count, since, last_at) "
        "SELECT 'key', refused_keys, COALESCE(tested_at, CURRENT_TIMESTAMP), COALESCE(tested_at, CURRENT_TIMESTAMP) "
        "FROM receiver_connection WHERE refused_keys > 0"
    )
    with op.batch_alter_table("receiver_connection") as changed:
        changed.drop_column("refused_keys")


def downgrade() -> None:
    with op.batch_alter_table("receiver_connection") as changed:
        changed.add_column(sa.Column("refused_keys", Number, nullable=False, server_default="0"))
    op.drop_index("ix_receiver_lane_troubled", table_name="receiver_lane")
    _unpack()
    with op.batch_alter_table("receiver_inbox") as changed:
        changed.drop_column("is_packed")
    with op.batch_alter_table("receiver_finding") as changed:
        changed.drop_column("why")
    for name in reversed(TABLES):
        op.drop_table(f"receiver_{name}")


def _unpack() -> None:
    """The version before reads bodies as they are stored."""
    connection = op.get_bind()
    read = sa.table("receiver_inbox", sa.column("id"), sa.column("body", Packed), sa.column("is_packed"))
    while rows := connection.execute(sa.select(read.c.id, read.c.body).where(read.c.is_packed).limit(500)).all():
        for row in rows:
            changed = sa.update(read).where(read.c.id == row.id)
            connection.execute(changed.values(body=row.body, is_packed=False))
