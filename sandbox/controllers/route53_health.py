"""Route 53's health checks at work: endpoints are asked, and DNS follows what is found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from sandbox.clock import Clock, Timer
from sandbox.model.route53_health import EndpointCheck, HealthCheck
from sandbox.probes.endpoint_health import Connect, check_endpoint
from sandbox.timeline import Timeline

AT_ONCE = 16
"""Endpoints that are asked at the same time; others wait."""


class _Running:
    """A health check that is carried out; its timer is None while its endpoint is asked."""

    def __init__(self, health: HealthCheck) -> None:
        self.health = health
        self.timer: Timer | None = None
        self.found_at: float | None = None


class Route53HealthChecks:
    """Asks the endpoints of all health checks that there are. Safe to use from several threads.

    Observations:

    - ``route53.health`` (health_check, status, reason): the status of a health check has changed, or is known for the
      first time; DNS answers accordingly by then.

    Args:
        read: The health checks that there are now, by id.
        connect: Connects from the sandbox's internet.
        changed: Told the id of a health check with a new status, and whether records with it are healthy.
        timeline: Gets the observations.
        clock: Gives the time, and the intervals.
    """

    def __init__(
        self,
        read: Callable[[], Mapping[str, EndpointCheck]],
        connect: Connect,
        changed: Callable[[str, bool], None],
        timeline: Timeline,
        clock: Clock,
    ) -> None:
        self._read = read
        self._connect = connect
        self._changed = changed
        self._timeline = timeline
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, "route53-health")
        self._closed = False

    def refresh(self) -> None:
        """Carry out the health checks that there are now, and no others; called after each change of them."""
        with self._lock:
            if self._closed:
                return
            wanted = self._read()
            for gone in self._running.keys() - wanted.keys():
                running = self._running.pop(gone)
                if running.timer is not None:
                    running.timer.cancel()
            for id_, check in wanted.items():
                known = self._running.get(id_)
                if known is None:
                    self._running[id_] = _Running(HealthCheck(check))
                    self._begin(id_, self._running[id_])
                else:
                    known.health.check = check

    def is_healthy(self, id_: str) -> bool:
        """Whether records with this health check are healthy; one that is not carried out finds nothing wrong."""
        with self._lock:
            running = self._running.get(id_)
            return running is None or running.health.status

    def observation(self, id_: str) -> tuple[str, float] | None:
        """What was found last, "" for a success, and when; None before anything was."""
        with self._lock:
            running = self._running.get(id_)
            if running is None or running.health.last is None or running.found_at is None:
                return None
            return running.health.last, running.found_at

    def close(self) -> None:
        """Ask no more; what is under way tells nobody."""
        with self._lock:
            self._closed = True
            for running in self._running.values():
                if running.timer is not None:
                    running.timer.cancel()
            self._running.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, id_: str, running: _Running) -> None:
        running.timer = None
        self._pool.submit(self._ask, id_, running)

    def _due(self, id_: str, running: _Running) -> None:
        with self._lock:
            if self._running.get(id_) is running:
                self._begin(id_, running)

    def _ask(self, id_: str, running: _Running) -> None:
        check = running.health.check
        failure = None if check.disabled else check_endpoint(check, self._connect, self._clock.real_seconds)
        with self._lock:
            if self._running.get(id_) is not running:
                return
            news = False
            if failure is not None:
                news, running.found_at = running.health.found(failure), self._clock.now()
            status = running.health.status
            running.timer = self._clock.call_later(check.interval, lambda: self._due(id_, running))
        if news:
            self._changed(id_, status)
            told = "HEALTHY" if status else "UNHEALTHY"
            self._timeline.record("route53.health", health_check=id_, status=told, reason=failure or "")
