"""Registers tasks of services where they are found: in target groups of load balancers and in Cloud Map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sandbox.aws.protocol import AwsError
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import TaskEvent
from sandbox.model.ecs.registration import (
    Deregistered,
    DeregisterTask,
    Registered,
    RegisterTask,
    RegistrationCommand,
    RegistrationFailed,
    SetInstanceHealth,
)
from sandbox.model.elb.target import Target

Report = Callable[[str, TaskEvent], None]


class Targets(Protocol):
    """The targets of load balancers. What becomes of one is told to `EcsController.target_changed`."""

    def register(self, group_arn: str, targets: Sequence[Target]) -> None:
        """RegisterTargets of a group that there is.

        Raises:
            AwsError: As the API answers; also SandboxError.
        """

    def deregister(self, group_arn: str, targets: Sequence[Target]) -> None:
        """DeregisterTargets of a group that there is: they get no new requests, and drain.

        Raises:
            AwsError: As the API answers; also SandboxError.
        """


class Registry(Protocol):
    """The instances of Cloud Map's services."""

    def register(self, service_arn: str, instance_id: str, attributes: Mapping[str, str]) -> None:
        """RegisterInstance, done when this returns.

        Raises:
            AwsError: As the API answers; also SandboxError.
        """

    def deregister(self, service_arn: str, instance_id: str) -> None:
        """DeregisterInstance, done when this returns.

        Raises:
            AwsError: As the API answers; also SandboxError.
        """

    def set_health(self, service_arn: str, instance_id: str, healthy: bool) -> None:
        """UpdateInstanceCustomHealthStatus.

        Raises:
            AwsError: As the API answers; also SandboxError.
        """


class Registrar:
    """Carries out what ECS decides of registrations. Its method blocks; the controller calls it on a thread of its own.

    Args:
        report: Told what happened to which task.

    Attributes:
        targets: The load balancers' (None: there are none).
        is_group: Whether there is a target group with this ARN (still).
        registry: Cloud Map (None: there is none).
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.targets: Targets | None = None
        self.is_group: Callable[[str], bool] = lambda arn: True
        self.registry: Registry | None = None

    def carry_out(self, command: RegistrationCommand) -> None:
        """Carry out one command, and report its end.

        Raises:
            SandboxError: It is for what there is not: requests that name it are refused, so that this is our mistake.
        """
        match command:
            case RegisterTask(arn):
                self._report(arn, self._register(command))
            case DeregisterTask(arn):
                self._deregister(command)
                self._report(arn, Deregistered())
            case SetInstanceHealth(_, instance, healthy):
                # A service of Cloud Map without a custom health check takes no health, nor does one that was deleted.
                _attempt(self._cloud_map.set_health, instance.registry_arn, instance.id, healthy)

    def _register(self, command: RegisterTask) -> Registered | RegistrationFailed:
        for group_arn, target in command.targets:
            if not self.is_group(group_arn):
                return RegistrationFailed(group_arn, "One or more target groups not found")
            if error := _attempt(self._balancers.register, group_arn, [target]):
                return RegistrationFailed(group_arn, error)
        if (instance := command.instance) is not None:
            arn = instance.registry_arn
            if error := _attempt(self._cloud_map.register, arn, instance.id, instance.attributes):
                return RegistrationFailed(arn, error)
        return Registered()

    def _deregister(self, command: DeregisterTask) -> None:
        """What is not there any more is as good as deregistered: its group or its service may have been deleted."""
        if (instance := command.instance) is not None:
            _attempt(self._cloud_map.deregister, instance.registry_arn, instance.id)
        for group_arn, target in command.targets:
            if self.is_group(group_arn):
                _attempt(self._balancers.deregister, group_arn, [target])

    @property
    def _balancers(self) -> Targets:
        if self.targets is None:
            raise SandboxError("a task has a target group, and there are no load balancers")
        return self.targets

    @property
    def _cloud_map(self) -> Registry:
        if self.registry is None:
            raise SandboxError("a task has a service registry, and there is no Cloud Map")
        return self.registry


def _attempt(call: Callable[..., None], *arguments: Any) -> str:
    """Why a call was refused ("" where it was not)."""
    try:
        call(*arguments)
    except AwsError as error:
        return error.message or error.code
    except SandboxError as error:
        return error.message
    return ""
