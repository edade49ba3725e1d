"""An environment that is wrong in one way, and what the terminal says of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from receiver import create_app
from receiver.cli import receiver
from receiver.sandbox import Sandbox
from receiver.settings_file import overlaid


@dataclass
class Machine:
    """Where `receiver connect` is run: its environment and its folder."""

    folder: Path
    sandbox: Sandbox
    environment: dict[str, str] = field(default_factory=dict)
    ahead: timedelta = timedelta()

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.env"

    def run(self, *words: str, answers: str | None = None) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        app = create_app(self.environment, lambda: datetime.now(UTC) + self.ahead)
        try:
            result = app.test_cli_runner().invoke(receiver, list(words), input=answers)
        finally:
            app.extensions["receiver"].close()
        return result.exit_code, result.stdout, result.stderr

    def is_connected(self) -> bool:
        """Whether what is started here has a connection."""
        made = create_app(overlaid({**os.environ, **self.environment})).extensions["receiver"]
        made.close()
        return made.client is not None

    def steps(self, *words: str) -> dict[str, dict[str, str]]:
        """What each step found, by name."""
        _, output, trouble = self.run(*words, "--json")
        assert output, trouble
        return {step["name"]: step for step in json.loads(output)["steps"]}

    def options(self, **changed: str) -> list[str]:
        """The options of a connection that works, with some changed; an empty one is left out."""
        said = {
            "url": self.sandbox.api_url,
            "tenant": self.sandbox.tenant_id,
            "client": self.sandbox.client_id,
            "authority": self.sandbox.authority,
            **changed,
        }
        return [word for name, text in said.items() if text for word in (f"--{name}", text)]

    def secret(self, text: str | None = None) -> list[str]:
        path = self.folder / "secret"
        path.write_text(f"{self.sandbox.client_secret if text is None else text}\n")
        return ["--secret-file", str(path)]


def make_certificate(path: Path, days: int = 90) -> Path:
    """A PEM file with private key and certificate, good for so many days."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=99))
    certificate = builder.not_valid_after(now + timedelta(days=days, hours=1)).sign(key, hashes.SHA256())
    private: Any = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, private)
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path
