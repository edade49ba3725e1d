"""2 000 odd bodies, and by name what more of them found; `make fuzz` sends 50 000."""

from __future__ import annotations

from company import Company
from fuzz.fuzz import fuzz

BODIES = 2_000
MOST_GROWTH_MEGABYTES = 24


def test_no_odd_body_breaks_the_door_or_the_worker_and_each_refusal_names_its_place(small_company: Company) -> None:
    result = fuzz(small_company, BODIES, seed=2)

    assert result.findings == []
    assert sum(result.answers.values()) == BODIES
    assert result.answers[202] > BODIES / 2
    assert result.answers[400] > BODIES / 20
    assert set(result.states) <= {"done", "ignored", "failed", "unreadable", "refused"}
    warm, end = result.memory
    assert end - warm < MOST_GROWTH_MEGABYTES
