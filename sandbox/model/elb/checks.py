"""What a health check asks, and what an answer means.

Rules: Application Load Balancer guide, "Health checks for Application Load Balancer target groups"; API reference
"Matcher". The request's headers are those that targets log (seen).
"""

from __future__ import annotations

from sandbox.model.elb.config import HealthCheck, TargetGroup
from sandbox.model.elb.messages import mismatch
from sandbox.model.elb.target import Target, TargetHealth


def port(check: HealthCheck, target: Target) -> int:
    """Where a target is checked."""
    return target.port if check.port == "traffic-port" else int(check.port)


def request(group: TargetGroup, address: str, checked_port: int) -> bytes:
    """What is sent to a target."""
    lines = (
        f"GET {group.health_check.path} HTTP/1.1",
        f"Host: {address}:{checked_port}",
        "Connection: close",
        "User-Agent: ELB-HealthChecker/2.0",
        "Accept-Encoding: gzip, compressed",
    )
    return "\r\n".join((*lines, "", "")).encode()


def passes(matcher: str, status: int) -> bool:
    """Whether a status is one of "200", "200,301" or "200-299"."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def failure(check: HealthCheck, status: int) -> TargetHealth | None:
    """What an answer with a status says: None that the check has passed."""
    return None if passes(check.matcher, status) else mismatch(status)
