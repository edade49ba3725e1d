"""P9, P10, P14 and the cases of reference §9: a person in Sales clicks *Business Central*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    BIDIRECTIONAL,
    COMPETITOR_ACCOUNT,
    COMPETITOR_CONTACT,
    CONTACT,
    CUSTOMER,
    DELETE_COUPLING,
    FROM,
    INACTIVE_ACCOUNT,
    NOBODY,
    POUND,
    POUND_ACCOUNT,
    PROSPECT,
    RESTORE,
    SALES_PERSON,
    TO,
    VENDOR,
    VENDOR_ACCOUNT,
    change_both,
    couple,
    couple_customer,
    is_skipped,
    try_again,
)

from receiver.commands.synchronizing.open_record import MayCreate, Offered, Opened, Refused
from receiver.core.values import to_plain
from receiver.errors import NotFoundError


def reasons(answer: Any) -> dict[str, str]:
    """Why not, by mapping."""
    assert isinstance(answer, Refused)
    return {one.mapping: one.reason for one in answer.outcomes}


# -- coupled: it opens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row_id", "mapping", "local_table"),
    [
        pytest.param("transactioncurrency", POUND, "CURRENCY", "currency", id="P9"),
        pytest.param("account", ACCOUNT, "CUSTOMER", "customer", id="P10"),
        pytest.param("account", VENDOR_ACCOUNT, "VENDOR", "vendor", id="P10-vendor"),
        pytest.param("contact", CONTACT, "CONTACT", "contact", id="P10-contact"),
        pytest.param("systemuser", SALES_PERSON, "SALESPEOPLE", "salesperson", id="P14"),
    ],
)
def test_p9_p10_p14_a_coupled_row_opens_the_record_that_it_is_coupled_to(
    company: Company, table: str, row_id: str, mapping: str, local_table: str
) -> None:
    named = {"code": "GBP"} if local_table == "currency" else {}
    key = company.insert_local(local_table, **named)
    couple(company, mapping, key, row_id)

    answer = company.open(table, row_id)

    assert isinstance(answer, Opened)
    assert (answer.mapping, answer.local_table, answer.key) == (mapping, local_table, key)


def test_p10_a_coupled_row_is_brought_up_to_date_before_it_opens(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"}, deliver=False)

    answer = company.open("account", ACCOUNT)

    assert answer == Opened("CUSTOMER", "customer", key)
    assert company.local("customer", key)["name"] == "Nordwind AG"


def customer_and_vendor(company: Company) -> dict[str, str]:
    """One account, coupled to a customer and to a vendor."""
    keys = {"customer": couple_customer(company), "vendor": company.insert_local("vendor", name="Nordwind")}
    couple(company, "VENDOR", keys["vendor"], ACCOUNT)
    return keys


@pytest.mark.parametrize(("kind", "table"), [(CUSTOMER, "customer"), (VENDOR, "vendor"), (PROSPECT, "customer")])
def test_s9_an_account_coupled_twice_opens_the_record_whose_filter_it_matches(
    company: Company, kind: int, table: str
) -> None:
    keys = customer_and_vendor(company)
    company.sandbox.update("account", ACCOUNT, {"customertypecode": kind})

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert (answer.local_table, answer.key) == (table, keys[table])


def test_s9_an_account_coupled_twice_opens_the_record_that_still_exists(company: Company) -> None:
    keys = customer_and_vendor(company)
    company.delete_local("customer", keys["customer"])

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert (answer.local_table, answer.key) == ("vendor", keys["vendor"])


def test_s9_a_skipped_coupling_does_not_hide_the_one_whose_filter_matches(company: Company) -> None:
    keys = customer_and_vendor(company)
    change_both(company, keys["customer"])
    try_again(company)
    assert is_skipped(company)
    company.sandbox.update("account", ACCOUNT, {"customertypecode": VENDOR})

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert (answer.local_table, answer.key) == ("vendor", keys["vendor"])


def test_s9_a_skipped_coupling_opens_and_a_banner_says_why_it_is_not_up_to_date(company: Company) -> None:
    key = couple_customer(company)
    change_both(company, key)
    try_again(company)
    assert is_skipped(company)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.key == key
    assert "same failure came twice" in answer.banner


def test_s9_a_failed_coupling_opens_and_a_banner_says_why(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"transactioncurrencyid": POUND})

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.key == key
    assert "GBP" in answer.banner


@pytest.mark.parametrize("changes", [{"statecode": 1, "statuscode": 2}, {"customertypecode": PROSPECT}])
def test_s9_a_coupled_row_outside_the_filter_opens_and_a_banner_says_so(
    company: Company, changes: dict[str, int]
) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, changes)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.key == key
    assert "outside the filter" in answer.banner


# -- not coupled: the gate --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "only_coupled", "reason"),
    [
        (BIDIRECTIONAL, True, "ONLY_COUPLED"),
        (FROM, True, "ONLY_COUPLED"),
        (TO, True, "DIRECTION"),
        (BIDIRECTIONAL, False, ""),
        (FROM, False, ""),
        (TO, False, "DIRECTION"),
    ],
    ids=lambda value: {True: "only-coupled", False: "all"}.get(value, value) if isinstance(value, bool) else None,
)
def test_s9_an_uncoupled_row_is_created_only_where_direction_and_switch_allow(
    company: Company, direction: str, only_coupled: bool, reason: str
) -> None:
    company.set("CUSTOMER", direction=direction, synch_only_coupled_records=only_coupled)

    answer = company.open("account", ACCOUNT)

    if reason:
        assert reasons(answer)["CUSTOMER"] == reason
        assert company.locals("customer") == []
        assert company.last_job("CUSTOMER") == {"skipped": 1}
    else:
        assert answer == Opened("CUSTOMER", "customer", company.coupled_record("CUSTOMER", ACCOUNT)["no"])
        assert company.last_job("CUSTOMER") == {"inserted": 1}


def test_s9_what_the_switch_refuses_tells_the_person_what_to_do(company: Company) -> None:
    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Refused)
    assert "Synch. Only Coupled Records" in next(one.remedy for one in answer.outcomes if one.mapping == "CUSTOMER")


def test_s9_nothing_is_created_before_the_person_says_yes(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    assert company.open("account", ACCOUNT, may_create=False) == MayCreate()
    assert company.locals("customer") == []


def test_s9_a_vendor_account_becomes_a_vendor(company: Company) -> None:
    company.open_for_all("CUSTOMER", "VENDOR")

    answer = company.open("account", VENDOR_ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.local_table == "vendor"
    assert company.locals("customer") == []


@pytest.mark.parametrize("row_id", [INACTIVE_ACCOUNT, COMPETITOR_ACCOUNT], ids=["inactive", "other-type"])
def test_s9_a_row_outside_every_filter_is_refused_and_each_mapping_says_so(company: Company, row_id: str) -> None:
    company.open_for_all("CUSTOMER", "VENDOR")

    answer = company.open("account", row_id)

    assert reasons(answer) == {"CUSTOMER": "OUTSIDE_FILTER", "VENDOR": "OUTSIDE_FILTER"}
    assert company.locals("customer") == company.locals("vendor") == []


def test_s9_a_prospect_is_refused_until_it_is_a_customer(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    row = company.sandbox.create("account", {"name": "Vielleicht GmbH", "customertypecode": PROSPECT})
    assert reasons(company.open("account", row))["CUSTOMER"] == "OUTSIDE_FILTER"

    company.sandbox.update("account", row, {"customertypecode": CUSTOMER})

    assert isinstance(company.open("account", row), Opened)


def test_s9_a_row_that_does_not_exist_is_refused_as_gone(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    answer = company.open("account", NOBODY)

    assert isinstance(answer, Refused)
    assert answer.is_gone


def test_s9_a_table_without_mapping_is_named(company: Company) -> None:
    with pytest.raises(NotFoundError, match="opportunity"):
        company.open("opportunity", ACCOUNT)


def test_s9_a_currency_that_is_not_in_the_local_table_is_named_and_nothing_is_left_behind(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    answer = company.open("account", POUND_ACCOUNT)

    assert reasons(answer)["CUSTOMER"] == "MUST_BE_COUPLED"
    assert any("GBP" in one.sentence for one in answer.outcomes)
    assert company.locals("customer") == []
    assert company.last_job("CUSTOMER") == {"failed": 1}


def test_s9_a_contact_brings_its_company_along(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")

    answer = company.open("contact", CONTACT)

    assert isinstance(answer, Opened)
    contact, customer = company.local("contact", answer.key), company.coupled_record("CUSTOMER", ACCOUNT)
    assert (contact["company_type"], contact["company_no"]) == ("customer", customer["no"])


def test_s9_a_contact_brings_no_company_along_that_only_coupled_keeps_out(company: Company) -> None:
    company.open_for_all("CONTACT")

    answer = company.open("contact", CONTACT)

    assert reasons(answer) == {"CONTACT": "MUST_BE_COUPLED"}
    assert company.locals("contact") == company.locals("customer") == []


def test_s9_a_contact_whose_company_no_filter_lets_in_waits_and_is_never_made_without_it(company: Company) -> None:
    company.open_for_all("CUSTOMER", "VENDOR", "CONTACT")

    assert reasons(company.open("contact", COMPETITOR_CONTACT)) == {"CONTACT": "WAITING_FOR_PARENT"}
    assert company.locals("contact") == []

    company.sandbox.update("account", COMPETITOR_ACCOUNT, {"customertypecode": CUSTOMER})
    company.work()
    customer = company.coupled_record("CUSTOMER", COMPETITOR_ACCOUNT)
    assert company.coupled_record("CONTACT", COMPETITOR_CONTACT)["company_no"] == customer["no"]


# -- not coupled, and a local record matches ----------------------------------------------------------------------


def offered(company: Company) -> str:
    """A customer that *Match on this Field* finds for the account; its number."""
    company.open_for_all("CUSTOMER")
    company.set_field("CUSTOMER", "name", match_on_this_field=True)
    return company.insert_local("customer", name="Nordwind Trading GmbH", city="Kiel")


def test_s9_an_equal_customer_is_offered_before_a_new_one_is_made(company: Company) -> None:
    key = offered(company)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Offered)
    assert [one.key for one in answer.offers] == [key]
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_s9_an_offer_that_is_taken_is_coupled_and_gets_the_data_of_dataverse(company: Company) -> None:
    key = offered(company)

    answer = company.open("account", ACCOUNT, chosen=company.offered("account", ACCOUNT, key))

    assert answer == Opened("CUSTOMER", "customer", key)
    assert company.local("customer", key)["city"] == "Hamburg"


def test_s9_an_offer_that_is_turned_down_makes_a_new_customer(company: Company) -> None:
    key = offered(company)

    answer = company.open("account", ACCOUNT, creates_new=True)

    assert isinstance(answer, Opened)
    assert answer.key != key


def test_s9_a_choice_that_comes_too_late_overwrites_nothing(company: Company) -> None:
    other = offered(company)
    chosen = company.offered("account", ACCOUNT, other)
    made = company.open("account", ACCOUNT, creates_new=True)
    assert isinstance(made, Opened)
    company.change_local("customer", key := made.key, fax_no="1111")

    answer = company.open("account", ACCOUNT, chosen=chosen)

    told = f"The row was coupled to Customer {key} by somebody else."
    assert answer == Opened("CUSTOMER", "customer", key, told)
    assert company.local("customer", key)["fax_no"] == "1111"


def test_s9_an_offer_says_what_the_record_takes_over(company: Company) -> None:
    key = offered(company)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Offered)
    (offer,) = answer.offers
    assert offer.fields["city"] == ["Kiel", "Hamburg"]
    company.open("account", ACCOUNT, chosen=company.offered("account", ACCOUNT, key))
    written = company.local("customer", key) or {}
    assert {name: to_plain(written[name]) for name in offer.fields} == {
        name: new for name, (_, new) in offer.fields.items()
    }


def changed_here(company: Company, key: str) -> None:
    company.change_local("customer", key, city="Lübeck")


def changed_in_sales(company: Company, _key: str) -> None:
    company.sandbox.update("account", ACCOUNT, {"address1_city": "Bremen"})


@pytest.mark.parametrize("change", [changed_here, changed_in_sales])
def test_s9_an_offer_that_says_something_else_by_now_is_made_anew(
    company: Company, change: Callable[[Company, str], None]
) -> None:
    key = offered(company)
    chosen = company.offered("account", ACCOUNT, key)
    change(company, key)
    before = company.local("customer", key)

    answer = company.open("account", ACCOUNT, chosen=chosen)

    assert isinstance(answer, Offered)
    assert answer.notice == "The two say something else than when they were shown. This is what they say now."
    assert company.local("customer", key) == before
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    again = company.open("account", ACCOUNT, chosen=company.offered("account", ACCOUNT, key))
    assert again == Opened("CUSTOMER", "customer", key)


def deleted(company: Company, key: str) -> str:
    company.delete_local("customer", key)
    return f"Customer {key} was deleted meanwhile."


def coupled_elsewhere(company: Company, key: str) -> str:
    row = company.sandbox.create("account", {"name": "Another", "customertypecode": 3})
    couple(company, "CUSTOMER", key, str(row))
    return f"Customer {key} was coupled to account {row} by somebody else."


@pytest.mark.parametrize("lose", [deleted, coupled_elsewhere])
def test_s9_nothing_is_made_in_the_place_of_a_choice_that_is_gone(
    company: Company, lose: Callable[[Company, str], str]
) -> None:
    key = offered(company)
    chosen = company.offered("account", ACCOUNT, key)
    told = lose(company, key)
    before = company.locals("customer")

    answer = company.open("account", ACCOUNT, chosen=chosen)

    assert answer == Offered((), told)
    assert company.locals("customer") == before
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_s9_no_row_outside_the_filter_is_coupled_by_an_offer(company: Company) -> None:
    key = offered(company)
    chosen = company.offered("account", ACCOUNT, key)
    company.sandbox.update("account", ACCOUNT, {"customertypecode": 1})

    answer = company.open("account", ACCOUNT, chosen=chosen)

    assert reasons(answer)["CUSTOMER"] == "OUTSIDE_FILTER"
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert (company.local("customer", key) or {})["city"] == "Kiel"


def test_s9_while_dataverse_is_away_nothing_is_coupled_and_the_choice_stands(company: Company) -> None:
    key = offered(company)
    chosen = company.offered("account", ACCOUNT, key)
    company.sandbox.faults.unavailable = -1

    answer = company.open("account", ACCOUNT, chosen=chosen)

    assert isinstance(answer, Refused)
    assert answer.trouble.startswith("Nothing was coupled. Dataverse")
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    company.sandbox.faults.unavailable = 0
    company.pass_time(600)
    assert company.open("account", ACCOUNT, chosen=chosen) == Opened("CUSTOMER", "customer", key)
    assert (company.local("customer", key) or {})["city"] == "Hamburg"


def test_s9_an_offer_whose_lookup_leads_nowhere_says_so_and_couples_nothing(company: Company) -> None:
    key = offered(company)
    company.sandbox.update("account", ACCOUNT, {"transactioncurrencyid": POUND})

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Offered)
    assert answer.offers[0].trouble == "a related record must be there, and coupled, first"
    refused = company.open("account", ACCOUNT, chosen=company.offered("account", ACCOUNT, key))
    assert reasons(refused)["CUSTOMER"] == "MUST_BE_COUPLED"
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_s9_an_offer_takes_the_place_of_a_coupling_whose_customer_was_deleted(company: Company) -> None:
    key = couple_customer(company)
    company.delete_local("customer", key)
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    twin = offered(company)

    answer = company.open("account", ACCOUNT, chosen=company.offered("account", ACCOUNT, twin))

    assert answer == Opened("CUSTOMER", "customer", twin)
    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.local_id == twin


# -- coupled, and one of the two was deleted --------------------------------------------------------------------


def test_s9_a_deleted_customer_without_a_strategy_is_refused_and_the_reason_is_told(company: Company) -> None:
    company.delete_local("customer", couple_customer(company))

    answer = company.open("account", ACCOUNT)

    assert reasons(answer)["CUSTOMER"] == "COUPLED_RECORD_IS_DELETED"
    assert company.coupling("CUSTOMER", ACCOUNT) is not None


def test_s9_a_deleted_customer_is_restored_by_the_click(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    company.delete_local("customer", key)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.key != key
    assert company.local("customer", answer.key)["name"] == "Nordwind Trading GmbH"


def test_s9_a_deleted_customer_is_uncoupled_by_the_first_click_and_made_anew_by_the_second(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=DELETE_COUPLING, synch_only_coupled_records=False)
    company.delete_local("customer", key)

    assert reasons(company.open("account", ACCOUNT))["CUSTOMER"] == "DELETED_THERE"
    assert company.coupling("CUSTOMER", ACCOUNT) is None

    answer = company.open("account", ACCOUNT)
    assert isinstance(answer, Opened)
    assert answer.key != key


def test_s9_a_coupled_row_that_was_deleted_still_opens_its_customer_and_a_banner_says_so(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.delete("account", ACCOUNT, deliver=False)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.key == key
    assert "deleted" in answer.banner


def test_s9_a_coupled_row_that_was_deleted_is_restored_by_the_click(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    company.sandbox.delete("account", ACCOUNT, deliver=False)

    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Opened)
    assert answer.key == key


def test_s9_a_coupled_row_that_was_deleted_is_uncoupled_by_the_click_and_its_customer_stays(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=DELETE_COUPLING)
    company.sandbox.delete("account", ACCOUNT, deliver=False)

    answer = company.open("account", ACCOUNT)

    assert reasons(answer)["CUSTOMER"] == "DELETED_THERE"
    assert company.local("customer", key) is not None
    assert company.coupling("CUSTOMER", ACCOUNT) is None
