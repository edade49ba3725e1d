"""Sign-in to Dataverse by client credentials, through msal, whose token cache is the only one."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from receiver.dataverse.reach import TIMEOUT, NotReachedError, told
from receiver.errors import SignInError

#: what the authority says of a tenant it does not know; msal tells it without a code
UNKNOWN_TENANT = "AADSTS90002"
#: our own: the certificate's file cannot be used
CERTIFICATE_FILE = "certificate file"
_CODE = re.compile(r"AADSTS\d+")
_TRAIL = re.compile(r"\s*Trace ID:.*", re.DOTALL)


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

        Raises: SignInError with the authority's own words and code; DataverseUnreachableError.
        """
        with self._lock:
            if self._application is None or fresh:
                self._application = self._connected()
            try:
                answer = self._application.acquire_token_for_client(scopes=[self._scope])
            except (OSError, ValueError) as error:
                raise self._not_reached(error) from error
        if "access_token" not in answer:
            raise _refusal(answer)
        return str(answer["access_token"])

    def _connected(self) -> Any:
        credential = self._credential or self._certificate_credential()
        try:
            return msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=credential,
                authority=self._authority,
                instance_discovery=None if self._discovers else False,
                timeout=TIMEOUT,  # msal itself would wait for ever
            )
        except OSError as error:
            raise self._not_reached(error) from error
        except ValueError as error:
            said = f"Sign-in was refused: {self._authority} is no tenant's sign-in address."
            raise SignInError(said, UNKNOWN_TENANT) from error

    def _not_reached(self, error: Exception) -> NotReachedError:
        obstacle, words = told(error)
        return NotReachedError(obstacle, f"The sign-in address {self._authority} cannot be reached: {words}.")

    def _certificate_credential(self) -> dict[str, str]:
        try:
            pem = Path(self._certificate).read_bytes()
            certificate = x509.load_pem_x509_certificate(pem)
            serialization.load_pem_private_key(pem, None)
        except (OSError, ValueError, TypeError) as error:
            why = (error.strerror if isinstance(error, OSError) else "") or str(error).partition(" See https")[0]
            said = f"The certificate {self._certificate or '(none is set)'} cannot be used: {why.rstrip('.')}."
            raise SignInError(said, CERTIFICATE_FILE) from error
        thumbprint = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303  # Entra finds a certificate by it; it protects nothing
        return {"private_key": pem.decode(), "thumbprint": thumbprint}


def _refusal(answer: Mapping[str, Any]) -> SignInError:
    told = str(answer.get("error_description") or answer.get("error") or "no reason given")
    code = _CODE.search(told)
    said = _TRAIL.sub("", told.splitlines()[0])
    return SignInError(f"Sign-in was refused: {said}", code[0] if code else "")
