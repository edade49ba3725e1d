"""A receiver to send to, sandboxes that send to it, and a signed-in client of the Web API."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from receiver.sandbox import Sandbox, SandboxSettings, ServiceEndpoint, Step, exact_json

IMAGE_COLUMNS = ["name", "creditlimit", "primarycontactid", "customertypecode", "telephone1", "versionnumber"]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self):
        return exact_json.loads(self.raw)

    @property
    def target(self):
        return next(pair["value"] for pair in self.body["InputParameters"] if pair["key"] == "Target")

    @property
    def columns(self):
        return {pair["key"]: pair["value"] for pair in self.target["Attributes"]}


@dataclass
class FakeReceiver:
    """Answers what `answers` says, first come first served, and 200 when it says nothing."""

    answers: list[int] = field(default_factory=list)
    seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    on_request: object = None
    url: str = ""

    def messages(self):
        return [request.body["MessageName"] for request in self.requests]

    def forget(self):
        self.requests.clear()
        self.answers.clear()
        self.seconds = 0.0
        self.on_request = None


@pytest.fixture(scope="session")
def _listening():
    fake = FakeReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["content-length"]))
            fake.requests.append(Request(self.path, dict(self.headers), raw))
            status = fake.answers.pop(0) if fake.answers else 200
            if fake.on_request:
                fake.on_request()
            time.sleep(fake.seconds)
            try:
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
            except OSError:
                pass

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver(_listening):
    _listening.forget()
    return _listening


def image_for(message):
    if message == "Delete":
        return {"type": "pre", "alias": "rcv_pre", "message_property_name": "Target", "attributes": IMAGE_COLUMNS}
    property_name = "Id" if message == "Create" else "Target"
    return {"type": "post", "alias": "rcv_post", "message_property_name": property_name, "attributes": IMAGE_COLUMNS}


def step(message, table="account", **more):
    return Step.from_json({"table": table, "message": message, "image": None, **more})


@pytest.fixture(scope="session")
def make_step():
    return step


@pytest.fixture(scope="module")
def sandbox(_listening):
    """One for the module; without steps until a test sets some."""
    endpoint = ServiceEndpoint(f"{_listening.url}/notifications", 5, "x-receiver-key", "swordfish")
    settings = SandboxSettings(
        page_port=0, api_port=0, service_endpoint=endpoint, retry_delay_seconds=0.01, attempt_timeout_seconds=0.5
    )
    with Sandbox(settings) as started:
        yield started


@pytest.fixture
def notifying(sandbox, receiver):
    """The sandbox with asynchronous steps on Create, Update and Delete of accounts, images included."""
    sandbox.settle()
    receiver.forget()
    sandbox.faults.clear()
    steps = [step(message, image=image_for(message)) for message in ("Create", "Update", "Delete")]
    sandbox.step_set([*steps, step("rcv_OpenInBusinessCentral", "none")])
    sandbox.organization.pipeline.deliveries.clear()
    yield sandbox
    sandbox.faults.clear()
    sandbox.settle()
    sandbox.step_set([])


class Client:
    """A signed-in session on the Web API."""

    def __init__(self, sandbox):
        self.session = requests.Session()
        self.session.verify = str(sandbox.ca_file)
        self.session.trust_env = False
        self.base = f"{sandbox.api_url}/api/data/v9.2/"
        self.sandbox = sandbox
        self.sign_in()

    def sign_in(self):
        form = {
            "grant_type": "client_credentials",
            "client_id": self.sandbox.client_id,
            "client_secret": self.sandbox.client_secret,
            "scope": f"{self.sandbox.api_url}/.default",
        }
        answer = self.session.post(f"{self.sandbox.authority}/oauth2/v2.0/token", data=form)
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def __call__(self, method, path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, (str, bytes)) else exact_json.dumps(body)
        url = path if path.startswith("https:") else self.base + path
        return self.session.request(method, url, data=data, headers=named, allow_redirects=False)

    def get(self, path, **headers):
        return exact_json.loads(self("GET", path, **headers).content)


@contextmanager
def signed_in(sandbox):
    client = Client(sandbox)
    yield client
    client.session.close()


@pytest.fixture(scope="session")
def make_client():
    """For a test's own sandbox: `with make_client(sandbox) as api`."""
    return signed_in


@pytest.fixture
def api(sandbox):
    with signed_in(sandbox) as client:
        yield client
