"""Elastic Load Balancing under test: boto3 through the real gateway, EC2 and ACM behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.elbv2 import ElbService
from sandbox.clock import VirtualClock
from tests.aws.services.balancing_recorder import Recorder

NOON = 1_750_000_000.25
GONE = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410"}}]


@dataclass
class Control:
    """Elastic Load Balancing, who carries its traffic, and a VPC with subnets in two zones."""

    aws: Clients
    service: ElbService
    balancing: Recorder
    backend: Embedded
    vpc: str
    subnets: list[str]
    security_group: str

    @property
    def elb(self) -> Any:
        return self.aws("elbv2")

    def balancer(self, name: str = "web", **more: Any) -> str:
        """The ARN of a new load balancer."""
        made = self.elb.create_load_balancer(Name=name, Subnets=self.subnets, **more)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def group(self, name: str = "blue", **more: Any) -> str:
        """The ARN of a new target group, of addresses."""
        settings = {"Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip", **more}
        return str(self.elb.create_target_group(Name=name, **settings)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, balancer: str, port: int = 80, **more: Any) -> str:
        """The ARN of a new listener, of HTTP unless it is told otherwise."""
        settings = {"Protocol": "HTTP", "DefaultActions": GONE, **more}
        made = self.elb.create_listener(LoadBalancerArn=balancer, Port=port, **settings)
        return str(made["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, priority: int, path: str = "/a", actions: Any = None) -> str:
        """The ARN of a new rule."""
        conditions = [{"Field": "path-pattern", "Values": [path]}]
        made = self.elb.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=actions or GONE
        )
        return str(made["Rules"][0]["RuleArn"])

    def certificate(self, name: str = "shop.example.org") -> str:
        """The ARN of a certificate that ACM was asked for."""
        return str(self.aws("acm").request_certificate(DomainName=name)["CertificateArn"])


@contextmanager
def controlled() -> Iterator[Control]:
    """A control, from nothing to nothing."""
    backend, balancing = Embedded(), Recorder()
    vpc = backend.create_vpc("10.20.0.0/16")
    subnets = [
        backend.create_subnet(vpc, f"10.20.{n}.0/24", f"us-east-1{zone}") for n, zone in enumerate("ab", start=1)
    ]
    group = backend.create_security_group(vpc, "web", "the load balancer's")
    service = ElbService(balancing, VirtualClock(NOON), backend)
    with Gateway([service], backend) as gateway:
        clients = Clients(gateway.url)
        yield Control(clients, service, balancing, backend, vpc, subnets, group)
        clients.close()
    backend.reset()


def forward(group: str) -> list[dict[str, Any]]:
    """The action that forwards to one group."""
    return [{"Type": "forward", "TargetGroupArn": group}]


def refused(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """Status, code and message of the error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
