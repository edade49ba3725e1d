"""Reads a client assertion: a JWT by which an application proves itself with a certificate.

Source: learn, Microsoft identity platform application authentication certificate credentials.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate


class AssertionRefusedError(Exception):
    """The assertion proves nothing; the text says why."""


def check_assertion(
    assertion: str, client_id: str, audiences: frozenset[str], now: datetime, certificate: bytes | None
) -> None:
    """Checks claims, and the signature when a certificate (PEM) is known. Raises AssertionRefusedError."""
    try:
        head, body, signature = assertion.split(".")
        header, claims = _part(head), _part(body)
    except (ValueError, binascii.Error):
        raise AssertionRefusedError("The client assertion is no JWT.") from None
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefusedError("Issuer and subject of the assertion must be the application.")
    if claims.get("aud") not in audiences:
        raise AssertionRefusedError("The audience of the assertion must be the token endpoint.")
    expiry = claims.get("exp")
    if not isinstance(expiry, (int, float)) or expiry <= now.timestamp():
        raise AssertionRefusedError("The assertion is not within its valid time range.")
    if certificate is not None:
        _check_signature(f"{head}.{body}".encode(), _decoded(signature), header.get("alg"), certificate)


def _check_signature(signed: bytes, signature: bytes, algorithm: Any, certificate: bytes) -> None:
    key = load_pem_x509_certificate(certificate).public_key()
    pads: dict[str, padding.AsymmetricPadding] = {
        "RS256": padding.PKCS1v15(),
        "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
    }
    if not isinstance(key, rsa.RSAPublicKey) or algorithm not in pads:
        raise AssertionRefusedError("Only RS256 and PS256 are understood.")
    try:
        key.verify(signature, signed, pads[algorithm], hashes.SHA256())
    except InvalidSignature:
        raise AssertionRefusedError("The signature was not made with the registered certificate.") from None


def _part(text: str) -> dict[str, Any]:
    part = json.loads(_decoded(text))
    if not isinstance(part, dict):
        raise ValueError("no object")
    return part


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
