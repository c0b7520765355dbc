"""Reserved and shared concurrency."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.lambda_concurrency import (
    ACCOUNT_LIMIT,
    ACCOUNT_LIMIT_REACHED,
    FUNCTION_LIMIT_REACHED,
    UNRESERVED_MINIMUM,
    Concurrency,
    ReservationError,
)


def test_a_function_has_what_it_reserved_and_no_more() -> None:
    account = Concurrency()
    account.reserve("f", 2)
    assert [account.begin("f") for _ in range(3)] == [None, None, FUNCTION_LIMIT_REACHED]
    account.end("f")
    assert account.begin("f") is None
    account.unreserve("f")
    assert account.begin("f") is None


def test_nothing_reserved_is_a_limit_too() -> None:
    account = Concurrency()
    account.reserve("f", 0)
    assert account.begin("f") == FUNCTION_LIMIT_REACHED
    assert account.reserved("f") == 0


def test_the_others_share_the_rest() -> None:
    account = Concurrency()
    account.reserve("f", 900)
    assert [account.begin("g") for _ in range(60)] + [account.begin("h") for _ in range(40)] == [None] * 100
    assert account.begin("h") == ACCOUNT_LIMIT_REACHED
    assert account.begin("f") is None


def test_a_hundred_are_left_to_the_others() -> None:
    account = Concurrency()
    account.reserve("f", 900)
    account.reserve("f", 800)
    account.reserve("g", 100)
    with pytest.raises(ReservationError, match=r"below its minimum value of \[100\]"):
        account.reserve("h", 1)
    assert account.unreserved == UNRESERVED_MINIMUM
    assert account.reserved("h") is None


STEP = st.tuples(st.sampled_from(["begin", "end", "reserve", "unreserve"]), st.sampled_from("abc"), st.integers(0, 600))


@given(st.lists(STEP, max_size=60))
def test_never_more_than_the_account_has(steps: list[tuple[str, str, int]]) -> None:
    account, running = Concurrency(), dict.fromkeys("abc", 0)
    for step, name, count in steps:
        if step == "begin":
            for _ in range(count):
                running[name] += account.begin(name) is None
        elif step == "end" and running[name]:
            account.end(name)
            running[name] -= 1
        elif step == "unreserve":
            account.unreserve(name)
        elif step == "reserve" and not any(running.values()):  # what runs already would be let end
            with contextlib.suppress(ReservationError):
                account.reserve(name, count)
        assert account.unreserved >= UNRESERVED_MINIMUM
        assert sum(running.values()) <= ACCOUNT_LIMIT
        for function, now in running.items():
            limit = account.reserved(function)
            assert limit is None or now <= limit
