"""The guard: what is a conclusion that no later run takes back, and how many of them are too many."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core.situations import situation

from receiver.core.coupling import Coupling
from receiver.core.decision import AlreadyEqual, IgnoreUnchanged, Insert, Modify, Reason, Record, RemoveCoupling, Skip
from receiver.core.guard import BLANK, GONE, Limits, conclusions_of
from receiver.core.merge import Merged

PAIR = Coupling("M", "L1", "R1")
NOTHING = Merged(has_moved=True)


@pytest.mark.parametrize(
    ("count", "couplings", "is_too_many"),
    [
        (1, 1, False), (2, 2, False), (4, 4, False), (2, 5, False), (3, 5, True), (3, 6, False), (4, 6, True),
        (25, 100, False), (26, 100, True), (26, 2599, True), (26, 2600, False), (27, 2600, True), (1000, 100_000, False),
        (1001, 100_000, True), (0, 0, False),
    ],
)  # fmt: skip
def test_more_than_25_and_one_percent_or_than_half_are_too_many(count: int, couplings: int, is_too_many: bool) -> None:
    assert Limits().are_exceeded(count, couplings) is is_too_many


def test_limits_are_settings() -> None:
    assert Limits(most=1, percent=50).are_exceeded(3, 4) is True
    assert Limits(most=1, percent=90, smallest=9).are_exceeded(3, 4) is False
    assert Limits(most=9, smallest=4).are_exceeded(3, 4) is True
    assert Limits(most=9, share=75, smallest=4).are_exceeded(3, 4) is False


@pytest.mark.parametrize(
    ("decision", "changes", "kinds"),
    [
        (RemoveCoupling(Reason.DELETED_THERE), {"coupling": PAIR}, {GONE}),
        (RemoveCoupling(Reason.BOTH_DELETED), {"coupling": PAIR}, {GONE}),
        (Insert({"name": "a"}, NOTHING), {"coupling": PAIR}, {GONE}),
        (Insert({"name": "a"}, NOTHING), {"coupling": None}, set()),
        (Insert({"name": "a"}, NOTHING), {"coupling": PAIR, "is_new_pair": True}, set()),
        (Modify({"name": None, "city": ""}, NOTHING), {"destination": Record("x", {"name": "a", "city": "b"})},
         {f"{BLANK} name", f"{BLANK} city"}),
        (Modify({"name": None, "city": "c"}, NOTHING), {"destination": Record("x", {"name": "", "city": "b"})}, set()),
        (Modify({"name": "b"}, NOTHING), {"destination": Record("x", {"name": "a"})}, set()),
        (Modify({"name": None}, NOTHING), {"destination": None}, set()),
        (AlreadyEqual(NOTHING), {"coupling": PAIR}, set()),
        (IgnoreUnchanged(), {"coupling": PAIR}, set()),
        (Skip(Reason.OUTSIDE_FILTER), {"coupling": PAIR}, set()),
    ],
)  # fmt: skip
def test_what_a_later_run_cannot_take_back_is_a_conclusion(
    decision: object, changes: dict[str, object], kinds: set[str]
) -> None:
    assert conclusions_of(replace(situation(), **changes), decision) == kinds
