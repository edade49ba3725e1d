"""Senders that hold what they have begun: the server itself, without a proxy before it, serves everybody else at once."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from inbox.sending import KEY, PATH, context, encoded
from inbox.test_real_server import PATIENCE_SECONDS, WRONG, Server, head, serving

AN_HOUR = 3600
#: a server's own settings, but for how long it waits
SETTINGS = """\
from receiver.server import patient_worker
from receiver.server.gunicorn_conf import *

patient_worker.ARRIVAL_SECONDS, patient_worker.PATIENCE_SECONDS, graceful_timeout = {arrival}, {patience}, {grace}
"""


@contextmanager
def waiting(
    database_url: str, folder: Path, arrival: int = AN_HOUR, patience: int = AN_HOUR, grace: int = AN_HOUR
) -> Iterator[Server]:
    """A server that waits for an hour where it waits: who is answered meanwhile did not wait for others."""
    settings = folder / "settings.py"
    settings.write_text(SETTINGS.format(arrival=arrival, patience=patience, grace=grace))
    with serving(database_url, folder, str(settings)) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "receiver.sqlite").write_bytes(sqlite_template.read_bytes())
    with waiting(f"sqlite:///{folder}/receiver.sqlite", folder) as running:
        yield running


@pytest.fixture
def lines() -> Iterator[ExitStack]:
    """Connections, closed afterwards."""
    with ExitStack() as stack:
        yield stack


def line_to(server: Server, lines: ExitStack, sent: bytes = b"") -> socket.socket:
    line = lines.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS))
    line.sendall(sent)
    return line


def answer_of(line: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    got = b""
    with suppress(ConnectionResetError):
        while part := line.recv(65536):
            got += part
    return got


def expect_service(server: Server) -> None:
    for _ in range(3):
        assert server.post().status_code == 202


def exceptions(server: Server) -> str:
    return server.said.partition("Traceback")[2]


START = f"POST {PATH} HTTP/1.1\r\nHost: r\r\nX-Slow: ".encode()
SIGN_IN = b"POST /sign-in HTTP/1.1\r\nHost: r\r\nContent-Type: application/x-www-form-urlencoded\r\n"
UPLOAD = b"POST /sign-in HTTP/1.1\r\nHost: r\r\nContent-Type: multipart/form-data; boundary=x\r\n"
SLOW = {
    "nothing": (900, b""),
    "half a head": (300, START),
    "half a body, the key known": (300, head("Content-Length: 500") + b"{"),
    "half a body, no key": (300, head("Content-Length: 500", key=WRONG) + b"{"),
    "nothing of a body that is refused for its length": (100, head("Content-Length: 900000000", key=WRONG)),
    "half a chunk, the key known": (100, head("Transfer-Encoding: chunked") + b"5\r\n{"),
    "half a chunk, no key": (100, head("Transfer-Encoding: chunked", key=WRONG) + b"5\r\n{"),
    "half a chunk to a form": (100, SIGN_IN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"),
    "a little of a large upload to a form": (100, UPLOAD + b"Content-Length: 900000000\r\n\r\n--x\r\n"),
    "a little of a small upload to a form": (300, UPLOAD + b"Content-Length: 900000\r\n\r\n--x\r\n"),
    "a little of one whose length has zeros in front": (
        300,
        UPLOAD + b"Content-Length: 00000000000000000000000001000\r\n\r\na",
    ),
    "half a chunk of an upload to a form": (100, UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n--x"),
    "nothing after we said that it may": (100, head("Content-Length: 500", "Expect: 100-continue")),
    "a whole request, and never hangs up": (100, b"GET /health/live HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n"),
    "a whole request, and stays for another": (900, b"GET /health/live HTTP/1.1\r\nHost: r\r\n\r\n"),
    "what is no request, and never hangs up": (100, b"x\r\n\r\n"),
}


@pytest.mark.parametrize(("count", "sent"), SLOW.values(), ids=SLOW)
def test_very_many_senders_that_send_so_much_and_no_more_keep_nobody_else_waiting(
    server: Server, lines: ExitStack, count: int, sent: bytes
) -> None:
    for _ in range(count):
        line_to(server, lines, sent)

    expect_service(server)
    assert exceptions(server) == ""


def test_very_many_that_drip_one_byte_after_the_other_keep_nobody_else_waiting(
    server: Server, lines: ExitStack
) -> None:
    dripping = [line_to(server, lines, START) for _ in range(100)]
    for _ in range(10):
        for line in dripping:
            line.sendall(b"x")
        expect_service(server)


def test_very_many_that_do_not_read_their_answers_delay_others_by_no_more_than_the_patience_with_them(
    sqlite_url: str, tmp_path: Path, lines: ExitStack
) -> None:
    with waiting(sqlite_url, tmp_path, patience=1) as server:
        for _ in range(20):
            line_to(server, lines, b"GET /static/vendor/htmx.min.js HTTP/1.1\r\nHost: r\r\n\r\n" * 30)

        expect_service(server)


def test_what_does_not_arrive_in_time_is_told_so_and_hung_up_on(
    sqlite_url: str, tmp_path: Path, lines: ExitStack
) -> None:
    with waiting(sqlite_url, tmp_path, arrival=1) as server:
        told = [line_to(server, lines, sent) for sent in (START, head("Content-Length: 500") + b"{")]
        silent = line_to(server, lines)

        assert [answer_of(line)[:12] for line in told] == [b"HTTP/1.1 408"] * 2
        assert answer_of(silent) == b""


def test_what_arrives_in_time_is_taken_however_it_is_cut(server: Server, lines: ExitStack) -> None:
    body = encoded(context())
    whole = head(f"Content-Length: {len(body)}", "Connection: close") + body
    for cut in (1, len(whole) - len(body) - 2, len(whole) - len(body), len(whole) - 1):
        line = line_to(server, lines, whole[:cut])
        time.sleep(0.2)
        line.sendall(whole[cut:])
        assert answer_of(line).startswith(b"HTTP/1.1 202")


def test_requests_sent_one_after_the_other_without_waiting_are_answered_in_their_order(
    server: Server, lines: ExitStack
) -> None:
    body = encoded(context())
    right, wrong = (head(f"Content-Length: {len(body)}", key=key) + body for key in (KEY, WRONG))
    last = b"GET /health/live HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n"

    answers = answer_of(line_to(server, lines, right + wrong + right + last))

    statuses = [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"202", b"401", b"202", b"200"]


def test_a_head_without_end_is_431(server: Server, lines: ExitStack) -> None:
    answer = answer_of(line_to(server, lines, START + b"y" * 100_000))

    assert answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n", b"fffffffffffffffff\r\n{}", b"5\r\n{}\r\n0\r\n\r\n", b"5\r\n{"],
)
def test_chunks_that_are_none_are_400_and_no_exception_is_logged(server: Server, chunks: bytes) -> None:
    answer = server.talk(head("Transfer-Encoding: chunked"), chunks, ends=True)

    assert answer.split(b" ")[1] == b"400"
    assert exceptions(server) == ""


def test_bodies_that_are_never_finished_fill_no_memory(server: Server, lines: ExitStack) -> None:
    before = megabytes(server)
    for _ in range(200):
        line = line_to(server, lines, head(f"Content-Length: {2**20}"))
        with suppress(OSError):
            line.sendall(b" " * (2**20 - 1))
    expect_service(server)

    assert megabytes(server) - before < 150


def megabytes(server: Server) -> float:
    """Resident, of all its processes."""
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-g", str(server.process.pid)], capture_output=True, text=True, check=True
    )
    return sum(map(int, listed.stdout.split())) / 1024


def test_it_ends_with_0_within_its_grace_though_somebody_never_finishes(sqlite_url: str, tmp_path: Path) -> None:
    with waiting(sqlite_url, tmp_path) as server, ExitStack() as lines:
        for sent in (b"", START, head("Content-Length: 500") + b"{"):
            line_to(server, lines, sent)
        time.sleep(0.2)

        assert server.stop() == 0


def test_a_certificate_of_its_own_is_refused_in_one_sentence(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "certificate").touch()
    arguments = f"--certfile {tmp_path}/certificate --keyfile {tmp_path}/certificate"
    server = Server(sqlite_url, tmp_path / "log", {"GUNICORN_CMD_ARGS": arguments})
    try:
        assert server.process.wait(PATIENCE_SECONDS) != 0
        assert "TLS is the business of a proxy" in server.said
    finally:
        server.kill()
