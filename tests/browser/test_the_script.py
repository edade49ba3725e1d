"""The button's script in a real browser: against a stand-in of the client API, and on the sandbox's own form."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from company import Company
from playwright.sync_api import Browser, Page, expect

from receiver.button.script import script
from receiver.commands.connection.button import install, remove
from receiver.sandbox import Sandbox

CHROMIUM = shutil.which("chromium")
ROW = "a0000000-0000-4000-8000-0000000000AB"
LOWER = ROW.lower()
URL = "https://receiver.example"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"),
]

#: a stand-in of Xrm that writes down what it is asked, and a form that can be saved once
STAND_IN = """
(row) => {
  window.asked = [];
  let id = row.id;
  window.Xrm = { Navigation: {
    openUrl(url) { if (row.blocked) throw new Error(row.blocked); asked.push(["open", url]); },
    async openErrorDialog(options) { asked.push(["error", options.message]); },
    async openConfirmDialog(strings) { asked.push(["confirm", strings.text]); return { confirmed: row.confirmed }; },
  } };
  window.form = { data: {
    entity: { getId: () => id, getEntityName: () => row.table || "account" },
    async save() {
      asked.push(["save"]);
      if (row.refusal) throw { errorCode: 1, message: row.refusal };
      id = row.saved || "";
    },
  } };
}
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with closing(browser.new_context(viewport={"width": 1400, "height": 900})) as context:
        yield context.new_page()


def asked(page: Page, address: str = URL, **row: Any) -> list[list[str]]:
    """What the client API was asked, in order, after the command was called with this form."""
    page.goto("about:blank")
    page.evaluate(STAND_IN, row)
    page.add_script_tag(content=script(address))
    found: list[list[str]] = page.evaluate("async () => { await Rcv.open(form); return asked; }")
    return found


@pytest.mark.parametrize("id_", [f"{{{ROW}}}", ROW, LOWER, f"{{{LOWER}}}"])
def test_a_saved_row_opens_at_once_by_its_bare_id_in_lower_case(page: Page, id_: str) -> None:
    assert asked(page, id=id_) == [["open", f"{URL}/open/account/{LOWER}"]]


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("https://receiver.example/bc", "https://receiver.example/bc/open"),
        ("https://receiver.example/bc/", "https://receiver.example/bc/open"),
        ("http://localhost:8000", "http://localhost:8000/open"),
        ("https://receiver.example/“'\\</script>", "https://receiver.example/“'\\</script>/open"),
    ],
)
def test_the_address_may_have_a_path_and_any_characters(page: Page, address: str, opened: str) -> None:
    assert asked(page, address, id=ROW, table="contact") == [["open", f"{opened}/contact/{LOWER}"]]


def test_a_new_row_is_saved_first_then_opened(page: Page) -> None:
    confirm, *then = asked(page, id="", saved=f"{{{ROW}}}", confirmed=True)

    assert confirm[0] == "confirm"
    assert "not saved yet" in confirm[1]
    assert then == [["save"], ["open", f"{URL}/open/account/{LOWER}"]]


def test_a_new_row_that_shall_not_be_saved_is_left_alone(page: Page) -> None:
    assert [one[0] for one in asked(page, id="", confirmed=False)] == ["confirm"]


def test_a_refused_save_says_why_and_opens_nothing(page: Page) -> None:
    *_, error = found = asked(page, id="", confirmed=True, refusal="Account Name: Required fields must be filled in.")

    assert [one[0] for one in found] == ["confirm", "save", "error"]
    assert error[1].startswith("The row was not saved, so it was not opened in Business Central.")
    assert error[1].endswith("Account Name: Required fields must be filled in.")


def test_a_save_that_another_script_prevented_opens_nothing_either(page: Page) -> None:
    assert [one[0] for one in asked(page, id="", confirmed=True, saved="")] == ["confirm", "save", "error"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "42"}, "“42” is not a row's id."),
        ({"id": ROW, "blocked": "Pop-ups are blocked."}, "Pop-ups are blocked."),
    ],
)
def test_what_goes_wrong_is_said_in_a_dialog(page: Page, row: dict[str, str], said: str) -> None:
    assert asked(page, **row) == [["error", f"Business Central could not be opened. {said}"]]


# -- on the sandbox's form ---------------------------------------------------------------------------------------


@pytest.fixture
def company(sqlite_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """Its receiver's public address is its own, and the button is installed."""
    with closing(Company(sqlite_url, sandbox)) as made:
        install(made.services, made.url)
        yield made


def test_the_form_shows_what_is_installed_and_how_to_install_when_nothing_is(company: Company, page: Page) -> None:
    page.goto(f"{company.sandbox.page_url}/account/{ACCOUNT}")
    expect(page.locator("#business-central")).to_have_text("Business Central")
    expect(page.locator("#no-command")).to_have_count(0)
    command = next(one for one in company.sandbox.rows("appaction") if one["contextvalue"] == "account")
    company.sandbox.update("appaction", command["appactionid"], {"hidden": True})
    page.reload()
    expect(page.locator("#business-central")).to_have_count(0)
    install(company.services, company.url)
    page.reload()
    expect(page.locator("#business-central")).to_be_visible()
    remove(company.services)
    page.reload()
    expect(page.locator("#business-central")).to_have_count(0)
    expect(page.locator("#no-command")).to_contain_text("receiver button install")


def test_what_was_not_published_is_not_shown(company: Company, page: Page) -> None:
    (resource,) = company.sandbox.rows("webresource")
    company.sandbox.update("webresource", resource["webresourceid"], {"description": "x"})
    page.goto(f"{company.sandbox.page_url}/account/{ACCOUNT}")

    expect(page.locator("#business-central")).to_have_count(0)


def test_a_click_on_the_form_opens_the_receivers_page(company: Company, page: Page) -> None:
    page.goto(f"{company.sandbox.page_url}/account/{ACCOUNT}")
    with page.expect_popup() as opened:
        page.locator("#business-central").click()
    opened.value.wait_for_load_state()

    assert opened.value.url.startswith(f"{company.url}/sign-in?next=/open/account/{ACCOUNT}")


def test_a_new_row_on_the_form_is_saved_and_then_opened(company: Company, page: Page) -> None:
    page.goto(f"{company.sandbox.page_url}/account/new")
    page.locator("#field-name").fill("Neu GmbH")
    page.locator("#business-central").click()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Save and open").click()
    opened.value.wait_for_load_state()
    expect(page.locator("h1")).to_have_text("Neu GmbH")

    (made,) = [row for row in company.sandbox.rows("account") if row["name"] == "Neu GmbH"]
    assert json.dumps(opened.value.url).count(f"/open/account/{made['accountid']}") == 1


def test_a_new_row_that_the_environment_refuses_is_not_opened_and_nothing_typed_is_lost(
    company: Company, page: Page
) -> None:
    page.goto(f"{company.sandbox.page_url}/account/new")
    page.locator("#field-name").fill("Neu GmbH")
    page.locator("#field-creditlimit").fill("a lot")
    page.locator("#business-central").click()
    page.get_by_role("button", name="Save and open").click()

    expect(page.get_by_role("dialog")).to_contain_text("is no value for creditlimit")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#field-creditlimit")).to_have_value("a lot")
    assert [row for row in company.sandbox.rows("account") if row["name"] == "Neu GmbH"] == []
