"""The service tables and the shipped local tables"""

import sqlalchemy as sa
from alembic import op

from receiver.store.types import Amount, Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "contact",
        sa.Column("no", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=10), server_default="", nullable=False),
        sa.Column("company_type", sa.String(length=20), server_default="", nullable=False),
        sa.Column("company_no", sa.String(length=20), server_default="", nullable=False),
        sa.Column("first_name", sa.String(length=50), server_default="", nullable=False),
        sa.Column("middle_name", sa.String(length=50), server_default="", nullable=False),
        sa.Column("surname", sa.String(length=50), server_default="", nullable=False),
        sa.Column("salutation_code", sa.String(length=100), server_default="", nullable=False),
        sa.Column("address", sa.String(length=250), server_default="", nullable=False),
        sa.Column("address_2", sa.String(length=250), server_default="", nullable=False),
        sa.Column("post_code", sa.String(length=20), server_default="", nullable=False),
        sa.Column("city", sa.String(length=80), server_default="", nullable=False),
        sa.Column("county", sa.String(length=50), server_default="", nullable=False),
        sa.Column("country_region_code", sa.String(length=80), server_default="", nullable=False),
        sa.Column("phone_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("mobile_phone_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("pager", sa.String(length=50), server_default="", nullable=False),
        sa.Column("e_mail", sa.String(length=100), server_default="", nullable=False),
        sa.Column("fax_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("home_page", sa.String(length=200), server_default="", nullable=False),
        sa.Column("currency_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("salesperson_code", sa.String(length=20), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_contact")),
    )
    op.create_table(
        "currency",
        sa.Column("code", sa.String(length=10), nullable=False),
        sa.Column("description", sa.String(length=100), server_default="", nullable=False),
        sa.Column("symbol", sa.String(length=10), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_currency")),
    )
    op.create_table(
        "customer",
        sa.Column("no", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=160), server_default="", nullable=False),
        sa.Column("contact", sa.String(length=100), server_default="", nullable=False),
        sa.Column("address", sa.String(length=250), server_default="", nullable=False),
        sa.Column("address_2", sa.String(length=250), server_default="", nullable=False),
        sa.Column("post_code", sa.String(length=20), server_default="", nullable=False),
        sa.Column("city", sa.String(length=80), server_default="", nullable=False),
        sa.Column("county", sa.String(length=50), server_default="", nullable=False),
        sa.Column("country_region_code", sa.String(length=80), server_default="", nullable=False),
        sa.Column("phone_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("mobile_phone_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("e_mail", sa.String(length=100), server_default="", nullable=False),
        sa.Column("fax_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("home_page", sa.String(length=200), server_default="", nullable=False),
        sa.Column("currency_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("primary_contact_no", sa.String(length=20), server_default="", nullable=False),
        sa.Column("payment_terms_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("shipment_method_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("shipping_agent_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("blocked", sa.String(length=10), server_default="", nullable=False),
        sa.Column("privacy_blocked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("salesperson_code", sa.String(length=20), server_default="", nullable=False),
        sa.Column("credit_limit_lcy", Amount(precision=38, scale=10), nullable=True),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_customer")),
    )
    op.create_table(
        "receiver_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("what", sa.String(length=200), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_change")),
    )
    op.create_table(
        "receiver_connection",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tested_at", Moment(timezone=True), nullable=True),
        sa.Column("is_good", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("organization_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("lacking", sa.JSON(), nullable=True),
        sa.Column("closed_until", Moment(timezone=True), nullable=True),
        sa.Column("closed_reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "refused_keys", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_connection")),
    )
    op.create_table(
        "receiver_coupling",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("local_id", sa.String(length=100), nullable=False),
        sa.Column("dataverse_id", sa.String(length=36), nullable=False),
        sa.Column("local_base", sa.JSON(), nullable=True),
        sa.Column("dataverse_base", sa.JSON(), nullable=True),
        sa.Column("unresolved", sa.JSON(), nullable=False),
        sa.Column("is_skipped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("from_result", sa.String(length=8), nullable=False),
        sa.Column("from_job", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("from_error", sa.Text(), nullable=False),
        sa.Column("to_result", sa.String(length=8), nullable=False),
        sa.Column("to_job", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("to_error", sa.Text(), nullable=False),
        sa.Column("coupled_at", Moment(timezone=True), nullable=False),
        sa.Column("synchronized_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_coupling")),
        sa.UniqueConstraint("mapping", "dataverse_id", name=op.f("uq_receiver_coupling_mapping_dataverse_id")),
        sa.UniqueConstraint("mapping", "local_id", name=op.f("uq_receiver_coupling_mapping_local_id")),
    )
    with op.batch_alter_table("receiver_coupling", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receiver_coupling_dataverse_id"), ["dataverse_id"], unique=False)

    op.create_table(
        "receiver_inbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("received_at", Moment(timezone=True), nullable=False),
        sa.Column("remote_address", sa.String(length=64), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=True),
        sa.Column("lane", sa.String(length=200), nullable=True),
        sa.Column("message", sa.String(length=256), nullable=False),
        sa.Column("table_name", sa.String(length=256), nullable=False),
        sa.Column("row_id", sa.String(length=36), nullable=False),
        sa.Column("is_synchronous", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_click", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("waits", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_inbox")),
        sa.UniqueConstraint("delivery", name=op.f("uq_receiver_inbox_delivery")),
    )
    with op.batch_alter_table("receiver_inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receiver_inbox_lane"), ["lane"], unique=False)
        batch_op.create_index("ix_receiver_inbox_state_id", ["state", "id"], unique=False)

    op.create_table(
        "receiver_integration_synch_job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("started_at", Moment(timezone=True), nullable=False),
        sa.Column("finished_at", Moment(timezone=True), nullable=True),
        sa.Column("message", sa.String(length=250), nullable=False),
        sa.Column("inserted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("modified", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deleted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("uncoupled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("coupled", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_integration_synch_job")),
    )
    with op.batch_alter_table("receiver_integration_synch_job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receiver_integration_synch_job_mapping"), ["mapping"], unique=False)

    op.create_table(
        "receiver_integration_table_mapping",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("local_table", sa.String(length=64), nullable=False),
        sa.Column("dataverse_table", sa.String(length=128), nullable=False),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("synch_only_coupled_records", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("local_filter", sa.Text(), nullable=False),
        sa.Column("dataverse_filter", sa.Text(), nullable=False),
        sa.Column("resolve_deletion_conflicts", sa.String(length=20), nullable=False),
        sa.Column("resolve_update_conflicts", sa.String(length=50), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("depends_on", sa.JSON(), nullable=False),
        sa.Column("local_template", sa.JSON(), nullable=False),
        sa.Column("dataverse_template", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_receiver_integration_table_mapping")),
    )
    op.create_table(
        "receiver_lane",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("table_name", sa.String(length=256), nullable=False),
        sa.Column("row_id", sa.String(length=36), nullable=False),
        sa.Column("ready_at", Moment(timezone=True), nullable=True),
        sa.Column("is_first", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Moment(timezone=True), nullable=True),
        sa.Column(
            "generation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("wish", sa.String(length=200), server_default="", nullable=False),
        sa.Column("version_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("modified_on", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_receiver_lane")),
    )
    with op.batch_alter_table("receiver_lane", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receiver_lane_ready_at"), ["ready_at"], unique=False)
    op.create_index("ix_receiver_lane_order", "receiver_lane", [sa.text("is_first DESC"), "ready_at"])

    op.create_table(
        "receiver_number_series",
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=10), nullable=False),
        sa.Column("digits", sa.Integer(), nullable=False),
        sa.Column("increment", sa.Integer(), nullable=False),
        sa.Column("last", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("table_name", name=op.f("pk_receiver_number_series")),
    )
    op.create_table(
        "receiver_passed_over",
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("row_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("since", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mapping", "row_id", name=op.f("pk_receiver_passed_over")),
    )
    op.create_table(
        "receiver_pending_coupling",
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("local_id", sa.String(length=100), nullable=False),
        sa.Column("dataverse_id", sa.String(length=36), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.PrimaryKeyConstraint("mapping", "local_id", name=op.f("pk_receiver_pending_coupling")),
        sa.UniqueConstraint("dataverse_id", name=op.f("uq_receiver_pending_coupling_dataverse_id")),
    )
    op.create_table(
        "receiver_sign_in",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_at", Moment(timezone=True), nullable=False),
        sa.Column("used_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_receiver_sign_in")),
    )
    op.create_table(
        "receiver_tombstone",
        sa.Column("table_name", sa.String(length=256), nullable=False),
        sa.Column("row_id", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "row_id", name=op.f("pk_receiver_tombstone")),
    )
    op.create_table(
        "receiver_uncoupling",
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("dataverse_id", sa.String(length=36), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mapping", "dataverse_id", name=op.f("pk_receiver_uncoupling")),
    )
    op.create_table(
        "receiver_wait",
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("wanted_table", sa.String(length=128), nullable=False),
        sa.Column("wanted_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("lane", "wanted_table", "wanted_id", name=op.f("pk_receiver_wait")),
    )
    with op.batch_alter_table("receiver_wait", schema=None) as batch_op:
        batch_op.create_index("ix_receiver_wait_wanted", ["wanted_table", "wanted_id"], unique=False)

    op.create_table(
        "receiver_worker",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("started_at", Moment(timezone=True), nullable=False),
        sa.Column("seen_at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_worker")),
    )
    op.create_table(
        "salesperson",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("e_mail", sa.String(length=100), server_default="", nullable=False),
        sa.Column("e_mail_2", sa.String(length=100), server_default="", nullable=False),
        sa.Column("phone_no", sa.String(length=64), server_default="", nullable=False),
        sa.Column("job_title", sa.String(length=100), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_salesperson")),
    )
    op.create_table(
        "vendor",
        sa.Column("no", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=160), server_default="", nullable=False),
        sa.Column("contact", sa.String(length=100), server_default="", nullable=False),
        sa.Column("address", sa.String(length=250), server_default="", nullable=False),
        sa.Column("address_2", sa.String(length=250), server_default="", nullable=False),
        sa.Column("post_code", sa.String(length=20), server_default="", nullable=False),
        sa.Column("city", sa.String(length=80), server_default="", nullable=False),
        sa.Column("county", sa.String(length=50), server_default="", nullable=False),
        sa.Column("country_region_code", sa.String(length=80), server_default="", nullable=False),
        sa.Column("phone_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("mobile_phone_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("e_mail", sa.String(length=100), server_default="", nullable=False),
        sa.Column("fax_no", sa.String(length=50), server_default="", nullable=False),
        sa.Column("home_page", sa.String(length=200), server_default="", nullable=False),
        sa.Column("currency_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("primary_contact_no", sa.String(length=20), server_default="", nullable=False),
        sa.Column("payment_terms_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("shipment_method_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("shipping_agent_code", sa.String(length=10), server_default="", nullable=False),
        sa.Column("blocked", sa.String(length=10), server_default="", nullable=False),
        sa.Column("privacy_blocked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("purchaser_code", sa.String(length=20), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_vendor")),
    )
    op.create_table(
        "receiver_integration_field_mapping",
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("local_column", sa.String(length=64), nullable=True),
        sa.Column("dataverse_column", sa.String(length=128), nullable=True),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("constant", sa.JSON(), nullable=True),
        sa.Column("transformation_rule", sa.String(length=20), nullable=False),
        sa.Column("transformation_direction", sa.String(length=20), nullable=False),
        sa.Column("clear_value_on_failed_sync", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("not_null", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("match_on_this_field", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("conversion", sa.String(length=20), nullable=False),
        sa.Column("related", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mapping"],
            ["receiver_integration_table_mapping.name"],
            name=op.f("fk_receiver_integration_field_mapping_mapping_receiver_integration_table_mapping"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mapping", "number", name=op.f("pk_receiver_integration_field_mapping")),
    )
    op.create_table(
        "receiver_integration_synch_job_error",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("job", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("destination", sa.String(length=200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job"],
            ["receiver_integration_synch_job.id"],
            name=op.f("fk_receiver_integration_synch_job_error_job_receiver_integration_synch_job"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver_integration_synch_job_error")),
    )
    with op.batch_alter_table("receiver_integration_synch_job_error", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receiver_integration_synch_job_error_job"), ["job"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("receiver_integration_synch_job_error", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receiver_integration_synch_job_error_job"))

    op.drop_table("receiver_integration_synch_job_error")
    op.drop_table("receiver_integration_field_mapping")
    op.drop_table("vendor")
    op.drop_table("salesperson")
    op.drop_table("receiver_worker")
    with op.batch_alter_table("receiver_wait", schema=None) as batch_op:
        batch_op.drop_index("ix_receiver_wait_wanted")

    op.drop_table("receiver_wait")
    op.drop_table("receiver_uncoupling")
    op.drop_table("receiver_tombstone")
    op.drop_table("receiver_sign_in")
    op.drop_table("receiver_pending_coupling")
    op.drop_table("receiver_passed_over")
    op.drop_table("receiver_number_series")
    op.drop_index("ix_receiver_lane_order", "receiver_lane")
    with op.batch_alter_table("receiver_lane", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receiver_lane_ready_at"))

    op.drop_table("receiver_lane")
    op.drop_table("receiver_integration_table_mapping")
    with op.batch_alter_table("receiver_integration_synch_job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receiver_integration_synch_job_mapping"))

    op.drop_table("receiver_integration_synch_job")
    with op.batch_alter_table("receiver_inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_receiver_inbox_state_id")
        batch_op.drop_index(batch_op.f("ix_receiver_inbox_lane"))

    op.drop_table("receiver_inbox")
    with op.batch_alter_table("receiver_coupling", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receiver_coupling_dataverse_id"))

    op.drop_table("receiver_coupling")
    op.drop_table("receiver_connection")
    op.drop_table("receiver_change")
    op.drop_table("customer")
    op.drop_table("currency")
    op.drop_table("contact")
