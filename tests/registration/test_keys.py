"""The key that Dataverse sends is replaced without losing a notification, and nothing keeps it but its hash."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from company import KEY, Company
from registration.registering import Registering
from sqlalchemy import inspect, select

from receiver.cli import receiver
from receiver.commands.connection import keys
from receiver.commands.connection.check_steps import check
from receiver.commands.connection.register_steps import register, remove
from receiver.errors import RefusedError
from receiver.inbox.webhook_keys import fingerprint
from receiver.sandbox import Sandbox
from receiver.store.models import metadata, webhook_key

WHO = "the test"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def company(database_url: str, sandbox: Sandbox) -> Iterator[Registering]:
    with closing(Registering(database_url, sandbox)) as made:
        register(made.services, WHO)
        yield made


def notify(company: Company, phone: str) -> int | None:
    """What the door answered to one notification."""
    company.sandbox.update("account", ACCOUNT, {"telephone1": phone})
    company.work()
    return company.sandbox.deliveries[-1].status


def rotated(company: Company, **options: float) -> keys.Rotation:
    """Rotate, while somebody edits an account."""
    phones = iter(range(1000))

    def wait(_seconds: float) -> None:
        company.sandbox.update("account", ACCOUNT, {"telephone1": str(next(phones))})
        company.work()

    return keys.rotate(company.services, WHO, wait=wait, **options)


def test_after_a_rotation_the_new_key_is_used_and_the_old_one_ends(company: Registering) -> None:
    found = rotated(company, grace_seconds=60)

    assert found.is_proven
    assert found.ended == (fingerprint(KEY)[:12],)
    assert {one.status for one in company.sandbox.deliveries} == {202}
    assert company.sandbox.deliveries[-1].headers["x-receiver-key"] != KEY
    assert post(company, KEY) == 400  # the key was right, the body was not
    company.pass_time(61)
    assert post(company, KEY) == 401
    assert notify(company, "2") == 202
    assert check(company.services) == []


def post(company: Company, key: str) -> int:
    client = company.app.test_client()
    status: int = client.post("/dataverse/notifications", headers={"x-receiver-key": key}, json={}).status_code
    return status


def test_without_a_notification_every_key_stays_valid_until_one_has_come(company: Registering) -> None:
    found = keys.rotate(company.services, WHO, wait_seconds=0)

    assert not found.is_proven
    assert post(company, KEY) == 400
    assert not keys.finish(company.services, WHO).is_proven
    assert notify(company, "1") == 202
    assert keys.finish(company.services, WHO, grace_seconds=0).ended == (fingerprint(KEY)[:12],)
    company.pass_time(1)
    assert post(company, KEY) == 401
    assert notify(company, "2") == 202


def test_no_notification_is_refused_while_keys_are_replaced_again_and_again(company: Registering) -> None:
    stop = threading.Event()

    def edit() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            company.sandbox.update("account", ACCOUNT, {"fax": str(number)})
            stop.wait(0.01)

    editing = threading.Thread(target=edit)
    editing.start()
    try:
        for _ in range(3):
            keys.rotate(company.services, WHO, wait_seconds=10, wait=stop.wait)
    finally:
        stop.set()
        editing.join()
    company.work()

    assert {one.status for one in company.sandbox.deliveries} == {202}


def test_a_rotation_that_breaks_off_can_be_started_again(company: Registering) -> None:
    with (
        company.sandbox.faults.switched(too_many_requests=-1, retry_after_seconds=0),
        pytest.raises(Exception, match="429"),
    ):
        keys.rotate(company.services, WHO, wait_seconds=0)
    assert notify(company, "1") == 202

    assert rotated(company, grace_seconds=0).is_proven

    company.pass_time(1)
    assert [one.is_valid for one in keys.listed(company.services)].count(True) == 1
    assert notify(company, "9") == 202


def test_the_key_made_here_stands_nowhere_in_the_database(company: Registering) -> None:
    rotated(company)
    made = company.sandbox.deliveries[-1].headers["x-receiver-key"]

    with company.services.database.reading() as connection:
        found = [
            repr(row)
            for name in inspect(connection).get_table_names()
            if name in metadata.tables
            for row in connection.execute(select(metadata.tables[name]))
        ]
    assert not any(made in one for one in found)
    assert made not in repr(company.services)
    assert KEY not in repr(company.services)


def test_a_use_is_noted_but_not_with_each_notification(company: Registering) -> None:
    assert notify(company, "1") == 202
    with company.services.database.reading() as connection:
        first = connection.execute(select(webhook_key.c.last_used_at)).scalar_one()
    company.pass_time(5)
    assert notify(company, "2") == 202

    with company.services.database.reading() as connection:
        assert connection.execute(select(webhook_key.c.last_used_at)).scalar_one() == first
    assert isinstance(first, datetime)
    assert first.astimezone(UTC) <= datetime.now(UTC)


def test_a_key_that_is_not_valid_any_more_is_a_difference(company: Registering) -> None:
    changed = replace(company.services, options=replace(company.services.options, webhook_keys=("another",)))

    assert [one.words for one in check(changed)] == [
        f"The service endpoint sends the key {fingerprint(KEY)[:12]}, which is not valid here any more."
    ]
    register(changed, WHO)
    assert check(changed) == []


def test_nothing_is_rotated_before_anything_is_registered(sqlite_url: str, sandbox: Sandbox) -> None:
    with closing(Registering(sqlite_url, sandbox)) as company:
        with pytest.raises(RefusedError, match="First: receiver steps register"):
            keys.rotate(company.services, WHO)
        with pytest.raises(RefusedError, match="First: receiver keys rotate"):
            keys.finish(company.services, WHO)


def test_the_terminal_lists_and_rotates(company: Registering) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = company.app.test_cli_runner().invoke(receiver, list(words))
        return result.exit_code, result.stdout

    code, said = run("keys", "list")
    assert code == 0
    assert f"{fingerprint(KEY)[:12]}  setting  yes    yes" in said
    code, said = run("keys", "rotate", "--wait", "0")
    assert (code, "every key stays valid" in said) == (1, True)
    notify(company, "1")
    code, said = run("keys", "rotate", "--finish", "--json")
    assert (code, json.loads(said)["is_proven"]) == (0, True)
    assert len(json.loads(run("keys", "list", "--json")[1])) == 2
    assert company.app.test_cli_runner().invoke(receiver, ["keys", "rotate", "--wait", "-1"]).exit_code == 2


def test_what_is_registered_after_everything_was_removed_gets_a_key_that_is_valid(company: Registering) -> None:
    rotated(company, grace_seconds=0)
    company.pass_time(1)
    remove(company.services, WHO)

    register(company.services, WHO)

    assert notify(company, "77") == 202
    assert company.sandbox.deliveries[-1].headers["x-receiver-key"] != KEY
