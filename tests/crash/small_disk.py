"""A disk of our own that is small enough to be filled: a tmpfs, which answers "No space left on device" as any other."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

MEGABYTES = 256
BALLAST = "ballast"
BLOCKS = (b"\0" * 2**20, b"\0" * 4096)


class NoDiskError(Exception):
    """This machine lets us mount none."""


@contextmanager
def small_disk() -> Iterator[Path]:
    """Raises: NoDiskError."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise NoDiskError("a small disk can be mounted by root alone")
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        options = f"size={MEGABYTES}m,mode=755"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", name], capture_output=True, text=True, check=False
        )
        if mounted.returncode:
            raise NoDiskError(f"no small disk could be mounted: {mounted.stderr.strip()}")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(disk: Path) -> None:
    """To its last block; again and again, since what is deleted elsewhere makes room."""
    with (disk / BALLAST).open("ab", buffering=0) as ballast:
        for block in BLOCKS:
            with suppress(OSError):
                while ballast.write(block) == len(block):
                    pass


def make_room(disk: Path) -> None:
    (disk / BALLAST).unlink(missing_ok=True)
