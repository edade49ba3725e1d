"""Lanes that wait for the gate, whose count a job takes, and the version that a mapping is edited at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("receiver_lane") as lane:
        lane.add_column(sa.Column("waits_for_gate", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("receiver_lane") as lane:
        lane.drop_column("waits_for_gate")
