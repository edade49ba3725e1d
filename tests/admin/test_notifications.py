"""The notification pages: what came, what became of it, and trying again."""

from __future__ import annotations

import pytest
from admin.visitor import ACCOUNT, NOON, keep_notification
from sqlalchemy import insert, select

from receiver.admin.body import LONGEST_SHOWN, readable_body
from receiver.store.models import change, inbox, lane

OUTCOME = {
    "mapping": "CUSTOMER",
    "toward": "FromIntegrationTable",
    "decision": "Modify",
    "reason": "",
    "sentence": "Customer C00010 was updated.",
    "remedy": "",
    "record": "C00010",
    "fields": {"name": ["Old", "New"], "credit_limit_lcy": [None, {"$decimal": "12.50"}]},
}
SKIPPED = {
    **OUTCOME,
    "mapping": "VENDOR",
    "decision": "Skip",
    "reason": "OUTSIDE_FILTER",
    "sentence": "It is outside the filter.",
    "remedy": "Change the filter.",
    "record": "",
    "fields": {},
}


def test_the_list_says_what_became_of_each_in_words(admin, services):
    keep_notification(services, outcome=[OUTCOME, SKIPPED])
    page = admin.get("/admin/notifications").text
    assert "Customer C00010 was updated." in page
    assert "It is outside the filter." in page
    assert f'title="{ACCOUNT}">a0000000…' in page


def test_one_that_waits_says_when_it_is_tried_again_and_why(admin, services):
    keep_notification(services, state="waiting")
    values = {"key": f"account:{ACCOUNT}", "table_name": "account", "row_id": ACCOUNT, "ready_at": NOON}
    with services.database.writing() as connection:
        connection.execute(insert(lane).values(**values, attempts=2, last_error="Dataverse cannot be reached."))
    page = admin.get("/admin/notifications?state=waiting").text
    assert "Tried again at 12:00:00 UTC (attempt 3): Dataverse cannot be reached." in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {1, 2, 3}),
        ("?state=failed", {2}),
        ("?table=contact", {3}),
        ("?state=failed&table=contact", set()),
        ("?before=2", {1}),
        ("?state=nonsense", {1, 2, 3}),
        ("?before=99999999999999999999", {1, 2, 3}),
    ],
)
def test_the_list_is_narrowed_by_state_table_and_number(admin, services, query, expected):
    keep_notification(services)
    keep_notification(services, state="failed", note="It did not work.")
    keep_notification(services, table_name="contact")
    page = admin.get(f"/admin/notifications{query}").text
    assert {number for number in (1, 2, 3) if f'href="/admin/notifications/{number}"' in page} == expected


def test_a_number_that_no_notification_can_have_is_not_found(admin):
    assert admin.get("/admin/notifications/99999999999999999999").status_code == 404


def test_older_ones_are_on_the_next_page(admin, services):
    for _ in range(51):
        keep_notification(services)
    page = admin.get("/admin/notifications").text
    assert 'href="/admin/notifications/2"' in page
    assert 'href="/admin/notifications/1"' not in page
    assert "before=2" in page


def test_failed_ones_are_counted_in_the_menu(admin, services):
    keep_notification(services, state="failed")
    assert 'id="failed-count">1<' in admin.get("/admin/mappings").text


def test_its_page_shows_each_mappings_decision_reason_remedy_and_what_was_written(admin, services):
    number = keep_notification(services, outcome=[OUTCOME, SKIPPED])
    page = admin.get(f"/admin/notifications/{number}").text
    for said in (
        "Modify",
        "OUTSIDE_FILTER",
        "Change the filter.",
        "Old",
        "New",
        "12.50",
        "(empty)",
        "Credit Limit (LCY)",
        "x-ms-request-id",
    ):
        assert said in page
    assert 'href="/records/CUSTOMER/C00010"' in page


@pytest.mark.parametrize(
    "body",
    [b"<script>alert(1)</script>", b'{"a": "</pre><img src=x onerror=alert(1)>"}', b'\xff\xfe"><b>'],
)
def test_a_hostile_body_is_shown_as_text(admin, services, body):
    number = keep_notification(services, body=body, table_name="<i>t", note="<b>n</b>", message="<u>m")
    for path in (f"/admin/notifications/{number}", "/admin/notifications"):
        page = admin.get(path).text
        for tag in ("<script>alert", "<img src=x", "<i>t", "<b>n", "<u>m"):
            assert tag not in page


def test_an_outcome_of_a_mapping_that_is_gone_is_still_shown(admin, services):
    number = keep_notification(
        services, outcome=[{**OUTCOME, "mapping": "GONE", "fields": {"x": [1, {"odd": 1, "er": 2}]}}]
    )
    page = admin.get(f"/admin/notifications/{number}").text
    assert "GONE" in page
    assert "/records/GONE" not in page


def test_process_again_puts_it_back_to_waiting_wakes_its_lane_and_is_recorded(admin, services):
    number = keep_notification(services, state="failed")
    assert "processed again" in admin.change(f"/admin/notifications/{number}/process-again")
    with services.database.reading() as connection:
        assert connection.execute(select(inbox.c.state)).scalar_one() == "waiting"
        assert connection.execute(select(lane.c.key)).scalar_one() == f"account:{ACCOUNT}"
        row = connection.execute(select(change).order_by(change.c.id.desc())).first()
    assert (row.who, row.what, row.before, row.after) == (
        "Administrator",
        f"notification {number}: state",
        "failed",
        "waiting",
    )


def test_one_without_a_row_offers_no_process_again_and_refuses_it(admin, services):
    number = keep_notification(services, state="unreadable", lane=None, row_id="")
    assert "Process Again" not in admin.get(f"/admin/notifications/{number}").text
    assert "no row to process" in admin.change(f"/admin/notifications/{number}/process-again")


def test_all_failed_ones_are_processed_again_at_once(admin, services):
    for _ in range(3):
        keep_notification(services, state="failed")
    assert "Process all failed again" in admin.get("/admin/notifications?state=failed").text
    assert "3 notifications are processed again, by task 1" in admin.change("/admin/notifications/process-failed")
    assert "being done already" in admin.change("/admin/notifications/process-failed")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            b'{"a":[1,{"b":"x, [y]: \\"z\\""}],"c":{},"d":[]}',
            '{\n  "a": [\n    1,\n    {\n      "b": "x, [y]: \\"z\\""\n    }\n  ],\n  "c": {},\n  "d": []\n}',
        ),
        (
            b"[1.10, 12345678901234567890.123456789, -1e400]",
            "[\n  1.10,\n  12345678901234567890.123456789,\n  -1e400\n]",
        ),
        (b"null", "null"),
        (b"not json {", "not json {"),
        (b"", ""),
        (b"[" * 5000, "[" * 5000),
    ],
    ids=["indented", "every digit is kept", "scalar", "not JSON", "empty", "too deep to read"],
)
def test_a_body_is_indented_without_touching_a_value(raw, text):
    assert readable_body(raw).text == text


@pytest.mark.parametrize(
    "raw", [b"x" * 300_000, b"[" + b"0," * 200_000 + b"0]", b"[" * 900 + b"0," * 50_000 + b"0" + b"]" * 900]
)
def test_a_long_body_is_cut(raw):
    body = readable_body(raw)
    assert body.is_cut
    assert len(body.text) <= LONGEST_SHOWN
