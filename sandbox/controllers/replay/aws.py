"""AWS for a replayed function: an endpoint whose ECS and EC2 show what they showed at the moment of the replay."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.backends.network_interfaces import Interface as Entered
from sandbox.aws.backends.zones import hosted_zones, put_hosted_zones
from sandbox.aws.clients import Clients, without_configuration
from sandbox.aws.gateway import ApiCall, Gateway
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.ecs_shown import ShownEcs
from sandbox.aws.services.route53 import Route53Service
from sandbox.controllers import process
from sandbox.controllers.dns import DnsController
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import Interface
from sandbox.model.replay.state import State
from sandbox.model.replay.world import AddressShown, Change, Fact, InterfaceGone, InterfaceShown, World
from sandbox.model.route53 import HostedZone
from sandbox.timeline import Observation, Timeline

_READS = (
    "Describe",
    "List",
    "Get",
    "Head",
    "BatchGet",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Lookup",
    "Test",
    "Simulate",
)


class ReplayedAws:
    """The endpoint and the state behind it. `reset` comes first, also before the first run.

    Args:
        facts: What ECS and EC2 show, and from when on.
        zones: Route 53's hosted zones before the first event.
        region: Where the events come from.
        timeline: Gets ``dns.change`` for each change of a record set; it is kept short.

    Attributes:
        world: ECS and EC2 at the moment.
        environment: What a function needs to reach the endpoint.

    Raises:
        SandboxError: The process has a sandbox or a replay already.
    """

    def __init__(self, facts: Sequence[Fact], zones: Sequence[HostedZone], region: str, timeline: Timeline) -> None:
        self._subnets = _subnets(facts)
        self._closers: list[Callable[[], object]] = [process.claim()]
        self._facts = facts
        self._initial_zones = zones
        self._region = region
        self._lock = threading.RLock()
        self._changed: list[str] = []
        self._touched: set[str] = set()
        self._moving: Callable[[], float] | None = None
        self.world = World(facts)
        self.ecs = ShownEcs(self.world)
        try:
            self._closers.append(without_configuration())
            self._backend = Embedded(region=region)
            self._closers.append(self._backend.reset)
            self._loading = self._backend.preload("route53", "ec2")
            self._dns = DnsController(hosted_zones, timeline)
            self._closers.append(timeline.subscribe(self._observed))
            route53 = Route53Service(self._backend.zones)
            gateway = Gateway([self.ecs, route53], self._backend, before_call=self._go_on, on_call=self._called)
            self._closers.append(gateway.close)
            gateway.start()
            self.endpoint_url = gateway.url
            self.environment = Clients(gateway.url, region).environment()
        except BaseException:
            self.close()
            raise

    def reset(self) -> None:
        """Everything as it was before the first event."""
        self._loading.join()
        with self._lock:
            if self._touched - {"route53"} or not self._touched:
                self._backend.reset()
                self._make_subnets()
            else:  # moto takes a fifth of a second to make EC2 anew
                for interface_id in self.world.interfaces:
                    self._backend.delete_interface(interface_id)
            self._backend.zones.forget()  # a function may use a caller reference again in each replay
            put_hosted_zones(self._initial_zones)
            self._touched = {"route53"}
            self.world = World(self._facts)
            self.ecs.ecs = self.world
            self._dns.refresh()
            self._changed = []

    def advance(self, to: float) -> None:
        """Let everything happen up to a moment."""
        with self._lock:
            for change in self.world.advance(to):
                self._enter(change)

    def moving(self, now: Callable[[], float] | None) -> None:
        """While a function runs: the moment that each of its calls comes at; None afterwards."""
        self._moving = now

    def take_changes(self) -> list[str]:
        """What calls have changed since the last time, in words and in order."""
        with self._lock:
            changes, self._changed = self._changed, []
            return changes

    def state(self, at: float, lost: Sequence[str], *, is_end: bool = False) -> State:
        """What an invariant looks at."""
        with self._lock:
            world = self.world
            return State(
                at,
                self._dns.hosted_zones,
                tuple(world.tasks.values()),
                tuple(world.services.values()),
                {interface.id: interface.private_ip for interface in world.interfaces.values()},
                dict(world.public_ips),
                dict(world.running),
                tuple(lost),
                is_end,
            )

    def close(self) -> None:
        """Stop listening and forget everything."""
        while self._closers:
            self._closers.pop()()

    # -- calls of the function --

    def _go_on(self) -> None:
        """A function that waits sees AWS go on meanwhile."""
        moving = self._moving
        if moving is not None:
            now = moving()
            if self.world.is_due(now):
                self.advance(now)

    def _called(self, call: ApiCall) -> None:
        if call.method in {"GET", "HEAD"} or (call.operation or "").startswith(_READS):
            return
        with self._lock:
            self._touched.add(call.service)
            if call.service == "route53":
                before = len(self._changed)
                self._dns.refresh()
                if len(self._changed) > before or "/rrset" in call.path:
                    return  # told by record sets, or an UPSERT of what was there already
            self._changed.append(f"{call.service} {call.operation or f'{call.method} {call.path}'}")

    def _observed(self, seen: Observation) -> None:
        if seen.kind == "dns.change":
            old, new = (", ".join(values) if values else "none" for values in (seen["old"], seen["new"]))
            self._changed.append(f"{seen['name']} {seen['type']}: {old} -> {new}")

    # -- EC2 --

    def _make_subnets(self) -> None:
        """A VPC for each subnet: their ranges are not known, and those of two must not overlap in one."""
        zone = f"{self._region}a"
        for subnet_id, block in self._subnets.items():
            self._backend.create_subnet(self._backend.create_vpc(str(block)), str(block), zone, subnet_id=subnet_id)

    def _enter(self, change: Change) -> None:
        match change:
            case InterfaceShown(interface, description):
                self._backend.enter_interface(_entered(interface), (), description)
            case AddressShown(interface_id, public_ip):
                if interface_id in self.world.interfaces:
                    self._backend.assign_public_ip(interface_id, public_ip)
            case InterfaceGone(interface_id):
                try:
                    self._backend.delete_interface(interface_id)
                except AwsError:
                    return  # the function has deleted it itself


def _entered(interface: Interface) -> Any:
    return Entered(
        interface.id,
        interface.private_ip,
        interface.mac_address,
        interface.private_dns_name,
        interface.subnet_id,
        interface.availability_zone,
    )


def _subnets(facts: Sequence[Fact]) -> dict[str, ipaddress.IPv4Network]:
    """The subnets of all interfaces, each with a block that its interfaces' addresses are in."""
    made: dict[str, ipaddress.IPv4Network] = {}
    for fact in facts:
        if not isinstance(fact.change, InterfaceShown):
            continue
        interface = fact.change.interface
        try:
            block = ipaddress.IPv4Network(f"{interface.private_ip}/16", strict=False)
        except ValueError as error:
            raise SandboxError(f"interface {interface.id}: {interface.private_ip} is no IPv4 address") from error
        if made.setdefault(interface.subnet_id, block) != block:
            raise SandboxError(
                f"{interface.subnet_id} cannot have both {block} and {made[interface.subnet_id]}",
                hint="a subnet is within one block of 65,536 addresses: are events of two accounts mixed?",
            )
    return made
