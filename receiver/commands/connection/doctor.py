"""Doctor: our side, the connection, and what is registered in Dataverse, looked at in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from sqlalchemy import func, select, text

from receiver import settings_file
from receiver.commands.connection import button, check_steps
from receiver.commands.connection.finding import Step, Verdict
from receiver.commands.connection.test_connection import test_connection
from receiver.dataverse.reach import NotReachedError, reach
from receiver.errors import ReceiverError, RefusedError
from receiver.inbox import webhook_keys
from receiver.registration.drift import Drift
from receiver.services import Services, unknown_table
from receiver.store import schema
from receiver.store.models import inbox, worker

WORKER_IS_LATE_AFTER = timedelta(seconds=60)
#: time to get a new certificate and to upload it
EXPIRES_SOON = timedelta(days=30)
_ALIVE = 200


@dataclass(frozen=True)
class Setup:
    """What the settings say, as far as it is looked at here."""

    lacking: tuple[str, ...]
    has_administrator: bool
    public_url: str
    certificate: Path | None
    settings_file: Path | None
    web_processes: int = 1


def examine(services: Services, setup: Setup) -> Iterator[Step]:
    """Each step as soon as it is known. A database that is away ends it: all the rest is asked of it."""
    yield _settings(setup)
    yield from _file(setup)
    yield from _proof(services, setup)
    try:
        schema.check(services.database)
    except ReceiverError as error:
        yield Step("Database", Verdict.FAILED, str(error), "Bring the database back, or run: receiver migrate")
        return
    yield Step("Database", Verdict.OK, "Reachable, and at this version's schema.")
    yield from _connections(services, setup)
    yield _worker(services)
    yield from _standing_still(services)
    yield _keys(services)
    yield _public_address(setup)
    found = test_connection(services)
    yield from found.steps
    if found.is_good:
        yield _looked("Steps", lambda: check_steps.check(services))
        yield _looked("Button", lambda: button.check(services, setup.public_url))


def _settings(setup: Setup) -> Step:
    if setup.lacking:
        return Step("Settings", Verdict.FAILED, f"Not set: {', '.join(setup.lacking)}.", "Run: receiver connect")
    if not setup.has_administrator:
        remedy = "Set RECEIVER_ADMIN_TOKEN, and start the receiver again."
        return Step("Settings", Verdict.WARNING, "Nobody can sign in to the pages as administrator.", remedy)
    return Step("Settings", Verdict.OK, "What a connection needs is set.")


def _file(setup: Setup) -> Iterator[Step]:
    path = setup.settings_file
    if path is None or not path.exists():
        return
    if settings_file.is_private(path):
        yield Step("Settings file", Verdict.OK, f"{path} is readable by its owner alone.")
    else:
        yield Step("Settings file", Verdict.WARNING, f"Others may read {path}.", f"chmod 600 {path}")


def _proof(services: Services, setup: Setup) -> Iterator[Step]:
    """How long the certificate or the secret is good for."""
    if setup.certificate is None:
        if "RECEIVER_CLIENT_SECRET" not in setup.lacking:
            said = "When the client secret expires cannot be seen from here."
            remedy = "Look under Certificates & secrets of the app registration, and note the day."
            yield Step("Client secret", Verdict.NOTE, said, remedy)
        return
    try:
        ends = x509.load_pem_x509_certificate(setup.certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        remedy = "Set RECEIVER_CLIENT_CERTIFICATE to a PEM file with private key and certificate."
        yield Step("Certificate", Verdict.FAILED, f"{setup.certificate} cannot be read: {error}", remedy)
        return
    left, remedy = ends - services.clock(), "Make a new one, upload it to the app registration, then replace the file."
    if left < timedelta():
        yield Step("Certificate", Verdict.FAILED, f"It expired on {ends:%Y-%m-%d}.", remedy)
    elif left < EXPIRES_SOON:
        yield Step("Certificate", Verdict.WARNING, f"It expires on {ends:%Y-%m-%d}, in {left.days} days.", remedy)
    else:
        yield Step("Certificate", Verdict.OK, f"It is good until {ends:%Y-%m-%d}.")


def _connections(services: Services, setup: Setup) -> Iterator[Step]:
    """Whether PostgreSQL takes as many connections as all processes may open."""
    if services.database.is_sqlite:
        return
    with services.database.reading() as connection:
        most = int(connection.execute(text("SHOW max_connections")).scalar_one())
        kept = int(connection.execute(text("SHOW superuser_reserved_connections")).scalar_one())
        fresh = worker.c.seen_at > services.clock() - WORKER_IS_LATE_AFTER
        workers = connection.execute(select(func.count()).select_from(worker).where(fresh)).scalar_one()
    pool = services.database.most_connections
    wanted = pool * (setup.web_processes + max(workers, 1))
    said = (
        f"{setup.web_processes} web process(es) and {max(workers, 1)} worker(s) open {pool} connections each at most, "
        f"{wanted} in all; PostgreSQL takes {most - kept}."
    )
    if wanted > most - kept:
        remedy = "Lower RECEIVER_POOL_SIZE or RECEIVER_WEB_PROCESSES, or raise max_connections."
        yield Step("Connections", Verdict.WARNING, said, remedy)
    else:
        yield Step("Connections", Verdict.OK, said)


def _worker(services: Services) -> Step:
    now = services.clock()
    with services.database.reading() as connection:
        seen = connection.execute(select(func.max(worker.c.seen_at))).scalar()
    if seen is None or now - seen > WORKER_IS_LATE_AFTER:
        when = f"Last seen at {seen:%Y-%m-%d %H:%M:%S} UTC." if seen else "None was ever seen."
        return Step("Worker", Verdict.FAILED, when, "Start one: receiver worker")
    return Step("Worker", Verdict.OK, f"Seen at {seen:%H:%M:%S} UTC.")


def _standing_still(services: Services) -> Iterator[Step]:
    with services.database.reading() as connection:
        standing = services.standing_still(connection)
    for one in standing.values():
        if one.is_enabled:
            yield Step(f"Mapping {one.name}", Verdict.FAILED, unknown_table(one))


def _keys(services: Services) -> Step:
    kept = webhook_keys.valid(services).values()
    with services.database.reading() as connection:
        last = connection.execute(select(func.max(inbox.c.received_at))).scalar()
    count, used = len(kept), [one.last_used_at for one in kept if one.last_used_at] + ([last] if last else [])
    if not count:
        remedy = "Run: receiver steps register, which makes one; or set RECEIVER_WEBHOOK_KEYS."
        return Step("Keys", Verdict.FAILED, "None is set: every notification is refused.", remedy)
    when = f"last used at {max(used):%Y-%m-%d %H:%M:%S} UTC" if used else "none was used yet"
    return Step("Keys", Verdict.OK, f"{count} set, {when}.")


def _public_address(setup: Setup) -> Step:
    name, url = "Public address", setup.public_url.rstrip("/")
    if not url:
        remedy = "Set RECEIVER_PUBLIC_URL to the address that Dataverse reaches, https://…"
        return Step(name, Verdict.WARNING, "RECEIVER_PUBLIC_URL is not set.", remedy)
    try:
        reached = reach(f"{url}/health/live")
    except NotReachedError as error:
        remedy = "Start the receiver and its proxy. From inside a network it may be closed; from outside it must not."
        return Step(name, Verdict.WARNING, f"{url}: {error}.", remedy)
    if reached.status != _ALIVE or "alive" not in reached.text:
        remedy = "Have the proxy hand everything on to the receiver (docs/setup.md has an example)."
        return Step(name, Verdict.FAILED, f"{url}/health/live answers {reached.status}, not the receiver.", remedy)
    return Step(name, Verdict.OK, f"{url} is the receiver.")


def _looked(name: str, check: Callable[[], list[Drift]]) -> Step:
    """What stands in Dataverse of ours; nothing is notified, or opened, without it, so a difference is a failure."""
    try:
        found = check()
    except RefusedError as error:
        return Step(name, Verdict.WARNING, str(error), "Do that, then run: receiver doctor")
    except ReceiverError as error:
        return Step(name, Verdict.FAILED, str(error), "Mend that, then run: receiver doctor")
    if found:
        remedies = dict.fromkeys(_spoken(one.remedy) for one in found)
        return Step(name, Verdict.FAILED, " ".join(one.words for one in found), "; ".join(remedies))
    return Step(name, Verdict.OK, "As they are wanted." if name == "Steps" else "As it is wanted.")


def _spoken(remedy: str) -> str:
    return f"Run: {remedy}" if remedy.startswith("receiver ") else remedy
