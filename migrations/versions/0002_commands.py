"""Commands: tasks, history, verification, match-based coupling; lanes asleep leave the order of lanes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment, Number

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MAPPING, FIELD, UNCOUPLING = (
    "receiver_integration_table_mapping",
    "receiver_integration_field_mapping",
    "receiver_uncoupling",
)
INDEX, LANE = "ix_receiver_lane_order", "receiver_lane"
AWAKE = sa.text("ready_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index(INDEX, LANE)
    op.create_index(INDEX, LANE, [sa.text("is_first DESC"), "ready_at"], sqlite_where=AWAKE, postgresql_where=AWAKE)
    op.add_column(UNCOUPLING, sa.Column("local_id", sa.String(100), nullable=False, server_default=""))
    op.create_index("ix_receiver_uncoupling_local_id", UNCOUPLING, ["local_id"])
    for name in ("synch_after_bulk_coupling", "create_new_in_case_of_no_match"):
        op.add_column(MAPPING, sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column(MAPPING, sa.Column("dataverse_watermark", Moment))
    op.add_column(MAPPING, sa.Column("change_token", sa.Text, nullable=False, server_default=""))
    op.add_column(FIELD, sa.Column("match_priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column(FIELD, sa.Column("case_sensitive_matching", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "receiver_history",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("local_id", sa.String(length=100), nullable=False),
        sa.Column("dataverse_id", sa.String(length=36), nullable=False),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("undone_by", Number, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_history")),
    )
    op.create_index(op.f("ix_receiver_history_at"), "receiver_history", ["at"], unique=False)
    op.create_index("ix_receiver_history_row", "receiver_history", ["dataverse_id", "id"], unique=False)
    op.create_table(
        "receiver_task",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("command", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="waiting", nullable=False),
        sa.Column("is_cancelled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("position", sa.JSON(), nullable=True),
        sa.Column("done", Number, server_default="0", nullable=False),
        sa.Column("total", Number, nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_task")),
    )
    op.create_index(op.f("ix_receiver_task_state"), "receiver_task", ["state"], unique=False)
    op.create_table(
        "receiver_verification",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_verification")),
    )
    op.create_index(op.f("ix_receiver_verification_mapping"), "receiver_verification", ["mapping"], unique=False)
    op.create_table(
        "receiver_finding",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("verification", Number, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("local_id", sa.String(length=100), server_default="", nullable=False),
        sa.Column("dataverse_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["verification"],
            ["receiver_verification.id"],
            name=op.f("fk_receiver_finding_verification_receiver_verification"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_finding")),
    )
    op.create_index(op.f("ix_receiver_finding_verification"), "receiver_finding", ["verification"], unique=False)


def downgrade() -> None:
    for table in ("finding", "verification", "history", "task"):
        op.drop_table(f"receiver_{table}")
    op.drop_column(FIELD, "case_sensitive_matching")
    op.drop_column(FIELD, "match_priority")
    for name in ("change_token", "dataverse_watermark", "create_new_in_case_of_no_match", "synch_after_bulk_coupling"):
        op.drop_column(MAPPING, name)
    op.drop_index("ix_receiver_uncoupling_local_id", UNCOUPLING)
    op.drop_column(UNCOUPLING, "local_id")
    op.drop_index(INDEX, LANE)
    op.create_index(INDEX, LANE, [sa.text("is_first DESC"), "ready_at"])
