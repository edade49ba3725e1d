"""What a row carries of our company: on insert, where it has none; and when it is another's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from receiver.commands.mappings.rules import plain_situation
from receiver.core.company import COMPANY_ID, NO_STAMPS, OWNER, Stamps
from receiver.core.decision import AlreadyEqual, Insert, Modify, Reason, Record, Situation, Skip, decide
from receiver.core.mapping import Direction
from receiver.core.values import Reference

OURS, THEIRS, TEAM = Reference("company", "ours"), Reference("company", "theirs"), Reference("team", "team")
STAMPS = Stamps(OURS, owner=TEAM)


def toward(direction: Direction, stamps: Stamps = STAMPS) -> Situation:
    now = plain_situation(direction)
    return replace(now, mapping=replace(now.mapping, stamps=stamps))


def with_company(record: Record, company: Reference | None) -> Record:
    return replace(record, values={**record.values, COMPANY_ID: company})


def test_a_new_row_carries_our_company_and_its_team_and_a_template_wins() -> None:
    now = replace(toward(Direction.TO), coupling=None, destination=None)
    decision = decide(now)
    assert isinstance(decision, Insert)
    assert (decision.values[COMPANY_ID], decision.values[OWNER]) == (OURS, TEAM)

    mapping = replace(now.mapping, dataverse_template={OWNER: THEIRS})
    decision = decide(replace(now, mapping=mapping))
    assert isinstance(decision, Insert)
    assert decision.values[OWNER] == THEIRS


@pytest.mark.parametrize(("held", "is_stamped"), [(None, True), (OURS, False)])
def test_a_known_row_gets_our_company_where_it_has_none(held: Reference | None, is_stamped: bool) -> None:
    now = toward(Direction.TO)
    assert now.destination is not None
    decision = decide(replace(now, destination=with_company(now.destination, held)))
    assert isinstance(decision, Modify)
    assert (COMPANY_ID in decision.values, OWNER in decision.values) == (is_stamped, False)


def test_records_that_are_equal_but_for_the_company_are_written_once() -> None:
    now = toward(Direction.TO)
    equal = Record("other", now.source.values)
    assert isinstance(decide(replace(now, destination=with_company(equal, OURS))), AlreadyEqual)
    decision = decide(replace(now, destination=with_company(equal, None)))
    assert isinstance(decision, Modify)
    assert decision.values == {COMPANY_ID: OURS}


@pytest.mark.parametrize(
    ("stamps", "direction", "is_claimed"),
    [
        (STAMPS, Direction.BIDIRECTIONAL, True),
        (STAMPS, Direction.FROM, False),
        (NO_STAMPS, Direction.BIDIRECTIONAL, False),
        (replace(STAMPS, is_multi_company=True), Direction.BIDIRECTIONAL, False),
    ],
)
def test_a_row_that_comes_in_is_claimed_where_we_may_write(
    stamps: Stamps, direction: Direction, is_claimed: bool
) -> None:
    now = replace(toward(Direction.FROM, stamps), coupling=None, destination=None)
    mapping = replace(now.mapping, direction=direction)
    decision = decide(replace(now, mapping=mapping, source=with_company(now.source, None)))
    assert isinstance(decision, Insert)
    assert decision.claim == ({COMPANY_ID: OURS} if is_claimed else {})
    assert COMPANY_ID not in decision.values


@pytest.mark.parametrize("direction", [Direction.TO, Direction.FROM])
def test_a_row_of_another_company_is_left_alone_unless_the_mapping_takes_all(direction: Direction) -> None:
    for stamps, is_left in ((STAMPS, True), (replace(STAMPS, is_multi_company=True), False), (NO_STAMPS, False)):
        now = toward(direction, stamps)
        assert now.destination is not None
        if direction is Direction.TO:
            now = replace(now, destination=with_company(now.destination, THEIRS))
        else:
            now = replace(now, source=with_company(now.source, THEIRS))
        assert (decide(now) == Skip(Reason.OTHER_COMPANY)) is is_left


def test_what_was_not_read_is_not_written() -> None:
    assert STAMPS.of_known_row({"name": "Firm"}) == {}
