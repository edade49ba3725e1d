"""k) A good sender's waiting while strangers without a key trickle bodies to a page: alone, then beside them."""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import time
from contextlib import suppress

from benchmarks.bench import Bench
from benchmarks.load import HOST, send
from benchmarks.servers import DOOR, new_database, serving

SENDERS, A_SECOND = 200, 50.0
HEAD = b"POST /sign-in HTTP/1.1\r\nHost: r\r\nContent-Type: multipart/form-data; boundary=x\r\n"
#: a body that a page takes, one that nobody would read, and one without an end
KINDS = (
    HEAD + b"Content-Length: 900000\r\n\r\n",
    HEAD + b"Content-Length: 900000000\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
)
PIECE = b"x" * 4096
COMES_AGAIN_SECONDS = 0.2


def measure(bench: Bench) -> dict[str, float]:
    """The same sender twice against one door; the strangers are a process of their own."""
    seconds = bench.sizes.seconds
    with new_database(bench) as url, serving(DOOR, url) as server:
        send(server.port, seconds=min(1.0, seconds))
        alone = send(server.port, seconds=seconds, per_second=A_SECOND, connections=1)
        command = [sys.executable, "-m", "benchmarks.slow_senders", str(server.port)]
        with subprocess.Popen(command) as strangers:
            time.sleep(min(3.0, seconds))
            beside = send(server.port, seconds=seconds, per_second=A_SECOND, connections=1)
            strangers.kill()
    return {
        "one sender alone, p99 in ms": alone["p99_ms"],
        "beside 200 slow strangers, p99 in ms": beside["p99_ms"],
        "beside strangers : alone, p99": beside["p99_ms"] / alone["p99_ms"],
    }


class Stranger:
    """One of them: a piece each second; who is refused comes again at once."""

    def __init__(self, port: int, number: int) -> None:
        self._port, self._number = port, number
        self._line: socket.socket | None = None
        self.due = time.monotonic() + number / SENDERS

    def go_on(self, watched: selectors.BaseSelector) -> None:
        try:
            if self._line is None:
                self._line = socket.create_connection((HOST, self._port), 5)
                self._line.setblocking(False)
                watched.register(self._line, selectors.EVENT_READ, self)
                self._line.send(KINDS[self._number % len(KINDS)])
            is_chunked = self._number % len(KINDS) == len(KINDS) - 1
            self._line.send(b"1000\r\n" + PIECE + b"\r\n" if is_chunked else PIECE)
            self.due = time.monotonic() + 1.0
        except OSError:
            self.was_refused(watched)

    def was_refused(self, watched: selectors.BaseSelector) -> None:
        if self._line is not None:
            with suppress(KeyError, ValueError):
                watched.unregister(self._line)
            self._line.close()
        self._line = None
        self.due = time.monotonic() + COMES_AGAIN_SECONDS


def main(port: int) -> None:
    strangers = [Stranger(port, number) for number in range(SENDERS)]
    with selectors.DefaultSelector() as watched:
        while True:
            for key, _ in watched.select(0.02):
                key.data.was_refused(watched)
            now = time.monotonic()
            for one in strangers:
                if one.due <= now:
                    one.go_on(watched)


if __name__ == "__main__":
    main(int(sys.argv[1]))
