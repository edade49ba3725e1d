"""What a sandbox is started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from receiver.sandbox.collation import ENGLISH
from receiver.sandbox.limits import Limits
from receiver.sandbox.steps import Step

WEBHOOK_KEY = 4
HTTP_HEADER = 5
HTTP_QUERY = 6


@dataclass(frozen=True)
class ServiceEndpoint:
    """Where notifications go, and what proves them. `auth_type` is 4 WebhookKey, 5 HttpHeader or 6 HttpQueryString.

    Source: DP/reference/entities/serviceendpoint.md.
    """

    url: str
    auth_type: int = HTTP_HEADER
    name: str = "x-receiver-key"
    value: str = ""

    @property
    def stored_value(self) -> str:
        """The authvalue of a registration: the bare key, or XML settings."""
        if self.auth_type == WEBHOOK_KEY:
            return self.value
        settings = ET.Element("settings")
        ET.SubElement(settings, "setting", {"name": self.name, "value": self.value})
        return ET.tostring(settings, encoding="unicode")


@dataclass(frozen=True)
class SandboxSettings:
    """Ports of 0 mean any free port; no folder means that nothing outlives `stop()`."""

    folder: Path | None = None
    page_port: int = 8001
    api_port: int = 8002
    host: str = "127.0.0.1"
    organization_id: str = "0d000000-0000-4000-8000-000000000001"
    tenant_id: str = "7e000000-0000-4000-8000-000000000001"
    client_id: str = "c1000000-0000-4000-8000-000000000001"
    client_secret: str = "sandbox-secret"  # noqa: S105 - made up, and it opens nothing but the sandbox
    client_certificate: bytes | None = None
    """PEM; when given, a client assertion must be signed with its key."""
    service_endpoint: ServiceEndpoint | None = None
    steps: tuple[Step, ...] = ()
    seeded: bool = True
    with_company_id: bool = False
    language: int = ENGLISH
    """The base language, as a Windows locale: it decides how texts are compared."""
    versionnumber_in_images: bool = True
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    attempt_timeout_seconds: float = 60.0
    retry_delay_seconds: float = 0.5
    delivery_threads: int = 8
    log_length: int = 10_000
    limits: Limits | None = None
    """Service protection; without it nobody is refused."""
    organization_host: str = "localhost"
    """What x-ms-dynamics-organization says."""
