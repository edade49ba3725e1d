"""The panel "What the receiver saw": the last deliveries, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from receiver.sandbox import exact_json
from receiver.sandbox.delivery import Delivery
from receiver.sandbox.organization import Organization
from receiver.sandbox.registration import ENDPOINT

_SHOWN = 15


@dataclass(frozen=True)
class PanelLine:
    """One delivery as the panel tells it."""

    number: int
    message: str
    table: str
    row_name: str
    at: str
    way: str
    outcome: str
    has_succeeded: bool
    milliseconds: int
    attempts: int
    body: str
    answer: str


@dataclass(frozen=True)
class Panel:
    lines: list[PanelLine]
    endpoint: str | None
    unfinished: int
    newest: str


def shown(organization: Organization) -> Panel:
    deliveries = list(organization.pipeline.deliveries)
    unfinished = organization.pipeline.queue.unfinished
    endpoints = [str(row.get("url")) for row in organization.store.rows(ENDPOINT)]
    last = reversed(deliveries[-_SHOWN:])
    return Panel(
        lines=[_line(delivery) for delivery in last],
        endpoint=endpoints[0] if endpoints else None,
        unfinished=unfinished,
        newest=f"{len(deliveries)}-{deliveries[-1].number if deliveries else 0}-{unfinished}",
    )


def _line(delivery: Delivery) -> PanelLine:
    return PanelLine(
        number=delivery.number,
        message=delivery.message,
        table=delivery.table,
        row_name=delivery.row_name or "",
        at=f"{delivery.at:%H:%M:%S}",
        way="asynchronous" if delivery.mode else "synchronous",
        outcome=str(delivery.status) if delivery.status else "no answer",
        has_succeeded=delivery.has_succeeded,
        milliseconds=delivery.milliseconds,
        attempts=delivery.attempts,
        body=_pretty(delivery.body),
        answer=delivery.error or delivery.answer.strip(),
    )


@lru_cache(maxsize=4 * _SHOWN)
def _pretty(body: bytes) -> str:
    return exact_json.pretty(exact_json.loads(body))
