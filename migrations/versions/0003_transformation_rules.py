"""Transformation rules with arguments: as long as they need to be. What the columns of Dataverse hold today."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FIELD = "receiver_integration_field_mapping"
#: characters that a rule had before
SHORT = 20


def upgrade() -> None:
    with op.batch_alter_table(FIELD) as field:
        field.alter_column(
            "transformation_rule", existing_type=sa.String(SHORT), type_=sa.Text, existing_nullable=False
        )
    op.add_column("receiver_connection", sa.Column("shortened", sa.JSON))


def downgrade() -> None:
    op.drop_column("receiver_connection", "shortened")
    fields = sa.table(FIELD, sa.column("transformation_rule", sa.Text))
    too_long = sa.func.length(fields.c.transformation_rule) > SHORT
    op.execute(fields.update().where(too_long).values(transformation_rule=""))
    with op.batch_alter_table(FIELD) as field:
        field.alter_column(
            "transformation_rule", existing_type=sa.Text, type_=sa.String(SHORT), existing_nullable=False
        )
