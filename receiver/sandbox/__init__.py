"""A stand-in for Dataverse that runs on this machine: sign-in, Web API, notifications, and a Sales form.

Start one with `Sandbox(SandboxSettings(...))`; only the programs and the tests import it. In come requests of the Web
API and wishes of a test, out go answers and notifications, as unkind as Dataverse's. Read `organization.py` first.
"""

from __future__ import annotations

from receiver.sandbox.answer import Answer
from receiver.sandbox.delivery import Delivery
from receiver.sandbox.errors import ApiError, PortTakenError, SandboxError
from receiver.sandbox.faults import ALWAYS, Faults
from receiver.sandbox.sandbox import Sandbox
from receiver.sandbox.settings import SandboxSettings, ServiceEndpoint
from receiver.sandbox.steps import Step, StepImage
from receiver.sandbox.values import Reference

__all__ = [
    "ALWAYS",
    "Answer",
    "ApiError",
    "Delivery",
    "Faults",
    "PortTakenError",
    "Reference",
    "Sandbox",
    "SandboxError",
    "SandboxSettings",
    "ServiceEndpoint",
    "Step",
    "StepImage",
]
