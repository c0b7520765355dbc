"""ARNs and DNS names of load balancers and what belongs to them.

Service Authorization Reference, "Actions, resources, and condition keys for AWS Elastic Load Balancing V2". An ARN has
those of what it belongs to in it: a rule's leads to its listener, and a listener's to its load balancer.
"""

from __future__ import annotations

import re

from sandbox.model.elb.errors import validation_error

_PATHS = {
    "load balancer": r"loadbalancer/app/[A-Za-z0-9-]+/[0-9a-f]{16}",
    "listener": r"listener/app/[A-Za-z0-9-]+/[0-9a-f]{16}/[0-9a-f]{16}",
    "listener rule": r"listener-rule/app/[A-Za-z0-9-]+/[0-9a-f]{16}/[0-9a-f]{16}/[0-9a-f]{16}",
    "target group": r"targetgroup/[A-Za-z0-9-]+/[0-9a-f]{16}",
}
_PATTERNS = {
    kind: re.compile(rf"arn:aws:elasticloadbalancing:[a-z0-9-]+:[0-9]{{12}}:{path}") for kind, path in _PATHS.items()
}


def balancer_arn(region: str, account_id: str, name: str, id_: str) -> str:
    """A load balancer's; ``id_`` is 16 hexadecimal digits, as everywhere here."""
    return f"arn:aws:elasticloadbalancing:{region}:{account_id}:loadbalancer/app/{name}/{id_}"


def group_arn(region: str, account_id: str, name: str, id_: str) -> str:
    """A target group's."""
    return f"arn:aws:elasticloadbalancing:{region}:{account_id}:targetgroup/{name}/{id_}"


def listener_arn(of_balancer: str, id_: str) -> str:
    """That of a listener of a load balancer."""
    return f"{of_balancer.replace(':loadbalancer/', ':listener/')}/{id_}"


def rule_arn(of_listener: str, id_: str) -> str:
    """That of a rule of a listener."""
    return f"{of_listener.replace(':listener/', ':listener-rule/')}/{id_}"


def balancer_of(of_listener: str) -> str:
    """The ARN of the load balancer that a listener belongs to."""
    return of_listener.rpartition("/")[0].replace(":listener/", ":loadbalancer/")


def listener_of(of_rule: str) -> str:
    """The ARN of the listener that a rule belongs to."""
    return of_rule.rpartition("/")[0].replace(":listener-rule/", ":listener/")


def kind_of(arn: str) -> str | None:
    """Of what kind an ARN is: load balancer, listener, listener rule, target group, or (None) something else."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.fullmatch(arn)), None)


def require(arn: str, kind: str) -> str:
    """The ARN, if it has the form of one of that kind.

    Raises:
        ElbError: ValidationError.
    """
    if kind_of(arn) != kind:
        raise validation_error(f"'{arn}' is not a valid {kind} ARN")
    return arn


def dns_name(name: str, number: int, region: str, scheme: str) -> str:
    """What clients resolve (guide: "Application Load Balancers", "Load balancer scheme")."""
    internal = "internal-" if scheme == "internal" else ""
    return f"{internal}{name}-{number}.{region}.elb.amazonaws.com"
