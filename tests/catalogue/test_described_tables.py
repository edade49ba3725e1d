"""What is stored of each Dataverse table is what the environment says today, and counts everywhere without a restart."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, couple_customer

from receiver import create_app
from receiver.commands.connection.test_connection import test_connection as look_at_dataverse
from receiver.commands.mappings.mapping_fit import misfits
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.core.description import Description
from receiver.core.values import Column
from receiver.services import Services
from receiver.store.models import dataverse_table


def described(services: Services, mapping: str = "CUSTOMER") -> Description:
    with services.database.reading() as connection:
        return services.mappings(connection)[mapping].described


def account_column(company: Company, name: str) -> Column:
    return described(company.services).columns[name]


@pytest.mark.parametrize(
    ("column", "change", "fact", "today"),
    [
        ("address1_city", {"length": 33}, "max_length", 33),
        ("description", {"length": 50}, "max_length", 50),
        ("creditlimit", {"precision": 3}, "precision", 3),
        ("creditlimit", {"precision_source": 1}, "precision_source", 1),
        ("paymenttermscode", {"options": ((1, "At once"), (7, "In a year"))}, "labels", {1: "At once", 7: "In a year"}),
        ("statecode", {"options": ((0, "Offen"), (1, "Zu"))}, "labels", {0: "Offen", 1: "Zu"}),
    ],
)
def test_a_column_is_described_as_the_environment_has_it_today(
    small_company: Company, column: str, change: dict[str, Any], fact: str, today: object
) -> None:
    assert getattr(account_column(small_company, column), fact) != today
    small_company.sandbox.change_column("account", column, **change)

    look_at_dataverse(small_company.services)

    assert getattr(account_column(small_company, column), fact) == today


def test_what_one_process_learns_another_works_with_without_a_restart(small_company: Company) -> None:
    other: Services = create_app(small_company.environment, small_company.now).extensions["receiver"]
    assert described(other).columns["address1_city"].max_length == 80
    small_company.sandbox.change_column("account", "address1_city", length=33)

    look_at_dataverse(small_company.services)

    assert described(other).columns["address1_city"].max_length == 33
    other.close()


def test_before_the_first_connection_a_table_is_what_a_plain_environment_has(small_company: Company) -> None:
    with small_company.services.database.writing() as connection:
        connection.execute(dataverse_table.delete())

    assert described(small_company.services).lacking == {"bcbi_companyid"}
    assert account_column(small_company, "name").max_length == 160


def test_a_label_of_the_environment_is_the_code_here(small_company: Company) -> None:
    small_company.set_field("CUSTOMER", "payment_terms_code", is_enabled=True)
    key = couple_customer(small_company)
    small_company.sandbox.change_column("account", "paymenttermscode", options=((1, "Sofort"), (2, "30 Tage")))
    look_at_dataverse(small_company.services)

    small_company.sandbox.update("account", ACCOUNT, {"paymenttermscode": 2})
    small_company.work()

    customer = small_company.local("customer", key)
    assert customer is not None
    assert customer["payment_terms_code"] == "30 TAGE"


def test_a_column_that_became_read_only_is_not_sent_and_is_told(small_company: Company) -> None:
    key = couple_customer(small_company)
    small_company.sandbox.change_column("account", "fax", access="r")
    look_at_dataverse(small_company.services)

    small_company.change_local("customer", key, fax_no="12", city="Bremen")
    synchronize_now(small_company.services, "CUSTOMER", [key], Choice.SEND, "Ada")

    row = small_company.sandbox.row("account", ACCOUNT)
    assert (row["fax"], row["address1_city"]) == (None, "Bremen")
    said = "account.fax may not be filled in by the application user when it creates or changes a row: field mapping 20"
    assert any(one.startswith(said) for one in misfits(small_company.services)["CUSTOMER"])
