"""A service: it keeps its desired count of tasks.

Rules: developer guide "Amazon ECS services" (the scheduler replaces tasks that stop), "Service throttle logic" (a task
that never reaches RUNNING is retried ever later, up to 27 minutes) and the words of service event messages
("Viewing Amazon ECS service event messages"). Rolling deployments are not carried out yet: there is one deployment.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.messages import Network
from sandbox.model.ecs.task import Task
from sandbox.model.ecs.taskdef import TaskDefinition

# AWS documents that retries come "incrementally" later and the bound, not the steps; these are ours.
FIRST_RETRY_DELAY = 10.0
MAX_RETRY_DELAY = 27 * 60.0

# "Consistently" is more than once; "duplicate event messages are omitted until the cause is resolved".
SAID_AT = 2

KEPT_EVENTS = 100  # DescribeServices shows the latest 100


@dataclass(frozen=True)
class StartTask:
    """Start one task of the service."""

    service_arn: str


@dataclass(frozen=True)
class StopTask:
    """Stop one task of the service, with the reason ECS gives."""

    task_arn: str
    reason: str


@dataclass(frozen=True)
class Wake:
    """Look at the service again in ``delay`` seconds."""

    service_arn: str
    delay: float


ServiceDecision = StartTask | StopTask | Wake


@dataclass
class Service:
    """A service and its one deployment. Times are seconds since the epoch."""

    arn: str
    name: str
    cluster_arn: str
    definition: TaskDefinition
    desired_count: int
    network: Network
    launch_type: str | None
    capacity_provider: str | None
    deployment_id: str
    created_at: float
    raw: Mapping[str, Any]
    status: str = "ACTIVE"
    updated_at: float = 0.0
    rollout_state: str = "IN_PROGRESS"
    events: list[dict[str, Any]] = field(default_factory=list)
    steady: bool = False
    said: int = 0
    failed_in_a_row: int = 0
    failed_tasks: int = 0
    throttled: bool = False  # no task is started before the `Wake` that is under way

    def decide(self, tasks: Sequence[Task], now: float) -> list[ServiceDecision]:
        """What to do so that the desired count comes true. ``tasks`` are the service's own, in order of creation."""
        live = [task for task in tasks if task.desired_status == "RUNNING"]
        surplus = live[self.desired_count :]
        if surplus:
            self.steady = False
            # The oldest stay: the scheduler has no reason to give up a task that has proved itself.
            reason = f"Scaling activity initiated by (deployment {self.deployment_id})"
            return [StopTask(task.arn, reason) for task in surplus]
        missing = self.desired_count - len(live)
        if missing:
            self.steady = False
            return [] if self.throttled else [StartTask(self.arn)] * missing
        if self.status == "ACTIVE" and not self.steady and all(task.last_status == "RUNNING" for task in live):
            self._settle(now)
        return []

    def task_stopped(self, task: Task, now: float) -> list[Wake]:
        """Learn from a task that is given up: one that never ran delays the next attempt."""
        if "startedAt" in task.times or task.stop_code not in {"TaskFailedToStart", "EssentialContainerExited"}:
            return []
        self.failed_tasks += 1
        if self.throttled:  # one of several that were started together
            return []
        self.throttled = True
        self.failed_in_a_row += 1
        if self.failed_in_a_row == SAID_AT:
            self.say(
                f"(service {self.name}) is unable to consistently start tasks successfully. "
                "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
                now,
            )
        return [Wake(self.arn, min(FIRST_RETRY_DELAY * 2 ** (self.failed_in_a_row - 1), MAX_RETRY_DELAY))]

    def task_running(self) -> None:
        """A task of this service runs: failures before it count no more."""
        self.failed_in_a_row = 0

    def wake(self) -> None:
        """The time of the last `Wake` has come: tasks may be started again."""
        self.throttled = False

    def _settle(self, now: float) -> None:
        self.steady = True
        self.updated_at = now
        if self.rollout_state == "IN_PROGRESS":
            self.rollout_state = "COMPLETED"
            self.say(f"(service {self.name}) (deployment {self.deployment_id}) deployment completed.", now)
        self.say(f"(service {self.name}) has reached a steady state.", now)

    def say(self, message: str, now: float) -> None:
        """Add a service event; the newest comes first in DescribeServices."""
        self.said += 1
        event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.arn}#{self.said}"))
        self.events.insert(0, {"id": event_id, "createdAt": now, "message": message})
        del self.events[KEPT_EVENTS:]

    def describe(self, tasks: Sequence[Task]) -> dict[str, Any]:
        """The service as DescribeServices shows it (API reference "Service")."""
        live = [task for task in tasks if task.desired_status == "RUNNING"]
        running = sum(task.last_status == "RUNNING" for task in tasks)
        pending = sum(task.last_status in {"PROVISIONING", "PENDING", "ACTIVATING"} for task in live)
        network = {
            "awsvpcConfiguration": {
                "subnets": list(self.network.subnets),
                "securityGroups": list(self.network.security_groups),
                "assignPublicIp": "ENABLED" if self.network.assign_public_ip else "DISABLED",
            }
        }
        how: dict[str, Any] = {"launchType": self.launch_type} if self.launch_type else {}
        if self.capacity_provider:
            strategy = [{"capacityProvider": self.capacity_provider, "weight": 1, "base": 0}]
            how = {"capacityProviderStrategy": self.raw.get("capacityProviderStrategy") or strategy}
        counts = {"desiredCount": self.desired_count, "runningCount": running, "pendingCount": pending}
        deployment = {
            "id": self.deployment_id,
            "status": "PRIMARY",
            "taskDefinition": self.definition.arn,
            **counts,
            "failedTasks": self.failed_tasks,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            **how,
            "platformVersion": "1.4.0",
            "networkConfiguration": network,
            "rolloutState": self.rollout_state,
            "rolloutStateReason": _rollout_reason(self.rollout_state, self.deployment_id),
        }
        return {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "taskDefinition": self.definition.arn,
            **counts,
            **how,
            "loadBalancers": [],
            "serviceRegistries": [],
            "platformVersion": self.raw.get("platformVersion", "LATEST"),
            "deploymentConfiguration": {
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
                **self.raw.get("deploymentConfiguration", {}),
            },
            "deployments": [deployment] if self.status == "ACTIVE" else [],
            "events": [dict(event) for event in self.events],
            "createdAt": self.created_at,
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "networkConfiguration": network,
            "placementConstraints": [],
            "placementStrategy": [],
            "enableECSManagedTags": bool(self.raw.get("enableECSManagedTags", False)),
            "propagateTags": self.raw.get("propagateTags", "NONE"),
            "enableExecuteCommand": False,
        }


def _rollout_reason(state: str, deployment_id: str) -> str:
    ending = {"COMPLETED": "completed", "IN_PROGRESS": "in progress"}[state]
    return f"ECS deployment {deployment_id} {ending}."
