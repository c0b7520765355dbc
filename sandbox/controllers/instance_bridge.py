"""The bridge of a container instance: what docker0 is on EC2, with the ports that lead from the instance into it.

Containers in bridge mode have addresses of their own on a network of the engine. Its router is the container that owns
the instance's network namespace: it forwards what they send, with the instance's address as the sender's, and what
comes in at a host port of the instance to the container that has it (nftables in that namespace, the same as Docker's
own rules on an instance). So a bridge container reaches the VPC, its DNS server and the AWS endpoint, and is reached
at the instance's address alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from sandbox.engine.containers import Containers
from sandbox.engine.networks import ROUTER, Network
from sandbox.errors import SandboxError
from sandbox.model.ecs.ports import Binding

INSTANCE = 3  # offset of the address that the engine gives the instance's own container
_FIRST, _LAST = 4, 254

_TABLE = """\
table ip docker {{
  map tcp_ports {{
    type inet_service : ipv4_addr . inet_service
  }}
  map udp_ports {{
    type inet_service : ipv4_addr . inet_service
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat
    fib daddr type local dnat ip to tcp dport map @tcp_ports
    fib daddr type local dnat ip to udp dport map @udp_ports
  }}
  chain output {{
    type nat hook output priority -100
    fib daddr type local dnat ip to tcp dport map @tcp_ports
    fib daddr type local dnat ip to udp dport map @udp_ports
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    ip saddr {bridge} ip daddr != {bridge} masquerade
    ip saddr {bridge} ip daddr {bridge} ct status dnat masquerade
  }}
}}
"""

# The engine has made the router's address the default route of its own container as well.
_ROUTER = """\
set -e
device=$(ip -o -4 addr show to {instance} | awk '{{print $2}}')
ip addr add {router}/{bits} dev $device
ip route del default via {router} || true
nft -f - <<'END'
{table}END
"""


@dataclass
class InstanceBridge:
    """The bridge of one instance. Safe to use from several threads.

    Args:
        containers: The run's.
        network: The engine's network.
        owner: The container that owns the instance's network namespace.
    """

    containers: Containers
    network: Network
    owner: str
    _used: set[int] = field(default_factory=set)
    _next: int = _FIRST
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set_up(self) -> None:
        """Make the owner the router.

        Raises:
            SandboxError: It could not be.
        """
        cidr = self.network.cidr
        self._in_owner(
            _ROUTER.format(
                instance=self.network.address(INSTANCE),
                router=self.network.address(ROUTER),
                bits=cidr.prefixlen,
                table=_TABLE.format(bridge=cidr),
            )
        )

    def take(self) -> str:
        """An address that no container has; the one after that given last.

        Raises:
            SandboxError: All are taken.
        """
        with self._lock:
            for offset in (*range(self._next, _LAST + 1), *range(_FIRST, self._next)):
                if offset not in self._used:
                    self._used.add(offset)
                    self._next = offset + 1
                    return self.network.address(offset)
        raise SandboxError("all addresses of the instance's bridge are taken", hint="stop some tasks")

    def give_back(self, address: str) -> None:
        """The address is free again."""
        with self._lock:
            self._used.discard(int(IPv4Address(address)) - int(self.network.cidr.network_address))

    def publish(self, address: str, bindings: Sequence[Binding]) -> None:
        """Let host ports of the instance lead to a container.

        Raises:
            SandboxError: The rules were refused.
        """
        if bindings:
            self._in_owner("\n".join(f"nft add element {_element(one, address)}" for one in bindings))

    def close(self, address: str, bindings: Sequence[Binding]) -> None:
        """Let them lead nowhere again.

        Raises:
            SandboxError: The rules were refused.
        """
        if bindings:
            self._in_owner("\n".join(f"nft delete element {_element(one, address)}" for one in bindings))

    def _in_owner(self, script: str) -> None:
        code, _, said = self.containers.execute(self.owner, ["sh", "-ec", script])
        if code:
            raise SandboxError("the bridge of a container instance could not be changed", state=said.strip())


def _element(binding: Binding, address: str) -> str:
    there = f"{address} . {binding.container_port}"
    return f"ip docker {binding.protocol}_ports '{{ {binding.host_port} : {there} }}'"
