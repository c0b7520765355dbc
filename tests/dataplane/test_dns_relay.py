"""The relay proper: a container on a network, which is the resolver of another container."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import docker
import pytest

from sandbox.dataplane.dns import DnsServer
from sandbox.engine.containers import Containers, Spec
from sandbox.model.route53 import HostedZone, RecordSet, Zones, answer

pytestmark = pytest.mark.docker

RELAY = (
    "socat UDP4-RECVFROM:53,fork,reuseaddr UNIX-CONNECT:/run/sandbox/dns-udp.sock,type=5 & "
    "socat TCP4-LISTEN:53,fork,reuseaddr UNIX-CONNECT:/run/sandbox/dns-tcp.sock & wait"
)
ZONES = Zones(
    [
        HostedZone(
            "Z1",
            "example.com",
            False,
            (
                RecordSet("www.example.com", "A", 60, ("192.0.2.1",)),
                RecordSet("many.example.com", "A", 60, tuple(f"198.51.100.{n}" for n in range(200))),
            ),
        )
    ]
)


def test_container_resolves_through_the_relay(
    containers: Containers, tmp_path: Path, image: Callable[[str], str]
) -> None:
    rng = Random(0)
    sockets = (tmp_path / "dns-udp.sock", tmp_path / "dns-tcp.sock")
    with DnsServer(lambda name, type: answer(ZONES, name, type, rng), sockets=sockets):
        mount = docker.types.Mount("/run/sandbox", str(tmp_path), type="bind")
        relay = containers.run_new(Spec("relay", image("toolbox"), command=["sh", "-c", RELAY], mounts=[mount]))
        # The relay is its own resolver here: the loopback is inside its network namespace.
        resolver = "echo nameserver 127.0.0.1 > /etc/resolv.conf; until getent ahostsv4 www.example.com; do :; done"
        code, output, errors = containers.execute(relay, ["timeout", "10", "sh", "-c", resolver])
        assert (code, output.split()[0]) == (0, "192.0.2.1"), errors
        code, output, errors = containers.execute(relay, ["getent", "ahostsv4", "many.example.com"])
        assert code == 0, errors
        assert len({line.split()[0] for line in output.splitlines()}) == 200, "whole only over TCP"
        code, _, _ = containers.execute(relay, ["getent", "hosts", "s3.us-east-1.amazonaws.com"])
        assert code == 2, "nothing outside the sandbox resolves"
