"""The script behind the button: one JavaScript file whose only variable is the receiver's public address."""

from __future__ import annotations

import json
from base64 import b64encode
from importlib import resources
from urllib.parse import urlsplit

from receiver.errors import RefusedError

NAME, DISPLAY_NAME = "rcv_/business_central.js", "Business Central"
FUNCTION = "Rcv.open"
_ADDRESS = '"RECEIVER_PUBLIC_URL"'
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def script(public_url: str) -> str:
    """The web resource's text. Raises: RefusedError when people's browsers could not reach the address."""
    text = resources.files(__package__).joinpath("static/business_central.js").read_text(encoding="utf-8")
    assert text.count(_ADDRESS) == 1
    return text.replace(_ADDRESS, json.dumps(checked(public_url)))


def content(public_url: str) -> str:
    """The same as Dataverse keeps it, in base64. Raises: RefusedError."""
    return b64encode(script(public_url).encode()).decode()


def checked(public_url: str) -> str:
    """The address without a slash at its end.

    Raises: RefusedError. Sales is an https page: a browser opens nothing else from it, but on this machine.
    """
    if not public_url:
        raise RefusedError("The button has nowhere to lead: set RECEIVER_PUBLIC_URL to this receiver's address.")
    parts = urlsplit(public_url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if not is_safe or not parts.hostname or parts.query or parts.fragment:
        raise RefusedError(
            f"RECEIVER_PUBLIC_URL is “{public_url}”: an address https://… without ? and # was expected. "
            "Set it to this receiver's address as people's browsers reach it."
        )
    return public_url.rstrip("/")
