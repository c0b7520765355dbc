"""AWS::ElasticLoadBalancingV2: load balancers, target groups, listeners and their rules."""

from __future__ import annotations

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind, last
from sandbox.model.cloudformation.shapes import Given
from sandbox.model.cloudformation.values import apply

_LONGEST = 32  # characters of a load balancer's or target group's name
_BALANCER = "IpAddressType Scheme SecurityGroups SubnetMappings Subnets Tags Type"
_GROUP = (
    "HealthCheckEnabled HealthCheckIntervalSeconds HealthCheckPath HealthCheckPort HealthCheckProtocol "
    "HealthCheckTimeoutSeconds HealthyThresholdCount IpAddressType Matcher Port Protocol ProtocolVersion Tags "
    "TargetType UnhealthyThresholdCount VpcId"
)
_LISTENER = "AlpnPolicy DefaultActions LoadBalancerArn MutualAuthentication Port Protocol SslPolicy"


def _load_balancer(r: Resource) -> Made:
    answer = r.call("elbv2.create_load_balancer", {"Name": r.named("Name", _LONGEST), **r.given(*_BALANCER.split())})
    arn = answer("LoadBalancers.0.LoadBalancerArn")
    if r.get("LoadBalancerAttributes"):
        r.call(
            "elbv2.modify_load_balancer_attributes",
            {"LoadBalancerArn": arn, **r.given(LoadBalancerAttributes="Attributes")},
        )
    return Made(
        arn,
        {
            "CanonicalHostedZoneID": answer("LoadBalancers.0.CanonicalHostedZoneId"),
            "DNSName": answer("LoadBalancers.0.DNSName"),
            "LoadBalancerArn": arn,
            "LoadBalancerFullName": apply(_full_name, arn),
            "LoadBalancerName": answer("LoadBalancers.0.LoadBalancerName"),
            "SecurityGroups": answer("LoadBalancers.0.SecurityGroups"),
        },
    )


def _full_name(arn: str) -> str:
    return arn.partition(":loadbalancer/")[2]


def _target_group(r: Resource) -> Made:
    answer = r.call("elbv2.create_target_group", {"Name": r.named("Name", _LONGEST), **r.given(*_GROUP.split())})
    arn = answer("TargetGroups.0.TargetGroupArn")
    if r.get("TargetGroupAttributes"):
        r.call(
            "elbv2.modify_target_group_attributes",
            {"TargetGroupArn": arn, **r.given(TargetGroupAttributes="Attributes")},
        )
    if r.get("Targets"):
        r.call("elbv2.register_targets", {"TargetGroupArn": arn, **r.given("Targets")})
    return Made(
        arn,
        {
            "TargetGroupArn": arn,
            "TargetGroupFullName": apply(last, arn, ":"),
            "TargetGroupName": answer("TargetGroups.0.TargetGroupName"),
        },
    )


def _listener(r: Resource) -> Made:
    answer = r.call("elbv2.create_listener", {**r.given(*_LISTENER.split()), **_certificates(r)})
    arn = answer("Listeners.0.ListenerArn")
    if r.get("ListenerAttributes"):
        r.call("elbv2.modify_listener_attributes", {"ListenerArn": arn, **r.given(ListenerAttributes="Attributes")})
    return Made(arn, {"ListenerArn": arn})


def _certificates(r: Resource) -> dict[str, Given]:
    path = (*r.path, "Certificates")
    if "Certificates" not in r.properties:
        return {}
    made = [
        {**one, "CertificateArn": r.around.certificate(one["CertificateArn"])} if "CertificateArn" in one else one
        for one, _ in r.mappings("Certificates")
    ]
    return {"Certificates": Given(made, path)}


def _further_certificates(r: Resource) -> Made:
    r.call("elbv2.add_listener_certificates", {**_certificates(r), **r.given("ListenerArn")})
    return Made(r.name())


def _rule(r: Resource) -> Made:
    answer = r.call("elbv2.create_rule", r.given("Actions", "Conditions", "ListenerArn", "Priority"))
    return Made(
        answer("Rules.0.RuleArn"), {"IsDefault": answer("Rules.0.IsDefault"), "RuleArn": answer("Rules.0.RuleArn")}
    )


KINDS: dict[str, Kind] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": kind(
        f"LoadBalancerAttributes Name {_BALANCER}",
        "CanonicalHostedZoneID DNSName LoadBalancerArn LoadBalancerFullName LoadBalancerName SecurityGroups",
        _load_balancer,
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": kind(
        f"{_GROUP} Name TargetGroupAttributes Targets",
        "TargetGroupArn TargetGroupFullName TargetGroupName",
        _target_group,
    ),
    "AWS::ElasticLoadBalancingV2::Listener": kind(
        f"Certificates {_LISTENER} ListenerAttributes", "ListenerArn", _listener
    ),
    "AWS::ElasticLoadBalancingV2::ListenerCertificate": kind("Certificates ListenerArn", "", _further_certificates),
    "AWS::ElasticLoadBalancingV2::ListenerRule": kind(
        "Actions Conditions ListenerArn Priority", "IsDefault RuleArn", _rule
    ),
}
