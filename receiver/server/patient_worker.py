"""gunicorn's worker for a door without a proxy: a thread is given to what has arrived, not to who sends slowly.

gunicorn's own gives a thread to every connection and lingers over each that it closes, so a handful of slow senders
would keep everybody else waiting. It builds on gunicorn's thread worker, whose inside the lock file pins; why it is our
own stands in docs/adr/0004-a-worker-with-patience.md.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import TConn, ThreadWorker

#: a request must have arrived within this time; Dataverse's arrive within milliseconds
ARRIVAL_SECONDS = 10.0
#: how long a thread waits for one sender in all, for what it reads and what it sends
PATIENCE_SECONDS = 10.0
#: and for one who does not take what was sent: the system keeps a page for a slow one, without a thread
SENDING_SECONDS = 2.0
#: for the rest of a body that nobody read
DRAIN_SECONDS = 0.05
#: how long a closed connection may still read our answer
LEAVING_SECONDS = 2.0
MOST_LEAVING = 100
#: of the threads, for requests whose end only their reader finds; Dataverse and browsers send none
OPEN_ENDED_SHARE = 4
MOST_IN_LINE = 100
LARGEST_HEAD = 64 * 1024
#: a larger body for the door is left to it, which refuses it unread and keeps a note of it; any other is refused here
LARGEST_AWAITED_BODY = 1024 * 1024
#: bytes of all that has not arrived whole
MOST_HELD = 64 * 1024 * 1024
RECEIVED_AT_ONCE = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*(\d{1,19})[ \t]*\r\n", re.IGNORECASE)
#: a length that is not understood here is nobody's business to wait for
_ANY_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:", re.IGNORECASE)
_FOR_THE_DOOR = re.compile(rb"[A-Z]+ \S*/dataverse/notifications[?/ ]")
#: chunks, and a body that is sent when we say so
_OPEN_ENDED = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


class Line(socket.socket):
    """A connection's socket, on which a thread waits for the other side no longer than `patience` in all."""

    patience = PATIENCE_SECONDS

    def recv(self, *arguments: Any) -> bytes:
        return bytes(self._within(self.patience, super().recv, *arguments))

    def sendall(self, *arguments: Any) -> None:
        self._within(min(self.patience, SENDING_SECONDS), super().sendall, *arguments)

    def recv_now(self) -> bytes:
        """What is there; nothing when the other side has ended. Raises: BlockingIOError while it sends nothing."""
        try:
            return super().recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            raise
        except OSError:
            return b""

    def _within(self, seconds: float, call: Callable[..., Any], *arguments: Any) -> Any:
        if seconds <= 0:
            raise ConnectionResetError(errno.ECONNRESET, "The other side is too slow.")
        self.settimeout(seconds)
        began = time.monotonic()
        try:
            return call(*arguments)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "The other side is too slow.") from None
        finally:
            self.patience -= time.monotonic() - began


class Guest(TConn):  # type: ignore[misc]  # it ships no types
    """A connection; `see_off` closes it gracefully without making the loop wait."""

    def __init__(self, worker: PatientWorker, line: Line, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, line, client, server)
        self._worker = worker

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002  # gunicorn's own
        if graceful:
            self._worker.see_off(self)
        else:
            super().close()


@dataclass
class Arrival:
    """What has arrived of a request."""

    since: float
    data: bytearray = field(default_factory=bytearray)
    #: bytes of the whole request, once its head is there
    wanted: int = 0
    #: where the request ends is for its reader to find out
    is_open_ended: bool = False
    #: it says that more follows than anybody would read
    is_refused: bool = False

    def take(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n") if not self.wanted else -1
        if end < 0:
            return
        head = bytes(self.data[: end + 2])
        length = _LENGTH.search(head)
        self.is_open_ended = _OPEN_ENDED.search(head) is not None
        awaited = int(length[1]) if length and not self.is_open_ended else 0
        is_odd = length is None and _ANY_LENGTH.search(head) is not None
        self.is_open_ended |= is_odd  # its reader says what is wrong with it, and others wait for none of that
        self.is_refused = awaited > LARGEST_AWAITED_BODY and not _FOR_THE_DOOR.match(head)
        self.wanted = end + 4 + (awaited if awaited <= LARGEST_AWAITED_BODY else 0)

    @property
    def is_whole(self) -> bool:
        return bool(self.wanted) and len(self.data) >= self.wanted

    @property
    def is_too_large(self) -> bool:
        return not self.wanted and len(self.data) > LARGEST_HEAD


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # it ships no types
    """gthread, whose threads are given requests that have arrived: who sends slowly waits in the loop.

    Where there is no room, who has been arriving longest goes first: an honest request is there in milliseconds.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # who is kept, and who stands in line, leave room for those who arrive
        self.max_keepalived = self.worker_connections // 2
        #: both oldest first
        self._arriving: dict[Guest, Arrival] = {}
        self._leaving: dict[Guest, float] = {}
        self._held = 0
        self._open_ended: set[Guest] = set()
        self._in_line: deque[Guest] = deque()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        if cfg.is_ssl:
            raise ConfigError("TLS is the business of a proxy before the receiver: set no certfile, no keyfile.")
        super().check_config(cfg, log)

    # -- a connection comes --

    def accept(self, listener: socket.socket) -> None:
        if self.nr_conns >= self.worker_connections - 1:
            self._send_oldest_away()
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._send_oldest_away()
            return
        self.nr_conns += 1
        self.enqueue_req(Guest(self, Line(fileno=accepted.detach()), client, listener.getsockname()))

    # -- its request arrives --

    def enqueue_req(self, guest: Guest) -> None:
        """A thread is given once the request is there; a kept connection comes here with each."""
        arrival = Arrival(time.monotonic())
        if guest.parser is not None:
            self._take(arrival, guest.parser.unreader.take_buffered())
        guest.sock.setblocking(False)
        self._arriving[guest] = arrival
        self.poller.register(guest.sock, selectors.EVENT_READ, partial(self._receive, guest))
        self._receive(guest)

    def _receive(self, guest: Guest, _socket: Any = None) -> None:
        arrival = self._arriving.get(guest)
        if arrival is None:
            return  # sent away for another one of the same turn of the loop
        has_ended = False
        if not arrival.is_whole:
            try:
                data = guest.sock.recv_now()
            except BlockingIOError:
                return
            has_ended = not data
            self._take(arrival, data)
        if arrival.is_refused:
            self._send_away(guest, b"413 Content Too Large")
        elif arrival.is_too_large:
            self._send_away(guest, b"431 Request Header Fields Too Large")
        elif has_ended and not arrival.data:
            self._send_away(guest)
        elif arrival.is_whole or has_ended:
            self._hand_over(guest)
        while self._held > MOST_HELD and self._arriving:
            self._send_oldest_away()

    def _take(self, arrival: Arrival, data: bytes) -> None:
        arrival.take(data)
        self._held += len(data)

    def _hand_over(self, guest: Guest) -> None:
        arrival = self._forget(guest)
        guest.init()
        guest.parser.unreader.unread(bytes(arrival.data))
        guest.data_ready = True
        if not arrival.is_open_ended:
            super().enqueue_req(guest)
            return
        self._in_line.append(guest)
        self._let_in()
        if len(self._in_line) > MOST_IN_LINE:
            self.nr_conns -= 1
            self._in_line.popleft().close()

    def _let_in(self) -> None:
        while self._in_line and len(self._open_ended) < max(1, self.cfg.threads // OPEN_ENDED_SHARE):
            guest = self._in_line.popleft()
            self._open_ended.add(guest)
            super().enqueue_req(guest)

    def _forget(self, guest: Guest) -> Arrival:
        arrival = self._arriving.pop(guest)
        self._held -= len(arrival.data)
        self.poller.unregister(guest.sock)
        return arrival

    def _send_away(self, guest: Guest, status: bytes = b"") -> None:
        self._forget(guest)
        self.nr_conns -= 1
        if status:
            with suppress(OSError):
                guest.sock.send(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        guest.close(graceful=bool(status))

    def _send_oldest_away(self) -> None:
        for guest in list(self._arriving)[:1]:
            self._send_away(guest)

    # -- a thread answers it --

    def handle(self, guest: Guest) -> Any:
        guest.sock.patience = PATIENCE_SECONDS
        return super().handle(guest)

    def _keepalive_after(self, guest: Guest, keepalive: Any) -> bool:
        guest.sock.patience = min(DRAIN_SECONDS, guest.sock.patience)
        return bool(super()._keepalive_after(guest, keepalive))

    def finish_request(self, guest: Guest, future: Any) -> None:
        self._open_ended.discard(guest)
        super().finish_request(guest, future)
        self._let_in()

    # -- it goes --

    def see_off(self, guest: Guest) -> None:
        """End our side, and read what still comes: closed at once, the other side might lose our answer."""
        try:
            guest.sock.shutdown(socket.SHUT_WR)
            guest.sock.setblocking(False)
            self.poller.register(guest.sock, selectors.EVENT_READ, partial(self._drain, guest))
        except (OSError, ValueError):
            guest.close()
            return
        self._leaving[guest] = time.monotonic()
        if len(self._leaving) > MOST_LEAVING:
            self._close(next(iter(self._leaving)))

    def _drain(self, guest: Guest, _socket: Any) -> None:
        with suppress(BlockingIOError):
            if guest in self._leaving and not guest.sock.recv_now():
                self._close(guest)

    def _close(self, guest: Guest) -> None:
        del self._leaving[guest]
        self.poller.unregister(guest.sock)
        guest.close()

    def murder_pending(self) -> None:
        """The loop calls it at least once a second."""
        now = time.monotonic()
        limit = ARRIVAL_SECONDS if self.alive else LEAVING_SECONDS
        for guest in [guest for guest, one in self._arriving.items() if now - one.since > limit]:
            self._send_away(guest, b"408 Request Timeout" if self._arriving[guest].data else b"")
        for guest in [guest for guest, since in self._leaving.items() if now - since > LEAVING_SECONDS]:
            self._close(guest)
