"""Notifications as Dataverse delivered them, with another image: what the sandbox's own rows do not come to say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from company import KEY, Company


def send_again(company: Company, **changed: Callable[[Any], Any] | object) -> None:
    """The newest delivery once more as a new one, whose image says something else: a value, or what is made of it."""
    assert company.sandbox.settle()
    body = json.loads(company.sandbox.deliveries[-1].body)
    body["OperationId"] = str(uuid.uuid4())
    for image in body["PostEntityImages"]:
        for pair in image["value"]["Attributes"]:
            if pair["key"] in changed:
                said = changed[pair["key"]]
                pair["value"] = said(pair["value"]) if callable(said) else said
    headers = {"x-receiver-key": KEY}
    # half a surrogate pair can only be said as JSON says it
    answer = company.app.test_client().post(
        "/dataverse/notifications", data=json.dumps(body), content_type="application/json", headers=headers
    )
    assert answer.status_code == 202


def later(days: int) -> Callable[[str], str]:
    """A `/Date(…)/` that so many days later."""
    return lambda date: f"/Date({int(date[6:-2]) + days * 86_400_000})/"
