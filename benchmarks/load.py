"""A sender that costs little: raw sockets, prepared requests, one loop. Run as a process of its own.

usage: python -m benchmarks.load HOST PORT CONNECTIONS SECONDS BODY_BYTES [PER_SECOND [IMAGE_ALIAS]]
Prints JSON: answered (2xx a second), others, p50_ms, p99_ms.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
import uuid

from benchmarks.bodies import KEY, notification


class Connection:
    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int | None:
        """The answer's status once it is whole."""
        self.received += self.socket.recv(65536)
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
        return int(lines[0].split()[1]) if len(rest) >= length else None


def request(host: str, size: int, alias: str) -> bytes:
    body = notification(str(uuid.uuid4()), str(uuid.uuid4()), size, alias)
    head = (
        f"POST /dataverse/notifications HTTP/1.1\r\nHost: {host}\r\nx-receiver-key: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(
    host: str, port: int, connections: int, seconds: float, size: int, per_second: float = 0, alias: str = ""
) -> dict[str, float]:
    selector = selectors.DefaultSelector()
    idle = [Connection(host, port) for _ in range(connections)]
    for one in idle:
        selector.register(one.socket, selectors.EVENT_READ, one)
    begun = time.perf_counter()
    taken: list[float] = []
    others = sent = 0
    while time.perf_counter() - begun < seconds or len(idle) < connections:
        now = time.perf_counter()
        while idle and now - begun < seconds and (not per_second or sent < (now - begun) * per_second):
            idle.pop().send(request(host, size, alias))
            sent += 1
        for key, _ in selector.select(0.002):
            one: Connection = key.data
            status = one.status()
            if status is None:
                continue
            taken.append(time.perf_counter() - one.sent_at)
            others += not 200 <= status < 300
            idle.append(one)
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    taken.sort()
    elapsed = time.perf_counter() - begun
    return {
        "answered": (len(taken) - others) / elapsed,
        "others": others,
        "p50_ms": 1000 * taken[len(taken) // 2],
        "p99_ms": 1000 * taken[int(len(taken) * 0.99)],
    }


if __name__ == "__main__":
    host, port, connections, seconds, size, *more = sys.argv[1:]
    rate, alias = [*more, "0", ""][:2] if len(more) < 2 else more
    print(json.dumps(run(host, int(port), int(connections), float(seconds), int(size), float(rate), alias)))
