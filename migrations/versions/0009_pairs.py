"""Writes whose outcome is open, uncoupling as two memories, questions, and what a mapping does about a match."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment, Number

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MAPPING = "receiver_integration_table_mapping"


def upgrade() -> None:
    _open_writes()
    _two_memories()
    op.create_table(
        "receiver_question",
        *_side(),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("candidates", sa.JSON, nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "toward", "source_id", name="pk_receiver_question"),
    )
    with op.batch_alter_table(MAPPING) as mapping:
        mapping.add_column(sa.Column("when_a_match_exists", sa.String(10), server_default="ask", nullable=False))
    # an ISO code is what a currency is: the same code is the same currency
    mappings = sa.table(MAPPING, sa.column("dataverse_table"), sa.column("when_a_match_exists"))
    is_currency = mappings.c.dataverse_table == "transactioncurrency"
    op.execute(mappings.update().where(is_currency).values(when_a_match_exists="couple"))


def _open_writes() -> None:
    with op.batch_alter_table("receiver_pending_coupling") as pending:
        pending.add_column(sa.Column("replaced_id", sa.String(36), server_default="", nullable=False))
    op.create_table(
        "receiver_open_write",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("local_id", sa.String(100), nullable=False),
        sa.Column("dataverse_id", sa.String(36), nullable=False),
        sa.Column("local_values", sa.JSON, nullable=False),
        sa.Column("dataverse_values", sa.JSON, nullable=False),
        sa.Column("unresolved", sa.JSON, nullable=False),
        sa.Column("version_number", Number),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receiver_open_write"),
    )
    op.create_index("ix_receiver_open_write_dataverse_id", "receiver_open_write", ["dataverse_id"])
    # of a create that was open before, only the id is known
    op.execute(
        "INSERT INTO receiver_open_write"
        " (mapping, local_id, dataverse_id, local_values, dataverse_values, unresolved, at)"
        " SELECT mapping, local_id, dataverse_id, '{}', '{}', '[]', CURRENT_TIMESTAMP"
        " FROM receiver_pending_coupling WHERE is_open"
    )


def _two_memories() -> None:
    op.create_table(
        "receiver_uncoupled",
        *_side(),
        sa.Column("other_id", sa.String(100), nullable=False),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "toward", "source_id", name="pk_receiver_uncoupled"),
    )
    op.execute(
        "INSERT INTO receiver_uncoupled (mapping, toward, source_id, other_id, who, at)"
        " SELECT mapping, 'FromIntegrationTable', dataverse_id, local_id, who, at FROM receiver_uncoupling"
    )
    op.execute(
        "INSERT INTO receiver_uncoupled (mapping, toward, source_id, other_id, who, at)"
        " SELECT mapping, 'ToIntegrationTable', local_id, MIN(dataverse_id), MIN(who), MAX(at)"
        " FROM receiver_uncoupling WHERE local_id <> '' GROUP BY mapping, local_id"
    )
    op.drop_table("receiver_uncoupling")


def _side() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("toward", sa.String(20), nullable=False),
        sa.Column("source_id", sa.String(100), nullable=False),
    )


def downgrade() -> None:
    op.create_table(
        "receiver_uncoupling",
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("dataverse_id", sa.String(36), nullable=False),
        sa.Column("local_id", sa.String(100), server_default="", nullable=False),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "dataverse_id", name="pk_receiver_uncoupling"),
    )
    op.create_index("ix_receiver_uncoupling_local_id", "receiver_uncoupling", ["local_id"])
    op.execute(
        "INSERT INTO receiver_uncoupling (mapping, dataverse_id, local_id, who, at)"
        " SELECT mapping, source_id, other_id, who, at FROM receiver_uncoupled WHERE toward = 'FromIntegrationTable'"
    )
    for table in ("receiver_uncoupled", "receiver_question", "receiver_open_write"):
        op.drop_table(table)
    with op.batch_alter_table("receiver_pending_coupling") as pending:
        pending.drop_column("replaced_id")
    with op.batch_alter_table(MAPPING) as mapping:
        mapping.drop_column("when_a_match_exists")
