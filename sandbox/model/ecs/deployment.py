"""A deployment: one version of a service, and whether it succeeds.

Rules: API reference "Deployment" (statuses and rollout states), "DeploymentConfiguration" and
"DeploymentCircuitBreaker"; developer guide "How the Amazon ECS deployment circuit breaker detects failures". Words of
reasons are those that DescribeServices has shown users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.errors import invalid_parameter, not_carried_out
from sandbox.model.ecs.launch import Launch
from sandbox.model.ecs.registration import Registrations
from sandbox.model.ecs.task import ON_THE_WAY, Task
from sandbox.model.ecs.taskdef import TaskDefinition

# AWS documents that retries come "incrementally" later and the bound, not the steps; these are ours.
FIRST_RETRY_DELAY = 10.0
MAX_RETRY_DELAY = 27 * 60.0

MIN_FAILURES, MAX_FAILURES = 3, 200  # of the circuit breaker's BOUNDED_PERCENT

_NOT_CARRIED_OUT = ("lifecycleHooks", "linearConfiguration", "canaryConfiguration", "earlySuccessCriteria")


@dataclass(frozen=True)
class CircuitBreaker:
    """When failed tasks make a deployment FAILED.

    Attributes:
        enabled: Whether they do at all.
        rollback: Go back to the deployment that was COMPLETED last.
        reset_on_healthy: A task that becomes healthy takes the failures before it back.
        kind: COUNT, BOUNDED_PERCENT or UNBOUNDED_PERCENT.
        value: A number of tasks, or a percentage of the desired count.
    """

    enabled: bool = False
    rollback: bool = False
    reset_on_healthy: bool = True
    kind: str = "BOUNDED_PERCENT"
    value: int = 50

    def threshold(self, desired: int) -> int:
        """How many failed tasks are too many for this desired count."""
        if self.kind == "COUNT":
            return self.value
        share = -(-desired * self.value // 100)
        return max(1, share) if self.kind == "UNBOUNDED_PERCENT" else min(max(share, MIN_FAILURES), MAX_FAILURES)


@dataclass(frozen=True)
class Configuration:
    """A service's ``deploymentConfiguration``; ``raw`` is what DescribeServices shows."""

    minimum_percent: int
    maximum_percent: int
    breaker: CircuitBreaker
    raw: Mapping[str, Any]

    @staticmethod
    def of(given: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Configuration:
        """The configuration that ``given`` makes of the one ``before``; what is left out stays as it is.

        Raises:
            EcsError: InvalidParameterException, also for what is not carried out.
        """
        for parameter in _NOT_CARRIED_OUT:
            if given.get(parameter):
                raise not_carried_out(f"deploymentConfiguration.{parameter}")
        if (given.get("alarms") or {}).get("enable"):
            raise not_carried_out("deploymentConfiguration.alarms")
        if given.get("strategy", "ROLLING") != "ROLLING":
            raise not_carried_out(f"deploymentConfiguration.strategy {given['strategy']}")
        raw = {"maximumPercent": 200, "minimumHealthyPercent": 100, **(before or {}), **given}
        minimum, maximum = int(raw["minimumHealthyPercent"]), int(raw["maximumPercent"])
        if minimum < 0 or maximum < 0:
            raise invalid_parameter("Deployment percentages must not be negative.")
        return Configuration(minimum, maximum, _circuit_breaker(raw.get("deploymentCircuitBreaker") or {}), raw)


def _circuit_breaker(given: Mapping[str, Any]) -> CircuitBreaker:
    default = CircuitBreaker()
    threshold = given.get("thresholdConfiguration") or {}
    value = int(threshold.get("value", default.value))
    if value < 1:
        raise invalid_parameter("The threshold of the deployment circuit breaker must be positive.")
    return CircuitBreaker(
        bool(given.get("enable", False)),
        bool(given.get("rollback", False)),
        bool(given.get("resetOnHealthyTask", True)),
        threshold.get("type", default.kind),
        value,
    )


@dataclass(eq=False)
class Deployment:
    """One version of a service. Its tasks carry its id in ``startedBy``; times are seconds since the epoch.

    Attributes:
        id: ``ecs-svc/`` and 19 digits. A roll-back takes the old one up again under its id.
        rollout_state: IN_PROGRESS, COMPLETED or FAILED.
        failed_tasks: What the circuit breaker counts and DescribeServices shows.
        failed_in_a_row: What the throttle counts: attempts that ended before any task reached RUNNING.
        throttled: No task is started before the timer of its throttle has come.
        proved: ARNs of the tasks that became healthy while it was IN_PROGRESS.
        rolling_back: It was taken up again because the one after it failed.
        said_stuck: The service event about it is not repeated.
        registrations: Where its tasks are registered.
    """

    id: str
    definition: TaskDefinition
    how: Launch
    raw: Mapping[str, Any]
    created_at: float
    updated_at: float
    rollout_state: str = "IN_PROGRESS"
    failed_tasks: int = 0
    failed_in_a_row: int = 0
    throttled: bool = False
    proved: set[str] = field(default_factory=set)
    rolling_back: bool = False
    said_stuck: bool = False
    registrations: Registrations = field(default_factory=Registrations)

    @property
    def rollout_state_reason(self) -> str:
        """Why it is in its rollout state, in AWS's words."""
        if self.rollout_state == "FAILED":
            return "ECS deployment circuit breaker: tasks failed to start."
        if self.rollout_state == "COMPLETED":
            return f"ECS deployment {self.id} completed."
        if self.rolling_back:
            return f"ECS deployment circuit breaker: rolling back to deploymentId {self.id}."
        return f"ECS deployment {self.id} in progress."

    def throttle(self) -> float | None:
        """Put the next attempt off; by how many seconds, or None where it is put off already.

        Source: developer guide "Amazon ECS service throttle logic".
        """
        if self.throttled:
            return None
        self.throttled = True
        self.failed_in_a_row += 1
        return min(FIRST_RETRY_DELAY * 2.0 ** (self.failed_in_a_row - 1), MAX_RETRY_DELAY)

    def prove(self, healthy: Sequence[Task], breaker: CircuitBreaker) -> None:
        """Tasks of it are healthy: those that were not before take failures back, where the breaker is so set."""
        new = {task.arn for task in healthy} - self.proved
        if new and breaker.reset_on_healthy:
            self.failed_tasks = 0
        self.proved |= new

    def take_up_again(self, now: float) -> None:
        """Become the target of a roll-back."""
        self.rollout_state, self.rolling_back = "IN_PROGRESS", True
        self.failed_tasks = self.failed_in_a_row = 0
        self.throttled = False
        self.created_at = self.updated_at = now
        self.proved, self.said_stuck = set(), False

    def describe(self, status: str, desired: int, tasks: Sequence[Task]) -> dict[str, Any]:
        """The deployment as DescribeServices shows it (API reference "Deployment").

        Args:
            status: PRIMARY or ACTIVE.
            desired: How many tasks it should have.
            tasks: Its own.
        """
        return {
            "id": self.id,
            "status": status,
            "taskDefinition": self.definition.arn,
            "desiredCount": desired,
            "runningCount": running_count(tasks),
            "pendingCount": pending_count(tasks),
            "failedTasks": self.failed_tasks,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            **describe_launch(self.how, self.raw),
            **({"platformVersion": "1.4.0"} if self.how.launch_type == "FARGATE" else {}),
            **self.how.describe_network(),
            "rolloutState": self.rollout_state,
            "rolloutStateReason": self.rollout_state_reason,
        }


def running_count(tasks: Sequence[Task]) -> int:
    """How many are RUNNING."""
    return sum(task.last_status == "RUNNING" for task in tasks)


def pending_count(tasks: Sequence[Task]) -> int:
    """How many are on their way to RUNNING."""
    return sum(task.desired_status == "RUNNING" and task.last_status in ON_THE_WAY for task in tasks)


def describe_launch(how: Launch, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Launch type or capacity provider strategy, as services and deployments show it."""
    if how.capacity_provider is None:
        return {"launchType": how.launch_type}
    default = [{"capacityProvider": how.capacity_provider, "weight": 1, "base": 0}]
    return {"capacityProviderStrategy": raw.get("capacityProviderStrategy") or default}
