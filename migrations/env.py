"""Alembic's environment: the migrations run on the connection that `receiver migrate` hands over."""

from alembic import context

from receiver import tables
from receiver.store.models import metadata
from receiver.store.schema import VERSION_TABLE

assert tables.TABLES, "the local tables stand in the same metadata"

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
