"""On a machine that has nothing yet, exactly what is locked is installed, whatever else the package index offers."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[2]
LOCK = "requirements-dev.lock"
NEWER = "9999.0"
#: the pip that came with Python 3.11.0
OLD_PIP = "22.3"
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
#: set RECEIVER_TEST_PIPS=all for every Python and pip that the machine has: `make nightly`
EVERY = os.environ.get("RECEIVER_TEST_PIPS") == "all"
ALL = [
    ("3.11", OLD_PIP),
    ("3.11", "its own"),
    ("3.11", "the newest"),
    ("3.12", "its own"),
    ("3.12", "the newest"),
    ("3.13", "its own"),
    ("3.13", "the newest"),
]
MACHINES = ALL if EVERY else [(THIS, OLD_PIP if THIS == "3.11" else "its own")]
#: what `make test` runs there: does what is installed work, too?
TESTS = "tests/core" if EVERY else "tests/core/test_values.py"


@dataclass(frozen=True)
class Python:
    program: str
    #: as 3.12.1
    version: str

    def marks(self) -> dict[str, str]:
        return {"python_full_version": self.version, "python_version": ".".join(self.version.split(".")[:2])}


def python(version: str) -> Python:
    """The machine's Python of this version: the one that runs the tests, one on the path, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
    for program in (sys.executable, shutil.which(f"python{version}"), *kept):
        said = program and run(
            [program, "-c", "import pip, venv, ensurepip, platform; print(platform.python_version())"]
        )
        if said and said.returncode == 0 and said.stdout.startswith(f"{version}."):
            return Python(str(program), said.stdout.strip())
    pytest.skip(f"this machine has no Python {version} with pip and venv")


def run(
    command: list[str], environment: Mapping[str, str] = os.environ, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def locked(text: str, marks: dict[str, str]) -> dict[str, str]:
    """Name and version of what a lock file wants of a Python."""
    wanted = (Requirement(line.rstrip(" \\")) for line in text.splitlines() if re.match(r"\w", line))
    return {
        canonicalize_name(one.name): next(iter(one.specifier)).version
        for one in wanted
        if one.marker is None or one.marker.evaluate(marks)
    }


# -- the index -------------------------------------------------------------------------------------------------------


def fetch(made_for: Python, folder: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    """From the index that the machine ordinarily uses."""
    command = [made_for.program, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    return run([*command, *wanted])


def offer_a_newer_one(wheel: Path) -> None:
    """A release that says of itself what the locked one says, extras and all, and is empty."""
    name = wheel.name.split("-")[0]
    with zipfile.ZipFile(wheel) as real:
        (metadata,) = [one for one in real.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", one)]
        said = re.sub(r"(?m)^Version: .*$", f"Version: {NEWER}", real.read(metadata).decode(), count=1)
    inside = f"{name}-{NEWER}.dist-info"
    tag = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel.with_name(f"{name}-{NEWER}-py3-none-any.whl"), "w") as invented:
        invented.writestr(f"{inside}/METADATA", said)
        invented.writestr(f"{inside}/WHEEL", tag)
        invented.writestr(f"{inside}/RECORD", "".join(f"{inside}/{one},,\n" for one in ("METADATA", "WHEEL", "RECORD")))


def write_pages(folder: Path) -> None:
    """A page for each project with a link for each wheel in *folder*, as PEP 503 has it."""
    for wheel in sorted(folder.glob("*.whl")):
        project = folder / "simple" / parse_wheel_filename(wheel.name)[0]
        project.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        with (project / "index.html").open("a") as page:
            page.write(f'<a href="../../{wheel.name}#sha256={digest}">{wheel.name}</a>\n')


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a machine that knows this index and no other."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        usual = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTEST_", "PYTHON", "VIRTUAL_ENV"))}
        yield {
            **usual,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple/",
            "PIP_NO_CACHE_DIR": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        server.shutdown()
        serving.join()


# -- the machine -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Machine:
    project: Path
    environment: dict[str, str]
    python: Python
    pip_version: str
    lock: dict[str, str]

    def dev(self, *words: str) -> subprocess.CompletedProcess[str]:
        """As make calls it."""
        return run([self.python.program, "dev.py", *words], self.environment, self.project)

    def pip(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = str(self.project / ".venv/bin/python")
        return run([program, "-m", "pip", "--disable-pip-version-check", *words], self.environment, self.project)

    def installed(self) -> dict[str, str]:
        listed = json.loads(self.pip("list", "--format", "json").stdout)
        return {canonicalize_name(one["name"]): one["version"] for one in listed}

    def lose_from_the_lock(self, name: str) -> None:
        text = (self.project / LOCK).read_text()
        left = re.sub(rf"(?m)^{name}==.*\n(?: +--hash=.*\n)+", "", text)
        assert len(left) < len(text)
        (self.project / LOCK).write_text(left)
        assert self.pip("uninstall", "--yes", name).returncode == 0


@contextmanager
def fresh_machine(version: str, wanted_pip: str) -> Iterator[Machine]:
    """It has a clone, an environment with nothing but the wanted pip, and an index that offers newer releases."""
    made_for = python(version)
    with TemporaryDirectory() as folder:
        project, offers, pips = (Path(folder) / name for name in ("project", "offers", "pips"))
        named = f"pip=={OLD_PIP}" if wanted_pip == OLD_PIP else "pip"
        found = fetch(made_for, pips, named, "--retries", "1")
        if found.returncode:
            pytest.skip(f"no package index answers here: {found.stderr.strip().splitlines()[-1]}")
        copy_to(project)
        found = fetch(made_for, offers, "--require-hashes", "-r", str(project / LOCK))
        assert found.returncode == 0, found.stderr
        wheels, lock = sorted(offers.glob("*.whl")), locked((project / LOCK).read_text(), made_for.marks())
        assert len(wheels) == len(lock)
        for wheel in wheels:
            offer_a_newer_one(wheel)
        write_pages(offers)
        (pip_wheel,) = pips.glob("*.whl")
        pip_version = make_environment(made_for, project, None if wanted_pip == "its own" else pip_wheel)
        assert wanted_pip in {"its own", "the newest", pip_version}
        with served(offers) as environment:
            yield Machine(project, environment, made_for, pip_version, lock)


def copy_to(project: Path) -> None:
    """What a clone of the repository has."""
    listed = run(["git", "-c", "safe.directory=*", "ls-files", "-z"])
    if listed.returncode:
        pytest.skip("this is no clone, so nobody can tell which files belong to the project")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)


def make_environment(made_for: Python, project: Path, wheel: Path | None) -> str:
    """A virtual environment with pip from *wheel*, or with the one that Python brings; pip's version."""
    environment, inside = project / ".venv", str(project / ".venv/bin/python")
    commands = [[made_for.program, "-m", "venv", str(environment)]]
    if wheel:
        commands.append([inside, "-m", "pip", "install", "--no-index", "--no-deps", str(wheel)])
    for command in commands:
        done = run(command)
        assert done.returncode == 0, done.stdout + done.stderr
    return run([inside, "-m", "pip", "--version"]).stdout.split()[1]


@pytest.mark.timeout(3600 if EVERY else 900)  # it installs all that a fresh machine installs
@pytest.mark.parametrize(("version", "wanted_pip"), MACHINES, ids=[f"Python {one}, pip {two}" for one, two in MACHINES])
def test_what_is_locked_is_installed_though_newer_releases_are_offered_and_a_gap_in_the_lock_is_told(
    version: str, wanted_pip: str
) -> None:
    with fresh_machine(version, wanted_pip) as machine:
        # the index tempts: who only names the packages gets none of the locked releases
        would = machine.pip("install", "--dry-run", "--no-deps", "--ignore-installed", *machine.lock)
        newer = re.findall(r"(\S+)-9999\.0(?!\S)", would.stdout.splitlines()[-1])
        assert {canonicalize_name(one) for one in newer} == set(machine.lock)
        if wanted_pip == OLD_PIP:  # and where something is resolved, it finds the newer one that has no hash
            resolved = machine.pip("install", "--dry-run", "--require-hashes", "-r", LOCK)
            assert resolved.returncode == 1
            assert "coverage[toml]" in resolved.stderr

        tested = machine.dev("test", TESTS)
        assert tested.returncode == 0, tested.stdout + tested.stderr
        assert tested.stdout.startswith(f"Installing what is locked in {LOCK}")
        ours = tomllib.loads((machine.project / "pyproject.toml").read_text())["project"]["version"]
        assert machine.installed() == {**machine.lock, "receiver": ours, "pip": machine.pip_version}
        assert machine.pip("check").returncode == 0
        assert machine.dev("python", "-V").stdout == f"Python {machine.python.version}\n"  # nothing is installed again

        machine.lose_from_the_lock("iniconfig")
        for _ in range(2):  # what failed is not taken for done
            refused = machine.dev("python", "-V")
            assert refused.returncode == 1
            assert "requires iniconfig, which is not installed." in refused.stdout
            assert refused.stderr.startswith("The packages could not be installed; pip says why above.")
