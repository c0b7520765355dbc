"""Faults of a sandbox that runs: begun, ended, and gone with the sandbox or with whoever asked for them.

Observations: ``fault.begun`` and ``fault.ended`` (fault: its number in the sandbox, name, target, options).

A command of another process keeps a fault by asking again and again; when it is gone, however that came, the fault ends
within `LEASE` seconds.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import requests

from sandbox.aws.protocol import HttpResponse
from sandbox.controllers.up import UpState
from sandbox.errors import SandboxError
from sandbox.faults import base, targets
from sandbox.interrupts import held_back
from sandbox.timeline import Timeline

log = logging.getLogger(__name__)

PATH = "/_sandbox/fault/"
LEASE = 15.0  # seconds
_ANSWER_WITHIN = 150.0  # seconds; a container may take 120 s to stop


class Begun:
    """A fault that has begun. Leaving a ``with`` block ends it.

    Attributes:
        id: Its number in the sandbox.
    """

    def __init__(self, number: int, undo: Callable[[Begun], None]) -> None:
        self.id = number
        self._undo = undo

    def end(self) -> None:
        """Take the fault away. A second call does nothing.

        Raises:
            SandboxError: It could not be taken away.
        """
        self._undo(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class Faults:
    """Begins and ends faults. Safe to use from several threads.

    Args:
        reach: What faults act on.
        timeline: Gets the observations.
    """

    def __init__(self, reach: base.Reach, timeline: Timeline) -> None:
        self._reach = reach
        self._timeline = timeline
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._active: dict[int, tuple[Begun, base.Undo, dict[str, Any]]] = {}
        self._leases: dict[int, threading.Timer] = {}
        self._closed = False

    def begin(self, name: str, target: str, options: Mapping[str, object]) -> Begun:
        """Put a fault in (see `Operator.fault`, also for its errors)."""
        fault = base.find(name)
        meant = targets.parse(target, fault.targets)
        values = fault.read(options)
        with held_back():  # an interruption must not come between a fault and its removal
            undo = fault.inject(self._reach, meant, **values)
            begun = Begun(next(self._numbers), self._end)
            facts = {"fault": begun.id, "name": name, "target": target, "options": values}
            with self._lock:
                late = self._closed
                self._active[begun.id] = (begun, undo, facts)
            self._timeline.record("fault.begun", **facts)
            if late or fault.instant:
                begun.end()
        if late:
            raise SandboxError("the sandbox is being closed")
        return begun

    def _end(self, begun: Begun) -> None:
        with held_back():
            with self._lock:
                _, undo, facts = self._active.pop(begun.id, (None, None, None))
                lease = self._leases.pop(begun.id, None)
            if lease is not None:
                lease.cancel()
            if undo is None or facts is None:
                return
            undo()
            self._timeline.record("fault.ended", **facts)

    def lift(self, number: int) -> None:
        """End a fault by its number, whoever has begun it.

        Raises:
            SandboxError: It is not there any more, or could not be taken away.
        """
        with self._lock:
            known = self._active.get(number)
        if known is None:
            raise SandboxError(f"fault {number} has ended")
        known[0].end()

    def close(self) -> None:
        """End every fault.

        Raises:
            SandboxError: One of them could not be taken away; the others have been.
        """
        with self._lock:
            self._closed = True
            left = [begun for begun, _, _ in self._active.values()]
        errors = []
        for begun in reversed(left):
            try:
                begun.end()
            except SandboxError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    # -- for other processes --

    def answer(self, path: str) -> HttpResponse:
        """POST of `PATH` and ``begin/ORDER``, ``keep/ID`` or ``end/ID``; an order is base64url of JSON."""
        verb, _, rest = path.removeprefix(PATH).partition("/")
        try:
            if verb == "begin":
                order = json.loads(base64.urlsafe_b64decode(rest))
                begun = self.begin(order["name"], order["target"], order["options"])
                self._lend(begun)
                return _json(200, {"id": begun.id})
            with self._lock:
                known = self._active.get(int(rest))
            if known is None:
                return _json(404, {"message": f"fault {rest} has ended"})
            if verb == "end":
                known[0].end()
            else:
                self._lend(known[0])
            return _json(200, {"id": known[0].id})
        except SandboxError as error:
            return _json(409, {"message": error.message, "state": error.state, "hint": error.hint})
        except (ValueError, KeyError, TypeError) as error:
            return _json(400, {"message": f"no order to this sandbox: {type(error).__name__} {error}"})

    def _lend(self, begun: Begun) -> None:
        """End it when nobody has asked for it again in time."""

        def expire() -> None:
            try:
                begun.end()
            except SandboxError as error:
                log.warning("%s", error)

        with self._lock:
            before = self._leases.pop(begun.id, None)
            if before is not None:
                before.cancel()
            if begun.id in self._active:
                self._leases[begun.id] = timer = threading.Timer(LEASE, expire)
                timer.daemon = True
                timer.start()


class Remote:
    """A fault of a stack that another process serves. It ends with a ``with`` block, or when nobody keeps it.

    Args:
        stacks: Those that are up; the first that takes the fault gets it.
        name: The fault's.
        target: Its target.
        options: Values or texts by name.

    Attributes:
        stack: The stack's name.

    Raises:
        SandboxError: None is up, or none has taken it.
    """

    def __init__(self, stacks: list[UpState], name: str, target: str, options: Mapping[str, object]) -> None:
        order = base64.urlsafe_b64encode(json.dumps({"name": name, "target": target, "options": options}).encode())
        if not stacks:
            raise SandboxError("no stack is up", hint="bring one up in another terminal: sandbox up ghost")
        for index, self._stack in enumerate(stacks):
            try:
                self._id = int(self._ask(f"begin/{order.decode()}")["id"])
            except SandboxError:
                if index == len(stacks) - 1:
                    raise
            else:
                break
        self.stack = self._stack.stack

    def keep(self) -> None:
        """Have it go on for `LEASE` seconds.

        Raises:
            SandboxError: It has ended, or the stack is down.
        """
        self._ask(f"keep/{self._id}")

    def end(self) -> None:
        """Take it away.

        Raises:
            SandboxError: It has ended before, could not be taken away, or the stack is down.
        """
        self._ask(f"end/{self._id}")

    def _ask(self, what: str) -> dict[str, Any]:
        try:
            answer = requests.post(
                f"{self._stack.endpoint_url}{PATH}{what}", timeout=_ANSWER_WITHIN, proxies={"http": "", "https": ""}
            )
            told: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise SandboxError(f"the stack {self._stack.stack} does not answer", state=str(error)) from error
        if answer.status_code != 200:
            raise SandboxError(str(told["message"]), state=told.get("state", ""), hint=told.get("hint", ""))
        return told


def _json(status: int, content: Mapping[str, object]) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(content).encode())
