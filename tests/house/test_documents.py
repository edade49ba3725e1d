"""What is written beside the code says what the code says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from receiver.commands.connection.answer_table import HEADINGS, answer_tables
from receiver.commands.mappings.rules import LINES, decision_table
from receiver.config import SECRETS, Settings, example
from receiver.core.decision import Reason
from receiver.dataverse.known_answers import KNOWN

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: where a file that is named without its folder is looked for
FOLDERS = ("", "receiver/", "tests/", "migrations/")
#: a Python file, or anything within the project's folders; not a part of an address, a module's name or a pattern
NAMED = re.compile(
    r"(?<![\w./*-])((?:[\w-]+/)*[\w-]+\.py|(?:receiver|tests|docs|benchmarks|migrations)/[\w./-]*[\w/])(?![\w*/])"
)
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-fidelity.lock", "requirements-sbom.lock")


def test_the_rules_page_is_what_the_code_prints() -> None:
    assert (ROOT / "docs/rules.md").read_text() == decision_table() + "\n"


def test_the_page_of_answers_holds_the_tables_that_the_code_prints() -> None:
    assert answer_tables() in (ROOT / "docs/answers.md").read_text()


def test_every_known_code_stands_in_the_table_of_its_class() -> None:
    _, *parts = answer_tables().split("### ")
    printed = {part.partition("\n")[0]: set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) for part in parts}

    assert printed == {
        heading: {code for code, known in KNOWN.items() if known.answer is answer}
        for answer, heading in HEADINGS.items()
    }


def test_every_reason_stands_in_the_rules() -> None:
    unsaid = {reason.name for reason in Reason if reason.what.format(mapping="the mapping") not in decision_table()}

    assert unsaid == set()


def test_no_situation_is_listed_twice() -> None:
    assert len({line.given for line in LINES}) == len(LINES)


def test_the_example_of_settings_is_what_the_code_prints() -> None:
    assert (ROOT / ".env.example").read_text() == "\n".join(example()) + "\n"


def test_every_secret_is_a_setting() -> None:
    assert set(Settings.__dataclass_fields__) >= SECRETS


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_has_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert re.search(r"https?://|file:|index-url|find-links", text) is None
    for package in re.split(r"\n(?=\S)", text):
        assert "--hash=sha256:" in package, package


def test_every_link_between_documents_leads_somewhere() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]

    assert [link for page, link in links if not (page.parent / link).exists()] == []


def named_files(page: Path) -> list[str]:
    return sorted(set(NAMED.findall(page.read_text())))


def is_there(name: str) -> bool:
    """A file or folder by its path, or a file by its bare name, whichever room it is in."""
    if any((ROOT / folder / name).exists() for folder in FOLDERS):
        return True
    return "/" not in name and any(any((ROOT / folder).rglob(name)) for folder in ("receiver", "tests"))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_file_that_a_document_names_is_there(page: Path) -> None:
    assert [name for name in named_files(page) if not is_there(name)] == []


def test_every_file_that_a_module_names_is_there() -> None:
    modules = sorted((ROOT / "receiver").rglob("*.py"))
    named = [(str(module.relative_to(ROOT)), name) for module in modules for name in named_files(module)]

    assert [(module, name) for module, name in named if name.endswith(".py") and not is_there(name)] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("read `lanes/ready.py`, then tests/flows.", ["lanes/ready.py", "tests/flows"]),
        (
            "`make test T=tests/crash/test_hostile.py` or `receiver/core/`",
            ["tests/crash/test_hostile.py", "receiver/core/"],
        ),
        ("https://example.com/docs/x.py, receiver/core/*, and ../tests/x.py", []),
    ],
)
def test_what_counts_as_the_name_of_a_file(text: str, names: list[str]) -> None:
    assert NAMED.findall(text) == names


def test_the_floors_in_the_architecture_are_those_of_the_contract() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    section = (ROOT / "docs/architecture.md").read_text().partition("## Who may import whom")[2]
    floors = [re.split(r" {2,}", line)[0] for line in section.split("```")[1].strip().splitlines()]

    assert floors == contract["layers"]


def test_every_module_says_first_what_lives_there() -> None:
    modules = [path for path in (ROOT / "receiver").rglob("*.py") if path.read_text().strip()]
    silent = [path.name for path in modules if not path.read_text().startswith('"""')]

    assert silent == []
