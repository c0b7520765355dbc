"""What becomes of an event that invokes a Lambda function asynchronously: when it is tried again, and when given up.

"How Lambda handles errors and retries with asynchronous invocation": after an error of the function Lambda tries twice
more, a minute and two minutes later. An invocation that is throttled goes back to the queue instead, for as long as the
event may grow old, "from 1 second after the first attempt to a maximum of 5 minutes".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

ERROR_DELAYS = (60.0, 120.0)
FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 300.0

EXHAUSTED = "RetriesExhausted"
TOO_OLD = "EventAgeExceeded"
NOTHING_RESERVED = "ZeroReservedConcurrency"
RECURSION = "RecursiveInvocation"


class Outcome(Enum):
    """How an attempt ended."""

    SUCCESS = "success"
    FUNCTION_ERROR = "function error"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Policy:
    """A function's EventInvokeConfig, with AWS's defaults: attempts after the first, and seconds."""

    maximum_retry_attempts: int = 2
    maximum_event_age: float = 21_600.0


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often an event's function ran, and how often it was throttled instead."""

    invoked: int = 0
    throttled: int = 0


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The event is done."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The event goes to the dead-letter queue and the destination for failures, for this ``condition``."""

    condition: str


def after(
    attempts: Attempts, outcome: Outcome, policy: Policy, age: float, *, nothing_reserved: bool = False
) -> tuple[Attempts, Succeeded | Retry | GivenUp]:
    """What to do after one more attempt.

    Args:
        attempts: Those before.
        outcome: Of this one.
        policy: Of the function, as it is now.
        age: Seconds since Lambda took the event.
        nothing_reserved: Whether the function's reserved concurrency is 0, so that no attempt can succeed.
    """
    if outcome is Outcome.SUCCESS:
        return replace(attempts, invoked=attempts.invoked + 1), Succeeded()
    if outcome is Outcome.THROTTLED:
        delay = min(FIRST_BACK_OFF * 2.0 ** min(attempts.throttled, 30), LONGEST_BACK_OFF)
        attempts = replace(attempts, throttled=attempts.throttled + 1)
        if nothing_reserved:
            return attempts, GivenUp(NOTHING_RESERVED)
    else:
        attempts = replace(attempts, invoked=attempts.invoked + 1)
        if attempts.invoked > policy.maximum_retry_attempts:
            return attempts, GivenUp(EXHAUSTED)
        delay = ERROR_DELAYS[attempts.invoked - 1]
    if age + delay > policy.maximum_event_age:
        return attempts, GivenUp(TOO_OLD)
    return attempts, Retry(delay)
