"""ECS at work: the model decides, `TaskRunner` carries out, and every change goes to timeline and EventBridge."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.clock import Clock
from sandbox.controllers.ecs_registration import Registrar, Registry, Targets
from sandbox.controllers.tasks import TaskRunner
from sandbox.engine.containers import Exit, HealthReport
from sandbox.errors import SandboxError, log_failure
from sandbox.model.ecs import events, instances
from sandbox.model.ecs.container_instance import DropInstance, Launched, PublishInstance
from sandbox.model.ecs.control import STOPPED_TASKS_SHOWN_FOR, Command, Ecs
from sandbox.model.ecs.events import EventShape
from sandbox.model.ecs.messages import (
    AttachEni,
    DetachEni,
    EnterInstance,
    InstanceEntered,
    LeaveInstance,
    PrepareResources,
    PublishTask,
    Remind,
    RestartContainer,
    StartContainer,
    StopContainer,
    TaskEvent,
)
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.registration import DeregisterTask, RegisterTask, SetInstanceHealth
from sandbox.model.ecs.service import Wake
from sandbox.model.ecs.service_events import PublishService, ServiceSaid
from sandbox.model.elb.target import Target, TargetHealth
from sandbox.timeline import Timeline

if TYPE_CHECKING:
    from sandbox.model.elb.config import TargetGroup

log = logging.getLogger(__name__)
T = TypeVar("T")

# Enough for fifty tasks of two containers that stop at once: a stop blocks until its container has ended.
WORKERS = 64


class EcsController:
    """Owns the ECS model: one change at a time, commands carried out on a pool.

    Args:
        ecs: The model.
        publish: Puts an event on EventBridge's default bus; must not block.
        timeline: Gets ``task.state`` for each event that ECS publishes of a task, ``service.event`` for what it says of
            a service, ``instance.state`` and ``task.unplaced`` of container instances.
        clock: Gives the time and the delays of the service scheduler.
    """

    def __init__(self, ecs: Ecs, publish: Callable[[dict[str, Any]], None], timeline: Timeline, clock: Clock) -> None:
        self._ecs = ecs
        self._publish = publish
        self._timeline = timeline
        self._clock = clock
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="ecs")
        # One thread: what is registered, deregistered and told of a target keeps its order.
        self._in_turn = ThreadPoolExecutor(1, thread_name_prefix="ecs-registration")
        self._registrar = Registrar(self.happened)
        self._closed = False
        self.runner: TaskRunner | None = None
        self.drop_instance: Callable[[str], None] = lambda ec2_instance_id: None
        self.event_shape: EventShape = events.DOCUMENTED

    def use_targets(
        self,
        targets: Targets,
        find_group: Callable[[str], TargetGroup | None],
        has_balancer: Callable[[str], bool],
    ) -> None:
        """Register tasks with these load balancers from now on; for the lookups see `Lookups`.

        The lookups are called while the model is held: they must not wait for a call of ECS.
        """
        self._registrar.targets = targets
        self._registrar.is_group = lambda arn: find_group(arn) is not None
        self._ecs.lookups = dataclasses.replace(self._ecs.lookups, find_group=find_group, has_balancer=has_balancer)

    def use_registry(self, registry: Registry, registry_types: Callable[[str], frozenset[str] | None]) -> None:
        """Register tasks with this Cloud Map from now on; for the lookup see `use_targets`."""
        self._registrar.registry = registry
        self._ecs.lookups = dataclasses.replace(self._ecs.lookups, registry_types=registry_types)

    def target_changed(self, group_arn: str, target: Target, health: TargetHealth) -> None:
        """A load balancer says something else of a target. Returns at once; what is told first is taken first."""
        # Without the lock: whoever calls this may hold one of its own that a lookup waits for.
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._in_turn.submit(self._guarded, self._target_changed, group_arn, target, health)

    def _target_changed(self, group_arn: str, target: Target, health: TargetHealth) -> None:
        if not self._closed:
            self.apply(lambda now: (None, self._ecs.target_health_changed(group_arn, target, health, now)))

    def apply(self, change: Callable[[float], tuple[T, Iterable[Command]]]) -> T:
        """Change the model alone and have the commands carried out (see `sandbox.aws.services.ecs.Apply`)."""
        with self._lock:
            result, commands = change(self._clock.now())
            for command in commands:
                self._carry_out(command)
        return result

    def happened(self, task_arn: str, event: TaskEvent) -> None:
        """Something happened to a task."""
        if not self._closed:
            self.apply(lambda now: (None, self._ecs.task_event(task_arn, event, now)))

    def interrupt_spot(self, task_arn: str) -> None:
        """Interrupt a Fargate Spot task (see `Ecs.interrupt_spot`, also for its errors)."""
        self.apply(lambda now: (None, self._ecs.interrupt_spot(task_arn, now)))

    def register_instance(self, cluster: str, launched: Launched) -> None:
        """The agent of an EC2 instance registers (see `instances.register`)."""
        self.apply(lambda now: (None, instances.register(self._ecs, self._ecs.find_cluster(cluster), launched, now)))

    def lose_instance(self, ec2_instance_id: str, what: str) -> None:
        """An EC2 instance is stopped or terminated (see `instances.lost`)."""
        self.apply(lambda now: (None, instances.lost(self._ecs, ec2_instance_id, what, now)))

    def exited(self, end: Exit) -> None:
        """The engine says that a container has ended."""
        if self.runner is not None and not self._closed:
            self._submit(self.runner.exited, end)

    def read(self, look: Callable[[Ecs], T]) -> T:
        """Look at the model while nothing changes it."""
        with self._lock:
            return look(self._ecs)

    def interface(self, task_arn: str) -> str:
        """The container that owns a task's network namespace ("" where there is none)."""
        return self.runner.interface(task_arn) if self.runner else ""

    def health_changed(self, report: HealthReport) -> None:
        """The engine says that a container's health has changed."""
        if self.runner is not None and not self._closed:
            self.runner.health(report)

    def close(self) -> None:
        """Take no more changes; what is under way ends by itself (see `wait_closed`)."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._in_turn.shutdown(wait=False, cancel_futures=True)

    def wait_closed(self) -> None:
        """Wait for the commands that were under way when it was closed."""
        self._pool.shutdown(wait=True)
        self._in_turn.shutdown(wait=True)

    def _carry_out(self, command: Command) -> None:
        runner = self.runner
        if self._closed or runner is None:
            return
        match command:
            case PublishTask(_, shown):
                self._announce(dict(shown))
            case PublishService():
                self._announce_service(command)
            case PublishInstance():
                self._announce_instance(command)
            case ServiceSaid(arn, message):
                self._timeline.record("service.event", service=arn, message=message)
            case Unplaced():
                self._timeline.record("task.unplaced", reason=command.reason, failures=command.describe())
            case Wake():
                self._clock.call_later(command.delay, lambda: self._wake(command))
            case Remind(arn, event, delay):
                self._clock.call_later(delay, lambda: self.happened(arn, event))
            case DropInstance(ec2_instance_id):
                self.drop_instance(ec2_instance_id)
            case _:
                self._work(command, runner)

    def _work(self, command: Command, runner: TaskRunner) -> None:
        """What takes its time on Docker."""
        match command:
            case AttachEni(arn, network):
                task = self._ecs.tasks[arn]
                self._submit(runner.attach, arn, task.definition, network, self._ecs.attachment_arn(task), task.host)
            case DetachEni(arn):
                self._submit(runner.detach, arn)
            case EnterInstance(arn):
                task = self._ecs.tasks[arn]
                assert task.host is not None  # who enters an instance has one
                runner.enter(arn, task.definition, task.host, task.bindings)
                self._submit(self.happened, arn, InstanceEntered())
            case LeaveInstance(arn):
                self._submit(runner.leave, arn)
            case PrepareResources(arn):
                self._submit(runner.prepare, arn)
            case StartContainer(arn, name):
                runner.expect_start(arn, name, self._submit(runner.start, arn, name))
            case StopContainer(arn, name, timeout):
                self._submit(runner.stop, arn, name, self._clock.real_seconds(timeout))
            case RestartContainer(arn, name):
                runner.expect_start(arn, name, self._submit(runner.restart, arn, name))
            case RegisterTask() | DeregisterTask() | SetInstanceHealth():
                self._in_turn.submit(self._guarded, self._registrar.carry_out, command)

    def _wake(self, wake: Wake) -> None:
        if not self._closed:
            self.apply(lambda now: (None, self._ecs.wake(wake, now)))

    def _announce(self, task: dict[str, Any]) -> None:
        event = events.task_state_change(
            task,
            event_id=str(uuid.uuid4()),
            now=self._clock.now(),
            account=self._ecs.account,
            region=self._ecs.region,
            shape=self.event_shape,
        )
        self._timeline.record(
            "task.state",
            task=task["taskArn"],
            group=task["group"],
            last_status=task["lastStatus"],
            desired_status=task["desiredStatus"],
            version=task["version"],
            public_ip=self.runner.public_ip(task["taskArn"]) if self.runner else "",
            stop_code=task.get("stopCode", ""),
            stopped_reason=task.get("stoppedReason", ""),
            **_where(task),
        )
        self._publish(event)
        if task["lastStatus"] == "STOPPED":
            self._clock.call_later(STOPPED_TASKS_SHOWN_FOR, lambda: self._forget(task["taskArn"]))

    def _announce_service(self, command: PublishService) -> None:
        self._publish(
            events.service_event(
                command.service_arn,
                command.detail_type,
                command.detail,
                event_id=str(uuid.uuid4()),
                now=self._clock.now(),
                account=self._ecs.account,
                region=self._ecs.region,
            )
        )

    def _announce_instance(self, command: PublishInstance) -> None:
        shown = dict(command.instance)
        self._timeline.record(
            "instance.state",
            container_instance=command.instance_arn,
            instance=shown["ec2InstanceId"],
            status=shown["status"],
            agent_connected=shown["agentConnected"],
            version=shown["version"],
        )
        self._publish(
            events.instance_state_change(
                shown,
                command.cluster_arn,
                event_id=str(uuid.uuid4()),
                now=self._clock.now(),
                account=self._ecs.account,
                region=self._ecs.region,
            )
        )

    def _forget(self, task_arn: str) -> None:
        with self._lock:
            self._ecs.forget_task(task_arn)

    def _submit(self, work: Callable[..., None], *arguments: Any) -> Future[None]:
        return self._pool.submit(self._guarded, work, *arguments)

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        """A command that fails in a way nobody foresaw must be heard: everyone who waits gets it."""
        try:
            work(*arguments)
        except Exception as error:
            if self._closed:
                return
            if isinstance(error, SandboxError):
                self._timeline.abort(error)
                return
            log_failure(log, error, "a command of ECS could not be carried out")
            self._timeline.abort(
                SandboxError(f"ECS could not carry out {work.__name__}", state=f"{type(error).__name__}: {error}")
            )


def _where(task: Mapping[str, Any]) -> dict[str, Any]:
    """Where a task is, and what runs in it, of what an event tells."""
    details = [one for attachment in task["attachments"] for one in attachment["details"]]
    return {
        "private_ip": next((one["value"] for one in details if one["name"] == "privateIPv4Address"), ""),
        "launch_type": task.get("launchType", ""),
        "capacity_provider": task.get("capacityProviderName", ""),
        "container_instance": task.get("containerInstanceArn", ""),
        "containers": [
            {
                "name": one["name"],
                "status": one["lastStatus"],
                "health": one.get("healthStatus", ""),
                "host_ports": [binding["hostPort"] for binding in one["networkBindings"]],
            }
            for one in task["containers"]
        ],
    }
