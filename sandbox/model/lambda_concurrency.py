"""How many invocations of Lambda functions run at once, and which are throttled.

"Understanding Lambda function scaling" and "Configuring reserved concurrency for a function": an account runs 1,000
invocations at a time in a Region. What a function has reserved is taken from the others, and is its own limit.
"""

from __future__ import annotations

from collections import Counter

ACCOUNT_LIMIT = 1000
UNRESERVED_MINIMUM = 100

FUNCTION_LIMIT_REACHED = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT_LIMIT_REACHED = "ConcurrentInvocationLimitExceeded"


class ReservationError(ValueError):
    """So much cannot be reserved; the text is AWS's."""


class Concurrency:
    """The concurrency of an account in one Region."""

    def __init__(self) -> None:
        self._reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()

    @property
    def unreserved(self) -> int:
        """What the functions without a reservation share."""
        return ACCOUNT_LIMIT - sum(self._reserved.values())

    def reserved(self, function: str) -> int | None:
        """What a function has reserved; None if nothing is said."""
        return self._reserved.get(function)

    def reserve(self, function: str, count: int) -> None:
        """Reserve so much for a function, instead of what it had.

        Raises:
            ReservationError: Too little would be left to the others.
        """
        if self.unreserved + self._reserved.get(function, 0) - count < UNRESERVED_MINIMUM:
            raise ReservationError(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{UNRESERVED_MINIMUM}]."
            )
        self._reserved[function] = count

    def unreserve(self, function: str) -> None:
        """Give back what a function has reserved, if anything."""
        self._reserved.pop(function, None)

    def begin(self, function: str) -> str | None:
        """Begin an invocation; or the reason (AWS's ThrottleReason) why it is throttled."""
        limit = self._reserved.get(function)
        if limit is not None:
            if self._running[function] >= limit:
                return FUNCTION_LIMIT_REACHED
        elif sum(n for name, n in self._running.items() if name not in self._reserved) >= self.unreserved:
            return ACCOUNT_LIMIT_REACHED
        self._running[function] += 1
        return None

    def end(self, function: str) -> None:
        """An invocation that had begun has ended."""
        self._running[function] -= 1
        if not self._running[function]:
            del self._running[function]
