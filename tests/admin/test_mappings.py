"""The mapping pages: each switch, what is refused, what is recorded, bringing in what was passed over."""

from __future__ import annotations

import re

import pytest
from admin.visitor import pass_over
from sqlalchemy import select

from receiver.commands.mappings.change_mapping import named, set_field
from receiver.store.models import change, lane

CHANGES = [
    ("synch_only_coupled_records", "off", "on → off"),
    ("is_enabled", "off", "on → off"),
    ("direction", "FromIntegrationTable", "Bidirectional → FromIntegrationTable"),
    ("resolve_deletion_conflicts", "Restore records", " → Restore records"),
    ("resolve_update_conflicts", "Get data update from integration table", " → Get data update from integration table"),
]


def recorded(services):
    with services.database.reading() as connection:
        rows = connection.execute(select(change).where(change.c.who == "Administrator").order_by(change.c.id)).all()
    return [(row.what, f"{row.before} → {row.after}") for row in rows]


def test_the_list_names_every_mapping_and_labels_every_control(admin):
    page = admin.get("/admin/mappings").text
    for name in ("SALESPEOPLE", "CURRENCY", "CUSTOMER", "VENDOR", "CONTACT"):
        for id_ in ("only-coupled", "enabled", "direction", "deletion", "update"):
            control = re.search(rf'<(?:input|select)[^>]*id="{id_}-{name}"[^>]*>', page)[0]
            assert re.search(rf'aria-label="[^"]+, {name}"', control)


@pytest.mark.parametrize(("field", "value", "kept"), CHANGES)
@pytest.mark.parametrize("htmx", [True, False], ids=["htmx", "no script"])
def test_a_change_is_made_shown_and_recorded_with_who_from_and_to(admin, services, field, value, kept, htmx):
    if htmx:
        response = admin.post("/admin/mappings/CUSTOMER", htmx=True, **{field: value})
        page = response.text
        assert page.lstrip().startswith("<tr")
        assert "<html" not in page
    else:
        page = admin.change("/admin/mappings/CUSTOMER", **{field: value})
    assert 'role="status"' in page
    assert "is now" in page
    shown = getattr(named(services, "CUSTOMER"), field)
    assert ({True: "on", False: "off"}[shown] if isinstance(shown, bool) else shown.value) == value
    assert recorded(services) == [(f"CUSTOMER: {field}", kept)]
    history = admin.get("/admin/mappings/CUSTOMER").text
    assert "Administrator" in history


def test_a_switch_sends_the_wanted_value_so_that_twice_is_as_once(admin, services):
    for _ in range(2):
        admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")
    assert not named(services, "CUSTOMER").synch_only_coupled_records
    assert len(recorded(services)) == 1


def test_a_checked_switch_sends_on_after_the_hidden_off(admin, services):
    admin.post("/admin/mappings/CUSTOMER", is_enabled="off")
    data = {"csrf_token": admin.token, "is_enabled": ["off", "on"]}
    assert admin.client.post("/admin/mappings/CUSTOMER", data=data).status_code == 303
    assert named(services, "CUSTOMER").is_enabled


def test_what_makes_the_mapping_invalid_is_refused_with_the_reason_and_the_old_value_stays(admin, services):
    response = admin.post("/admin/mappings/SALESPEOPLE", htmx=True, direction="ToIntegrationTable")
    assert response.status_code == 422
    assert "needs at least one enabled field mapping" in response.text
    assert '<option value="FromIntegrationTable" selected>' in response.text
    assert recorded(services) == []


def test_a_refusal_is_said_without_script_too(admin):
    page = admin.change("/admin/mappings/SALESPEOPLE", direction="ToIntegrationTable")
    assert 'role="alert"' in page
    assert "SALESPEOPLE stays as it was" in page


@pytest.mark.parametrize(
    "fields", [{}, {"name": "X"}, {"is_enabled": "maybe"}, {"direction": "Sideways"}, {"local_filter_text": ""}]
)
def test_what_no_control_of_the_page_sends_is_answered_400(admin, services, fields):
    assert admin.post("/admin/mappings/CUSTOMER", **fields).status_code == 400
    assert recorded(services) == []


@pytest.mark.parametrize("htmx", [True, False], ids=["htmx", "no script"])
def test_switching_only_coupled_off_says_how_many_were_passed_over_and_offers_to_bring_them_in(admin, services, htmx):
    pass_over(services, "c1", "c2", "c3")
    if htmx:
        page = admin.post("/admin/mappings/CUSTOMER", htmx=True, synch_only_coupled_records="off").text
    else:
        page = admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")
    assert "3 rows were passed over" in page
    assert 'id="bring-in-CUSTOMER"' in page


def test_to_bring_them_in_stays_offered_as_long_as_there_are_any(admin, services):
    pass_over(services, "c1", "c2", "c3")
    button = "Bring in what CUSTOMER passed over"
    assert button not in admin.get("/admin/mappings").text

    admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")

    for _ in range(2):
        assert button in admin.get("/admin/mappings").text


def test_nothing_is_offered_where_nothing_was_passed_over(admin):
    page = admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")
    assert "bring-in-CUSTOMER" not in page


def test_bringing_in_makes_each_rows_lane_ready_and_is_recorded(admin, services):
    pass_over(services, "c1", "c2")
    admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")
    page = admin.change("/admin/mappings/CUSTOMER/bring-in")
    assert "2 rows of account are looked at again" in page
    with services.database.reading() as connection:
        ready = connection.execute(select(lane.c.key).where(lane.c.ready_at.is_not(None)).order_by(lane.c.key))
        assert list(ready.scalars()) == ["account:c1", "account:c2"]
    assert recorded(services)[-1] == ("CUSTOMER: passed over", "2 → brought in")


def test_nothing_is_brought_in_while_only_coupled_is_on(admin, services):
    pass_over(services, "c1")
    assert "first" in admin.change("/admin/mappings/CUSTOMER/bring-in")
    with services.database.reading() as connection:
        assert connection.execute(select(lane.c.key)).first() is None


def test_the_page_of_a_mapping_says_its_filters_in_words_and_as_they_are_stored(admin):
    page = admin.get("/admin/mappings/CUSTOMER").text
    assert "Relationship Type is Customer" in page
    assert "customertypecode = 3" in page
    assert "SALESPEOPLE" in page


def test_a_field_mapping_is_switched_and_recorded(admin, services):
    response = admin.post("/admin/mappings/CUSTOMER/fields/10", htmx=True, match_on_this_field="on")
    assert 'id="field-10"' in response.text
    assert "Name: Match on this Field is now on." in response.text
    assert recorded(services) == [("CUSTOMER: field mapping 10 match_on_this_field", "off → on")]
    assert "Field mapping 10, Match on this Field" in admin.get("/admin/mappings/CUSTOMER").text


@pytest.mark.parametrize(
    ("number", "field", "value", "is_noted"),
    [(29, "is_enabled", "on", True), (10, "is_enabled", "off", False), (10, "match_on_this_field", "on", False)],
    ids=["a column is read that was not", "the vendor reads it still", "the same columns"],
)
def test_a_change_of_the_columns_read_notes_that_the_steps_are_outdated(admin, number, field, value, is_noted):
    page = admin.change(f"/admin/mappings/CUSTOMER/fields/{number}", **{field: value})
    assert ("images of the registered steps are outdated" in page) is is_noted


def test_a_field_mapping_that_may_not_be_enabled_stays_as_it_was(admin, services):
    set_field(services, "CUSTOMER", 29, "somebody", local_column="post_code")  # shorter than telephone2
    response = admin.post("/admin/mappings/CUSTOMER/fields/29", htmx=True, is_enabled="on")
    assert response.status_code == 422
    assert recorded(services) == []


def test_the_default_setup_is_used_after_a_confirmation(admin, services):
    admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")
    assert "Cancel" in admin.get("/admin/mappings/CUSTOMER/reset").text
    assert "default synchronization setup" in admin.change("/admin/mappings/CUSTOMER/reset")
    assert named(services, "CUSTOMER").synch_only_coupled_records


SECOND = [
    ("/admin/mappings/CUSTOMER", "direction", "FromIntegrationTable", "Bidirectional", "ToIntegrationTable"),
    ("/admin/mappings/CUSTOMER", "is_enabled", "off", "on", "off"),
    ("/admin/mappings/CUSTOMER/fields/20", "is_enabled", "off", "on", "off"),
]


@pytest.mark.parametrize(("path", "name", "first", "seen", "second"), SECOND)
def test_of_two_who_change_one_value_the_second_is_told_and_loses_nothing(
    admin, services, path, name, first, seen, second
):
    admin.get("/admin/mappings")
    assert admin.post(path, htmx=True, **{name: first, "seen": seen}).status_code == 200
    before = named(services, "CUSTOMER")

    answer = admin.post(path, htmx=True, **{name: second, "seen": seen})

    if second == first:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 409
        assert f"CUSTOMER was changed since you looked: {name} “{seen}” → “{first}” (Administrator" in answer.text
        assert f"What you chose, Direction {second}, is not set." in answer.text
    assert named(services, "CUSTOMER") == before


def test_each_control_tells_what_it_showed(admin):
    page = admin.get("/admin/mappings").text
    forms = re.findall(r"<form class=\"control\".*?</form>", page, re.DOTALL)
    assert forms
    assert all('name="seen"' in form for form in forms)
