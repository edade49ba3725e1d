"""The error family: a class's docstring is its message, and each knows whether waiting helps.

A rule says no with a value (`Skip`, `Fail`); these are for the world.
"""

from __future__ import annotations

from datetime import datetime


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


class NotConnectedError(ReceiverError):
    """No connection to Dataverse is set up. Run receiver connect, or set RECEIVER_DATAVERSE_URL and its like."""

    waiting_helps = True


class GateClosedError(ReceiverError):
    """Dataverse asked us to wait; no request is sent until then."""

    waiting_helps = True

    def __init__(self, until: datetime, reason: str = "") -> None:
        super().__init__(f"Dataverse asked us to wait until {until:%H:%M:%S} UTC. {reason}".strip())
        self.until = until


class DataverseError(ReceiverError):
    """Dataverse refused a request.

    Source: reference/dataverse.md §6.9. `status` is the HTTP status, `code` Dataverse's own (0x…).
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"Dataverse answered {status} {code}: {message}".replace("  ", " "))
        self.status = status
        self.code = code
        self.waiting_helps = status in {408, 502, 503, 504}


class ThrottledError(DataverseError):
    """Dataverse's service protection asks for a pause; `retry_after` in seconds."""

    def __init__(self, status: int, code: str, message: str, retry_after: float) -> None:
        super().__init__(status, code, message)
        self.retry_after = retry_after
        self.waiting_helps = True


class VersionMismatchError(DataverseError):
    """The row has changed since it was read (412)."""


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
