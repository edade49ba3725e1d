"""Many-to-many relationships that a client may follow: a user's profiles and teams, a team's profiles.

A new one is one line in `_ASSOCIATIONS`. Source: DP/reference/entities/systemuser, team.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from receiver.sandbox.column_security import PROFILE
from receiver.sandbox.organization import Organization
from receiver.sandbox.seed import APPLICATION_USER
from receiver.sandbox.storage import Row
from receiver.sandbox.web_api import privileges, reading
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.resource import Resource, id_by_key


def _profiles(organization: Organization, user_id: str) -> list[Row]:
    """The application user is a member of every profile that the sandbox keeps, other people of none."""
    return organization.store.rows(PROFILE) if user_id == APPLICATION_USER else []


def _none(_: Organization, __: str) -> list[Row]:
    return []


#: table and navigation property -> the table it leads to, and its rows
_ASSOCIATIONS: dict[tuple[str, str], tuple[str, Callable[[Organization, str], list[Row]]]] = {
    ("systemuser", "systemuserprofiles_association"): (PROFILE, _profiles),
    ("systemuser", "teammembership_association"): ("team", _none),
    ("team", "teamprofiles_association"): (PROFILE, _none),
}


def is_asked(asked: Asked, resource: Resource) -> bool:
    table = asked.organization.schema.entity_set(resource.name)
    is_one = len(resource.rest) == 1 and (table.name, resource.rest[0]) in _ASSOCIATIONS
    return asked.method == "GET" and resource.is_row and is_one


def answer(asked: Asked, resource: Resource) -> Response:
    """Raises ApiError."""
    organization = asked.organization
    table = organization.schema.entity_set(resource.name)
    privileges.require(organization, "Read", table)
    other, rows = _ASSOCIATIONS[table.name, resource.rest[0]]
    found = rows(organization, id_by_key(organization, table, resource.key or ""))
    return reading.few(asked, organization.schema.table(other), found)
