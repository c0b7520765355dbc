"""Cursors that clients have open: what the engine needs to go on with each of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from mongod.errors import CommandError

TIMEOUT = 600.0  # MongoDB's cursorTimeoutMillis


@dataclass
class Cursor:
    """An open cursor.

    Attributes:
        namespace: Database and collection.
        continuation: The engine's own note, as BSON.
        used: When it was used last, on the monotonic clock.
    """

    namespace: str
    continuation: bytes
    used: float


class Cursors:
    """All of a server's cursors. One that is not used for ten minutes is forgotten."""

    def __init__(self) -> None:
        self._open: dict[int, Cursor] = {}

    def keep(self, number: int, namespace: str, continuation: bytes) -> None:
        """Remember a cursor that has more to give."""
        now = time.monotonic()
        for old in [key for key, cursor in self._open.items() if now - cursor.used > TIMEOUT]:
            del self._open[old]
        self._open[number] = Cursor(namespace, continuation, now)

    def take(self, number: int, namespace: str) -> Cursor:
        """Take a cursor out, for its next batch.

        Raises:
            CommandError: There is none of this number, or it is one of another collection.
        """
        cursor = self._open.get(number)
        if cursor is None or time.monotonic() - cursor.used > TIMEOUT:
            raise CommandError("CursorNotFound", f"cursor id {number} not found")
        if cursor.namespace != namespace:
            raise CommandError(
                "Unauthorized",
                f"Requested getMore on namespace '{namespace}', but cursor belongs to a different namespace "
                f"{cursor.namespace}",
            )
        return self._open.pop(number)

    def kill(self, numbers: Iterable[int]) -> tuple[list[int], list[int]]:
        """Forget cursors: those there were, and those there were not."""
        killed: list[int] = []
        unknown: list[int] = []
        for number in numbers:
            (killed if self._open.pop(number, None) else unknown).append(number)
        return killed, unknown
