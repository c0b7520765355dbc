"""What EventBridge does when a target does not take an event: try again later, or give up.

"How EventBridge retries delivering events" and "Using dead-letter queues to process undelivered events in
EventBridge": retriable errors are tried again for 24 hours and up to 185 times by default, with exponential back-off
and jitter; missing permissions and missing resources are not tried again. Which other errors are retriable AWS does not
tell: here what may pass (throttling, time-outs, lost connections, errors of the target's side) is, and what is wrong
with the request is not. Nor does it tell the steps of the back-off: here a second, doubled up to ten minutes, of which
at least half is waited, so that 185 attempts fill about a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FIRST_STEP = 1.0  # seconds
_LONGEST_STEP = 600.0

_NO_RESOURCE = ("NotFound", "NonExistentQueue", "QueueDoesNotExist")
_NO_PERMISSIONS = ("AccessDenied", "NotAuthorized", "AuthorizationError", "UnauthorizedOperation")
_THROTTLING = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "LimitExceeded")
_INVALID = ("Invalid", "Validation", "ClientException", "MissingParameter", "SerializationException")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a target did not take an event.

    Attributes:
        code: One of the error codes that AWS documents for dead-letter queues ("NO_RESOURCE").
        message: The target's own words.
        retryable: Whether it is tried again.
    """

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again.

    Attributes:
        condition: Which limit of the retry policy was reached; None for an error that is not retried.
    """

    condition: str | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A target's RetryPolicy: how many retries, and until what age of the event in seconds."""

    attempts: int = 185
    age: float = 86_400

    @classmethod
    def of(cls, target: Mapping[str, Any]) -> RetryPolicy:
        """That of a Target of the API."""
        given = target.get("RetryPolicy", {})
        return cls(given.get("MaximumRetryAttempts", 185), given.get("MaximumEventAgeInSeconds", 86_400))

    def after(self, failure: Failure, *, retries: int, age: float, jitter: float) -> Retry | GiveUp:
        """What follows a failure.

        Args:
            failure: What the last attempt ended with.
            retries: How many retries there were.
            age: Of the event, in seconds.
            jitter: A random number from 0 to 1.
        """
        if not failure.retryable:
            return GiveUp(None)
        if retries >= self.attempts:
            return GiveUp("MaximumRetryAttempts")
        step = min(_FIRST_STEP * 2 ** min(retries, 32), _LONGEST_STEP)
        delay = step * (1 + jitter) / 2
        if age + delay > self.age:
            return GiveUp("MaximumEventAgeInSeconds")
        return Retry(delay)


def classify(code: str, message: str, status: int) -> Failure:
    """The failure that an error of a target's API is.

    Args:
        code: The API's error code ("QueueDoesNotExist").
        message: Its words.
        status: The HTTP status of the answer.
    """
    for fragments, name, retryable in (
        (_NO_RESOURCE, "NO_RESOURCE", False),
        (_NO_PERMISSIONS, "NO_PERMISSIONS", False),
        (_THROTTLING, "THROTTLING", True),
        (_INVALID, "INVALID_PARAMETER", False),
    ):
        if any(fragment in code for fragment in fragments):
            return Failure(name, message, retryable)
    if code == "THIRD_ACCOUNT_HOP_DETECTED":
        return Failure(code, message, retryable=False)
    return Failure("ERROR_FROM_TARGET", message, retryable=status >= 500 and code != "NotImplemented")


def dead_letter_attributes(
    rule_arn: str, target_arn: str, failure: Failure, condition: str | None, retries: int
) -> dict[str, str]:
    """The message attributes of an event in a dead-letter queue, all of type String."""
    attributes = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message,
        "RETRY_ATTEMPTS": str(retries),
    }
    return attributes if condition is None else {**attributes, "EXHAUSTED_RETRY_CONDITION": condition}
