"""The two networks of a run: the VPC, and "the internet".

Both are isolated from the outside: the VPC is an internal network, and the internet of the sandbox is not masqueraded,
so no packet of a container gets an answer from another machine. (This machine's own services that listen on all
addresses are within reach, as they are from any container.) Public addresses come from ranges that are never real:
the documentation range TEST-NET-2 (RFC 5737) and the benchmarking range 198.18.0.0/15 (RFC 2544). TEST-NET-3,
203.0.113.0/24, is left alone: build networks that intercept the package registries have been seen to use it.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import docker
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from sandbox.engine import address_claims
from sandbox.engine.run import Run
from sandbox.errors import SandboxError

ROUTER = 2  # offset within the bridge of a container instance
_DEFAULT_GATEWAY = "DefaultGatewayIPv4"  # the engine's bridge driver knows an auxiliary address by this name
_CANDIDATES = 1000  # ranges that are tried; an engine has some thirty networks, and a machine a dozen routes
_NO_MASQUERADE = {"com.docker.network.bridge.enable_ip_masquerade": "false"}


@dataclass(frozen=True)
class Network:
    """A Docker network: its id, name and addresses. The first host address is the gateway's."""

    id: str
    name: str
    cidr: IPv4Network

    def address(self, offset: int) -> str:
        """The address ``offset`` above the network's."""
        return str(self.cidr.network_address + offset)


def create_vpc(client: docker.DockerClient, run: Run) -> Network:
    """The VPC's network, a /16 out of 10.0.0.0/8 that nothing on this machine uses."""
    tens = [IPv4Network(f"10.{second}.0.0/16") for second in range(128, 250)]
    random.shuffle(tens)
    return _create(client, run, "vpc", iter(tens), internal=True)


def create_other_vpc(client: docker.DockerClient, run: Run, what: str, cidr: IPv4Network) -> Network:
    """The network of a VPC whose range somebody has chosen.

    Raises:
        SandboxError: This machine has a route to a part of it, or another network of the engine has it.
    """
    try:
        return _create(client, run, what, iter([cidr]), internal=True, wait=True)
    except SandboxError as error:
        raise SandboxError(
            f"a VPC cannot have {cidr} here: another network on this machine has addresses of it",
            hint="give the VPC another range (`ip route` and `docker network ls` show what is taken)",
        ) from error


def create_internet(client: docker.DockerClient, run: Run) -> Network:
    """The network of public addresses, a /24."""

    def candidates() -> Iterator[IPv4Network]:
        yield IPv4Network("198.51.100.0/24")
        yield from _some_of(IPv4Network("198.18.0.0/15"), 24)

    return _create(client, run, "internet", candidates(), internal=False)


def create_bridge(client: docker.DockerClient, run: Run, what: str) -> Network:
    """The bridge of a container instance, a /24: its containers' default route leads to the address `ROUTER`.

    The engine gives that address to nobody; whoever is to be the router takes it.
    """
    return _create(client, run, what, _some_of(IPv4Network("172.16.0.0/12"), 24), internal=False, router=ROUTER)


def create_outlet(client: docker.DockerClient, run: Run, what: str) -> Network:
    """A network for a container that publishes a port on 127.0.0.1, and gets no answer from another machine."""
    return _create(client, run, what, _some_of(IPv4Network("172.16.0.0/12"), 28), internal=False)


def _some_of(block: IPv4Network, prefix: int) -> Iterator[IPv4Network]:
    """Subnets of a block, in no order. A block can have tens of thousands: only those that are asked for are made."""
    numbers = range(1 << (prefix - block.prefixlen))
    for number in random.sample(numbers, min(len(numbers), _CANDIDATES)):
        yield IPv4Network((int(block.network_address) + (number << (32 - prefix)), prefix))


def _create(
    client: docker.DockerClient,
    run: Run,
    what: str,
    candidates: Iterator[IPv4Network],
    *,
    internal: bool,
    router: int | None = None,
    wait: bool = False,
) -> Network:
    for cidr in candidates:
        # Routes are looked at once nobody else can be about to add one to the range: another engine's network is there.
        with address_claims.claimed(cidr, wait=wait) as is_ours:
            if not is_ours or any(cidr.overlaps(route) for route in host_routes()):
                continue
            pool = IPAMPool(
                subnet=str(cidr),
                gateway=str(cidr.network_address + 1),
                aux_addresses={_DEFAULT_GATEWAY: str(cidr.network_address + router)} if router else None,
            )
            try:
                created = client.api.create_network(
                    run.name(what),
                    driver="bridge",
                    internal=internal,
                    options={} if internal else _NO_MASQUERADE,
                    labels=run.labels,
                    ipam=IPAMConfig(pool_configs=[pool]),
                )
            except APIError as error:
                if "overlap" in str(error).lower():  # another run, or another program's network, has it
                    continue
                raise
            return Network(created["Id"], run.name(what), cidr)
    raise SandboxError(
        f"no free address range is left for the {what} network",
        hint="run `sandbox down` to remove what dead runs left, or `docker network prune`",
    )


def host_routes() -> list[IPv4Network]:
    """The networks that this machine has a route to, the default route excepted (none where there is no /proc)."""
    try:
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return []
    routes = []
    for line in lines:
        fields = line.split()
        destination, mask = (socket.inet_ntoa(struct.pack("<I", int(fields[i], 16))) for i in (1, 7))
        if IPv4Address(mask) != IPv4Address(0):
            routes.append(IPv4Network(f"{destination}/{mask}", strict=False))
    return routes
