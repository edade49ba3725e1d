"""The main job as a person does it, in a real browser: Sales form, refusal, switch, click, edit."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

CHROMIUM = shutil.which("chromium")
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
#: set to a folder to look at what a person sees
PICTURES = os.environ.get("BROWSER_PICTURES", "")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
]


def free_ports() -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The running tour's three links by their captions."""
    names = ("RECEIVER_PORT", "SANDBOX_PORT", "SANDBOX_API_PORT")
    settings = dict(zip(names, free_ports(), strict=True))
    environment = {**os.environ, **settings, "RECEIVER_INSTANCE": str(tmp_path_factory.mktemp("tour"))}
    command = [sys.executable, "-m", "receiver", "tour"]
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, start_new_session=True
    ) as running:
        assert running.stdout is not None
        links = {}
        for line in running.stdout:
            link = re.match(r"\s+(.+?)\s+(http://\S+)$", line)
            if link:
                links[link[1]] = link[2]
            if "within a second" in line:
                break
        yield links
        running.send_signal(signal.SIGINT)
        running.wait(100)


@pytest.fixture
def sales(browser: Browser) -> Iterator[Page]:
    """A salesperson's browser, nowhere signed in; a page that breaks its own rules fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    troubles: list[str] = []
    context.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: troubles.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert [text for text in troubles if "409" not in text] == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def click_business_central(sales: Page) -> Page:
    with sales.expect_popup() as opened:
        sales.locator("#business-central").click()
    opened.value.wait_for_load_state()
    return opened.value


def nothing_is_saved_by_an_arrow_key(admin: Page) -> None:
    """A choice has a button of its own, which is there once the choice differs."""
    choice, row = admin.locator("#deletion-CUSTOMER"), admin.locator("#mapping-CUSTOMER")
    choice.focus()
    admin.keyboard.press("ArrowDown")
    expect(row.get_by_role("button", name="Save Resolve Deletion Conflicts, CUSTOMER")).to_be_visible()
    admin.reload()
    expect(choice).to_have_value("")
    expect(row.get_by_role("button", name="Save Resolve Deletion Conflicts, CUSTOMER")).to_be_hidden()


def test_a_salesperson_lands_on_the_customer_once_the_administrator_allows_it(
    tour: dict[str, str], sales: Page, browser: Browser
) -> None:
    sales.goto(tour["Sales form"])
    expect(sales.locator("h1")).to_contain_text("Nordwind Trading GmbH")
    picture(sales, "1-sales-form")

    refusal = click_business_central(sales)
    expect(refusal.locator("#refusal")).to_contain_text("CUSTOMER synchronizes only coupled records")
    expect(refusal.locator("#refusal")).to_contain_text("Switch Synch. Only Coupled Records off")
    picture(refusal, "2-refusal")

    admin = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    admin.goto(tour["Administrator"])
    switch = admin.locator("#only-coupled-CUSTOMER")
    expect(switch).to_be_checked()
    picture(admin, "3-mappings")
    nothing_is_saved_by_an_arrow_key(admin)
    switch.click()
    expect(admin.get_by_text(re.compile("passed over"))).to_be_visible()
    picture(admin, "4-switched-off")

    customer = click_business_central(sales)
    expect(customer.locator("h1")).to_contain_text("C00010")
    expect(customer.locator("#local-name")).to_have_text("Nordwind Trading GmbH")
    picture(customer, "5-customer")

    sales.locator("#field-name").fill("Nordwind Trading AG")
    sales.locator("#save").click()
    expect(sales.locator("h1")).to_contain_text("Nordwind Trading AG")
    expect(customer.locator("#local-name")).to_have_text("Nordwind Trading AG")
    picture(customer, "6-customer-changed")
    picture(sales, "7-sales-form-with-panel")

    admin.goto(tour["Administrator"].replace("/sign-in", "/admin/notifications").split("?")[0])
    expect(admin.locator("main")).to_contain_text("was updated from account")
    picture(admin, "8-notifications")
    admin.context.close()
    the_custom_api_does_the_same_and_the_person_sees_it_on_the_open_page(tour, sales)


def the_custom_api_does_the_same_and_the_person_sees_it_on_the_open_page(tour: dict[str, str], sales: Page) -> None:
    """The story goes on: the administrator has allowed it."""
    sales.goto(tour["Sales form"].replace("000000000001", "000000000002"))
    sales.locator("#business-central-menu").click()
    sales.locator("#open-through-custom-api").click()

    expect(sales.locator("body")).to_contain_text("rcv_OpenInBusinessCentral")
    customer = click_business_central(sales)
    expect(customer.locator("h1")).to_contain_text(re.compile(r"C000\d0"))
