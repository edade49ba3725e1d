"""The sandbox: a Dataverse on this machine."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--folder", default="instance/sandbox", show_default=True, help="Where it keeps its rows.")
@click.option("--port", envvar="SANDBOX_PORT", default=8001, show_default=True, help="Its pages, in plain HTTP.")
@click.option("--api-port", envvar="SANDBOX_API_PORT", default=8002, show_default=True, help="Its Web API, in HTTPS.")
@click.option("--receiver-url", default="http://localhost:8000", show_default=True, help="Where its notifications go.")
@click.option("--steps", "steps_file", type=click.Path(exists=True), help="What `receiver steps list --json` printed.")
@click.option("--key", envvar="SANDBOX_WEBHOOK_KEY", default="", help="Key that its notifications carry.")
def sandbox(folder: str, port: int, api_port: int, receiver_url: str, steps_file: str | None, key: str) -> None:
    """Run the sandbox alone: a Dataverse on this machine."""
    from receiver.server.sandbox_process import run_sandbox

    sys.exit(run_sandbox(folder, (port, api_port), receiver_url, steps_file, key))


COMMANDS = (sandbox,)
