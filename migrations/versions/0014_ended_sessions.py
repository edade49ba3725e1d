"""Sessions of the pages that their owner signed out of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Moment

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "receiver_ended_session",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_receiver_ended_session"),
    )


def downgrade() -> None:
    op.drop_table("receiver_ended_session")
