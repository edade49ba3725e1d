"""Where Dataverse is to send to, from the settings: what registering, checking and removing steps begin with."""

from __future__ import annotations

from urllib.parse import urlsplit

from receiver.errors import RefusedError
from receiver.registration.steps import Place
from receiver.services import Services

NAME = "receiver"
#: that of inbox/notification_door.py, which no command may import
DOOR = "/dataverse/notifications"
#: Dataverse registers no other
PORTS = {"http": 80, "https": 443}


def place_of(services: Services) -> Place:
    """Two companies in one environment have an endpoint each: then the name carries the company's id.

    Raises: RefusedError without an address that Dataverse could send to.
    """
    options = services.options
    url = options.public_url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment:
        said = f"it is “{url}”" if url else "it is empty"
        raise RefusedError(
            f"RECEIVER_PUBLIC_URL must be this receiver's address as Dataverse reaches it, https://…; {said}. "
            "Set it and start the command again."
        )
    name = f"{NAME} {options.company_id}" if options.company_id else NAME
    return Place(name, url + DOOR, options.webhook_key_header)


def doubt(place: Place) -> str:
    """What Dataverse itself will not like about the address; empty for nothing."""
    parts = urlsplit(place.url)
    if parts.port not in {None, PORTS[parts.scheme]}:
        return f"Dataverse sends to the ports 80 and 443 alone: {place.url} cannot be registered there."
    return "" if parts.scheme == "https" else f"{place.url} is not encrypted: whoever listens learns the key."
