"""The captured bodies beside the checkout: where they are, and what they say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2].parent / "shared" / "payloads"
IS_THERE = FOLDER.is_dir()
WHY_NOT = "the captured payloads are not beside this checkout"


def body(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def parsed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body(name))
    return found


def names() -> set[str]:
    return {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json")}
