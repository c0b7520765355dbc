"""Sessions that stay with a target, or with a target group, by cookies that the load balancer makes.

Rules: Application Load Balancer guide, "Edit target group attributes" (before: "Sticky sessions for your Application
Load Balancer"). Cookies expire at the client after seven days; the session is over sooner, when its duration is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.model.elb.config import Forward, Stickiness, TargetGroup
from sandbox.model.elb.target import Target

COOKIE_LIFETIME = 7 * 86400
"""Seconds: the Expires of every cookie that a load balancer makes."""
TARGET_COOKIE, TARGET_COOKIE_CORS = "AWSALB", "AWSALBCORS"
APP_COOKIE = "AWSALBAPP-0"
GROUP_COOKIE, GROUP_COOKIE_CORS = "AWSALBTG", "AWSALBTGCORS"


@dataclass(frozen=True)
class Session:
    """What a cookie holds, encrypted: whom it binds to, and since when.

    Attributes:
        group: The target group's ARN.
        target: None in a cookie that binds to the group alone.
        at: When it was made, in AWS's seconds.
    """

    group: str
    target: Target | None
    at: float


def bound_target(
    session: Session | None,
    group: TargetGroup,
    route: Mapping[Target, int],
    now: float,
    *,
    has_app_cookie: bool = False,
) -> Target | None:
    """The target that a request's session binds it to; None: the algorithm chooses.

    Args:
        session: Of the request's cookie; None where it has none, or one that cannot be decrypted.
        group: Where the request goes.
        route: Who gets requests: a target that drains or is unhealthy does not, and its sessions move.
        now: In AWS's seconds.
        has_app_cookie: Whether the request has the application's cookie, which app_cookie wants beside its own.
    """
    sticky = group.stickiness
    if not sticky.enabled or session is None or session.group != group.arn or session.target not in route:
        return None
    if sticky.type == "app_cookie" and not has_app_cookie:
        return None
    return session.target if now - session.at < sticky.duration else None


def cookies_set(stickiness: Stickiness, *, app_cookie_set: bool = False, had_session: bool = False) -> tuple[str, ...]:
    """The cookies in the answer of a target: made anew with every answer.

    Args:
        stickiness: Of its group.
        app_cookie_set: Whether the target has set the application's cookie.
        had_session: Whether the request had a session of this group, in force or not.
    """
    if not stickiness.enabled:
        return ()
    if stickiness.type == "lb_cookie":
        return TARGET_COOKIE, TARGET_COOKIE_CORS
    return (APP_COOKIE,) if app_cookie_set or had_session else ()


def bound_group(session: Session | None, forward: Forward, now: float) -> str | None:
    """The ARN of the group that a request's session binds it to; None: the weights choose."""
    if forward.stickiness is None or session is None or now - session.at >= forward.stickiness:
        return None
    return session.group if any(session.group == arn for arn, _ in forward.groups) else None


def choose_group(forward: Forward, draw: float) -> str | None:
    """The ARN of the group that gets a request, by weight; None where no group has any.

    ``draw`` is a random number from 0 up to 1.
    """
    left = draw * sum(weight for _, weight in forward.groups)
    for arn, weight in forward.groups:
        left -= weight
        if left < 0:
            return arn
    return None
