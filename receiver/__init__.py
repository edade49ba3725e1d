"""The receiver: keeps a company's own SQL database coupled and synchronized with Dataverse.

`create_app` is the composition root: it reads the settings, makes what procedures work with, and hangs the ways in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from flask import Flask

from receiver.config import Settings, read_settings
from receiver.dataverse.auth import ClientCredentials
from receiver.dataverse.client import DataverseClient
from receiver.inbox.storing import write_group
from receiver.services import Options, Services
from receiver.settings_file import overlaid
from receiver.store.database import Database, TimeOuts
from receiver.store.group_commit import GroupCommit
from receiver.store.wake import Waker


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(environment: Mapping[str, str] | None = None, clock: Callable[[], datetime] = _now) -> Flask:
    """The WSGI application; its services are in `app.extensions["receiver"]`.

    Raises: SettingError.
    """
    from receiver import admin, cli, web
    from receiver.web import sign_in

    settings = read_settings(overlaid(os.environ) if environment is None else environment)
    app = Flask(__name__, template_folder="admin/templates", static_folder="admin/static")
    app.extensions["receiver"] = make_services(settings, clock)
    app.extensions["receiver_settings"] = settings
    app.config["SALES_FORM_URL"] = settings.sales_url
    sign_in.init_app(app, settings)
    web.init_app(app, settings)
    admin.init_app(app, settings)
    cli.init_app(app)
    return app


def make_services(settings: Settings, clock: Callable[[], datetime] = _now) -> Services:
    time_outs = TimeOuts(settings.lock_timeout_seconds, settings.statement_timeout_seconds)
    pool_size = settings.pool_size or max(settings.worker_threads + 8, 18)
    database = Database(settings.database_url, pool_size, time_outs)
    services = Services(
        database=database,
        client=None,
        clock=clock,
        waker=Waker(database),
        notifications=GroupCommit(database, write_group),
        options=_options(settings),
    )
    return services.connected(client_of(settings, services)) if settings.connection_is_set_up else services


def _options(settings: Settings) -> Options:
    names = Options.__dataclass_fields__
    return Options(**{name: getattr(settings, name) for name in names})


def client_of(settings: Settings, services: Services) -> DataverseClient:
    credentials = ClientCredentials(
        url=settings.dataverse_url,
        tenant=settings.tenant_id,
        client=settings.client_id,
        secret=settings.client_secret,
        certificate=settings.client_certificate,
        authority=settings.authority,
    )
    return DataverseClient(settings.dataverse_url, credentials, services.gatekeeper)
