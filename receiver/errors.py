"""The error family: a class's docstring is its message, and each knows whether waiting helps.

A rule says no with a value (`Skip`, `Fail`); these are for the world.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class ReceiverError(Exception):
    """Something went wrong in the receiver."""

    #: whether the same attempt may go through later by itself
    waiting_helps = False

    def __init__(self, said: str = "") -> None:
        super().__init__(said or (type(self).__doc__ or "").strip())


class SettingError(ReceiverError):
    """A setting is missing or cannot be understood."""


class SchemaError(ReceiverError):
    """The database schema is not the one this version needs. Run: receiver migrate."""

    waiting_helps = True


class StoreUnavailableError(ReceiverError):
    """The database cannot be reached."""

    waiting_helps = True


class NotFoundError(ReceiverError):
    """Nothing of that name exists."""


class InvalidMappingError(ReceiverError):
    """The mapping was refused; the one before it stays."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class MovedError(ReceiverError):
    """The record changed while it was being synchronized; the decision is taken again."""

    waiting_helps = True


class StalePreviewError(ReceiverError):
    """A record has changed since the preview; nothing was done. Look at a new preview, then confirm that."""


class RefusedError(ReceiverError):
    """A command was refused before anything was changed; the text says why, and what to do."""


class ChangedMeanwhileError(RefusedError):
    """It was changed since you looked; nothing of yours was saved. Look at it as it is now, then change it again."""


class NotAtOnceError(ReceiverError):
    """The decision needs Dataverse, so the record is looked at by itself."""

    waiting_helps = True


class LostRaceError(ReceiverError):
    """Another worker made the same record first; the next attempt finds it."""

    waiting_helps = True


class LeaseLostError(ReceiverError):
    """The lane was taken over by another worker; nothing of this run was written."""

    waiting_helps = True


class TaskLostError(LeaseLostError):
    """The task was taken over by another worker, which counts in its job from now on."""


class ParentIsBusyError(ReceiverError):
    """The parent record is being synchronized by another worker; this one steps back until it is released."""

    waiting_helps = True

    def __init__(self, lane: str) -> None:
        super().__init__()
        self.lane = lane


class RecordError(ReceiverError):
    """The local database refused the record."""


class RolledBackError(ReceiverError):
    """The local database refused the record and took back the whole transaction with it."""


class BusyError(ReceiverError):
    """The local database is busy with this record; it is tried again by itself."""

    waiting_helps = True


class LocalSetUpError(ReceiverError):
    """Something is missing in the local database: a privilege, a table or a column."""

    waiting_helps = True


class UnforeseenError(ReceiverError):
    """Something that nobody foresaw stopped this record."""

    def __init__(self, kind: str = "") -> None:
        super().__init__(
            f"Something that nobody foresaw ({kind}) stopped this record. The log tells where; mend that, "
            "then Process Again."
        )


class NotConnectedError(ReceiverError):
    """No connection to Dataverse is set up. Run receiver connect, or set RECEIVER_DATAVERSE_URL and its like."""

    waiting_helps = True


class GateClosedError(ReceiverError):
    """Dataverse asked us to wait; no request is sent until then."""

    waiting_helps = True

    def __init__(self, until: datetime, reason: str = "", *, is_set_up: bool = False, seconds: float = 0.0) -> None:
        opening = "Nothing is sent to Dataverse" if is_set_up else "Dataverse asked us to wait"
        super().__init__(f"{opening} until {until:%H:%M:%S} UTC. {reason}".strip())
        self.until = until
        #: a person must do what the reason says; waiting alone opens nothing
        self.is_set_up = is_set_up
        #: until then, from the moment when it was looked at
        self.seconds = seconds


class RunsPauseError(GateClosedError):
    """Runs have made as many requests as they may for now; clicks and notifications go on."""


class AnswerClass(StrEnum):
    """Whose fault an answer of Dataverse's is, and so who can do something about it."""

    #: nobody's: an outage, a load, a gateway between; it goes by itself
    PASSING = "passing"
    #: the environment's, the user's, the licence's or the schema's: a person acts, then everything goes
    SET_UP = "set-up"
    #: this record's own: the others go on
    DATA = "data"


class DataverseError(ReceiverError):
    """Dataverse refused a request, or something between answered in its place.

    Source: reference/dataverse.md §6.9; docs/answers.md. `status` is the HTTP status, `code` Dataverse's own (0x…, in
    small letters), `says` its own words, `remedy` what a person can do, empty where nothing is known.
    """

    def __init__(
        self, status: int, code: str, message: str, answer: AnswerClass = AnswerClass.DATA, remedy: str = ""
    ) -> None:
        said = f"Dataverse answered {status} {code}: {message}".replace("  ", " ")
        super().__init__(f"{said} {remedy}".strip())
        self.status = status
        self.code = code
        self.says = message
        self.answer = answer
        self.remedy = remedy
        self.waiting_helps = answer is not AnswerClass.DATA

    @property
    def sameness(self) -> str:
        """What makes two answers the same one: not the request's number, the time or the id in its text."""
        return f"Dataverse answered {self.status} {self.code}".strip()


class ThrottledError(DataverseError):
    """Dataverse's service protection asks for a pause; `retry_after` in seconds, as it was asked for."""

    def __init__(self, status: int, code: str, message: str, retry_after: float) -> None:
        super().__init__(status, code, message, AnswerClass.PASSING)
        self.retry_after = retry_after


class SetUpError(DataverseError):
    """A person must change something in Dataverse or here; `gate` is what stays closed until then."""

    def __init__(self, status: int, code: str, message: str, remedy: str, gate: str) -> None:
        super().__init__(status, code, message, AnswerClass.SET_UP, remedy)
        self.gate = gate


class VersionMismatchError(DataverseError):
    """The row has changed since it was read (412)."""


class ExistsAlreadyError(DataverseError):
    """A row with this id, or with this key, exists already (412)."""


class RowGoneError(DataverseError):
    """The row that was asked for by its id does not exist: Dataverse said so itself, naming table and id."""


class OutOfSightError(DataverseError):
    """The row is there, and the application user may not see or change it (403)."""


class SignInError(ReceiverError):
    """Dataverse's sign-in refused us. Check tenant, client and secret or certificate."""

    waiting_helps = True

    def __init__(self, said: str = "", code: str = "") -> None:
        super().__init__(said)
        #: the authority's own, such as AADSTS7000215, or one of auth.py
        self.code = code


class DataverseUnreachableError(ReceiverError):
    """Dataverse cannot be reached."""

    waiting_helps = True


class BrokenAnswerError(DataverseUnreachableError):
    """What came is no answer of Dataverse's: a page instead of data, half an answer, a link that leads nowhere."""
