"""A sandbox starts, keeps what it has in its folder, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from decimal import Decimal

import pytest
import requests

from receiver.sandbox import PortTakenError, Reference, Sandbox, SandboxSettings, ServiceEndpoint
from receiver.sandbox.seed import FIRST_ACCOUNT


def test_it_starts_and_stops_without_a_thread_left():
    before = set(threading.enumerate())
    sandbox = Sandbox(SandboxSettings(page_port=0, api_port=0)).start()
    ca_file = sandbox.ca_file
    with requests.Session() as session:
        session.trust_env = False
        session.get(sandbox.page_url)
        session.get(f"{sandbox.authority}/v2.0/.well-known/openid-configuration", verify=str(ca_file))
        sandbox.stop()
    assert set(threading.enumerate()) <= before
    assert not ca_file.exists()
    with pytest.raises(RuntimeError, match="not started"):
        sandbox.rows("account")


@pytest.mark.parametrize(("field", "setting"), [("page_port", "SANDBOX_PORT"), ("api_port", "SANDBOX_API_PORT")])
def test_a_taken_port_is_named_with_its_setting(field, setting):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = SandboxSettings(**{"page_port": 0, "api_port": 0, field: port})
        with pytest.raises(PortTakenError, match=f"Port {port} .* {setting}"):
            Sandbox(settings).start()


def test_rows_and_certificate_are_kept_between_starts(tmp_path):
    settings = SandboxSettings(folder=tmp_path, page_port=0, api_port=0)
    with Sandbox(settings) as sandbox:
        row_id = sandbox.create(
            "account", {"name": "Kept", "creditlimit": "10.50", "parentaccountid": Reference("account", FIRST_ACCOUNT)}
        )
        gone = sandbox.create("account", {"name": "Gone"})
        sandbox.delete("account", gone)
        row, certificate = sandbox.row("account", row_id), sandbox.ca_file.read_bytes()
        version = sandbox.organization.store.version
    with Sandbox(settings) as sandbox:
        assert sandbox.row("account", row_id) == row
        assert str(sandbox.row("account", row_id)["creditlimit"]) == str(Decimal("10.5000"))
        assert sandbox.ca_file.read_bytes() == certificate
        assert sandbox.organization.store.version >= version
        assert gone in sandbox.organization.store.changed_since("account", 0)[1]
    assert (tmp_path / "server.pem").stat().st_mode & 0o077 == 0


def test_a_job_that_was_interrupted_is_failed_at_the_next_start(tmp_path, make_step):
    endpoint = ServiceEndpoint("http://127.0.0.1:9/")
    settings = SandboxSettings(
        folder=tmp_path, page_port=0, api_port=0, service_endpoint=endpoint, steps=(make_step("Update"),)
    )
    with Sandbox(settings) as sandbox:
        sandbox.faults.delay_seconds = 60
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "1"})
    with Sandbox(settings) as sandbox:
        (job,) = sandbox.rows("asyncoperation")
        assert (job["statuscode"], job["message"]) == (31, "The sandbox was stopped before this was sent.")


def test_without_a_company_only_what_the_environment_needs_is_there():
    with Sandbox(SandboxSettings(page_port=0, api_port=0, seeded=False)) as sandbox:
        assert sandbox.rows("account") == []
        assert [row["isocurrencycode"] for row in sandbox.rows("transactioncurrency")] == ["EUR"]
        assert sandbox.rows("systemuser")[1]["applicationid"] == sandbox.client_id
        with pytest.raises(RuntimeError, match="service endpoint"):
            sandbox.step_set([])


def test_a_lookup_to_several_tables_needs_its_table_and_a_moment_its_zone(sandbox):
    with pytest.raises(TypeError, match="several tables"):
        sandbox.create("contact", {"parentcustomerid": FIRST_ACCOUNT})
    with pytest.raises(KeyError):
        sandbox.create("contact", {"nothing": 1})


def test_many_writers_at_once_each_get_their_own_version(sandbox):
    row_ids: list[str] = []

    def write():
        row_ids.extend(sandbox.create("contact", {"lastname": "At Once"}) for _ in range(20))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = {sandbox.row("contact", row_id)["versionnumber"] for row_id in row_ids}
    assert len(versions) == len(row_ids) == 80


def test_stopping_does_not_wait_for_a_stalled_request():
    sandbox = Sandbox(SandboxSettings(page_port=0, api_port=0, seeded=False)).start()
    sandbox.faults.stall, sandbox.faults.stall_seconds = 1, 3600
    address = f"{sandbox.api_url}/api/data/v9.2/WhoAmI"
    ca_file = str(sandbox.ca_file)

    def ask():
        with contextlib.suppress(requests.ConnectionError), requests.Session() as session:
            session.trust_env = False
            session.get(address, verify=ca_file)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    while sandbox.faults.stall:
        time.sleep(0.01)
    sandbox.stop()
    asking.join()
    assert not asking.is_alive()
