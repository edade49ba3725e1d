"""What told a row's version, what a side made of a value by itself, and why a verification lets a difference be."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("receiver_lane", sa.Column("version_was_read", sa.Boolean, server_default=sa.false(), nullable=False))
    op.add_column("receiver_coupling", sa.Column("altered", sa.JSON, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("receiver_finding", sa.Column("reasons", sa.JSON, server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    op.drop_column("receiver_finding", "reasons")
    op.drop_column("receiver_coupling", "altered")
    op.drop_column("receiver_lane", "version_was_read")
