"""The sign-in service: what MSAL asks of login.microsoftonline.com, for one tenant and one application.

Source: learn, OAuth 2.0 client credentials flow; AADSTS error codes.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from receiver.sandbox.assertion import AssertionRefusedError, check_assertion
from receiver.sandbox.faults import Faults
from receiver.sandbox.settings import SandboxSettings
from receiver.sandbox.tokens import LIFETIME_SECONDS, Tokens

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class SignInRefusedError(Exception):
    """An answer of the token endpoint that is no token."""

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.code = code
        self.description = description


def sign_in(settings: SandboxSettings, tokens: Tokens, faults: Faults) -> Blueprint:
    """The routes below /<tenant>/."""
    pages = Blueprint("sign_in", __name__)

    @pages.get("/<tenant>/v2.0/.well-known/openid-configuration")
    def openid_configuration(tenant: str) -> ResponseReturnValue:
        _check_tenant(settings, tenant)
        authority = f"{request.host_url}{tenant}"
        return {
            "issuer": f"{authority}/v2.0",
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": f"{authority}/discovery/v2.0/keys",
            "response_types_supported": ["code", "token"],
        }

    @pages.post("/<tenant>/oauth2/v2.0/token")
    def token(tenant: str) -> ResponseReturnValue:
        _check_tenant(settings, tenant)
        _check_request(settings, tenant)
        _check_age(settings, faults)
        answer = {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS}
        return {**answer, "access_token": tokens.issue()}

    @pages.errorhandler(SignInRefusedError)
    def refused(problem: SignInRefusedError) -> ResponseReturnValue:
        return jsonify(_problem(settings, problem)), problem.status

    return pages


def _check_tenant(settings: SandboxSettings, tenant: str) -> None:
    if tenant != settings.tenant_id:
        raise SignInRefusedError(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")


def _check_request(settings: SandboxSettings, tenant: str) -> None:
    form = request.form
    if form.get("grant_type") != "client_credentials":
        raise SignInRefusedError(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
    if form.get("client_id") != settings.client_id:
        text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
        raise SignInRefusedError(400, "unauthorized_client", 700016, text)
    _check_proof(settings, tenant)
    resource, _, suffix = form.get("scope", "").rpartition("/.default")
    if suffix or urlsplit(resource).netloc != request.host:
        text = f"The resource principal named {resource} was not found in the tenant."
        raise SignInRefusedError(400, "invalid_resource", 500011, text)


def _check_proof(settings: SandboxSettings, tenant: str) -> None:
    form = request.form
    if form.get("client_assertion_type") == _JWT_BEARER:
        authority = f"{request.host_url}{tenant}"
        audiences = frozenset({f"{authority}/oauth2/v2.0/token", f"{authority}/v2.0"})
        assertion = form.get("client_assertion", "")
        try:
            check_assertion(assertion, settings.client_id, audiences, settings.now(), settings.client_certificate)
        except AssertionRefusedError as problem:
            raise SignInRefusedError(401, "invalid_client", 700027, str(problem)) from None
        return
    if not hmac.compare_digest(form.get("client_secret", "").encode(), settings.client_secret.encode()):
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client "
            f"secret value, not the client secret ID, for a secret added to app '{settings.client_id}'."
        )
        raise SignInRefusedError(401, "invalid_client", 7000215, text)


def _check_age(settings: SandboxSettings, faults: Faults) -> None:
    if "client_secret" in request.form and faults.strikes("expired_secret"):
        text = f"The provided client secret keys for app '{settings.client_id}' are expired."
        raise SignInRefusedError(401, "invalid_client", 7000222, text)


def _problem(settings: SandboxSettings, problem: SignInRefusedError) -> dict[str, Any]:
    trace, correlation = str(uuid4()), str(uuid4())
    at = settings.now().strftime("%Y-%m-%d %H:%M:%SZ")
    trail = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}"
    return {
        "error": problem.error,
        "error_description": f"AADSTS{problem.code}: {problem.description} {trail}",
        "error_codes": [problem.code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{request.host_url}error?code={problem.code}",
    }
