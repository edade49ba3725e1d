"""A sender that costs little: raw sockets and one loop, in a process of its own."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.bodies import BYTES, KEY, notification
from benchmarks.figures import percentile

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Load:
    """For so many seconds, or so many notifications; as fast as they are answered, or so many a second."""

    port: int
    seconds: float = 0
    count: int = 0
    connections: int = 16
    per_second: float = 0
    #: of our own post image; without it there is none
    alias: str = ""

    def is_over(self, sent: int, passed: float) -> bool:
        return sent >= self.count if self.count else passed >= self.seconds

    def is_due(self, sent: int, passed: float) -> bool:
        return not self.is_over(sent, passed) and (not self.per_second or sent < passed * self.per_second)


def send(port: int, **load: Any) -> dict[str, float]:
    """answered (2xx a second), others, p50_ms, p99_ms."""
    words = json.dumps(asdict(Load(port, **load)))
    command = [sys.executable, "-m", "benchmarks.load", words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


class Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int | None:
        """The answer's status once it is whole."""
        arrived = self.socket.recv(65536)
        if not arrived:
            raise ConnectionError("The server hung up.")
        self.received += arrived
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
        return int(lines[0].split()[1]) if len(rest) >= length else None


def request(alias: str) -> bytes:
    body = notification(str(uuid.uuid4()), str(uuid.uuid4()), BYTES, alias)
    head = (
        f"POST /dataverse/notifications HTTP/1.1\r\nHost: {HOST}\r\nx-receiver-key: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(load: Load) -> dict[str, float]:
    selector = selectors.DefaultSelector()
    idle = [Connection(load.port) for _ in range(load.connections)]
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    begun = time.perf_counter()
    taken: list[float] = []
    others = sent = 0
    while not load.is_over(sent, time.perf_counter() - begun) or len(idle) < load.connections:
        passed = time.perf_counter() - begun
        while idle and load.is_due(sent, passed):
            idle.pop().send(request(load.alias))
            sent += 1
        for key, _ in selector.select(0.002):
            one: Connection = key.data
            status = one.status()
            if status is None:
                continue
            taken.append(time.perf_counter() - one.sent_at)
            others += not 200 <= status < 300
            idle.append(one)
    elapsed = time.perf_counter() - begun
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    return {
        "answered": (len(taken) - others) / elapsed,
        "others": others,
        "p50_ms": 1000 * percentile(taken, 0.5),
        "p99_ms": 1000 * percentile(taken, 0.99),
    }


if __name__ == "__main__":
    print(json.dumps(run(Load(**json.loads(sys.argv[1])))))
