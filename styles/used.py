"""Make the pages' framework style sheet: of `tabler.min.css` only what the templates use, a twentieth of it.

Run: .venv/bin/python styles/used.py            writes receiver/admin/static/vendor/tabler.css (`make format` does)
     .venv/bin/python styles/used.py --check    says whether it is as it would be written (`make check` does)

A selector stays if every class, id and element that it names stands as a word in a template, in a script or in the
pages' Python. Of the custom properties those stay that something uses.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGES = HERE.parent / "receiver" / "admin"
MADE = PAGES / "static" / "vendor" / "tabler.css"
HEAD = "/* Made by styles/used.py out of @tabler/core, dist/css/tabler.min.css. MIT: styles/tabler.LICENSE.txt */\n"
#: the pages have one theme and one reading direction
NEVER = re.compile(r"\[data-bs-theme=\W?dark|\[dir=\W?rtl|:-moz|::-moz|-webkit-scrollbar")
NAMED = re.compile(r"[.#]((?:\\.|[\w-])+)|(?<![\w.#:\\-])([a-z][a-z0-9]*)(?![\w(-])")
VARIABLE = re.compile(r"var\((--[\w-]+)")


def main(arguments: list[str]) -> int:
    css = made((HERE / "tabler.min.css").read_text(encoding="utf-8"), used_words())
    if "--check" not in arguments:
        MADE.write_text(css, encoding="utf-8")
        return 0
    if not MADE.exists() or MADE.read_text(encoding="utf-8") != css:
        sys.stderr.write(f"{MADE.relative_to(HERE.parent)} is not what the templates use. Run: make format\n")
        return 1
    return 0


def used_words() -> set[str]:
    places = [*PAGES.rglob("*.html"), *PAGES.glob("*.py"), PAGES / "static" / "receiver.js"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in places)
    return set(re.findall(r"[A-Za-z][\w-]*", text)) | {"html", "body", "root"}


def made(css: str, words: set[str]) -> str:
    rules = list(_kept(css, words))
    others = (PAGES / "static" / "receiver.css").read_text(encoding="utf-8")
    while True:
        wanted = set(VARIABLE.findall("".join(rules) + others))
        fewer = [_with_variables(rule, wanted) for rule in rules]
        if fewer == rules:
            break
        rules = fewer
    text = "".join(rules)
    names = set(re.findall(r"animation(?:-name)?:[^;}]*", text))
    moving = " ".join(names)
    return HEAD + "\n".join(rule for rule in rules if rule and _is_moved(rule, moving)) + "\n"


def _is_moved(rule: str, moving: str) -> bool:
    found = re.match(r"@(?:-webkit-)?keyframes ([\w-]+)", rule)
    return found is None or found[1] in moving


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """Each rule's head and what stands in its braces; statements without braces are passed by."""
    at, start, depth, opened = 0, 0, 0, 0
    for match in re.finditer(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{};]", css, re.DOTALL):
        mark, at = match[0], match.start()
        if mark == "{":
            depth += 1
            if depth == 1:
                opened = at
        elif mark == "}":
            depth -= 1
            if depth == 0:
                yield css[start:opened].strip(), css[opened + 1 : at]
                start = at + 1
        elif depth == 0 and (mark == ";" or mark.startswith("/*")):
            start = match.end()


def _kept(css: str, words: set[str]) -> Iterator[str]:
    for head, inside in _blocks(css):
        if head.startswith(("@media", "@supports", "@layer")):
            inner = "".join(_kept(inside, words))
            if inner and "print" not in head:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            yield f"{head}{{{inside}}}"
        else:
            selectors = [one for one in _parts(head, ",") if _is_used(one, words)]
            if selectors:
                yield f"{','.join(selectors)}{{{inside}}}"


def _is_used(selector: str, words: set[str]) -> bool:
    if NEVER.search(selector):
        return False
    plain = re.sub(r"\[[^\]]*\]|:not\([^)]*\)", "", selector)
    return all((name or tag).replace("\\", "") in words for name, tag in NAMED.findall(plain))


def _with_variables(rule: str, wanted: set[str]) -> str:
    """The rule without custom properties that nobody uses; empty if nothing is left of it."""
    head, _, inside = rule.partition("{")
    if head.startswith(("@media", "@supports", "@layer")):
        inner = "".join(_with_variables(f"{one}{{{text}}}", wanted) for one, text in _blocks(inside[:-1]))
        return f"{head}{{{inner}}}" if inner else ""
    if head.startswith("@"):
        return rule
    said = [one for one in _parts(inside[:-1], ";") if not _is_idle(one, wanted)]
    return f"{head}{{{';'.join(said)}}}" if said else ""


def _is_idle(declaration: str, wanted: set[str]) -> bool:
    name = declaration.partition(":")[0].strip()
    return not name or (name.startswith("--") and name not in wanted)


def _parts(text: str, mark: str) -> Iterator[str]:
    """Split at a mark that stands in no quotes and no brackets."""
    start, depth = 0, 0
    for match in re.finditer(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\\.|[()\[\]]|" + re.escape(mark), text):
        if match[0] in "([":
            depth += 1
        elif match[0] in ")]":
            depth -= 1
        elif match[0] == mark and depth == 0:
            yield text[start : match.start()]
            start = match.end()
    yield text[start:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
