"""What a sandbox has for EC2: instances, Auto Scaling, and Systems Manager when it is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.backends.scaling import follow_with
from sandbox.controllers.auto_scaling import AutoScaling
from sandbox.controllers.container_instances import ContainerInstances
from sandbox.controllers.instance_machine import Machine, Machines
from sandbox.controllers.network import RunNetwork

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.controllers.control_plane import ControlPlane
    from sandbox.controllers.interfaces import ImageSource, Interfaces
    from sandbox.controllers.ssm import SsmController
    from sandbox.engine.containers import Containers
    from sandbox.timeline import Timeline


@dataclass(frozen=True)
class Agent:
    """The agent of Systems Manager on one instance."""

    instance_id: str
    controller: SsmController

    def stop(self) -> None:
        """Have it take no more commands. It is shown as Online until it misses its next ping, 300 s (AWS's) later.

        Raises:
            SandboxError: The instance is no managed node.
        """
        self.controller.stop_agent(self.instance_id)

    def start(self) -> None:
        """Have it take commands again, those first that have come meanwhile.

        Raises:
            SandboxError: The instance is no managed node.
        """
        self.controller.start_agent(self.instance_id)


class InstanceServices:
    """Registers its services with the gateway.

    Args:
        containers: The run's.
        images: Where images come from.
        network: The run's.
        interfaces: Makes the instances' network interfaces.
        backend: Has the records of instances and groups.
        plane: Has the endpoint, EventBridge and ECS.
        environment: Leads AWS clients on instances to the endpoint.
        clock: Times everything.
        timeline: Gets every observation.

    Attributes:
        instances: The instances.
        changed: Called when instances may be others than before, beside those who are here.
    """

    def __init__(
        self,
        containers: Containers,
        images: ImageSource,
        network: RunNetwork,
        interfaces: Interfaces,
        backend: Embedded,
        plane: ControlPlane,
        environment: Mapping[str, str],
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._containers = containers
        self._backend = backend
        self._plane = plane
        self._clock = clock
        self._timeline = timeline
        self._making = threading.Lock()
        self._systems_manager: SsmController | None = None
        self._closers: list[Callable[[], None]] = []
        machines = Machines(containers, interfaces, images, environment, timeline)
        self.instances = ContainerInstances(
            plane.ecs, backend, interfaces, containers, network.vpc.cidr, machines, timeline
        )
        self.instances.machine_up = self._machine_up
        self.instances.machine_gone = self._machine_gone
        self._scaling = AutoScaling(
            backend.scaling_groups, self.instances.is_settled, plane.aws, plane.events.publish, clock, timeline
        )
        self._scaling.instances_changed = self.refresh
        self.instances.settled = self._scaling.refresh
        follow_with(self._scaling.follow)
        plane.instances_changed = self.refresh
        plane.gateway.add_later("autoscaling", self._make_auto_scaling)
        plane.gateway.add_later("ssm", self._make_systems_manager)

    def refresh(self) -> None:
        """See what has become of instances."""
        self.instances.refresh()
        self._scaling.refresh()
        self.changed()

    @property
    def systems_manager(self) -> SsmController:
        """Run Command; made when the first instance may become a managed node, or when it is asked for."""
        with self._making:  # instances come up on threads of their own
            if self._systems_manager is None:
                self._systems_manager = self._begin_systems_manager()
            return self._systems_manager

    def close(self) -> None:
        """Let nothing more happen; wait until nothing more is being made."""
        follow_with(None)
        self._scaling.close()
        for close in self._closers:
            close()
        self.instances.close()

    def _begin_systems_manager(self) -> SsmController:
        # Most stacks have no instance with a profile.
        from sandbox.controllers.ssm import SsmController
        from sandbox.controllers.ssm_outlets import Outlets

        outlets = Outlets(self._plane.aws, self._plane.events.publish, self._timeline)
        outlets.may_publish = self._plane.authorization.why_not_published
        made = SsmController(
            self._containers.client, self._machine_of, self._backend, outlets, self._clock, self._timeline
        )
        self._closers += [made.close, outlets.close]
        return made

    def _machine_of(self, instance_id: str) -> str:
        machine = self.instances.machine(instance_id)
        return machine.container if machine is not None else ""

    def _machine_up(self, instance: Any, machine: Machine) -> None:
        self.systems_manager.machine_up(instance)

    def _machine_gone(self, instance_id: str, state: str) -> None:
        if self._systems_manager is not None:  # else there is no node that could be gone
            self._systems_manager.machine_gone(instance_id, state)

    def _make_systems_manager(self) -> object:
        from sandbox.aws.services.ssm import SsmService

        return SsmService(self.systems_manager, ACCOUNT_ID)

    def _make_auto_scaling(self) -> object:
        from sandbox.aws.services.autoscaling import AutoScalingService

        return AutoScalingService(self._scaling)
