"""Property tests that need a database, a receiver or a sandbox."""

from __future__ import annotations

from hypothesis import settings

#: the same examples on every machine, and no clock: a slow machine is no failure
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")
