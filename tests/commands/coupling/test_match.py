"""Match-Based Coupling: what is coupled, created and synchronized, and what each record hears that is not."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company

from receiver.commands.coupling.match import match
from receiver.commands.coupling.match_follow import directions_after
from receiver.commands.coupling.match_plan import Choices
from receiver.commands.mappings import change_mapping as mapping_commands
from receiver.commands.result import CommandResult
from receiver.core.coupling import Coupling
from receiver.core.mapping import Conversion, Direction, UpdateConflict
from receiver.errors import LostRaceError, NotFoundError, RefusedError, StalePreviewError
from receiver.lanes import held as held_lanes
from receiver.lanes import lane as lanes
from receiver.store import couplings

CUSTOMER_TYPE = 3
EURO = "cc000000-0000-4000-8000-000000000001"


def on(company: Company, column: str, mapping: str = "CUSTOMER", **changes: Any) -> None:
    company.set_field(mapping, column, match_on_this_field=True, **changes)


def account(company: Company, **values: Any) -> str:
    return str(company.sandbox.create("account", {"customertypecode": CUSTOMER_TYPE, **values}))


def matched(
    company: Company,
    *names: str,
    synchronizes: bool | None = None,
    creates_new: bool | None = None,
    **options: Any,
) -> CommandResult:
    """Once Dataverse has delivered all: what is on its way would still hold the database when the test ends."""
    assert company.sandbox.settle()
    result = match(company.services, names or ["CUSTOMER"], "Ann", Choices(synchronizes, creates_new), **options)
    assert company.sandbox.settle()
    return result


def couple(company: Company, key: str, row: str, mapping: str = "CUSTOMER") -> None:
    with company.services.database.writing() as connection:
        couplings.save(connection, Coupling(mapping, key, row), company.now())


def reasons(result: CommandResult) -> dict[str, str]:
    return {line.local_id: line.reason or line.decision for line in result.lines}


def test_each_record_that_is_not_coupled_hears_why_and_which_other_record_it_was(company: Company) -> None:
    on(company, "phone_no")
    taken, one, other = (
        account(company, name=name, telephone1=phone) for name, phone in (("T", "1"), ("A", "2"), ("B", "2"))
    )
    keys = [company.insert_local("customer", name=f"Firm {phone}", phone_no=phone) for phone in ("1", "2", "3", "")]
    coupled = company.insert_local("customer", name="Coupled")
    couple(company, coupled, taken)

    result = matched(company)

    said = {line.local_id: line.sentence for line in result.lines}
    assert reasons(result) == dict(zip(keys, ("COUPLED", "SEVERAL", "NONE", "NOTHING_TO_COMPARE"), strict=True))
    assert said[keys[0]] == f"account T ({taken}) matches Customer {keys[0]}, but is coupled to Customer {coupled}."
    rows = ", ".join(f"account {name} ({id_})" for id_, name in sorted([(one, "A"), (other, "B")]))
    assert said[keys[1]] == f"2 rows match Customer {keys[1]}: {rows}."
    assert said[keys[2]] == f"No row of account inside the integration table filter matches Customer {keys[2]}."
    assert said[keys[3]] == f"Customer {keys[3]} is blank in Phone No., so there is nothing to match."
    assert company.jobs("CUSTOMER")[-1]["errors"] == list(said.values())
    assert result.counts == {"failed": 4}


def test_more_rows_than_are_named_are_counted(company: Company) -> None:
    on(company, "phone_no")
    for number in range(5):
        account(company, name=f"A{number}", telephone1="2")
    company.insert_local("customer", name="Firm", phone_no="2")
    assert "5 rows match" in matched(company).lines[0].sentence
    assert matched(company).lines[0].sentence.endswith(", ….")


def test_a_disabled_field_is_a_criterion_and_a_later_group_decides_what_the_first_cannot(company: Company) -> None:
    on(company, "name")
    on(company, "no", match_priority=1)
    first, second = (account(company, name="Nord", accountnumber=number) for number in ("C00020", "C00010"))
    keys = [company.insert_local("customer", name=" nord") for _ in range(2)]
    assert [line.counter for line in matched(company).lines] == ["coupled", "coupled"]
    assert [company.coupling("CUSTOMER", row).local_id for row in (second, first)] == keys


def test_case_and_the_filters_count(company: Company) -> None:
    on(company, "name", case_sensitive_matching=True)
    account(company, name="Nord")
    account(company, name="Ost", customertypecode=8)
    keys = [company.insert_local("customer", name=name) for name in ("NORD", "Nord", "Ost")]
    blocked = company.insert_local("customer", name="Nord", blocked="All")
    assert reasons(matched(company)) == dict(zip(keys, ("NONE", "Couple", "NONE"), strict=True))
    assert blocked not in reasons(matched(company))


def test_lookups_are_compared_by_the_row_that_their_record_is_coupled_to(company: Company) -> None:
    on(company, "surname", "CONTACT")
    on(company, "company_no", "CONTACT")
    firms = [account(company, name=f"Firm {number}") for number in range(2)]
    keys = [company.insert_local("customer", name=f"Firm {number}") for number in range(3)]
    for key, row in zip(keys, firms, strict=False):
        couple(company, key, row)
    contacts = [
        str(company.sandbox.create("contact", {"lastname": "Weber", "parentcustomerid": ("account", row)}))
        for row in firms
    ]
    people = [
        company.insert_local("contact", type="Person", surname="Weber", company_type="customer", company_no=key)
        for key in keys
    ]
    result = matched(company, "CONTACT")
    assert reasons(result) == dict(zip(people, ("Couple", "Couple", "NONE"), strict=True))
    assert [company.coupling("CONTACT", row).local_id for row in contacts] == people[:2]
    assert f"Customer {keys[2]} (company_no) is not coupled to Dataverse" in result.lines[2].sentence


def test_a_currency_is_compared_by_its_iso_code(company: Company) -> None:
    on(company, "name")
    on(company, "currency_code")
    company.insert_currency("GBP")
    pounds = "cc000000-0000-4000-8000-000000000003"
    account(company, name="Nord", transactioncurrencyid=("transactioncurrency", EURO))
    row = account(company, name="Nord", transactioncurrencyid=("transactioncurrency", pounds))
    company.insert_local("customer", name="Nord", currency_code="GBP")
    assert [line.dataverse_id for line in matched(company).lines] == [row]


def test_numbers_are_compared_by_value_and_an_empty_one_is_a_value(company: Company) -> None:
    on(company, "credit_limit_lcy")
    account(company, name="Much", creditlimit=1000)
    key = company.insert_local("customer", name="Firm", credit_limit_lcy=1000)
    empty = company.insert_local("customer", name="Firm")
    assert reasons(matched(company))[key] == "Couple"
    assert reasons(matched(company))[empty] in {"SEVERAL", "NONE"}


def test_what_finds_no_row_is_created_but_what_several_match_is_not(company: Company) -> None:
    on(company, "phone_no")
    company.set("CUSTOMER", create_new_in_case_of_no_match=True)
    account(company, name="A", telephone1="2")
    account(company, name="B", telephone1="2")
    keys = [company.insert_local("customer", name=f"Firm {phone}", phone_no=phone) for phone in ("1", "2")]

    foretold = matched(company, is_preview=True)
    assert foretold.counts == {"failed": 1, "inserted": 1}
    result = matched(company, token=foretold.token)

    assert reasons(result)[keys[1]] == "SEVERAL"
    assert result.counts == {"failed": 1, "inserted": 1}
    assert [row["name"] for row in company.sandbox.rows("account") if row["telephone1"] == "1"] == ["Firm 1"]
    assert matched(company, creates_new=False).counts == {"failed": 1}


def test_nothing_is_created_where_the_direction_forbids_it(company: Company) -> None:
    on(company, "phone_no")
    company.set("CUSTOMER", direction=Direction.FROM)
    company.insert_local("customer", name="Firm", phone_no="1")
    assert matched(company, creates_new=True).counts == {"failed": 1}


@pytest.mark.parametrize(
    ("direction", "conflicts", "expected"),
    [
        (Direction.TO, UpdateConflict.GET, (Direction.TO,)),
        (Direction.FROM, UpdateConflict.SEND, (Direction.FROM,)),
        (Direction.BIDIRECTIONAL, UpdateConflict.SEND, (Direction.TO,)),
        (Direction.BIDIRECTIONAL, UpdateConflict.GET, (Direction.FROM,)),
        (Direction.BIDIRECTIONAL, UpdateConflict.NONE, (Direction.TO, Direction.FROM)),
    ],
)
def test_what_was_coupled_is_synchronized_the_mappings_way(
    small_company: Company, direction: Direction, conflicts: UpdateConflict, expected: tuple[Direction, ...]
) -> None:
    company = small_company
    on(company, "phone_no")
    changes = {"direction": direction, "resolve_update_conflicts": conflicts, "synch_after_bulk_coupling": True}
    company.set("CUSTOMER", **changes)
    row = account(company, name="There", telephone1="1")
    key = company.insert_local("customer", name="Here", phone_no="1")

    matched(company)

    assert directions_after(mapping_commands.named(company.services, "CUSTOMER")) == expected
    wins = "Here" if expected[0] is Direction.TO else "There"
    assert (company.local("customer", key)["name"], company.sandbox.row("account", row)["name"]) == (wins, wins)


def test_where_sending_fails_nothing_is_overwritten_here(small_company: Company) -> None:
    company = small_company
    on(company, "phone_no")
    account(company, name="There", telephone1="1")
    key = company.insert_local("customer", name="Here", phone_no="1", salesperson_code="NOBODY")
    result = matched(company, synchronizes=True)
    assert [line.decision for line in result.lines] == ["Couple", "Fail"]
    assert company.local("customer", key)["name"] == "Here"


def test_a_preview_writes_nothing_and_holds_the_next_call_to_it(company: Company) -> None:
    on(company, "phone_no")
    row = account(company, name="A", telephone1="1")
    key = company.insert_local("customer", name="Firm", phone_no="1")

    foretold = matched(company, is_preview=True)

    assert foretold.is_preview
    assert foretold.lines[0].sentence == f"Customer {key} would be coupled to account A ({row})."
    assert company.jobs("CUSTOMER") == []
    company.insert_local("customer", name="Another", phone_no="7")
    with pytest.raises(StalePreviewError):
        matched(company, token=foretold.token)
    assert company.coupling("CUSTOMER", row) is None
    assert matched(company, token=matched(company, is_preview=True).token).counts == {"coupled": 1, "failed": 1}


def test_without_a_criterion_a_mapping_fails_and_the_others_go_on(company: Company) -> None:
    company.insert_currency("GBP")
    result = match(company.services, [], "Ann")
    failed = {line.mapping for line in result.lines if line.reason == "NO_CRITERIA"}
    assert failed == {"SALESPEOPLE", "CUSTOMER", "VENDOR", "CONTACT"}
    assert [(line.mapping, line.local_id, line.decision) for line in result.lines if line.mapping == "CURRENCY"] == [
        ("CURRENCY", "GBP", "Couple")
    ]
    assert company.last_job("CUSTOMER") == {"failed": 1}


def test_what_cannot_be_done_is_refused_with_a_sentence(small_company: Company) -> None:
    company = small_company
    with pytest.raises(NotFoundError, match="no mapping firm"):
        matched(company, "firm")
    on(company, "payment_terms_code", conversion=Conversion.LOOKUP, related=("PAYMENT TERMS",))
    with pytest.raises(RefusedError, match="needs the mapping PAYMENT TERMS"):
        matched(company)
    with pytest.raises(NotFoundError, match="no Customer C99"):
        matched(company, keys=["C99"])
    with pytest.raises(RefusedError, match="name that mapping alone"):
        matched(company, "CUSTOMER", "VENDOR", keys=["C99"])
    company.set("CUSTOMER", is_enabled=False)
    with pytest.raises(RefusedError, match="CUSTOMER is switched off"):
        matched(company)


def test_a_row_that_another_holds_is_left_to_him(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_lanes, "PATIENCE_SECONDS", 0.1)
    on(company, "phone_no")
    held, free = (account(company, name="A", telephone1=phone) for phone in ("1", "2"))
    keys = [company.insert_local("customer", name="Firm", phone_no=phone) for phone in ("1", "2")]
    company.work()
    with company.services.database.writing() as connection:
        lanes.lease_named(connection, "another", company.now(), 60, [("account", held)])
    result = matched(company)
    assert reasons(result) == dict(zip(keys, ("Error", "Couple"), strict=True))
    assert company.coupling("CUSTOMER", held) is None
    assert company.coupling("CUSTOMER", free) is not None
    assert company.jobs("CUSTOMER")[-1]["coupled"] == 1


def test_who_lost_a_race_is_left_out_and_the_others_are_coupled(company: Company) -> None:
    on(company, "phone_no")
    rows = [account(company, name="A", telephone1=str(number)) for number in range(4)]
    keys = [company.insert_local("customer", name="Firm", phone_no=str(number)) for number in range(4)]
    late = company.insert_local("customer", name="Late")
    told: list[tuple[str, int]] = []

    def tell(what: str, count: int) -> None:
        told.append((what, count))
        if what == "CUSTOMER: records compared":
            couple(company, late, rows[0])
            company.delete_local("customer", keys[1])

    result = matched(company, tell=tell)

    assert reasons(result) == dict(
        zip([*keys, late], ("Error", "Error", "Couple", "Couple", "NOTHING_TO_COMPARE"), strict=True)
    )
    assert [one["coupled"] for one in company.jobs("CUSTOMER") if one["type"] == "Coupling"] == [2]
    assert [what for what, _ in told] == ["CUSTOMER: rows read", "CUSTOMER: records compared", "CUSTOMER: coupled"]
    assert told[1:] == [("CUSTOMER: records compared", 5), ("CUSTOMER: coupled", 4)]


def test_a_chunk_whose_transaction_was_lost_is_tried_in_halves(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unique key that another worker wrote between our look and our write cannot be timed from outside."""
    on(company, "phone_no")
    rows = [account(company, name="A", telephone1=str(number)) for number in range(4)]
    keys = [company.insert_local("customer", name="Firm", phone_no=str(number)) for number in range(4)]
    save_all = couplings.save_all

    def losing(connection: Any, changed: list[Coupling], now: Any) -> None:
        if rows[2] in {one.dataverse_id for one in changed}:
            raise LostRaceError
        save_all(connection, changed, now)

    monkeypatch.setattr(couplings, "save_all", losing)
    result = matched(company)
    assert reasons(result) == dict(zip(keys, ("Couple", "Couple", "Error", "Couple"), strict=True))
    assert company.jobs("CUSTOMER")[-1]["coupled"] == 3


def test_what_waited_for_the_row_follows(company: Company) -> None:
    company.open_for_all("CONTACT")
    on(company, "phone_no")
    row = account(company, name="A", telephone1="1")
    contact = str(company.sandbox.create("contact", {"lastname": "Weber", "parentcustomerid": ("account", row)}))
    company.work()
    assert company.coupling("CONTACT", contact) is None
    company.insert_local("customer", name="Firm", phone_no="1")
    matched(company)
    company.work()
    assert company.coupling("CONTACT", contact) is not None


def test_more_than_a_page_of_records_is_matched(small_company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.runs.match_reading.PAGE", 2)
    monkeypatch.setattr("receiver.commands.coupling.match.TOGETHER", 2)
    company = small_company
    on(company, "phone_no")
    for number in range(5):
        account(company, name="A", telephone1=str(number))
    keys = [company.insert_local("customer", name="Firm", phone_no=str(number)) for number in range(5)]
    assert matched(company, keys=keys[:3]).counts == {"coupled": 3}
    assert matched(company).counts == {"coupled": 2}
