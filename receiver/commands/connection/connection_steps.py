"""The connection, step by step: what each step found, and what to do where it found something wrong.

`receiver connect`, *Test Connection*, `receiver doctor` and the page all ask here. What a step stands on comes before
it: after an address that does not answer nothing else is asked. Source: reference/dataverse.md §6.1, §6.9, §6.12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from receiver.catalogue.reading import read
from receiver.commands.connection.finding import Step, Verdict
from receiver.commands.connection.remedies import (
    IN_TIME,
    NO_PRIVILEGE,
    OF_OBSTACLES,
    OF_REFUSALS,
    OF_THIS_MACHINE,
    OTHER_TENANT,
    of_sign_in,
)
from receiver.commands.mappings.mapping_fit import misfits_of
from receiver.core.mapping import TableMapping
from receiver.dataverse.metadata import TableFacts, untracked
from receiver.dataverse.privileges import BUTTON, STEPS, Held, held_by, needed
from receiver.dataverse.reach import NotReachedError, Obstacle, Reached, reach
from receiver.errors import (
    DataverseError,
    DataverseUnreachableError,
    ReceiverError,
    SignInError,
    StoreUnavailableError,
)
from receiver.services import Services, described_in

#: a token, and a signed assertion, count from a moment on: clocks further apart refuse them
LARGEST_CLOCK_DIFFERENCE = 300
#: refused without a token, by Dataverse and by nobody else
PROBE = "/api/data/v9.2/WhoAmI"
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 401, 403, 429, 500


@dataclass
class Findings:
    """What the steps learnt of the environment on their way; None: not learnt."""

    organization_id: str = ""
    user_id: str = ""
    #: what is described of each table, by its name
    facts: dict[str, TableFacts] | None = None


def connection_steps(services: Services, mappings: list[TableMapping], found: Findings) -> Iterator[Step]:
    """Each step as soon as it is known. Raises: StoreUnavailableError."""
    if services.client is None:
        yield Step("Settings", Verdict.FAILED, "No connection to Dataverse is set up.", "Run: receiver connect")
        return
    for ask in (_reached, _signed_in):
        for step in ask(services, found):
            yield step
            if step.verdict is Verdict.FAILED:
                return
    rest: tuple[tuple[str, Callable[[], Step]], ...] = (
        ("Organisation", lambda: _organization(services, found)),
        ("Privileges", lambda: _privileges(services, mappings, found)),
        ("Change tracking", lambda: _change_tracking(services, mappings)),
        ("Columns", lambda: _columns(services, mappings, found)),
        ("Local currency", lambda: _currency(services)),
    )
    for name, look in rest:
        yield _looked(name, look)


def _looked(name: str, look: Callable[[], Step]) -> Step:
    """What the step says; a refusal of Dataverse's fails this step alone."""
    try:
        return look()
    except StoreUnavailableError:
        raise
    except ReceiverError as error:
        return Step(name, Verdict.FAILED, str(error), _remedy(error))


def _remedy(error: ReceiverError) -> str:
    if isinstance(error, SignInError):
        return of_sign_in(error.code)
    if isinstance(error, NotReachedError) and error.obstacle in OF_THIS_MACHINE:
        return OF_OBSTACLES[error.obstacle]
    if isinstance(error, DataverseUnreachableError):
        return OF_OBSTACLES[Obstacle.SILENT]
    if isinstance(error, DataverseError):
        of_status = {_UNAUTHORIZED: of_sign_in(OTHER_TENANT), _FORBIDDEN: NO_PRIVILEGE}
        return OF_REFUSALS.get(error.code, of_status.get(error.status, IN_TIME))
    return IN_TIME


# -- the way there ---------------------------------------------------------------------------------------------


def misspelled(url: str) -> tuple[str, str]:
    """What is wrong with an environment's address, and the remedy; both empty for a good one."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        host, right = parts.hostname or "", f"https://{parts.netloc}"
        _ = parts.port
    except ValueError:
        host, right = "", ""
    if not host or any(sign.isspace() for sign in url) or (host != "localhost" and "." not in host):
        return f"“{url}” is no address.", "It looks like https://contoso.crm4.dynamics.com: copy it from the browser."
    if parts.scheme != "https":
        return f"{url} is not an HTTPS address, and Dataverse answers no other.", f"Write it as {right}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return f"{url} is the address of a page, not of an environment.", f"Write it as {right}"
    return "", ""


def _reached(services: Services, _found: Findings) -> Iterator[Step]:
    """Address, TLS and clock: one request without a token."""
    url = services.dataverse.url
    wrong, remedy = misspelled(url)
    if wrong:
        yield Step("Address", Verdict.FAILED, wrong, remedy)
        return
    try:
        reached = reach(f"{url}{PROBE}")
    except NotReachedError as error:
        if error.obstacle is Obstacle.TLS:
            yield Step("Address", Verdict.OK, f"{url} answers.")
        name = "TLS" if error.obstacle is Obstacle.TLS else "Address"
        yield Step(name, Verdict.FAILED, f"{url}: {error}.", OF_OBSTACLES[error.obstacle])
        return
    is_dataverse = reached.status in {_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY} or reached.status >= _SERVER_ERROR
    if not is_dataverse:
        said = f"{url} answers, but not as Dataverse does (status {reached.status})."
        remedy = (
            "Copy the Environment URL: admin.powerplatform.microsoft.com → Manage → Environments → the environment."
        )
        yield Step("Address", Verdict.FAILED, said, remedy)
        return
    yield Step("Address", Verdict.OK, f"{url} answers.")
    yield Step("TLS", Verdict.OK, "The certificate is trusted.")
    yield _clock(services, reached)


def _clock(services: Services, reached: Reached) -> Step:
    if reached.at is None:
        return Step("Clock", Verdict.NOTE, "Dataverse did not say what time it is.")
    apart = round((services.clock() - reached.at).total_seconds())
    if abs(apart) <= LARGEST_CLOCK_DIFFERENCE:
        return Step("Clock", Verdict.OK, "Our clock agrees with Dataverse's to five minutes.")
    way = "ahead of" if apart > 0 else "behind"
    return Step(
        "Clock",
        Verdict.WARNING,
        f"Our clock is {abs(apart)} seconds {way} Dataverse's.",
        "Set this machine's clock by NTP (timedatectl set-ntp true): sign-in by certificate is refused otherwise.",
    )


# -- who we are ------------------------------------------------------------------------------------------------


def _signed_in(services: Services, found: Findings) -> Iterator[Step]:
    """Sign-in and application user: a token, and the first request that carries it."""
    client = services.dataverse
    signed_in = Step("Sign-in", Verdict.OK, "The authority gave us a token.")
    try:
        client.sign_in()
        yield signed_in
    except ReceiverError as error:
        yield Step("Sign-in", Verdict.FAILED, str(error), _remedy(error))
        return
    step = _looked("Application user", lambda: _application_user(services, found))
    yield step


def _application_user(services: Services, found: Findings) -> Step:
    found.organization_id, found.user_id = services.dataverse.who_am_i()
    return Step("Application user", Verdict.OK, f"We are user {found.user_id} there.")


def _organization(services: Services, found: Findings) -> Step:
    wanted = services.options.organization_id.lower()
    if wanted and wanted != found.organization_id:
        said = f"The environment is organisation {found.organization_id}, RECEIVER_ORGANIZATION_ID says {wanted}."
        remedy = "If this is the wrong environment, correct the address; else correct the setting, or leave it empty."
        return Step("Organisation", Verdict.FAILED, said, remedy)
    return Step("Organisation", Verdict.OK, f"The organisation is {found.organization_id}.")


# -- what we may do --------------------------------------------------------------------------------------------


def _privileges(services: Services, mappings: list[TableMapping], found: Findings) -> Step:
    held, wanted = held_by(services.dataverse, found.user_id), needed(mappings)
    missing = held.lacks(wanted)
    if missing:
        said = "; ".join(f"{name} is missing: {wanted[name]}" for name in missing)
        return Step("Privileges", Verdict.FAILED, f"{said}.", NO_PRIVILEGE)
    shallow = held.shallow(wanted)
    if shallow:
        said = f"Less than the whole organisation, or through a team only: {', '.join(shallow)}."
        remedy = "Give the application user its role directly, with the depth Organization: else it misses rows."
        return Step("Privileges", Verdict.WARNING, said, remedy)
    return _with_set_up(held, len(wanted))


def _with_set_up(held: Held, count: int) -> Step:
    missing = held.lacks((*STEPS, *BUTTON))
    if missing:
        said = f"All {count} that the mappings need. Steps and button cannot be set up with this user, without "
        said += f"{', '.join(missing)}."
        return Step(
            "Privileges",
            Verdict.NOTE,
            said,
            "Fine once they are there; else add the role Receiver Set-up (docs/role.md).",
        )
    return Step("Privileges", Verdict.OK, f"All {count} that the mappings need, and those for steps and button.")


# -- what the environment is like ------------------------------------------------------------------------------


def _tables(mappings: list[TableMapping]) -> list[str]:
    return sorted({mapping.dataverse_table for mapping in mappings})


def _change_tracking(services: Services, mappings: list[TableMapping]) -> Step:
    tables = _tables([mapping for mapping in mappings if mapping.is_enabled])
    off = untracked(services.dataverse, tables)
    if not off:
        return Step("Change tracking", Verdict.OK, f"On for {', '.join(tables) or 'no table'}.")
    return Step(
        "Change tracking",
        Verdict.WARNING,
        f"Off for {', '.join(off)}: a run does not see which rows were deleted, unless it asks for each.",
        "Switch it on: make.powerapps.com → Tables → the table → Properties → Advanced options → Track changes; save.",
    )


def _columns(services: Services, mappings: list[TableMapping], found: Findings) -> Step:
    tables = _tables(mappings)
    found.facts = read(services.dataverse, tables)
    told = [
        sentence
        for mapping in mappings
        if mapping.is_enabled
        for sentence in misfits_of(mapping, described_in(found.facts, mapping))
    ]
    if told:
        remedy = "Bring the columns back; else change the mappings: receiver mappings set --help"
        return Step("Columns", Verdict.WARNING, " ".join(told), remedy)
    return Step("Columns", Verdict.OK, f"Those that are mapped are there, in {', '.join(tables) or 'no table'}.")


def _currency(services: Services) -> Step:
    code = services.options.local_currency
    if services.dataverse.currency_of(code) is not None:
        return Step("Local currency", Verdict.OK, f"Dataverse has {code}.")
    remedy = f"Add {code} in Dataverse (Settings → Business → Currencies), or set RECEIVER_LOCAL_CURRENCY to yours."
    return Step("Local currency", Verdict.FAILED, f"Dataverse has no currency {code}.", remedy)
