"""The sandbox as a program of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from receiver.sandbox import Sandbox, SandboxError, SandboxSettings, ServiceEndpoint, Step
from receiver.server.processes import stop_signal


def run_sandbox(
    folder: str, ports: tuple[int, int], receiver_url: str, steps_file: str | None = None, key: str = ""
) -> int:
    """Run until one of the usual signals; *ports* are of its pages and of its Web API. The exit code."""
    steps = json.loads(Path(steps_file).read_text()) if steps_file else []
    settings = SandboxSettings(
        folder=Path(folder),
        page_port=ports[0],
        api_port=ports[1],
        service_endpoint=ServiceEndpoint(f"{receiver_url}/dataverse/notifications", value=key) if steps else None,
        steps=tuple(map(Step.from_json, steps)),
    )
    stop = stop_signal()
    try:
        with Sandbox(settings) as sandbox:
            sys.stdout.write(_welcome(sandbox))
            sys.stdout.flush()
            stop.wait()
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _welcome(sandbox: Sandbox) -> str:
    """Where it is, and what of a real environment the app registration tells: how a receiver connects to it."""
    who = f"--tenant {sandbox.tenant_id} --client {sandbox.client_id}"
    return f"""The sandbox runs: {sandbox.page_url} (Web API {sandbox.api_url})

A receiver that shall trust its certificate is started with this in its environment:
  export REQUESTS_CA_BUNDLE={sandbox.ca_file.resolve()}
To connect it, with the client secret {sandbox.client_secret}:
  receiver connect --url {sandbox.api_url} {who} --authority {sandbox.authority}
"""
