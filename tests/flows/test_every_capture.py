"""Real input: every captured body is posted to the running receiver and ends as the table says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from company import KEY, Company
from flows.captures import IS_THERE, WHY_NOT, body, names, parsed

from receiver.core.mapping import DeletionConflict
from receiver.sandbox import Sandbox, SandboxSettings

pytestmark = [pytest.mark.payloads, pytest.mark.skipif(not IS_THERE, reason=WHY_NOT)]

FIRST_READ, SECOND_READ = 1.0, 4.0
CONTACT_01 = "6d81597f-0f9f-e711-8122-000d3aa2331c"
ACCOUNT_02 = "ec4e2f7d-9d60-e811-a95a-000d3af24950"
LEAD_08 = "e837c9ec-8151-e811-a950-000d3a391928"
ACCOUNT_19 = "acf5b83d-06a1-4ef3-b78f-c2eca283e6ad"
CONTACT_20 = "223f05ea-7593-f011-b4cc-000d3aa25840"
ACCOUNT_A, ACCOUNT_B = "10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"
PARENT = "a0000000-0000-4000-8000-000000000001"  # of the sandbox's own company
CUSTOMER, VENDOR = 3, 11

Rows = dict[tuple[str, str], dict[str, Any]]
Decisions = dict[str, tuple[str, str]]
ONLY_COUPLED: Decisions = {"CUSTOMER": ("Skip", "ONLY_COUPLED"), "VENDOR": ("Skip", "OUTSIDE_FILTER")}
INSERTED: Decisions = {"CUSTOMER": ("Insert", ""), "VENDOR": ("Skip", "OUTSIDE_FILTER")}
UPDATED: Decisions = {"CUSTOMER": ("Modify", ""), "VENDOR": ("Skip", "OUTSIDE_FILTER")}
UNMOVED: Decisions = {"CUSTOMER": ("IgnoreUnchanged", "NOTHING_MOVED"), "VENDOR": ("Skip", "OUTSIDE_FILTER")}
GONE: Decisions = {"CUSTOMER": ("Skip", "NOT_COUPLED_AND_GONE"), "VENDOR": ("Skip", "NOT_COUPLED_AND_GONE")}


def account(name: str, phone: str, kind: int = CUSTOMER, **more: Any) -> dict[str, Any]:
    return {"name": name, "telephone1": phone, "customertypecode": kind, **more}


def contact(first: str, last: str) -> dict[str, Any]:
    return {"firstname": first, "lastname": last, "parentcustomerid": ("account", PARENT)}


@dataclass(frozen=True)
class Case:
    """A capture, the rows that Dataverse has, and how it ends."""

    file: str
    state: str
    decisions: Decisions = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)
    #: mappings whose Synch. Only Coupled Records is off
    open_for: tuple[str, ...] = ()
    #: coupled by a click before; then the row changes to what `rows` says
    coupled_before: tuple[str, str] | None = None
    #: the local records coupled at the end: (mapping, row) to some of its values
    local: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    note: str = ""
    #: all mapping decisions of the row's own lane end there; a message without one wakes other lanes
    wakes: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


STRIPPED = {"x-ms-dynamics-msg-size-exceeded": "true"}
THE_CONTACT: Rows = {("contact", CONTACT_01): contact("James", "Glynn")}
THE_ACCOUNT: Rows = {("account", ACCOUNT_02): account("Fourth Coffee", "1111")}
A: Rows = {("account", ACCOUNT_A): account("Contoso", "555")}
A_AND_B: Rows = {**A, ("account", ACCOUNT_B): account("B", "556", VENDOR)}
NO_MAPPING = "No Integration Table Mapping reads the table"

CASES = [
    # Update of a contact, asynchronous, 2017
    Case("01-Update-contact.json", "ignored", {"CONTACT": ("Skip", "ONLY_COUPLED")}, THE_CONTACT),
    Case("01-Update-contact.json", "ignored", {"CONTACT": ("Skip", "NOT_COUPLED_AND_GONE")}),
    Case("01-Update-contact.json", "ignored", {"CONTACT": ("Skip", "OUTSIDE_FILTER")}, {("contact", CONTACT_01): {"firstname": "James", "lastname": "Glynn"}}, open_for=("CONTACT",)),
    Case("01-Update-contact.json", "failed", {"CONTACT": ("Fail", "MUST_BE_COUPLED")}, THE_CONTACT, open_for=("CONTACT",)),
    Case("01-Update-contact.json", "done", {"CONTACT": ("Insert", "")}, THE_CONTACT, open_for=("CONTACT", "CUSTOMER"), local={("CONTACT", CONTACT_01): {"first_name": "James", "surname": "Glynn", "company_type": "customer", "type": "Person"}, ("CUSTOMER", PARENT): {"name": "Nordwind Trading GmbH"}}),
    Case("01-Update-contact.json", "done", {"CONTACT": ("Modify", "")}, THE_CONTACT, open_for=("CONTACT", "CUSTOMER"), coupled_before=("contact", CONTACT_01), local={("CONTACT", CONTACT_01): {"first_name": "James", "surname": "Glynn"}, ("CUSTOMER", PARENT): {"name": "Nordwind Trading GmbH"}}),
    # Update of an account, synchronous, 2018
    Case("02-Update-account.json", "ignored", ONLY_COUPLED, THE_ACCOUNT),
    Case("02-Update-account.json", "ignored", GONE),
    Case("02-Update-account.json", "done", UNMOVED, THE_ACCOUNT, open_for=("CUSTOMER",), local={("CUSTOMER", ACCOUNT_02): {"name": "Fourth Coffee", "phone_no": "1111"}}),
    Case("02-Update-account.json", "done", UNMOVED, THE_ACCOUNT, open_for=("CUSTOMER",), coupled_before=("account", ACCOUNT_02), local={("CUSTOMER", ACCOUNT_02): {"name": "Fourth Coffee", "phone_no": "1111"}}),
    # tables that no mapping reads
    Case("03-Create-albxrm_alltypes.json", "ignored", note=f"{NO_MAPPING} albxrm_alltypes."),
    Case("04-Create-shko_allfields.json", "ignored", note=f"{NO_MAPPING} shko_allfields."),
    Case("05-Create-sharepointdocumentlocation.json", "ignored", note=f"{NO_MAPPING} sharepointdocumentlocation."),
    Case("08-Create-lead.json", "ignored", note=f"{NO_MAPPING} lead."),
    Case("10-Delete-lead.json", "ignored", note=f"{NO_MAPPING} lead."),
    Case("11-Assign-opportunity.json", "ignored", note=f"{NO_MAPPING} opportunity."),
    # plug-in dumps: the state alone
    Case("15-devkit_DebugCustomAction-none.json", "ignored"),
    Case("16-devkit_DebugCustomApi-none.json", "ignored"),
    Case("17-Update-account.json", "ignored", rows=THE_ACCOUNT),
    Case("19-Create-account.json", "ignored", rows={("account", ACCOUNT_19): account("A", "1")}),
    Case("20-Create-contact.json", "ignored", rows={("contact", CONTACT_20): contact("A", "B")}),
    # written by Microsoft's serializer
    Case("sdk/associate.json", "done", wakes=(("account", ACCOUNT_A), ("contact", ACCOUNT_B)), rows=A),
    Case("sdk/create-sync.json", "ignored", ONLY_COUPLED, A),
    Case("sdk/create-sync.json", "done", UNMOVED, A, open_for=("CUSTOMER",), local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso", "phone_no": "555"}}),
    Case("sdk/create-types.json", "done", INSERTED, A, open_for=("CUSTOMER",), local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso"}}),
    Case("sdk/createmultiple.json", "done", wakes=(("account", ACCOUNT_A), ("account", ACCOUNT_B)), rows=A_AND_B, open_for=("CUSTOMER", "VENDOR"), local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso"}, ("VENDOR", ACCOUNT_B): {"name": "B"}}),
    Case("sdk/customapi-bound.json", "ignored", rows=A, note="No handler answers the message bcs_OpenInBC."),
    Case("sdk/customapi-bound.json", "done", INSERTED, A, open_for=("CUSTOMER",), settings={"RECEIVER_RIBBON_MESSAGE": "bcs_OpenInBC"}, local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso"}}),
    Case("sdk/delete.json", "ignored", GONE),
    Case("sdk/delete.json", "ignored", ONLY_COUPLED, A),
    Case("sdk/merge.json", "done", rows=A_AND_B, open_for=("CUSTOMER", "VENDOR"), wakes=(("account", ACCOUNT_B),), local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso", "phone_no": "555"}, ("VENDOR", ACCOUNT_B): {"name": "B"}}),
    Case("sdk/setstate.json", "ignored", ONLY_COUPLED, A),
    Case("sdk/size-exceeded-default.json", "ignored", ONLY_COUPLED, A, headers=STRIPPED),
    Case("sdk/size-exceeded-default.json", "done", INSERTED, A, open_for=("CUSTOMER",), headers=STRIPPED, local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso", "phone_no": "555"}}),
    Case("sdk/update.json", "ignored", ONLY_COUPLED, A),
    Case("sdk/update.json", "done", INSERTED, A, open_for=("CUSTOMER",), local={("CUSTOMER", ACCOUNT_A): {"phone_no": "555"}}),
    Case("sdk/update.json", "done", UPDATED, A, open_for=("CUSTOMER",), coupled_before=("account", ACCOUNT_A), local={("CUSTOMER", ACCOUNT_A): {"name": "Contoso", "phone_no": "555"}}),
]  # fmt: skip


def _name(case: Case) -> str:
    variants = [
        "coupled" if case.coupled_before else "",
        "open" if case.open_for else "",
        "" if case.rows else "no row",
    ]
    return f"{case.file.removesuffix('.json')} {case.state} {' '.join(filter(None, variants))}".strip()


@contextmanager
def company_of(organization: str, database_url: str, patch: pytest.MonkeyPatch, **settings: str) -> Iterator[Company]:
    chosen = SandboxSettings(page_port=0, api_port=0, retry_delay_seconds=0.05, organization_id=organization)
    with Sandbox(chosen) as sandbox:
        patch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.ca_file))
        patch.setenv("CURL_CA_BUNDLE", str(sandbox.ca_file))
        reads = {
            "RECEIVER_SYNCHRONOUS_FIRST_READ_SECONDS": str(FIRST_READ),
            "RECEIVER_SYNCHRONOUS_SECOND_READ_SECONDS": str(SECOND_READ),
        }
        company = Company(database_url, sandbox, **reads, **settings)
        try:
            yield company
        finally:
            company.close()


def post(company: Company, case: Case) -> requests.Response:
    headers = {"content-type": "application/json", "x-receiver-key": KEY, **case.headers}
    return requests.post(f"{company.url}/dataverse/notifications", data=body(case.file), headers=headers, timeout=10)


def put_rows(company: Company, rows: Rows) -> None:
    for (table, id_), values in rows.items():
        company.sandbox.put_row(table, id_, values)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_every_capture_ends_as_the_table_says(case: Case, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = parsed(case.file)
    with company_of(sent["OrganizationId"], sqlite_url, monkeypatch, **case.settings) as company:
        put_rows(company, case.rows)
        company.open_for_all(*case.open_for)
        if case.coupled_before is not None:
            table, id_ = case.coupled_before
            before = {"telephone1": "0"} if table == "account" else {"firstname": "Jim"}
            company.sandbox.put_row(table, id_, before)
            company.couple_by_click(table, id_)
            company.sandbox.put_row(table, id_, case.rows[table, id_])

        answer = post(company, case)
        assert (answer.status_code, answer.json()) == (202, {"notification": 1, "status": "waiting"})
        for seconds in (FIRST_READ, SECOND_READ):
            company.work()
            company.pass_time(seconds)
        company.work()

        (kept,) = company.notifications()
        assert kept["state"] == case.state, kept
        assert case.note in kept["note"]
        if case.decisions:
            found = {one["mapping"]: (one["decision"], one["reason"]) for one in kept["outcome"]}
            assert found == case.decisions
        for table, id_ in case.wakes:
            assert id_ in kept["note"], f"{table} {id_} was not looked at"
        for (mapping, id_), values in case.local.items():
            record = company.coupled_record(mapping, id_)
            assert {name: record[name] for name in values} == values
        coupled = {"customer": "CUSTOMER", "vendor": "VENDOR", "contact": "CONTACT"}
        for table, mapping in coupled.items():
            assert len(company.locals(table)) == len([key for key in case.local if key[0] == mapping])


def test_the_table_names_every_capture() -> None:
    assert {case.file for case in CASES} == names()


@pytest.mark.parametrize(
    ("choice", "decision", "stays"),
    [
        (DeletionConflict.NONE, ("Fail", "COUPLED_RECORD_IS_DELETED"), True),
        (DeletionConflict.DELETE_COUPLING, ("RemoveCoupling", "DELETED_THERE"), False),
    ],
)
def test_the_captured_delete_of_a_coupled_row_does_what_the_mapping_says(
    choice: DeletionConflict,
    decision: tuple[str, str],
    stays: bool,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case("sdk/delete.json", "")
    with company_of(parsed(case.file)["OrganizationId"], sqlite_url, monkeypatch) as company:
        put_rows(company, A)
        company.open_for_all("CUSTOMER")
        company.set("CUSTOMER", resolve_deletion_conflicts=choice)
        company.couple_by_click("account", ACCOUNT_A)
        company.sandbox.delete("account", ACCOUNT_A, deliver=False)

        post(company, case)
        company.work()

        outcome = company.last_outcome("CUSTOMER")
        assert (outcome["decision"], outcome["reason"]) == decision
        assert (company.coupling("CUSTOMER", ACCOUNT_A) is not None) == stays
        assert len(company.locals("customer")) == 1


def test_a_capture_of_another_organisation_is_refused(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with company_of("0d000000-0000-4000-8000-000000000001", sqlite_url, monkeypatch) as company:
        answers = [post(company, Case(name, "")) for name in sorted(names())]

        assert {answer.status_code for answer in answers} == {403}
        assert {kept["state"] for kept in company.notifications()} == {"refused"}


def test_a_synchronous_capture_stays_waiting_between_its_two_reads(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("02-Update-account.json", "")
    with company_of(parsed(case.file)["OrganizationId"], sqlite_url, monkeypatch) as company:
        put_rows(company, THE_ACCOUNT)
        company.open_for_all("CUSTOMER")
        post(company, case)
        states = []
        for seconds in (0, FIRST_READ, SECOND_READ):
            company.pass_time(seconds)
            company.work()
            states.append((company.notifications()[0]["state"], len(company.locals("customer"))))

        assert states == [("waiting", 0), ("waiting", 1), ("done", 1)]


def test_the_whole_folder_may_come_at_once(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    organization = "ae89a861-0000-4000-8000-00000000000a"
    files = sorted(name for name in names() if name.startswith("sdk/"))
    with company_of(organization, sqlite_url, monkeypatch) as company:
        put_rows(company, A_AND_B)
        company.open_for_all("CUSTOMER", "VENDOR")
        answers = [post(company, Case(name, "")) for name in files]
        assert {answer.status_code for answer in answers} == {202}
        for seconds in (0, FIRST_READ, SECOND_READ):
            company.pass_time(seconds)
            company.work()

        assert {kept["state"] for kept in company.notifications()} <= {"done", "ignored"}
        assert [row["name"] for row in company.locals("customer")] == ["Contoso"]
        assert [row["name"] for row in company.locals("vendor")] == ["B"]
