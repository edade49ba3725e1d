"""Two records of which each needs the other coupled first: both come to rest, and follow once that is mended."""

from __future__ import annotations

import pytest
from company import Company

from receiver.commands.coupling.set_up_coupling import couple
from receiver.server.worker import run_ready


def in_a_circle(company: Company) -> tuple[str, str]:
    """An account and a contact, each the other's, none of them coupled, and no lookup may be cleared."""
    company.open_for_all("CUSTOMER", "CONTACT")
    company.set_field("CUSTOMER", "primary_contact_no", clear_value_on_failed_sync=False)
    account = str(company.sandbox.create("account", {"name": "Ring GmbH", "customertypecode": 3}))
    contact = str(company.sandbox.create("contact", {"lastname": "Ring", "parentcustomerid": ("account", account)}))
    company.sandbox.update("account", account, {"primarycontactid": ("contact", contact)})
    return account, contact


def test_two_lookups_that_need_each_other_come_to_rest_with_few_calls(company: Company) -> None:
    before = len(company.sandbox.requests)
    in_a_circle(company)

    for _ in range(20):
        company.work()
        company.pass_time(60)

    asked = [one for one in company.sandbox.requests[before:] if "/accounts" in str(one) or "/contacts" in str(one)]
    assert len(asked) <= 3
    assert not run_ready(company.services)
    assert {row["state"] for row in company.notifications()} == {"failed"}
    said = " ".join(outcome["sentence"] for row in company.notifications() for outcome in row["outcome"])
    assert "The two need each other" in said


@pytest.mark.parametrize("mended", ["Clear Value on Failed Sync", "coupled by hand"])
def test_they_follow_once_one_of_them_can_go_first(company: Company, mended: str) -> None:
    account, contact = in_a_circle(company)
    company.work()

    if mended == "coupled by hand":
        couple(company.services, "CUSTOMER", company.insert_local("customer", name="Ring GmbH"), account, "the test")
    else:
        company.set_field("CUSTOMER", "primary_contact_no", clear_value_on_failed_sync=True)
        company.sandbox.update("account", account, {"fax": "1"})
    company.work()

    assert company.coupled_record("CONTACT", contact)["company_no"] == company.coupled_record("CUSTOMER", account)["no"]
