"""What anybody may put into the button's address is answered in words, and leads nowhere else."""

from __future__ import annotations

import re

import pytest
from company import OPEN_TOKEN, Company
from scenarios.pairs import ACCOUNT

ADDRESSES = [
    f"/open/account%00/{ACCOUNT}",
    f"/open/%3Cscript%3Ealert(1)%3C%2Fscript%3E/{ACCOUNT}",
    f"/open/{'a' * 3000}/{ACCOUNT}",
    "/open/account/%3Cscript%3E",
    "/open/account/%00",
    "/open/account/..%2F..%2Fadmin",
    "/open/account/{a0000000-0000-4000-8000-00000000dead}",
    "/open/%F0%9F%98%80/a0000000-0000-4000-8000-00000000dead",
    f"/?page=5329&filter=%27CRMID:{{{ACCOUNT}}};CRMType:x%00%27",
]


@pytest.fixture
def visitor(company: Company):
    client = company.app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    assert token is not None
    client.post("/sign-in", data={"token": OPEN_TOKEN, "csrf_token": token[1]})
    return client


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_an_odd_address_is_answered_in_words(visitor, address: str) -> None:
    answer = visitor.get(address, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})

    assert answer.status_code in {302, 404, 409, 503}
    assert "<script>alert" not in answer.text
    assert answer.headers.get("Location", "/").startswith("/")


@pytest.mark.parametrize(
    "key", ["\0", "x" * 100_000, "' OR 1=1 --", "<script>alert(1)</script>"], ids=lambda key: ascii(key[:20])
)
def test_an_odd_record_to_couple_with_is_answered_in_words(visitor, company: Company, key: str) -> None:
    page = visitor.get("/sign-in").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    answer = visitor.post(f"/open/account/{ACCOUNT}", data={"couple_with": f"CUSTOMER:{key}", "csrf_token": token[1]})
    plain = visitor.post(f"/open/account/{ACCOUNT}", data={"couple_with": key, "csrf_token": token[1]})

    assert {answer.status_code, plain.status_code} <= {200, 302, 400, 404, 409, 503}
    assert "<script>alert" not in answer.text + plain.text
    assert company.coupling("CUSTOMER", ACCOUNT) is None
