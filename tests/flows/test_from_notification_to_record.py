"""The main path: a change in Sales reaches the local record."""

from company import Company

ACCOUNT = "a0000000-0000-4000-8000-000000000001"


def test_a_changed_account_updates_the_customer_that_it_is_coupled_to(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.couple_by_click("account", ACCOUNT)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"
    assert company.last_job("CUSTOMER") == {"modified": 1}


def test_a_whole_image_costs_no_read(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.couple_by_click("account", ACCOUNT)
    before = len(company.sandbox.requests)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"
    assert len(company.sandbox.requests) == before


def test_an_uncoupled_row_is_passed_over_and_brought_in_when_the_switch_goes_off(company: Company) -> None:
    from receiver.commands.mappings import change_mapping as mappings

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()
    assert company.last_outcome("CUSTOMER")["reason"] == "ONLY_COUPLED"
    assert mappings.figures(company.services)["CUSTOMER"]["passed_over"] == 1

    company.open_for_all("CUSTOMER")
    assert mappings.bring_in(company.services, "CUSTOMER") == 1
    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"
    assert mappings.figures(company.services)["CUSTOMER"]["passed_over"] == 0
