"""What Dataverse adds to an error when its annotations are asked for: its own word on whose fault it is.

Source: DP/webapi/compose-http-requests-handle-errors; SA/plug-in-execution/dataverse-plug-ins-errors.
"""

from __future__ import annotations

from uuid import uuid4

from receiver.sandbox.errors import ApiError
from receiver.sandbox.web_api.asked import Asked

_DETAILS = "Microsoft.PowerApps.CDS.ErrorDetails."
_SERVER_ERRORS = 500
_BY_PLUG_INS = "0x80040265"


def of(asked: Asked, problem: ApiError) -> dict[str, str]:
    """`@...ErrorDetails.ApiExceptionCategory` and its like; none where nobody asked for them."""
    is_ours = problem.status >= _SERVER_ERRORS
    details = {
        "ApiExceptionCategory": "SystemFailure" if is_ours else "ClientError",
        "ApiExceptionMessageName": "UnhandledException" if is_ours else "ClientError",
        "ApiExceptionHttpStatusCode": str(problem.status),
        "ApiExceptionSourceKey": "Plugin/Custom" if problem.code == _BY_PLUG_INS else "Plugin/Microsoft.Crm.Platform",
        "ApiActivityIdKey": str(uuid4()),
        "ApiDepthKey": "1",
    }
    found = {f"{_DETAILS}{name}": value for name, value in details.items()}
    found["Microsoft.PowerApps.CDS.HelpLink"] = f"http://go.microsoft.com/fwlink/?LinkID=398563&error={problem.code}"
    return {f"@{name}": value for name, value in found.items() if asked.wants_annotation(name)}
