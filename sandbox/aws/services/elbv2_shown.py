"""Load balancers, listeners, rules and target groups as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.model.elb.actions import shown_action
from sandbox.model.elb.conditions import shown_condition
from sandbox.model.elb.config import Listener, LoadBalancer, Rule, TargetGroup
from sandbox.model.elb.records import HeldBalancer

Answer = dict[str, Any]

HOSTED_ZONE = "Z35SXDOTRQ7X7K"
"""Of Application Load Balancers in us-east-1, for alias records (AWS General Reference: "Elastic Load Balancing")."""


def shown_balancer(held: HeldBalancer, state: str = "active") -> Answer:
    """The API's LoadBalancer."""
    one = held.balancer
    return {
        "LoadBalancerArn": one.arn,
        "DNSName": one.dns_name,
        "CanonicalHostedZoneId": HOSTED_ZONE,
        "CreatedTime": held.created,
        "LoadBalancerName": one.name,
        "Scheme": one.scheme,
        "VpcId": one.vpc_id,
        "State": {"Code": state},
        "Type": "application",
        "AvailabilityZones": shown_zones(held),
        "SecurityGroups": list(one.security_groups),
        "IpAddressType": "ipv4",
    }


def shown_zones(held: HeldBalancer) -> list[Answer]:
    """The API's AvailabilityZones."""
    return [{"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []} for zone, subnet in held.zones]


def shown_listener(balancer: LoadBalancer, listener: Listener) -> Answer:
    """The API's Listener; of its certificates it shows the default one."""
    shown = {
        "ListenerArn": listener.arn,
        "LoadBalancerArn": balancer.arn,
        "Port": listener.port,
        "Protocol": listener.protocol,
        "DefaultActions": [shown_action(listener.rules[-1].action)],
    }
    if listener.protocol == "HTTPS":
        shown["Certificates"] = [{"CertificateArn": listener.certificates[0]}]
        shown["SslPolicy"] = listener.ssl_policy
        shown["MutualAuthentication"] = {"Mode": "off"}
    return shown


def shown_rule(rule: Rule) -> Answer:
    """The API's Rule."""
    return {
        "RuleArn": rule.arn,
        "Priority": "default" if rule.priority is None else str(rule.priority),
        "Conditions": [shown_condition(condition) for condition in rule.conditions],
        "Actions": [shown_action(rule.action)],
        "IsDefault": rule.priority is None,
        "Transforms": [],
    }


def shown_group(group: TargetGroup, balancer_arn: str | None) -> Answer:
    """The API's TargetGroup; ``balancer_arn`` is of the load balancer that forwards to it."""
    check = group.health_check
    return {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": group.protocol,
        "Port": group.port,
        "VpcId": group.vpc_id,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path,
        "Matcher": {"HttpCode": check.matcher},
        "LoadBalancerArns": [balancer_arn] if balancer_arn else [],
        "TargetType": group.target_type,
        "ProtocolVersion": group.protocol_version,
        "IpAddressType": "ipv4",
    }


def shown_attributes(attributes: Mapping[str, str]) -> list[Answer]:
    """The API's Attributes, in the order of their keys."""
    return [{"Key": key, "Value": attributes[key]} for key in sorted(attributes)]
