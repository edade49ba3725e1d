"""Several processes in the foreground: started together, stopped together, none left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 20
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Program:
    """One child: what people call it, its command, what it needs in its environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    #: where its words go; None: to our own terminal
    log: Path | None = None


def web_server(environment: Mapping[str, str]) -> Program:
    command = (
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:receiver.server.gunicorn_conf",
        "receiver.server.serving:app",
    )
    return Program("receiver", command, environment)


def worker(environment: Mapping[str, str]) -> Program:
    return Program("worker", (sys.executable, "-m", "receiver", "worker"), environment)


def run_receiver(port: int) -> int:
    """The receiver and its worker until one of the usual signals; the exit code."""
    taken = taken_port({"RECEIVER_PORT": port})
    if taken:
        sys.stderr.write(f"{taken}\n")
        return 1
    environment = {**os.environ, "RECEIVER_PORT": str(port)}
    return run_together([web_server(environment), worker(environment)])


def taken_port(ports: Mapping[str, int]) -> str:
    """A sentence about the first port that is taken, by the setting that names it; empty if all are free."""
    for name, port in ports.items():
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return f"Port {port} is taken by another program. Stop that one, or choose another: {name}=<port>."
    return ""


class Together:
    """The running children. They get sessions of their own: Ctrl-C reaches only us, and we stop them in order."""

    def __init__(self) -> None:
        self._running: list[tuple[Program, subprocess.Popen[bytes]]] = []

    def start(self, program: Program) -> None:
        words = program.log.open("ab") if program.log else None
        environment = dict(program.environment)
        child = subprocess.Popen(
            list(program.command), env=environment, stdout=words, stderr=words, start_new_session=True
        )
        if words is not None:
            words.close()
        self._running.append((program, child))

    def ended(self) -> Program | None:
        """A child that ended by itself; None while all run."""
        return next((program for program, child in self._running if child.poll() is not None), None)

    def stop(self) -> None:
        """Ask the last started first; who does not listen is killed."""
        for _, child in reversed(self._running):
            if child.poll() is None:
                child.terminate()
        for _, child in reversed(self._running):
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def stop_signal() -> threading.Event:
    """Set by Ctrl-C, by SIGTERM, and when the terminal is closed."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop


def run_together(programs: Sequence[Program]) -> int:
    """Run until a stop signal (0) or until one ends by itself (1)."""
    stop, together = stop_signal(), Together()
    try:
        for program in programs:
            together.start(program)
        return wait(stop, together)
    finally:
        together.stop()


def wait(stop: threading.Event, together: Together) -> int:
    while not stop.wait(LOOK_SECONDS):
        ended = together.ended()
        if ended is not None:
            place = f"in {ended.log}" if ended.log else "above"
            sys.stderr.write(f"The {ended.name} ended by itself; its own words stand {place}. Everything is stopped.\n")
            return 1
    return 0
