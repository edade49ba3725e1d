"""`make run`'s processes: they start together, answer, and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

STARTED = "The tour runs."
#: of ours with a program, on the slowest machine
PATIENCE_SECONDS = 100.0


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def tour(folder: Path, ports: list[int]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running tour and what it printed."""
    names = ("RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT")
    settings = {name: str(port) for name, port in zip(names, ports, strict=True)}
    environment = {**os.environ, **settings, "RECEIVER_INSTANCE": str(folder)}
    command = [sys.executable, "-m", "receiver", "tour"]
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, start_new_session=True
    ) as running:
        assert running.stdout is not None
        said = ""
        try:
            while "shows it within a second" not in said:
                line = running.stdout.readline()
                assert line, f"the tour ended: {said}"
                said += line
            yield running, said
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(PATIENCE_SECONDS)


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def children_of(folder: Path) -> list[str]:
    """Command lines of processes that use the folder."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and "ps -eo" not in line]


def test_the_tour_starts_answers_and_stops_without_a_trace(tmp_path: Path) -> None:
    ports = free_ports(3)
    with tour(tmp_path, ports) as (running, said):
        receiver, sales = f"http://localhost:{ports[0]}", f"http://localhost:{ports[1]}"
        assert f"{sales}/account/" in said
        assert get(f"{receiver}/health/live")[0] == 200
        while get(f"{receiver}/health/ready")[0] != 200:
            time.sleep(0.1)
        code, answer = get(f"{receiver}/health/ready")
        assert (code, json.loads(answer)["status"]) == (200, "ready")
        link = re.search(r"http://\S+/sign-in\?token=\S+", said)
        assert link is not None
        assert "Integration Table Mappings" in get_signed_in(link[0])
        assert get(link[0])[1].count("used already") == 1

    assert running.returncode == 0
    assert children_of(tmp_path) == []
    for port in ports:
        with closing(socket.socket()) as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_terminal_works_with_the_tours_data(tmp_path: Path) -> None:
    with tour(tmp_path, free_ports(3)) as (_, said):
        settings = tmp_path / "terminal.sh"
        assert f". {settings}; " in said
        script = f". {settings}; exec {sys.executable} -m receiver rows CUSTOMER"
        listed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout

        assert "Nordwind Trading GmbH" in listed
        assert settings.stat().st_mode & 0o077 == 0


README = Path(__file__).parents[2] / "README.md"
#: lines of the README that run until they are stopped
SERVERS = ("gunicorn ", "receiver worker")


def lines_of_readme() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("receiver ") and not line.startswith(SERVERS)]


def walk(said: str) -> None:
    """The README's first steps, without a browser: the switch, and the button's link."""
    import requests

    (link,) = re.findall(r"http://\S+/sign-in\?token=\S+", said)
    receiver = link.partition("/sign-in")[0]
    with requests.Session() as session:
        page = session.get(link, timeout=PATIENCE_SECONDS).text
        proof = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert proof is not None
        form = {"csrf_token": proof[1], "synch_only_coupled_records": "off"}
        session.post(f"{receiver}/admin/mappings/CUSTOMER", data=form, timeout=PATIENCE_SECONDS)
        navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        row = "a0000000-0000-4000-8000-000000000001"
        opened = session.get(f"{receiver}/open/account/{row}", headers=navigation, timeout=PATIENCE_SECONDS)
        assert opened.url.endswith("/records/CUSTOMER/C00010")

        edit = f"{receiver}/tour/CUSTOMER/C00010"
        assert "This page belongs to the tour." in session.get(edit, timeout=PATIENCE_SECONDS).text
        form = {"csrf_token": proof[1], "city": "Bremen"}
        assert "Saved here" in session.post(edit, data=form, timeout=PATIENCE_SECONDS).text


def test_after_the_walk_all_is_well_and_every_line_of_the_readme_runs_as_it_is_written(tmp_path: Path) -> None:
    with tour(tmp_path, free_ports(3)) as (_, said):
        walk(said)
        found = {}
        for line in ["receiver doctor", *lines_of_readme(), "receiver doctor"]:
            script = f". {tmp_path}/terminal.sh; PATH={Path(sys.executable).parent}:$PATH; {line}"
            done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
            found[line] = (done.returncode, done.stdout, done.stderr)

    assert {line: told for line, told in found.items() if told[0]} == {}
    assert len(found) > 12


def get_signed_in(link: str) -> str:
    import requests

    with requests.Session() as session:
        return session.get(link, timeout=PATIENCE_SECONDS).text


#: who signed in, who worked, whether Dataverse was reached, how it describes its tables: each start adds its own,
#: as far as it came before it was stopped
OF_EACH_START = {
    "receiver_sign_in", "receiver_worker", "receiver_connection", "receiver_dataverse_table", "receiver_due",
    "receiver_registration", "receiver_tracked_table", "receiver_local_look", "receiver_alert", "receiver_budget",
}  # fmt: skip


def kept(folder: Path) -> dict[str, object]:
    """What a start finds: secrets, certificates, and what stands in the databases."""
    found: dict[str, object] = {
        name: (folder / name).read_bytes() for name in ("tour.json", "sandbox/ca.pem", "sandbox/server.pem")
    }
    with closing(sqlite3.connect(folder / "receiver.sqlite")) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in tables - OF_EACH_START:
            found[name] = connection.execute(f'SELECT * FROM "{name}"').fetchall()
        # SQLite counts every change of the schema
        found["schema"] = connection.execute("PRAGMA schema_version").fetchone()
    with closing(sqlite3.connect(folder / "sandbox/sandbox.sqlite")) as connection:
        found["sandbox"] = connection.execute("SELECT name, id FROM row ORDER BY 1, 2").fetchall()
    return found


def test_the_second_start_migrates_nothing_and_makes_nothing_again(tmp_path: Path) -> None:
    ports = free_ports(3)
    with tour(tmp_path, ports):
        pass
    before = kept(tmp_path)
    with tour(tmp_path, ports):
        pass

    assert kept(tmp_path) == before


@pytest.mark.parametrize("name", ["RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT"])
def test_a_taken_port_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        free = dict(zip(("RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT"), map(str, free_ports(3)), strict=True))
        environment = {**os.environ, **free, name: port, "RECEIVER_INSTANCE": str(tmp_path)}
        command = [sys.executable, "-m", "receiver", "tour"]
        ended = subprocess.run(
            command, env=environment, text=True, capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )

    assert ended.returncode == 1
    assert f"Port {port} is taken" in ended.stderr
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"RECEIVER_PORT": "abc"}, "RECEIVER_PORT=abc is no port"),
        ({"SANDBOX_PORT": "99999"}, "SANDBOX_PORT=99999 is no port"),
        ({"RECEIVER_PORT": "9000", "SANDBOX_PORT": "9000"}, "The ports must differ"),
    ],
)
def test_ports_that_make_no_sense_are_one_sentence(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    environment = {**os.environ, **settings, "RECEIVER_INSTANCE": str(tmp_path)}
    command = [sys.executable, "-m", "receiver", "tour"]
    ended = subprocess.run(
        command, env=environment, text=True, capture_output=True, timeout=PATIENCE_SECONDS, check=False
    )

    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_tour_in_the_same_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with tour(tmp_path, free_ports(3)):
        names = ("RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT")
        others = dict(zip(names, map(str, free_ports(3)), strict=True))
        environment = {**os.environ, **others, "RECEIVER_INSTANCE": str(tmp_path)}
        command = [sys.executable, "-m", "receiver", "tour"]
        ended = subprocess.run(
            command, env=environment, text=True, capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Another tour runs in")


def test_closing_the_terminal_leaves_nothing_behind(tmp_path: Path) -> None:
    with tour(tmp_path, free_ports(3)) as (running, _said):
        running.send_signal(signal.SIGHUP)
        assert running.wait(PATIENCE_SECONDS) == 0

    assert children_of(tmp_path) == []
