"""One Application Load Balancer: a network interface of its own, and HAProxy in its namespace.

Observations:

- ``alb.response`` (balancer, method, url, status, target, target_status, reason): what a client got, the first time and
  whenever the status of that URL, or who made it, is another than before; and every error that the load balancer made
  itself, up to bounds (`answers.Noted`) that begin anew when the load balancer, or which targets get requests, changes.
  ``target`` is "" and ``target_status`` None where no target answered; ``reason`` says why one did not.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.types import Mount

from sandbox.controllers.interfaces import Eni, ImageSource, Interfaces
from sandbox.dataplane.alb import answers
from sandbox.dataplane.alb.config import (
    FOLDER,
    Policies,
    Server,
    backend_name,
    files,
    map_file,
    server_name,
    server_options,
)
from sandbox.dataplane.alb.runtime import Runtime
from sandbox.engine.containers import Containers, Spec
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import Network
from sandbox.model.elb.config import LoadBalancer, TargetGroup
from sandbox.model.elb.target import Target

_UP_WITHIN = 30.0


@dataclass(frozen=True)
class Surroundings:
    """What load balancers are made with.

    Attributes:
        containers: The run's.
        images: Where images come from.
        interfaces: Makes network interfaces.
        folder: For configurations and sockets.
        certificate: The chain and the key of a certificate, PEM, by its ARN.
        policies: The security policies.
        speed: Divides every time of AWS's.
        record: Gets the observations.
    """

    containers: Containers
    images: ImageSource
    interfaces: Interfaces
    folder: Path
    certificate: Callable[[str], tuple[str, str]]
    policies: Policies
    speed: float
    record: Callable[..., object]


class Balancer:
    """Serves a load balancer from its first `serve` until `close`.

    Args:
        balancer: As it is at first.
        where: Its surroundings.
    """

    def __init__(self, balancer: LoadBalancer, where: Surroundings) -> None:
        self._name = balancer.name
        self._id = balancer.arn.rsplit("/", 1)[-1]
        self._where = where
        self._folder = where.folder / f"alb-{self._id}"
        self._key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._runtime = Runtime(self._folder / "run" / "admin.sock", self._folder / "run" / "master.sock")
        self._eni: Eni | None = None
        self._groups: tuple[str, ...] = ()  # its security groups
        self._haproxy = ""
        self._log: socket.socket | None = None
        self._noted = answers.Noted()
        self._cut: set[tuple[str, str]] = set()
        self._changing = threading.Lock()  # servers come and go one after the other

    @property
    def address(self) -> str:
        """Where clients connect: the public address, or the private one of an internal load balancer."""
        if self._eni is None:
            return ""
        return self._eni.public_ip or str(self._eni.record.private_ip)

    @property
    def private_address(self) -> str:
        """In the VPC."""
        return str(self._eni.record.private_ip) if self._eni else ""

    @property
    def interface(self) -> str:
        """The container that owns its network namespace ("" before it serves)."""
        return self._eni.container if self._eni else ""

    @property
    def checks(self) -> Path:
        """A socket from which the PROXY protocol leads to where a health check goes."""
        return self._folder / "run" / "checks.sock"

    def serve(self, balancer: LoadBalancer, servers: Mapping[str, Sequence[Server]]) -> None:
        """Carry out a load balancer from now on; open connections go on. Returns when clients see it.

        Args:
            balancer: The load balancer.
            servers: The servers of each group, by its ARN.

        Raises:
            SandboxError: HAProxy refused, or did not come up; the last log lines are in the error.
        """
        with self._changing:
            self._write(balancer, servers)
            if self._haproxy:
                self._runtime.reload()
            else:
                self._start(balancer)
            if self._eni is not None and tuple(balancer.security_groups) != self._groups:
                self._where.interfaces.set_groups(self._eni, balancer.security_groups)
            self._groups = tuple(balancer.security_groups)
            self._noted = answers.Noted()

    def add(self, group: TargetGroup, target: Target, address: str) -> None:
        """Let a target be known; it gets no requests yet."""
        backend, server = backend_name(group), server_name(target)
        with self._changing:
            self._cut.discard((backend, server))
            self._runtime.add(backend, server, address, server_options(group))

    def route(self, group: TargetGroup, before: Mapping[Target, int], now: Mapping[Target, int]) -> None:
        """Let the targets of a group get requests by other weights than before."""
        backend = backend_name(group)
        if before.keys() != now.keys():
            self._noted = answers.Noted()
        changed = {one: now.get(one, 0) for one in {*before, *now} if before.get(one) != now.get(one)}
        sticky = group.stickiness.enabled  # otherwise no session stays, and there is no map
        if sticky:
            self._runtime.map(map_file(group), [server_name(one) for one in before if one not in now], present=False)
        self._runtime.weigh(backend, {server_name(one): weight for one, weight in changed.items()})
        if sticky:
            self._runtime.map(map_file(group), [server_name(one) for one in now if one not in before], present=True)

    def remove(self, group: TargetGroup, target: Target, address: str) -> None:
        """Forget a target: clients whose requests it still has get a 502, and open tunnels end."""
        backend, server = backend_name(group), server_name(target)
        with self._changing:
            self._cut.add((backend, server))
            if self._runtime.connections(backend, server):
                self._reset(address)
            self._runtime.remove(backend, server)

    def close(self) -> None:
        """Remove the containers, and EC2's record."""
        if self._haproxy:
            self._where.containers.remove(self._haproxy)
            self._haproxy = ""
        if self._eni is not None:
            self._where.interfaces.remove(self._eni)
            self._eni = None
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.shutdown(socket.SHUT_RDWR)  # wakes its reader
            self._log.close()
            self._log = None

    def _write(self, balancer: LoadBalancer, servers: Mapping[str, Sequence[Server]]) -> None:
        run = self._folder / "run"
        run.mkdir(parents=True, exist_ok=True)
        # HAProxy's user reads and writes here; nobody else on this machine can enter the run's folder.
        self._folder.chmod(0o755)
        run.chmod(0o777)
        where = self._where
        made = files(balancer, servers, where.certificate, where.policies, key=self._key, speed=where.speed)
        for name, text in made.items():
            (self._folder / name).write_text(text, newline="")

    def _start(self, balancer: LoadBalancer) -> None:
        where = self._where
        network = Network(
            tuple(balancer.subnets), tuple(balancer.security_groups), balancer.scheme == "internet-facing"
        )
        self._listen()
        try:
            self._eni = where.interfaces.attach(network, f"ELB app/{self._name}/{self._id}", {})
            self._groups = network.security_groups
            self._haproxy = where.containers.run_new(
                Spec(
                    f"alb-{self._id}",
                    where.images.ensure("haproxy"),
                    entrypoint=["haproxy"],
                    command=["-W", "-db", "-S", f"{FOLDER}/run/master.sock,mode,666", "-f", f"{FOLDER}/haproxy.cfg"],
                    network_of=self._eni.container,
                    mounts=[
                        *where.interfaces.name_files(self._eni),
                        Mount(FOLDER, str(self._folder), type="bind", read_only=True),
                        Mount(f"{FOLDER}/run", str(self._folder / "run"), type="bind"),
                    ],
                )
            )
            self._await_up()
        except BaseException:
            self.close()
            raise

    def _await_up(self) -> None:
        try:
            self._runtime.await_up(time.monotonic() + _UP_WITHIN, self._runs)
        except SandboxError as error:
            raise SandboxError(
                f"HAProxy of load balancer {self._name} did not come up",
                state=f"{error.message}: {error.state}",
                log=self._where.containers.log_tail(self._haproxy),
                hint="the log lines say why",
            ) from error

    def _runs(self) -> bool:
        return bool(self._where.containers.client.api.inspect_container(self._haproxy)["State"]["Running"])

    def _reset(self, address: str) -> None:
        """Let the kernel end every connection to a target, so that its clients get an answer."""
        host, _, port = address.rpartition(":")
        if self._eni is None:
            return
        ended = self._where.containers.run_new(
            Spec(
                f"alb-{self._id}-cut-{secrets.token_hex(3)}",
                self._where.images.ensure("toolbox"),
                entrypoint=["ss"],
                command=["-K", "dst", host, "dport", "=", port],
                network_of=self._eni.container,
                cap_drop=["ALL"],
                cap_add=["NET_ADMIN"],
            )
        )
        try:
            self._where.containers.client.api.wait(ended)  # it asks the kernel, which answers
        finally:
            self._where.containers.remove(ended)

    # -- what it says --

    def _listen(self) -> None:
        path = self._folder / "run" / "log.sock"
        path.unlink(missing_ok=True)
        self._log = log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind(str(path))
        path.chmod(0o666)
        threading.Thread(target=self._read_log, args=(log,), name=f"alb-{self._id}", daemon=True).start()

    def _read_log(self, log: socket.socket) -> None:
        while True:
            try:
                line = log.recv(65536)
            except OSError:
                return
            if not line:
                return
            told = answers.read(line.decode(errors="replace"))
            if told is not None:
                self._tell(told)

    def _tell(self, told: answers.Answer) -> None:
        reason = told.reason
        if reason and (told.group, told.server) in self._cut:
            reason = answers.CUT
        if not self._noted.takes(told):
            return
        self._where.record(
            "alb.response",
            balancer=self._name,
            method=told.method,
            url=told.url,
            status=told.status,
            target=told.server,
            target_status=told.target_status,
            reason=reason,
        )
