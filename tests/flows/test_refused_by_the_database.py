"""Whatever the company's database raises for a record is that record's failure, in words; the others go in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from company import Company
from lanes.blocking import another_program
from sqlalchemy import select
from sqlalchemy.engine import make_url

from receiver.commands.coupling.pairs import mapping_named
from receiver.core.mapping import Direction
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope
from receiver.sandbox import Sandbox
from receiver.store.models import lane

BAD, SECRET = "a0000000-0000-4000-8000-0000000000bd", "0815 4711"
GOOD = [f"a0000000-0000-4000-8000-0000000001{number:02d}" for number in range(12)]

POSTGRESQL = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.name LIKE 'Bad%' THEN {raising}; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION refuse()
    """
SQLITE = """
    CREATE TRIGGER refuse {when} INSERT ON customer WHEN NEW.name LIKE 'Bad%'
    BEGIN SELECT RAISE({how}, 'the credit limit comes first'); END
    """
REFERENCE = """
    CREATE TABLE allowed (name varchar(250) PRIMARY KEY);
    INSERT INTO allowed SELECT 'Good ' || number FROM generate_series(0, 11) AS number;
    ALTER TABLE customer ADD CONSTRAINT name_is_allowed FOREIGN KEY (name) REFERENCES allowed {when}
    """
OWN_SECURITY = """
    ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
    CREATE POLICY nice ON customer USING (true) WITH CHECK (name NOT LIKE 'Bad%')
    """
UNIQUE_NAME = """
    CREATE UNIQUE INDEX one_name ON customer (name);
    INSERT INTO customer (no, name) VALUES ('C1', 'Bad one')
    """
DEFERRED_ON_SQLITE = """
    CREATE TABLE allowed (name TEXT PRIMARY KEY);
    CREATE TABLE credit (name TEXT REFERENCES allowed DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER refuse AFTER INSERT ON customer WHEN NEW.name LIKE 'Bad%'
    BEGIN INSERT INTO credit VALUES (NEW.name); END
    """
#: row security does not hold for a superuser
LIMITED = """
    DO $$ BEGIN CREATE ROLE of_the_receiver LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO of_the_receiver;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO of_the_receiver
    """


def raising(statement: str) -> str:
    return POSTGRESQL.replace("{raising}", statement)


CREDIT = "the credit limit comes first"
#: how the database refuses the record, and words of what is said of it
ON_POSTGRESQL = {
    "RAISE in a trigger": (raising(f"RAISE EXCEPTION '{CREDIT}'"), CREDIT),
    "RAISE with a code of its own": (raising(f"RAISE EXCEPTION '{CREDIT}' USING ERRCODE = 'ZZ123'"), CREDIT),
    "RAISE that looks like another": (
        raising(f"RAISE EXCEPTION '{CREDIT}' USING ERRCODE = 'unique_violation'"),
        CREDIT,
    ),
    "an error in a trigger": (raising("PERFORM 1 / 0"), "a value does not fit its column (code 22012)"),
    "a function that a trigger lacks": (raising("PERFORM no_such_function()"), "no_such_function"),
    "a check": (
        "ALTER TABLE customer ADD CONSTRAINT no_bad_ones CHECK (name NOT LIKE 'Bad%')",
        "it breaks the condition no_bad_ones",
    ),
    "not null": (raising("NEW.name := NULL"), "name may not be empty there"),
    "a text that is too long": (raising("NEW.name := repeat('x', 1000)"), "a text is longer than its column"),
    "a value of another form": (
        raising("PERFORM NEW.name::integer"),
        "a value has a form that its column does not take",
    ),
    "a reference": (REFERENCE.format(when=""), "it refers to a record that is not there"),
    "a deferred reference": (
        REFERENCE.format(when="DEFERRABLE INITIALLY DEFERRED"),
        "it refers to a record that is not there",
    ),
    "a row's own security": (OWN_SECURITY, "row-level security"),
}
ON_SQLITE = {
    "RAISE(ABORT) in a trigger": (SQLITE.format(when="BEFORE", how="ABORT"), CREDIT),
    "RAISE(FAIL) in a trigger": (SQLITE.format(when="AFTER", how="FAIL"), CREDIT),
    "RAISE(ROLLBACK) in a trigger": (SQLITE.format(when="AFTER", how="ROLLBACK"), CREDIT),
    "a unique name": (UNIQUE_NAME, "another record has the same value already (customer.name)"),
    "a deferred reference": (DEFERRED_ON_SQLITE, "it refers to a record that is not there"),
}
CASES = [pytest.param("postgresql", *case, id=f"PostgreSQL, {name}") for name, case in ON_POSTGRESQL.items()] + [
    pytest.param("sqlite", *case, id=f"SQLite, {name}") for name, case in ON_SQLITE.items()
]


@pytest.fixture
def firm(request: pytest.FixtureRequest, kind: str, script: str, sandbox: Sandbox) -> Iterator[Company]:
    """A company that creates customers, whose administrator has run *script*; its receiver is no superuser."""
    url = str(request.getfixturevalue(f"{kind}_url"))
    as_administrator(url, script)
    with closing(Company(as_the_receiver(url), sandbox)) as made:
        made.open_for_all("CUSTOMER")
        sandbox.put_row("account", BAD, {"name": "Bad one", "fax": SECRET, "customertypecode": 3})
        for number, id_ in enumerate(GOOD):
            sandbox.put_row("account", id_, {"name": f"Good {number}", "customertypecode": 3})
        assert sandbox.settle()
        yield made


def as_administrator(url: str, script: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "")) as connection:
            connection.executescript(script)
        return
    with another_program(url) as connection:
        connection.execute(LIMITED)
        connection.execute(script)  # type: ignore[call-overload]  # it is our own
        connection.commit()


def as_the_receiver(url: str) -> str:
    if url.startswith("sqlite"):
        return url
    return make_url(url).set(username="of_the_receiver").render_as_string(hide_password=False)


def check_words(said: str, words: str) -> None:
    assert words in said
    assert "was refused by the database" in said
    unwanted = ("INSERT INTO", "psycopg", "sqlite3", "DETAIL", "Failing row", "parameters", SECRET)
    assert [one for one in unwanted if one in said] == []


@pytest.mark.parametrize(("kind", "script", "words"), CASES)
def test_a_refused_record_is_a_failure_in_words_and_the_rest_of_its_page_goes_in(firm: Company, words: str) -> None:
    (part,) = parts_of(mapping_named(firm.services, "CUSTOMER"), Direction.FROM, Scope.FULL, "the test")
    done = {one.wanted.id: one for step in run_part(firm.services, part) for one in step.done}

    bad = done[BAD]
    check_words(str(bad.error or (bad.settled and bad.settled.error)), words)
    assert firm.coupling("CUSTOMER", BAD) is None
    for number, id_ in enumerate(GOOD):
        assert firm.coupled_record("CUSTOMER", id_)["name"] == f"Good {number}"
    check_no_lease_is_left(firm)


@pytest.mark.parametrize(("kind", "script", "words"), CASES)
def test_a_refused_notification_fails_in_words_and_those_beside_it_are_done(firm: Company, words: str) -> None:
    for id_ in (*GOOD[:6], BAD, *GOOD[6:]):
        firm.sandbox.update("account", id_, {"telephone1": "+43 1"})
    firm.work()

    states = {one["row_id"]: one for one in firm.notifications()}
    assert states[BAD]["state"] == "failed"
    check_words(states[BAD]["note"] + json.dumps(states[BAD]["outcome"] or ""), words)
    assert {states[id_]["state"] for id_ in GOOD} == {"done"}
    check_no_lease_is_left(firm)


@pytest.mark.parametrize(("kind", "script", "words"), CASES)
def test_a_refused_click_says_why(firm: Company, words: str) -> None:
    answer = firm.open("account", BAD)

    outcomes = answer.outcomes
    said = answer.trouble or " ".join(one.error for one in outcomes)
    check_words(said, words)
    check_no_lease_is_left(firm)


def check_no_lease_is_left(company: Company) -> None:
    with company.services.database.reading() as connection:
        assert connection.execute(select(lane.c.key).where(lane.c.owner.is_not(None))).all() == []


# -- what is missing in the database ------------------------------------------------------------------------------

MISSING = {
    "INSERT": ("REVOKE INSERT ON customer FROM of_the_receiver", 'GRANT INSERT ON customer TO "of_the_receiver"'),
    "SELECT": ("REVOKE SELECT ON customer FROM of_the_receiver", 'GRANT SELECT ON customer TO "of_the_receiver"'),
}


@pytest.mark.parametrize("right", MISSING)
def test_a_missing_right_names_its_grant_and_what_waits_goes_in_once_it_is_given(
    postgresql_url: str, sandbox: Sandbox, right: str
) -> None:
    revoke, grant = MISSING[right]
    as_administrator(postgresql_url, "SELECT 1")
    with closing(Company(as_the_receiver(postgresql_url), sandbox)) as company:
        company.open_for_all("CUSTOMER")
        as_administrator(postgresql_url, revoke)
        sandbox.put_row("account", GOOD[0], {"name": "Good 0", "customertypecode": 3})
        sandbox.update("account", GOOD[0], {"telephone1": "+43 1"})
        company.work()
        waiting = [one for one in company.notifications() if one["row_id"] == GOOD[0]]
        assert {one["state"] for one in waiting} == {"waiting"}
        assert grant in waiting[-1]["last_error"]

        as_administrator(postgresql_url, grant)
        company.pass_time(900)
        company.work()

        assert company.coupled_record("CUSTOMER", GOOD[0])["name"] == "Good 0"
        check_no_lease_is_left(company)
