"""Local changes: an edit that another program makes in the company's table goes to Dataverse within a second."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from company import Company
from scenarios.pairs import ACCOUNT, SECOND_ACCOUNT, account, couple_customer

from receiver.cli import receiver
from receiver.commands.following.undo import undo
from receiver.commands.mappings.local_changes import install, remove, show
from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import run_mapping
from receiver.errors import NotFoundError, RefusedError
from receiver.runs.local_edits import LOOK_AGAIN_SECONDS, LocalChanges, send
from receiver.runs.tasks import cancel, carry_out_next, newest
from receiver.sandbox import Sandbox
from receiver.server.worker import Worker
from receiver.store import triggers


@pytest.fixture
def firm(postgresql_url: str, sandbox: Sandbox) -> Iterator[Company]:
    with closing(Company(postgresql_url, sandbox)) as made:
        yield made
        assert sandbox.settle()


@contextmanager
def another_program(company: Company) -> Iterator[psycopg.Connection[Any]]:
    """The company's own, on a connection of its own."""
    url = company.services.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@contextmanager
def told(company: Company) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """What the trigger has told since the last time it was asked."""
    with another_program(company) as listener:
        listener.execute(f"LISTEN {triggers.CHANNEL}")

        def heard() -> list[tuple[str, str]]:
            edits = (triggers.told(one.payload) for one in listener.notifies(timeout=0.2))
            return [(one.table, one.key) for one in edits if one is not None]

        yield heard


@contextmanager
def working(company: Company) -> Iterator[None]:
    worker = Worker(company.services, 1)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def eventually(promise: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not promise() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert promise()


def terminal(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(receiver, ["local-changes", *words])
    return result.exit_code, result.stdout, result.stderr


def test_a_key_changed_by_another_program_keeps_its_pair_whatever_was_edited_with_it(firm: Company) -> None:
    key = couple_customer(firm)
    install(firm.services, "customer")
    with working(firm), another_program(firm) as program:
        eventually(lambda: any(one.state == "done" for one in newest(firm.services)))
        program.execute("UPDATE customer SET no = 'C77777', city = 'Kiel' WHERE no = %s", (key,))
        eventually(lambda: account(firm)["address1_city"] == "Kiel")
    assert firm.coupled_record("CUSTOMER", ACCOUNT)["no"] == "C77777"


def test_an_edit_by_another_program_is_in_dataverse_within_a_second(firm: Company) -> None:
    key = couple_customer(firm)
    install(firm.services, "customer")
    with working(firm), another_program(firm) as program:
        eventually(lambda: any(one.state == "done" for one in newest(firm.services)))
        begun = time.monotonic()
        program.execute("UPDATE customer SET city = 'Graz' WHERE no = %s", [key])
        eventually(lambda: account(firm)["address1_city"] == "Graz")

        assert time.monotonic() - begun < 1


def test_a_new_record_becomes_a_row_where_the_mapping_creates(firm: Company) -> None:
    firm.open_for_all("CUSTOMER")
    install(firm.services, "CUSTOMER")
    with working(firm), another_program(firm) as program:
        program.execute("INSERT INTO customer (no, name) VALUES ('X1', 'From elsewhere')")
        eventually(lambda: any(row["name"] == "From elsewhere" for row in firm.sandbox.rows("account")))


def test_what_was_edited_while_nobody_listened_goes_out_when_somebody_does(firm: Company) -> None:
    key = couple_customer(firm)
    install(firm.services, "CUSTOMER")
    with another_program(firm) as program:
        program.execute("UPDATE customer SET city = 'Graz' WHERE no = %s", [key])
    with working(firm):
        eventually(lambda: account(firm)["address1_city"] == "Graz")
    assert newest(firm.services)[0].who == "local changes"


def test_only_table_and_key_are_told_and_only_of_what_changed(firm: Company) -> None:
    key = couple_customer(firm)
    install(firm.services, "CUSTOMER")
    with told(firm) as heard, another_program(firm) as program:
        program.execute("UPDATE customer SET city = city")
        assert heard() == []
        program.execute("UPDATE customer SET city = 'Graz'")
        assert heard() == [("customer", key)]
        with program.transaction(force_rollback=True):
            program.execute("UPDATE customer SET city = 'Linz'")
        assert heard() == []


def test_our_own_writes_are_not_told(firm: Company) -> None:
    couple_customer(firm)
    install(firm.services, "CUSTOMER")
    with told(firm) as heard:
        firm.sandbox.update("account", ACCOUNT, {"fax": "7"})
        firm.work()
        assert firm.last_job("CUSTOMER") == {"modified": 1}
        assert heard() == []


def test_the_companys_transaction_goes_through_whatever_the_trigger_meets(firm: Company) -> None:
    install(firm.services, "CUSTOMER")
    with told(firm) as heard, another_program(firm) as program:
        program.execute("ALTER TABLE customer ALTER no TYPE text")
        program.execute("INSERT INTO customer (no, name) VALUES (%s, 'A key longer than a notification')", ["x" * 9000])
        assert heard() == []
        assert program.execute("SELECT count(*) FROM customer").fetchone() == (1,)


def test_a_table_of_the_same_name_elsewhere_is_not_ours(firm: Company) -> None:
    """Such as a copy that a restore put into a schema of its own, with its triggers."""
    install(firm.services, "CUSTOMER")
    with told(firm) as heard, another_program(firm) as program:
        program.execute("CREATE SCHEMA copy")
        program.execute("CREATE TABLE copy.vendor (LIKE vendor)")
        program.execute(f"CREATE TRIGGER {triggers.NAME} AFTER INSERT ON copy.vendor "
                        f"FOR EACH ROW EXECUTE FUNCTION {triggers.NAME}('no')")  # fmt: skip
        assert not show(firm.services, "VENDOR")[0].is_installed

        install(firm.services, "VENDOR")
        program.execute("INSERT INTO vendor (no, name) VALUES ('X1', 'Told')")
        assert heard() == [("vendor", "X1")]


def test_what_a_session_means_by_its_operators_is_not_what_the_trigger_means(firm: Company) -> None:
    key = couple_customer(firm)
    install(firm.services, "CUSTOMER")
    with told(firm) as heard, another_program(firm) as program:
        program.execute("CREATE SCHEMA odd")
        program.execute("CREATE FUNCTION odd.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS "
                        "$$ BEGIN RAISE 'called' USING ERRCODE = 'query_canceled'; END $$")  # fmt: skip
        program.execute("CREATE OPERATOR odd.= (LEFTARG = text, RIGHTARG = text, FUNCTION = odd.equal)")
        program.execute("SET search_path = odd, pg_catalog, public")
        program.execute("UPDATE customer SET city = 'Graz'")
        assert heard() == [("customer", key)]


@pytest.mark.parametrize("key", ['O\'Neill "&" Söhne', "a\\b", "]", "x\ny", " X1 ", "😀", "%s", ":name", "--"])
def test_a_key_of_any_signs_is_told_and_asked_for(firm: Company, key: str) -> None:
    firm.open_for_all("CUSTOMER")
    install(firm.services, "CUSTOMER")
    with told(firm) as heard, another_program(firm) as program:
        program.execute("INSERT INTO customer (no, name) VALUES (%s, 'Of any signs')", [key])
        assert heard() == [("customer", key)]
    assert send(firm.services, [("customer", key)]) == []
    assert any(row["name"] == "Of any signs" for row in firm.sandbox.rows("account"))


def test_an_uncoupled_record_is_nobodys_business_and_leaves_no_job(firm: Company) -> None:
    key = firm.insert_local("customer", name="Alone")

    assert send(firm.services, [("customer", key)]) == []
    assert firm.jobs("CUSTOMER") == []


def test_what_dataverse_could_not_take_is_sent_again(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.runs.local_edits.TRIED_AGAIN_SECONDS", 0.1)
    key = couple_customer(firm)
    install(firm.services, "CUSTOMER")
    with closing(LocalChanges(firm.services)) as ear, another_program(firm) as program:
        ear.step(0.1)
        program.execute("UPDATE customer SET city = 'Graz' WHERE no = %s", [key])
        with firm.sandbox.faults.switched(unavailable=-1):
            ear.step(1)
        assert account(firm)["address1_city"] != "Graz"
        time.sleep(0.1)
        ear.step(0.1)
        assert account(firm)["address1_city"] == "Graz"


def test_one_worker_listens_and_another_takes_over(firm: Company) -> None:
    install(firm.services, "CUSTOMER")
    first, second = LocalChanges(firm.services), LocalChanges(firm.services)
    first.step(0)
    second.step(0)
    assert (first.is_listening, second.is_listening) == (True, False)

    first.close()
    time.sleep(LOOK_AGAIN_SECONDS)
    second.step(0)

    assert second.is_listening
    second.close()


def test_it_is_installed_and_removed_any_number_of_times(firm: Company) -> None:
    for _ in range(2):
        assert install(firm.services, "CUSTOMER").is_installed
    install(firm.services, "VENDOR")
    assert {one.mapping for one in show(firm.services) if one.is_installed} == {"CUSTOMER", "VENDOR"}

    for _ in range(2):
        assert not remove(firm.services, "CUSTOMER").is_installed
    with told(firm) as heard, another_program(firm) as program:
        program.execute("INSERT INTO customer (no, name) VALUES ('X1', 'Quiet')")
        program.execute("INSERT INTO vendor (no, name) VALUES ('X1', 'Told')")
        assert heard() == [("vendor", "X1")]
    remove(firm.services, "VENDOR")


def test_the_owner_of_a_table_that_is_not_ours_is_told_what_to_run(firm: Company) -> None:
    with another_program(firm) as program:
        program.execute("CREATE ROLE somebody")
        program.execute("CREATE ROLE clerk LOGIN IN ROLE pg_read_all_data, pg_write_all_data")
        program.execute("ALTER TABLE customer OWNER TO somebody")
        try:
            url = firm.services.database.url.set(username="clerk")
            with closing(Company(url.render_as_string(hide_password=False), firm.sandbox)) as clerk:
                with pytest.raises(RefusedError, match="receiver local-changes show CUSTOMER --sql"):
                    install(clerk.services, "CUSTOMER")
                assert "CREATE TRIGGER" in terminal(clerk, "show", "CUSTOMER", "--sql")[1]
        finally:
            program.execute("ALTER TABLE customer OWNER TO CURRENT_USER")
            program.execute("DROP ROLE clerk")
            program.execute("DROP ROLE somebody")


def test_the_terminal_installs_shows_and_removes_it(firm: Company) -> None:
    couple_customer(firm, SECOND_ACCOUNT)
    assert "Edits of customer go to Dataverse under CUSTOMER" in terminal(firm, "install", "customer")[1]
    assert "CUSTOMER  customer  on" in terminal(firm, "show")[1]
    (plain,) = json.loads(terminal(firm, "show", "CUSTOMER", "--json")[1])
    assert (plain["table"], plain["is_installed"]) == ("customer", True)
    assert "wait for the next run" in terminal(firm, "remove", "CUSTOMER")[1]
    assert terminal(firm, "install", "NOSUCH")[0] == 2
    assert "goes FromIntegrationTable alone" in terminal(firm, "install", "SALESPEOPLE")[2]


def test_on_sqlite_it_is_not_offered(small_company: Company) -> None:
    for words in (("install", "CUSTOMER"), ("remove", "CUSTOMER"), ("show",)):
        code, _, error = terminal(small_company, *words)
        assert (code, "local changes are offered on PostgreSQL" in error) == (2, True)
    with pytest.raises(RefusedError, match="offered on PostgreSQL"):
        install(small_company.services, "CUSTOMER")


def test_an_unknown_mapping_is_named(firm: Company) -> None:
    with pytest.raises(NotFoundError, match="no mapping firm"):
        show(firm.services, "firm")


@pytest.mark.parametrize("payload", ["", "customer", "{}", "[]", '["customer"]', '["customer", 7]', "[1, 2, 3]", "7"])
def test_what_others_say_on_the_channel_is_passed_by(payload: str) -> None:
    assert triggers.told(payload) is None


@contextmanager
def refusing(company: Company, key: str) -> Iterator[None]:
    """Whatever is to be remembered of one pair meets an error that nobody foresaw."""
    with another_program(company) as program:
        program.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"
        )
        program.execute(
            f"CREATE TRIGGER refuse BEFORE UPDATE ON receiver_coupling FOR EACH ROW WHEN (NEW.local_id = '{key}')"
            " EXECUTE FUNCTION refuse()"
        )
        yield
        program.execute("DROP FUNCTION refuse CASCADE")


def test_an_edit_that_meets_what_nobody_foresaw_keeps_no_other_back_and_is_left_to_a_run(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.runs.local_edits.TRIED_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr("receiver.runs.local_edits.LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr("receiver.runs.local_edits.ATTEMPTS", 3)
    key, other = couple_customer(firm), couple_customer(firm, SECOND_ACCOUNT)
    install(firm.services, "CUSTOMER")
    with closing(LocalChanges(firm.services)) as heard, another_program(firm) as program:
        heard.step(0.0)
        begun = newest(firm.services)[0].id
        cancel(firm.services, begun)
        assert carry_out_next(firm.services, PROCEDURES, threading.Event())
        with refusing(firm, key):
            program.execute("UPDATE customer SET city = 'Graz'")
            for _ in range(6):
                heard.step(0.1)

            assert account(firm, SECOND_ACCOUNT)["address1_city"] == "Graz"

    assert newest(firm.services)[0].id > begun
    assert carry_out_next(firm.services, PROCEDURES, threading.Event())
    assert account(firm)["address1_city"] == "Graz"
    assert firm.local("customer", other)["city"] == "Graz"  # type: ignore[index]  # it is there


def test_a_run_that_is_under_way_is_followed_by_the_one_that_is_owed(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have passed by what was edited while nobody listened."""
    monkeypatch.setattr("receiver.runs.local_edits.LOOK_AGAIN_SECONDS", 0.0)
    couple_customer(firm)
    install(firm.services, "CUSTOMER")
    first = run_mapping.start(firm.services, "CUSTOMER", "Ann")
    with closing(LocalChanges(firm.services)) as heard:
        heard.step(0.0)
        assert newest(firm.services)[0].id == first
        assert carry_out_next(firm.services, PROCEDURES, threading.Event())
        heard.step(0.0)

    assert [one.who for one in newest(firm.services)] == ["local changes", "Ann"]


def test_an_undo_and_who_hears_of_its_edit_cannot_come_between_each_other(firm: Company) -> None:
    """From the write here to the answer of Dataverse one lease holds the record: whoever hears of the edit waits."""
    key = couple_customer(firm)
    firm.sandbox.update("account", ACCOUNT, {"fax": "7"})
    firm.work()
    with another_program(firm) as program:
        program.execute("CREATE TABLE holders (owner text)")
        program.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO holders VALUES (NEW.owner); RETURN NULL; END $$"
        )
        program.execute(
            "CREATE TRIGGER note AFTER UPDATE ON receiver_lane FOR EACH ROW"
            " WHEN (NEW.owner IS DISTINCT FROM OLD.owner) EXECUTE FUNCTION note()"
        )
        undo(firm.services, "customer", key, "Ann")
        holders = [owner for (owner,) in program.execute("SELECT owner FROM holders")]

    assert [owner is None for owner in holders] == [False, True]
    send(firm.services, [("customer", key)])
    firm.work()
    assert (account(firm)["fax"] or "") == firm.local("customer", key)["fax_no"] == ""  # type: ignore[index]  # it is there
