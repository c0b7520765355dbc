"""Elastic Load Balancing carried out: load balancers, target groups, and the health of their targets.

Observations: ``alb.deployed`` (balancer, dns_name, address, listeners: ports, groups: names), ``alb.removed``
(balancer), ``target.health`` (group, target, state, reason, description), and those of `load_balancer.Balancer`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.clock import Clock, Timer, aws_seconds
from sandbox.controllers.interfaces import ImageSource, Interfaces
from sandbox.engine.containers import Containers
from sandbox.model.elb import checks
from sandbox.model.elb.config import Forward, LoadBalancer, TargetGroup
from sandbox.model.elb.messages import (
    IP_UNUSABLE,
    Add,
    Changed,
    Check,
    Checked,
    Command,
    Deregistered,
    Elapsed,
    Event,
    Registered,
    Remind,
    Remove,
    Route,
    Show,
    Unusable,
    Unused,
    Usable,
    Used,
    invalid_state,
)
from sandbox.model.elb.target import Target, TargetHealth
from sandbox.model.elb.targets import GroupTargets
from sandbox.timeline import Timeline

if TYPE_CHECKING:
    # Templates take a while to load, and most stacks have no load balancer.
    from sandbox.controllers.health_checks import HealthChecks
    from sandbox.controllers.load_balancer import Balancer
    from sandbox.dataplane.alb.config import Policies, Server


@dataclass
class _Group:
    """A target group: its targets, who serves it, and what of its route has been carried out."""

    targets: GroupTargets
    balancer: str = ""
    carried: Mapping[Target, int] | None = None
    timer: Timer | None = None

    @property
    def config(self) -> TargetGroup:
        return self.targets.group


@dataclass
class _Served:
    """A load balancer that clients see."""

    balancer: Balancer
    config: LoadBalancer


class ElbController:
    """Carries out what the API decides. Safe to use from several threads.

    Args:
        containers: The run's.
        images: Where images come from.
        interfaces: Makes network interfaces.
        name: Gives a name an address in DNS, or takes it away (None).
        certificate: The chain and the key of a certificate, PEM, by its ARN.
        policies: The security policies.
        instance: The state and the private address of an instance.
        folder: For configurations and sockets.
        clock: Times everything.
        timeline: Gets the observations.

    Attributes:
        changed: Called after each change of a target's health, with the group's ARN, in order, on a thread of its own.
    """

    def __init__(
        self,
        containers: Containers,
        images: ImageSource,
        interfaces: Interfaces,
        name: Callable[[str, str | None], None],
        certificate: Callable[[str], tuple[str, str]],
        policies: Policies,
        instance: Callable[[str], tuple[str, str]],
        folder: Path,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self.changed: Callable[[str, Target, TargetHealth], None] = lambda group, target, health: None
        self._containers = containers
        self._images = images
        self._interfaces = interfaces
        self._name = name
        self._certificate = certificate
        self._policies = policies
        self._instance = instance
        self._instances: dict[str, tuple[str, str]] = {}  # as their targets were judged by
        self._folder = folder
        self._clock = clock
        self._record = timeline.record
        self._begun = clock.now()
        self._lock = threading.RLock()
        self._groups: dict[str, _Group] = {}
        self._served: dict[str, _Served] = {}
        self._leaving: dict[tuple[str, Target], Future[None]] = {}
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="elb")
        # Not that pool: its threads may all be waiting for the lock of who waits for one of these.
        self._cutting = ThreadPoolExecutor(4, thread_name_prefix="elb-cut")
        self._news: queue.SimpleQueue[tuple[TargetGroup, Target, TargetHealth] | None] = queue.SimpleQueue()
        self._teller: threading.Thread | None = None
        self._checks: HealthChecks | None = None
        self._closed = False

    # -- load balancers --

    def deploy(self, balancer: LoadBalancer) -> None:
        """Let clients have a load balancer as it is now; returns when they do.

        Raises:
            SandboxError: HAProxy could not; a load balancer that clients had goes on as it was.
        """
        with self._lock:
            for config in balancer.groups.values():
                if config.arn not in self._groups:
                    self._groups[config.arn] = _Group(GroupTargets(config))
                elif config != self._groups[config.arn].config:
                    self._say(self._groups[config.arn], Changed(config))
            served = self._served.get(balancer.arn)
            made = served.balancer if served else self._make(balancer)
            begun = self._begin_to_use(balancer)
            try:
                made.serve(self._current(balancer), self._servers(balancer))
            except Exception:
                for group, _ in begun:
                    group.balancer = ""
                    group.targets.handle(Unused(), self._now())
                raise
            self._served[balancer.arn] = _Served(made, balancer)
            for group, commands in begun:
                group.carried = dict(group.targets.route())
                self._carry_out(group, [one for one in commands if not isinstance(one, Add | Route)])
            for arn in [arn for arn, one in self._groups.items() if one.balancer == balancer.arn]:
                if arn not in _in_use(balancer):
                    self._cease(arn)
            if served is None:
                self._name(balancer.dns_name, made.address)
        self._record(
            "alb.deployed",
            balancer=balancer.name,
            dns_name=balancer.dns_name,
            address=made.address,
            listeners=[one.port for one in balancer.listeners],
            groups=[balancer.groups[arn].name for arn in _in_use(balancer)],
        )

    def _make(self, balancer: LoadBalancer) -> Balancer:
        from sandbox.controllers.load_balancer import Balancer, Surroundings

        where = Surroundings(
            self._containers,
            self._images,
            self._interfaces,
            self._folder,
            self._certificate,
            self._policies,
            1 / (self._clock.real_seconds(1.0) or 1.0),
            self._record,
        )
        return Balancer(balancer, where)

    def _begin_to_use(self, balancer: LoadBalancer) -> list[tuple[_Group, list[Command]]]:
        """Let the model know of the groups that a listener has begun to use."""
        begun = []
        for arn in _in_use(balancer):
            group = self._groups[arn]
            if not group.balancer:
                group.balancer = balancer.arn
                begun.append((group, group.targets.handle(Used(), self._now())))
        return begun

    def _cease(self, arn: str) -> None:
        group = self._groups[arn]
        group.balancer, group.carried = "", None
        self._say(group, Unused())

    def remove(self, balancer_arn: str) -> None:
        """The load balancer exists no more."""
        with self._lock:
            served = self._served.pop(balancer_arn)
            self._name(served.config.dns_name, None)
            for arn, group in self._groups.items():
                if group.balancer == balancer_arn:
                    self._cease(arn)
        served.balancer.close()
        self._record("alb.removed", balancer=served.config.name)

    # -- target groups --

    def put_group(self, group: TargetGroup) -> None:
        """A target group is made, or changed.

        Raises:
            SandboxError: HAProxy could not carry the change out.
        """
        with self._lock:
            known = self._groups.get(group.arn)
            if known is None:
                self._groups[group.arn] = _Group(GroupTargets(group))
                return
            before = known.config
            self._say(known, Changed(group))
            served = self._served.get(known.balancer)
            if served and _as_served(before) != _as_served(group):
                served.balancer.serve(self._current(served.config), self._servers(served.config))
                known.carried = dict(known.targets.route())

    def remove_group(self, group_arn: str) -> None:
        """A target group, which no listener uses, exists no more."""
        with self._lock:
            group = self._groups.pop(group_arn, None)
            if group is not None and group.timer is not None:
                group.timer.cancel()

    def register(self, group_arn: str, targets: Sequence[Target]) -> None:
        """Register targets; the load balancer knows them when this returns."""
        with self._lock:
            group = self._groups[group_arn]
            self._say(group, Registered(tuple(targets)))
            for target in targets:
                self._judge(group, target)

    def deregister(self, group_arn: str, targets: Sequence[Target]) -> None:
        """Deregister targets; they get no new request when this returns."""
        with self._lock:
            self._say(self._groups[group_arn], Deregistered(tuple(targets)))

    def health(self, group_arn: str) -> Mapping[Target, TargetHealth]:
        """The health of a group's targets, those that drain included."""
        with self._lock:
            return self._groups[group_arn].targets.health()

    def interfaces(self) -> dict[str, str]:
        """The container that owns the network namespace of each load balancer, by its name."""
        with self._lock:
            return {one.config.name: one.balancer.interface for one in self._served.values()}

    def instances_changed(self) -> None:
        """Instances may have started or stopped: their targets can get requests, or no more."""
        with self._lock:
            changed = {one for one, known in self._instances.items() if self._instance(one) != known}
            for group in self._groups.values():
                for target in group.targets.health():
                    if target.id in changed:
                        self._judge(group, target)

    def close(self) -> None:
        """Check and tell no more. The containers are the run's to remove."""
        with self._lock:
            self._closed = True
            for group in self._groups.values():
                if group.timer is not None:
                    group.timer.cancel()
            checking = self._checks
            self._news.put(None)
        if checking is not None:
            checking.close()
        for pool in (self._pool, self._cutting):
            pool.shutdown(wait=False, cancel_futures=True)

    # -- carrying out --

    def _now(self) -> float:
        return aws_seconds(self._clock, self._clock.now() - self._begun)

    def _say(self, group: _Group, event: Event) -> None:
        self._carry_out(group, group.targets.handle(event, self._now()))

    def _carry_out(self, group: _Group, commands: Sequence[Command]) -> None:
        served = self._served.get(group.balancer)
        # A server goes when it has no requests any more: its weight cannot be changed then.
        for command in sorted(commands, key=lambda one: isinstance(one, Remove)):
            match command:
                case Remind(at):
                    self._remind(group, at)
                case Check(target, number):
                    self._check(group, target, number)
                case Add(target) if served:
                    self._join(served, group.config, target)
                case Route(weights) if served:
                    served.balancer.route(group.config, group.carried or {}, weights)
                    group.carried = dict(weights)
                case Remove(target) if served:
                    self._leave(served, group.config, target)
        for command in commands:
            if isinstance(command, Show):  # told of when it is so
                self._tell(group.config, command.target, command.health)

    def _join(self, served: _Served, group: TargetGroup, target: Target) -> None:
        leaving = self._leaving.pop((group.arn, target), None)
        if leaving is not None:
            leaving.result()
        served.balancer.add(group, target, self._address(group, target))

    def _leave(self, served: _Served, group: TargetGroup, target: Target) -> None:
        """It takes a moment to cut what is in flight."""
        address = self._address(group, target)
        self._leaving[group.arn, target] = self._cutting.submit(served.balancer.remove, group, target, address)

    def _remind(self, group: _Group, at: float) -> None:
        if group.timer is not None:
            group.timer.cancel()

        def elapsed() -> None:
            with self._lock:
                if self._groups.get(group.config.arn) is group:
                    self._say(group, Elapsed())

        group.timer = self._clock.call_later(at - self._now(), lambda: self._submit(elapsed))

    def _check(self, group: _Group, target: Target, number: int) -> None:
        from sandbox.controllers.health_checks import LEAST_TIMEOUT, HealthChecks, HealthRequest

        if self._closed:
            return
        served = self._served[group.balancer]
        if self._checks is None:
            self._checks = HealthChecks()
        check = group.config.health_check
        host = self._address(group.config, target).rpartition(":")[0]
        timeout = max(self._clock.real_seconds(check.timeout), LEAST_TIMEOUT)
        request = HealthRequest(group.config, served.balancer.checks, host, checks.port(check, target), timeout)

        def tell(failure: TargetHealth | None) -> None:
            self._submit(lambda: checked(failure))

        def checked(failure: TargetHealth | None) -> None:
            with self._lock:
                self._say(group, Checked(target, number, failure))

        self._checks.begin(request, tell)

    def _submit(self, work: Callable[[], None]) -> None:
        try:
            self._pool.submit(work)
        except RuntimeError:
            return  # closed meanwhile

    # -- what follows from the rest --

    def _judge(self, group: _Group, target: Target) -> None:
        """Whether a target can get requests at all."""
        if group.config.target_type == "instance":
            state, _ = self._instances[target.id] = self._instance(target.id)
            unusable = None if state == "running" else invalid_state(state)
        else:
            own = {one.balancer.private_address for one in self._served.values()}
            unusable = IP_UNUSABLE if target.id in own else None
        self._say(group, Unusable(target, unusable) if unusable else Usable(target))

    def _address(self, group: TargetGroup, target: Target) -> str:
        host = self._instance(target.id)[1] if group.target_type == "instance" else target.id
        return f"{host or '0.0.0.0'}:{target.port}"

    def _current(self, balancer: LoadBalancer) -> LoadBalancer:
        """With its groups as they are now; those of no listener are not served."""
        return replace(balancer, groups={arn: self._groups[arn].config for arn in _in_use(balancer)})

    def _servers(self, balancer: LoadBalancer) -> dict[str, list[Server]]:
        from sandbox.dataplane.alb.config import Server

        made = {}
        for arn in _in_use(balancer):
            group = self._groups[arn]
            route = group.targets.route()
            made[arn] = [
                Server(target, self._address(group.config, target), route.get(target, 0))
                for target in group.targets.known()
            ]
        return made

    def _tell(self, group: TargetGroup, target: Target, health: TargetHealth) -> None:
        if self._teller is None:
            self._teller = threading.Thread(target=self._tell_all, name="elb-news", daemon=True)
            self._teller.start()
        self._news.put((group, target, health))

    def _tell_all(self) -> None:
        while (news := self._news.get()) is not None:
            group, target, health = news
            self._record(
                "target.health",
                group=group.name,
                target=str(target),
                state=health.state,
                reason=health.reason,
                description=health.description,
            )
            self.changed(group.arn, target, health)


def _in_use(balancer: LoadBalancer) -> list[str]:
    """The ARNs of the groups that a rule forwards to."""
    rules = [rule for listener in balancer.listeners for rule in listener.rules]
    forwards = [rule.action for rule in rules if isinstance(rule.action, Forward)]
    return list(dict.fromkeys(arn for forward in forwards for arn, _ in forward.groups))


def _as_served(group: TargetGroup) -> tuple[object, ...]:
    """What of a group stands in HAProxy's configuration."""
    return group.protocol, group.algorithm, group.stickiness
