"""Mappings as YAML, and the line of every problem.

ruamel.yaml, because each value it reads knows its line and because it reads YAML 1.2: PyYAML's values know no line and
`yaml.safe_load("NO")` is False there, strictyaml makes every value text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from itertools import accumulate
from typing import Any

from marshmallow import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from receiver.core.mapping import TableMapping
from receiver.schemas.mapping_file import MappingSchema, plain_of

#: a mapping with a thousand fields is smaller; what is read at most takes less than a second
LARGEST_FILE = 256 * 1024
MOST_PARTS, MOST_NESTED = 6_000, 30
DEEPEST = 8
HEAD = "# Integration Table Mapping. What is left out is as it is by default; see docs/mapping.schema.json.\n"

#: texts that other readers, of YAML 1.1, take for a truth value, a number to the base of 60 or of 8, or a moment
_OTHERWISE = re.compile(
    r"y|n|yes|no|on|off|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|0[0-7_]+|\d{4}-\d\d?-\d\d?.*", re.IGNORECASE
)
Path = Sequence[str | int]


@dataclass(frozen=True)
class Found:
    """What a file says. Without a mapping there is at least one problem: (line, sentence)."""

    mapping: TableMapping | None
    problems: tuple[tuple[int, str], ...]
    tree: Any = None
    #: of the stored mapping when the file was written, if it says so
    version: int | None = None

    def line(self, *path: str | int) -> int:
        """The line of what *path* leads to, or of the last part of it that stands in the file."""
        return _line(self.tree, path)


def written(mapping: TableMapping) -> str:
    """The mapping as a file; `read` gives the equal mapping."""
    yaml, out = YAML(), StringIO()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_flowing(_quoted(plain_of(mapping))), out)
    return HEAD + out.getvalue()


def _quoted(plain: Any) -> Any:
    """Blanks and separators that nobody sees are written as escapes; what YAML 1.1 takes for no text, in quotes."""
    if isinstance(plain, dict):
        return {_quoted(name): _quoted(one) for name, one in plain.items()}
    if isinstance(plain, list):
        return [_quoted(one) for one in plain]
    is_quoted = isinstance(plain, str) and (not plain.isprintable() or _OTHERWISE.fullmatch(plain) is not None)
    return DoubleQuotedScalarString(plain) if is_quoted else plain


def _flowing(plain: dict[str, Any]) -> dict[str, Any]:
    """Lists of names stand in one line."""
    for holder in (plain, *plain["fields"]):
        for name in ("depends_on", "related"):
            if name in holder:
                holder[name] = CommentedSeq(holder[name])
                holder[name].fa.set_flow_style()
    return plain


def read(text: str) -> Found:
    """Everything that is wrong with the form of a file; what it means is for `mapping_problems`."""
    if len(text) > LARGEST_FILE:
        sizes = f"A mapping has at most {LARGEST_FILE // 1024} kB, and this file {len(text) // 1024} kB."
        return Found(None, ((1, f"{sizes} Give the file of one mapping."),))
    if text.count("\n") + text.count(",") > MOST_PARTS or _nested(text) > MOST_NESTED:
        return Found(None, ((1, "The file has too many parts for a mapping. Give the file of one mapping."),))
    try:
        tree = YAML().load(text)
        plain = _plain(tree, 0, set())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Found(None, ((mark.line + 1 if mark else 1, f"This is no YAML: {error.problem}."),))
    except (YAMLError, ValueError, RecursionError) as error:
        return Found(None, ((1, f"This is no YAML for a mapping: {str(error).splitlines()[0]}"),))
    if not isinstance(plain, dict):
        return Found(None, ((1, "A mapping was expected: name, table, integration_table, direction and fields."),))
    try:
        return Found(MappingSchema().load(plain), (), tree, plain.get("version"))
    except ValidationError as error:
        said = sorted((_line(tree, path), _sentence(path, text)) for path, text in _told(error.messages, ()))
        return Found(None, tuple(said), tree)


def _nested(text: str) -> int:
    """How deep brackets stand in brackets, at most: the reader would take seconds to find that out."""
    steps = (1 if mark in "[{" else -1 for mark in re.findall(r"[\[{\]}]", text))
    return max(accumulate(steps), default=0)


def _plain(node: Any, depth: int, seen: set[int]) -> Any:
    """Python's own values. Raises: ValueError."""
    if isinstance(node, CommentedMap | CommentedSeq):
        if depth > DEEPEST or id(node) in seen:
            raise ValueError("it repeats itself, or goes deeper than a mapping does.")
        seen.add(id(node))
        if isinstance(node, CommentedSeq):
            return [_plain(one, depth + 1, seen) for one in node]
        return {_plain(name, depth + 1, seen): _plain(one, depth + 1, seen) for name, one in node.items()}
    return _scalar(node)


def _scalar(node: Any) -> Any:
    if isinstance(node, ScalarFloat | float):
        number = Decimal(str(node))
        if not number.is_finite():
            raise ValueError(f"{node} is no number that a column holds")
        return number
    for kind in (bool, int, str):
        if isinstance(node, kind):
            return kind(node)
    if node is None or isinstance(node, date | datetime):
        return node
    raise ValueError(f"{node} is of a kind that no mapping has")


def _told(messages: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Marshmallow's nested messages, each with its path."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _told(inner, path if name == "_schema" else (*path, name))
        return
    for said in messages:
        yield path, str(said)


def _sentence(path: Path, said: str) -> str:
    return f"{'.'.join(map(str, path))}: {said}" if path else said


def _line(tree: Any, path: Path) -> int:
    line, node = 0, tree
    for part in path:
        is_there = (isinstance(node, CommentedMap) and part in node) or (
            isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node)
        )
        if not is_there:
            break
        line = (node.lc.key(part) if isinstance(node, CommentedMap) else node.lc.item(part))[0]
        node = node[part]
    return int(line) + 1
