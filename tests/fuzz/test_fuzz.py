"""2 000 odd bodies, a half on each database, and by name what more of them found; `make fuzz` sends 50 000."""

from __future__ import annotations

import uuid
from contextlib import closing

import pytest
from company import KEY, Company
from fuzz.fuzz import fuzz
from inbox.sending import HEADER, NO_ID, PATH, context, reference

from receiver.sandbox import Sandbox

MOST_GROWTH_MEGABYTES = 24


@pytest.mark.parametrize(
    ("database", "numbers"), [("sqlite", range(1000)), ("postgresql", range(1000, 2000))], ids=["sqlite", "postgresql"]
)
def test_no_odd_body_breaks_the_door_or_the_worker_and_each_refusal_names_its_place(
    database: str, numbers: range, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    with closing(Company(request.getfixturevalue(f"{database}_url"), sandbox)) as company:
        result = fuzz(company, numbers, seed=2)

    assert result.findings == []
    assert sum(result.answers.values()) == len(numbers)
    assert result.answers[202] > len(numbers) / 2
    assert result.answers[400] > len(numbers) / 20
    assert set(result.states) <= {"done", "ignored", "failed", "unreadable", "refused"}
    warm, end = result.memory
    assert end - warm < MOST_GROWTH_MEGABYTES


# -- what they found, by name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["\x00", "acc\x00ount", "\ud800", "acc\udfffount"])
def test_a_related_row_of_a_table_that_no_database_can_name_is_left_out_and_its_place_noted(
    company: Company, table: str
) -> None:
    ours = company.sandbox.organization_id
    body = context("Associate", "none", NO_ID, OrganizationId=ours)
    body["InputParameters"] = [{"key": "Target", "value": reference(table, str(uuid.uuid4()))}]

    answer = company.app.test_client().post(PATH, json=body, headers={HEADER: KEY})
    company.work()

    assert answer.status_code == 202
    (notification,) = company.notifications()
    assert notification["state"] == "ignored"
    assert "/InputParameters/0/value" in notification["note"]
