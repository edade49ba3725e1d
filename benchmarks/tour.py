"""f) How long `make run` takes until its links are there: the first time, and when it goes on with what is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.servers import free_port

NAMES = ("RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT")
LAST_LINE = "shows it within a second"


def starts() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return {f"tour, {which} start to its links in ms": 1000 * _start(Path(folder)) for which in ("first", "second")}


def _start(folder: Path) -> float:
    """Start the tour and stop it; the seconds until it said all that it says."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    settings = {**{name: str(free_port()) for name in NAMES}, "RECEIVER_INSTANCE": str(folder)}
    command = [sys.executable, "-m", "receiver", "tour"]
    begun = time.perf_counter()
    with subprocess.Popen(command, env=ours | settings, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = any(LAST_LINE in line for line in running.stdout)
        seconds = time.perf_counter() - begun
        running.send_signal(signal.SIGINT)
    if not said:
        raise SystemExit("The tour did not start.")
    return seconds
