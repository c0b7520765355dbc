"""EC2's instances that have something to do here, as containers that own a network namespace.

Those are container instances, whose user data names a cluster, and instances with an instance profile, which Systems
Manager may manage.

An instance has the address that EC2 gives it in the VPC. Whatever EC2's API (or Auto Scaling) does to instances is seen
after the call: one that runs gets its container and registers with ECS, as its agent would; one that is stopped or
terminated takes its tasks along. One with a profile has a machine, too (`sandbox.controllers.instance_machine`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Protocol

from docker.errors import APIError

from sandbox.controllers.ecs import EcsController
from sandbox.controllers.instance_bridge import INSTANCE, InstanceBridge
from sandbox.controllers.instance_machine import Machine, Machines
from sandbox.controllers.interfaces import Eni, Interfaces
from sandbox.engine import networks
from sandbox.engine.containers import Containers
from sandbox.errors import SandboxError, log_failure
from sandbox.model.ecs import agent_config
from sandbox.model.ecs.agent_config import AgentConfiguration
from sandbox.model.ecs.container_instance import Launched
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.timeline import Timeline

log = logging.getLogger(__name__)

LABEL_INSTANCE = "aws-container-sandbox.instance"

_OVER = frozenset({"stopped", "terminated"})
_WITHOUT_AGENT = "without an agent of ECS"


class Ec2(Protocol):
    """EC2's records of instances."""

    def instances(self) -> list[Any]:
        """All of them, see `sandbox.aws.backends.embedded.Ec2Instance`."""

    def is_ecs_optimized(self, image_id: str) -> bool:
        """Whether the agent of the AMI starts by itself."""

    def show_instance_address(self, interface_id: str, ip: str) -> None:
        """Show a public address ("": none yet)."""


@dataclass
class InstanceHost:
    """What an instance has on this machine.

    Attributes:
        eni: Its network interface.
        bridge: That of its containers in bridge mode.
        machine: Where its own processes run (None: it has no instance profile).
        waits: What ECS is told as soon as there is its cluster: the cluster and the instance.
    """

    eni: Eni
    bridge: InstanceBridge
    machine: Machine | None = None
    waits: tuple[str, Launched] | None = None


class ContainerInstances:
    """Follows EC2.

    Args:
        ecs: Where instances register.
        ec2: EC2's records.
        interfaces: Makes the containers that own the namespaces.
        containers: The run's.
        vpc: The VPC's addresses.
        machines: Makes what instances with a profile have.
        timeline: Gets ``instance.launched`` and ``instance.failed``.

    Attributes:
        machine_up: Told of each instance whose machine runs, which its agent is to register.
        machine_gone: Told of each instance that is stopped or terminated, and which of them it is.
        settled: Called when an instance has got all that it is to have.
    """

    def __init__(
        self,
        ecs: EcsController,
        ec2: Ec2,
        interfaces: Interfaces,
        containers: Containers,
        vpc: IPv4Network,
        machines: Machines,
        timeline: Timeline,
    ) -> None:
        self.machine_up: Callable[[Any, Machine], None] = lambda instance, machine: None
        self.machine_gone: Callable[[str, str], None] = lambda instance_id, state: None
        self.settled: Callable[[], None] = lambda: None
        self._making: set[str] = set()
        self._looked_at: set[str] = set()
        self._unmade: set[str] = set()
        self._machines = machines
        self._ecs = ecs
        self._ec2 = ec2
        self._interfaces = interfaces
        self._containers = containers
        self._vpc = vpc
        self._timeline = timeline
        self._lock = threading.RLock()
        self._seen: dict[str, str] = {}
        self._hosts: dict[str, InstanceHost] = {}
        self._volumes: dict[str, set[str]] = {}
        self._work: dict[str, Future[None]] = {}
        self._work_lock = threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="instances")

    def host(self, ec2_instance_id: str) -> InstanceHost:
        """What a registered instance has on this machine."""
        return self._hosts[ec2_instance_id]

    def volume(self, ec2_instance_id: str, what: str) -> str:
        """A volume of an instance, made at the first call; it goes with the instance."""
        name = self._containers.create_volume(f"{ec2_instance_id}-{what}")
        with self._lock:
            self._volumes.setdefault(ec2_instance_id, set()).add(name)
        return name

    def machine(self, ec2_instance_id: str) -> Machine | None:
        """The machine of an instance that runs and has one."""
        host = self._hosts.get(ec2_instance_id)
        return host.machine if host is not None else None

    def is_settled(self, ec2_instance_id: str) -> bool:
        """Whether an instance has been seen here, and nothing of it is being made, or could not be."""
        return ec2_instance_id in self._looked_at and ec2_instance_id not in self._making

    def refresh(self) -> None:
        """See what has changed in EC2."""
        with self._lock:
            for instance in self._ec2.instances():
                seen = self._seen.get(instance.id)
                host = self._hosts.get(instance.id)
                if seen == instance.state:
                    if host is not None and instance.state == "running":
                        self._see_host(instance, host)
                elif seen == _WITHOUT_AGENT and not instance.role:
                    continue
                elif instance.state == "running" and host is None:
                    self._begin(instance)
                    self._looked_at.add(instance.id)
                elif instance.state in _OVER and seen not in {None, _WITHOUT_AGENT}:
                    self._seen[instance.id] = instance.state
                    self.machine_gone(instance.id, instance.state)
                    self._ecs.lose_instance(instance.id, instance.state)

    def _see_host(self, instance: Any, host: InstanceHost) -> None:
        """A cluster that an instance has waited for, or a profile that it has got, or its role something more."""
        self._register(host)
        if host.machine is not None:
            self.machine_up(instance, host.machine)
        elif instance.role:
            self._later(instance.id, lambda: self._add_machine(instance, host))

    def drop(self, ec2_instance_id: str) -> None:
        """Remove what a lost instance has on this machine, when nothing runs on it any more."""
        self._later(ec2_instance_id, lambda: self._drop(ec2_instance_id))

    def close(self) -> None:
        """Wait until nothing more is being made. What there is goes with the run's containers."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        for host in self._hosts.values():
            if host.machine is not None:
                host.machine.engine.close()

    def _begin(self, instance: Any) -> None:
        agent = agent_config.parse(instance.user_data)
        cluster = agent.cluster
        if not cluster and self._ec2.is_ecs_optimized(instance.image_id):
            cluster = "default"
        if not cluster and not instance.role:
            self._seen[instance.id] = _WITHOUT_AGENT
            return
        if not instance.role and not self._ecs.read(lambda ecs: _has_cluster(ecs, cluster)):
            return  # its agent tries again: so do we, at the next change
        self._seen[instance.id] = instance.state
        if instance.is_public:  # what moto has drawn is no address of the sandbox's internet
            self._ec2.show_instance_address(instance.interface.id, "")
        self._making.add(instance.id)
        self._later(instance.id, lambda: self._launch_and_tell(instance, cluster, agent))

    def _later(self, ec2_instance_id: str, work: Callable[[], None]) -> None:
        """One after another for each instance."""
        # Not the lock of `refresh`: that one is held while ECS's is taken, and ECS calls `drop` under its own.
        with self._work_lock, contextlib.suppress(RuntimeError):  # what a pool says that has been shut down
            before = self._work.get(ec2_instance_id)

            def wait_and_work() -> None:
                if before is not None:
                    wait([before])
                self._guarded(work)

            self._work[ec2_instance_id] = self._pool.submit(wait_and_work)

    def _guarded(self, work: Callable[[], None]) -> None:
        """What nobody foresaw must be heard: everyone who waits gets it."""
        try:
            work()
        except Exception as error:
            if self._closed:
                return
            log_failure(log, error, "a container instance could not be made or removed")
            self._timeline.abort(SandboxError("a container instance failed", state=f"{type(error).__name__}: {error}"))

    def _launch_and_tell(self, instance: Any, cluster: str, agent: AgentConfiguration) -> None:
        try:
            self._launch(instance, cluster, agent)
        finally:
            if instance.id not in self._unmade:
                self._making.discard(instance.id)
        self.settled()

    def _launch(self, instance: Any, cluster: str, agent: AgentConfiguration) -> None:
        try:
            host = self._make(instance)
        except SandboxError as error:
            self._failed(instance.id, error)
            return
        with self._lock:
            self._hosts[instance.id] = host
            self._timeline.record(
                "instance.launched",
                instance=instance.id,
                type=instance.type.get("InstanceType", ""),
                address=instance.interface.private_ip,
                cluster=cluster,
                agent_settings_left_out=list(agent.left_out),
            )
            if self._seen[instance.id] != "running":  # it was stopped while its container was made
                self.drop(instance.id)
                return
            if cluster:
                host.waits = (cluster, _launched(instance, agent))
                self._register(host)
        if instance.role:
            self._add_machine(instance, host)

    def _register(self, host: InstanceHost) -> None:
        if host.waits is None:
            return
        cluster, launched = host.waits
        if self._ecs.read(lambda ecs: _has_cluster(ecs, cluster)):
            host.waits = None
            with contextlib.suppress(EcsError):  # the cluster has been deleted meanwhile
                self._ecs.register_instance(cluster, launched)

    def _add_machine(self, instance: Any, host: InstanceHost) -> None:
        if host.machine is not None or self._hosts.get(instance.id) is not host:
            return
        try:
            machine = self._machines.make(instance.id, host.eni)
        except SandboxError as error:
            self._failed(instance.id, error)
            return
        host.machine = machine
        with self._lock:
            if self._seen.get(instance.id) == "running":
                self.machine_up(instance, machine)
                boot = partial(self._machines.boot, instance.id, machine, instance.user_data)
                # Not of the pool, whose work is waited for: a script may never end, and ends with its container.
                threading.Thread(
                    target=self._guarded, args=(boot,), name=f"user-data-{instance.id}", daemon=True
                ).start()

    def _failed(self, instance_id: str, error: SandboxError) -> None:
        self._unmade.add(instance_id)
        self._timeline.record(
            "instance.failed", instance=instance_id, reason=error.message, state=error.state, hint=error.hint
        )

    def _make(self, instance: Any) -> InstanceHost:
        interface = instance.interface
        if IPv4Address(interface.private_ip) not in self._vpc:
            raise SandboxError(
                "the instance is not in the sandbox's VPC",
                state=f"it has {interface.private_ip} in {interface.subnet_id}",
                hint="give RunInstances a SubnetId of the sandbox (`${sandbox.subnets.0}` in a stack.yaml)",
            )
        network = networks.create_bridge(self._containers.client, self._containers.run, f"bridge-{instance.id}")
        labels: Mapping[str, str] = {LABEL_INSTANCE: instance.id}
        try:
            eni = self._interfaces.own(
                interface, labels, (network.id, network.address(INSTANCE)), public=instance.is_public
            )
        except SandboxError:
            self._remove_network(network.id)
            raise
        bridge = InstanceBridge(self._containers, network, eni.container)
        try:
            bridge.set_up()
            if eni.public_ip:
                self._ec2.show_instance_address(interface.id, eni.public_ip)
        except SandboxError:
            self._interfaces.remove(eni)
            self._remove_network(network.id)
            raise
        return InstanceHost(eni, bridge)

    def _drop(self, ec2_instance_id: str) -> None:
        with self._lock:
            host = self._hosts.pop(ec2_instance_id, None)
            volumes = set()
            if self._seen.get(ec2_instance_id) == "terminated":
                volumes = self._volumes.pop(ec2_instance_id, set())
        if host is not None:
            if host.machine is not None:
                self._machines.remove(host.machine)
            self._interfaces.remove(host.eni)
            self._remove_network(host.bridge.network.id)
        for name in volumes:
            self._containers.remove_volume(name)
        self._timeline.record("instance.dropped", instance=ec2_instance_id)
        self.refresh()  # it may have been started again meanwhile

    def _remove_network(self, network_id: str) -> None:
        try:
            self._containers.client.api.remove_network(network_id)
        except APIError as error:
            # A container of a task that was deregistered by force is still leaving: it goes with the run.
            self._timeline.record("instance.failed", instance="", reason=str(error), state="", hint="")


def _has_cluster(ecs: Ecs, name: str) -> bool:
    """Whether there is the cluster; its agent makes the one called default."""
    try:
        ecs.find_cluster(name)
    except EcsError:
        if name != "default":
            return False
        ecs.create_cluster({"clusterName": name})
    return True


def _launched(instance: Any, agent: AgentConfiguration) -> Launched:
    interface = instance.interface
    return Launched(
        instance.id,
        InstanceType.of(instance.type),
        instance.image_id,
        instance.vpc_id,
        interface.subnet_id,
        interface.availability_zone,
        interface.private_ip,
        agent.attributes,
        agent.reserved_memory,
    )
