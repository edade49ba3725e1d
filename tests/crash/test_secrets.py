"""Marked keys, tokens and passwords go every way there is; all that is said, kept and shown is searched for them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests
from admin.visitor import Visitor
from company import Company
from inbox.sending import HEADER, PATH, context
from inbox.test_real_server import free_port, serving
from sqlalchemy import text

from receiver import create_app
from receiver.commands.connection.test_connection import test_connection as connect
from receiver.sandbox import Sandbox

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
MARK = "marked-7d1c"
SECRETS = {
    "RECEIVER_WEBHOOK_KEYS": f"key-{MARK}",
    "RECEIVER_ADMIN_TOKEN": f"admin-{MARK}",
    "RECEIVER_OPEN_TOKEN": f"open-{MARK}",
    "RECEIVER_SESSION_KEY": f"session-{MARK}",
}
PAGES = ("/", "/mappings", "/mappings/CUSTOMER", "/notifications", "/notifications?state=failed", "/notifications/1", "/health/ready", "/nowhere", f"/open/account/{ACCOUNT}")  # fmt: skip
COMMANDS = (
    "settings",
    "inbox list",
    "inbox list --json",
    "inbox show 1",
    "mappings list",
    "steps list --json",
    "show account " + ACCOUNT,
)


def everything_kept(company: Company) -> str:
    """Every row of every table of the database."""
    with company.services.database.reading() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        return "".join(repr(connection.execute(text(f'SELECT * FROM "{name}"')).all()) for name in names)


def test_no_secret_is_in_any_page_log_row_or_command(
    sqlite_url: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with closing(Company(sqlite_url, sandbox, **SECRETS)) as company:
        client = company.app.test_client()
        for key in (f"key-{MARK}", f"wrong-{MARK}"):
            for path in (PATH, f"{PATH}?code={key}", f"{PATH}?{HEADER}={key}"):
                headers = {HEADER: key, "x-ms-odd": f"https://r{path}?code={key}"} if path == PATH else {}
                sent = (context(OrganizationId=sandbox.organization_id), context(), {})
                said += [client.post(path, json=body, headers=headers).text for body in sent]
        company.work()
        sandbox.expire_tokens()
        sandbox.faults.unavailable = 1
        company.open_for_all("CUSTOMER")
        said.append(repr(company.open("account", ACCOUNT)))
        stranger = Visitor(company.app.test_client())
        stranger.get("/sign-in")
        said.append(stranger.post("/sign-in", token=f"wrong-{MARK}").text)
        for token in (f"admin-{MARK}", f"open-{MARK}"):
            visitor = Visitor(company.app.test_client()).signed_in(token)
            said += [visitor.get(page).text for page in PAGES]
        environment = {**os.environ, **company.environment}
        for command in COMMANDS:
            ended = subprocess.run(
                [sys.executable, "-m", "receiver", *command.split()], env=environment, capture_output=True, text=True, timeout=100, check=False
            )  # fmt: skip
            said += [ended.stdout, ended.stderr]
        said += [everything_kept(company), caplog.text]
    everything = "".join(said)

    assert len(everything) > 10_000
    for secret in (*SECRETS.values(), sandbox.client_secret):
        assert secret not in everything
    assert "Bearer ey" not in everything


def test_a_wrong_client_secret_is_said_without_the_secret(
    sqlite_url: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(Company(sqlite_url, sandbox)) as company:
        environment = {**company.environment, "RECEIVER_CLIENT_SECRET": f"secret-{MARK}"}
        services = create_app(environment, company.now).extensions["receiver"]
        found = connect(services)
        services.close()

        assert not found.is_good
        assert MARK not in found.said + caplog.text + everything_kept(company)


def test_the_databases_password_is_in_no_answer_and_no_log(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://somebody:password-{MARK}@127.0.0.1:{free_port()}/x"
    with serving(url, tmp_path) as server:
        answers = [server.post(), requests.get(f"http://127.0.0.1:{server.port}/health/ready", timeout=10)]
        assert [answer.status_code for answer in answers] == [503, 503]
        everything = "".join(answer.text for answer in answers)
        assert f"password-{MARK}" not in everything + server.said
