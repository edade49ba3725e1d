"""What commands and runs ask of records: in their lanes, many in one request, in both directions, or as a preview."""

from collections.abc import Sequence

from company import Company

from receiver.dataverse.rows import Change, DataverseRow
from receiver.engine.coalesce import Ask
from receiver.errors import DataverseError, VersionMismatchError
from receiver.runs.carry_out import Done, carry_out, preview, wanted_from, wanted_to

ACCOUNT = "a0000000-0000-4000-8000-000000000001"


def to_dataverse(company: Company, keys: Sequence[str], **ask: object) -> list[Done]:
    return list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", keys, Ask(**ask))))


def decisions(done: Sequence[Done]) -> list[str]:
    return [one.settled.decision if one.settled else str(one.error) for one in done]


def customers(company: Company, count: int) -> list[str]:
    company.open_for_all("CUSTOMER")
    return [company.insert_local("customer", name=f"Firm {number}", city="Graz") for number in range(count)]


def test_new_local_records_become_rows_and_are_coupled(company: Company) -> None:
    keys = customers(company, 5)
    assert decisions(to_dataverse(company, keys)) == ["Insert"] * 5
    names = {row["name"] for row in company.sandbox.rows("account") if str(row["name"]).startswith("Firm ")}
    assert names == {f"Firm {number}" for number in range(5)}
    assert decisions(to_dataverse(company, keys)) == ["IgnoreUnchanged"] * 5


def test_changed_records_go_in_a_batch_and_come_back_unchanged(company: Company) -> None:
    keys = customers(company, 5)
    to_dataverse(company, keys)
    company.work()
    for key in keys:
        company.change_local("customer", key, phone_no=f"+43 {key}")
    company.services.dataverse.currency_of("EUR")
    before = len(company.sandbox.requests)

    assert decisions(to_dataverse(company, keys)) == ["Modify"] * 5

    assert [made.method for made in company.sandbox.requests[before:] if made.method != "PATCH"] == ["GET", "POST"]
    company.work()
    assert company.last_job("CUSTOMER") == {"unchanged": 5}


def test_in_a_batch_each_change_is_answered_by_itself(company: Company) -> None:
    """412 for the row that moved, 400 for what it cannot hold, the row as Dataverse kept it for the rest."""
    client, columns = company.services.dataverse, frozenset({"name", "versionnumber"})
    ids = [str(company.sandbox.create("account", {"name": f"Firm {number}"})) for number in range(3)]
    rows = client.read_many("account", [*ids, ACCOUNT.replace("1", "9")], columns)
    assert sorted(rows) == sorted(ids)
    company.sandbox.update("account", ids[1], {"name": "Moved"})
    names = ("One", "Two", "x" * 200)

    changes = [
        Change("account", id_, {"name": name}, columns, rows[id_].version) for id_, name in zip(ids, names, strict=True)
    ]
    one, moved, refused = client.change(changes)

    assert isinstance(one, DataverseRow)
    assert one.values["name"] == "One"
    assert isinstance(moved, VersionMismatchError)
    assert isinstance(refused, DataverseError)
    assert not refused.waiting_helps
    assert [company.sandbox.row("account", id_)["name"] for id_ in ids] == ["One", "Moved", "Firm 2"]


def test_a_preview_writes_nothing_and_its_token_tells_when_something_changed(company: Company) -> None:
    keys = customers(company, 2)
    wanted = wanted_to(company.services, "CUSTOMER", keys, Ask())
    foretold = preview(company.services, wanted)
    assert decisions(foretold.done) == ["Insert", "Insert"]
    assert preview(company.services, wanted).token == foretold.token
    assert company.coupling("CUSTOMER", wanted[0].id) is None
    company.change_local("customer", keys[0], name="Another")
    assert preview(company.services, wanted).token != foretold.token


def test_rows_are_asked_for_in_the_other_direction_too(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    done = list(carry_out(company.services, wanted_from("CUSTOMER", "account", [ACCOUNT], Ask(is_click=True))))
    assert decisions(done) == ["Insert"]
    assert company.coupling("CUSTOMER", ACCOUNT) is not None


def test_what_waits_in_the_lane_stays_there(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.work()
    company.sandbox.update("account", ACCOUNT, {"telephone1": "1"})
    assert company.sandbox.settle()
    list(carry_out(company.services, wanted_from("CUSTOMER", "account", [ACCOUNT], Ask())))
    assert company.notifications()[-1]["state"] == "waiting"
    company.work()
    assert company.notifications()[-1]["state"] == "done"


def test_only_coupled_is_obeyed_unless_creating_is_what_was_asked(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")
    assert decisions(to_dataverse(company, [key])) == ["Skip"]
    assert decisions(to_dataverse(company, [key], may_create=True)) == ["Insert"]
