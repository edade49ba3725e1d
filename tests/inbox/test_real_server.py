"""The doors as they stand in production: gunicorn as its own process, raw sockets, a database that goes away."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import requests
from inbox.sending import HEADER, KEY, NEXT_KEY, PATH, context, encoded
from sqlalchemy import create_engine, make_url, text

CONFIGURATION = "python:receiver.server.gunicorn_conf"
WRONG = "not-a-key-of-ours-55d1"
#: of ours with the server, on the slowest machine: whoever is still waiting then was forgotten
PATIENCE_SECONDS = 100.0


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One gunicorn; `said` is all that it wrote."""

    def __init__(
        self, database_url: str, log: Path, settings: Mapping[str, str], configuration: str = CONFIGURATION
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self._log = log
        environment = {
            **os.environ,
            "RECEIVER_DATABASE_URL": database_url,
            "RECEIVER_WEBHOOK_KEYS": f"{KEY},{NEXT_KEY}",
            "RECEIVER_BIND": f"127.0.0.1:{self.port}",
            "RECEIVER_WEB_PROCESSES": "1",
            **settings,
        }
        command = (sys.executable, "-m", "gunicorn", "-c", configuration, "receiver.server.serving:app")
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command, env=environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def await_alive(self) -> None:
        while self.process.poll() is None:
            with suppress(requests.ConnectionError):
                if requests.get(f"http://127.0.0.1:{self.port}/health/live", timeout=PATIENCE_SECONDS).ok:
                    return
            time.sleep(0.05)
        raise AssertionError(self.said)

    def post(self, body: bytes | None = None, **headers: str) -> requests.Response:
        sent = {"content-type": "application/json", HEADER: KEY, **headers}
        return requests.post(
            self.url, data=encoded(context()) if body is None else body, headers=sent, timeout=PATIENCE_SECONDS
        )

    def talk(self, *parts: bytes, ends: bool = False) -> bytes:
        """Write to a socket, with *ends* close our side, and read what is answered."""
        with closing(socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)) as line:
            for part in parts:
                line.sendall(part)
            if ends:
                line.shutdown(socket.SHUT_WR)
            line.settimeout(PATIENCE_SECONDS)
            answer = b""
            with suppress(OSError):
                while b"\r\n\r\n" not in answer:
                    got = line.recv(65536)
                    if not got:
                        break
                    answer += got
            return answer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(database_url: str, folder: Path, configuration: str = CONFIGURATION, **settings: str) -> Iterator[Server]:
    server = Server(database_url, folder / f"server-{time.monotonic_ns()}.log", settings, configuration)
    try:
        server.await_alive()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Server]:
    """One server for every test that leaves it as it was."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "receiver.sqlite").write_bytes(sqlite_template.read_bytes())
    with serving(f"sqlite:///{folder}/receiver.sqlite", folder) as running:
        running.folder = folder  # type: ignore[attr-defined]  # kept for the test
        yield running


def kept(server: Server) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(server.folder / "receiver.sqlite")) as connection:  # type: ignore[attr-defined]  # kept for the test
        return list(connection.execute("SELECT state, body FROM receiver_inbox ORDER BY id"))


def head(*lines: str, key: str = KEY, path: str = PATH) -> bytes:
    fixed = (f"POST {path} HTTP/1.1", "Host: r", f"{HEADER}: {key}", "Content-Type: application/json")
    return "\r\n".join((*fixed, *lines, "", "")).encode()


# -- bodies ----------------------------------------------------------------------------------------------------------


def test_a_body_in_chunks_is_accepted_and_kept_whole(server: Server) -> None:
    body = encoded(context())
    parts = [body[at : at + 100] for at in range(0, len(body), 100)]
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)

    answer = server.talk(head("Transfer-Encoding: chunked"), chunks, b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 202")
    assert kept(server)[-1] == ("waiting", body)


def test_chunks_without_end_are_413_and_nothing_is_kept(server: Server) -> None:
    before = len(kept(server))
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    assert server.talk(head("Transfer-Encoding: chunked"), chunk * 17).startswith(b"HTTP/1.1 413")
    assert len(kept(server)) == before


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n", b"fffffffffffffffff\r\n{}", b"5\r\n{}\r\n0\r\n\r\n"]
)
def test_broken_chunks_are_never_accepted(server: Server, chunks: bytes) -> None:
    before = [one for one in kept(server) if one[0] == "waiting"]

    assert b" 202 " not in server.talk(head("Transfer-Encoding: chunked"), chunks, ends=True)
    assert [one for one in kept(server) if one[0] == "waiting"] == before


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99, 1.0])
def test_a_body_shorter_than_it_says_is_not_accepted(server: Server, part: float) -> None:
    body, before = encoded(context()), kept(server)
    cut = body[: int(len(body) * part)]

    answer = server.talk(head(f"Content-Length: {len(body) + 1}"), cut, ends=True)

    assert b" 202 " not in answer
    time.sleep(0.1)
    assert kept(server) == before


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "12, 13", "99999999999999999999"])
def test_an_odd_content_length_is_refused(server: Server, length: str) -> None:
    answer = server.talk(head(f"Content-Length: {length}"), b"{}", ends=True)

    assert answer.split(b" ")[1] in {b"400", b"413"}


def test_a_packed_body_is_415_with_a_sentence(server: Server) -> None:
    answer = server.post(gzip.compress(encoded(context())), **{"content-encoding": "gzip"})

    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["detail"]


def test_a_sender_that_asks_first_is_told_to_go_on(server: Server) -> None:
    body = encoded(context())
    with closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)) as line:
        line.sendall(head(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert line.recv(1000).startswith(b"HTTP/1.1 100")
        line.sendall(body)
        assert line.recv(1000).startswith(b"HTTP/1.1 202")


def test_many_notifications_come_over_one_connection(server: Server) -> None:
    with requests.Session() as session:
        session.headers.update({HEADER: KEY})
        wrong = session.post(server.url, json=context(), headers={HEADER: WRONG}, timeout=PATIENCE_SECONDS)
        statuses = [session.post(server.url, json=context(), timeout=PATIENCE_SECONDS).status_code for _ in range(5)]

    assert (wrong.status_code, statuses) == (401, [202] * 5)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Content-Length: 900000000",), b"401"),
        (("Transfer-Encoding: chunked",), b"401"),
    ],
)
def test_who_has_no_key_is_answered_before_the_body_comes(
    server: Server, lines: tuple[str, ...], status: bytes
) -> None:
    answer = server.talk(head(*lines, key=WRONG))  # a body never comes

    assert answer.split(b" ")[1] == status


# -- logs ------------------------------------------------------------------------------------------------------------------

KEY_PLACES = {
    "header": (head("Content-Length: 2"), b"{}"),
    "code": (head("Content-Length: 2", key="x", path=f"{PATH}?code={KEY}"), b"{}"),
    "parameter of the header's name": (head("Content-Length: 2", key="x", path=f"{PATH}?{HEADER}={NEXT_KEY}"), b"{}"),
    "on another path": (head("Content-Length: 0", path=f"/nowhere?code={KEY}"),),
    "on a page": (f"GET /?code={KEY} HTTP/1.1\r\nHost: r\r\n\r\n".encode(),),
    "referer and agent": (head("Content-Length: 2", f"Referer: http://x/?code={KEY}", f"User-Agent: {KEY}"), b"{}"),
    "with a wrong type": (head("Content-Length: 2", path=f"{PATH}?code={KEY}").replace(b"application/json", b"a/b"), b"{}"),
    "a body that breaks off": (head("Content-Length: 20", path=f"{PATH}?code={KEY}"), b"{}"),
}  # fmt: skip


@pytest.mark.parametrize("parts", KEY_PLACES.values(), ids=KEY_PLACES)
def test_no_key_is_ever_logged(server: Server, parts: tuple[bytes, ...]) -> None:
    lines = server.said.count("\n")
    server.talk(*parts, ends=True)

    time.sleep(0.1)
    assert server.said.count("\n") >= lines
    assert KEY not in server.said
    assert NEXT_KEY not in server.said


#: gunicorn's own warning repeats what it could not parse; Dataverse sends none of these
MALFORMED = {
    "no version": f"POST {PATH}?code={KEY}\r\nHost: r\r\n\r\n".encode(),
    "another version": f"POST {PATH}?code={KEY} HTTP/9.9\r\nHost: r\r\n\r\n".encode(),
    "a blank in the address": f"POST {PATH}?code={KEY} x HTTP/1.1\r\nHost: r\r\n\r\n".encode(),
    "a method that is none": f"P@ST {PATH}?code={KEY} HTTP/1.1\r\nHost: r\r\n\r\n".encode(),
    "NUL behind the key": head("Content-Length: 0", key=f"{KEY}\x00"),
    "a header without a name": head(f": {KEY}", "Content-Length: 0"),
    "a header that holds the key as its name": head(f"{KEY} : x", "Content-Length: 0"),
    "too long an address": f"POST {PATH}?code={KEY}&x={'y' * 9000} HTTP/1.1\r\nHost: r\r\n\r\n".encode(),
    "a prefix that does not fit": head("SCRIPT_NAME: /elsewhere", "Content-Length: 0", path=f"{PATH}?code={KEY}"),
}  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [pytest.param(sent, id=name) for name, sent in MALFORMED.items()],
)
def test_no_key_is_logged_of_a_request_that_is_none(server: Server, request_: bytes) -> None:
    before = len(server.said)
    server.talk(request_, ends=True)

    time.sleep(0.1)
    assert KEY not in server.said[before:]


def test_the_access_log_has_the_path(server: Server) -> None:
    server.post()
    time.sleep(0.1)

    assert f'"POST {PATH} HTTP/1.1" 202' in server.said


FORGERIES = {
    "another line": b"/%0d%0a127.0.0.1%20-%20-%20forged",
    "a terminal's code": b"/%1b[2Jforged",
    "a text that runs the other way": b"/%e2%80%aeforged",
    "the next line of another character set": b"/%c2%85forged",
}


@pytest.mark.parametrize("path", FORGERIES.values(), ids=FORGERIES)
def test_the_access_log_shows_what_stands_in_a_path_in_one_line_and_obeys_none_of_it(
    server: Server, path: bytes
) -> None:
    before = len(server.said)
    server.talk(b"GET " + path + b" HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n")
    time.sleep(0.1)

    (line,) = [one for one in server.said[before:].split("\n") if "forged" in one]
    assert line.startswith("127.0.0.1 [")
    assert line.isprintable()


# -- start and stop ----------------------------------------------------------------------------------------------------------


def test_it_ends_with_0_when_asked_and_finishes_what_it_was_told(sqlite_url: str, tmp_path: Path) -> None:
    with serving(sqlite_url, tmp_path) as server:
        assert server.post().status_code == 202
        assert server.stop() == 0


def test_it_refuses_to_start_on_an_old_schema_and_names_the_command(tmp_path: Path) -> None:
    server = Server(f"sqlite:///{tmp_path}/empty.sqlite", tmp_path / "log", {})
    try:
        assert server.process.wait(PATIENCE_SECONDS) != 0
        assert "receiver migrate" in server.said
    finally:
        server.kill()


# -- the store is away -----------------------------------------------------------------------------------------------------


def test_a_locked_sqlite_is_503_for_everybody_and_heals_by_itself(sqlite_url: str, tmp_path: Path) -> None:
    with serving(sqlite_url, tmp_path) as server:
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda _: server.post().status_code, range(16)))
        other.execute("ROLLBACK")
        other.close()

        assert statuses == [503] * 16
        assert server.post().status_code == 202


def test_an_unreachable_postgresql_is_503_and_the_server_starts_nevertheless(tmp_path: Path) -> None:
    with serving(f"postgresql+psycopg://u:p@127.0.0.1:{free_port()}/x", tmp_path) as server:
        answer = server.post()
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        # not 401, which would be final: a key that was made here is known to the database alone
        assert server.post(**{HEADER: WRONG}).status_code == 503
        ready = requests.get(f"http://127.0.0.1:{server.port}/health/ready", timeout=PATIENCE_SECONDS)
        assert (ready.status_code, ready.json()) == (503, {"status": "not ready"})
        assert server.stop() == 0


def test_a_postgresql_that_never_answers_is_503(tmp_path: Path) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        url = f"postgresql+psycopg://u:p@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        with serving(url, tmp_path) as server:
            assert server.post().status_code == 503


def test_postgresql_going_away_and_coming_back_needs_no_restart(
    postgresql: str, postgresql_url: str, tmp_path: Path
) -> None:
    name = make_url(postgresql_url).database
    with serving(postgresql_url, tmp_path) as server:
        assert server.post().status_code == 202
        engine = create_engine(postgresql.format(name="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
            assert server.post().status_code == 503
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        engine.dispose()
        assert server.post().status_code == 202
        server.stop()


def test_what_was_answered_202_survives_a_kill(sqlite_url: str, tmp_path: Path) -> None:
    numbers = []
    with serving(sqlite_url, tmp_path) as server:
        numbers = [json.loads(server.post().content)["notification"] for _ in range(5)]
        server.kill()

    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        assert [row[0] for row in connection.execute("SELECT id FROM receiver_inbox")] == numbers
