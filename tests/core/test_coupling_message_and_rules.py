"""What a coupling remembers of failures, which state of a row is newer, and the transformation rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.coupling import (
    VERSION,
    Coupling,
    LastRun,
    Result,
    after_failure,
    at_version,
    notes_of,
    with_job,
    with_run,
)
from receiver.core.mapping import Direction
from receiver.core.message import Defect, ExecutionContext, Freshness, Version, freshness, image_alias
from receiver.core.transformation import TRANSFORMATION_RULES, transformed

FROM, TO = Direction.FROM, Direction.TO
COUPLING = Coupling("CUSTOMER", "C00010", "a0000000-0000-4000-8000-000000000001")


def failing(*errors: str, toward: Direction = FROM, coupling: Coupling = COUPLING) -> Coupling:
    for job, error in enumerate(errors, 1):
        coupling = with_job(after_failure(coupling, toward, error), toward, job)
    return coupling


# -- couplings ---------------------------------------------------------------------------------------------------

FAILURES = [
    ("one failure", ("no company",), False),
    ("the same failure twice", ("no company", "no company"), True),
    ("two different failures", ("no company", "no currency"), False),
    ("the same failure, but not in a row", ("no company", "no currency", "no company"), False),
    ("once skipped, always skipped", ("no company", "no company", "no currency"), True),
    ("failures without a text", ("", ""), False),
    ("the same of other values", ("fax is “1” here, “2” there", "fax is “3” here, “” there"), True),
    ("the same of another field", ("fax is “1” here, “2” there", "telephone1 is “1” here, “2” there"), False),
    (
        "the same of another row",
        (
            "account a0000000-0000-4000-8000-000000000001 is missing",
            "account A0000000-0000-4000-8000-000000000002 is missing",
        ),
        True,
    ),
    ("the same with another number", ("Request 17 was refused at 12:30:01.5", "Request 4 was refused at 12:31"), True),
    ("another code of Dataverse", ("refused: 400 0x80040265", "refused: 400 0x80048306"), False),
    ("another numbered column", ("address1_city is too long", "address2_city is too long"), False),
]


@pytest.mark.parametrize("toward", [FROM, TO], ids=["from", "to"])
@pytest.mark.parametrize(("errors", "is_skipped"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_the_same_failure_twice_in_a_row_makes_a_coupling_skipped(errors, is_skipped, toward):
    coupling = failing(*errors, toward=toward)
    assert coupling.is_skipped is is_skipped
    assert coupling.last(toward) == LastRun(Result.FAILURE, len(errors), errors[-1])
    assert coupling.last(toward.back) == LastRun()


def test_the_same_failure_once_in_each_direction_is_not_twice_in_a_row():
    assert not failing("no company", toward=TO, coupling=failing("no company", toward=FROM)).is_skipped


def test_a_success_between_two_equal_failures_begins_the_count_anew():
    healed = with_run(failing("no company"), FROM, LastRun(Result.SUCCESS, 2))
    assert not failing("no company", coupling=healed).is_skipped


def test_each_side_has_its_own_base_whichever_way_the_run_goes():
    coupling = replace(COUPLING, local_base={"name": "local"}, dataverse_base={"title": "row"})
    assert coupling.source_base(FROM) == coupling.destination_base(TO) == {"title": "row"}
    assert coupling.source_base(TO) == coupling.destination_base(FROM) == {"name": "local"}


def test_a_run_leads_to_the_other_sides_id():
    assert COUPLING.destination_id(FROM) == COUPLING.local_id
    assert COUPLING.destination_id(TO) == COUPLING.dataverse_id


LEFT_ALONE = "a value without counterpart was left alone. It follows as soon as there is one."
AT_ODDS = "what it is written to makes something else of it. Nothing is sent again until somebody edits it."
NOTES = [
    ("nothing", {}, {}),
    ("values without counterpart", {"unresolved": frozenset({"terms", "agent"})}, {"agent": LEFT_ALONE, "terms": LEFT_ALONE}),
    ("values that a side alters by itself", {"altered": {"name": None, "city": None}}, {"city": AT_ODDS, "name": AT_ODDS}),
    ("values on their way back: nothing is to be done", {"altered": {"name": FROM, "city": TO}}, {}),
    ("both", {"unresolved": frozenset({"terms"}), "altered": {"name": None}}, {"terms": LEFT_ALONE, "name": AT_ODDS}),
]  # fmt: skip


@pytest.mark.parametrize(("known", "notes"), [row[1:] for row in NOTES], ids=[row[0] for row in NOTES])
def test_a_coupling_tells_which_fields_a_person_should_know_of(known, notes):
    assert notes_of(replace(COUPLING, **known)) == notes


# -- versions ----------------------------------------------------------------------------------------------------

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)


def read(number: int | None = None, modified_on: datetime | None = None) -> Version:
    return Version(number, modified_on, was_read=True)


VERSIONS = [
    ("never seen", Version(1, NOON), None, Freshness.NEWER),
    ("never seen, and nothing known", Version(), None, Freshness.NEWER),
    ("a higher number", Version(2, NOON), Version(1, NOON), Freshness.NEWER),
    ("the same number", Version(1, NOON), Version(1, NOON), Freshness.SAME),
    ("a lower number and an earlier second", Version(1, NOON), read(2, LATER), Freshness.LATE),
    ("a lower number, the same second", Version(1, NOON), read(2, NOON), Freshness.UNCERTAIN),
    ("a lower number, a later second: a restored backup", Version(1, LATER), read(2, NOON), Freshness.UNCERTAIN),
    ("a lower number, and no second", Version(1), read(2, NOON), Freshness.UNCERTAIN),
    ("a lower number, against one without a second", Version(1, NOON), read(2), Freshness.UNCERTAIN),
    ("a lower number, but only an image told", Version(1, NOON), Version(2, LATER), Freshness.UNCERTAIN),
    ("a higher number, whatever told the other", Version(3, NOON), read(2, LATER), Freshness.NEWER),
    ("the same number, whatever told the other", Version(2, NOON), read(2, LATER), Freshness.SAME),
    ("the number counts, not the clock", Version(2, NOON), Version(1, LATER), Freshness.NEWER),
    ("no number, a later second", Version(None, LATER), Version(1, NOON), Freshness.NEWER),
    ("no number, the same second", Version(None, NOON), Version(1, NOON), Freshness.UNCERTAIN),
    ("no number, an earlier second", Version(None, NOON), read(1, LATER), Freshness.LATE),
    ("no number, the same second as was read", Version(None, NOON), read(1, NOON), Freshness.UNCERTAIN),
    (
        "no number, an earlier second, but only an image told",
        Version(None, NOON),
        Version(1, LATER),
        Freshness.UNCERTAIN,
    ),
    ("a number against a second alone", Version(5, LATER), Version(None, NOON), Freshness.NEWER),
    ("nothing known of the image", Version(), Version(1, NOON), Freshness.UNCERTAIN),
    ("nothing known of what was seen", Version(None, NOON), Version(), Freshness.UNCERTAIN),
]


@pytest.mark.parametrize(("image", "seen", "expected"), [row[1:] for row in VERSIONS], ids=[row[0] for row in VERSIONS])
def test_an_image_is_newer_the_same_late_or_wants_the_row_read(image, seen, expected):
    assert freshness(image, seen) == expected


numbers = st.integers(1, 4)


@given(numbers, numbers)
def test_of_two_different_versions_exactly_one_is_newer(one, other):
    first, second = (read(number, NOON + timedelta(seconds=number)) for number in (one, other))
    opposite = {Freshness.NEWER: Freshness.LATE, Freshness.LATE: Freshness.NEWER, Freshness.SAME: Freshness.SAME}
    assert freshness(first, second) == opposite[freshness(second, first)]


@given(numbers, numbers, st.integers(-2, 2), st.integers(-2, 2))
def test_nothing_is_late_against_what_only_an_image_told(one, other, sooner, later):
    image, seen = Version(one, NOON + timedelta(sooner)), Version(other, NOON + timedelta(later))
    assert freshness(image, seen) != Freshness.LATE


def test_an_images_alias_says_which_columns_it_holds_in_any_order():
    alias = image_alias("post", frozenset({"name", "fax"}))
    assert alias == image_alias("post", frozenset({"fax", "name"})) == "rcv_post_732bb178"
    assert alias != image_alias("post", frozenset({"name"}))
    assert image_alias("pre", frozenset({"name", "fax"})) == "rcv_pre_732bb178"


STEPS = [(1, 40, False), (0, 40, True), (1, 10, True), (0, 20, True)]


@pytest.mark.parametrize(("mode", "stage", "is_synchronous"), STEPS)
def test_a_step_inside_the_transaction_is_told_by_mode_or_stage(mode, stage, is_synchronous):
    context = ExecutionContext("Update", "account", COUPLING.dataverse_id, mode=mode, stage=stage)
    assert context.is_synchronous is is_synchronous


def test_a_defect_reads_as_place_and_what():
    assert str(Defect("/InputParameters/0", "odd")) == "/InputParameters/0: odd"


# -- transformation rules ----------------------------------------------------------------------------------------

RULES = [
    ("", " Nord-wind 7 ", " Nord-wind 7 "),
    ("UPPERCASE", " Größe ", " GRÖSSE "),
    ("LOWERCASE", " NORD ", " nord "),
    ("TITLECASE", "nord wind", "Nord Wind"),
    ("TRIM", " Nord wind ", "Nord wind"),
    ("ALPHANUMERIC_ONLY", " Nord-wind 7 ", "Nordwind7"),
]


@pytest.mark.parametrize(("rule", "before", "after"), RULES, ids=[row[0] or "none" for row in RULES])
def test_a_rule_changes_a_text(rule, before, after):
    assert transformed(rule, before) == after


@pytest.mark.parametrize("rule", sorted(TRANSFORMATION_RULES))
@pytest.mark.parametrize("value", [None, 3, Decimal("1.50"), True, NOON], ids=repr)
def test_a_rule_leaves_everything_but_text_alone(rule, value):
    assert transformed(rule, value) is value


def test_every_rule_has_its_example():
    assert {row[0] for row in RULES} == set(TRANSFORMATION_RULES)


ROW = {"name": "Nordwind", "fax": "1", VERSION: 7}


@pytest.mark.parametrize(
    ("base", "columns", "kept"),
    [
        pytest.param({"name": "Nordwind", "fax": "1"}, {"name", "fax"}, True, id="all of it as the row has it"),
        pytest.param({"name": "Nordwind", "fax": "1", VERSION: 6}, {"name", "fax"}, True, id="an older version goes"),
        pytest.param({"name": "Nordwind"}, {"name", "fax"}, False, id="a mapped column is not remembered"),
        pytest.param({"name": "Nordwind", "fax": "2"}, {"name", "fax"}, False, id="a mapped column is another"),
        pytest.param({"name": "Nordwind", "fax": "2"}, {"name"}, False, id="one mapped no longer is another"),
        pytest.param({"name": "Nordwind", "city": "Ulm"}, {"name"}, False, id="one that is read no longer"),
    ],
)
def test_a_base_has_the_rows_version_only_where_it_says_all_that_the_row_says(base, columns, kept):
    found = at_version(base, ROW, columns, {"name", "fax"})

    assert found == {**{name: base[name] for name in base if name != VERSION}, **({VERSION: 7} if kept else {})}


def test_a_row_read_without_its_version_gives_none():
    assert at_version({"name": "N"}, {"name": "N"}, {"name"}, {"name"}) == {"name": "N"}
    assert at_version({"name": "N", VERSION: 6}, {"name": "N", VERSION: None}, {"name"}, {"name"}) == {"name": "N"}


def test_a_mapped_version_is_a_value_like_any_other():
    assert at_version({VERSION: 6}, {VERSION: 7}, {VERSION}, {VERSION}) == {VERSION: 6}
