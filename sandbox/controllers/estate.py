"""What the sandbox has in EC2 of its own before any stack is up: a VPC, subnets, a security group, and interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.aws.account import REGION
from sandbox.aws.backends.embedded import Embedded
from sandbox.clock import RealClock
from sandbox.controllers import stack_file
from sandbox.controllers.ground import Ground
from sandbox.controllers.interfaces import Interfaces
from sandbox.controllers.security_groups import SecurityGroups
from sandbox.controllers.stack_file import StackDefinition
from sandbox.controllers.vpcs import Vpcs
from sandbox.interrupts import held_back
from sandbox.model.security_groups import EVERYTHING
from sandbox.timeline import Timeline


class Estate:
    """Needs little of the sandbox, so that a stack's first interface is made while the rest is still loading.

    Args:
        ground: What the sandbox stands on.
        speed: Divides every AWS timer.
        timeline_file: Where the observations are written as JSON lines.

    Attributes:
        clock, timeline: The sandbox's.
        backend: EC2, and the other services that are not our own.
    """

    def __init__(self, ground: Ground, speed: float, timeline_file: Path | None) -> None:
        self._ground = ground
        self._closing = ExitStack()
        self.clock = RealClock(speed)
        self._closing.callback(self.clock.close)
        self.timeline = Timeline(self.clock, timeline_file)
        self._closing.callback(self.timeline.close)
        self.backend = Embedded()
        self._closing.callback(self.backend.reset)

    @cached_property
    def vpc(self) -> str:
        """The VPC's id; waits for the networks."""
        return self.backend.create_vpc(str(self._ground.network.vpc.cidr))

    @cached_property
    def subnets(self) -> list[str]:
        """The ids of two subnets, in a zone each."""
        blocks = list(self._ground.network.vpc.cidr.subnets(new_prefix=20))[:2]
        return [
            self.backend.create_subnet(self.vpc, str(block), REGION + zone)
            for block, zone in zip(blocks, "ab", strict=True)
        ]

    @cached_property
    def security_group(self) -> str:
        """The id of a security group that lets everything through."""
        return self.backend.create_security_group(self.vpc, "sandbox", "Opens everything", [EVERYTHING])

    @cached_property
    def _vpcs(self) -> Vpcs:
        return Vpcs(self._ground.containers, self._ground.network, self.backend)

    @cached_property
    def security_groups(self) -> SecurityGroups:
        """Looks after what passes the interfaces."""
        return SecurityGroups(self.backend, self._ground.containers, self._vpcs.around, self.timeline)

    @cached_property
    def interfaces(self) -> Interfaces:
        """Makes and removes network interfaces."""
        ground = self._ground
        made = Interfaces(
            ground.containers,
            ground.network,
            self._vpcs,
            ground.images,
            self.backend,
            self.security_groups,
            self.clock,
            self.timeline,
        )
        self._closing.callback(made.close)
        return made

    def known(self, definition: StackDefinition, parameters: Mapping[str, str]) -> dict[str, Any]:
        """What a stack's calls can refer to before the first one.

        Raises:
            SandboxError: As of `StackDefinition.with_parameters`.
        """
        names = {"vpc": self.vpc, "subnets": self.subnets, "security_group": self.security_group, "region": REGION}
        return {**definition.with_parameters(parameters), "sandbox": names}

    def make_ahead(self, definition: StackDefinition, known: Mapping[str, Any]) -> None:
        """Begin to make the interface of the stack's first task: a container takes 0.3 s."""
        for network in stack_file.task_networks(definition, known)[:1]:
            self.interfaces.make_ahead(network)

    def close(self) -> None:
        """Forget everything. A second call does nothing."""
        with held_back():
            self._closing.close()
