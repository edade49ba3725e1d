"""Odd bodies with structure: real ones, taken apart and put together wrongly. The same seed and number, the same body."""

from __future__ import annotations

import copy
import json
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from flows import captures

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
TEXTS = (
    "", " ", "x", "x" * 300, "x" * 5000, "\x00", "a\x00b", "\ud800", "a\udfffb", "🚀", "é\u0301", "\u202e", "\ufeff", "'; --",
    "%s %d {0}", "<script>", "../..", "null", "true", "NaN", "/Date(0)/", "/Date(-62135596800000)/", "/Date(253402300800000)/",
    "/Date(99999999999999999999)/", "/Date(1)/x", "2026-01-01T00:00:00Z", "00000000-0000-0000-0000-000000000000", "{}", "[]",
)  # fmt: skip
NUMBERS = (0, 1, -1, 3, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**400, 1.5, -0.0, 1e-300, 1e308)
TYPES = (
    "Entity", "EntityReference", "EntityCollection", "OptionSetValue", "OptionSetValueCollection", "Money", "AliasedValue",
    "BooleanManagedProperty", "Relationship", "EntityReferenceCollection", "ColumnSet", "New",
)  # fmt: skip
MESSAGES = (
    "Create", "Update", "Upsert", "Assign", "SetState", "SetStateDynamicEntity", "CreateMultiple", "UpdateMultiple",
    "UpsertMultiple", "Associate", "Disassociate", "Delete", "Merge", "rcv_OpenInBusinessCentral", "Retrieve", "update", "x" * 128,
)  # fmt: skip
TABLES = ("account", "contact", "systemuser", "transactioncurrency", "lead", "none", "Account", "x" * 128, "a b", "a:b")
COLUMNS = (
    "name", "telephone1", "customertypecode", "statecode", "versionnumber", "modifiedon", "createdon", "creditlimit",
    "transactioncurrencyid", "ownerid", "primarycontactid", "parentcustomerid", "firstname", "lastname", "accountid", "websiteurl",
    "emailaddress1", "exchangerate", "odd", "",
)  # fmt: skip

Chance = random.Random
Path = tuple[Any, ...]


def typed(name: str, **members: Any) -> dict[str, Any]:
    return {"__type": f"{name}:{CONTRACTS}", **members}


def hand_made(organization: str, rows: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """A whole valid body of every message."""
    for at, message in enumerate(MESSAGES):
        table, id_ = rows[at % len(rows)]
        target = typed("Entity", Id=id_, LogicalName=table, Attributes=[{"key": "name", "value": f"Firm {at}"}])
        named = typed("EntityReference", Id=id_, LogicalName=table)
        parameters = {
            "Target": named if message in {"Assign", "Associate", "Disassociate", "Delete", "Merge"} else target,
            "Targets": typed("EntityCollection", EntityName=table, Entities=[target]),
            "EntityMoniker": named,
            "RelatedEntities": [named],
            "SubordinateId": rows[0][1],
            "State": typed("OptionSetValue", Value=0),
            "Table": table,
            "Id": id_,
        }
        yield {
            "Depth": 1,
            "InitiatingUserId": rows[0][1],
            "InputParameters": [{"key": key, "value": value} for key, value in parameters.items()],
            "MessageName": message,
            "Mode": 1,
            "OperationId": str(uuid.UUID(int=at)),
            "OrganizationId": organization,
            "OutputParameters": [{"key": "Ids", "value": [id_]}],
            "OwningExtension": {"Id": rows[0][1], "LogicalName": "sdkmessageprocessingstep"},
            "ParentContext": None,
            "PostEntityImages": [],
            "PreEntityImages": [],
            "PrimaryEntityId": id_,
            "PrimaryEntityName": table,
            "SharedVariables": [],
            "Stage": 40,
        }


def captured(organization: str) -> Iterator[dict[str, Any]]:
    """Real captures, where they lie beside the checkout; they come to us."""
    for name in sorted(captures.names()) if captures.IS_THERE else ():
        try:
            body = json.loads(captures.body(name))
        except ValueError:
            continue
        if isinstance(body, dict) and "MessageName" in body:
            yield {**body, "OrganizationId": organization}


class Bodies:
    """`body(number)`: one of the valid ones, wrong in one to four ways; now and then in none."""

    def __init__(self, seed: int, valid: list[dict[str, Any]], rows: list[tuple[str, str]]) -> None:
        self._seed, self._valid, self._rows = seed, valid, rows

    def body(self, number: int) -> bytes:
        chance = Chance(f"{self._seed}:{number}")
        body = copy.deepcopy(chance.choice(self._valid))
        if chance.random() < 0.9:
            body["OperationId"] = str(uuid.UUID(int=chance.getrandbits(128)))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 4))):
            chance.choice(MUTATIONS)(body, chance, self._rows)
        try:
            raw = json.dumps(body, ensure_ascii=chance.random() < 0.7).encode(errors="surrogatepass")
        except RecursionError:
            raw = b"[" * 5000
        return chance.choice(BYTES)(raw, chance) if chance.random() < 0.2 else raw


# -- in the tree -----------------------------------------------------------------------------------------------------


def places(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every place below *node*; a place is the keys and indexes to it."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def _a_place(body: Any, chance: Chance) -> tuple[Any, Any]:
    """A container and a key in it; what is deep counts as much as what is shallow."""
    found = list(places(body))
    depth = chance.choice(sorted({len(path) for path in found}))
    path = chance.choice([path for path in found if len(path) == depth])
    container = body
    for key in path[:-1]:
        container = container[key]
    return container, path[-1]


def odd_value(chance: Chance, depth: int = 0) -> Any:
    kind = chance.randrange(9)
    if kind < 3:
        return chance.choice(TEXTS)
    if kind < 5:
        return chance.choice(NUMBERS)
    if kind == 5:
        return chance.choice((None, True, False, [], {}))
    if kind == 6 or depth > 3:
        return [odd_value(chance, depth + 1) if depth < 4 else 0 for _ in range(chance.randrange(4))]
    inner = {
        chance.choice(("Value", "Id", "LogicalName", "Entities", "Attributes", "key", "value")): odd_value(
            chance, depth + 1
        )
    }
    return typed(chance.choice(TYPES), **inner) if kind == 7 else inner


def replace(body: Any, chance: Chance, _: Any) -> None:
    container, key = _a_place(body, chance)
    container[key] = odd_value(chance)


def remove(body: Any, chance: Chance, _: Any) -> None:
    container, key = _a_place(body, chance)
    del container[key]


def double(body: Any, chance: Chance, _: Any) -> None:
    container, key = _a_place(body, chance)
    if isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        container[str(key).swapcase()] = copy.deepcopy(container[key])


def swap(body: Any, chance: Chance, _: Any) -> None:
    (one, first), (other, second) = _a_place(body, chance), _a_place(body, chance)
    try:
        kept = copy.deepcopy(other[second])
        other[second] = copy.deepcopy(one[first])
        one[first] = kept
    except (KeyError, IndexError):
        return


def nest(body: Any, chance: Chance, _: Any) -> None:
    container, key = _a_place(body, chance)
    for _level in range(chance.choice((1, 2, 40, 250))):
        container[key] = chance.choice(([container[key]], {"__type": "New:x", "v": container[key]}))


def attribute(body: Any, chance: Chance, rows: Any) -> None:
    """A column of ours, in some bag of attributes, holds what it cannot hold."""
    bags = [path for path in places(body) if path[-1] == "Attributes"]
    if not bags:
        return replace(body, chance, rows)
    container = body
    for key in chance.choice(bags):
        container = container[key]
    if isinstance(container, list):
        column = chance.choice(COLUMNS)
        container[:] = [pair for pair in container if not isinstance(pair, dict) or pair.get("key") != column]
        value = odd_value(chance)
        shapes = (
            value,
            typed("OptionSetValue", Value=value),
            typed("Money", Value=value),
            typed("EntityReference", Id=value, LogicalName="account"),
        )
        container.append({"key": column, "value": chance.choice(shapes)})
    return None


def envelope(body: Any, chance: Chance, rows: Any) -> None:
    table, id_ = chance.choice(rows)
    changes: tuple[tuple[str, Any], ...] = (
        ("MessageName", chance.choice(MESSAGES)),
        ("PrimaryEntityName", chance.choice(TABLES)),
        ("PrimaryEntityName", table),
        ("PrimaryEntityId", id_),
        ("PrimaryEntityId", str(uuid.UUID(int=chance.getrandbits(128)))),
        ("PrimaryEntityId", "00000000-0000-0000-0000-000000000000"),
        ("OrganizationId", str(uuid.UUID(int=chance.getrandbits(128)))),
        ("Mode", chance.choice((0, 1, 2, -1))),
        ("Stage", chance.choice((10, 20, 40, 50, 10**30))),
        ("Depth", chance.choice((0, 8, 10**30))),
        ("OwningExtension", odd_value(chance)),
    )
    name, value = chance.choice(changes)
    body[name] = value


MUTATIONS: tuple[Callable[[Any, Chance, Any], None], ...] = (
    replace, replace, remove, double, swap, nest, attribute, attribute, attribute, envelope, envelope,
)  # fmt: skip


# -- in the bytes ----------------------------------------------------------------------------------------------------


def cut(raw: bytes, chance: Chance) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def flip(raw: bytes, chance: Chance) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.choice((1, 1, 3, 20))):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def insert(raw: bytes, chance: Chance) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return (
        raw[:at]
        + chance.choice((b"\x00", b"\xff\xfe", b"\\u0000", b'"', b"{", b"1e999999999", b",", b"\xc3\x28", b"\r\n"))
        + raw[at:]
    )


def encode(raw: bytes, chance: Chance) -> bytes:
    text = raw.decode(errors="replace")
    return text.encode(chance.choice(("utf-8-sig", "utf-16", "utf-32", "utf-7")), errors="replace")


def repeat(raw: bytes, chance: Chance) -> bytes:
    return raw + chance.choice((raw, b"\x00", b"}", b" " * 1000, b"null"))


BYTES: tuple[Callable[[bytes, Chance], bytes], ...] = (cut, flip, flip, insert, insert, encode, repeat)
