"""Situation -> Decision: every synchronization rule lives here.

Rule 1: nothing here knows which side is Dataverse. A run goes *toward* a destination; the mapping, turned round,
says which columns. So a rule cannot hold one way and fail the other.

Rule 2: nothing here asks what time it is, reads a table or draws a number. "Changed" means "differs from what the
coupling remembers" (merge.py); the same situation gets the same decision, today and in a year.

Rule 3: a rule says no with a value. A Skip cannot carry values, an Insert cannot lack them.

How to read it: `decide` asks the questions of `QUESTIONS` in their order and takes the first answer. To add a rule:
a `Reason`, a question, and its row in the test. Source: BC codeunits 5335 and 5345; reference §2.2; where we differ
on purpose, docs/differences.md says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from receiver.core.coupling import Coupling
from receiver.core.filters import matches
from receiver.core.mapping import DeletionConflict, Direction, MatchExists, TableMapping
from receiver.core.merge import Converted, Merged, NotCoupled, Sides, merge
from receiver.core.message import Freshness
from receiver.core.values import NO_VALUES, Column, Value, Values


@dataclass(frozen=True)
class Record:
    """One side's record as far as it is known. `exists` is False once a read said that it is gone."""

    id: str
    values: Values = field(default_factory=lambda: NO_VALUES)
    is_whole: bool = True
    exists: bool = True
    #: it is there, and could not be read: why, as the other side says it
    unread: str = ""
    is_out_of_sight: bool = False


@dataclass(frozen=True)
class Candidate:
    """A record that may be meant; `key` is its id, on whichever side it is."""

    mapping: str
    key: str
    name: str
    #: a person uncoupled it: nothing but a person couples it again
    was_let_go: bool = False

    def __str__(self) -> str:
        return f"{self.key} {self.name}".strip()


@dataclass(frozen=True)
class Situation:
    """All that a decision may depend on."""

    mapping: TableMapping
    toward: Direction
    source: Record
    coupling: Coupling | None = None
    #: the coupled record of the other side; None: not coupled, or deleted
    destination: Record | None = None
    lookups: Mapping[int, Converted] = field(default_factory=dict)
    #: what each side's columns keep of a value
    source_columns: Mapping[str, Column] = field(default_factory=dict)
    destination_columns: Mapping[str, Column] = field(default_factory=dict)
    #: how the source stands to the last version seen of its row
    freshness: str = Freshness.NEWER
    is_forced: bool = False
    #: a person asked for exactly this record
    is_click: bool = False
    #: uncoupled records of the other side that look like the source, where it would be created there
    candidates: tuple[Candidate, ...] = ()
    #: uncoupled records that say all that the local one said, where that is gone: its key may have been changed
    namesakes: tuple[Candidate, ...] = ()
    #: the candidate's key that a person took of those shown
    chosen: str = ""
    #: the coupling is not stored yet: it is made with what is decided here
    is_new_pair: bool = False
    #: of a new pair: the stored coupling whose place it takes, since its record is gone
    replaced: Coupling | None = None
    #: who removed the coupling, and when; empty if nobody did
    uncoupled_by: str = ""
    #: created whatever *Synch. Only Coupled Records* says: that is what was asked for
    may_create: bool = False
    #: it stands for one that was deleted, by a person's wish
    is_restored: bool = False

    @property
    def stored(self) -> Coupling | None:
        """The coupling as it is before anything of this is written."""
        return self.replaced if self.is_new_pair else self.coupling


class Why(Enum):
    """What is the case, and what a person can do about it."""

    @property
    def what(self) -> str:
        said: str = self.value[0]
        return said

    @property
    def remedy(self) -> str:
        said: str = self.value[1]
        return said


class Refusal(Why):
    """No rule's answer: the decision was carried out, and the side that was to be written said no."""

    REFUSED = ("the record was refused where it was to be written", "Mend what the message says, then Process Again.")
    LOOKS_LIKE_ANOTHER = (
        "Dataverse has another row with the same key, or one that a duplicate rule calls the same",
        "Couple the record with that row: `receiver couple`. If it is another, change its value, then Process Again.",
    )


class Reason(Why):
    """Why: what is the case, and what a person can do about it. `{mapping}` is filled in by the outcome."""

    MAPPING_IS_OFF = ("{mapping} is switched off", "Enable the mapping {mapping}.")
    DIRECTION = (
        "{mapping} does not synchronize in this direction",
        "Set the direction of {mapping} to Bidirectional or to this direction.",
    )
    NO_FIELDS = (
        "{mapping} has no enabled field mapping in this direction",
        "Enable at least one field mapping of {mapping}.",
    )
    SKIPPED = (
        "the coupling is skipped because the same failure came twice in a row",
        "Mend the cause of the failure before, then Process Again.",
    )
    HELD_BACK = (
        "too many records would come to this at once, so it waits for a person",
        "Look at them, then confirm or mend the cause: `receiver mappings confirm {mapping}`.",
    )
    OUT_OF_SIGHT = (
        "the row is there, and the application user may not see or change it",
        "Share the row with the application user, or give its role the depth Organization; then Process Again.",
    )
    UNREAD = ("the record is there, and could not be read", "Mend what the message says, then Process Again.")
    NOT_COUPLED_AND_GONE = ("the row is gone, and {mapping} had coupled nothing to it", "Nothing needs to be done.")
    LATE = ("a newer state of the row has been seen already", "Nothing needs to be done.")
    NOTHING_MOVED = ("no mapped field has changed", "Nothing needs to be done.")
    OUTSIDE_FILTER = (
        "the record is outside the filter of {mapping}",
        "If it should be synchronized, change it so that it matches, or change the filter of {mapping}.",
    )
    OTHER_COMPANY = (
        "the row belongs to another company",
        "Nothing needs to be done. Where it is meant: `receiver mappings multi-company {mapping} on`.",
    )
    ONLY_COUPLED = (
        "the record is not coupled, and {mapping} synchronizes only coupled records",
        "Switch Synch. Only Coupled Records off for {mapping}; the rows passed over can then be brought in.",
    )
    MATCHES_FOUND = (
        "there are uncoupled records with the same values, which may be meant",
        "Open the record from Sales, which offers them, or take one of the commands of `receiver errors list`.",
    )
    TWIN_EXISTS = (
        "the deleted record is not restored, since an uncoupled one says the same and may be meant",
        "Couple it with that one, or uncouple it and create it anew: `receiver errors list` names the commands.",
    )
    CHOICE_IS_GONE = (
        "the record that was chosen is not any more what it was when it was offered",
        "Look at what stands there now, and choose again.",
    )
    KEY_CHANGED = (
        "the coupled record is gone, and uncoupled ones say what it said: it may be one of them under another key",
        "Couple the one that is meant: `receiver errors list` names the commands.",
    )
    UNCOUPLED = (
        "the record was uncoupled by a person",
        "Open it from Sales: the page offers the record that it was coupled to. Or couple it by `receiver couple`.",
    )
    WAITING_FOR_PARENT = (
        "the record waits for its parent, which no mapping's filter lets in",
        "Change the parent so that it matches a mapping; this record then follows by itself.",
    )
    MUST_BE_COUPLED = (
        "a related record must be there, and coupled, first",
        "Do what is said; if this record does not follow by itself then, Process Again.",
    )
    NOT_TRANSFORMED = (
        "a transformation rule cannot be carried out on a value",
        "Change the value or the rule, then Process Again.",
    )
    UPDATE_CONFLICT = (
        "the same field was changed here and in Sales since the two were last equal",
        "Set Resolve Update Conflicts on {mapping}, or make both values equal; then Process Again.",
    )
    OTHER_SIDE_WINS = (
        "the same field was changed here and in Sales, and the mapping says whose change wins",
        "Nothing needs to be done.",
    )
    COUPLED_RECORD_IS_DELETED = (
        "the record is coupled to one that was deleted",
        "Set Resolve Deletion Conflicts on {mapping}, then Process Again.",
    )
    RESTORE_IS_FORBIDDEN = (
        "the coupled record was deleted, and the direction of {mapping} forbids restoring it there",
        "Set {mapping} to Bidirectional, or Resolve Deletion Conflicts to Delete coupling; then Process Again.",
    )
    RESTORED = ("the deleted record is restored", "Nothing needs to be done.")
    DELETED_THERE = (
        "the coupled record was deleted, and {mapping} then removes the coupling",
        "Nothing needs to be done.",
    )
    BOTH_DELETED = ("both records were deleted", "Nothing needs to be done.")


@dataclass(frozen=True)
class Insert:
    values: Values
    merged: Merged
    #: written to the source: from now on it belongs to our company
    claim: Values = field(default_factory=lambda: NO_VALUES)


@dataclass(frozen=True)
class Modify:
    values: Values
    merged: Merged


@dataclass(frozen=True)
class AlreadyEqual:
    """The source moved, and the destination already says the same: only the coupling learns of it."""

    merged: Merged


@dataclass(frozen=True)
class IgnoreUnchanged:
    reason: Reason = Reason.NOTHING_MOVED


@dataclass(frozen=True)
class RemoveCoupling:
    reason: Reason


@dataclass(frozen=True)
class Skip:
    reason: Reason
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fail:
    reason: Reason | Refusal
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadWholeSource:
    """A partial row may be skipped, never transferred."""


@dataclass(frozen=True)
class TurnAround:
    """The same pair is to be seen from the other side."""

    reason: Reason


@dataclass(frozen=True)
class CoupleWith:
    """The record that looks alike, or that a person chose, is the other half: decided anew with both."""

    candidate: Candidate


Decision = (
    Insert
    | Modify
    | AlreadyEqual
    | IgnoreUnchanged
    | RemoveCoupling
    | Skip
    | Fail
    | ReadWholeSource
    | TurnAround
    | CoupleWith
)


def decide(now: Situation) -> Decision:
    """The one decision for *now*; total and deterministic."""
    for question in QUESTIONS:
        answer = question(now)
        if answer is not None:
            return answer
    return _transfer(now)


def _may_the_mapping_run(now: Situation) -> Decision | None:
    if not now.mapping.is_enabled:
        return Skip(Reason.MAPPING_IS_OFF)
    if not now.mapping.direction.allows(now.toward):
        return Skip(Reason.DIRECTION)
    if not now.mapping.transfers(now.toward):
        return Fail(Reason.NO_FIELDS)
    return None


def _is_the_coupling_skipped(now: Situation) -> Decision | None:
    return Skip(Reason.SKIPPED) if now.coupling is not None and now.coupling.is_skipped else None


def _can_both_sides_be_read(now: Situation) -> Decision | None:
    """What cannot be read is neither gone nor empty: nothing is concluded from it."""
    for one in (now.source, now.destination):
        if one is not None and one.unread:
            return Fail(Reason.OUT_OF_SIGHT if one.is_out_of_sight else Reason.UNREAD, (one.unread,))
    return None


def _is_the_source_known(now: Situation) -> Decision | None:
    if now.source.exists and (not now.source.is_whole or now.freshness == Freshness.UNCERTAIN):
        return ReadWholeSource()
    return None


def _is_the_source_late(now: Situation) -> Decision | None:
    return IgnoreUnchanged(Reason.LATE) if now.freshness == Freshness.LATE else None


def _was_its_key_changed(now: Situation) -> Decision | None:
    """Nothing is concluded from a record's absence while others may be that record."""
    return Skip(Reason.KEY_CHANGED, tuple(map(str, now.namesakes))) if now.namesakes else None


def _is_the_source_gone(now: Situation) -> Decision | None:
    if now.source.exists:
        return None
    if now.coupling is None:
        return Skip(Reason.NOT_COUPLED_AND_GONE)
    if now.destination is None:
        return RemoveCoupling(Reason.BOTH_DELETED)
    match now.mapping.resolve_deletion_conflicts:
        case DeletionConflict.DELETE_COUPLING:
            return RemoveCoupling(Reason.DELETED_THERE)
        case DeletionConflict.RESTORE if now.mapping.direction.allows(now.toward.back):
            return TurnAround(Reason.RESTORED)
        case DeletionConflict.RESTORE:
            return Fail(Reason.RESTORE_IS_FORBIDDEN)
    return Fail(Reason.COUPLED_RECORD_IS_DELETED)


def _does_it_belong_to_another_company(now: Situation) -> Decision | None:
    stamps, records = now.mapping.stamps, (now.source, now.destination)
    is_foreign = any(stamps.is_foreign(one.values) for one in records if one is not None)
    return Skip(Reason.OTHER_COMPANY) if is_foreign else None


def _is_the_source_outside_the_filter(now: Situation) -> Decision | None:
    inside = matches(now.mapping.source_filter(now.toward), now.source.values)
    return None if inside else Skip(Reason.OUTSIDE_FILTER)


def _is_the_destination_gone(now: Situation) -> Decision | None:
    if now.coupling is None or now.destination is not None:
        return None
    match now.mapping.resolve_deletion_conflicts:
        case DeletionConflict.DELETE_COUPLING:
            return RemoveCoupling(Reason.DELETED_THERE)
        case DeletionConflict.RESTORE if now.chosen:
            return _chosen(now)
        case DeletionConflict.RESTORE if now.candidates:
            return Skip(Reason.TWIN_EXISTS, tuple(map(str, now.candidates)))
        case DeletionConflict.RESTORE:
            return None  # _transfer inserts it anew, also under Synch. Only Coupled Records
    return Fail(Reason.COUPLED_RECORD_IS_DELETED)


def _may_it_be_created(now: Situation) -> Decision | None:
    if now.coupling is not None:
        return None
    if now.mapping.synch_only_coupled_records and not now.may_create:
        return Skip(Reason.ONLY_COUPLED)
    if now.uncoupled_by and not now.is_click:
        return Skip(Reason.UNCOUPLED, (now.uncoupled_by,))
    return _is_there_a_match(now)


def _is_there_a_match(now: Situation) -> Decision | None:
    """A record that a person uncoupled is offered its former one first, whatever the mapping says."""
    if now.chosen:
        return _chosen(now)
    what, chosen = now.mapping.when_a_match_exists, now.candidates
    if now.is_restored:
        return Skip(Reason.TWIN_EXISTS, tuple(map(str, chosen))) if chosen else None
    if not chosen or (what is MatchExists.CREATE and not now.uncoupled_by):
        return None
    is_certain = len(chosen) == 1 and not chosen[0].was_let_go and not now.uncoupled_by
    if what is MatchExists.COUPLE and is_certain:
        return CoupleWith(chosen[0])
    return Skip(Reason.MATCHES_FOUND, tuple(map(str, chosen)))


def _chosen(now: Situation) -> Decision:
    """Only what still stands for choice is coupled; nothing is created in its place."""
    found = next((one for one in now.candidates if one.key == now.chosen), None)
    return Skip(Reason.CHOICE_IS_GONE) if found is None else CoupleWith(found)


QUESTIONS: tuple[Callable[[Situation], Decision | None], ...] = (
    _may_the_mapping_run,
    _is_the_coupling_skipped,
    _can_both_sides_be_read,
    _is_the_source_known,
    _is_the_source_late,
    _was_its_key_changed,
    _is_the_source_gone,
    _does_it_belong_to_another_company,
    _is_the_source_outside_the_filter,
    _is_the_destination_gone,
    _may_it_be_created,
)


def sides_of(now: Situation) -> Sides:
    """What the merge looks at; a record to be inserted has no destination and no base."""
    coupling = now.coupling if now.destination is not None else None
    return Sides(
        transfers=now.mapping.open_transfers(now.toward, creates=now.destination is None),
        toward=now.toward,
        source=now.source.values,
        destination=None if now.destination is None else now.destination.values,
        source_base=None if coupling is None else coupling.source_base(now.toward),
        destination_base=None if coupling is None else coupling.destination_base(now.toward),
        unresolved=coupling.unresolved if coupling else frozenset(),
        lookups=now.lookups,
        source_columns=now.source_columns,
        destination_columns=now.destination_columns,
        is_forced=now.is_forced,
        altered=coupling.altered if coupling else {},
    )


def _transfer(now: Situation) -> Decision:
    merged = merge(sides_of(now))
    if merged.failures:
        return _failed_fields(merged)
    if now.destination is None:
        return _insert(now, merged)
    if not merged.has_moved and not now.is_forced:
        return IgnoreUnchanged()
    if merged.conflicts and now.mapping.resolve_update_conflicts.winner is not now.toward:
        return _conflict(now, merged)
    values = {**merged.values, **now.mapping.stamps.of_known_row(now.destination.values)}
    return Modify(values, merged) if values else AlreadyEqual(merged)


def _insert(now: Situation, merged: Merged) -> Insert:
    """A row that comes in is claimed for our company where the mapping may write to it (reference §13.4)."""
    values, stamps = _with_template(now, merged.values), now.mapping.stamps
    if now.toward is Direction.TO:
        return Insert({**stamps.of_new_row(), **values}, merged)
    may_write = now.mapping.direction.allows(Direction.TO)
    return Insert(values, merged, stamps.of_known_row(now.source.values) if may_write else NO_VALUES)


def _failed_fields(merged: Merged) -> Decision:
    sentences = tuple(dict.fromkeys(failure.sentence for failure in merged.failures))
    lookups = [failure for failure in merged.failures if isinstance(failure, NotCoupled)]
    if len(lookups) < len(merged.failures):
        return Fail(Reason.NOT_TRANSFORMED, sentences)
    if all(failure.waits for failure in lookups):
        return Skip(Reason.WAITING_FOR_PARENT, sentences)
    return Fail(Reason.MUST_BE_COUPLED, sentences)


def _conflict(now: Situation, merged: Merged) -> Decision:
    if now.mapping.resolve_update_conflicts.winner is None:
        return Fail(Reason.UPDATE_CONFLICT, tuple(map(str, merged.conflicts)))
    return TurnAround(Reason.OTHER_SIDE_WINS)


def _with_template(now: Situation, values: Values) -> dict[str, Value]:
    """A template's value wins over a mapped one, as in Business Central (reference §1.6)."""
    return {**values, **now.mapping.template(now.toward)}
