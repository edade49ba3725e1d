"""Make the rules wrong in one small place at a time, and see whether their tests notice it.

mutmut makes the mutants of `receiver/core` and runs over each the tests in `tests/core` that reach its function, in a
process of its own. It chooses the mutant when the modules are loaded already, so what is made while they load (a
comparison in a table, say) looks as if it survived. Whatever survives is therefore written into the source, and all
of the quick tests run over that. Everything happens in a copy; docs/mutation.md has the figures.
"""

# ruff: noqa: T201  # it prints a table

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("receiver/core", "tests/core")
#: killed by a test, by a crash of pytest, or because it would have run for ever
KILLED = {"killed", "timeout"}
FLOOR = 95.0
#: a mutant that asks for more would take the machine with it
MEMORY = 4 << 30
#: seconds for a survivor's second run; a mutant may run for ever
PATIENCE = 120


def copy_to(folder: Path) -> None:
    """The rules and their tests. The package is empty otherwise: the rules need nothing of it."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "receiver/__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", folder)


def every_mutant() -> list[str]:
    """mutmut's names, made as `mutmut run` makes them."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    files = sorted(Path("receiver/core").glob("*.py"))
    return [
        get_mutant_name(file, name)
        for file in files
        for name in mutate_file_contents(str(file), file.read_text()).mutant_names
    ]


def chosen_of(names: list[str], asked: argparse.Namespace) -> list[str]:
    """A sample is drawn by name: a change of one function changes the choice among that function's mutants alone."""
    names = [name for name in names if asked.only in name]
    if asked.sample is None:
        return names
    return sorted(names, key=lambda name: sha256(f"{asked.seed} {name}".encode()).digest())[: asked.sample]


def run_mutmut(names: list[str], jobs: int) -> None:
    """Run *names*.

    They are named even when it is all of them: mutmut then proves, before it begins, that pytest finds each test by its
    id. A test that is not found would count as one that failed. Raises: SystemExit.
    """
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(jobs), *names]
    if sys.stdout.isatty():
        done = subprocess.run(command, check=False)
    else:
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout or ''}\nmutmut did not get through.")


def verdicts() -> dict[str, str]:
    from mutmut.stats import status_by_exit_code

    found = {}
    for kept in Path("mutants").rglob("*.meta"):
        codes = json.loads(kept.read_text())["exit_code_by_key"]
        found.update({name: status_by_exit_code[code] for name, code in codes.items()})
    return found


def survives_in_the_source(name: str, quick: list[str]) -> bool:
    from mutmut.mutation.diff_apply import apply_mutant, find_mutant

    source = Path(find_mutant(name).path)
    right = source.read_text()
    apply_mutant(name)
    command = [sys.executable, "-m", "pytest", "-x", "tests/core", *quick]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    finally:
        source.write_text(right)
    if done.returncode not in {0, 1, 2}:  # 2: it cannot even be loaded
        raise SystemExit(f"{done.stdout}{done.stderr}\npytest did not get through with {name}.")
    return done.returncode == 0


def file_of(name: str) -> str:
    return f"{name.split('.')[2]}.py"


def report(names: list[str], survivors: list[str]) -> float:
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    for name in survivors:
        changed = [line for line in get_diff_for_mutant(name).splitlines()[3:] if line[0] in "-+"]
        print(f"survived: {name}", *changed, sep="\n  ")
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name in names:
        counts[file_of(name)][name in survivors] += 1
    print(f"{'file':20}{'mutants':>8}{'killed':>8}{'survived':>10}{'score':>10}")
    for file, (killed, survived) in sorted(counts.items()):
        total = killed + survived
        print(f"{file:20}{total:8}{killed:8}{survived:10}{100 * killed / total:8.1f} %")
    return 100 * (len(names) - len(survivors)) / len(names)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many of the mutants, the same ones each time")
    parser.add_argument("--seed", type=int, default=1, help="chooses other ones")
    parser.add_argument(
        "--only", default="", help="mutants whose name has this word in it, as “filters” or “_transfer”"
    )
    parser.add_argument("--floor", type=float, default=FLOOR, help="the lowest score in %% that is no failure")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    asked = parser.parse_args()
    began = time.monotonic()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        copy_to(Path(folder))
        every = every_mutant()
        names = chosen_of(every, asked)
        if not names:
            raise SystemExit(f"No mutant's name has “{asked.only}” in it.")
        print(f"{len(names)} of {len(every)} mutants.", flush=True)
        run_mutmut(names, asked.jobs)
        from mutmut.configuration import config

        found = verdicts()
        quick = config().pytest_add_cli_args
        doubtful = [name for name in names if found[name] not in KILLED]
        survivors = [name for name in doubtful if survives_in_the_source(name, quick)]
        score = report(names, survivors)
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{len(names)} mutants, {len(names) - len(survivors)} killed, {len(survivors)} survived, score {score:.1f} %")
    if score < asked.floor:
        print(f"The score is below {asked.floor:.1f} %.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
