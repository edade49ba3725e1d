"""What Dataverse told us: the execution context as a value, and the requests that a handler makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from receiver.core.values import NO_VALUES, Value, Values

NO_ID = "00000000-0000-0000-0000-000000000000"
SYNCHRONOUS = 0
POST_OPERATION = 40
#: a stored size-exceeded notification keeps the header beside the body; the body alone does not say it
SIZE_EXCEEDED_HEADER = "x-ms-dynamics-msg-size-exceeded"


@dataclass(frozen=True)
class Row:
    """A row as a message carries it: of a Target or of an image, with the columns that travelled."""

    table: str
    id: str
    values: Values


@dataclass(frozen=True)
class Relationship:
    schema_name: str


Parameter = Value | Row | Relationship | tuple["Parameter", ...]


@dataclass(frozen=True)
class Defect:
    """Something odd in a body: where (a JSON pointer) and what."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class ExecutionContext:
    """One message of Dataverse's, read.

    Source: learn, RemoteExecutionContext. Members that no rule needs are left out; ParentContext among them,
    since its parameters may belong to another message.
    """

    message: str
    table: str
    id: str
    organization_id: str = NO_ID
    operation_id: str = NO_ID
    request_id: str | None = None
    correlation_id: str = NO_ID
    initiating_user_id: str = NO_ID
    step_id: str = NO_ID
    depth: int = 1
    mode: int = 1
    stage: int = POST_OPERATION
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    outputs: Mapping[str, Parameter] = field(default_factory=dict)
    pre_images: Mapping[str, Row] = field(default_factory=dict)
    post_images: Mapping[str, Row] = field(default_factory=dict)
    shared_variables: Mapping[str, Parameter] = field(default_factory=dict)
    defects: tuple[Defect, ...] = ()

    @property
    def is_synchronous(self) -> bool:
        """Whether it was sent from inside the user's transaction, which can still roll back."""
        return self.mode == SYNCHRONOUS or self.stage < POST_OPERATION


@dataclass(frozen=True)
class Image:
    """A row as one of our own steps saw it.

    `alias` is the registration's; `rcv_post_<hash>` says which columns it was registered with, so that a
    column absent in it is known to be null.
    """

    alias: str
    values: Values = field(default_factory=lambda: NO_VALUES)


@dataclass(frozen=True)
class SynchRequest:
    """One row to look at, and what is known of it.

    Without an image the notification is a hint and the row is read. A deletion is a hint too: one read tells
    whether the row is gone.
    """

    table: str
    id: str
    image: Image | None = None
    is_deletion: bool = False
    is_click: bool = False


@dataclass(frozen=True)
class Version:
    """Which state of a Dataverse row a record is: its `versionnumber`, or else its `modifiedon` (whole seconds)."""

    number: int | None = None
    modified_on: datetime | None = None
    #: a read told it; what an image alone told may be forged, or of an environment that was set back since
    was_read: bool = False


class Freshness:
    """How an image stands to the last version seen of its row."""

    NEWER = "newer"
    SAME = "same"
    LATE = "late"
    UNCERTAIN = "uncertain"
    #: read because of an uncertain image, and it is the state seen already: that image said nothing new
    KNOWN = "known"


def freshness(image: Version, seen: Version | None) -> str:
    """How *image* stands to the last version *seen*; *uncertain* wants the row read.

    The number decides where both have one; equal `modifiedon` says nothing, since two updates within a second carry the
    same value. *Late* only against what a read told, and only if the moment is an earlier one too: after a restored
    backup numbers are smaller and moments later.
    """
    if seen is None:
        return Freshness.NEWER
    if image.number is not None and seen.number is not None:
        if image.number == seen.number:
            return Freshness.SAME
        return Freshness.NEWER if image.number > seen.number else _late_or_uncertain(image, seen)
    if image.modified_on is None or seen.modified_on is None:
        return Freshness.UNCERTAIN
    return Freshness.NEWER if image.modified_on > seen.modified_on else _late_or_uncertain(image, seen)


def _late_or_uncertain(image: Version, seen: Version) -> str:
    if not seen.was_read or image.modified_on is None or seen.modified_on is None:
        return Freshness.UNCERTAIN
    return Freshness.LATE if image.modified_on < seen.modified_on else Freshness.UNCERTAIN


@lru_cache
def image_alias(kind: str, columns: frozenset[str]) -> str:
    """`rcv_post_<8 hex>` or `rcv_pre_<8 hex>` of the sorted column list."""
    digest = sha256(",".join(sorted(columns)).encode()).hexdigest()
    return f"rcv_{kind}_{digest[:8]}"
