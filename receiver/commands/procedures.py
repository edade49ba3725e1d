"""The commands that are carried out as tasks. To add one: its procedure, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.commands.coupling import matching_task, uncouple_all
from receiver.commands.following import notifications_in_bulk
from receiver.commands.synchronizing import full_synchronization, run_mapping, verification
from receiver.runs import gone, run_task
from receiver.runs.tasks import Procedure

PROCEDURES: Mapping[str, Procedure] = {
    run_task.COMMAND: run_mapping.carry_out,
    run_mapping.ALL: run_mapping.carry_out_all,
    gone.COMMAND: gone.carry_out,
    full_synchronization.COMMAND: full_synchronization.carry_out,
    uncouple_all.COMMAND: uncouple_all.carry_out,
    verification.COMMAND: verification.carry_out,
    matching_task.COMMAND: matching_task.carry_out,
    notifications_in_bulk.PROCESS_FAILED: notifications_in_bulk.process_failed,
    notifications_in_bulk.PURGE: notifications_in_bulk.purge,
}
