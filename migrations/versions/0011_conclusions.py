"""Conclusions that cannot be taken back, of the last hour or kept back; since when a lane has been in trouble."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "receiver_conclusion",
        sa.Column("mapping", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(140), nullable=False),
        sa.Column("dataverse_id", sa.String(36), nullable=False),
        sa.Column("local_id", sa.String(100), nullable=False),
        sa.Column("toward", sa.String(20), nullable=False),
        sa.Column("is_kept", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("keeper", sa.String(40), nullable=False, server_default=""),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("mapping", "kind", "dataverse_id", name="pk_receiver_conclusion"),
    )

    op.add_column("receiver_lane", sa.Column("troubled_since", Moment))


def downgrade() -> None:
    op.drop_column("receiver_lane", "troubled_since")
    op.drop_table("receiver_conclusion")
