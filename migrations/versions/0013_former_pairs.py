"""Pairs that a rule removed, should their row come back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "receiver_former_pair",
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("dataverse_id", sa.String(36), nullable=False),
        sa.Column("local_id", sa.String(100), nullable=False),
        sa.Column("local_base", sa.JSON),
        sa.Column("dataverse_base", sa.JSON),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "dataverse_id", name="pk_receiver_former_pair"),
    )


def downgrade() -> None:
    op.drop_table("receiver_former_pair")
