"""docs/setup.md, walked: its commands in its order against an empty sandbox, and at the end a click on the button."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/setup.md").read_text()
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
T = TypeVar("T")
PORTS = ("8000", "8001", "8002")
#: set to a folder to look at what a person sees
PICTURES = os.environ.get("BROWSER_PICTURES", "")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),  # twenty processes, one after the other
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
]


def part(title: str) -> str:
    """A part of the page, by the beginning of its title."""
    return next(text for text in PAGE.split("\n## ")[1:] if text.startswith(title))


def blocks(title: str) -> list[str]:
    return re.findall(r"^```\n(.*?)^```$", part(title), re.MULTILINE | re.DOTALL)


def commands(title: str) -> list[str]:
    """The receiver's commands in the sentences of a part, in their order."""
    sentences = re.sub(r"^```.*?^```$", "", part(title), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(one.split()) for one in re.findall(r"`(receiver\s[^`]+)`", sentences)]


@dataclass
class Machine:
    """An administrator's machine: an empty folder, the installed programs, three ports that are free."""

    folder: Path
    environment: dict[str, str]
    ports: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def here(self, text: str) -> str:
        """The page's words with this machine's ports."""
        return re.sub(r"(?<=[:=])800[012]\b", lambda found: self.ports[found[0]], text)

    def run(self, command: str, given: str = "") -> str:
        """What a command prints; it has to end with 0."""
        ended = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.folder,
            env=self.environment,
            input=given,
            text=True,
            capture_output=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def start(self, command: str) -> Path:
        """A program that goes on, as the page starts it with &; the file that has its words."""
        log = self.folder / f"{command.replace(' ', '-')}.log"
        with log.open("a") as words:
            self.running[command] = subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=self.environment, stdout=words, stderr=words
            )
        return log

    def end(self, commands: list[str]) -> None:
        ended = [self.running.pop(command) for command in commands]
        for one in ended:
            one.terminate()
        for one in ended:
            one.wait(100)

    def setting(self, name: str) -> str:
        """As the settings file has it."""
        lines = (self.folder / "instance/settings.env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))


@dataclass(frozen=True)
class Sandbox:
    """What it tells of itself."""

    connect: str
    secret: str


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = {usual: str(one.getsockname()[1]) for usual, one in zip(PORTS, sockets, strict=True)}
    for one in sockets:
        one.close()
    for name in ("wsgi.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, tmp_path)
    usual = {name: text for name, text in os.environ.items() if not name.startswith(("RECEIVER_", "SANDBOX_"))}
    names = dict(zip(("RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT"), ports.values(), strict=True))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    made = Machine(tmp_path, {**usual, **names, "PATH": path}, ports)
    yield made
    made.end(list(made.running))


def person(browser: Browser) -> BrowserContext:
    """Somebody's browser, nowhere signed in."""
    return browser.new_context(viewport={"width": 1400, "height": 900})


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def save_name(sales: Page, name: str) -> None:
    sales.locator("#field-name").fill(name)
    sales.locator("#save").click()
    expect(sales.locator("h1")).to_contain_text(name)


def test_whoever_follows_the_page_has_a_button_that_opens_the_customer(machine: Machine, browser: Browser) -> None:
    sandbox = without_a_tenant(machine)
    roles(machine)
    programs = receiver_and_database(machine)
    connection(machine, sandbox, programs, browser)
    # what the page asks twice is asked once, at the end
    asked = dict.fromkeys(command for title in ("7. ", "8. ", "9. ") for command in commands(title))
    for command in asked:
        if command not in commands("10. "):
            machine.run(command)
    first_record(machine, browser)


def without_a_tenant(machine: Machine) -> Sandbox:
    """The sandbox runs, and its authority is trusted."""
    (command,) = [one for one in commands("Without a tenant") if one != "receiver connect"]
    log = machine.start(command)
    said = patiently(
        lambda: re.search(r"export (\w+)=(.+)\n.*secret (\S+):\n +(receiver connect .*)\n", log.read_text())
    )
    machine.environment[said[1]] = said[2]
    return Sandbox(said[4], said[3])


def patiently(look: Callable[[], T | None]) -> T:
    """What is there after a while."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError


def roles(machine: Machine) -> None:
    (command,) = commands("2. ")
    machine.run(command)
    assert (machine.folder / command.split()[-1]).read_bytes().startswith(b"PK")


def receiver_and_database(machine: Machine) -> list[str]:
    """The commands of the programs that run now, with the settings that the page gives for a sandbox."""
    (block,), (settings,) = blocks("4. "), blocks("Without a tenant")
    for line in settings.splitlines():
        name = line.partition("=")[0]
        block, count = re.subn(rf"^{name}=.*\n", "", block, flags=re.MULTILINE)
        assert count == (name != "RECEIVER_SALES_URL"), name
    block = machine.here(block.replace("<<END\n", f"<<END\n{settings}"))
    programs = re.findall(r"^(.+) &$", block, re.MULTILINE)
    machine.run(re.sub(r"^.+ &$", "", block, flags=re.MULTILINE))
    start(machine, programs)
    return programs


def start(machine: Machine, programs: list[str]) -> None:
    for command in programs:
        machine.start(command)
    (url, answer) = re.findall(r"`curl (http:\S+)` answers `(.+?)`", part("4. "))[0]
    assert patiently(lambda: answered(machine.here(url))) == answer


def answered(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as found:
            return found.read().decode().strip()
    except OSError:
        return ""


def connection(machine: Machine, sandbox: Sandbox, programs: list[str], browser: Browser) -> None:
    assert sandbox.connect.startswith(commands("6. ")[0])
    said = machine.run(f"{sandbox.connect} --secret-file -", sandbox.secret)
    assert {line.split()[0] for line in said.splitlines() if ": " in line} <= {"ok", "note"}, said
    machine.end(programs)
    start(machine, programs)
    page = opened(machine, browser, "6. ")
    expect(page.locator("main")).to_contain_text("Success")
    picture(page, "1-connection")
    page.context.close()


def opened(machine: Machine, browser: Browser, title: str) -> Page:
    """The receiver's page that a part of docs/setup.md names, after signing in as it says."""
    (path,) = re.findall(r"<https://receiver\.example\.com(/\S+)>", part(title))
    page = person(browser).new_page()
    page.goto(f"http://localhost:{machine.ports['8000']}{path}")
    sign_in(page, machine.setting("RECEIVER_ADMIN_TOKEN"))
    return page


def first_record(machine: Machine, browser: Browser) -> None:
    let_in, doctor = commands("10. ")
    sales = person(browser).new_page()
    sales.goto(f"http://localhost:{machine.ports['8001']}/account/{ACCOUNT}")
    save_name(sales, "Nordwind Trading SE")
    picture(sales, "2-sales")
    notifications = opened(machine, browser, "10. ")
    state = re.search(r"\*(\w+)\*, with the reason", part("10. "))
    expect(notifications.locator("main tbody tr").first).to_contain_text(state[1] if state else "")
    expect(notifications.locator("main")).to_contain_text("CUSTOMER synchronizes only coupled records")
    picture(notifications, "3-notifications")

    machine.run(let_in)
    with sales.expect_popup() as popup:
        sales.locator("#business-central").click()
    customer = popup.value
    picture(customer, "4-sign-in")
    sign_in(customer, machine.setting("RECEIVER_OPEN_TOKEN"))
    expect(customer.locator("h1")).to_contain_text("C00010")
    expect(customer.locator("#local-name")).to_have_text("Nordwind Trading SE")
    picture(customer, "5-customer")
    save_name(sales, "Nordwind Trading AG")
    expect(customer.locator("#local-name")).to_have_text("Nordwind Trading AG")
    picture(customer, "6-new-name")
    for page in (sales, notifications):
        page.context.close()
    machine.run(doctor)
