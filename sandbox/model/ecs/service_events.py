"""What a service tells: its events in DescribeServices, those it sends to EventBridge, and why it gives a task up.

Words: developer guide "Viewing Amazon ECS service event messages", and what DescribeServices has shown users, up to
2026. Fields of what goes to EventBridge: developer guide "Amazon ECS service action events" and "Amazon ECS service
deployment state change events".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.deployment import Deployment
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.registration import DeregisterTask, Registered, RegistrationFailed, targets_by_group
from sandbox.model.ecs.task import Task

KEPT_EVENTS = 100  # DescribeServices shows the latest 100

# "duplicate event messages are omitted until the cause is resolved or six hours passes"
SAID_AGAIN_AFTER = 6 * 3600.0

# The stoppedReason of a task whose container health checks fail; what that of one begins with whose targets do.
_FAILED_CHECKS = "Task failed container health checks"
_FAILED_TARGET = "Task failed ELB health checks in"

_GUIDE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def why_unhealthy(task: Task) -> str:
    """The stoppedReason of a task that is given up for its health checks: its containers' come before its targets'."""
    failing = task.registration.failing
    if task.health_status == "UNHEALTHY" or failing is None:
        return _FAILED_CHECKS
    return f"{_FAILED_TARGET} (target-group {failing[0]})"


def was_unhealthy(task: Task) -> bool:
    """Whether its service has given it up for its health checks."""
    return task.stopped_reason == _FAILED_CHECKS or task.stopped_reason.startswith(_FAILED_TARGET)


@dataclass(frozen=True)
class PublishService:
    """Publish an event about a service (see `sandbox.model.ecs.events.service_event`)."""

    service_arn: str
    detail_type: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class ServiceSaid:
    """A service event that DescribeServices shows from now on."""

    service_arn: str
    message: str


@dataclass
class ServiceEvents:
    """What one service has told. Times are seconds since the epoch.

    Attributes:
        shown: What DescribeServices shows, the newest first.
        said: How many messages there have been.
        unplaced: What has been said of tasks that no instance takes, and when.
        news: What there is to tell since `take` was called last.
    """

    service_arn: str
    service: str
    cluster_arn: str
    shown: list[dict[str, Any]] = field(default_factory=list)
    said: int = 0
    unplaced: dict[str, float] = field(default_factory=dict)
    news: list[PublishService | ServiceSaid] = field(default_factory=list)

    def take(self) -> list[PublishService | ServiceSaid]:
        """What there is to tell since the last call."""
        news, self.news = self.news, []
        return news

    def say(self, message: str, now: float) -> None:
        """Add a service event: ``message`` follows the service's name."""
        self._add(f"(service {self.service}) {message}", now)

    # -- tasks --

    def started(self, tasks: Sequence[Task], unhealthy: int, now: float) -> None:
        """There are new tasks; ``unhealthy`` of them, because others are."""
        why = f" Amazon ECS replaced {unhealthy} tasks due to an unhealthy status." if unhealthy else ""
        self.say(f"has started {len(tasks)} tasks: {_named(tasks)}.{why}", now)

    def stopped(self, running: Sequence[Task], pending: int, now: float) -> None:
        """Tasks were told to stop: those that are ``running``, and how many that did not run yet."""
        if pending:
            self.say(f"stopped {pending} pending tasks.", now)
        for task in running:
            if task.stopped_reason == _FAILED_CHECKS:
                self.say(f"(task {task.id}) failed container health checks.", now)
            elif was_unhealthy(task):
                self.say(_failing_target(task), now)
        if running:
            self.say(f"has stopped {len(running)} running tasks: {_named(running)}.", now)

    def start_impaired(self, now: float) -> None:
        """Tasks fail to start, one after the other."""
        self.say(f"is unable to consistently start tasks successfully. {_GUIDE}", now)
        self._action("WARN", "SERVICE_TASK_START_IMPAIRED", now)

    def not_placed(self, unplaced: Unplaced | None, now: float) -> bool:
        """No instance takes a task (None: all are placed); whether that is told now, and not only known already."""
        if unplaced is None:
            self.unplaced.clear()
            return False
        message = f"{unplaced.message()} {_GUIDE}"
        if now - self.unplaced.get(message, -SAID_AGAIN_AFTER) < SAID_AGAIN_AFTER:
            return False
        self.unplaced[message] = now
        self.say(message, now)
        arns = [instance.arn for instance, _ in unplaced.failures]
        self._action("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", now, containerInstanceArns=arns, reason=unplaced.reason)
        return True

    # -- targets and instances of Cloud Map --

    def registered(self, task: Task, event: Registered | RegistrationFailed, now: float) -> None:
        """A task's targets are registered, or could not be; of Cloud Map's failures, the words are ours."""
        if isinstance(event, Registered):
            for group_arn, count in targets_by_group(task.registration.targets).items():
                self.say(f"registered {count} targets in (target-group {group_arn})", now)
            return
        if ":targetgroup/" in event.where:
            failed = f"failed to register targets in (target-group {event.where})"
        else:
            failed = f"failed to register an instance in (service registry {event.where})"
        self.say(f"{failed} with (error {event.error})", now)

    def deregistered(self, leaving: Sequence[DeregisterTask], tasks: Mapping[str, Task], now: float) -> None:
        """Targets leave together; ``tasks`` are those of ECS by ARN."""
        targets = tuple(target for command in leaving for target in command.targets)
        for group_arn, count in targets_by_group(targets).items():
            self.say(f"deregistered {count} targets in (target-group {group_arn})", now)
        deployments = [tasks[command.task_arn].started_by for command in leaving if command.targets]
        for deployment in dict.fromkeys(deployments):
            count = deployments.count(deployment)
            begun = f"has begun draining connections on {count} tasks."
            self._add(f"(service {self.service}, taskSet {deployment}) {begun}", now)

    def instance_unhealthy(self, now: float) -> None:
        """The container health checks of a task in a service registry have come to fail."""
        self._action("WARN", "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY", now)

    # -- deployments --

    def deployment_began(self, deployment: Deployment, now: float) -> None:
        """It is the PRIMARY one from now on."""
        self._deployment("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", deployment, now)

    def deployment_stuck(self, now: float) -> None:
        """Its limits leave no room."""
        self.say(
            "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
            "Update the minimumHealthyPercent or maximumPercent value and try again.",
            now,
        )

    def deployment_completed(self, deployment: Deployment, now: float) -> None:
        """It is COMPLETED."""
        self.say(f"(deployment {deployment.id}) deployment completed.", now)
        self._deployment("INFO", "SERVICE_DEPLOYMENT_COMPLETED", deployment, now)

    def deployment_failed(self, deployment: Deployment, now: float) -> None:
        """It is FAILED."""
        self.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.", now)
        self._deployment("ERROR", "SERVICE_DEPLOYMENT_FAILED", deployment, now)

    def rolling_back(self, target: Deployment, now: float) -> None:
        """The deployment before the failed one is taken up again."""
        self.say(f"rolling back to deployment {target.id}.", now)

    def steady(self, now: float) -> None:
        """All tasks that are wanted are there and healthy."""
        self.say("has reached a steady state.", now)
        self._action("INFO", "SERVICE_STEADY_STATE", now)

    def _add(self, message: str, now: float) -> None:
        self.said += 1
        event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.service_arn}#{self.said}"))
        self.shown.insert(0, {"id": event_id, "createdAt": now, "message": message})
        del self.shown[KEPT_EVENTS:]
        self.news.append(ServiceSaid(self.service_arn, message))

    def _action(self, event_type: str, event_name: str, now: float, **more: Any) -> None:
        named = {"eventType": event_type, "eventName": event_name}
        detail = {**named, "clusterArn": self.cluster_arn, **more, "createdAt": now}
        self.news.append(PublishService(self.service_arn, "ECS Service Action", detail))

    def _deployment(self, event_type: str, event_name: str, deployment: Deployment, now: float) -> None:
        detail = {
            "eventType": event_type,
            "eventName": event_name,
            "deploymentId": deployment.id,
            "updatedAt": now,
            "reason": deployment.rollout_state_reason,
        }
        self.news.append(PublishService(self.service_arn, "ECS Deployment State Change", detail))


def _failing_target(task: Task) -> str:
    failing = task.registration.failing
    assert failing is not None, "a task was given up for checks that it passes"
    group_arn, target, health = failing
    where = f"instance {target.id}" if task.host and task.host.ec2_instance_id == target.id else f"task {task.id}"
    return (
        f"({where}) (port {target.port}) is unhealthy in (target-group {group_arn}) "
        f"due to (reason {health.description})."
    )


def _named(tasks: Iterable[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
