"""The service tables. Every one carries the prefix `receiver_`, so that they can live beside the company's own."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from receiver.store.types import Moment, Number, Packed

#: named where SQLite must be told which index to use
INBOX_BY_LANE = "ix_receiver_inbox_lane_state"
INBOX_DUE = "ix_receiver_inbox_due"
#: said with these words in queries too, else no database uses the index
IS_NEW = text("state = 'waiting' AND due_at IS NOT NULL")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: What came, raw, and what became of it. Insert-only but for the state and the outcome.
inbox = Table(
    "receiver_inbox",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("received_at", Moment, nullable=False),
    Column("remote_address", String(64), nullable=False, default=""),
    Column("headers", JSON, nullable=False),
    Column("body", Packed, nullable=False),
    #: packed since it has ended
    Column("is_packed", Boolean, nullable=False, server_default=false()),
    Column("size", Integer, nullable=False),
    #: of an accepted delivery alone: the same delivery twice is stored once
    Column("delivery", String(64), unique=True),
    Column("lane", String(200)),
    Column("message", String(256), nullable=False, default=""),
    Column("table_name", String(256), nullable=False, default=""),
    Column("row_id", String(36), nullable=False, default=""),
    Column("is_synchronous", Boolean, nullable=False, server_default=false()),
    Column("is_click", Boolean, nullable=False, server_default=false()),
    Column("state", String(12), nullable=False),
    #: from when it makes its lane ready while it waits; once it was looked at, none: its lane says when
    Column("due_at", Moment),
    #: a failure or a skip that ends by itself once the lane is woken
    Column("waits", Boolean, nullable=False, server_default=false()),
    Column("note", Text, nullable=False, default=""),
    #: [{mapping, decision, reason, sentence, record, fields: {column: [before, after]}}]
    Column("outcome", JSON),
    Column("finished_at", Moment),
    Index("ix_receiver_inbox_state_id", "state", "id"),
    Index(INBOX_BY_LANE, "lane", "state", "id"),
    #: the order in which what is new is taken; what was looked at, and is put off, is not passed by
    Index(
        INBOX_DUE,
        text("is_click DESC"),
        "due_at",
        sqlite_where=IS_NEW,
        postgresql_where=IS_NEW,
    ),
)

#: One row per Dataverse row that was ever worked on: who holds it, when it is tried again; its version stays.
#: What waits makes its lane ready by itself (`inbox.due_at`); `ready_at` is for all else, and for what is put off.
lane = Table(
    "receiver_lane",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("table_name", String(256), nullable=False),
    Column("row_id", String(36), nullable=False),
    Column("ready_at", Moment, index=True),
    Column("is_first", Boolean, nullable=False, server_default=false()),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("generation", Number, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    #: the first of the attempts that were charged
    Column("troubled_since", Moment),
    #: it is ready as soon as the gate opens, whenever its own time would come
    Column("waits_for_gate", Boolean, nullable=False, server_default=false()),
    #: why it was touched when no notification did: woken by a parent, brought in by a person
    Column("wish", String(200), nullable=False, server_default=""),
    Column("version_number", Number),
    Column("modified_on", Moment),
    #: a read told the version, not an image alone: only then is anything late
    Column("version_was_read", Boolean, nullable=False, server_default=false()),
    #: the few that are tried again
    Index(
        "ix_receiver_lane_troubled",
        "table_name",
        sqlite_where=text("attempts > 0"),
        postgresql_where=text("attempts > 0"),
    ),
    #: the order in which lanes are leased: with thousands ready, none is sorted, and those asleep are not passed by
    Index(
        "ix_receiver_lane_order",
        text("is_first DESC"),
        "ready_at",
        sqlite_where=text("ready_at IS NOT NULL"),
        postgresql_where=text("ready_at IS NOT NULL"),
    ),
)

#: A lane that waits for a row to be coupled, or holds a cleared lookup to it.
wait = Table(
    "receiver_wait",
    metadata,
    Column("lane", String(200), primary_key=True),
    Column("wanted_table", String(128), primary_key=True),
    Column("wanted_id", String(36), primary_key=True),
    Index("ix_receiver_wait_wanted", "wanted_table", "wanted_id"),
)

tombstone = Table(
    "receiver_tombstone",
    metadata,
    Column("table_name", String(256), primary_key=True),
    Column("row_id", String(36), primary_key=True),
    Column("at", Moment, nullable=False),
)

coupling = Table(
    "receiver_coupling",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("mapping", String(20), nullable=False),
    Column("local_id", String(100), nullable=False),
    Column("dataverse_id", String(36), nullable=False, index=True),
    Column("local_base", JSON),
    Column("dataverse_base", JSON),
    Column("unresolved", JSON, nullable=False),
    #: {local column: the direction in which its altered value travels back, null where it does not}
    Column("altered", JSON, nullable=False, server_default=text("'{}'")),
    Column("is_skipped", Boolean, nullable=False, server_default=false()),
    Column("from_result", String(8), nullable=False, default=""),
    Column("from_job", Number),
    Column("from_error", Text, nullable=False, default=""),
    Column("to_result", String(8), nullable=False, default=""),
    Column("to_job", Number),
    Column("to_error", Text, nullable=False, default=""),
    Column("coupled_at", Moment, nullable=False),
    Column("synchronized_at", Moment),
    UniqueConstraint("mapping", "local_id"),
    UniqueConstraint("mapping", "dataverse_id"),
)

#: Committed before a create in Dataverse, so that its own notification and a lost answer find it.
pending_coupling = Table(
    "receiver_pending_coupling",
    metadata,
    Column("mapping", String(20), primary_key=True),
    Column("local_id", String(100), primary_key=True),
    Column("dataverse_id", String(36), nullable=False, unique=True),
    #: survives uncoupling and restoring, so that a derived id is never met again
    Column("counter", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False, server_default=true()),
    #: the deleted row that the record is coupled to, and that the new one restores; empty: the record is not coupled
    Column("replaced_id", String(36), nullable=False, server_default=""),
)

#: Committed before each write to Dataverse: until its outcome is known, these values in the row are our own doing.
open_write = Table(
    "receiver_open_write",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("mapping", String(20), nullable=False),
    Column("local_id", String(100), nullable=False),
    Column("dataverse_id", String(36), nullable=False, index=True),
    #: the record as it was then, what was sent of it, and local columns of lookups that could not be said
    Column("local_values", JSON, nullable=False),
    Column("dataverse_values", JSON, nullable=False),
    Column("unresolved", JSON, nullable=False),
    #: the version that the row had to have; null for a create
    Column("version_number", Number),
    Column("at", Moment, nullable=False),
)

#: What people uncoupled, each side by itself: `toward` From is the row's memory, To the local record's.
uncoupled = Table(
    "receiver_uncoupled",
    metadata,
    Column("mapping", String(20), primary_key=True),
    Column("toward", String(20), primary_key=True),
    Column("source_id", String(100), primary_key=True),
    #: the one that it was coupled to
    Column("other_id", String(100), nullable=False),
    Column("who", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)

#: What nobody but a person can say: which of some records is meant. Asked until it is answered, or past.
question = Table(
    "receiver_question",
    metadata,
    Column("mapping", String(20), primary_key=True),
    Column("toward", String(20), primary_key=True),
    Column("source_id", String(100), primary_key=True),
    Column("reason", String(40), nullable=False),
    #: [[id, name]] of the other side, or of the same side where a key was changed
    Column("candidates", JSON, nullable=False),
    Column("since", Moment, nullable=False),
)

#: Pairs that a rule removed since one of their records was deleted: the row may come back.
former_pair = Table(
    "receiver_former_pair",
    metadata,
    Column("mapping", String(20), primary_key=True),
    Column("dataverse_id", String(36), primary_key=True),
    Column("local_id", String(100), nullable=False),
    Column("local_base", JSON),
    Column("dataverse_base", JSON),
    Column("at", Moment, nullable=False),
)

#: What cannot be taken back by the next run: drawn lately, or kept back until a person has looked at it.
conclusion = Table(
    "receiver_conclusion",
    metadata,
    Column("mapping", String(20), primary_key=True),
    #: gone, or blank with a column's name
    Column("kind", String(140), primary_key=True),
    Column("dataverse_id", String(36), primary_key=True),
    Column("local_id", String(100), nullable=False),
    Column("toward", String(20), nullable=False),
    Column("is_kept", Boolean, nullable=False, server_default=false()),
    #: the run that keeps it to its end
    Column("keeper", String(40), nullable=False, server_default=""),
    Column("at", Moment, nullable=False),
)

passed_over = Table(
    "receiver_passed_over",
    metadata,
    Column("mapping", String(20), primary_key=True),
    Column("row_id", String(36), primary_key=True),
    Column("reason", String(40), nullable=False),
    Column("since", Moment, nullable=False),
)

mapping = Table(
    "receiver_integration_table_mapping",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("local_table", String(64), nullable=False),
    Column("dataverse_table", String(128), nullable=False),
    Column("direction", String(20), nullable=False),
    Column("synch_only_coupled_records", Boolean, nullable=False, server_default=true()),
    Column("local_filter", Text, nullable=False, default=""),
    Column("dataverse_filter", Text, nullable=False, default=""),
    Column("resolve_deletion_conflicts", String(20), nullable=False, default=""),
    Column("resolve_update_conflicts", String(50), nullable=False, default=""),
    Column("is_enabled", Boolean, nullable=False, server_default=true()),
    Column("depends_on", JSON, nullable=False),
    Column("local_template", JSON, nullable=False),
    Column("dataverse_template", JSON, nullable=False),
    #: match-based coupling: what follows it
    Column("synch_after_bulk_coupling", Boolean, nullable=False, server_default=false()),
    Column("create_new_in_case_of_no_match", Boolean, nullable=False, server_default=false()),
    #: instead of creating a record beside one that looks alike: ask, couple, create
    Column("when_a_match_exists", String(10), nullable=False, server_default="ask"),
    #: up to where the Dataverse table has been read by runs: modifiedon, and the token of change tracking
    Column("dataverse_watermark", Moment),
    Column("change_token", Text, nullable=False, server_default=""),
    #: the number of its newest change: who edits says which one he looked at
    Column("version", Number, nullable=False, server_default="0"),
)

field_mapping = Table(
    "receiver_integration_field_mapping",
    metadata,
    Column(
        "mapping",
        String(20),
        ForeignKey("receiver_integration_table_mapping.name", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("local_column", String(64)),
    Column("dataverse_column", String(128)),
    Column("direction", String(20), nullable=False),
    Column("constant", JSON),
    Column("transformation_rule", Text, nullable=False, default=""),
    Column("transformation_direction", String(20), nullable=False),
    Column("clear_value_on_failed_sync", Boolean, nullable=False, server_default=false()),
    Column("not_null", Boolean, nullable=False, server_default=false()),
    Column("match_on_this_field", Boolean, nullable=False, server_default=false()),
    Column("match_priority", Integer, nullable=False, server_default="0"),
    Column("case_sensitive_matching", Boolean, nullable=False, server_default=false()),
    Column("is_enabled", Boolean, nullable=False, server_default=true()),
    Column("conversion", String(20), nullable=False, default=""),
    Column("related", JSON, nullable=False),
)

job = Table(
    "receiver_integration_synch_job",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("mapping", String(20), nullable=False, index=True),
    Column("direction", String(20), nullable=False),
    Column("type", String(20), nullable=False, default="Synchronization"),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("message", String(250), nullable=False, default=""),
    #: the lease of the task that counts in it; who lost it counts no more
    Column("holder", String(64), nullable=False, server_default=""),
    *(
        Column(name, Integer, nullable=False, server_default="0")
        for name in ("inserted", "modified", "deleted", "unchanged", "skipped", "failed", "uncoupled", "coupled")
    ),
)

job_error = Table(
    "receiver_integration_synch_job_error",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column(
        "job", Number, ForeignKey("receiver_integration_synch_job.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("source", String(200), nullable=False, default=""),
    Column("destination", String(200), nullable=False, default=""),
    Column("message", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: A long command as a row: a worker carries it out piece by piece, the one who asked watches.
task = Table(
    "receiver_task",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("command", String(40), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("who", String(100), nullable=False),
    #: waiting, working, done, failed, cancelled
    Column("state", String(10), nullable=False, server_default="waiting", index=True),
    Column("is_cancelled", Boolean, nullable=False, server_default=false()),
    #: where to go on after an interruption
    Column("position", JSON),
    Column("done", Number, nullable=False, server_default="0"),
    Column("total", Number),
    #: {counter: number}
    Column("counts", JSON, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
)

#: What a synchronization changed of a coupled record: when, why, which way, from what to what.
history = Table(
    "receiver_history",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False, index=True),
    Column("mapping", String(20), nullable=False),
    Column("local_id", String(100), nullable=False),
    Column("dataverse_id", String(36), nullable=False),
    Column("direction", String(20), nullable=False),
    Column("decision", String(20), nullable=False),
    #: a notification's number, a person and command, or a run
    Column("why", String(200), nullable=False),
    #: {column of the destination: [before, after]}
    Column("fields", JSON, nullable=False),
    #: the entry that took this one back
    Column("undone_by", Number),
    Index("ix_receiver_history_row", "dataverse_id", "id"),
)

#: A proof that both sides of a mapping are in step, or where they are not.
verification = Table(
    "receiver_verification",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("mapping", String(20), nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    #: {finding: number}
    Column("counts", JSON, nullable=False),
    #: SHA-256 over the pairs compared
    Column("digest", String(64), nullable=False, server_default=""),
)

finding = Table(
    "receiver_finding",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column(
        "verification",
        Number,
        ForeignKey("receiver_verification.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    #: missing, extra, different, uncoupled, explained
    Column("kind", String(20), nullable=False),
    Column("local_id", String(100), nullable=False, server_default=""),
    Column("dataverse_id", String(36), nullable=False, server_default=""),
    #: {local column: [local value, Dataverse value]}
    Column("fields", JSON, nullable=False),
    #: {local column: which rule lets the difference be}
    Column("reasons", JSON, nullable=False, server_default=text("'{}'")),
    #: missed, waiting, failed, skipped, guarded, direction, cut, rule
    Column("why", String(20), nullable=False, server_default=""),
)

#: Who changed what, from what, to what.
change = Table(
    "receiver_change",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("who", String(100), nullable=False),
    Column("what", String(200), nullable=False),
    Column("before", Text, nullable=False, default=""),
    Column("after", Text, nullable=False, default=""),
)

number_series = Table(
    "receiver_number_series",
    metadata,
    Column("table_name", String(64), primary_key=True),
    Column("prefix", String(10), nullable=False),
    Column("digits", Integer, nullable=False),
    Column("increment", Integer, nullable=False),
    Column("last", Number, nullable=False),
)

worker = Table(
    "receiver_worker",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

#: What keeps requests from being sent to Dataverse: a pause that it asked for, or a set-up that a person must mend.
gate = Table(
    "receiver_gate",
    metadata,
    #: everything, writes, or an operation on one table, such as "read account"
    Column("name", String(100), primary_key=True),
    Column("closed_at", Moment, nullable=False),
    #: then one request may look whether it is open again
    Column("until", Moment, nullable=False),
    #: how often one has looked
    Column("looks", Integer, nullable=False, server_default="0"),
    Column("is_set_up", Boolean, nullable=False, server_default=false()),
    #: what Dataverse said, and what a person can do
    Column("reason", Text, nullable=False),
)

#: One row: what the last test of the connection to Dataverse found.
connection = Table(
    "receiver_connection",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("tested_at", Moment),
    Column("is_good", Boolean, nullable=False, server_default=false()),
    Column("said", Text, nullable=False, server_default=""),
    Column("organization_id", String(36), nullable=False, server_default=""),
)

#: What Dataverse's metadata said of each mapped table when it was read last.
dataverse_table = Table(
    "receiver_dataverse_table",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("read_at", Moment, nullable=False),
    #: {column: its facts}, as `dataverse/metadata.py` writes them
    Column("columns", JSON, nullable=False),
    #: how often it said something else than before; a change counts everywhere without a restart
    Column("changes", Integer, nullable=False),
)

sign_in = Table(
    "receiver_sign_in",
    metadata,
    #: SHA-256 of the one-time token
    Column("digest", String(64), primary_key=True),
    Column("made_at", Moment, nullable=False),
    Column("used_at", Moment),
)

#: Sessions of the pages whose owner signed out, by the SHA-256 of their id, until no cookie of them can be valid.
ended_session = Table(
    "receiver_ended_session",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("at", Moment, nullable=False),
)

#: Keys that Dataverse may send, by their SHA-256. Those of the setting have a row once they are used.
webhook_key = Table(
    "receiver_webhook_key",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    #: made here and known to Dataverse alone; else it stands in the setting
    Column("is_made_here", Boolean, nullable=False, server_default=false()),
    Column("made_at", Moment, nullable=False),
    #: given to the service endpoint
    Column("registered_at", Moment),
    Column("last_used_at", Moment),
    Column("ends_at", Moment),
)

#: What was registered in Dataverse last, by its table.
registered_table = Table(
    "receiver_registered_table",
    metadata,
    Column("table_name", String(128), primary_key=True),
    #: of the post image, a hash of its columns; empty until a registration has come to its end
    Column("alias", String(40), nullable=False),
    Column("registered_at", Moment, nullable=False),
    #: from then to `registered_at` its steps were off, lacking or new: a run finds what was not told
    Column("unheard_since", Moment),
)

#: One row: what the last check of the registration found, [{words, remedy, mappings}].
registration = Table(
    "receiver_registration",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("checked_at", Moment, nullable=False),
    Column("drifts", JSON, nullable=False),
)

#: What a person changed of when something runs by itself; what is not here runs as `runs/schedule.py` says.
schedule = Table(
    "receiver_schedule",
    metadata,
    Column("what", String(40), primary_key=True),
    #: cron text; empty: as it is shipped
    Column("cron", String(100), nullable=False, server_default=""),
    Column("is_paused", Boolean, nullable=False, server_default=false()),
)

#: One row for each thing that runs by itself, and each table or mapping that it runs for: when next, who runs it now.
due = Table(
    "receiver_due",
    metadata,
    Column("what", String(40), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("next_at", Moment, nullable=False),
    #: the last time: begun, ended, how, and what was said
    Column("last_at", Moment),
    Column("ended_at", Moment),
    Column("is_good", Boolean, nullable=False, server_default=true()),
    Column("said", Text, nullable=False, server_default=""),
    #: why it runs out of turn; when that was granted, until its next regular time
    Column("cause", String(200), nullable=False, server_default=""),
    Column("caused_at", Moment),
    Column("owner", String(64)),
    Column("lease_until", Moment),
)

#: How far each Dataverse table was read by catch-up: change tracking's token, stored with all that it told.
tracked_table = Table(
    "receiver_tracked_table",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("token", Text, nullable=False, server_default=""),
    #: when the request was sent that gave it: what changed before is known
    Column("read_at", Moment),
    #: where the table is not tracked: the newest modifiedon that was read
    Column("mark", Moment),
    #: when all of it was compared last, by keys and versions
    Column("compared_at", Moment),
    #: it must be compared as a whole, and why
    Column("owed", String(200), nullable=False, server_default=""),
    #: mappings whose filter was changed: rows inside it that nobody has looked at are new to them
    Column("opened", JSON, nullable=False, server_default=text("'[]'")),
    #: a look that is under way: {since, link, gone, missed}
    Column("position", JSON),
    #: changes that no notification had told of, since ever; when some were found last
    Column("found", Number, nullable=False, server_default="0"),
    Column("found_at", Moment),
)

#: How far each mapping's local table was compared with what its couplings remember.
local_look = Table(
    "receiver_local_look",
    metadata,
    Column("mapping", String(20), primary_key=True),
    #: the last key that was looked at; empty: a round begins
    Column("after", String(100), nullable=False, server_default=""),
    Column("round_at", Moment),
    #: when the last round that came to its end began
    Column("read_at", Moment),
)

#: Local records that could not be brought in step: each is asked for again once it says something else.
unsettled = Table(
    "receiver_unsettled",
    metadata,
    Column("mapping", String(20), primary_key=True),
    Column("local_id", String(100), primary_key=True),
    #: SHA-256 of what it said
    Column("digest", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

#: What the door refused: lost, unless catch-up finds it.
door_refusal = Table(
    "receiver_door_refusal",
    metadata,
    Column("reason", String(40), primary_key=True),
    Column("count", Number, nullable=False),
    #: the first and the newest of the last spell
    Column("since", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
)

#: What was told to whoever is alerted, and is not over yet.
alert = Table(
    "receiver_alert",
    metadata,
    #: empty: it concerns all
    Column("mapping", String(20), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("sentence", Text, nullable=False),
    Column("since", Moment),
    Column("told_at", Moment, nullable=False),
)

#: One row: the requests of runs in this window of five minutes, and how many they may be.
budget = Table(
    "receiver_budget",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("window_at", Moment, nullable=False),
    Column("used", Integer, nullable=False),
    Column("allowed", Integer, nullable=False),
    #: when Dataverse asked for a pause last, and it was halved
    Column("halved_at", Moment),
)
