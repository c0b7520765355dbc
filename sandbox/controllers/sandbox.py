"""A sandbox: AWS's control plane, a VPC, an internet and DNS of its own, for the time of a ``with`` block."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sandbox.aws.backends.certificates import issue_with
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients, without_configuration
from sandbox.aws.protocol import REGION
from sandbox.aws.services.cloudfront import CloudFrontService
from sandbox.aws.services.elbv2 import ElbService
from sandbox.clock import RealClock
from sandbox.controllers import process, spot, stack_file, task_endpoint
from sandbox.controllers.cloudfront import CloudFrontController
from sandbox.controllers.container_instances import ContainerInstances
from sandbox.controllers.container_logs import ContainerLogs
from sandbox.controllers.container_specs import ContainerSpecs, efs_volume
from sandbox.controllers.control_plane import ControlPlane
from sandbox.controllers.elb import ElbController
from sandbox.controllers.interfaces import Interfaces
from sandbox.controllers.metadata import Metadata
from sandbox.controllers.network import ENDPOINT_PORT, RESOLVER, RunNetwork
from sandbox.controllers.resources import TaskResources
from sandbox.controllers.security_groups import SecurityGroups
from sandbox.controllers.stack import Stack
from sandbox.controllers.tasks import TaskRunner
from sandbox.dataplane.internet import Door, Internet
from sandbox.engine import sweep
from sandbox.engine.containers import Containers
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.errors import SandboxError
from sandbox.interrupts import held_back
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import EventShape
from sandbox.model.security_groups import EVERYTHING, Surroundings
from sandbox.probes import dns, http
from sandbox.probes.visitor import Visitor
from sandbox.timeline import Observation, Timeline

if TYPE_CHECKING:
    from sandbox.dataplane.cdn.certificates import Authority
    from sandbox.probes.socketio_crowd import Crowd
    from sandbox.probes.socketio_session import Step

log = logging.getLogger(__name__)


class Sandbox:
    """One sandbox. moto's state belongs to the process, so a process has one sandbox at a time.

    Args:
        images: "auto", "official" or "build".
        speed: Divides every AWS timer.
        progress: Told what is being built, pulled or waited for.
        timeline_file: Where the observations are written as JSON lines.
        endpoint_port: The port of 127.0.0.1 for the AWS endpoint (0: any free one).
        dns_port: The same for DNS.

    Raises:
        SandboxError: No engine answers, a port is in use, an image cannot be had, or the process has one already.
    """

    def __init__(
        self,
        *,
        images: str = "auto",
        speed: float = 1.0,
        progress: Callable[[str], None] = lambda text: None,
        timeline_file: Path | None = None,
        endpoint_port: int = 0,
        dns_port: int = 0,
    ) -> None:
        self._closers: list[Callable[[], object]] = [process.claim()]
        self._ending = threading.Event()
        self.progress = progress
        self.speed = speed
        self._javascript = ""  # the container of socket.io-client, once it is wanted
        try:
            self._start(images, timeline_file, endpoint_port, dns_port)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def _start(self, images: str, timeline_file: Path | None, endpoint_port: int, dns_port: int) -> None:
        self.clock = RealClock(self.speed)
        self._closers.append(self.clock.close)
        self.timeline = Timeline(self.clock, timeline_file)
        self._closers.append(self.timeline.close)
        client = connect()
        self._closers.append(client.close)
        sweep.remove_dead_runs(client)
        self._run = run = Run.begin()
        self._closers.append(run.end)
        self.run_id = run.id
        self._containers = Containers(client, run)
        self._closers.append(self._remove_containers)
        self._images = Images(client, images, self.progress)
        self._sockets = run.folder / "sockets"
        self._sockets.mkdir()

        self._closers.append(without_configuration())
        self._backend = Embedded()
        self._closers.append(self._backend.reset)
        self._backend.preload("route53")
        self._toolbox = self._images.ensure("toolbox")
        with ThreadPoolExecutor(1) as pool:
            # It is quick, and what is half made could not be closed; nor does a pool wait at its end for a thread in
            # whose start it was interrupted.
            with held_back():
                # The engine makes the networks while this process loads what it needs for the control plane.
                network = pool.submit(RunNetwork, self._containers, self._sockets, self._toolbox)
                self._start_control_plane(endpoint_port, dns_port)
            self._network = network.result()
        self._closers.append(self._network.close)
        self._control_plane.dns.add_names(self._network.endpoint_names())
        self._internet = Internet(self._control_plane.addresses, self._network.internet.cidr)
        self._make_vpc()
        self._start_runner()
        self._cloudfront = CloudFrontController(
            self._containers,
            self._images,
            self._network,
            self._control_plane.name_resource,
            run.folder,
            self.speed,
            self.timeline,
        )
        self._control_plane.gateway.add(CloudFrontService(self._cloudfront, self.clock))
        self._start_load_balancing()

    def _start_load_balancing(self) -> None:
        issue_with(lambda names: self.authority.issue(list(names)))  # what is requested of ACM
        self.load_balancers = ElbController(
            self._containers,
            self._images,
            self._interfaces,
            self._control_plane.name_resource,
            self._backend.certificate,
            self._backend.instance_address,
            self._run.folder,
            self.clock,
            self.timeline,
        )
        self._closers.append(self.load_balancers.close)
        service = ElbService(self.load_balancers, self.clock, self._backend)
        self._control_plane.gateway.add(service)
        self.load_balancers.changed = self._ecs.target_changed
        self._ecs.use_targets(self.load_balancers, service.find_group, service.has_balancer)
        self._ecs.use_registry(self._control_plane.cloudmap, self._control_plane.cloudmap.record_types)

    def _remove_containers(self) -> None:
        if not self._run.is_kept:
            sweep.remove_run(self._containers.client, self.run_id)

    def _end_tasks(self) -> None:
        # Removing by force ends the stops that commands of ECS are waiting for; what they were just creating goes with
        # the second removal, the last of the closers.
        self._ecs.close()
        self._remove_containers()
        self._ecs.wait_closed()

    def _start_control_plane(self, endpoint_port: int, dns_port: int) -> None:
        plane = ControlPlane(
            self._backend,
            self._run.folder,
            self.clock,
            self.timeline,
            self._connect,
            self._endpoint_for,
            endpoint_port=endpoint_port,
            dns_port=dns_port,
        )
        self._closers.append(plane.close)
        self._control_plane = plane
        self._ecs = plane.ecs
        self._closers.append(self._end_tasks)
        self.aws = plane.aws
        self.endpoint_url = plane.gateway.url
        self.dns_address = ("127.0.0.1", plane.dns.port)

    def _connect(self, name: str, port: int, timeout: float) -> socket.socket:
        return self._internet.connect(name, port, timeout)

    def _endpoint_for(self, on_this_machine: bool) -> str:
        return self.endpoint_url if on_this_machine else self._network.endpoint_url

    def _start_runner(self) -> None:
        container_environment = Clients(self._network.endpoint_url, REGION).environment()
        around = Surroundings(self._network.vpc.address(RESOLVER), (self._network.vpc.address(RESOLVER), ENDPOINT_PORT))
        groups = SecurityGroups(self._backend, self._containers, around, self.timeline)
        self._control_plane.on_ec2_change = groups.refresh
        self._interfaces = Interfaces(
            self._containers, self._network, self._images, self._backend, groups, self.clock, self.timeline
        )
        self._closers.append(self._interfaces.close)
        self._instances = ContainerInstances(
            self._ecs, self._backend, self._interfaces, self._containers, self._network.vpc.cidr, self.timeline
        )
        self._closers.append(self._instances.close)
        self._ecs.runner = TaskRunner(
            self._containers,
            self._interfaces,
            self._images,
            ContainerSpecs(
                self._containers, self._interfaces, container_environment, self.clock, self._instances.volume
            ),
            TaskResources(self.aws, self._control_plane.logs),
            ContainerLogs(self._containers, self._control_plane.logs, self.clock),
            self._ecs.happened,
            self._instances.host,
            self.timeline,
        )
        self._ecs.drop_instance = self._instances.drop
        self._control_plane.instances_changed = self._instances.refresh
        answers = Metadata(self._ecs, self.aws, self._network.vpc.address(RESOLVER), self._containers)
        for prefix in (task_endpoint.PREFIX, task_endpoint.CREDENTIALS):
            self._control_plane.gateway.add_path(prefix, answers.answer)
        self._control_plane.gateway.add_path(spot.PATH, spot.Interruptions(self._ecs).answer, method="POST")
        self._containers.watch(self._ecs.exited, self.timeline.abort, self._ecs.health_changed)
        self._closers.append(self._containers.close)

    def _make_vpc(self) -> None:
        self.vpc = vpc = self._backend.create_vpc(str(self._network.vpc.cidr))
        blocks = list(self._network.vpc.cidr.subnets(new_prefix=20))[:2]
        self.subnets = [
            self._backend.create_subnet(vpc, str(block), REGION + zone)
            for block, zone in zip(blocks, "ab", strict=True)
        ]
        self.security_group = self._backend.create_security_group(vpc, "sandbox", "Opens everything", [EVERYTHING])

    # -- use --

    def stack(self, name: str, parameters: Mapping[str, str] | None = None) -> Stack:
        """Bring up a stack and wait until each of its URLs answers.

        Args:
            name: A stack that comes with the sandbox, or a folder with a stack.yaml.
            parameters: Override those in its stack.yaml.

        Raises:
            SandboxError: A call was refused, a container ended, or a URL did not answer in time.
        """
        stack = self.begin_stack(name, parameters)
        stack.wait_ready()
        return stack

    def begin_stack(self, name: str, parameters: Mapping[str, str] | None = None) -> Stack:
        """Make a stack's AWS calls and return at once; `Stack.wait_ready` waits for its URLs."""
        definition = stack_file.load(name)
        given = definition.with_parameters(parameters or {})
        self._images.ensure_all(definition.images)
        known = {
            **given,
            "sandbox": {
                "vpc": self.vpc,
                "subnets": self.subnets,
                "security_group": self.security_group,
                "region": REGION,
            },
        }
        for network in stack_file.task_networks(definition, known)[:1]:
            self._interfaces.make_ahead(network)
        self.aws.make_ahead({call.service for call in definition.calls})
        for file_system, directory, folder in stack_file.efs_folders(definition, known):
            volume = self._containers.create_volume(efs_volume(file_system, directory))
            self._containers.fill_volume(volume, folder, self._toolbox)
        mark = self.timeline.mark()
        values = stack_file.carry_out(
            definition, self.aws, known, lambda call: self.timeline.record("stack.call", call=str(call))
        )
        return Stack(self, definition, values, mark)

    def preload(self) -> None:
        """Load what takes long and is needed soon, in the background: EC2, the slowest of moto's services."""
        self._backend.preload("ec2")

    def http_get(self, url: str, *, timeout: float = 10.0, headers: Mapping[str, str] | None = None) -> http.HttpResult:
        """One request from the internet, by name; recorded as ``http.response``."""
        result = http.get(self._in_viewer, url, timeout=timeout, headers=headers)
        self.timeline.record("http.response", **result.facts())
        return result

    def http_send(
        self, method: str, url: str, *, address: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> http.HttpResult:
        """One request that is no GET, from this machine as a viewer; recorded as ``http.response`` with its method.

        Args:
            method: "POST", "PUT", ...
            url: http://NAME/PATH.
            address: Where to connect, for a client that goes on with an address it has ("": ask DNS).
            headers: Beside Host.
            body: What is sent.
        """

        def connect(name: str, port: int, timeout: float) -> socket.socket:
            return self._internet.connect(address or name, port, timeout)

        result = http.request(connect, url, 10.0, method=method, headers=headers, body=body)
        self.timeline.record("http.response", method=method, **result.facts())
        return result

    def http_get_until(self, url: str, *, status: int = 200, within: float = 60.0) -> http.HttpResult:
        """Ask until ``url`` answers ``status``; the last result is recorded and returned either way."""
        result = http.get_until(self._internet.connect, url, status=status, within=within, stop=self._ending)
        self.timeline.record("http.response", **result.facts())
        return result

    def wait_aws(self, seconds: float) -> None:
        """Let so many of AWS's seconds go by: for a time to live, or another timer that tells nobody of its end."""
        over = threading.Event()
        timer = self.clock.call_later(seconds, over.set)
        over.wait(self.clock.real_seconds(seconds) + 5)
        timer.cancel()

    def wait_serving(self, url: str, *, within: float = 120.0) -> None:
        """Wait until ``url`` answers 200; recorded as by `http_get_until`.

        Raises:
            SandboxError: It does not; the last state is what it answered.
        """
        result = self.http_get_until(url, within=within)
        if result.status != 200:
            raise SandboxError(f"{url} did not answer 200 within {within:g} s", state=str(result))

    def replace_task(self, cluster: str, service: str) -> tuple[str, Observation]:
        """Stop a service's only task and wait until its replacement is RUNNING.

        Returns:
            The old task's ARN, and the replacement's ``task.state``.

        Raises:
            SandboxError: No replacement came.
        """
        (old,) = self.aws("ecs").list_tasks(cluster=cluster, serviceName=service)["taskArns"]
        mark = self.timeline.mark()
        self.progress("stopping the task; its service replaces it")
        self.aws("ecs").stop_task(cluster=cluster, task=old, reason="to be replaced")
        running = self.timeline.wait_for(
            "the replacement to be RUNNING",
            lambda seen: seen.kind == "task.state" and seen["task"] != old and seen["last_status"] == "RUNNING",
            within=60,
            since=mark,
        )
        return old, running

    def wait_task(self, task_arn: str, status: str, *, within: float = 60.0) -> Observation:
        """Wait for a task's ``task.state`` with this last status; one that has been counts.

        Raises:
            SandboxError: It did not come.
        """
        return self.timeline.wait_for(
            f"task {task_arn.rsplit('/', 1)[-1]} to be {status}",
            lambda seen: seen.kind == "task.state" and seen["task"] == task_arn and seen["last_status"] == status,
            within=within,
        )

    def wait_healthy(self, count: int, *, within: float = 90.0) -> None:
        """Wait until so many targets of all target groups together are healthy; what has been counts.

        Raises:
            SandboxError: They did not become so.
        """
        states: dict[tuple[str, str], str] = {}

        def enough(seen: Observation) -> bool:
            if seen.kind == "target.health":
                states[seen["group"], seen["target"]] = seen["state"]
            return sum(state == "healthy" for state in states.values()) >= count

        self.timeline.wait_for(f"{count} healthy targets", enough, within=within)

    def resolve(self, name: str, record_type: str = "A") -> dns.DnsResult:
        """Ask the sandbox's DNS; recorded as ``dns.probe``."""
        result = dns.query(name, record_type, self.dns_address)
        self.timeline.record("dns.probe", name=name, type=record_type, rcode=result.rcode, answers=list(result.values))
        return result

    def visit(self, url: str) -> Visitor:
        """A visitor who asks for ``url`` all through a ``with`` block and keeps the name's address for its TTL.

        Recorded as ``visitor.outcome`` and ``visitor.end`` (see `Visitor`).
        """
        ask = partial(dns.query, rdtype="A", server=self.dns_address)
        return Visitor(url, ask, self._internet.connect, self.timeline.record)

    def socketio_session(
        self, url: str, *, client: str = "python", within: float = 5.0, idle: float = 0.0
    ) -> list[Step]:
        """One session of a Socket.IO client from the internet; each step is recorded as ``socketio.step``.

        Args:
            url: Where the page of compose/socketio/app is, http://NAME[:PORT].
            client: "python", "javascript", or "javascript-2", which speaks to servers of 2020.
            within: Seconds for each wait.
            idle: Seconds that an idle WebSocket is watched (0: it is not).
        """
        from sandbox.probes import socketio_session

        if client == "python":
            steps = socketio_session.run(url, self._internet.connect, within=within, idle=idle)
        else:
            if not self._javascript:
                image = self._images.ensure("socketio-client")
                self._javascript = self._network.add_client("socketio-client", image)
            steps = socketio_session.run_javascript(
                partial(self._containers.execute, self._javascript),
                url,
                version=2 if client == "javascript-2" else 4,
                within=within,
                idle=idle,
            )
        for step in steps:
            self.timeline.record("socketio.step", client=client, url=url, **step.facts())
        return steps

    def crowd(self, url: str, clients: int, *, reconnects: bool) -> Crowd:
        """Socket.IO clients on the internet that stay connected all through a ``with`` block (see `Crowd`)."""
        from sandbox.probes.socketio_crowd import Crowd

        return Crowd(url, clients, reconnects=reconnects, connect=self._internet.connect, record=self.timeline.record)

    def set_event_shape(self, shape: EventShape) -> None:
        """How the attachments of ECS's events look from now on (see `EventShape`)."""
        self._ecs.event_shape = shape

    def delay_public_ip(self, seconds: float) -> None:
        """Show the public address of interfaces attached from now on so much later (AWS's seconds) than they are."""
        self._interfaces.association_delay = seconds

    def interrupt_spot(self, task_arn: str) -> None:
        """Have Fargate take back the capacity of a Spot task: event and SIGTERM at once, SIGKILL after stopTimeout.

        Raises:
            SandboxError: There is no such task, it is not of FARGATE_SPOT, or it stops already.
        """
        try:
            self._ecs.interrupt_spot(task_arn)
        except EcsError as error:
            raise SandboxError(f"{task_arn} cannot be interrupted", state=error.message) from error

    def replay(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Put events on the bus as they are, whatever their source, one after another: a recorded one is a duplicate.

        EventBridge delivers "at least once", in no order; PutEvents would refuse a source that starts with "aws.".
        The timeline has each event that was published, as ``event`` of ``event.published``.
        """
        for event in events:
            self._control_plane.events.publish(event)

    def task_logs(self, task_arn: str) -> dict[str, list[str]]:
        """The last log lines of each container of a task that has not been removed."""
        return self._ecs.runner.logs(task_arn) if self._ecs.runner else {}

    def execute(self, task_arn: str, container: str, command: Sequence[str]) -> tuple[int, str, str]:
        """Run a command in a container of a task, as ECS Exec does: exit code, output, errors.

        Raises:
            SandboxError: The container does not run.
        """
        found = self._ecs.runner.container(task_arn, container) if self._ecs.runner else ""
        if not found:
            raise SandboxError(f"no container '{container}' of task {task_arn} runs")
        return self._containers.execute(found, command)

    def door(self, name: str, *, port: int = 0, target_port: int = 80) -> str:
        """A URL on 127.0.0.1 that leads to ``name`` as a viewer would reach it (DNS is asked for each connection)."""
        door = Door(self._internet, name, target_port, port)
        self._closers.append(door.close)
        return f"http://127.0.0.1:{door.port}"

    @property
    def authority(self) -> Authority:
        """What certificates here are by: CloudFront's, and those that an origin with HTTPS is to have."""
        return self._cloudfront.authority

    def environment(self) -> dict[str, str]:
        """What to export so that AWS clients on this machine use the sandbox."""
        return self.aws.environment()

    def _in_viewer(self, command: Any) -> tuple[int, str, str]:
        return self._containers.execute(self._network.viewer(), command)

    # -- end --

    def keep(self) -> None:
        """Leave containers and networks when the sandbox is closed, to be looked at; ``sandbox down`` removes them."""
        self._run.keep()

    def close(self) -> None:
        """Remove everything. A second call does nothing."""
        errors = []
        self._ending.set()
        with held_back():
            while self._closers:
                closer = self._closers.pop()
                try:
                    closer()
                except Exception as error:
                    errors.append(error)
        if errors:
            raise SandboxError(
                "the sandbox could not remove everything",
                state=f"{type(errors[0]).__name__}: {errors[0]}",
                hint="`sandbox down` removes what is left, as does the next run",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except SandboxError as failure:
            if error is None:
                raise
            log.warning("%s", failure)  # what ended the block matters more, so that goes on
