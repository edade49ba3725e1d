"""The database is away when a process starts: the door is covered in doors/test_real_server.py, here is the worker."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from doors.test_real_server import free_port


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it() -> None:
    url = f"postgresql+psycopg://u:p@127.0.0.1:{free_port()}/x"
    environment = {**os.environ, "RECEIVER_DATABASE_URL": url}
    command = [sys.executable, "-m", "receiver", "worker"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as worker:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(6)
        is_running = worker.poll() is None
        worker.kill()

    assert is_running
