"""Load balancers for the target groups that services name: one for each, with a name that leads to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.model.own.errors import OwnError
from sandbox.model.own.settings import Group
from sandbox.model.own.step import Reference, Step

_GROUP_ARN = re.compile(r"arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:targetgroup/([A-Za-z0-9-]+)/[^/]+")
_ONE_STATUS = re.compile(r"\d{3}")


class Balancing:
    """Collects the target groups, then has the calls that make them.

    Args:
        settings: By the name of a target group.
        notes: Gets what is to be told.
    """

    def __init__(self, settings: Mapping[str, Group], notes: list[str]) -> None:
        self._settings = settings
        self._notes = notes
        self._used: dict[str, tuple[Group, int, bool]] = {}

    def use(self, service: str, balancer: Mapping[str, Any], *, in_vpc: bool) -> dict[str, Any]:
        """An entry of ``loadBalancers`` with the sandbox's target group in the place of its own.

        Raises:
            OwnError: It names no target group.
        """
        match = _GROUP_ARN.fullmatch(str(balancer.get("targetGroupArn", "")))
        if match is None:
            raise OwnError(
                f"service '{service}': loadBalancers has no target group's ARN",
                "Application Load Balancers are carried out, classic ones are not",
            )
        name = match[1]
        if name not in self._used:
            if name not in self._settings:
                self._notes.append(
                    f"target group {name}: its health check asks for / and wants 200; [target_groups.{name}] changes it"
                )
            self._used[name] = (self._settings.get(name, Group()), int(balancer.get("containerPort") or 80), in_vpc)
        return {**balancer, "targetGroupArn": Reference(f"group-{name}.TargetGroups.0.TargetGroupArn")}

    def steps(self) -> Iterator[Step]:
        """The calls.

        Raises:
            OwnError: The settings have a target group that no service names.
        """
        for name in self._settings:
            if name not in self._used:
                used = ", ".join(self._used) or "none"
                raise OwnError(f"[target_groups.{name}]: no service names it", f"those that are named: {used}")
        zones: dict[str, str] = {}
        for name, (group, port, in_vpc) in self._used.items():
            yield from _make(name, group, port, "ip" if in_vpc else "instance")
            zone = _host(name, group).partition(".")[2]
            if zone not in zones:
                zones[zone] = f"zone{len(zones)}"
                yield Step("route53.create_hosted_zone", {"Name": zone, "CallerReference": zone}, zones[zone])
            yield _record(_host(name, group), zones[zone], f"balancer-{name}")

    def ready(self) -> Iterator[Mapping[str, Any]]:
        """Each group's health check, asked by name, where it wants one status."""
        for name, (group, _, _) in self._used.items():
            url = f"http://{_host(name, group)}{group.health_check}"
            if _ONE_STATUS.fullmatch(group.matcher):
                yield {"url": url, "status": int(group.matcher), "within": 120}
            else:
                self._notes.append(f"nothing waits for {url}, as its matcher is {group.matcher}: name it in [[ready]]")


def _host(name: str, group: Group) -> str:
    return group.host or f"{name.lower()}.example.com"


def _make(name: str, group: Group, port: int, target_type: str) -> Iterator[Step]:
    balancer, made = f"balancer-{name}", f"group-{name}"
    times = {
        "HealthCheckIntervalSeconds": group.interval,
        "HealthCheckTimeoutSeconds": group.timeout,
        "HealthyThresholdCount": group.healthy,
        "UnhealthyThresholdCount": group.unhealthy,
    }
    yield Step(
        "elbv2.create_load_balancer",
        {
            "Name": name,
            "Subnets": Reference("sandbox.subnets"),
            "SecurityGroups": [Reference("sandbox.security_group")],
        },
        balancer,
    )
    yield Step(
        "elbv2.create_target_group",
        {
            "Name": name,
            "Protocol": "HTTP",
            "Port": port,
            "VpcId": Reference("sandbox.vpc"),
            "TargetType": target_type,
            "HealthCheckPath": group.health_check,
            "Matcher": {"HttpCode": group.matcher},
            **{key: value for key, value in times.items() if value is not None},
        },
        made,
    )
    arn = Reference(f"{made}.TargetGroups.0.TargetGroupArn")
    attributes = []
    if group.deregistration_delay is not None:
        attributes.append({"Key": "deregistration_delay.timeout_seconds", "Value": str(group.deregistration_delay)})
    if group.sticky:
        attributes += [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}]
    if attributes:
        yield Step("elbv2.modify_target_group_attributes", {"TargetGroupArn": arn, "Attributes": attributes})
    yield Step(
        "elbv2.create_listener",
        {
            "LoadBalancerArn": Reference(f"{balancer}.LoadBalancers.0.LoadBalancerArn"),
            "Protocol": "HTTP",
            "Port": 80,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": arn}],
        },
    )


def _record(host: str, zone: str, balancer: str) -> Step:
    return Step(
        "route53.change_resource_record_sets",
        {
            "HostedZoneId": Reference(f"{zone}.HostedZone.Id"),
            "ChangeBatch": {
                "Changes": [
                    {
                        "Action": "CREATE",
                        "ResourceRecordSet": {
                            "Name": host,
                            "Type": "A",
                            "AliasTarget": {
                                "DNSName": Reference(f"{balancer}.LoadBalancers.0.DNSName"),
                                "HostedZoneId": Reference(f"{balancer}.LoadBalancers.0.CanonicalHostedZoneId"),
                                "EvaluateTargetHealth": False,
                            },
                        },
                    }
                ]
            },
        },
    )
