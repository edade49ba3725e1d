"""Gates: one a reason why nothing is sent, in place of the connection's one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "receiver_gate",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("closed_at", Moment, nullable=False),
        sa.Column("until", Moment, nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("is_set_up", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_receiver_gate"),
    )
    with op.batch_alter_table("receiver_connection") as table:
        table.drop_column("closed_until")
        table.drop_column("closed_reason")


def downgrade() -> None:
    with op.batch_alter_table("receiver_connection") as table:
        table.add_column(sa.Column("closed_until", Moment))
        table.add_column(sa.Column("closed_reason", sa.Text(), nullable=False, server_default=""))
    op.drop_table("receiver_gate")
