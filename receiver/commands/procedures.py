"""The commands that are carried out as tasks. To add one: its procedure, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.commands import full_synchronization, matching_task, run, uncouple_all, verification
from receiver.tasks import Procedure

PROCEDURES: Mapping[str, Procedure] = {
    run.COMMAND: run.carry_out,
    full_synchronization.COMMAND: full_synchronization.carry_out,
    uncouple_all.COMMAND: uncouple_all.carry_out,
    verification.COMMAND: verification.carry_out,
    matching_task.COMMAND: matching_task.carry_out,
}
