#!/usr/bin/env python3
"""The bootstrap behind `make`: a virtual environment, the locked packages, then the command.

Standard library only, so that it runs on any Python 3.11+ before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
BIN = VENV / "bin"
FIDELITY = HERE / ".venv-fidelity"  # apart, because Microsoft's client and what it needs are large
RUN, SBOM = HERE / ".venv-run", HERE / ".venv-sbom"  # what is delivered and nothing else, and what lists it
LOCKS = {
    "run": HERE / "requirements.lock",
    "dev": HERE / "requirements-dev.lock",
    "fidelity": HERE / "requirements-fidelity.lock",
}
OLDEST = (3, 11)
#: the lock alone decides: nothing is resolved, and nothing is built with tools that the lock does not name
AS_LOCKED = ("--no-deps", "--require-hashes", "--only-binary=:all:")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-cache"),
    ("hadolint", "Dockerfile"),
    ("python", "styles/used.py", "--check"),
)


#: all tests, on as many processors as there are; a few are there sooner by themselves
SIDE_BY_SIDE = ("-n", "auto")


def main(arguments: list[str]) -> int:
    """Run *arguments*: `run`, `test [pytest's own]`, `fidelity`, `sbom`, `check`, `format`, `bench`, or a program."""
    if sys.version_info < OLDEST:
        return stop(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    command, *rest = arguments or ["help"]
    if command == "run":
        prepare("run")
        take_terminal()
        os.execv(BIN / "receiver", ["receiver", "tour", *rest])
    if command == "receiver":
        prepare("run")
        os.execv(BIN / "receiver", ["receiver", *rest])
    if command == "fidelity":
        prepare("fidelity", FIDELITY)
        return call("pytest", "tests/fidelity", *rest, venv=FIDELITY)
    if command == "sbom":
        return list_components()
    prepare("dev")
    if command == "test":
        return call("pytest", *(rest or SIDE_BY_SIDE))
    if command == "check":
        return max(call(*check) for check in CHECKS)
    if command == "format":
        return max(call("ruff", "check", "--fix", "."), call("ruff", "format", "."), call("python", "styles/used.py"))
    if command == "bench":
        return call("python", "-m", "benchmarks", *rest)
    return call(command, *rest)


def prepare(kind: str, venv: Path = VENV) -> None:
    """Make *venv* hold exactly what the lock of *kind* names; nothing is done when it already does.

    The development lock holds all of the other one, so an environment made for development serves both.
    """
    wanted = {name: stamp(lock) for name, lock in LOCKS.items()}
    done = venv / "installed"
    present = done.read_text().split() if done.exists() else []
    if wanted[kind] in present or wanted["dev"] in present:
        return
    if not (venv / "bin/python").exists():
        make_environment(venv)
    print(f"Installing what is locked in {LOCKS[kind].name} …", flush=True)
    pip(venv, "install", "--quiet", *AS_LOCKED, "-r", str(LOCKS[kind]))
    # quieter: setuptools has general advice for whoever installs this way
    pip(venv, "install", "-qq", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(HERE))
    pip(venv, "check")  # not quiet, or it would not say what is missing
    done.write_text(wanted[kind])


def list_components() -> int:
    """Write sbom.json (CycloneDX) of what is installed to run the receiver, and print each component's licence."""
    prepare("run", RUN)
    lock = HERE / "requirements-sbom.lock"
    done, wanted = SBOM / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not done.exists() or done.read_text() != wanted:
        make_environment(SBOM)
        pip(SBOM, "install", "--quiet", *AS_LOCKED, "-r", str(lock))
        done.write_text(wanted)
    made = HERE / "sbom.json"
    tool = ("cyclonedx-py", "environment", "--gather-license-texts", "--output-reproducible", "-o", str(made), str(RUN))
    if failed := call(*tool, venv=SBOM):
        return failed
    for one in sorted(json.loads(made.read_text())["components"], key=lambda one: one["name"]):
        named = [
            found.get("license", {}).get("id") or found.get("license", {}).get("name") or found.get("expression")
            for found in one.get("licenses", ())
        ]
        said = ", ".join(dict.fromkeys(name.partition("\n")[0] for name in named if name)) or "not said"
        print(f"{one['name']} {one['version']}: {said}")
    return 0


def stamp(lock: Path) -> str:
    """What an environment must have been made from: this lock, this project, this place."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())
    made_from = (project["build-system"], project["project"], project["tool"]["setuptools"], str(HERE))
    return hashlib.sha256(lock.read_bytes() + repr(made_from).encode()).hexdigest()


def take_terminal() -> None:
    """Become the terminal's foreground group: Ctrl-C stops the tour, and make has no interruption to report."""
    if not sys.stdin.isatty():
        return  # whoever started us sends the signal
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    except OSError:
        return  # a leader of a session stays one
    finally:
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def make_environment(venv: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False, capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        hint = "On Debian and Ubuntu: apt-get install python3-venv, then the same command again."
        raise SystemExit(stop(f"Python could not make a virtual environment in {venv}. {hint}\n{made.stdout}"))
    (venv / ".gitignore").write_text("*\n")  # as newer versions of venv do; linters then pass it by as well


def pip(venv: Path, *arguments: str) -> None:
    command = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    result = subprocess.run(command, check=False, cwd=HERE)
    if result.returncode:
        raise SystemExit(stop("The packages could not be installed; pip says why above. Run the command again."))


def call(*command: str, venv: Path = VENV) -> int:
    binaries = venv / "bin"
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}
    program = [str(binaries / command[0]), *command[1:]]
    return subprocess.run(program, check=False, cwd=HERE, env=environment).returncode


def stop(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
