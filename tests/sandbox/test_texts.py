"""Texts as Dataverse counts, keeps and compares them."""

from __future__ import annotations

import pytest

from receiver.sandbox import Sandbox, SandboxSettings
from receiver.sandbox.collation import Collation
from receiver.sandbox.seed import FIRST_ACCOUNT

HALF = "\ud83d"
WHOLE = "\U0001f600"
ACCOUNT = f"accounts({FIRST_ACCOUNT})"


def code(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.content else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 50, (204, None)),
        ("x" * 51, (400, "0x80044331")),
        (WHOLE * 25, (204, None)),
        (WHOLE * 26, (400, "0x80044331")),
        ("x" * 49 + WHOLE, (400, "0x80044331")),
        ("é" * 50, (204, None)),
        ("e\u0301" * 26, (400, "0x80044331")),
    ],
)
def test_a_length_is_counted_in_units_of_utf_16(api, text, expected):
    assert code(api("PATCH", ACCOUNT, {"fax": text})) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\r\nc", (204, None)),
        (f"a{WHOLE}b", (204, None)),
        ("a\x00b", (400, "0x80040278")),
        ("a\x08b", (400, "0x80040278")),
        (f"a{HALF}", (400, "0x80040278")),
        (f"{WHOLE[0]}{HALF} b", (400, "0x80040278")),
        ("\udc00", (400, "0x80040278")),
    ],
)
def test_no_client_writes_what_no_xml_can_hold(sandbox, api, text, expected):
    sandbox.update("account", FIRST_ACCOUNT, {"description": "before"})
    answer = api("PATCH", ACCOUNT, {"description": text})
    assert code(answer) == expected
    assert sandbox.row("account", FIRST_ACCOUNT)["description"] == (text if answer.ok else "before")
    if not answer.ok:
        assert "'description'" in answer.json()["error"]["message"]


def test_half_an_emoji_that_a_plug_in_left_is_sent_as_it_is(notifying, api, receiver):
    notifying.update("account", FIRST_ACCOUNT, {"fax": f"cut {HALF}"})
    assert b'"fax":"cut \\ud83d"' in api("GET", f"{ACCOUNT}?$select=fax").content
    assert api.get(f"{ACCOUNT}?$select=fax")["fax"] == f"cut {HALF}"
    assert notifying.settle()
    assert receiver.requests[-1].columns["fax"] == f"cut {HALF}"
    assert b"\\ud83d" in receiver.requests[-1].raw


def test_half_an_emoji_outlives_the_sandbox(tmp_path):
    settings = SandboxSettings(folder=tmp_path, page_port=0, api_port=0)
    with Sandbox(settings) as first:
        first.update("account", FIRST_ACCOUNT, {"fax": HALF})
    with Sandbox(settings) as second:
        assert second.row("account", FIRST_ACCOUNT)["fax"] == HALF


@pytest.mark.parametrize(
    ("condition", "is_found"),
    [
        ("name eq 'MÜLLER café'", True),
        ("name eq 'muller cafe'", True),
        ("name eq 'Müller Café   '", True),
        ("name eq ' Müller Café'", False),
        ("name ne 'muller CAFE '", False),
        ("Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['MULLER CAFE'])", True),
        ("Microsoft.Dynamics.CRM.NotIn(PropertyName='name',PropertyValues=['MULLER CAFE'])", False),
        ("startswith(name,'MUL')", True),
        ("endswith(name,'café')", True),
        ("contains(name,'ER CA')", True),
        ("contains(name,'cafe ')", False),
        ("startswith(name,'M%f')", True),
        ("startswith(name,'M_ller')", True),
        ("startswith(name,'M_er')", False),
        ("startswith(name,'M[uo]ller')", True),
        ("startswith(name,'M[^u]ller')", False),
        ("contains(name,'[%]')", False),
        ("contains(name,'%')", True),
        ("contains(name,'.')", False),
        ("name gt 'mullea' and name lt 'mullez'", True),
    ],
)
def test_texts_are_compared_as_the_database_does(sandbox, api, condition, is_found):
    row_id = sandbox.create("account", {"name": "Müller Café"})
    found = {row["accountid"] for row in api.get(f"accounts?$select=name&$filter={condition}")["value"]}
    assert (row_id in found) is is_found
    sandbox.delete("account", row_id)


@pytest.mark.parametrize(
    ("text", "part", "is_like"),
    [
        ("100%", "100[%]", True),
        ("100 x", "100[%]", False),
        ("a_b", "a[_]b", True),
        ("axb", "a[_]b", False),
        ("a[b", "a[[]b", True),
        ("a]b", "a]b", True),
        ("a[b", "a[b", True),
        ("a-b", "a[-x]b", True),
        ("acb", "a[b-d]b", True),
        ("a^b", "a[x^]b", True),
        ("a\\b", "a[\\]b", True),
        ("a.b", "a.b", True),
        ("axb", "a.b", False),
    ],
)
def test_a_part_in_brackets_stands_for_itself(text, part, is_like):
    found = Collation().pattern(part, before=False, after=False).fullmatch(Collation().shown(text))
    assert (found is not None) is is_like


@pytest.mark.parametrize(
    ("language", "one", "other", "are_equal"),
    [
        (1033, "Müller", "muller", True),
        (1031, "Müller", "muller", True),
        (1053, "Müller", "muller", False),
        (1053, "Müller", "MÜLLER", True),
        (1053, "Mu\u0308ller", "Müller ", True),
        (1033, "Straße", "STRASSE", True),
        (1033, "\uff21BC", "abc", True),
        (1033, "a b", "ab", False),
    ],
)
def test_the_base_language_decides_what_is_equal(language, one, other, are_equal):
    collation = Collation(language)
    assert (collation.key(one) == collation.key(other)) is are_equal


@pytest.mark.parametrize(("language", "expected"), [(1033, (412, "0x80060892")), (1053, (204, None))])
def test_alternate_keys_are_unique_as_the_database_compares(make_client, language, expected):
    with Sandbox(SandboxSettings(page_port=0, api_port=0, language=language)) as sandbox, make_client(sandbox) as api:
        sandbox.create("product", {"name": "One", "productnumber": "Muller-1"})
        assert code(api("POST", "products", {"name": "Two", "productnumber": "müller-1 "})) == expected
        assert code(api("POST", "products", {"name": "Three", "productnumber": "MULLER-1"})) == (412, "0x80060892")
        assert api.get("organizations?$select=languagecode")["value"][0]["languagecode"] == language


def test_rows_are_ordered_as_the_database_compares(sandbox, api):
    made = {
        sandbox.create("account", {"name": name, "address1_city": "Order"}): name for name in ("Zz", "éa", "Ea0", "eb")
    }
    found = api.get("accounts?$select=name&$filter=address1_city eq 'order'&$orderby=name")["value"]
    assert [row["name"] for row in found] == ["éa", "Ea0", "eb", "Zz"]
    for row_id in made:
        sandbox.delete("account", row_id)
