"""Keys known by their hash, and what was registered in Dataverse last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receiver_webhook_key",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("is_made_here", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("registered_at", Moment),
        sa.Column("last_used_at", Moment),
        sa.Column("ends_at", Moment),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_receiver_webhook_key"),
    )
    op.create_table(
        "receiver_registered_table",
        sa.Column("table_name", sa.String(128), nullable=False),
        sa.Column("alias", sa.String(40), nullable=False),
        sa.Column("registered_at", Moment, nullable=False),
        sa.Column("unheard_since", Moment),
        sa.PrimaryKeyConstraint("table_name", name="pk_receiver_registered_table"),
    )
    op.create_table(
        "receiver_registration",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("checked_at", Moment, nullable=False),
        sa.Column("drifts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receiver_registration"),
    )


def downgrade() -> None:
    for table in ("receiver_registration", "receiver_registered_table", "receiver_webhook_key"):
        op.drop_table(table)
