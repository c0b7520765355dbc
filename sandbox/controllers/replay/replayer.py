"""Tells a Lambda function of events by a plan, and looks at AWS's state after each."""

from __future__ import annotations

import heapq
import itertools
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.lambda_runtime.function import FunctionConfig, Result
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.clock import VirtualClock
from sandbox.controllers.replay.aws import ReplayedAws
from sandbox.controllers.replay.handler import Handler
from sandbox.controllers.replay.report import Report, Step, in_words, outdated
from sandbox.errors import SandboxError
from sandbox.model.lambda_async import ERROR_DELAYS
from sandbox.model.replay.plan import Plan, Recording, notes, recorded_plan, times, told
from sandbox.model.replay.state import Invariant, check, no_event_lost
from sandbox.model.route53 import HostedZone
from sandbox.timeline import Timeline

RUNTIME = "python3.12"
_LOG_LINES = 12
_EXCERPT = 2000  # characters of a result that a report keeps
_NOT_LOADED = {"Runtime.ImportModuleError", "Runtime.HandlerNotFound", "Runtime.UserCodeSyntaxError"}


@dataclass(frozen=True, order=True)
class _Turn:
    """An invocation to come. Those of one moment keep their order."""

    at: float
    order: int
    event: int
    note: str
    attempt: int = 1


class Replayer:
    """A function, an endpoint and a recording. Also a context manager; leaving it ends the function's process.

    One invocation at a time, in the recording's own time: no delay is waited for. A function that itself waits sees
    AWS go on by whole seconds meanwhile. A failed event comes again after one and after two minutes, as Lambda's
    asynchronous invocation does.

    Args:
        recording: The events, and AWS's state around them.
        handler: The function.
        zones: Route 53's hosted zones before the first event.
        retries: How often a failed event is tried again; Lambda's default, and bound, is 2.
        fresh: Start a new process for every run, so that what the function keeps in its module does not last.

    Attributes:
        recording: As given.
        fresh: As given; it may be changed between runs.

    Raises:
        SandboxError: The process has a sandbox or a replay already, or an address in the recording is none.
    """

    def __init__(
        self,
        recording: Recording,
        handler: Handler,
        *,
        zones: Sequence[HostedZone] = (),
        retries: int = len(ERROR_DELAYS),
        fresh: bool = False,
    ) -> None:
        if not 0 <= retries <= len(ERROR_DELAYS):
            raise SandboxError(f"{retries} retries: Lambda tries again 0 to {len(ERROR_DELAYS)} times")
        self.recording = recording
        self._retries = retries
        self.fresh = fresh
        self._timeline = Timeline(VirtualClock())
        self._payloads: dict[int, bytes] = {}
        self._loaded = False
        self._aws = ReplayedAws(recording.facts, zones, recording.region, self._timeline)
        try:
            self._runtime = FunctionRuntime(self._aws.environment, self._timeline)
        except BaseException:  # the disk is full
            self._aws.close()
            raise
        self._function = FunctionConfig(
            handler.name,
            f"arn:aws:lambda:{recording.region}:{ACCOUNT_ID}:function:{handler.name}",
            "1",
            handler.handler,
            RUNTIME,
            handler.code,
            timeout=handler.timeout,
            memory_size=handler.memory_size,
            region=recording.region,
            environment=handler.environment,
        )

    @property
    def endpoint_url(self) -> str:
        """Where the function's AWS clients go."""
        return self._aws.endpoint_url

    def run(
        self,
        plan: Plan | None = None,
        invariants: Mapping[str, Invariant] | None = None,
        *,
        check: str = "end",
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> Report:
        """Replay once, from the state before the first event.

        Args:
            plan: None: as recorded.
            invariants: By name; None: that no event is lost.
            check: When they count: "end" or "always". They are looked at after every invocation either way.
            progress: Told how many of the deliveries have been made.

        Raises:
            SandboxError: The function cannot be loaded, or an invariant fails with another error than an assertion.
        """
        plan = recorded_plan(self.recording) if plan is None else plan
        invariants = {"no-event-lost": no_event_lost()} if invariants is None else invariants
        if self.fresh:
            self.restart()
        self._aws.reset()
        order = itertools.count()
        deliveries = zip(told(plan), times(self.recording, plan), notes(self.recording, plan), strict=True)
        turns = [_Turn(at, next(order), one.event, note) for one, at, note in deliveries]
        count, made = len(turns), 0
        now, lost, steps = float("-inf"), [], []
        while turns:
            turn = heapq.heappop(turns)
            now = max(now, turn.at)
            self._aws.advance(now)
            result, passed = self._invoke(turn, now)
            now += passed
            if result.failed and turn.attempt <= self._retries:
                delay = ERROR_DELAYS[turn.attempt - 1]
                again = _Turn(now + delay, next(order), turn.event, f"retry {turn.attempt}", turn.attempt + 1)
                heapq.heappush(turns, again)
            elif result.failed:
                lost.append(f"event {turn.event + 1}, {_error(result)}")
            self._aws.advance(now)
            steps.append(self._step(turn, now, result, self._broken(invariants, now, lost)))
            if turn.attempt == 1:
                made += 1
                progress(made, count)
        end = max(now, self.recording.facts[-1].at if self.recording.facts else now)
        self._aws.advance(end)
        state = self._aws.state(end, lost, is_end=True)
        broken = {name: wrong for name, one in invariants.items() if (wrong := _check(name, one, state))}
        return Report(self.recording, plan, tuple(steps), tuple(lost), state, broken, tuple(invariants), check)

    def restart(self) -> None:
        """Let the next run have a new process of the function."""
        self._runtime.retire(self._function.name)

    def close(self) -> None:
        """End the function's process and the endpoint."""
        self._runtime.close()
        self._aws.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _invoke(self, turn: _Turn, now: float) -> tuple[Result, float]:
        """Its result, and the whole seconds that it took: what is shorter than one does not count as time."""
        payload = self._payloads.get(turn.event)
        if payload is None:
            payload = json.dumps(self.recording.events[turn.event].event).encode()
            self._payloads[turn.event] = payload
        begun: list[float] = []

        def moment() -> float:
            # The first call is the beginning: a process that is only being started makes none.
            if not begun:
                begun.append(time.monotonic())
            return now + int(time.monotonic() - begun[0])

        self._aws.moving(moment)
        try:
            result = self._runtime.invoke(
                self._function, payload, trigger="replay", request_id=str(uuid.uuid4()), attempt=turn.attempt
            )
        finally:
            self._aws.moving(None)
            self._timeline.forget()
        if not self._loaded:
            self._check_loaded(result)
        return result, float(int(result.duration_ms / 1000))

    def _check_loaded(self, result: Result) -> None:
        error = result.error()
        if error.get("errorType") in _NOT_LOADED:
            raise SandboxError(
                f"the function {self._function.handler} cannot be loaded",
                state=f"{error['errorType']}: {error.get('errorMessage', '')}",
                log=result.log.splitlines()[-_LOG_LINES:],
            )
        self._loaded = True

    def _broken(self, invariants: Mapping[str, Invariant], now: float, lost: Sequence[str]) -> dict[str, str]:
        if not invariants:
            return {}
        state = self._aws.state(now, lost)
        return {name: wrong for name, one in invariants.items() if (wrong := _check(name, one, state))}

    def _step(self, turn: _Turn, now: float, result: Result, broken: Mapping[str, str]) -> Step:
        event = self.recording.events[turn.event].event
        return Step(
            turn.event,
            now,
            in_words(event),
            ", ".join(filter(None, (turn.note, outdated(event, self._aws.world)))),
            turn.attempt,
            tuple(self._aws.take_changes()),
            result.payload[:_EXCERPT].decode("utf-8", "replace"),
            _error(result),
            tuple(result.log.splitlines()[-_LOG_LINES:]),
            broken,
        )


def _error(result: Result) -> str:
    if not result.failed:
        return ""
    error = result.error()
    return f"{error.get('errorType', 'error')}: {error.get('errorMessage', '')}"


def _check(name: str, invariant: Invariant, state: object) -> str:
    try:
        return check(invariant, state)  # type: ignore[arg-type]
    except Exception as error:
        raise SandboxError.unforeseen(f"the invariant {name} failed", error) from error
