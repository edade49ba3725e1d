"""A command in a process of its own: what it said, and the most memory that it held."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

LOOK_EACH = 0.02


@dataclass(frozen=True)
class Ran:
    said: Any
    #: RSS at most
    mebibytes: float

    @property
    def seconds(self) -> float:
        """From its own first stamp to its last: the start of the process is not counted."""
        started, finished = (datetime.fromisoformat(self.said[name]) for name in ("started_at", "finished_at"))
        return (finished - started).total_seconds()


def run(url: str, *command: str) -> Ran:
    """Run `receiver …  --json` on a database."""
    program = [sys.executable, "-m", "receiver", *command, "--json"]
    return _watched(program, {"RECEIVER_DATABASE_URL": url})


def script(module: str, **settings: str) -> Ran:
    """Run a script of ours that prints JSON."""
    return _watched([sys.executable, "-m", module], settings)


def _watched(program: list[str], settings: dict[str, str]) -> Ran:
    with subprocess.Popen(program, env={**os.environ, **settings}, stdout=subprocess.PIPE) as process:
        most = 0.0
        while process.poll() is None:
            most = max(most, _most_memory(process.pid))
            time.sleep(LOOK_EACH)
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(program[2:])} failed; the figures would mean nothing.")
    found = json.loads(said)
    return Ran(found[0] if isinstance(found, list) else found, most)


def _most_memory(pid: int) -> float:
    """The kernel's own high-water mark; what the process held before it became our program is not in it."""
    found = re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
