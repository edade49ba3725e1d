"""Lanes that wait for the gate, who counts in a job, and the version that a mapping is edited at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Number

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("receiver_lane") as lane:
        lane.add_column(sa.Column("waits_for_gate", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("receiver_integration_synch_job") as job:
        job.add_column(sa.Column("holder", sa.String(64), server_default="", nullable=False))
    with op.batch_alter_table("receiver_integration_table_mapping") as mapping:
        mapping.add_column(sa.Column("version", Number, server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("receiver_integration_table_mapping") as mapping:
        mapping.drop_column("version")
    with op.batch_alter_table("receiver_integration_synch_job") as job:
        job.drop_column("holder")
    with op.batch_alter_table("receiver_lane") as lane:
        lane.drop_column("waits_for_gate")
