"""An Application Load Balancer as the API describes it, in the form that the rest of the model works with.

Names are those of the Elastic Load Balancing API (version 2015-12-01); all times are seconds, as AWS states them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HealthCheck:
    """How targets are checked (API reference "TargetGroup").

    Attributes:
        enabled: Always so for types ip and instance.
        protocol: HTTP or HTTPS; certificates are not verified.
        port: "traffic-port" or a port number.
        path: Begins with "/".
        interval: From one check to the next.
        timeout: Without an answer for so long, a check has failed.
        healthy_threshold: Passed checks in a row that make an unhealthy target healthy.
        unhealthy_threshold: Failed checks in a row that make a healthy target unhealthy.
        matcher: The statuses that pass, such as "200", "200,301" or "200-299".
    """

    enabled: bool = True
    protocol: str = "HTTP"
    port: str = "traffic-port"
    path: str = "/"
    interval: int = 30
    timeout: int = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"


@dataclass(frozen=True)
class Stickiness:
    """Stickiness of a target group.

    Attributes:
        enabled: Off by default.
        type: lb_cookie (AWSALB and AWSALBCORS) or app_cookie (the application's cookie decides, with AWSALBAPP-0).
        duration: How long a client stays with its target without a further request.
        cookie_name: The application's, for app_cookie.
    """

    enabled: bool = False
    type: str = "lb_cookie"
    duration: int = 86400
    cookie_name: str = ""


@dataclass(frozen=True)
class TargetGroup:
    """A target group.

    Attributes:
        arn: As in the API.
        name: As in the API.
        protocol: HTTP or HTTPS, towards the targets.
        port: Of targets that are registered without one.
        target_type: ip or instance.
        vpc_id: Where its targets are.
        protocol_version: HTTP1.
        health_check: How targets are checked.
        stickiness: Of its clients.
        deregistration_delay: How long requests in flight may go on after a deregistration.
        slow_start: How long a target that has become healthy gets a growing share (0: at once a full one).
        algorithm: round_robin, least_outstanding_requests or weighted_random.
        attributes: All of them as DescribeTargetGroupAttributes shows them.
    """

    arn: str
    name: str
    protocol: str
    port: int
    target_type: str
    vpc_id: str
    protocol_version: str = "HTTP1"
    health_check: HealthCheck = field(default_factory=HealthCheck)
    stickiness: Stickiness = field(default_factory=Stickiness)
    deregistration_delay: int = 300
    slow_start: int = 0
    algorithm: str = "round_robin"
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """One condition of a rule (API reference "RuleCondition"); it holds when one of its values does.

    Attributes:
        field: host-header, path-pattern, http-header, http-request-method, query-string or source-ip.
        values: Patterns with * and ?; methods; CIDRs. For query-string each is (key or "", value).
        header: The header's name, for http-header.
    """

    field: str
    values: tuple[str, ...] | tuple[tuple[str, str], ...]
    header: str = ""


@dataclass(frozen=True)
class Forward:
    """Forward to one of several groups, by weight.

    Attributes:
        groups: (target group ARN, weight 0 to 999).
        stickiness: How long a client stays with its *group* (AWSALBTG); None: it does not.
        duration: What was given for that, also where it is switched off; only shown.
    """

    groups: tuple[tuple[str, int], ...]
    stickiness: int | None = None
    duration: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Redirect:
    """Redirect; each part may have #{protocol}, #{host}, #{port}, #{path} and #{query} in it.

    ``status`` is 301 or 302.
    """

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True)
class FixedResponse:
    """Answer without asking a target."""

    status: int
    content_type: str = ""
    body: str = ""


Action = Forward | Redirect | FixedResponse


@dataclass(frozen=True)
class Rule:
    """A rule: the first one, by priority, whose conditions all hold decides. ``priority`` None: the default rule."""

    arn: str
    priority: int | None
    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class Listener:
    """A listener. ``rules`` are in the order in which they are asked; the default rule is the last.

    ``certificates`` are ARNs of certificates of ACM, the default one first; empty for HTTP, as is ``ssl_policy``, the
    name of the security policy.
    """

    arn: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]
    certificates: tuple[str, ...] = ()
    ssl_policy: str = ""


@dataclass(frozen=True)
class Attributes:
    """A load balancer's attributes, as far as traffic shows them (API reference "LoadBalancerAttribute").

    Attributes:
        idle_timeout: Without a byte for so long, a connection is closed (1 to 4000).
        client_keep_alive: A client's connection is closed after so long, used or not (60 to 604800).
        http2: Whether HTTPS listeners speak HTTP/2.
        preserve_host_header: Whether targets see the client's Host as it was sent.
        xff_header_processing_mode: append, preserve or remove.
        xff_client_port: Whether X-Forwarded-For has the client's port.
        drop_invalid_header_fields: Whether headers with invalid names are removed.
        x_amzn_tls_headers: Whether targets get x-amzn-tls-version and x-amzn-tls-cipher-suite.
        raw: All of them as DescribeLoadBalancerAttributes shows them.
    """

    idle_timeout: int = 60
    client_keep_alive: int = 3600
    http2: bool = True
    preserve_host_header: bool = False
    xff_header_processing_mode: str = "append"
    xff_client_port: bool = False
    drop_invalid_header_fields: bool = False
    x_amzn_tls_headers: bool = False
    raw: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadBalancer:
    """An Application Load Balancer with its listeners and the target groups that they name.

    Attributes:
        arn: As in the API.
        name: As in the API.
        dns_name: NAME-NUMBER.REGION.elb.amazonaws.com, with "internal-" before it for an internal one.
        scheme: internet-facing or internal.
        vpc_id: Where it is.
        subnets: Where its network interfaces are.
        security_groups: What it lets in.
        attributes: How it treats connections.
        listeners: By port.
        groups: Every target group that a listener names, by ARN.
    """

    arn: str
    name: str
    dns_name: str
    scheme: str
    vpc_id: str
    subnets: Sequence[str]
    security_groups: Sequence[str]
    attributes: Attributes = field(default_factory=Attributes)
    listeners: Sequence[Listener] = ()
    groups: Mapping[str, TargetGroup] = field(default_factory=dict)
