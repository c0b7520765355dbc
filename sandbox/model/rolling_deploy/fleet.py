"""What is predicted: a service, its load balancer, its site and its visitors.

All times are AWS's seconds. A run of the sandbox with ``--speed`` divides AWS's timers alone, so what was measured
there of containers is multiplied by the speed first, and a rate divided by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Algorithm = Literal["round_robin", "least_outstanding_requests", "weighted_random"]
Assets = Literal["task", "baked", "s3"]

ALGORITHMS: tuple[Algorithm, ...] = ("round_robin", "least_outstanding_requests", "weighted_random")
PLACES: tuple[Assets, ...] = ("task", "baked", "s3")

MAX_TASKS = 5_000  # Amazon ECS service quotas: tasks per service
MAX_ASSETS = 1_000

_WHOLE = {
    # Elastic Load Balancing API reference, "CreateTargetGroup" and "TargetGroupAttribute"
    "health_interval": (5, 300),
    "healthy_threshold": (2, 10),
    "unhealthy_threshold": (2, 10),
    "deregistration_delay": (0, 3600),
    # ECS API reference, "DeploymentConfiguration" and "CreateService"
    "minimum_healthy_percent": (0, 1_000_000),
    "maximum_percent": (0, 1_000_000),
    "grace_period": (0, 2_147_483_647),
    "tasks": (1, MAX_TASKS),
    "assets": (1, MAX_ASSETS),
    "changed": (0, MAX_ASSETS),
    "edges": (1, 1_000),
}
_NUMBERS = {
    "rps": (0.0, 10_000_000.0),
    "start": (0.0, 3_600.0),
    "boot": (0.0, 3_600.0),
    "stop": (0.0, 120.0),
    "spread": (0.0, 1.0),
    "pause": (0.0, 3_600.0),
    "gap": (0.0, 3_600.0),
    "error_ttl": (0.0, 31_536_000.0),
    "tab_open": (0.0, 31_536_000.0),
    "duration": (1.0, 86_400.0),
}


class Refused(ValueError):
    """A fleet that cannot be, or is not predicted. ``parameter`` is the field's name."""

    def __init__(self, parameter: str, why: str) -> None:
        super().__init__(f"{parameter}: {why}")
        self.parameter = parameter
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A service that is deployed anew at time 0, and the page loads that it gets meanwhile.

    Attributes:
        tasks: The service's desired count.
        rps: Requests per second of page loads, as viewers send them: a page load is ``1 + assets`` of them.
        minimum_healthy_percent: Of the deployment configuration.
        maximum_percent: Of the deployment configuration.
        circuit_breaker: Whether the deployment circuit breaker is on, with rollback.
        start: Seconds from the start of a task until its containers run: its interface, its image. Where they were
            measured, those of each task in turn; the last value holds for all further ones.
        boot: Seconds from then until it answers health checks.
        stop: Seconds from SIGTERM until its containers have ended.
        spread: How unlike tasks are: ``start`` and ``boot`` of each are up to this share longer or shorter.
        launch_quota: Whether Fargate's quota for launches holds; nothing in the sandbox's own runs enforces it.
        health_interval: Of the target group's health check.
        healthy_threshold: Of the target group's health check.
        unhealthy_threshold: Of the target group's health check.
        grace_period: healthCheckGracePeriodSeconds of the service.
        deregistration_delay: Of the target group.
        algorithm: Of the target group.
        stickiness: Whether the target group has it (lb_cookie), for longer than a tab is open; each page load is that
            of a new visitor.
        assets: How many files a page needs, each of which is a request.
        changed: How many of them have other names in the other build. They are asked for first.
        places: Where files are: in the task's image, each build its own; baked: the new image has those of the old
            build, too; s3: those of both builds were uploaded before, and are served from there.
        spa_fallback: What is not there is answered with the page itself and 200, not with 404.
        pause: Mean seconds from the page to its first file.
        gap: Mean seconds from one file to the next.
        cdn: Whether files are cached at edge locations, by path and without cookies; pages are not.
        edges: How many caches there are; each has its share of the visitors.
        error_ttl: Seconds for which a 404 is cached: Error Caching Minimum TTL.
        tab_open: Mean seconds after which an open tab asks for a further file of its build (0: it never does).
        rollback_at: When the old task definition is deployed again (None: it is not).
        duration: For how long page loads go on.
        seed: Of everything that chance decides.
    """

    tasks: int
    rps: float
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    circuit_breaker: bool = False
    start: float | tuple[float, ...] = 20.0
    boot: float = 10.0
    stop: float = 1.0
    spread: float = 0.2
    launch_quota: bool = True
    health_interval: int = 30
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    grace_period: int = 60
    deregistration_delay: int = 300
    algorithm: Algorithm = "round_robin"
    stickiness: bool = False
    assets: int = 8
    changed: int = 1
    places: Assets = "task"
    spa_fallback: bool = False
    pause: float = 0.1
    gap: float = 0.01
    cdn: bool = False
    edges: int = 10
    error_ttl: float = 10.0
    tab_open: float = 300.0
    rollback_at: float | None = None
    duration: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            Refused: It names the field.
        """
        for name in (*_WHOLE, *_NUMBERS):
            value = getattr(self, name)
            for one in value if isinstance(value, tuple) else (value,):
                _check(name, one)
        if self.start == ():
            raise Refused("start", "there is no value")
        if self.rps <= 0:
            raise Refused("rps", f"{self.rps:g} is not above 0")
        if self.changed > self.assets:
            raise Refused("changed", f"{self.changed} of {self.assets} assets cannot differ")
        if self.algorithm not in ALGORITHMS:
            raise Refused("algorithm", f"{self.algorithm} is not one of {', '.join(ALGORITHMS)}")
        if self.places not in PLACES:
            raise Refused("places", f"{self.places} is not one of {', '.join(PLACES)}")
        if self.rollback_at is not None and not 0 < self.rollback_at < self.duration:
            raise Refused("rollback_at", f"{self.rollback_at:g} is not within the duration of {self.duration:g} s")

    def start_of(self, number: int) -> float:
        """``start`` of the task that is started as this one of all, from 0."""
        return self.start[min(number, len(self.start) - 1)] if isinstance(self.start, tuple) else self.start

    @property
    def loads_per_second(self) -> float:
        """Page loads that begin per second."""
        return self.rps / (1 + self.assets)

    @property
    def requests_per_second(self) -> float:
        """Requests per second that the load balancer distributes: files that the edge has, or S3, do not come."""
        elsewhere = self.cdn or self.places == "s3"
        return self.loads_per_second if elsewhere else self.rps


def _check(name: str, value: float) -> None:
    least, most = _WHOLE.get(name) or _NUMBERS[name]
    if not (math.isfinite(value) and least <= value <= most):
        raise Refused(name, f"{value} is not from {least:g} to {most:g}")
    if name in _WHOLE and int(value) != value:
        raise Refused(name, f"{value} is not a whole number")
