"""The button as a solution file, for whoever may import solutions and call no Web API, or has the classic ribbon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from receiver.button.solution_file import solution_file
from receiver.commands.connection.button import mapped_tables
from receiver.errors import RefusedError
from receiver.services import Services

ENGLISH = 1033


@dataclass(frozen=True)
class SolutionFile:
    """An unmanaged solution's zip, and the tables whose ribbons it brings a button for."""

    content: bytes
    tables: tuple[str, ...]


def build(services: Services, public_url: str, languages: Sequence[int] = (ENGLISH,)) -> SolutionFile:
    """A button for every table with an enabled mapping; Dataverse is not asked.

    Raises: RefusedError without such a mapping, or for an address that no browser would reach.
    """
    tables = mapped_tables(services)
    if not tables:
        raise RefusedError("No mapping is enabled, so no table gets a button. Enable one first.")
    return SolutionFile(solution_file(tables, public_url, languages), tuple(tables))
