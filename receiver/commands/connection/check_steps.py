"""Check that Dataverse's registration is what the mappings of today want; what was found is remembered."""

from __future__ import annotations

from receiver.commands.connection.endpoint_place import place_of
from receiver.commands.connection.register_steps import outdated_tables, registered_key, wanted_steps
from receiver.inbox import webhook_keys
from receiver.registration.drift import Drift, drifts
from receiver.registration.registered import registered
from receiver.services import Services
from receiver.store import door_refusals, registrations
from receiver.store.registrations import LastCheck


def check(services: Services) -> list[Drift]:
    """Every difference, in words; none when all is well.

    Raises: RefusedError without an address; what Dataverse and the database raise.
    """
    place = place_of(services)
    described, _ = wanted_steps(services)
    with services.database.reading() as connection:
        enabled = [one for one in services.mappings(connection).values() if one.is_enabled]
    by_table: dict[str, list[str]] = {}
    for one in enabled:
        by_table.setdefault(one.dataverse_table, []).append(one.name)
    now = registered(services.dataverse, place)
    found = list(drifts(place, now, described, by_table))
    if now.has_key and (given := registered_key(services)) and given not in webhook_keys.valid(services):
        words = f"The service endpoint sends the key {given[:12]}, which is not valid here any more."
        found.append(Drift(words, mappings=tuple(one.name for one in enabled)))
    with services.database.reading() as connection:
        refused_since = door_refusals.key_since(connection, services.clock())
    if now.has_key and refused_since is not None:
        words = (
            f"Requests without a valid key have been refused since {refused_since:%Y-%m-%d %H:%M:%S} UTC, and none "
            "with our key has come since: the endpoint may have been given another."
        )
        found.append(Drift(words, mappings=tuple(one.name for one in enabled)))
    plain = [{"words": one.words, "remedy": one.remedy, "mappings": list(one.mappings)} for one in found]
    with services.database.writing() as connection:
        registrations.remember_check(connection, LastCheck(services.clock(), plain))
    return found


def hint(services: Services) -> str:
    """One sentence for a page, without asking Dataverse; empty when nothing is known to be wrong."""
    outdated = outdated_tables(services)
    if outdated:
        return (
            f"The images of {', '.join(outdated)} are outdated: rows are read until the steps are registered again "
            "(receiver steps register)."
        )
    with services.database.reading() as connection:
        last = registrations.last_check(connection)
    if last is None or not last.drifts:
        return ""
    more = f" And {len(last.drifts) - 1} more." if len(last.drifts) > 1 else ""
    words = str(last.drifts[0]["words"]).rstrip(".")
    return f"Steps, as of {last.checked_at:%Y-%m-%d %H:%M} UTC: {words}.{more} All of it: receiver steps check"
