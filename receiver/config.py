"""Every setting: name, unit, default, meaning. The only reader of the environment, used by `create_app` alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from receiver.core.values import guid
from receiver.errors import SettingError
from receiver.settings_file import FILE as SETTINGS_FILE


def _setting(meaning: str, default: Any, read: Callable[[str], Any] = str) -> Any:
    return field(default=default, metadata={"meaning": meaning, "read": read})


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _trust(text: str) -> str:
    if text not in {"image", "read"}:
        raise ValueError("“image” or “read” was expected")
    return text


def _log_format(text: str) -> str:
    if text not in {"text", "json"}:
        raise ValueError("“text” or “json” was expected")
    return text


def _log_level(text: str) -> str:
    if text.lower() not in {"debug", "info", "warning", "error"}:
        raise ValueError("debug, info, warning or error was expected")
    return text.lower()


def _guid(text: str) -> str:
    found = guid(text)
    if found is None:
        raise ValueError("a guid was expected")
    return found


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("a number of at least 1 was expected")
    return number


def _switch(text: str) -> bool:
    return text.lower() in {"1", "yes", "on", "true"}


@dataclass(frozen=True)
class Settings:
    """All settings; each field is the environment variable RECEIVER_<NAME>."""

    database_url: str = _setting(
        "SQLAlchemy URL of the company's database. PostgreSQL in production.", "sqlite:///instance/receiver.sqlite"
    )
    webhook_keys: tuple[str, ...] = _setting(
        "Keys that Dataverse may send, comma-separated; several while one is being replaced.", (), _listed
    )
    webhook_key_header: str = _setting("Header, or query parameter, that carries the key.", "x-receiver-key")
    organization_id: str = _setting("Only this Dataverse organisation (guid); else the connection's own.", "")
    trust: str = _setting(
        "image: our own asynchronous step's image is the row. read: a notification is only a hint.", "image", _trust
    )
    ribbon_message: str = _setting("Unique name of the Custom API behind the button.", "rcv_OpenInBusinessCentral")
    dataverse_url: str = _setting("Environment, https://<org>.crm<n>.dynamics.com.", "")
    tenant_id: str = _setting("Microsoft Entra tenant (guid).", "")
    client_id: str = _setting("App registration (guid).", "")
    client_secret: str = _setting("Its secret; or RECEIVER_CLIENT_CERTIFICATE.", "")
    client_certificate: str = _setting("Path of a PEM file with private key and certificate.", "")
    authority: str = _setting("Sign-in address; default https://login.microsoftonline.com/<tenant>.", "")
    company_id: str = _setting(
        "Own company id (guid): on what we write where the environment has bcbi_companyid; empty: on nothing.",
        "",
        _guid,
    )
    owning_team: str = _setting(
        "Team (guid) that owns rows we create: the Team model. Empty: the Person model, by salesperson.", "", _guid
    )
    local_currency: str = _setting("ISO code of the local currency, which is blank on a record.", "EUR")
    admin_token: str = _setting("Signs in administrators. Without it the admin pages answer 403.", "")
    open_token: str = _setting("Signs in people who may open records and nothing else.", "")
    session_key: str = _setting("Secret that signs sessions; default: derived from the two tokens.", "")
    open_url: str = _setting("Where a coupled record opens: a URL with {mapping}, {table} and {key}.", "")
    sales_url: str = _setting(
        "Where a row opens in Sales: a URL with {table} and {id}; default the environment's own form.", ""
    )
    public_url: str = _setting("This receiver's address as Dataverse reaches it, for the steps.", "")
    worker_threads: int = _setting("Lanes a worker process works on at once.", 4, _count)
    lock_timeout_seconds: float = _setting(
        "How long work waits for a lock of another program's (PostgreSQL); then the record is busy, and tried again.",
        5.0,
        float,
    )
    statement_timeout_seconds: float = _setting(
        "How long one statement of the work may take (PostgreSQL); shorter than a lease. 0: as long as it likes.",
        60.0,
        float,
    )
    lease_seconds: int = _setting("How long a worker may hold a lane; longer than the longest call.", 120, _count)
    synchronous_first_read_seconds: float = _setting("First look at a row after a synchronous step.", 5.0, float)
    synchronous_second_read_seconds: float = _setting(
        "Second look, after Dataverse's longest transaction.", 150.0, float
    )
    longest_back_off_seconds: float = _setting("Cap of the back-off after transient errors.", 900.0, float)
    longest_pause_seconds: float = _setting("Cap of a pause that Dataverse asks for by Retry-After.", 900.0, float)
    requests_of_runs: int = _setting(
        "Requests that all workers together make for runs and catch-up in five minutes; Dataverse allows 6000 a user. "
        "0: no limit.",
        3000,
        int,
    )
    guard_records: int = _setting(
        "More conclusions of one kind at once (gone, a column blanked), and more than the next, wait for a person.",
        25,
        _count,
    )
    guard_percent: float = _setting("The same in percent of a mapping's couplings.", 1.0, float)
    guard_share_percent: float = _setting("However few they are, more than this share of them wait too …", 50.0, float)
    guard_share_from: int = _setting("… of a mapping with so many couplings and more.", 5, _count)
    largest_body_bytes: int = _setting("A larger notification is answered 413.", 1024 * 1024, _count)
    history_days: int = _setting("How long changes of records are remembered.", 365, _count)
    inbox_days: int = _setting("How long notifications that have ended are kept.", 90, _count)
    jobs_days: int = _setting(
        "How long jobs and their errors, ended tasks and changes of mappings are kept.", 365, _count
    )
    metrics_token: str = _setting(
        "Whoever sends it (Authorization: Bearer …) gets /metrics and the details of /health/ready.", ""
    )
    alert_url: str = _setting(
        "Where alerts are posted: what keeps a mapping from being in step, and its all-clear.", ""
    )
    alert_key: str = _setting("Signs alerts: X-Receiver-Signature is sha256= and the HMAC of the body.", "")
    heartbeat_url: str = _setting("Asked for each minute while all runs, so that silence is noticed there.", "")
    largest_backlog: int = _setting(
        "More notifications waiting than this are answered 503, until some are worked off. 0: no limit.", 0, int
    )
    least_free_disk_mb: int = _setting("With less space than this beside SQLite's file the door answers 503.", 50, int)
    pool_size: int = _setting("Database connections of a process; 0: as many as its threads need.", 0, int)
    log_format: str = _setting("text: a line an event. json: an object a line.", "text", _log_format)
    log_level: str = _setting("debug, info, warning or error.", "info", _log_level)
    tour: bool = _setting(
        "On in `make run` alone: a visitor without a session is the tour's salesperson.", False, _switch
    )
    instance: str = _setting("Folder of the tour.", "instance")

    @property
    def connection_is_set_up(self) -> bool:
        return not self.lacking_for_connection

    @property
    def lacking_for_connection(self) -> tuple[str, ...]:
        """The variables without which nobody can sign in."""
        needed = {
            "dataverse_url": bool(self.dataverse_url),
            "tenant_id": bool(self.tenant_id or self.authority),
            "client_id": bool(self.client_id),
            "client_secret": bool(self.client_secret or self.client_certificate),
        }
        return tuple(variable(name) for name, is_there in needed.items() if not is_there)


#: read where the server starts (gunicorn_conf.py), before there is an application
OF_THE_SERVER = {
    "RECEIVER_PORT": ("Port of the doors and pages.", "8000"),
    "RECEIVER_BIND": ("Address and port instead; 127.0.0.1:8000 where a proxy on the same machine ends TLS.", ""),
    "RECEIVER_METRICS_BIND": ("Address and port on which a worker answers /metrics and /health/ready, openly.", ""),
    "RECEIVER_METRICS_DIR": ("Folder in which the processes of one machine count together; default one's own.", ""),
    "RECEIVER_WEB_PROCESSES": ("Processes of the server on PostgreSQL; default one a processor.", ""),
    SETTINGS_FILE: (
        "File of settings, which `receiver connect` writes; the environment wins. Empty: none.",
        "instance/settings.env",
    ),
}
SECRETS = frozenset(
    {"webhook_keys", "client_secret", "admin_token", "open_token", "session_key", "metrics_token", "alert_key"}
)
#: what may stand in a file that RECEIVER_<NAME>_FILE names, as container engines hand secrets over
IN_FILES = SECRETS | {"database_url"}
#: what `receiver connect` asks for and keeps
CONNECTION = ("dataverse_url", "tenant_id", "client_id", "client_secret", "client_certificate", "authority")


def variable(name: str) -> str:
    return f"RECEIVER_{name.upper()}"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that *environment* says.

    Raises: SettingError naming the variable; the value is not repeated, since it may be a secret.
    """
    found: dict[str, Any] = {}
    for one in fields(Settings):
        text = environment.get(variable(one.name), "").strip() or _from_file(environment, one.name)
        if not text:
            continue
        try:
            found[one.name] = one.metadata["read"](text)
        except ValueError as error:
            raise SettingError(f"{variable(one.name)} cannot be understood: {error}.") from None
    return Settings(**found)


def _from_file(environment: Mapping[str, str], name: str) -> str:
    """A secret, or the database's URL, that stands in a file of its own. Raises: SettingError."""
    path = environment.get(f"{variable(name)}_FILE", "").strip() if name in IN_FILES else ""
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingError(f"{variable(name)}_FILE: {path} cannot be read: {said}.") from None


def example() -> Iterable[str]:
    """The lines of `.env.example`."""
    yield "# Every setting of the receiver. Printed by: receiver settings"
    names = ", ".join(variable(name) for name in sorted(IN_FILES))
    yield f"# In place of each of these, RECEIVER_…_FILE may name a file that holds it: {names}."
    for one in fields(Settings):
        default = "" if one.default in {(), ""} else one.default
        yield f"\n# {one.metadata['meaning']}"
        yield f"#{variable(one.name)}={default if not isinstance(default, bool) else ''}"
    for name, (meaning, usual) in OF_THE_SERVER.items():
        yield f"\n# {meaning}"
        yield f"#{name}={usual}"
