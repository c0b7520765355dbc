"""Retries and dead letters: which failures are tried again, how often, and until when."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.eventbridge_retry import Failure, GiveUp, Retry, RetryPolicy, classify, dead_letter_attributes

THROTTLED = Failure("THROTTLING", "slow down", retryable=True)
GONE = Failure("NO_RESOURCE", "it is gone", retryable=False)


def run(policy: RetryPolicy, seed: int = 0) -> tuple[int, float, GiveUp]:
    """Fail until it is given up: how many retries, at what age of the event, and why."""
    randomness = random.Random(seed)
    retries, age = 0, 0.0
    while True:
        decision = policy.after(THROTTLED, retries=retries, age=age, jitter=randomness.random())
        if isinstance(decision, GiveUp):
            return retries, age, decision
        retries, age = retries + 1, age + decision.delay


@pytest.mark.parametrize(
    ("code", "status", "failure", "retryable"),
    [
        ("ResourceNotFoundException", 404, "NO_RESOURCE", False),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "NO_RESOURCE", False),
        ("QueueDoesNotExist", 400, "NO_RESOURCE", False),
        ("NotFound", 404, "NO_RESOURCE", False),  # SNS
        ("ClusterNotFoundException", 400, "NO_RESOURCE", False),
        ("AccessDeniedException", 403, "NO_PERMISSIONS", False),
        ("ThrottlingException", 400, "THROTTLING", True),
        ("TooManyRequestsException", 429, "THROTTLING", True),
        ("InvalidParameterException", 400, "INVALID_PARAMETER", False),
        ("ClientException", 400, "INVALID_PARAMETER", False),
        ("THIRD_ACCOUNT_HOP_DETECTED", 400, "THIRD_ACCOUNT_HOP_DETECTED", False),
        ("InternalFailure", 500, "ERROR_FROM_TARGET", True),
        ("ServiceUnavailable", 503, "ERROR_FROM_TARGET", True),
        ("NotImplemented", 501, "ERROR_FROM_TARGET", False),
        ("Strange", 400, "ERROR_FROM_TARGET", False),
    ],
)
def test_errors_of_targets(code: str, status: int, failure: str, retryable: bool) -> None:
    assert classify(code, "words", status) == Failure(failure, "words", retryable)


def test_what_is_missing_is_not_tried_again() -> None:
    assert RetryPolicy().after(GONE, retries=0, age=0, jitter=0.5) == GiveUp(None)


def test_a_policy_of_no_retries() -> None:
    policy = RetryPolicy.of({"RetryPolicy": {"MaximumRetryAttempts": 0}})
    assert policy.after(THROTTLED, retries=0, age=0, jitter=0.5) == GiveUp("MaximumRetryAttempts")


def test_the_steps_double_up_to_ten_minutes_with_jitter() -> None:
    policy = RetryPolicy()
    delays = [policy.after(THROTTLED, retries=n, age=0, jitter=1.0) for n in (0, 1, 2, 9, 10, 184)]
    assert delays == [Retry(1.0), Retry(2.0), Retry(4.0), Retry(512.0), Retry(600.0), Retry(600.0)]
    assert policy.after(THROTTLED, retries=2, age=0, jitter=0.0) == Retry(2.0)


def test_by_default_it_goes_on_for_about_a_day() -> None:
    retries, age, _ = run(RetryPolicy.of({}))
    assert 150 < retries <= 185
    assert 20 * 3600 < age <= 24 * 3600


def test_an_event_that_is_too_old_is_given_up() -> None:
    retries, age, reason = run(RetryPolicy.of({"RetryPolicy": {"MaximumEventAgeInSeconds": 60}}))
    assert reason == GiveUp("MaximumEventAgeInSeconds")
    assert retries < 10
    assert age <= 60


@given(st.integers(0, 185), st.integers(60, 86_400), st.integers())
def test_neither_limit_is_ever_passed(attempts: int, age: int, seed: int) -> None:
    retries, reached, reason = run(RetryPolicy(attempts, age), seed)
    assert retries <= attempts
    assert reached <= age
    assert reason.condition == ("MaximumRetryAttempts" if retries == attempts else "MaximumEventAgeInSeconds")


def test_the_attributes_of_a_dead_letter() -> None:
    assert dead_letter_attributes("arn:rule", "arn:target", THROTTLED, "MaximumRetryAttempts", 3) == {
        "RULE_ARN": "arn:rule",
        "TARGET_ARN": "arn:target",
        "ERROR_CODE": "THROTTLING",
        "ERROR_MESSAGE": "slow down",
        "RETRY_ATTEMPTS": "3",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }
    assert "EXHAUSTED_RETRY_CONDITION" not in dead_letter_attributes("r", "t", GONE, None, 0)
