"""Sign-in to Dataverse by client credentials, through msal, whose token cache is the only one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msal
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from receiver.errors import DataverseUnreachableError, SignInError


class ClientCredentials:
    """One confidential client per process; made at the first token, since making it asks the authority.

    *certificate* is the path of a PEM file with private key and certificate. An *authority* set by hand is trusted
    as it is: msal does not ask Microsoft's directory whether it knows it.
    """

    def __init__(
        self, *, url: str, tenant: str, client: str, secret: str = "", certificate: str = "", authority: str = ""
    ) -> None:
        self._scope = f"{url.rstrip('/')}/.default"
        self._client_id = client
        self._credential: Any = secret or None
        self._certificate = certificate
        self._authority = authority or f"https://login.microsoftonline.com/{tenant}"
        self._discovers = not authority
        self._application: Any = None
        self._lock = threading.Lock()

    def token(self, *, fresh: bool = False) -> str:
        """A bearer token; *fresh* leaves the cached one aside.

        Raises: SignInError with the authority's own words; DataverseUnreachableError.
        """
        with self._lock:
            if self._application is None or fresh:
                self._application = self._connected()
            try:
                answer = self._application.acquire_token_for_client(scopes=[self._scope])
            except (OSError, ValueError) as error:
                raise DataverseUnreachableError(f"The sign-in address cannot be reached: {error}") from error
        if "access_token" not in answer:
            said = str(answer.get("error_description") or answer.get("error") or "no reason given").splitlines()[0]
            raise SignInError(f"Sign-in was refused: {said} Check tenant, client and secret or certificate.")
        return str(answer["access_token"])

    def _connected(self) -> Any:
        credential = self._credential or self._certificate_credential()
        try:
            return msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=credential,
                authority=self._authority,
                instance_discovery=None if self._discovers else False,
            )
        except (OSError, ValueError) as error:
            raise DataverseUnreachableError(f"The sign-in address cannot be reached: {error}") from error

    def _certificate_credential(self) -> dict[str, str]:
        pem = Path(self._certificate).read_bytes()
        thumbprint = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA1()).hex()  # noqa: S303  # what Entra names certificates by
        return {"private_key": pem.decode(), "thumbprint": thumbprint}
