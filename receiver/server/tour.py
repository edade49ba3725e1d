"""The tour: receiver, worker and sandbox on this machine, so that the product can be tried without a tenant."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from sqlalchemy import insert, select

from receiver import create_app
from receiver.commands.connection.button import install
from receiver.commands.connection.register_steps import register
from receiver.errors import ReceiverError, SettingError
from receiver.sandbox import SandboxSettings
from receiver.server.processes import Program, Together, stop_signal, taken_port, wait, web_server, worker
from receiver.services import Services
from receiver.store import schema
from receiver.tables.currency import CURRENCY
from receiver.web.sign_in import make_one_time

START_SECONDS = 30
LAST_PORT = 65535
FOR_TERMINAL = "terminal.sh"
DEFAULTS = SandboxSettings()
FIRST_ACCOUNT = "a0000000-0000-4000-8000-000000000001"
LOCAL_CURRENCIES = {"GBP": ("Pound Sterling", "£"), "USD": ("US Dollar", "$")}


def run_tour(environment: Mapping[str, str]) -> int:
    """Run the tour until Ctrl-C (0); 1 when something does not start. Raises: SettingError."""
    folder = Path(environment.get("RECEIVER_INSTANCE", "instance")).resolve()
    os.umask(0o077)  # all that is kept there holds secrets or data
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    ports = _ports(environment)
    trouble = taken_port(ports)
    if trouble:
        raise SettingError(trouble)
    with _locked(folder):
        return _run(environment, folder, ports)


def _run(environment: Mapping[str, str], folder: Path, ports: Mapping[str, int]) -> int:
    settings = _settings(environment, folder, ports)
    token = secrets.token_urlsafe(24)
    _prepare(settings, token)
    _write_for_terminal(folder / FOR_TERMINAL, settings)
    stop, together = stop_signal(), Together()
    try:
        together.start(replace(_sandbox(settings, folder, ports), log=folder / "sandbox.log"))
        _await(f"http://localhost:{ports['SANDBOX_PORT']}/", together)
        for program in (worker(settings), web_server(settings)):
            together.start(replace(program, log=folder / f"{program.name}.log"))
        if _await(f"http://localhost:{ports['RECEIVER_PORT']}/health/live", together):
            _set_up_dataverse(settings)
            sys.stdout.write(_welcome(ports, token, folder))
            sys.stdout.flush()
        return wait(stop, together)
    finally:
        together.stop()


def _ports(environment: Mapping[str, str]) -> dict[str, int]:
    """Raises: SettingError for what is no port, and for two that are the same."""
    defaults = {"RECEIVER_PORT": "8000", "SANDBOX_PORT": "8001", "SANDBOX_API_PORT": "8002"}
    said = {name: environment.get(name) or default for name, default in defaults.items()}
    for name, text in said.items():
        if not text.isdigit() or not 0 < int(text) <= LAST_PORT:
            raise SettingError(f"{name}={text} is no port: a number from 1 to {LAST_PORT} was expected.")
    if len(set(said.values())) < len(said):
        raise SettingError(f"The ports must differ: {', '.join(f'{name}={text}' for name, text in said.items())}.")
    return {name: int(text) for name, text in said.items()}


def _locked(folder: Path) -> IO[str]:
    """Hold the folder for this tour alone, as long as the file is open. Raises: SettingError when another has it."""
    lock = (folder / "tour.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SettingError(
            f"Another tour runs in {folder}. Stop it, or set RECEIVER_INSTANCE to another folder."
        ) from None
    return lock


def _settings(environment: Mapping[str, str], folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """The children's environment: secrets are made once and kept beside the database."""
    secrets_file = folder / "tour.json"
    if not secrets_file.exists():
        made = {name: secrets.token_urlsafe(32) for name in ("RECEIVER_WEBHOOK_KEYS", "RECEIVER_SESSION_KEY")}
        secrets_file.touch(mode=0o600)
        secrets_file.write_text(json.dumps(made))
    api = f"https://localhost:{ports['SANDBOX_API_PORT']}"
    authority_file = str(folder / "sandbox" / "ca.pem")
    tour = {
        "RECEIVER_TOUR": "on",
        "RECEIVER_SETTINGS_FILE": "",
        "RECEIVER_DATABASE_URL": f"sqlite:///{folder / 'receiver.sqlite'}",
        "RECEIVER_DATAVERSE_URL": api,
        "RECEIVER_AUTHORITY": f"{api}/{DEFAULTS.tenant_id}",
        "RECEIVER_TENANT_ID": DEFAULTS.tenant_id,
        "RECEIVER_CLIENT_ID": DEFAULTS.client_id,
        "RECEIVER_CLIENT_SECRET": DEFAULTS.client_secret,
        "RECEIVER_PUBLIC_URL": f"http://localhost:{ports['RECEIVER_PORT']}",
        "RECEIVER_SALES_URL": f"http://localhost:{ports['SANDBOX_PORT']}/{{table}}/{{id}}",
        "RECEIVER_BIND": f"127.0.0.1:{ports['RECEIVER_PORT']}",
        "REQUESTS_CA_BUNDLE": authority_file,
        "CURL_CA_BUNDLE": authority_file,
        **{name: str(port) for name, port in ports.items()},
    }
    return {**environment, **tour, **json.loads(secrets_file.read_text())}


def _prepare(settings: Mapping[str, str], token: str) -> None:
    """Migrate, put the company's own currencies there, make the sign-in link."""
    app = create_app(settings)
    services: Services = app.extensions["receiver"]
    try:
        schema.migrate(services.database, services.clock())
        _put_currencies(services)
        make_one_time(services, token)
    finally:
        services.close()


def _write_for_terminal(path: Path, settings: Mapping[str, str]) -> None:
    """What a shell reads, so that `receiver` there works with the tour's data; its owner's alone, it holds secrets."""
    wanted = {name: text for name, text in settings.items() if name.startswith("RECEIVER_")}
    wanted["REQUESTS_CA_BUNDLE"] = settings["REQUESTS_CA_BUNDLE"]
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(text)}\n" for name, text in sorted(wanted.items())))


def _put_currencies(services: Services) -> None:
    table = CURRENCY.table
    with services.database.writing() as connection:
        known = set(connection.execute(select(table.c.code)).scalars())
        for code, (description, symbol) in LOCAL_CURRENCIES.items():
            if code not in known:
                connection.execute(insert(table).values(code=code, description=description, symbol=symbol))


def _sandbox(settings: Mapping[str, str], folder: Path, ports: Mapping[str, int]) -> Program:
    options = {
        "--folder": str(folder / "sandbox"),
        "--receiver-url": f"http://localhost:{ports['RECEIVER_PORT']}",
    }
    words = [word for pair in options.items() for word in pair]
    return Program("sandbox", (sys.executable, "-m", "receiver", "sandbox", *words), settings)


def _set_up_dataverse(settings: Mapping[str, str]) -> None:
    """The button and the steps, as an administrator does it once for an environment; what is there stays."""
    # requests looks for the authority of the sandbox's certificate in our own environment alone
    os.environ["REQUESTS_CA_BUNDLE"] = settings["REQUESTS_CA_BUNDLE"]
    services: Services = create_app(settings).extensions["receiver"]
    try:
        install(services, settings["RECEIVER_PUBLIC_URL"], with_custom_api=True)
        register(services, "the tour")
    except ReceiverError as error:
        sys.stderr.write(
            f"Button and steps could not be set up: {error}\nRun: receiver button install; receiver steps register\n"
        )
    finally:
        services.close()


def _await(url: str, together: Together) -> bool:
    """Whether the address answered before the patience ended or a child did."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not together.ended():
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  # our own address
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _welcome(ports: Mapping[str, int], token: str, folder: Path) -> str:
    receiver, sales = f"http://localhost:{ports['RECEIVER_PORT']}", f"http://localhost:{ports['SANDBOX_PORT']}"
    return f"""
The tour runs. Stop it with Ctrl-C.

  Sales form     {sales}/account/{FIRST_ACCOUNT}
  Administrator  {receiver}/sign-in?token={token}
  Health         {receiver}/health/ready
  Logs           {folder}/*.log
  Terminal       . {folder}/{FOR_TERMINAL}; {Path(sys.executable).with_name("receiver")} mappings list

Try this:
  1. In the Sales form click “Business Central”. The account is not coupled, and the page says why not.
  2. Open the administrator's link (it works once) and switch “Synch. Only Coupled Records” off for CUSTOMER.
  3. Click “Business Central” again: the customer is created, coupled and shown.
  4. Change the account's name in the Sales form and save: the customer shows it within a second.

"""
