"""The connection to Dataverse: set it up, and see whether all is well."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from receiver.cli.shared import FAILED, WHO, as_json, print_json, say, services, settings, with_application, writing
from receiver.commands.connection.finding import Step, Verdict, worst
from receiver.config import CONNECTION, Settings, variable

#: what wants a person's attention
CONCERNING = frozenset({Verdict.WARNING, Verdict.FAILED})
QUESTIONS = {
    "dataverse_url": "Environment, such as https://contoso.crm4.dynamics.com",
    "tenant_id": "Directory (tenant) ID",
    "client_id": "Application (client) ID",
}


@click.command()
@click.option("--url", help="Environment, https://<org>.crm<n>.dynamics.com.")
@click.option("--tenant", help="Directory (tenant) ID.")
@click.option("--client", help="Application (client) ID.")
@click.option("--secret-file", type=click.File(), help="File with the client secret; - for standard input.")
@click.option("--certificate", help="Instead of a secret: path of a PEM file with private key and certificate.")
@click.option("--authority", help="Sign-in address, where it is not Microsoft's.")
@click.option("--force", "is_forced", is_flag=True, help="Keep the settings although a step failed.")
@click.option("--preview", "is_preview", is_flag=True, help="Try, and keep nothing.")
@as_json
@with_application
def connect(
    url: str | None,
    tenant: str | None,
    client: str | None,
    secret_file: Any,
    certificate: str | None,
    authority: str | None,
    is_forced: bool,
    is_preview: bool,
    is_json: bool,
) -> None:
    """Connect to Dataverse: try it step by step, and keep the settings if it works.

    What is not given is taken from the settings, and on a terminal asked for. The secret is never an option, since
    options can be seen by everybody on the machine: RECEIVER_CLIENT_SECRET, --secret-file, or the question.
    """
    from receiver import client_of
    from receiver.commands.connection import connect as commands
    from receiver.settings_file import path_of

    secret = None if secret_file is None else secret_file.read().strip()
    # what is kept is read by programs that may work in another folder
    certificate = certificate and str(Path(certificate).absolute())
    given = dict(zip(CONNECTION, (url, tenant, client, secret, certificate, authority), strict=True))
    wanted = _completed(settings(), given, may_ask=not is_json)
    values = {variable(name): str(getattr(wanted, name)) for name in CONNECTION}
    made = services().connected(client_of(wanted, services()))
    found = commands.connect(
        made,
        values,
        path_of(os.environ),
        WHO,
        told=(lambda _step: None) if is_json else print_step,
        is_preview=is_preview,
        is_forced=is_forced,
    )
    _print_end(found, values, is_preview=is_preview, is_json=is_json)
    if not found.test.is_good:
        sys.exit(FAILED)


def _completed(now: Settings, options: dict[str, str | None], *, may_ask: bool) -> Settings:
    """What is given, on top of what is set, on top of what a person answers. Raises: click.UsageError."""
    given: dict[str, Any] = {name: text for name, text in options.items() if text is not None}
    # one proof takes the other's place
    other = {"client_secret": "client_certificate", "client_certificate": "client_secret"}
    given |= {other[name]: "" for name in other if given.get(name) and other[name] not in given}
    if "dataverse_url" in given:
        given["dataverse_url"] = given["dataverse_url"].strip().rstrip("/")
    wanted = replace(now, **given)
    if may_ask and is_terminal():
        wanted = _asked(wanted, given)
    if wanted.lacking_for_connection:
        names = ", ".join(map(_option, wanted.lacking_for_connection))
        raise click.UsageError(f"Not given and not set: {names}.")
    return wanted


def is_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def _option(name: str) -> str:
    if name == variable("client_secret"):
        return f"--secret-file, --certificate or {name}"
    options = {"dataverse_url": "--url", "tenant_id": "--tenant", "client_id": "--client"}
    return next(f"{option} or {name}" for field, option in options.items() if variable(field) == name)


def _asked(wanted: Settings, given: dict[str, Any]) -> Settings:
    """A person's answers to what was not given; what is set already is offered."""
    for name, question in QUESTIONS.items():
        if name not in given:
            usual = getattr(wanted, name) or (_tenant_of(wanted) if name == "tenant_id" else "") or None
            answer: dict[str, Any] = {name: click.prompt(question, default=usual).strip().rstrip("/")}
            wanted = replace(wanted, **answer)
        if name == "dataverse_url":
            wanted = _with_scheme(wanted)
    if not ({"client_secret", "client_certificate"} & given.keys() or wanted.client_certificate):
        shown = "kept as it is" if wanted.client_secret else None
        secret = click.prompt("Client secret (its Value)", default=shown, hide_input=True, show_default=bool(shown))
        wanted = wanted if secret == shown else replace(wanted, client_secret=secret)
    return wanted


def _with_scheme(wanted: Settings) -> Settings:
    """An address without https:// gets it after a question. Source: BC's UrlValidationWhenMissingHTTPS."""
    from receiver.commands.connection.connection_steps import misspelled

    right = f"https://{wanted.dataverse_url}"
    is_missing = "//" not in wanted.dataverse_url and not misspelled(right)[0]
    if is_missing and click.confirm(f"Use {right}?", default=True):
        return replace(wanted, dataverse_url=right)
    return wanted


def _tenant_of(wanted: Settings) -> str:
    """The tenant that the environment itself names; empty where it cannot be asked."""
    from receiver.commands.connection.connection_steps import PROBE, misspelled
    from receiver.dataverse.reach import NotReachedError, reach

    if misspelled(wanted.dataverse_url)[0]:
        return ""
    try:
        return reach(f"{wanted.dataverse_url}{PROBE}").tenant
    except NotReachedError:
        return ""


def _print_end(found: Any, values: dict[str, str], *, is_preview: bool, is_json: bool) -> None:
    if is_json:
        steps = [step.plain() for step in found.test.steps]
        print_json({"is_good": found.test.is_good, "is_stored": found.stored_in is not None, "steps": steps})
    elif found.stored_in is not None:
        say(f"Kept in {found.stored_in}. Start the receiver and its workers again.")
        for name, value in values.items():
            if os.environ.get(name, value) != value:
                say(f"{name} is set in the environment, too, and wins: take it out there.")
    elif not found.test.is_good:
        say("Nothing was kept. Mend what failed, and run it again; --force keeps the settings all the same.")
    elif is_preview:
        say("It works. Nothing was kept, since this was a preview.")


def print_step(step: Step) -> None:
    """At once: a person sees which step takes long."""
    say(f"{step.verdict.value:8} {step.name}: {step.said}")
    if step.remedy:
        say(f"         What to do: {step.remedy}")


@click.command()
@as_json
@with_application
def doctor(is_json: bool) -> None:
    """Look at everything: our side, the connection, the steps. Exit code 1: something failed, or needs attention."""
    from receiver.commands.connection.doctor import examine

    steps = list(_told(examine(services(), _setup(settings())), is_json=is_json))
    if is_json:
        print_json({"verdict": worst(steps).value, "steps": [step.plain() for step in steps]})
    if worst(steps) in CONCERNING:
        sys.exit(FAILED)


def _told(steps: Iterable[Step], *, is_json: bool) -> Iterable[Step]:
    for step in steps:
        if not is_json:
            print_step(step)
        yield step


def _setup(said: Settings) -> Any:
    from receiver.commands.connection.doctor import Setup
    from receiver.settings_file import overlaid, path_of

    return Setup(
        lacking=said.lacking_for_connection,
        has_administrator=bool(said.admin_token or said.tour),
        public_url=said.public_url,
        certificate=Path(said.client_certificate) if said.client_certificate else None,
        settings_file=path_of(os.environ),
        web_processes=int(overlaid(os.environ).get("RECEIVER_WEB_PROCESSES") or os.cpu_count() or 1),
    )


@click.command()
@click.option("--solution", "path", type=click.Path(dir_okay=False, writable=True), help="Write a solution to import.")
def role(path: str | None) -> None:
    """Print the privileges that the application user needs, or write them as security roles to import."""
    from receiver.commands.connection import role as commands

    if path is None:
        click.echo(commands.tables())
        return
    with writing(path):
        Path(path).write_bytes(commands.solution())
    say(f"{path} holds the roles {', '.join(commands.roles())}. Import it: make.powerapps.com → Solutions.")


COMMANDS = (connect, doctor, role)
