"""What an environment writes of its own accord: plug-ins, numbers, rounded amounts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from receiver.sandbox import ApiError
from receiver.sandbox.seed import BASE_CURRENCY, FIRST_ACCOUNT, POUND

ROW = f"accounts({FIRST_ACCOUNT})"
OTHER = "a0000000-0000-4000-8000-0000000fffff"


@pytest.fixture
def plugged(sandbox):
    yield sandbox
    sandbox.remove_plug_ins("account")


def code(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.content else None


def in_place(_, values):
    values["fax"] = "from a plug-in"


@pytest.mark.parametrize(
    ("plug_in", "expected"),
    [
        (lambda _, values: {"name": values["name"].upper()}, {"name": "SENT", "fax": None}),
        (lambda *_: {"fax": "from a plug-in"}, {"name": "Sent", "fax": "from a plug-in"}),
        (in_place, {"name": "Sent", "fax": "from a plug-in"}),
        (lambda *_: {"creditlimit": "12.345"}, {"creditlimit": Decimal("12.3500")}),
        (lambda *_: {"name": None}, {"name": None}),
        (lambda *_: None, {"name": "Sent", "fax": None}),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_plug_in_changes_what_is_written(plugged, api, plug_in, expected, method):
    row_id = plugged.create("account", {"name": "Before"})
    plugged.plug_in("account", plug_in)
    path = "accounts" if method == "POST" else f"accounts({row_id})"
    answer = api(method, path, {"name": "Sent"}, Prefer="return=representation").json()
    kept = plugged.row("account", answer["accountid"])
    assert {name: kept[name] for name in expected} == expected
    assert answer["name"] == kept["name"]


def test_a_plug_in_is_told_the_message_and_the_row(plugged, api):
    seen = []
    plugged.plug_in("account", lambda message, values: seen.append((message, values["accountid"], values.get("name"))))
    row_id = api("POST", "accounts", {"name": "A"}).headers["OData-EntityId"][-37:-1]
    api("PATCH", f"accounts({row_id})", {"name": "B"})
    plugged.update("account", row_id, {"name": "C"})
    plugged.put_row("account", row_id, {"name": "D"})
    api("DELETE", f"accounts({row_id})")
    assert seen == [
        ("Create", row_id, "A"),
        ("Update", row_id, "B"),
        ("Update", row_id, "C"),
        ("Delete", row_id, "D"),
    ]


def refusal(*_):
    raise ApiError(400, "0x80040265", "The credit department says no.")


def other_row_missing(*_):
    raise ApiError(404, "0x80040217", f"Entity 'account' With Id = {OTHER} Does Not Exist")


@pytest.mark.parametrize(
    ("plug_in", "expected"),
    [
        (refusal, (400, "0x80040265")),
        (other_row_missing, (404, "0x80040217")),
        (lambda *_: {"fax": "x" * 51}, (400, "0x80044331")),
        (lambda *_: {"nothing": 1}, (400, "0x80060888")),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_a_plug_in_refuses_is_not_written(plugged, api, plug_in, expected, method):
    plugged.plug_in("account", plug_in)
    before = plugged.rows("account")
    assert code(api(method, "accounts" if method == "POST" else ROW, {"name": "Refused"})) == expected
    assert plugged.rows("account") == before


def test_a_plug_in_keeps_a_row_from_being_deleted(plugged, api):
    plugged.plug_in("account", refusal)
    assert code(api("DELETE", ROW)) == (400, "0x80040265")
    assert plugged.row("account", FIRST_ACCOUNT) is not None


def test_a_plug_in_is_bypassed_by_whom_the_header_allows(plugged, api):
    plugged.plug_in("account", refusal)
    assert code(api("PATCH", ROW, {"fax": "1"})) == (400, "0x80040265")
    headers = {"MSCRM.BypassCustomPluginExecution": "true"}
    assert api.session.patch(f"{api.base}{ROW}", json={"fax": "1"}, headers=headers).status_code == 204


def test_what_a_plug_in_adds_is_in_the_notification(notifying, api, receiver):
    notifying.plug_in("account", lambda *_: {"telephone1": "+49"})
    api("PATCH", ROW, {"fax": "told"})
    notifying.remove_plug_ins("account")
    assert notifying.settle()
    assert (receiver.requests[-1].columns["fax"], receiver.requests[-1].columns["telephone1"]) == ("told", "+49")


@pytest.fixture
def yen(sandbox):
    values = {"isocurrencycode": "JPY", "currencyname": "Yen", "exchangerate": "160", "currencyprecision": 0}
    row_id = sandbox.create("transactioncurrency", values)
    yield row_id
    sandbox.update("account", FIRST_ACCOUNT, {"creditlimit": None, "transactioncurrencyid": BASE_CURRENCY})
    sandbox.delete("transactioncurrency", row_id)


@pytest.fixture
def precise(sandbox):
    """Sets where the places of the credit limit come from."""
    yield lambda source, own: sandbox.change_column("account", "creditlimit", precision_source=source, precision=own)
    sandbox.change_column("account", "creditlimit", precision_source=2, precision=2)


@pytest.mark.parametrize(
    ("source", "own", "currency", "on_the_wire"),
    [
        (0, 0, "EUR", b"12.0000"),
        (0, 4, "EUR", b"12.3456"),
        (0, 4, "JPY", b"12.3456"),
        (1, 0, "EUR", b"12.3460"),
        (1, 0, "JPY", b"12.3460"),
        (2, 4, "EUR", b"12.3500"),
        (2, 4, "JPY", b"12.0000"),
    ],
)
def test_an_amount_is_rounded_by_the_precision_that_its_column_names(
    sandbox, api, yen, precise, source, own, currency, on_the_wire
):
    precise(source, own)
    sandbox.update("organization", sandbox.organization_id, {"pricingdecimalprecision": 3})
    sandbox.update("account", FIRST_ACCOUNT, {"transactioncurrencyid": yen if currency == "JPY" else BASE_CURRENCY})
    assert api("PATCH", ROW, '{"creditlimit":12.34560}').status_code == 204
    assert b'"creditlimit":' + on_the_wire in api("GET", f"{ROW}?$select=creditlimit").content
    sandbox.update("organization", sandbox.organization_id, {"pricingdecimalprecision": 2})


def test_an_amount_is_rounded_again_when_its_currency_changes(sandbox, api, yen):
    sandbox.update("account", FIRST_ACCOUNT, {"creditlimit": "12.34", "transactioncurrencyid": POUND})
    bind = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({yen})"}
    assert api("PATCH", ROW, bind).status_code == 204
    assert sandbox.row("account", FIRST_ACCOUNT)["creditlimit"] == 12


def test_a_refused_create_loses_its_number(sandbox, api):
    sandbox.autonumber("account", "accountnumber", "N{}", first=7)
    assert api("POST", "accounts", {"name": "A", "statecode": 1, "statuscode": 1}).status_code == 400
    made = api("POST", "accounts", {"name": "B"}, Prefer="return=representation").json()
    sandbox.autonumber("account", "accountnumber", "")
    assert made["accountnumber"] == "N8"


def test_a_column_numbers_itself_where_nothing_was_sent(sandbox, api):
    sandbox.autonumber("account", "accountnumber", "ACC-{:05d}")
    bodies = [{"name": "A"}, {"name": "B", "accountnumber": "own"}, {"name": "C", "accountnumber": None}]
    made = [api("POST", "accounts", body, Prefer="return=representation").json() for body in bodies]
    sandbox.autonumber("account", "accountnumber", "")
    made.append(api("POST", "accounts", {"name": "D"}, Prefer="return=representation").json())
    assert [row["accountnumber"] for row in made] == ["ACC-01000", "own", "ACC-01001", None]
    api("PATCH", f"accounts({made[0]['accountid']})", {"accountnumber": None})
    assert sandbox.row("account", made[0]["accountid"])["accountnumber"] is None
