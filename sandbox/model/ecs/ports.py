"""Ports of a container instance that its tasks have (networkBindings).

Rules: API reference "PortMapping": with no host port, or 0, a port of the ephemeral range of the instance is taken. The
range is /proc/sys/net/ipv4/ip_local_port_range, 32768 to 60999 on Linux; the page's 49153 to 65535 is for systems that
do not have that file. 22, 2375, 2376 and 51678 to 51680 are reserved, and an instance has 100 reserved ports at most,
those that are given automatically not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sandbox.model.ecs.taskdef import Port, TaskDefinition

EPHEMERAL = range(32768, 61000)
RESERVED = (22, 2376, 2375, 51678, 51679, 51680)
MAX_RESERVED = 100


@dataclass(frozen=True)
class Binding:
    """A port of a container, and that of its instance which leads to it."""

    protocol: str
    container_port: int
    host_port: int

    def describe(self) -> dict[str, Any]:
        """As DescribeTasks shows it (API reference "NetworkBinding")."""
        return {
            "bindIP": "0.0.0.0",
            "containerPort": self.container_port,
            "hostPort": self.host_port,
            "protocol": self.protocol,
        }


def bind(definition: TaskDefinition, taken: Collection[Port], start: int) -> Mapping[str, tuple[Binding, ...]]:
    """The bindings of each container of a task that an instance has been found for.

    Args:
        definition: The task's.
        taken: What other tasks on the instance have.
        start: The ephemeral port to begin at; after the last one the first follows.
    """
    if definition.network_mode not in {"bridge", "host"}:
        return {}
    used = {*taken, *definition.static_ports, *(("tcp", port) for port in RESERVED)}
    bindings: dict[str, tuple[Binding, ...]] = {}
    for container in definition.containers:
        own = []
        for mapping in container.raw["portMappings"]:
            protocol, host_port = mapping["protocol"], int(mapping["hostPort"])
            if not host_port:
                ports = chain(range(start, EPHEMERAL.stop), EPHEMERAL)
                host_port = next(port for port in ports if (protocol, port) not in used)
                used.add((protocol, host_port))
            own.append(Binding(protocol, int(mapping["containerPort"]), host_port))
        if own:
            bindings[container.name] = tuple(own)
    return bindings
