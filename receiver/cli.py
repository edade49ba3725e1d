"""The terminal: the same commands as the pages. Exit codes: 0 done, 1 failed, 2 usage, 3 not found."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import ScriptInfo

from receiver.commands import mappings as mapping_commands
from receiver.commands import notifications as notification_commands
from receiver.commands.records import coupled_to
from receiver.commands.steps import steps_to_register
from receiver.config import Settings, example
from receiver.core.mapping import DeletionConflict, Direction, TableMapping, UpdateConflict
from receiver.core.values import guid
from receiver.errors import NotFoundError, ReceiverError, StoreUnavailableError
from receiver.processes import stop_signal
from receiver.services import Services
from receiver.store import mappings as stored_mappings
from receiver.store import schema
from receiver.wake import LOOK_AGAIN_SECONDS

FAILED, NOT_FOUND = 1, 3
#: one makes the schema, the other waits for a database that is away
MANAGES_ITS_SCHEMA = frozenset({"migrate", "worker"})
WHO = "the terminal"


class ReceiverGroup(click.Group):
    """Says an expected error in one sentence on standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NotFoundError as error:
            click.echo(str(error), err=True)
            ctx.exit(NOT_FOUND)
        except ReceiverError as error:
            click.echo(str(error), err=True)
            ctx.exit(FAILED)


@click.group(cls=ReceiverGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="receiver")
def receiver() -> None:
    """Keep a company's own SQL database coupled and synchronized with Dataverse."""


def init_app(app: Flask) -> None:
    app.cli.add_command(receiver)


def main() -> None:
    """The console script: the application is made when a command needs it."""
    receiver(obj=None, prog_name="receiver")


def _services() -> Services:
    services: Services = current_app.extensions["receiver"]
    return services


def _settings() -> Settings:
    settings: Settings = current_app.extensions["receiver_settings"]
    return settings


def _make_app() -> Flask:
    from receiver import create_app

    return create_app()


def with_application(command: Callable[..., Any]) -> Callable[..., Any]:
    """Under `flask --app wsgi receiver …` the application is there; the console script makes it.

    Every command but `migrate` wants this version's schema. Raises: SchemaError with the command to run.
    """

    @click.pass_context
    @wraps(command)
    def within(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        flask_cli = ctx.find_object(ScriptInfo)
        app = _make_app() if flask_cli is None else flask_cli.load_app()
        services: Services = app.extensions["receiver"]
        try:
            with app.app_context():
                if ctx.info_name not in MANAGES_ITS_SCHEMA:
                    schema.check(services.database)
                return ctx.invoke(command, *args, **kwargs)
        finally:
            if flask_cli is None:
                services.close()

    return within


as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


def _print_json(data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def _print_table(rows: list[tuple[Any, ...]], heads: tuple[str, ...]) -> None:
    """Columns as wide as their widest value; nothing is cut."""
    texts = [heads, *(tuple(str(value) for value in row) for row in rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(heads))]
    for row in texts:
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


# -- processes -------------------------------------------------------------------------------------------------


@receiver.command()
@click.option("--port", envvar="RECEIVER_PORT", default=8000, show_default=True, help="Port to listen on.")
def run(port: int) -> None:
    """Run the receiver and its worker, in the foreground."""
    from receiver.processes import run_receiver

    sys.exit(run_receiver(port))


@receiver.command()
def tour() -> None:
    """Run receiver, worker and sandbox together: the product without a tenant."""
    from receiver.tour import run_tour

    sys.exit(run_tour(os.environ))


@receiver.command()
@with_application
def worker() -> None:
    """Run a worker, until it is asked to stop; it finishes what it holds."""
    from receiver.worker import Worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = stop_signal()
    while not _schema_is_known(stop):
        continue
    Worker(_services(), _settings().worker_threads).run(stop)


def _schema_is_known(stop: threading.Event) -> bool:
    """Whether the database answered; one that is away is asked again. Raises: SchemaError."""
    try:
        schema.check(_services().database)
    except StoreUnavailableError as error:
        logging.getLogger(__name__).warning("%s The worker waits for it.", error)
        return stop.wait(LOOK_AGAIN_SECONDS)
    return True


@receiver.command()
@click.option("--folder", default="instance/sandbox", show_default=True, help="Where it keeps its rows.")
@click.option("--port", envvar="SANDBOX_PORT", default=8001, show_default=True, help="Its pages, in plain HTTP.")
@click.option("--api-port", envvar="SANDBOX_API_PORT", default=8002, show_default=True, help="Its Web API, in HTTPS.")
@click.option("--receiver-url", default="http://localhost:8000", show_default=True, help="Where the button leads.")
@click.option("--steps", "steps_file", type=click.Path(exists=True), help="What `receiver steps list --json` printed.")
@click.option("--key", envvar="SANDBOX_WEBHOOK_KEY", default="", help="Key that its notifications carry.")
def sandbox(folder: str, port: int, api_port: int, receiver_url: str, steps_file: str | None, key: str) -> None:
    """Run the sandbox alone: a Dataverse on this machine."""
    from receiver.sandbox_process import run_sandbox

    sys.exit(run_sandbox(folder, (port, api_port), receiver_url, steps_file, key))


@receiver.command()
@with_application
def migrate() -> None:
    """Bring the database's schema up to date and install the shipped mappings."""
    services = _services()
    before, after = schema.migrate(services.database, services.clock())
    click.echo(f"The schema is {after}." if before == after else f"The schema went from {before} to {after}.")


# -- what there is ---------------------------------------------------------------------------------------------


@receiver.command()
def rules() -> None:
    """Print the decision table, from the code."""
    from receiver.commands.rules import decision_table

    click.echo(decision_table())


@receiver.command()
def settings() -> None:
    """Print every setting with its meaning, as .env.example has it."""
    click.echo("\n".join(example()))


@receiver.command()
@click.argument("table")
@click.argument("row_id", metavar="GUID")
@as_json
@with_application
def show(table: str, row_id: str, is_json: bool) -> None:
    """Show what is coupled to a row of Dataverse."""
    id_ = guid(row_id)
    if id_ is None:
        raise click.BadParameter(f"“{row_id}” is no guid.")
    found = coupled_to(_services(), table.lower(), id_)
    if is_json:
        _print_json(found)
        return
    if not found:
        raise NotFoundError(f"Nothing is coupled to {table} {id_}.")
    for one in found:
        click.echo(f"{one['mapping']}: {one['coupling']['local_id']}")
        for name, value in (one["record"] or {"(deleted)": ""}).items():
            click.echo(f"  {name}: {value}")


# -- mappings --------------------------------------------------------------------------------------------------


@receiver.group()
def mappings() -> None:
    """Integration Table Mappings: list, show, set, reset."""


@mappings.command("list")
@as_json
@with_application
def list_mappings(is_json: bool) -> None:
    """List every mapping with its figures."""
    found = _all_mappings()
    figures = mapping_commands.figures(_services())
    if is_json:
        _print_json([{**_plain(mapping), **figures[mapping.name]} for mapping in found])
        return
    heads = ("NAME", "TABLE", "DATAVERSE", "DIRECTION", "ONLY COUPLED", "ENABLED", "COUPLED", "SKIPPED", "ERRORS")
    counted = ("coupled", "skipped", "errors")
    _print_table([(*_row(one), *(figures[one.name][name] for name in counted)) for one in found], heads)


@mappings.command("show")
@click.argument("name")
@as_json
@with_application
def show_mapping(name: str, is_json: bool) -> None:
    """Show one mapping with its field mappings."""
    mapping = mapping_commands.named(_services(), name)
    plain = _plain(mapping)
    if is_json:
        _print_json(plain)
        return
    for key, value in plain.items():
        if key != "fields":
            click.echo(f"{key}: {value}")
    columns = ("number", "local_column", "direction", "dataverse_column", "enabled")
    _print_table([tuple(row[name] for name in columns) for row in plain["fields"]], tuple(map(str.upper, columns)))


_switch = click.Choice(["on", "off"])


@mappings.command("set")
@click.argument("name")
@click.option("--synch-only-coupled-records", type=_switch, help="Off: rows may be created by themselves.")
@click.option("--enabled", type=_switch, help="Off: nothing of this mapping is synchronized.")
@click.option("--direction", type=click.Choice([one.value for one in Direction]))
@click.option("--resolve-deletion-conflicts", type=click.Choice([one.value for one in DeletionConflict]))
@click.option("--resolve-update-conflicts", type=click.Choice([one.value for one in UpdateConflict]))
@click.option("--table-filter", help="Which local records, in the filter grammar.")
@click.option("--integration-table-filter", help="Which Dataverse rows, in the filter grammar.")
@click.option("--field", "fields", nargs=2, multiple=True, metavar="NUMBER on|off", help="Enable a field mapping.")
@with_application
def set_mapping(name: str, fields: tuple[tuple[str, str], ...], **options: str | None) -> None:
    """Change a mapping."""
    kinds: dict[str, tuple[str, Callable[[str], Any]]] = {
        "synch_only_coupled_records": ("synch_only_coupled_records", lambda text: text == "on"),
        "enabled": ("is_enabled", lambda text: text == "on"),
        "direction": ("direction", Direction),
        "resolve_deletion_conflicts": ("resolve_deletion_conflicts", DeletionConflict),
        "resolve_update_conflicts": ("resolve_update_conflicts", UpdateConflict),
        "table_filter": ("local_filter_text", str),
        "integration_table_filter": ("dataverse_filter_text", str),
    }
    changes = {kinds[key][0]: kinds[key][1](text) for key, text in options.items() if text is not None}
    if not changes and not fields:
        raise click.UsageError("Nothing to set: name at least one option.")
    if changes:
        mapping_commands.set_mapping(_services(), name, WHO, **changes)
    for number, state in fields:
        if state not in {"on", "off"} or not number.isdigit():
            raise click.BadParameter(f"--field {number} {state}: a number and on or off were expected.")
        mapping_commands.set_field(_services(), name, int(number), WHO, is_enabled=state == "on")
    click.echo(f"{name.upper()} was changed.")
    passed = mapping_commands.figures(_services())[name.upper()]["passed_over"]
    if options.get("synch_only_coupled_records") == "off" and passed:
        click.echo(f"{passed} row(s) were passed over. To bring them in: receiver mappings bring-in {name.upper()}")


@mappings.command("bring-in")
@click.argument("name")
@with_application
def bring_in(name: str) -> None:
    """Look again at the rows that Synch. Only Coupled Records kept out."""
    count = mapping_commands.bring_in(_services(), name)
    click.echo(f"{count} row(s) will be looked at by the worker.")


@mappings.command("reset")
@click.argument("name")
@with_application
def reset_mapping(name: str) -> None:
    """Use Default Synchronization Setup: the shipped mapping again."""
    mapping_commands.reset(_services(), name, WHO)
    click.echo(f"{name.upper()} is as it was shipped.")


def _all_mappings() -> list[TableMapping]:
    with _services().database.reading() as connection:
        return list(stored_mappings.load(connection).values())


def _row(mapping: TableMapping) -> tuple[Any, ...]:
    switches = (mapping.synch_only_coupled_records, mapping.is_enabled)
    words = tuple("on" if switch else "off" for switch in switches)
    return (mapping.name, mapping.local_table, mapping.dataverse_table, mapping.direction.value, *words)


def _plain(mapping: TableMapping) -> dict[str, Any]:
    return {
        "name": mapping.name,
        "table": mapping.local_table,
        "integration_table": mapping.dataverse_table,
        "direction": mapping.direction.value,
        "synch_only_coupled_records": mapping.synch_only_coupled_records,
        "enabled": mapping.is_enabled,
        "table_filter": mapping.local_filter_text,
        "integration_table_filter": mapping.dataverse_filter_text,
        "resolve_deletion_conflicts": mapping.resolve_deletion_conflicts.value,
        "resolve_update_conflicts": mapping.resolve_update_conflicts.value,
        "depends_on": list(mapping.depends_on),
        "fields": [
            {
                "number": row.number,
                "local_column": row.local_column or "",
                "dataverse_column": row.dataverse_column or "",
                "direction": row.direction.value,
                "enabled": row.is_enabled,
            }
            for row in mapping.fields
        ],
    }


# -- inbox -----------------------------------------------------------------------------------------------------


@receiver.group()
def inbox() -> None:
    """Notifications: list, show, retry, purge."""


@inbox.command("list")
@click.option("--state", type=click.Choice(notification_commands.STATES), default=None)
@click.option("--table", default="", help="Only of this table.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@as_json
@with_application
def list_inbox(state: str | None, table: str, limit: int, is_json: bool) -> None:
    """List notifications, newest first."""
    found = notification_commands.listed(_services(), state=state or "", table=table, limit=limit)
    if is_json:
        _print_json([notification_commands.as_json(row) for row in found])
        return
    heads = ("NUMBER", "RECEIVED", "STATE", "MESSAGE", "TABLE", "ROW", "OUTCOME")
    _print_table([_inbox_row(row) for row in found], heads)


def _inbox_row(row: Any) -> tuple[Any, ...]:
    sentences = " ".join(outcome["sentence"] for outcome in row["outcome"] or ())
    is_delayed = row["state"] == "waiting" and row["last_error"] and row["ready_at"]
    trouble = f"{row['last_error']} Tried again at {row['ready_at']:%H:%M:%S} UTC." if is_delayed else ""
    received = f"{row['received_at']:%Y-%m-%d %H:%M:%S}"
    words = trouble or sentences or row["note"]
    return (row["id"], received, row["state"], row["message"], row["table_name"], row["row_id"], words)


@inbox.command("show")
@click.argument("number", type=int)
@as_json
@with_application
def show_inbox(number: int, is_json: bool) -> None:
    """Show one notification, whole."""
    found = notification_commands.as_json(notification_commands.shown(_services(), number))
    if is_json:
        _print_json(found)
        return
    for key, value in found.items():
        click.echo(f"{key}: {value}")


@inbox.command("retry")
@click.argument("number", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="Every failed notification.")
@with_application
def retry_inbox(number: int | None, every: bool) -> None:
    """Process a notification again."""
    if every:
        click.echo(f"{notification_commands.process_all_failed(_services())} notification(s) will be processed again.")
        return
    if number is None:
        raise click.UsageError("Name a notification's NUMBER, or --all.")
    notification_commands.process_again(_services(), number)
    click.echo(f"Notification {number} will be processed again.")


@inbox.command("purge")
@click.option("--older-than-days", type=click.IntRange(min=0), default=30, show_default=True)
@with_application
def purge_inbox(older_than_days: int) -> None:
    """Delete ended notifications."""
    click.echo(f"{notification_commands.purge(_services(), older_than_days)} notification(s) were deleted.")


# -- steps -----------------------------------------------------------------------------------------------------


@receiver.group()
def steps() -> None:
    """The steps to register in Dataverse."""


@steps.command("list")
@as_json
@with_application
def list_steps(is_json: bool) -> None:
    """List steps, filtering attributes and images to register."""
    found = steps_to_register(_services())
    if is_json:
        _print_json(found)
        return
    for step in found:
        image = step["image"]
        click.echo(f"{step['message']} of {step['table']}: asynchronous, PostOperation")
        if step["filtering_attributes"]:
            click.echo(f"  filtering attributes: {','.join(step['filtering_attributes'])}")
        if image:
            click.echo(f"  {image['type']} image {image['alias']} of {image['message_property_name']}")
            click.echo(f"  its columns: {','.join(image['attributes'])}")
