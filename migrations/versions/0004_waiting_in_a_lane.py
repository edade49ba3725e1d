"""What waits in a lane is found by one index, however much waits in all and however much the lane has seen."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("receiver_inbox") as inbox:
        inbox.drop_index("ix_receiver_inbox_lane")
        inbox.create_index("ix_receiver_inbox_lane_state", ["lane", "state", "id"])


def downgrade() -> None:
    with op.batch_alter_table("receiver_inbox") as inbox:
        inbox.drop_index("ix_receiver_inbox_lane_state")
        inbox.create_index("ix_receiver_inbox_lane", ["lane"])
