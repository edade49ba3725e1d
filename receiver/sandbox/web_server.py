"""Two local servers, each connection in its own thread, that leave nothing behind when stopped."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from receiver.sandbox.errors import PortTakenError


class _QuietHandler(WSGIRequestHandler):
    """No line on the terminal for each request: the sandbox keeps its own log."""

    # Head and body of an answer go out in two writes; without this the second waits 40 ms for the first.
    disable_nagle_algorithm = True

    server: WebServer

    def date_time_string(self, timestamp: float | None = None) -> str:
        """What the Date header says."""
        return super().date_time_string((timestamp or time.time()) + self.server.seconds_ahead())

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        pass


class WebServer(ThreadedWSGIServer):
    """Remembers its open connections and their threads, so that `stop()` can end them."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: Flask, context: ssl.SSLContext | None = None) -> None:
        super().__init__(host, port, app, handler=_QuietHandler)
        if context is not None:
            # The handshake is left to the connection's own thread: a client that connects and says nothing
            # would otherwise keep everybody out.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
            self.ssl_context = context
        self._connections: dict[Any, threading.Thread] = {}
        self._guard = threading.Lock()
        #: how much the clock of its answers is ahead
        self.seconds_ahead: Callable[[], float] = lambda: 0.0
        self._loop = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name=f"sandbox-{port}", daemon=True
        )

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        if self._loop.is_alive():
            self.shutdown()
            self._loop.join()
        self.server_close()
        with self._guard:
            open_now = dict(self._connections)
        for connection, thread in open_now.items():
            _hang_up(connection)
            thread.join(timeout=5)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._guard:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._guard:
            self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def open_server(
    host: str, port: int, setting: str, app: Flask, context: Callable[[], ssl.SSLContext] | None = None
) -> WebServer:
    """Raises PortTakenError."""
    _refuse_taken(host, port, setting)
    return WebServer(host, port, app, context() if context else None)


def _refuse_taken(host: str, port: int, setting: str) -> None:
    """Asked beforehand: werkzeug itself prints a page of advice and exits the program."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise PortTakenError(port, setting) from None
