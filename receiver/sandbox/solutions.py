"""Unmanaged solutions: what is created with the header MSCRM.SolutionUniqueName is in the one that it names.

Source: DP/optional-parameters.md, DP/reference/entities/solutioncomponent.md.
"""

from __future__ import annotations

from uuid import uuid4

from receiver.sandbox.errors import ApiError
from receiver.sandbox.storage import Transaction
from receiver.sandbox.values import Reference

SOLUTION, COMPONENT = "solution", "solutioncomponent"
#: tables whose number is the environment's own, as those of buttons and Custom APIs are, begin at 10000
COMPONENT_TYPES = {
    "webresource": 61,
    "sdkmessageprocessingstep": 92,
    "sdkmessageprocessingstepimage": 93,
    "serviceendpoint": 95,
    "appaction": 10343,
    "customapi": 10036,
    "customapirequestparameter": 10037,
}


def put_in_solution(transaction: Transaction, unique_name: str, table: str, row_id: str) -> None:
    """A row that is no component is in no solution. Raises ApiError when there is no such solution."""
    found = next((row for row in transaction.rows(SOLUTION) if row.get("uniquename") == unique_name), None)
    if found is None:
        # That it is refused is documented; with which code is not.
        raise ApiError(400, "0x80048408", f"The solution {unique_name} does not exist.")
    if table in COMPONENT_TYPES:
        own_id = str(uuid4())
        values = {
            "solutioncomponentid": own_id,
            "componenttype": COMPONENT_TYPES[table],
            "objectid": row_id,
            "solutionid": Reference(SOLUTION, found.id),
        }
        transaction.put(COMPONENT, own_id, values)
