"""Transformation rules with arguments: as long as they need to be. What the columns of Dataverse hold today."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FIELD = "receiver_integration_field_mapping"


def upgrade() -> None:
    with op.batch_alter_table(FIELD) as field:
        field.alter_column("transformation_rule", existing_type=sa.String(20), type_=sa.Text, existing_nullable=False)
    op.add_column("receiver_connection", sa.Column("shortened", sa.JSON))


def downgrade() -> None:
    op.drop_column("receiver_connection", "shortened")
    op.execute(sa.text(f"UPDATE {FIELD} SET transformation_rule = '' WHERE length(transformation_rule) > 20"))  # noqa: S608  # a name of ours
    with op.batch_alter_table(FIELD) as field:
        field.alter_column("transformation_rule", existing_type=sa.Text, type_=sa.String(20), existing_nullable=False)
