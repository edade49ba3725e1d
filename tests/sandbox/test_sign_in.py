"""MSAL signs in at the sandbox as it does at Entra ID, and tokens end when they should."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import time

import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from receiver.sandbox import Sandbox, SandboxSettings


def application(sandbox, credential):
    return msal.ConfidentialClientApplication(
        sandbox.client_id, authority=sandbox.authority, client_credential=credential, instance_discovery=False
    )


@pytest.fixture
def trusted(sandbox, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.ca_file))
    return sandbox


def test_msal_signs_in_with_the_client_secret_and_the_token_opens_the_web_api(trusted):
    with requests.Session() as session:
        app = msal.ConfidentialClientApplication(
            trusted.client_id,
            authority=trusted.authority,
            client_credential=trusted.client_secret,
            instance_discovery=False,
            http_client=session,
        )
        token = app.acquire_token_for_client([f"{trusted.api_url}/.default"])
        assert token["expires_in"] == 3599
        answer = session.get(
            f"{trusted.api_url}/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {token['access_token']}"}
        )
    assert answer.json()["OrganizationId"] == trusted.organization_id


def test_a_wrong_secret_is_refused_as_entra_id_refuses_it(trusted):
    with requests.Session() as session:
        app = msal.ConfidentialClientApplication(
            trusted.client_id,
            authority=trusted.authority,
            client_credential="wrong",
            instance_discovery=False,
            http_client=session,
        )
        answer = app.acquire_token_for_client([f"{trusted.api_url}/.default"])
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]
    assert answer["error_description"].startswith("AADSTS7000215: Invalid client secret provided.")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"client_id": "somebody-else"}, 400, 700016),
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_secret": None}, 401, 7000215),
        ({"grant_type": "password"}, 400, 70003),
        ({"scope": "https://elsewhere.example/.default"}, 400, 500011),
    ],
)
def test_the_token_endpoint_names_what_is_wrong(trusted, change, status, code):
    form = {
        "grant_type": "client_credentials",
        "client_id": trusted.client_id,
        "client_secret": trusted.client_secret,
        "scope": f"{trusted.api_url}/.default",
    } | change
    with requests.Session() as session:
        answer = session.post(f"{trusted.authority}/oauth2/v2.0/token", data=form)
    assert (answer.status_code, answer.json()["error_codes"]) == (status, [code])


def test_another_tenant_is_not_found(trusted):
    with requests.Session() as session:
        answer = session.get(f"{trusted.api_url}/elsewhere/v2.0/.well-known/openid-configuration")
    assert answer.json()["error"] == "invalid_tenant"


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic abc"])
def test_no_token_no_answer(api, authorization):
    api.session.headers["Authorization"] = authorization
    answer = api("GET", "WhoAmI")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_all_tokens_can_be_expired_and_a_new_one_works(sandbox, api):
    sandbox.expire_tokens()
    assert api("GET", "WhoAmI").status_code == 401
    api.sign_in()
    assert api("GET", "WhoAmI").status_code == 200


def test_a_token_ends_after_3599_seconds():
    clock = [dt.datetime(2026, 5, 1, tzinfo=dt.UTC)]
    with Sandbox(SandboxSettings(page_port=0, api_port=0, seeded=False, now=lambda: clock[0])) as sandbox:
        token = sandbox.organization.tokens.issue()
        clock[0] += dt.timedelta(seconds=3598)
        assert sandbox.organization.tokens.accepts(token)
        clock[0] += dt.timedelta(seconds=1)
        assert not sandbox.organization.tokens.accepts(token)


@pytest.fixture(scope="module")
def certificate():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("is_right", [True, False])
def test_msal_signs_in_with_a_certificate_that_is_checked(certificate, is_right, monkeypatch):
    private, public = certificate
    registered = public if is_right else other_certificate()
    der = x509.load_pem_x509_certificate(public)
    credential = {
        "private_key": private,
        "thumbprint": der.fingerprint(hashes.SHA1()).hex(),
        "public_certificate": public.decode(),
    }
    with (
        Sandbox(SandboxSettings(page_port=0, api_port=0, seeded=False, client_certificate=registered)) as sandbox,
        requests.Session() as session,
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.ca_file))
        app = msal.ConfidentialClientApplication(
            sandbox.client_id,
            authority=sandbox.authority,
            client_credential=credential,
            instance_discovery=False,
            http_client=session,
        )
        answer = app.acquire_token_for_client([f"{sandbox.api_url}/.default"])
    assert ("access_token" in answer) is is_right
    assert is_right or answer["error_codes"] == [700027]


def other_certificate():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hashlib.sha256(b"x").hexdigest()[:8])])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(2).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def unsigned(sandbox, **claims):
    good = {
        "iss": sandbox.client_id,
        "sub": sandbox.client_id,
        "aud": f"{sandbox.authority}/oauth2/v2.0/token",
        "exp": time.time() + 600,
    }
    parts = [{"alg": "RS256"}, good | claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    ("claims", "is_accepted"),
    [
        ({}, True),
        ({"iss": "somebody"}, False),
        ({"sub": "somebody"}, False),
        ({"aud": "https://elsewhere.example"}, False),
        ({"exp": 5}, False),
    ],
)
def test_without_a_registered_certificate_the_claims_of_an_assertion_decide(trusted, claims, is_accepted):
    form = {
        "grant_type": "client_credentials",
        "client_id": trusted.client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": unsigned(trusted, **claims),
        "scope": f"{trusted.api_url}/.default",
    }
    with requests.Session() as session:
        answer = session.post(f"{trusted.authority}/oauth2/v2.0/token", data=form)
    assert (answer.status_code == 200) is is_accepted


def test_an_assertion_that_is_no_jwt_is_refused(trusted):
    form = {
        "grant_type": "client_credentials",
        "client_id": trusted.client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "nonsense",
    }
    with requests.Session() as session:
        answer = session.post(f"{trusted.authority}/oauth2/v2.0/token", data=form)
    assert answer.json()["error_codes"] == [700027]
