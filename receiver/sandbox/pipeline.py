"""Runs the registered steps of an event: synchronous ones before the commit, asynchronous ones after it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import requests

from receiver.sandbox.context import ExecutionContext
from receiver.sandbox.delivery import Address, Delivery, Parcel, Sender, new_session, packed
from receiver.sandbox.delivery_queue import DeliveryQueue
from receiver.sandbox.errors import ApiError
from receiver.sandbox.events import Event
from receiver.sandbox.faults import Faults
from receiver.sandbox.notifications import Environment, context_for
from receiver.sandbox.registration import ENDPOINT, STEP, Registry
from receiver.sandbox.settings import SandboxSettings
from receiver.sandbox.steps import SYNCHRONOUS, Step
from receiver.sandbox.storage import Store, Transaction
from receiver.sandbox.values import Reference

JOB = "asyncoperation"
_SYSTEM_EVENT = 1
_WAITING, _SUCCEEDED, _FAILED = 0, 30, 31
_COMPLETED = 3


class Pipeline:
    """From events to deliveries, and from deliveries back to system jobs."""

    def __init__(
        self, settings: SandboxSettings, store: Store, registry: Registry, environment: Environment, faults: Faults
    ) -> None:
        self._settings = settings
        self._store = store
        self._registry = registry
        self._environment = environment
        self._faults = faults
        self._numbers = itertools.count(1)
        self._sender = Sender(settings.attempt_timeout_seconds, settings.retry_delay_seconds)
        self.deliveries: deque[Delivery] = deque(maxlen=settings.log_length)
        self.queue = DeliveryQueue(self._carry, faults, settings.delivery_threads)

    def run(self, transaction: Transaction, event: Event) -> None:
        """Raises ApiError when a synchronous step fails; the caller's transaction then rolls back."""
        for registered in self._registry.steps():
            step = replace(registered, mode=SYNCHRONOUS) if event.call.is_synchronous else registered
            is_skipped = step.mode in event.call.skipped_modes or step.derived_id in event.call.skipped_steps
            if is_skipped or not step.concerns(event.message, event.table_name, event.submitted):
                continue
            if step.is_synchronous:
                self._run_now(transaction, event, step)
            else:
                self._run_later(transaction, event, step)

    def _run_now(self, transaction: Transaction, event: Event, step: Step) -> None:
        context = self._context(transaction, event, step, None)
        parcel = self._parcel(event, step, context, None)
        with new_session() as session:
            delivery = self._send(session, parcel)
        self.deliveries.append(delivery)
        if not delivery.has_succeeded:
            raise ApiError(
                400,
                "0x80040265",
                "Endpoint unavailable. The webhook call failed because the request was not successful: "
                f"the webhook may be misconfigured or down. {delivery.failure}",
            )

    def _run_later(self, transaction: Transaction, event: Event, step: Step) -> None:
        job_id = str(uuid4())
        context = self._context(transaction, event, step, job_id)
        parcel = self._parcel(event, step, context, job_id)
        transaction.put(JOB, job_id, self._job(transaction, event, step, job_id))
        transaction.after_commit.append(lambda: self._dispatch(parcel))

    def _context(self, transaction: Transaction, event: Event, step: Step, job_id: str | None) -> ExecutionContext:
        environment = replace(self._environment, name_of=transaction_names(transaction, self._environment))
        return context_for(event, step, environment, self._now(), job_id)

    def _parcel(self, event: Event, step: Step, context: ExecutionContext, job_id: str | None) -> Parcel:
        is_stripped = self._faults.strikes("strip")
        headers, body = packed(context, self._settings.organization_host, is_stripped=is_stripped)
        return Parcel(
            number=next(self._numbers),
            endpoint_id=step.endpoint_id,
            step_id=step.derived_id,
            table=event.table_name,
            row_id=event.row_id,
            row_name=event.row_name,
            message=event.message,
            mode=step.mode,
            headers=headers,
            body=body,
            at=self._now(),
            job_id=job_id,
        )

    def _job(self, transaction: Transaction, event: Event, step: Step, job_id: str) -> dict[str, object]:
        now = self._now().replace(microsecond=0)
        regarding = Reference(event.table_name, event.row_id) if event.table else None
        return {
            "asyncoperationid": job_id,
            "name": step.name,
            "messagename": event.message,
            "operationtype": _SYSTEM_EVENT,
            "depth": event.call.depth,
            "sequence": transaction.version,
            "retrycount": 0,
            "primaryentitytype": event.table_name,
            "correlationid": event.call.correlation_id,
            "requestid": event.call.request_id,
            "owningextensionid": Reference(STEP, step.derived_id),
            "regardingobjectid": regarding,
            "statecode": 0,
            "statuscode": _WAITING,
            "createdon": now,
            "modifiedon": now,
        }

    def _dispatch(self, parcel: Parcel) -> None:
        if self._faults.strikes("drop"):
            # Lost on the way: Dataverse believes that it was delivered.
            self._finish(parcel.job_id, None)
        else:
            self.queue.put(parcel)

    def _carry(self, session: requests.Session, parcel: Parcel) -> None:
        delivery = self._send(session, parcel)
        self.deliveries.append(delivery)
        self._finish(parcel.job_id, None if delivery.has_succeeded else delivery.failure)

    def _send(self, session: requests.Session, parcel: Parcel) -> Delivery:
        endpoint = self._store.row(ENDPOINT, parcel.endpoint_id)
        values = endpoint.values if endpoint else {"url": "http://deleted.invalid/"}
        return self._sender.send(session, parcel, Address.of(values))

    def _finish(self, job_id: str | None, failure: str | None) -> None:
        """A job that succeeded is removed where its step says so; a failed one stays to be looked at."""
        with self._store.transaction() as transaction:
            job = transaction.row(JOB, job_id) if job_id else None
            if job is None:
                return
            owner = job.get("owningextensionid")
            step = transaction.row(STEP, owner.id) if owner else None
            if failure is None and (step is None or step.get("asyncautodelete")):
                transaction.remove(JOB, job.id)
                return
            now = self._now().replace(microsecond=0)
            ended = {"statecode": _COMPLETED, "completedon": now, "modifiedon": now}
            told = {"statuscode": _FAILED, "message": failure, "friendlymessage": "The webhook call failed."}
            transaction.change(job, {**ended, **(told if failure else {"statuscode": _SUCCEEDED})})

    def fail_interrupted_jobs(self) -> None:
        """Jobs that waited when the sandbox stopped: their bodies are gone."""
        for job in self._store.rows(JOB):
            if job.get("statecode") != _COMPLETED:
                self._finish(job.id, "The sandbox was stopped before this was sent.")

    def _now(self) -> datetime:
        return self._settings.now()


def transaction_names(transaction: Transaction, environment: Environment) -> Callable[[Reference], str | None]:
    """The names of rows as this transaction sees them."""

    def name_of(reference: Reference) -> str | None:
        row = transaction.row(reference.table, reference.id)
        column = environment.name_columns.get(reference.table)
        return row.get(column) if row and column else None

    return name_of
