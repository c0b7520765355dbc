"""The AWS side of a sandbox: the endpoint, the APIs behind it, and DNS. It needs no engine."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property, partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.authorization import Authorization
from sandbox.aws.backends.backend import Backend
from sandbox.aws.backends.identities import identify_with
from sandbox.aws.backends.scaling_targets import services_are
from sandbox.aws.clients import OWN_ACCESS_KEY, Clients
from sandbox.aws.gateway import ApiCall, Gateway
from sandbox.aws.log_writer import LogWriter
from sandbox.aws.protocol import HttpRequest
from sandbox.aws.services.ecs import EcsService
from sandbox.aws.services.route53 import Route53Service
from sandbox.aws.sessions import Sessions
from sandbox.clock import Clock
from sandbox.controllers.account import Account
from sandbox.controllers.dns import DnsController
from sandbox.controllers.ecs import EcsController
from sandbox.controllers.network import DNS_TCP, DNS_UDP, GATEWAY, OUTSIDE
from sandbox.controllers.serverless import Parts, Serverless, own
from sandbox.dataplane.dns import DnsServer
from sandbox.model.ecs.control import Ecs
from sandbox.model.route53 import canonical
from sandbox.timeline import Timeline

# What starts or ends instances, and what makes the cluster that one of them waits for.
_CHANGE_INSTANCES = frozenset(
    {
        *(("ec2", f"{verb}Instances") for verb in ("Run", "Start", "Stop", "Reboot", "Terminate")),
        *(
            ("autoscaling", operation)
            for operation in (
                "AttachInstances",
                "CreateAutoScalingGroup",
                "DeleteAutoScalingGroup",
                "DetachInstances",
                "ExecutePolicy",
                "SetDesiredCapacity",
                "SetInstanceHealth",
                "TerminateInstanceInAutoScalingGroup",
                "UpdateAutoScalingGroup",
            )
        ),
        ("ecs", "CreateCluster"),
        # What makes a managed node of an instance that runs already.
        ("ec2", "AssociateIamInstanceProfile"),
        *(("iam", operation) for operation in ("AddRoleToInstanceProfile", "AttachRolePolicy", "PutRolePolicy")),
    }
)

if TYPE_CHECKING:
    from sandbox.controllers.cloudmap import CloudMapController
    from sandbox.controllers.route53_health import Route53HealthChecks


class ControlPlane:
    """Listens from its construction until `close`.

    Args:
        backend: Has the services that are not our own.
        folder: For the files of functions; its ``sockets`` folder for what containers reach endpoint and DNS by.
        clock: Times everything that AWS does later.
        timeline: Gets every observation.
        connect: A connection from the sandbox's internet (name, port, seconds), for what SNS delivers to and what
            health checks of Route 53 ask.
        endpoint_for: The endpoint's URL for this machine (True) or a container.
        serverless: Makes EventBridge and Lambda.
        endpoint_port: The port of 127.0.0.1 for the endpoint (0: any free one).
        dns_port: The same for DNS.

    Attributes:
        aws: Clients of the endpoint.
        gateway: The endpoint.
        dns: The DNS server.
        events: EventBridge.
        delivery: Brings its events to targets (None: not this process).
        runtime: Runs functions (None: not this process).
        zones: What DNS answers from.
        ecs: ECS, which starts nothing until it has a runner.
        functions: Lambda.
        called: The services that stacks, scenarios and containers have called with success, by the signature's name.
        logs: Writes to CloudWatch Logs.
        sessions: Those of the roles of functions and tasks.
        authorization: Holds them against IAM's policies.
        on_ec2_change: Told of each call that may have changed something in EC2, before it is answered.
        on_object_put: Called with the path of each object that was put into S3.
        instances_changed: Called when EC2's instances, or the clusters that they wait for, may be others than before.

    Raises:
        SandboxError: A port is in use; nothing is left.
    """

    def __init__(
        self,
        backend: Backend,
        folder: Path,
        clock: Clock,
        timeline: Timeline,
        connect: Callable[[str, int, float], socket.socket],
        endpoint_for: Callable[[bool], str],
        *,
        serverless: Callable[[Parts], Serverless] = own,
        endpoint_port: int = 0,
        dns_port: int = 0,
    ) -> None:
        self._closing = ExitStack()
        self._timeline = timeline
        self._clock = clock
        self.on_ec2_change: Callable[[], object] = lambda: None
        self.instances_changed: Callable[[], None] = lambda: None
        self.on_object_put: Callable[[str], None] = lambda path: None
        self.called: set[str] = set()
        self._backend = backend
        self._connect = connect
        self.zones = DnsController(lambda: backend.hosted_zones(self._is_healthy), timeline)
        sockets = folder / "sockets"
        self._outside_dns = sockets / f"{OUTSIDE}{DNS_UDP}"
        try:
            self.dns = DnsServer(
                self.zones.answer,
                port=dns_port,
                sockets=(sockets / DNS_UDP, sockets / DNS_TCP),
                outside=(
                    self.zones.answer_outside,
                    (self._outside_dns, sockets / f"{OUTSIDE}{DNS_TCP}"),
                ),
            )
            self.dns.start()
            self._closing.callback(self.dns.close)
            self.sessions = Sessions()
            identify_with(self.sessions.find)
            account = Account(backend)
            self.authorization = Authorization(
                self.sessions, backend.identities, account.resource_policy, account, clock, timeline
            )
            self.gateway = Gateway(
                [],
                backend,
                port=endpoint_port,
                unix_socket=sockets / GATEWAY,
                authorize=self._admit,
                on_call=self._called,
            )
            self.gateway.start()
            self._closing.callback(self.gateway.close)
            self.aws = Clients(self.gateway.url, REGION)
            own_clients = Clients(self.gateway.url, REGION, access_key=OWN_ACCESS_KEY)
            self.logs = LogWriter(own_clients)
            self._closing.callback(self.logs.close)
            parts = Parts(
                self.aws,
                own_clients,
                self.gateway,
                self.logs,
                self.sessions,
                self.authorization.trusts,
                clock,
                timeline,
                folder,
                connect,
                endpoint_for,
            )
            self._serverless = serverless(parts)
            self._closing.callback(self._serverless.close)
            self.events = self._serverless.events
            self.delivery = self._serverless.delivery
            self.runtime = self._serverless.runtime
            self.functions = account.functions = self._serverless.functions
            ecs = Ecs(ACCOUNT_ID, REGION, lambda: uuid.uuid4().hex)
            self.ecs = account.ecs = EcsController(ecs, self.events.publish, timeline, clock)
            services_are(partial(_is_to_be_scaled, own_clients, timeline))
            api = EcsService(ecs, self.ecs.apply, backend.missing_subnets, self.authorization.trusts)
            for service in (*self._serverless.services, api):
                self.gateway.add(service)
            if backend.zones is not None:
                self.gateway.add(Route53Service(backend.zones))
            self.gateway.add_later("servicediscovery", self._make_cloudmap)
        except BaseException:
            self.close()
            raise

    def _make_cloudmap(self) -> object:
        # Most stacks have no namespace, and this takes some time to load.
        from sandbox.aws.services.servicediscovery import ServiceDiscoveryService

        self.ecs.use_registry(self.cloudmap, self.cloudmap.record_types)
        return ServiceDiscoveryService(self.cloudmap)

    @cached_property
    def cloudmap(self) -> CloudMapController:
        """Cloud Map; made when it is first asked for."""
        from sandbox.aws.backends.cloudmap_zones import CloudMapZones
        from sandbox.controllers.cloudmap import CloudMapController
        from sandbox.model.cloudmap import CloudMap

        arns = f"arn:aws:servicediscovery:{REGION}:{ACCOUNT_ID}"
        cloudmap = CloudMap(arns, lambda: uuid.uuid4().hex, self._private_address)
        return CloudMapController(
            cloudmap, CloudMapZones(), self._refresh_health, self.zones.refresh, self._timeline, self._clock
        )

    def _private_address(self, instance_id: str) -> str | None:
        state, address = self._backend.instance_now(instance_id)
        return None if state in {"shutting-down", "terminated"} else address

    @cached_property
    def _health(self) -> Route53HealthChecks:
        """The health checks of Route 53; made with the first of them."""
        from sandbox.aws.backends.health_checks import endpoint_checks, show_statuses
        from sandbox.controllers.route53_health import Route53HealthChecks

        health = Route53HealthChecks(endpoint_checks, self._connect, self._health_changed, self._timeline, self._clock)
        show_statuses(health.observation)
        self._closing.callback(health.close)
        return health

    def _is_healthy(self, health_check_id: str) -> bool:
        return "_health" not in self.__dict__ or self._health.is_healthy(health_check_id)

    def _refresh_health(self) -> None:
        self._health.refresh()

    def _health_changed(self, health_check_id: str, healthy: bool) -> None:
        if "cloudmap" in self.__dict__:
            self.cloudmap.apply(lambda cloudmap, now: cloudmap.checked(health_check_id, healthy))
        self.zones.refresh()

    def open_internet(self, network: IPv4Network) -> None:
        """Let functions reach the sandbox's internet, names and addresses."""
        self._serverless.open_internet(f"{network} {self._outside_dns}")

    def addresses(self, name: str) -> list[str]:
        """The IPv4 addresses that DNS has for a name, asked from the internet."""
        found = self.zones.answer_outside(canonical(name), "A").answers
        return [record.value for record in found if record.type == "A"]

    def name_resource(self, name: str, address: str | None) -> None:
        """Give a resource of AWS's a name in DNS, or take it away (None)."""
        self.zones.name_resource(name, address)

    def close(self) -> None:
        """Stop listening, and end functions and deliveries. What ECS has under way is its own to end."""
        self._closing.close()

    def _admit(self, request: HttpRequest, service: str, region: str, operation: str | None) -> None:
        self.authorization.check(request, service, region, operation)
        if service == "logs" and f"={OWN_ACCESS_KEY}/" not in request.headers.get("authorization", ""):
            self.logs.flush()  # so that whoever asks has all that was written before

    def _called(self, call: ApiCall) -> None:
        if call.access_key != OWN_ACCESS_KEY:
            self.called.add(call.service)
        if call.service == "route53" and call.method != "GET":
            if "/healthcheck" in call.path:
                self._health.refresh()
            self.zones.refresh()
        elif call.service == "ec2" and not (call.operation or "").startswith("Describe"):
            self.on_ec2_change()
        elif call.service == "s3" and call.method == "PUT":
            self.on_object_put(call.path)
        if (call.service, call.operation) in _CHANGE_INSTANCES:
            self.instances_changed()


def _is_to_be_scaled(aws: Clients, timeline: Timeline, cluster: str, service: str) -> bool:
    """Whether there is a service that Application Auto Scaling is told to scale, which is told: nobody scales it."""
    try:
        found = aws("ecs").describe_services(cluster=cluster, services=[service])["services"]
    except ClientError:  # there is no such cluster
        return False
    if all(one["status"] != "ACTIVE" for one in found):
        return False
    timeline.record("scaling.target", cluster=cluster, service=service)
    return True
