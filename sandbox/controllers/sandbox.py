"""A sandbox: AWS's control plane, a VPC, an internet and DNS of its own, for the time of a ``with`` block."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sandbox.aws.account import REGION
from sandbox.aws.backends.backend import Backend
from sandbox.aws.backends.certificates import issue_with
from sandbox.aws.clients import OWN_ACCESS_KEY, Clients, without_configuration
from sandbox.controllers import faults, own_images, spot, stack_file, stacks, task_endpoint
from sandbox.controllers.cloudfront import CloudFrontController
from sandbox.controllers.container_logs import ContainerLogs
from sandbox.controllers.container_specs import ContainerSpecs, efs_volume
from sandbox.controllers.control_plane import ControlPlane
from sandbox.controllers.estate import Estate
from sandbox.controllers.ground import Ground
from sandbox.controllers.instance_services import InstanceServices
from sandbox.controllers.metadata import Metadata
from sandbox.controllers.network import RESOLVER
from sandbox.controllers.operator import Operator
from sandbox.controllers.release_services import Releases
from sandbox.controllers.resources import TaskResources
from sandbox.controllers.serverless import Parts, Serverless, own
from sandbox.controllers.slack import Slack
from sandbox.controllers.stack import Stack
from sandbox.controllers.stack_file import Call, StackDefinition
from sandbox.controllers.tasks import TaskRunner
from sandbox.controllers.viewers import Viewers
from sandbox.dataplane.internet import Internet
from sandbox.errors import SandboxError
from sandbox.faults.base import Reach
from sandbox.interrupts import held_back
from sandbox.model import slack

if TYPE_CHECKING:
    from sandbox.controllers.elb import ElbController
    from sandbox.controllers.localstack_server import LocalStackServer
    from sandbox.controllers.site import Site
    from sandbox.dataplane.cdn.certificates import Authority

log = logging.getLogger(__name__)


class Sandbox(Viewers, Operator):
    """One sandbox. moto's state belongs to the process, so a process has one sandbox at a time.

    Args:
        images: "auto", "official" or "build".
        speed: Divides every AWS timer.
        progress: Told what is being built, pulled or waited for.
        timeline_file: Where the observations are written as JSON lines; screenshots go to a folder beside it.
        endpoint_port: The port of 127.0.0.1 for the AWS endpoint (0: any free one).
        dns_port: The same for DNS.
        localstack: Has the services of AWS that it answers; None: all are this process's. Whoever gives it closes it.
        ground: What it stands on, begun by whoever could not wait for this module to load; ``images`` is its own then.
        estate: The same of what it has in EC2, on that ground; ``speed`` and ``timeline_file`` are its own then.
        site: Where the sandboxes of this process have their networks, one after another; None: this one's own.

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
        localstack: LocalStackServer | None = None,
        ground: Ground | None = None,
        estate: Estate | None = None,
        site: Site | None = None,
    ) -> None:
        self._localstack = localstack
        self._ground = ground or Ground(images, progress, site)
        self._closers: list[Callable[[], object]] = [self._ground.close]
        self._ending = threading.Event()
        self.progress = progress
        self.speed = speed
        try:
            self._estate = estate or Estate(self._ground, speed, timeline_file)
            self._closers.append(self._estate.close)
            self._start(timeline_file, endpoint_port, dns_port)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def _start(self, timeline_file: Path | None, endpoint_port: int, dns_port: int) -> None:
        self.clock = self._estate.clock
        self.timeline = self._estate.timeline
        self._run = run = self._ground.run
        self.run_id = run.id
        self.evidence_folder = timeline_file.with_suffix("") if timeline_file else run.folder / "evidence"
        self._containers = self._ground.containers
        self._images = self._ground.images

        self._closers.append(without_configuration())
        self._backend = self._estate.backend
        self._start_control_plane(endpoint_port, dns_port)
        self._network = self._ground.network
        names = {**self._network.endpoint_names(), **self._network.bucket_names()}
        self._control_plane.dns.add_names({**names, **self._network.names_outside(slack.HOST)})
        self._control_plane.gateway.add_host(slack.HOST, Slack(self.timeline).answer)
        self._control_plane.open_internet(self._network.internet.cidr)
        self._internet = Internet(self._control_plane.addresses, self._network.internet.cidr)
        self._start_runner()
        self._releases = Releases(
            self._containers, self._images, self._network, self._control_plane, self.clock, self.timeline
        )
        self._closers.append(self._releases.close)
        self._cloudfront = CloudFrontController(
            self._containers,
            self._images,
            self._network,
            self._control_plane.name_resource,
            run.folder,
            self.speed,
            self._control_plane.functions.run_at_edge,
            self._control_plane.logs,
            self.timeline,
        )
        self._closers.append(self._cloudfront.close)
        # Most stacks have neither a distribution nor a load balancer, and their models take a while to load.
        self._control_plane.gateway.add_later("cloudfront", self._make_cloudfront)
        self._control_plane.gateway.add_later("elasticloadbalancing", self._make_load_balancing)
        if self._localstack is not None:
            # It has been starting meanwhile. Whatever it still does for this sandbox ends before the rest does.
            self._closers.append(self._localstack.end)
            self._localstack.begin(self._network, self._ground.sockets, self.timeline.abort)
        issue_with(lambda names: self.authority.issue(list(names)))  # what is requested of ACM

    def _make_cloudfront(self) -> object:
        from sandbox.aws.services.cloudfront import CloudFrontService
        from sandbox.aws.services.cloudfront_functions import EdgeFunctionFinder

        functions = self._control_plane.functions
        service = CloudFrontService(self._cloudfront, self.clock, EdgeFunctionFinder(functions.edge_function, self.aws))
        functions.is_replicated = service.has_function
        return service

    def _make_load_balancing(self) -> object:
        from sandbox.aws.services.elbv2 import ElbService

        service = ElbService(self.load_balancers, self.clock, self._backend)
        self.load_balancers.changed = self._ecs.target_changed
        self._ecs.use_targets(self.load_balancers, service.find_group, service.has_balancer)
        return service

    def _end_tasks(self) -> None:
        # Removing by force ends the stops that commands of ECS are waiting for; what they were just creating goes with
        # the second removal, the last of the closers.
        self._ecs.close()
        self._ground.remove_containers()
        self._ecs.wait_closed()

    def _start_control_plane(self, endpoint_port: int, dns_port: int) -> None:
        backend: Backend = self._backend
        serverless: Callable[[Parts], Serverless] = own
        if self._localstack is not None:
            from sandbox.aws.backends.localstack.backend import LocalStack
            from sandbox.controllers import localstack

            backend = remote = LocalStack(self._localstack, self._backend)
            serverless = localstack.make(remote)
        plane = ControlPlane(
            backend,
            self._run.folder,
            self.clock,
            self.timeline,
            self._connect,
            self._endpoint_for,
            serverless=serverless,
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
        self.vpc, self.subnets, self.security_group = (
            self._estate.vpc,
            self._estate.subnets,
            self._estate.security_group,
        )
        self._control_plane.on_ec2_change = self._estate.security_groups.refresh
        self._interfaces = self._estate.interfaces
        self._instance_services = InstanceServices(
            self._containers,
            self._images,
            self._network,
            self._interfaces,
            self._backend,
            self._control_plane,
            container_environment,
            self.clock,
            self.timeline,
        )
        self._closers.append(self._instance_services.close)
        instances = self._instance_services.instances
        self._ecs.runner = TaskRunner(
            self._containers,
            self._interfaces,
            self._images,
            ContainerSpecs(self._containers, self._interfaces, container_environment, self.clock, instances.volume),
            TaskResources(self.aws, self._control_plane.logs),
            ContainerLogs(self._containers, self._control_plane.logs, self.clock),
            self._ecs.happened,
            instances.host,
            self.timeline,
        )
        self._ecs.drop_instance = instances.drop
        answers = Metadata(
            self._ecs,
            self.aws,
            self._network.vpc.address(RESOLVER),
            self._containers,
            self._control_plane.sessions,
        )
        for prefix in (task_endpoint.PREFIX, task_endpoint.CREDENTIALS):
            self._control_plane.gateway.add_path(prefix, answers.answer)
        self._control_plane.gateway.add_path(spot.PATH, spot.Interruptions(self._ecs).answer, method="POST")
        self._containers.watch(self._ecs.exited, self.timeline.abort, self._ecs.health_changed)
        self._closers.append(self._containers.close)
        reach = Reach(
            Clients(self.endpoint_url, REGION, access_key=OWN_ACCESS_KEY),
            self.clock,
            self._containers,
            lambda: self._images.ensure("toolbox"),
            lambda: self._images.ensure("faketime"),
            self._ecs,
            self._ecs.runner,
            self._control_plane.zones,
            self._control_plane.delivery,
            self._control_plane.runtime,
            lambda: self.load_balancers.interfaces() if "load_balancers" in self.__dict__ else {},
        )
        self._faults = faults.Faults(reach, self.timeline)
        self._closers.append(self._faults.close)
        self._control_plane.gateway.add_path(faults.PATH, self._faults.answer, method="POST")

    def stack(self, name: str, parameters: Mapping[str, str] | None = None) -> Stack:
        """Bring up a stack and wait until each of its URLs answers.

        Args:
            name: A stack that comes with the sandbox, or a folder with a stack.yaml or a sandbox.toml.
            parameters: Override those in its stack.yaml.

        Raises:
            SandboxError: A call was refused, a container ended, or a URL did not answer in time.
        """
        stack = self.begin_stack(name, parameters)
        stack.wait_ready()
        return stack

    def begin_stack(self, name: str | StackDefinition, parameters: Mapping[str, str] | None = None) -> Stack:
        """Make a stack's AWS calls and return at once; `Stack.wait_ready` waits for its URLs."""
        definition = stacks.find(name) if isinstance(name, str) else name
        self._control_plane.logs.is_for_all_regions |= definition.is_of_production
        known = self._estate.known(definition, parameters or {})
        self._images.ensure_all(definition.images)
        own_images.prepare(definition, self._images, self._releases.registry.builder, self.progress)
        self._estate.make_ahead(definition, known)
        self.aws.make_ahead({call.service for call in definition.calls})

        def fill(made_by: Call | None, values: Mapping[str, Any]) -> None:
            for file_system, directory, source in stack_file.efs_contents(definition, values, made_by):
                volume = self._containers.create_volume(efs_volume(file_system, directory))
                if isinstance(source, stack_file.InImage):
                    self._containers.copy_to_volume(volume, self._images.ensure(source.component), source.path)
                else:
                    self._containers.fill_volume(volume, source, self._ground.toolbox)

        def made(call: Call, values: Mapping[str, Any]) -> None:
            fill(call, values)
            self.timeline.record("stack.call", call=str(call))

        fill(None, known)
        mark = self.timeline.mark()
        values = stack_file.carry_out(definition, self.aws, known, made)
        if definition.terraform is not None:
            from sandbox.controllers import terraform_apply  # of one's own stack, with all that reads those

            into = self._run.folder / "terraform"
            definition, outputs = terraform_apply.make(definition, into, self.aws, self.timeline, self.progress)
            values["output"] = outputs
        return Stack(self, definition.settled(values), values, mark)

    @cached_property
    def load_balancers(self) -> ElbController:
        """Carries out what Elastic Load Balancing's API decides; made when it is first asked for."""
        from sandbox.controllers.elb import ElbController

        made = ElbController(
            self._containers,
            self._images,
            self._interfaces,
            self._control_plane.name_resource,
            self._backend.certificate,
            self._backend.ssl_policies,
            self._backend.instance_now,
            self._run.folder,
            self.clock,
            self.timeline,
        )
        self._closers.append(made.close)
        self._instance_services.changed = made.instances_changed
        return made

    @property
    def authority(self) -> Authority:
        """What certificates here are by: CloudFront's, and those that an origin with HTTPS is to have."""
        return self._cloudfront.authority

    def check(self) -> None:
        """Raise what ended the engine, or LocalStack, if something did: what was observed since then says nothing.

        Raises:
            SandboxError: What has ended, and why.
        """
        self.timeline.check()
        if self._localstack is not None:
            self._localstack.check()

    @property
    def called_services(self) -> set[str]:
        """The services of AWS that stacks, containers and scenarios have called, by the signature's name."""
        return self._control_plane.called

    def environment(self) -> dict[str, str]:
        """What to export so that AWS clients on this machine use the sandbox."""
        return self.aws.environment()

    # -- end --

    def keep(self) -> None:
        """Leave containers and networks when the sandbox is closed, to be looked at; ``sandbox down`` removes them."""
        self._ground.keep()

    def close(self) -> None:
        """Remove everything. A second call does nothing."""
        errors = []
        self._ending.set()
        self._ground.images.close()  # what is about to end may be waiting for one
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
