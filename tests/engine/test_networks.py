from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from sandbox.engine import daemon, networks, sweep
from sandbox.engine.run import Run

pytestmark = pytest.mark.docker


@pytest.fixture
def engine():
    client = daemon.connect()
    begun: list[Run] = []

    def begin() -> Run:
        begun.append(Run.begin())
        return begun[-1]

    yield client, begin
    for run in begun:
        sweep.remove_run(client, run.id)
        run.end()
    client.close()


def test_runs_side_by_side_get_networks_that_do_not_overlap(engine):
    client, begin = engine
    made = []
    for run in (begin(), begin(), begin()):
        made += [networks.create_vpc(client, run).cidr, networks.create_internet(client, run).cidr]
    assert not any(a.overlaps(b) for i, a in enumerate(made) for b in made[i + 1 :])


def test_networks_avoid_what_this_machine_routes_to(engine):
    client, begin = engine
    first = networks.create_internet(client, begin())
    assert first.cidr in networks.host_routes()


def test_the_vpc_is_internal_and_the_internet_is_not_masqueraded(engine):
    client, begin = engine
    run = begin()
    vpc = client.api.inspect_network(networks.create_vpc(client, run).id)
    internet = client.api.inspect_network(networks.create_internet(client, run).id)
    assert vpc["Internal"]
    assert internet["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    assert vpc["IPAM"]["Config"][0]["Gateway"].endswith(".0.1")


def test_public_addresses_are_never_real(engine):
    client, begin = engine
    cidr = networks.create_internet(client, begin()).cidr
    reserved = (IPv4Network("198.51.100.0/24"), IPv4Network("198.18.0.0/15"))
    assert any(cidr.subnet_of(never_real) for never_real in reserved)


def test_the_default_route_on_an_instance_s_bridge_is_the_router_that_nobody_else_is(engine):
    client, begin = engine
    run = begin()
    bridge = networks.create_bridge(client, run, "bridge-i-1")
    shown = client.api.inspect_network(bridge.id)
    router = bridge.address(networks.ROUTER)
    assert shown["IPAM"]["Config"][0]["AuxiliaryAddresses"] == {"DefaultGatewayIPv4": router}
    assert shown["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    assert bridge.cidr.subnet_of(IPv4Network("172.16.0.0/12"))
