"""Calls that an SDK sends again because the first answer has not reached it get that answer, and are not done twice.

AWS's SDKs send the same ``amz-sdk-invocation-id`` with each attempt of a call. On a machine that is short of time a
connection may break after a call has been carried out: a second DeleteListener would then find no listener, and
Terraform would take that for a failure. What was refused, or failed, is done again, as the SDK means it to be.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.aws.protocol import HttpRequest

StartResponse = Callable[..., Any]

_KEPT = 256  # answers; an SDK asks again within seconds
_LONGEST = 100_000  # bytes of an answer that is kept


class Repeats:
    """The answers to the last calls that succeeded. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, tuple[str, list[tuple[str, str]], bytes]] = OrderedDict()

    def answer(
        self, request: HttpRequest, start_response: StartResponse, call: Callable[[StartResponse], Iterable[bytes]]
    ) -> Iterable[bytes]:
        """Answer a request: as before if it is an attempt of a call that has succeeded, else with what ``call`` says.

        An invocation of a function is left alone: AWS, too, invokes it again for a client that has not waited for it.
        """
        invocation = request.headers.get("amz-sdk-invocation-id", "")
        if not invocation or request.method in {"GET", "HEAD"} or request.path.endswith("/invocations"):
            return call(start_response)
        with self._lock:
            known = self._answers.get(invocation)
        if known is not None:
            start_response(known[0], known[1])
            return [known[2]]
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            begun.append((status, headers))
            return start_response(status, headers, exc_info)

        body = b"".join(call(start))
        status, headers = begun[-1]
        if status.startswith("2") and len(body) <= _LONGEST:
            with self._lock:
                self._answers[invocation] = (status, headers, body)
                while len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
        return [body]
