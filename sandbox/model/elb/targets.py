"""The targets of one target group: registered, checked, healthy or not, draining, gone. Events in, commands out.

Rules: Application Load Balancer guide, "Health checks for Application Load Balancer target groups", "Target
groups for your Application Load Balancers" (deregistration delay, slow start), "Register targets".

Times (``now``, `Remind.at`) are AWS's seconds from a moment of the caller's choice.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.messages import (
    CHECKING,
    DRAINING,
    FULL,
    HEALTHY,
    NOT_IN_USE,
    NOT_REGISTERED,
    REGISTRATION,
    Add,
    Changed,
    Check,
    Checked,
    Command,
    Deregistered,
    Elapsed,
    Event,
    Idle,
    Registered,
    Remind,
    Remove,
    Route,
    Show,
    Unusable,
    Unused,
    Usable,
    Used,
)
from sandbox.model.elb.target import Target, TargetHealth

SLOW_START_STEPS = 20
"""A target in slow start gets its growing share in so many steps."""


@dataclass
class _State:
    """A target that is registered, or drains.

    Attributes:
        check: The number of its last check.
        before: The number of the last check of an earlier registration, or of an earlier time in use.
        next_check: When it is due; None: none is.
        run: Checks in a row that ended as the last one did.
        warm_from: When its slow start began; None: it gets its full share.
        next_step: When its share grows.
        gone_at: When its deregistration ends; None: it is registered.
        known: Whether the load balancer knows it.
        unusable: Why it can get no requests.
    """

    health: TargetHealth
    check: int = 0
    before: int = 0
    next_check: float | None = None
    run: int = 0
    last_passed: bool | None = None
    warm_from: float | None = None
    next_step: float | None = None
    gone_at: float | None = None
    known: bool = False
    unusable: TargetHealth | None = None


@dataclass
class GroupTargets:
    """One target group's targets; `handle` is the only way in.

    Args:
        group: The group.
        used: Whether a rule forwards to it.
    """

    group: TargetGroup
    used: bool = False
    _states: dict[Target, _State] = field(default_factory=dict)
    _route: dict[Target, int] = field(default_factory=dict)
    _due: list[tuple[float, int, Target]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _reminded: float | None = None

    def health(self) -> dict[Target, TargetHealth]:
        """What DescribeTargetHealth lists: the registered targets, and those that drain."""
        return {target: state.health for target, state in self._states.items()}

    def health_of(self, target: Target) -> TargetHealth:
        """What DescribeTargetHealth says of one target that it is asked about."""
        state = self._states.get(target)
        return state.health if state else NOT_REGISTERED

    def route(self) -> Mapping[Target, int]:
        """Who gets new requests, as the last `Route` said."""
        return self._route

    def known(self) -> list[Target]:
        """The targets that the load balancer knows: each has had its `Add`, and no `Remove` yet."""
        return [target for target, state in self._states.items() if state.known]

    def handle(self, event: Event, now: float) -> list[Command]:
        """What is to be done about an event."""
        commands: list[Command] = []
        match event:
            case Registered(targets):
                for target in targets:
                    self._register(target, now, commands)
            case Deregistered(targets):
                for target in targets:
                    self._deregister(target, now, commands)
            case Checked():
                self._checked(event, now, commands)
            case Used() | Unused():
                self._use(isinstance(event, Used), now, commands)
            case Changed(group):
                self._change(group, now)
            case Idle(target) | Unusable(target) | Usable(target):
                state = self._states.get(target)
                if state:
                    self._befall(event, state, now, commands)
            case Elapsed():
                self._reminded = None
                self._elapsed(now, commands)
        if self._may_reroute(event, commands):
            self._reroute(now, commands)
        self._remind(now, commands)
        return commands

    def _may_reroute(self, event: Event, commands: list[Command]) -> bool:
        """Whether there is something to find out: checks that are due, or change nothing, are the most frequent."""
        grows = isinstance(event, Elapsed) and self.group.slow_start > 0
        return grows or isinstance(event, Changed) or any(not isinstance(one, Check) for one in commands)

    def _befall(self, event: Idle | Unusable | Usable, state: _State, now: float, commands: list[Command]) -> None:
        match event:
            case Idle(target):
                if state.gone_at is not None:
                    self._forget(target, state, commands)
            case Unusable(target, health):
                state.unusable = health
                self._set_aside(target, health, commands)
            case Usable(target):
                was, state.unusable = state.unusable, None
                if was and state.gone_at is None:
                    self._begin(target, state, now, commands)

    # -- registration --

    def _register(self, target: Target, now: float, commands: list[Command]) -> None:
        state = self._states.get(target)
        if state and state.gone_at is None:
            return  # registered already
        if state is None:
            state = self._states[target] = _State(NOT_REGISTERED)
        state.gone_at = None
        self._begin(target, state, now, commands)

    def _begin(self, target: Target, state: _State, now: float, commands: list[Command]) -> None:
        """As a target begins that nothing is known of."""
        state.run, state.last_passed, state.warm_from = 0, None, None
        state.before = state.check
        state.next_check = None
        if state.unusable or not self.used:
            self._forget(target, state, commands)
            self._show(target, state, state.unusable or NOT_IN_USE, commands)
            return
        if not state.known:
            state.known = True
            commands.append(Add(target))
        self._show(target, state, REGISTRATION, commands)
        self._at(now, target)
        state.next_check = now

    def _deregister(self, target: Target, now: float, commands: list[Command]) -> None:
        state = self._states.get(target)
        if state is None or state.gone_at is not None:
            return
        state.next_check, state.warm_from = None, None
        if not state.known or not self.group.deregistration_delay:
            self._drop(target, state, commands)
            return
        state.gone_at = now + self.group.deregistration_delay
        self._at(state.gone_at, target)
        self._show(target, state, DRAINING, commands)

    def _drop(self, target: Target, state: _State, commands: list[Command]) -> None:
        del self._states[target]
        self._forget(target, state, commands)
        commands.append(Show(target, NOT_REGISTERED))

    def _forget(self, target: Target, state: _State, commands: list[Command]) -> None:
        if state.known:
            state.known = False
            commands.append(Remove(target))

    def _set_aside(self, target: Target, health: TargetHealth, commands: list[Command]) -> None:
        """Let a target that stays registered get no requests and no checks."""
        state = self._states[target]
        if state.gone_at is not None:
            return
        state.next_check, state.warm_from, state.run = None, None, 0
        self._forget(target, state, commands)
        self._show(target, state, health, commands)

    def _use(self, used: bool, now: float, commands: list[Command]) -> None:
        if used == self.used:
            return
        self.used = used
        for target, state in list(self._states.items()):
            if used:
                self._begin(target, state, now, commands)
            elif state.gone_at is not None:
                self._drop(target, state, commands)
            else:
                self._set_aside(target, state.unusable or NOT_IN_USE, commands)

    def _change(self, group: TargetGroup, now: float) -> None:
        earlier, self.group = self.group, group
        if group.health_check.interval != earlier.health_check.interval:
            for target, state in self._states.items():
                if state.next_check is not None:
                    last = state.next_check - earlier.health_check.interval
                    state.next_check = max(now, last + group.health_check.interval)
                    self._at(state.next_check, target)
        if not group.slow_start:
            for state in self._states.values():
                state.warm_from = None

    # -- checks --

    def _checked(self, event: Checked, now: float, commands: list[Command]) -> None:
        state = self._states.get(event.target)
        if state is None or state.gone_at is not None or state.next_check is None or event.number <= state.before:
            return
        passed = event.failure is None
        state.run = state.run + 1 if state.last_passed == passed else 1
        state.last_passed = passed
        check = self.group.health_check
        if event.failure is None:
            # One is enough for a target that has not been unhealthy.
            needed = check.healthy_threshold if state.health.state == "unhealthy" else 1
            if state.health.state != "healthy" and state.run >= needed:
                self._begin_slow_start(event.target, state, now)
                self._show(event.target, state, HEALTHY, commands)
        elif state.health.state == "unhealthy" or state.run >= check.unhealthy_threshold:
            state.warm_from = None
            self._show(event.target, state, event.failure, commands)

    def _begin_slow_start(self, target: Target, state: _State, now: float) -> None:
        """Only beside a healthy target that is not in slow start itself: somebody must take the rest."""
        others = (one for one in self._states.values() if one.health == HEALTHY and one.warm_from is None)
        if self.group.slow_start and any(others):
            state.warm_from = now
            self._warm(target, state, now)

    def _warm(self, target: Target, state: _State, now: float) -> None:
        if state.warm_from is None or now >= state.warm_from + self.group.slow_start:
            state.warm_from = state.next_step = None
        else:
            state.next_step = now + self.group.slow_start / SLOW_START_STEPS
            self._at(state.next_step, target)

    def _elapsed(self, now: float, commands: list[Command]) -> None:
        while self._due and self._due[0][0] <= now:
            _, _, target = heapq.heappop(self._due)
            state = self._states.get(target)
            if state is None:
                continue
            if state.gone_at is not None and state.gone_at <= now:
                self._drop(target, state, commands)
                continue
            if state.next_check is not None and state.next_check <= now:
                self._check(target, state, now, commands)
            if state.next_step is not None and state.next_step <= now:
                self._warm(target, state, now)

    def _check(self, target: Target, state: _State, now: float, commands: list[Command]) -> None:
        """Checks keep their rhythm, however long an answer takes."""
        interval = self.group.health_check.interval
        due = state.next_check if state.next_check is not None else now
        state.next_check = due + interval if due + interval > now else now + interval
        self._at(state.next_check, target)
        state.check += 1
        if state.health == REGISTRATION:
            self._show(target, state, CHECKING, commands)
        commands.append(Check(target, state.check))

    # -- what follows from it all --

    def _reroute(self, now: float, commands: list[Command]) -> None:
        """Healthy targets get requests; where there is none, all that are registered do (fail open)."""
        registered = {target: one for target, one in self._states.items() if one.known and one.gone_at is None}
        healthy = {target: one for target, one in registered.items() if one.health == HEALTHY}
        route = {target: self._weight(state, now) for target, state in (healthy or registered).items()}
        if route != self._route:
            self._route = route
            commands.append(Route(route))

    def _weight(self, state: _State, now: float) -> int:
        if state.warm_from is None:
            return FULL
        return max(1, min(FULL, round(FULL * (now - state.warm_from) / self.group.slow_start)))

    def _show(self, target: Target, state: _State, health: TargetHealth, commands: list[Command]) -> None:
        if health != state.health:
            state.health = health
            commands.append(Show(target, health))

    def _at(self, when: float, target: Target) -> None:
        heapq.heappush(self._due, (when, next(self._order), target))

    def _remind(self, now: float, commands: list[Command]) -> None:
        if self._due and (self._reminded is None or self._due[0][0] < self._reminded):
            self._reminded = max(self._due[0][0], now)
            commands.append(Remind(self._reminded))
