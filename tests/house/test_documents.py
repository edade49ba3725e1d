"""What is written beside the code says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from receiver.commands.mappings.rules import LINES, decision_table
from receiver.config import SECRETS, Settings, example
from receiver.core.decision import Reason

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-fidelity.lock")


def test_the_rules_page_is_what_the_code_prints() -> None:
    assert (ROOT / "docs/rules.md").read_text() == decision_table() + "\n"


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
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]

    assert [link for page, link in links if not (page.parent / link).exists()] == []


def test_every_module_says_first_what_lives_there() -> None:
    modules = [path for path in (ROOT / "receiver").rglob("*.py") if path.read_text().strip()]
    silent = [path.name for path in modules if not path.read_text().startswith('"""')]

    assert silent == []
