"""What can go wrong in the sandbox: answers of the Web API, and a sandbox that cannot start."""

from __future__ import annotations


class SandboxError(Exception):
    """Something about the sandbox itself, not about what it plays."""


class PortTakenError(SandboxError):
    """Another program listens on a port that the sandbox needs."""

    def __init__(self, port: int, setting: str) -> None:
        super().__init__(
            f"Port {port} is taken by another program. Stop it, or give the sandbox another port with {setting}."
        )
        self.port = port
        self.setting = setting


class ApiError(Exception):
    """An error as the Web API answers it: status, code and message.

    Source: DP/reference/web-service-error-codes.md.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def row_missing(table: str, row_id: str) -> ApiError:
    return ApiError(404, "0x80040217", f"Entity '{table}' With Id = {row_id} Does Not Exist")


def invalid_argument(message: str) -> ApiError:
    return ApiError(400, "0x80040203", message)


def not_tracked(table: str) -> ApiError:
    return ApiError(400, "0x80072491", f"Entity: {table} isn't enabled for change tracking.")


def malformed(message: str) -> ApiError:
    return ApiError(400, "0x80048d19", f"Error identified in Payload provided by the user: {message}")


def unknown_property(name: str, table: str) -> ApiError:
    return ApiError(
        400,
        "0x80060888",
        f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.",
    )


def unknown_resource(segment: str) -> ApiError:
    return ApiError(404, "0x8006088a", f"Resource not found for the segment '{segment}'.")


def version_mismatch(table: str) -> ApiError:
    return ApiError(
        412,
        "0x80060882",
        f"The version of the existing record doesn't match the RowVersion property provided ({table}).",
    )


def restore_refused(code: str, message: str) -> ApiError:
    """0x80049939: the id is taken; 0x80049929: an alternate key is."""
    return ApiError(400, code, message)


def duplicate_key(table: str) -> ApiError:
    return ApiError(412, "0x80040237", f"A record with matching key values already exists in the table '{table}'.")
