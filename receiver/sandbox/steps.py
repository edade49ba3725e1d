"""Registered steps: on which message of which table a notification is sent, and what it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

PRE_IMAGE, POST_IMAGE, BOTH_IMAGES = 0, 1, 2
POST_OPERATION = 40
SYNCHRONOUS, ASYNCHRONOUS = 0, 1
_STEPS = UUID("57e90000-0000-4000-8000-000000000001")
_IMAGE_TYPES = {"pre": PRE_IMAGE, "post": POST_IMAGE, "both": BOTH_IMAGES}


@dataclass(frozen=True)
class StepImage:
    """The columns of the row before or after, sent along. No columns means all of them."""

    image_type: int
    alias: str
    message_property_name: str = "Target"
    columns: tuple[str, ...] = ()

    @property
    def is_pre(self) -> bool:
        return self.image_type in (PRE_IMAGE, BOTH_IMAGES)

    @property
    def is_post(self) -> bool:
        return self.image_type in (POST_IMAGE, BOTH_IMAGES)


@dataclass(frozen=True)
class Step:
    """One registration. `table` is "none" for a message without one; no filtering columns means every update."""

    table: str
    message: str
    stage: int = POST_OPERATION
    mode: int = ASYNCHRONOUS
    filtering_attributes: tuple[str, ...] = ()
    images: tuple[StepImage, ...] = ()
    id: str = ""
    name: str = ""
    endpoint_id: str = ""

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Step:
        """From {"table", "message", "stage", "mode", "filtering_attributes", "image"}.

        `image` is null or {"type": "pre"|"post"|"both", "alias", "message_property_name", "attributes"}.
        Raises KeyError.
        """
        return cls(
            table=given["table"] or "none",
            message=given["message"],
            stage=given.get("stage", POST_OPERATION),
            mode=given.get("mode", ASYNCHRONOUS),
            filtering_attributes=tuple(given.get("filtering_attributes") or ()),
            images=_images(given.get("image")),
        )

    @property
    def is_synchronous(self) -> bool:
        return self.mode == SYNCHRONOUS

    @property
    def derived_id(self) -> str:
        """The same registration gets the same id on every start."""
        return self.id or str(uuid5(_STEPS, f"{self.table}/{self.message}/{self.stage}/{self.mode}"))

    def concerns(self, message: str, table: str, submitted: frozenset[str]) -> bool:
        """Whether it runs: an Update only if one of its filtering columns was submitted, changed or not."""
        if self.message.lower() != message.lower() or self.table not in ("none", table):
            return False
        is_filtered = message == "Update" and bool(self.filtering_attributes)
        return not is_filtered or not submitted.isdisjoint(self.filtering_attributes)


def _images(given: Mapping[str, Any] | None) -> tuple[StepImage, ...]:
    if given is None:
        return ()
    image = StepImage(
        image_type=_IMAGE_TYPES[given["type"]],
        alias=given["alias"],
        message_property_name=given.get("message_property_name", "Target"),
        columns=tuple(given.get("attributes") or ()),
    )
    return (image,)
