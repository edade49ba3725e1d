"""What a write meant to leave behind, held against the row that was read."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from core.situations import LOCAL_ID, MAPPING, ROW_ID, situation

from receiver.core.coupling import VERSION, Coupling
from receiver.core.decision import decide, sides_of
from receiver.core.intended import Intended, after_create, after_update, as_kept, intended_by
from receiver.core.mapping import Direction, FieldMapping
from receiver.core.values import Column, ColumnType

TO = Direction.TO
OLD = Coupling("M", LOCAL_ID, ROW_ID, {"name": "a", "city": "A"}, {"title": "a", "town": "A", VERSION: 7})
SENT = Intended({"name": "b", "city": "B"}, {"title": "b", "town": "B"}, frozenset({"parent"}))
TRANSFERS = MAPPING.transfers(TO)

#: the row as it was read, states that were told of, and both bases of (name, title) and (city, town) afterwards
UPDATES = [
    ("it arrived", ("b", "B"), (), ("b", "b", "B", "B")),
    ("it did not arrive", ("a", "A"), (), ("a", "a", "A", "A")),
    ("it arrived, and one was changed since", ("b", "D"), (), ("b", "b", "B", "B")),
    ("it arrived, or one was changed to the same; the other is as it was", ("b", "A"), (), ("b", "b", "A", "A")),
    ("both were changed, whether it arrived or not", ("c", "D"), (), ("a", "a", "A", "A")),
    ("both were changed, and an image shows that it arrived", ("c", "D"), (("b", "B"),), ("b", "b", "B", "B")),
    ("both were changed back, and an image shows that it arrived", ("a", "A"), (("b", "B"),), ("b", "b", "B", "B")),
    ("an image that has one of two proves nothing", ("c", "D"), (("b", "A"), ("a", "B")), ("a", "a", "A", "A")),
]


@pytest.mark.parametrize(("row", "images", "bases"), [one[1:] for one in UPDATES], ids=[one[0] for one in UPDATES])
def test_the_bases_move_in_the_fields_that_an_update_left_equal(row, images, bases):
    states = [dict(zip(("title", "town"), one, strict=True)) for one in (row, *images)]
    after = after_update(OLD, TRANSFERS, SENT, states[0], states[1:])
    told = (
        after.local_base["name"],
        after.dataverse_base["title"],
        after.local_base["city"],
        after.dataverse_base["town"],
    )
    assert told == bases
    has_moved = bases != ("a", "a", "A", "A")
    assert (VERSION in after.dataverse_base) is not has_moved  # the base is not all of a version any more
    assert after.unresolved == (SENT.unresolved if has_moved else frozenset())
    assert (after == OLD) is not has_moved


def test_a_field_that_was_sent_as_it_was_says_nothing_of_the_arrival():
    sent = replace(SENT, dataverse={"title": "a", "town": "B"}, local={"name": "x", "city": "B"})
    assert after_update(OLD, TRANSFERS, sent, {"title": "a", "town": "D"}) == OLD
    arrived = after_update(OLD, TRANSFERS, sent, {"title": "d", "town": "B"})
    assert arrived.local_base == {"name": "x", "city": "B"}
    assert arrived.dataverse_base == {"title": "a", "town": "B"}


def test_no_image_proves_what_changed_nothing():
    sent = replace(SENT, dataverse={"title": "a"}, local={"name": "a"})
    assert after_update(OLD, TRANSFERS, sent, {"title": "a"}, [{"title": "a"}]) == OLD


def test_a_pair_that_was_never_equal_is_equal_by_what_arrived():
    never = replace(OLD, local_base=None, dataverse_base=None)
    after = after_update(never, TRANSFERS, SENT, {"title": "b", "town": "D"})
    assert (after.local_base, after.dataverse_base) == (SENT.local, SENT.dataverse)


def test_a_constant_has_no_local_base():
    transfers = replace(MAPPING, fields=(FieldMapping(1, None, "title", constant="b"),)).transfers(TO)
    after = after_update(OLD, transfers, replace(SENT, local={}, dataverse={"title": "b"}), {"title": "b"})
    assert after.local_base == OLD.local_base
    assert after.dataverse_base["title"] == "b"


ATTEMPTS = [SENT, replace(SENT, local={"name": "c"}, dataverse={"title": "c", "town": "B"})]


@pytest.mark.parametrize(
    ("row", "made"),
    [({"title": "b", "town": "B"}, 0), ({"title": "c", "town": "B"}, 1), ({"title": "x", "town": "B"}, 1), ({}, 1)],
    ids=["as the first", "as the second", "alike in what both sent", "like none"],
)
def test_a_created_row_is_remembered_as_the_attempt_that_it_looks_most_like(row, made):
    pending = Coupling("M", LOCAL_ID, ROW_ID)
    after = after_create(pending, ATTEMPTS, row)
    assert (after.local_base, after.dataverse_base) == (ATTEMPTS[made].local, ATTEMPTS[made].dataverse)
    assert after.unresolved == SENT.unresolved
    assert (after.local_id, after.dataverse_id) == (LOCAL_ID, ROW_ID)


def test_of_a_create_of_which_nothing_is_known_the_pair_was_never_equal():
    pending = Coupling("M", LOCAL_ID, ROW_ID)
    assert after_create(pending, [], {"title": "b"}) == pending


def test_an_update_intends_the_fields_that_it_sends():
    now = situation(TO)
    decision = decide(now)
    meant = intended_by(sides_of(now), decision.merged, decision.values)
    assert meant == Intended({"name": "new"}, {"title": "new"}, decision.merged.unresolved)


def test_a_create_intends_every_field_also_those_that_are_empty():
    now = situation(TO, coupling="none", destination="absent")
    now = replace(now, source=replace(now.source, values={**now.source.values, "city": ""}))
    decision = decide(now)
    meant = intended_by(sides_of(now), decision.merged, {**decision.values, "kind": 3})
    assert meant.local == {"name": "new", "city": "", "parent": "C00020"}
    assert meant.dataverse == {"title": "new", "town": None, "parentid": "C00020"}


@pytest.mark.parametrize(
    ("sent", "held", "expected"),
    [
        (Decimal("1234.56789"), Decimal("1234.57"), Decimal("1234.57")),
        (Decimal("1234.56789"), Decimal("1234.58"), Decimal("1234.56789")),
        (Decimal("1234.5"), Decimal("1234.50"), Decimal("1234.50")),
        (Decimal(1), None, Decimal(1)),
    ],
)
def test_what_its_column_rounds_is_still_what_we_sent(sent: Decimal, held: Decimal | None, expected: Decimal) -> None:
    columns = {"amount": Column("amount", ColumnType.MONEY, precision=2)}
    assert as_kept(Intended({}, {"amount": sent}), {"amount": held}, columns).dataverse == {"amount": expected}
    assert as_kept(Intended({}, {"amount": sent}), {}, columns).dataverse == {"amount": sent}
