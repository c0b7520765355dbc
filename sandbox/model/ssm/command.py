"""A command: which of its nodes get it when, and what its status is.

Sources: Systems Manager User Guide, "Understanding command statuses" and "Run commands at scale"; API reference:
SendCommand, Command. That a command without nodes is a Success with the details NoInstancesInTag was seen in
aws-ssm-invoke's documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ssm import rate
from sandbox.model.ssm.documents import Step
from sandbox.model.ssm.invocation import Invocation

DEFAULT_DELIVERY = 3600
"""Seconds of TimeoutSeconds where SendCommand gives none (seen in answers of the API)."""

STATUS = {
    "Pending": "Pending",
    "InProgress": "InProgress",
    "Cancelling": "Cancelling",
    "Success": "Success",
    "NoInstancesInTag": "Success",
    "Failed": "Failed",
    "Incomplete": "Failed",
    "Cancelled": "Cancelled",
    "DeliveryTimedOut": "TimedOut",
    "ExecutionTimedOut": "TimedOut",
    "RateExceeded": "Cancelled",
}
"""The Status of each StatusDetails of a command. That of Incomplete and of RateExceeded is ours."""

_OPEN = frozenset({"Pending", "InProgress", "Cancelling"})


@dataclass
class Command:
    """A command.

    Attributes:
        id: A UUID.
        document: The document's name.
        version: What SendCommand said ("$DEFAULT", ...).
        request: SendCommand's members, which descriptions repeat.
        plan: The steps.
        requested: Seconds since the epoch.
        delivery: TimeoutSeconds.
        detail: StatusDetails.
        invocations: By instance; none until the targets are known.
        is_too_late: TimeoutSeconds are over: a node that has not got it yet does not run it any more.
    """

    id: str
    document: str
    version: str
    request: Mapping[str, Any]
    plan: Sequence[Step]
    requested: float
    delivery: int = DEFAULT_DELIVERY
    max_concurrency: str = rate.DEFAULT_CONCURRENCY
    max_errors: str = rate.DEFAULT_ERRORS
    detail: str = "Pending"
    invocations: dict[str, Invocation] = field(default_factory=dict)
    is_too_late: bool = False

    @property
    def status(self) -> str:
        """Status, for its StatusDetails."""
        return STATUS[self.detail]

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self.detail not in _OPEN

    @property
    def lifetime(self) -> int:
        """Seconds from the request until ExpiresAfter: TimeoutSeconds and the time that the steps may take."""
        return self.delivery + sum(step.timeout for step in self.plan)

    @property
    def expires(self) -> float:
        """Seconds since the epoch, as ExpiresAfter shows them."""
        return self.requested + self.lifetime

    def next_ones(self) -> list[Invocation]:
        """The invocations to begin now: as many as MaxConcurrency allows, and none after too many errors."""
        if self.detail not in {"Pending", "InProgress"} or self.too_many_errors():
            return []
        room = rate.concurrency(self.max_concurrency, len(self.invocations))
        room -= sum(one.is_underway for one in self.invocations.values())
        waiting = [one for one in self.invocations.values() if one.detail == "Pending"]
        return waiting[: max(room, 0)]

    def too_many_errors(self) -> bool:
        """Whether more invocations have failed than MaxErrors allows."""
        return self.error_count() > rate.errors(self.max_errors, len(self.invocations))

    def error_count(self) -> int:
        """ErrorCount: those that have Failed or ExecutionTimedOut."""
        return sum(one.is_error for one in self.invocations.values())

    def count(self, *details: str) -> int:
        """How many invocations have one of these StatusDetails."""
        return sum(one.detail in details for one in self.invocations.values())

    def completed_count(self) -> int:
        """CompletedCount."""
        return sum(one.is_over for one in self.invocations.values())

    def outcome(self) -> str:
        """The StatusDetails, when all invocations are over.

        "MaxErrors or more", as the pages say of Failed, Execution Timed Out and Delivery Timed Out, is taken for more
        than MaxErrors, as SendCommand says of MaxErrors itself. Undeliverable ones do not count, unless there are no
        others.
        """
        if self.detail == "Cancelling":
            return "Cancelled"
        details = [one.detail for one in self.invocations.values()]
        allowed = rate.errors(self.max_errors, len(details))
        if self.error_count() > allowed:
            return "Failed" if "Failed" in details else "ExecutionTimedOut"
        if details.count("DeliveryTimedOut") > allowed:
            return "DeliveryTimedOut"
        counted = {detail for detail in details if detail != "Undeliverable"}
        return "Success" if counted == {"Success"} else "Incomplete"


def oldest_last(commands: Iterable[Command]) -> list[Command]:
    """As lists show them: the newest first."""
    return sorted(commands, key=lambda one: one.requested, reverse=True)
