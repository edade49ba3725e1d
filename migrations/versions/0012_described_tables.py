"""A description of each Dataverse table takes the place of what was remembered of lacking and shortened columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receiver_dataverse_table",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("read_at", Moment, nullable=False),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_receiver_dataverse_table"),
    )
    with op.batch_alter_table("receiver_connection") as changed:
        changed.drop_column("lacking")
        changed.drop_column("shortened")


def downgrade() -> None:
    with op.batch_alter_table("receiver_connection") as changed:
        changed.add_column(sa.Column("lacking", sa.JSON))
        changed.add_column(sa.Column("shortened", sa.JSON))
    op.drop_table("receiver_dataverse_table")
