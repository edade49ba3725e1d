"""A worker's own address for those who watch: /metrics, and /health/ready with all it found. It asks for no token."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from receiver.errors import SettingError
from receiver.services import Services
from receiver.web.counters import PrometheusSink
from receiver.web.health import looked_at
from receiver.web.metrics import CONTENT_TYPE, text

log = logging.getLogger(__name__)


@contextmanager
def answering(address: str, services: Services, sink: PrometheusSink) -> Iterator[None]:
    """Answer on *address* (host:port) while the block lasts; an empty one is nowhere. Raises: SettingError."""
    if not address:
        yield
        return
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise SettingError("RECEIVER_METRICS_BIND cannot be understood: an address and a port, 127.0.0.1:9108.")
    try:
        server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), _handler(services, sink))
    except OSError as error:
        raise SettingError(f"RECEIVER_METRICS_BIND: {address} cannot be used: {error.strerror}.") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _handler(services: Services, sink: PrometheusSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        #: who is slow to ask is not waited for
        timeout = 10

        def do_GET(self) -> None:  # the library's name
            try:
                self._answer(*self._found())
            except Exception:
                log.exception("%s could not be answered.", self.path)
                self._answer(500, "text/plain", b"The log tells why.")

        def _found(self) -> tuple[int, str, bytes]:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                return 200, CONTENT_TYPE, text(services, sink)
            if path == "/health/live":
                return 200, "application/json", b'{"status": "alive"}'
            if path == "/health/ready":
                is_well, found = looked_at(services)
                said = {"status": "ready" if is_well else "not ready", **found}
                return 200 if is_well else 503, "application/json", json.dumps(said, default=str).encode()
            return 404, "text/plain", b"/metrics, /health/ready and /health/live are answered here."

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Who watches asks often."""

    return Handler
