"""A service: it keeps its desired count of tasks and replaces them by those of a new deployment.

Rules: developer guide "Amazon ECS services" (the scheduler replaces tasks that stop), "Deploy Amazon ECS services by
replacing tasks" and "Amazon ECS deployment failure detection". What is started and stopped next,
`sandbox.model.ecs.rollout` says; what a service tells of it, `sandbox.model.ecs.service_events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.deployment import Configuration, Deployment, describe_launch, pending_count, running_count
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.rollout import (
    HEALTHY_AFTER,
    Fleet,
    Limits,
    Plan,
    Standing,
    balanced,
    in_balance,
    plan,
    standing_of,
)
from sandbox.model.ecs.service_events import SAID_AGAIN_AFTER, ServiceEvents, was_unhealthy, why_unhealthy
from sandbox.model.ecs.task import Task

SAID_AT = 2  # failed starts in a row that are told: "consistently" is more than once

# The beginning of a subject of a `Wake`, and one: nothing but another try follows from it.
GRACE = "grace period of "
PLACEMENT = "placement"

# Ends of tasks that are failures of their deployment; a user's stop or a Spot interruption is none.
_FAILURES = frozenset({"TaskFailedToStart", "EssentialContainerExited"})


@dataclass(frozen=True)
class StartTask:
    """Start one task of this deployment of the service, perhaps because another one is unhealthy."""

    deployment: Deployment
    replaces_unhealthy: bool = False


@dataclass(frozen=True)
class StopTask:
    """Stop one task of the service, with the reason ECS gives."""

    task_arn: str
    reason: str


@dataclass(frozen=True)
class Wake:
    """Come back in ``delay`` seconds: the throttle of a deployment ends, a task has been RUNNING for long enough, its
    grace period ends, or it is time to say again that tasks cannot be placed.

    ``subject`` is the deployment's id, the task's ARN, `GRACE` and its ARN, or `PLACEMENT`.
    """

    service_arn: str
    delay: float
    subject: str


ServiceDecision = StartTask | StopTask


@dataclass
class Service:
    """A service. Times are seconds since the epoch.

    Attributes:
        primary: The deployment that it works towards.
        superseded: Deployments before it that still have tasks, the newest first.
        completed: The one that was COMPLETED last; the target of a roll-back.
        lasted: ARNs of the tasks that have been RUNNING for `HEALTHY_AFTER` seconds.
        grace: healthCheckGracePeriodSeconds.
        in_grace: ARNs of the tasks whose unhealthy checks are ignored still.
        settled: It decided nothing the last time: nor will it, before the standing of a task changes, or it is asked
            for another reason.
        events: What it tells.
    """

    arn: str
    name: str
    cluster_arn: str
    desired_count: int
    configuration: Configuration
    primary: Deployment
    created_at: float
    raw: Mapping[str, Any]
    status: str = "ACTIVE"
    superseded: list[Deployment] = field(default_factory=list)
    completed: Deployment | None = None
    steady: bool = False
    lasted: set[str] = field(default_factory=set)
    grace: int = 0
    in_grace: set[str] = field(default_factory=set)
    settled: bool = False
    events: ServiceEvents = field(init=False)

    def __post_init__(self) -> None:
        self.events = ServiceEvents(self.arn, self.name, self.cluster_arn)

    @property
    def deployments(self) -> list[Deployment]:
        """PRIMARY first."""
        return [self.primary, *self.superseded]

    # -- deciding --

    def decide(self, tasks: Sequence[Task], now: float) -> list[ServiceDecision]:
        """What to do next. ``tasks`` are the service's own, in order of creation."""
        standings = [(task, self.standing(task)) for task in tasks]
        self._judge(standings)
        next_step = plan(self._fleet(standings), self._limits())
        if next_step.start or next_step.start_old or next_step.stop:
            self.steady = False
        if next_step.stuck and not self.primary.said_stuck:
            self.primary.said_stuck = True
            self.events.deployment_stuck(now)
        self._drop_empty(standings)
        self._settle(standings, now)
        decisions = self._decisions(next_step, standings)
        self.settled = not decisions
        return decisions

    def standing(self, task: Task) -> Standing:
        """What one of its tasks is worth to it now."""
        return standing_of(task, lasted=task.arn in self.lasted, in_grace=task.arn in self.in_grace)

    def _limits(self) -> Limits:
        configuration = self.configuration
        return Limits.of(self.desired_count, configuration.minimum_percent, configuration.maximum_percent)

    def _fleet(self, standings: Sequence[tuple[Task, Standing]]) -> Fleet:
        groups: dict[str, list[tuple[Task, Standing]]] = {"new": [], "old": [], "superseded": []}
        leaving = 0
        for task, worth in standings:
            if worth is Standing.LEAVING:
                # A daemon's limits hold on each instance, and one that is DRAINING is to have no task any more.
                leaving += not (self.is_daemon and task.draining)
            elif worth is not Standing.GONE:
                groups[self._group(task)].append((task, worth))
        groups["new"] = in_balance(groups["new"])
        failed = self.primary.rollout_state == "FAILED"
        may_start = not failed and not self.primary.throttled
        completed = self.completed
        may_restart_old = completed is not None and completed is not self.primary and not completed.throttled
        return Fleet(
            **groups,
            leaving=leaving,
            may_start=may_start,
            may_replace=not failed,
            may_restart_old=may_restart_old,
        )

    def _group(self, task: Task) -> str:
        if task.draining:  # to be replaced, under the same limits as a task of another deployment
            return "old"
        if task.started_by == self.primary.id:
            return "new"
        return "old" if self.completed is not None and task.started_by == self.completed.id else "superseded"

    def _decisions(self, step: Plan, standings: Sequence[tuple[Task, Standing]]) -> list[ServiceDecision]:
        unhealthy = {task.arn for task, worth in standings if worth is Standing.UNHEALTHY}
        bad_new = sum(task.arn in unhealthy and task.started_by == self.primary.id for task, _ in standings)
        decisions: list[ServiceDecision] = [
            StartTask(self.primary, replaces_unhealthy=number < bad_new) for number in range(step.start)
        ]
        if step.start_old and self.completed is not None:
            if self.completed not in self.superseded:
                self.superseded.append(self.completed)
            decisions += [StartTask(self.completed)] * step.start_old
        for task in step.stop:
            scaled = f"Scaling activity initiated by (deployment {task.started_by})"
            decisions.append(StopTask(task.arn, why_unhealthy(task) if task.arn in unhealthy else scaled))
        return decisions

    # -- learning --

    def _judge(self, standings: Sequence[tuple[Task, Standing]]) -> None:
        primary = self.primary
        if primary.rollout_state == "IN_PROGRESS":
            healthy = [t for t, worth in standings if worth is Standing.HEALTHY and t.started_by == primary.id]
            primary.prove(healthy, self.configuration.breaker)

    def task_running(self, task: Task) -> list[Wake]:
        """A task of this service runs: attempts that failed before it are throttled no more."""
        for deployment in self.deployments:
            if deployment.id == task.started_by:
                deployment.failed_in_a_row = 0
        wakes = [] if task.health_checked or balanced(task) else [Wake(self.arn, HEALTHY_AFTER, task.arn)]
        if self.grace:
            self.in_grace.add(task.arn)
            wakes.append(Wake(self.arn, self.grace, GRACE + task.arn))
        return wakes

    def task_stopped(self, task: Task, now: float) -> list[Wake]:
        """Learn from a task that is given up: whether its deployment is to be tried later, or has failed."""
        deployment = next((d for d in self.deployments if d.id == task.started_by), None)
        if deployment is None or not (was_unhealthy(task) or task.stop_code in _FAILURES):
            return []
        delay = None if "startedAt" in task.times else deployment.throttle()
        if delay is not None and deployment.failed_in_a_row == SAID_AT:
            self.events.start_impaired(now)
        if deployment is self.primary and deployment.rollout_state == "IN_PROGRESS":
            self._count_failure(task, now)
        return [] if delay is None else [Wake(self.arn, delay, deployment.id)]

    def _count_failure(self, task: Task, now: float) -> None:
        """Take a task that never was healthy as a failure of the PRIMARY deployment."""
        if task.arn in self.primary.proved:
            return
        self.primary.failed_tasks += 1
        breaker = self.configuration.breaker
        if breaker.enabled and self.primary.failed_tasks >= breaker.threshold(self.desired_count):
            self._fail(now)

    def woken(self, subject: str) -> None:
        """The time of a `Wake` has come."""
        for deployment in {self.primary, *self.superseded, self.completed or self.primary}:
            if deployment.id == subject:
                deployment.throttled = False
        if subject.startswith(GRACE):
            self.in_grace.discard(subject.removeprefix(GRACE))
        elif subject.startswith("arn:"):
            self.lasted.add(subject)

    def _settle(self, standings: Sequence[tuple[Task, Standing]], now: float) -> None:
        if self.status != "ACTIVE" or self.steady or self.superseded or self.primary.rollout_state == "FAILED":
            return
        live = [worth for _, worth in standings if worth not in {Standing.LEAVING, Standing.GONE}]
        if len(live) != self.desired_count or any(worth is not Standing.HEALTHY for worth in live):
            return
        self.steady = True
        deployment = self.primary
        deployment.updated_at = now
        if deployment.rollout_state == "IN_PROGRESS":
            deployment.rollout_state, deployment.rolling_back = "COMPLETED", False
            self.completed = deployment
            self.events.deployment_completed(deployment, now)
        self.events.steady(now)

    def _drop_empty(self, standings: Sequence[tuple[Task, Standing]]) -> None:
        """A deployment that has been replaced is INACTIVE, and is not shown, once it has no task."""
        holders = {task.started_by for task, worth in standings if worth is not Standing.GONE}
        self.superseded = [deployment for deployment in self.superseded if deployment.id in holders]

    def end_if_drained(self, tasks: Sequence[Task]) -> None:
        """A deleted service is INACTIVE once the last of its tasks has stopped."""
        if self.status == "DRAINING" and all(task.last_status == "STOPPED" for task in tasks):
            self.status = "INACTIVE"

    # -- deployments --

    def deploy(self, deployment: Deployment, now: float) -> None:
        """Work towards another deployment from now on."""
        self.superseded.insert(0, self.primary)
        self._make_primary(deployment, now)

    def _make_primary(self, deployment: Deployment, now: float) -> None:
        self.primary, self.steady = deployment, False
        self.events.deployment_began(deployment, now)

    def _fail(self, now: float) -> None:
        failed, target = self.primary, self.completed
        failed.rollout_state, failed.rolling_back, failed.updated_at = "FAILED", False, now
        self.events.deployment_failed(failed, now)
        if not self.configuration.breaker.rollback or target is None or target is failed:
            return
        self.events.rolling_back(target, now)
        self.superseded = [failed, *(deployment for deployment in self.superseded if deployment is not target)]
        # While it is IN_PROGRESS again it is no target of a further roll-back.
        self.completed = None
        target.take_up_again(now)
        self._make_primary(target, now)

    # -- telling --

    def not_placed(self, unplaced: Unplaced | None, now: float) -> list[Wake]:
        """No instance takes a task (None: all are placed): told once until that changes or six hours have passed."""
        told = self.events.not_placed(unplaced, now)
        return [Wake(self.arn, SAID_AGAIN_AFTER, PLACEMENT)] if told else []

    def describe(self, tasks: Sequence[Task]) -> dict[str, Any]:
        """The service as DescribeServices shows it (API reference "Service")."""
        deployments = [self._describe_deployment(deployment, tasks) for deployment in self.deployments]
        return {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "taskDefinition": self.primary.definition.arn,
            "desiredCount": self.desired_count,
            "runningCount": running_count(tasks),
            "pendingCount": pending_count(tasks),
            **describe_launch(self.primary.how, self.primary.raw),
            **self.primary.registrations.describe(),
            **({"healthCheckGracePeriodSeconds": self.grace} if self.primary.registrations.groups else {}),
            **({"platformVersion": self.raw.get("platformVersion", "LATEST")} if self._on_fargate else {}),
            "deploymentConfiguration": dict(self.configuration.raw),
            "deployments": deployments if self.status == "ACTIVE" else [],
            "events": [dict(event) for event in self.events.shown],
            "createdAt": self.created_at,
            "availabilityZoneRebalancing": self.raw.get("availabilityZoneRebalancing", "ENABLED"),
            "schedulingStrategy": "DAEMON" if self.is_daemon else "REPLICA",
            "deploymentController": {"type": "ECS"},
            **self.primary.how.describe_network(),
            "placementConstraints": [dict(item) for item in self.primary.how.rules.constraints],
            "placementStrategy": [dict(item) for item in self.primary.how.rules.given],
            "enableECSManagedTags": bool(self.raw.get("enableECSManagedTags", False)),
            "propagateTags": self.raw.get("propagateTags", "NONE"),
            "enableExecuteCommand": bool(self.raw.get("enableExecuteCommand", False)),
        }

    @property
    def is_daemon(self) -> bool:
        """Whether it has a task on each instance, and no desired count of its own."""
        return bool(self.raw.get("schedulingStrategy") == "DAEMON")

    @property
    def _on_fargate(self) -> bool:
        return self.primary.how.launch_type == "FARGATE"

    def _describe_deployment(self, deployment: Deployment, tasks: Sequence[Task]) -> dict[str, Any]:
        own = [task for task in tasks if task.started_by == deployment.id]
        if deployment is self.primary:
            return deployment.describe("PRIMARY", self.desired_count, own)
        kept = sum(task.desired_status == "RUNNING" for task in own)
        return deployment.describe("ACTIVE", kept, own)
