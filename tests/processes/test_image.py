"""What can be said of the image without an engine: what goes in, what comes along, who runs it, how it is asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from receiver.config import OF_THE_SERVER, SECRETS, Settings, variable

ROOT = Path(__file__).parents[2]
#: an instruction a line, as the builder reads it
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
COMPOSE = (ROOT / "compose.yaml").read_text()
PACKAGES = ("receiver", "migrations")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def copied() -> set[str]:
    """What the Dockerfile takes from the checkout."""
    words = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return {source for *sources, _ in words for source in sources}


def let_in() -> set[str]:
    return {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The receiver's wheel, made as the Dockerfile makes it: from what it copies and nothing else."""
    context, made = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("wheel")
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, context / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(made)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(context)], check=True)
    return zipfile.ZipFile(next(made.glob("receiver-*.whl")))


def test_the_wheel_has_every_file_of_its_packages(wheel: zipfile.ZipFile) -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("[!.]*") if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.parent.name != "__pycache__"}

    assert wanted - set(wheel.namelist()) == set()


@pytest.mark.parametrize(
    "pattern",
    [
        r"migrations/env\.py",
        r"migrations/script\.py\.mako",
        r"migrations/versions/0001_\w+\.py",
        r"receiver/py\.typed",
        r"receiver/admin/templates/base\.html",
        r"receiver/admin/static/receiver\.css",
        r"receiver/admin/static/vendor/\w+\.LICENSE\.txt",
        r"receiver/sandbox/templates/form\.html",
        r"receiver/sandbox/static/panel\.js",
    ],
)
def test_the_wheel_has_what_is_no_module(wheel: zipfile.ZipFile, pattern: str) -> None:
    assert [name for name in wheel.namelist() if re.fullmatch(pattern, name)] != []


def test_the_wheel_has_nothing_beside_its_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert "receiver = receiver.cli:main" in wheel.read(entry_points).decode()


def test_what_the_builder_gets_is_what_it_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().split()

    assert lines[0] == "*"
    assert let_in() == copied()
    assert {name for name in copied() if not (ROOT / name).exists()} == set()


def test_the_image_does_not_run_as_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)

    assert re.findall(r"^USER +(.*)$", stages[-1], re.MULTILINE) == ["10001:10001"]


def test_every_base_has_a_tag() -> None:
    assert [base for base in instructions("FROM") if not re.match(r"[\w./-]+:(?!latest)[\w.-]+", base)] == []


@pytest.mark.parametrize("secret", sorted(variable(name) for name in SECRETS))
def test_no_secret_stands_in_the_image_or_the_composition(secret: str) -> None:
    assert secret not in DOCKERFILE
    assert secret not in COMPOSE


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a port of its own that answers GET /health/live with *status*, and all else with 404."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/live" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def asked(port: int) -> int:
    """The exit code of the image's own health check; the environment names a proxy, as a company's may."""
    check = json.loads(instructions("HEALTHCHECK")[0].split("CMD", 1)[1])
    environment = {"RECEIVER_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run([sys.executable, *check[1:]], env=environment, capture_output=True, check=False).returncode


def test_the_health_check_is_green_while_the_process_answers() -> None:
    with answering(200) as port:
        assert asked(port) == 0


def test_the_health_check_is_red_for_any_other_answer() -> None:
    with answering(503) as port:
        assert asked(port) == 1


def test_the_health_check_is_red_when_nobody_answers() -> None:
    with answering(200) as port:
        pass

    assert asked(port) == 1


def test_every_variable_in_the_composition_is_one_that_is_read() -> None:
    settings = {variable(name) for name in Settings.__dataclass_fields__}
    servers = set(OF_THE_SERVER) | {"RECEIVER_HOST"}  # the proxy's own
    named = set(re.findall(r"RECEIVER_[A-Z_]+", COMPOSE))

    assert named - settings - servers == set()
    assert "RECEIVER_DATABASE_URL" in named


def test_the_password_in_the_composition_comes_from_outside() -> None:
    given = re.findall(r"^ +POSTGRES_PASSWORD: *(.*)$", COMPOSE, re.MULTILINE)
    in_addresses = re.findall(r"postgresql://receiver:(.*)@", COMPOSE)

    assert given == in_addresses == ["${POSTGRES_PASSWORD:?set it in .env}"]
