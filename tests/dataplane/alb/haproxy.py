"""HAProxy as a load balancer has it, alone, on an address of Docker's bridge."""

from __future__ import annotations

import base64
import http.client
import time
from pathlib import Path

from docker.types import Mount

from sandbox.dataplane.alb.config import FOLDER, Policies, Server, files
from sandbox.dataplane.alb.runtime import Runtime
from sandbox.engine.containers import Containers, Spec
from sandbox.model.elb.config import FixedResponse, Listener, LoadBalancer, Rule, TargetGroup
from sandbox.model.elb.routing import Request
from sandbox.model.elb.target import Target

PATIENCE = 10.0
GROUPS = [TargetGroup(f"arn:group-{n}", f"group-{n}", "HTTP", 8000 + n, "ip", "vpc-1") for n in range(3)]
"""Each has one target, which answers with the group's name."""


class HAProxy:
    """Runs until the run's containers are removed.

    Args:
        containers: The run's.
        image: HAProxy's.
        folder: For its configuration and sockets.
        certificate: The chain and the key of every certificate, PEM.
        policies: The security policies.
    """

    def __init__(
        self, containers: Containers, image: str, folder: Path, certificate: tuple[str, str], policies: Policies
    ) -> None:
        self._folder = folder
        self._certificate = certificate
        self._policies = policies
        run = folder / "run"
        run.mkdir()
        folder.chmod(0o755)
        run.chmod(0o777)
        self._runtime = Runtime(run / "admin.sock", run / "master.sock")
        self._write(())
        network = containers.client.networks.get("bridge").id
        made = containers.run_new(
            Spec(
                "alb-alone",
                image,
                entrypoint=["haproxy"],
                command=["-W", "-db", "-S", f"{FOLDER}/run/master.sock,mode,666", "-f", f"{FOLDER}/haproxy.cfg"],
                networks=[(network, None)],
                mounts=[
                    Mount(FOLDER, str(folder), type="bind", read_only=True),
                    Mount(f"{FOLDER}/run", str(run), type="bind"),
                ],
            )
        )
        state = containers.client.api.inspect_container(made)
        self.address = state["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        self._runtime.await_up(time.monotonic() + PATIENCE, lambda: True)

    def serve(self, *listeners: Listener) -> None:
        """Have these listeners, beside the targets."""
        self._write(listeners)
        self._runtime.reload()

    def _write(self, listeners: tuple[Listener, ...]) -> None:
        # The targets are listeners themselves.
        targets = tuple(
            Listener(group.arn, group.port, "HTTP", (Rule("r", None, (), FixedResponse(200, "", group.name)),))
            for group in GROUPS
        )
        balancer = LoadBalancer(
            arn="arn:balancer",
            name="alone",
            dns_name="alone.elb.amazonaws.com",
            scheme="internal",
            vpc_id="vpc-1",
            subnets=(),
            security_groups=(),
            listeners=(*targets, *listeners),
            groups={group.arn: group for group in GROUPS},
        )
        servers = {one.arn: [Server(Target("127.0.0.1", one.port), f"127.0.0.1:{one.port}", 1)] for one in GROUPS}
        key = base64.b64encode(b"0123456789abcdef").decode()
        for name, text in files(balancer, servers, lambda arn: self._certificate, self._policies, key=key).items():
            (self._folder / name).write_text(text, newline="")

    def connect(self, port: int = 80) -> http.client.HTTPConnection:
        """A client's connection."""
        return http.client.HTTPConnection(self.address, port, timeout=PATIENCE)


def ask(connection: http.client.HTTPConnection, request: Request) -> tuple[int, str, str | None]:
    """The answer to a request: status, body and Location."""
    target = request.path + (f"?{request.query}" if request.query else "")
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", request.host)
    for name, value in request.headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers["Location"]
