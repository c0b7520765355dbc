"""An application that answers every request with an error, whatever it would have answered."""

from __future__ import annotations

from http import HTTPStatus

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.namespaces import in_each, redirect
from sandbox.faults.targets import NETWORKS, Target


def rules(port: int, helper: int) -> str:
    """Chains of nftables that lead new connections for ``port`` to the helper."""
    return (
        "chain incoming {\n"
        "  type nat hook prerouting priority -120; policy accept;\n"
        f'  iif != "lo" fib daddr type local tcp dport {port} redirect to :{helper}\n'
        "}"
    )


def inject(reach: Reach, target: Target, *, port: int, status: int) -> Undo:
    """Answer in the application's place in the namespaces of the target."""
    reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"

    def put(container: str) -> Undo:
        return redirect(
            reach,
            container,
            lambda helper: rules(port, helper),
            "answer.pl",
            str(status),
            reason,
            only=f"origin_{port}",
        )

    return in_each(reach, target, put)


FAULT = Fault(
    "origin-5xx",
    "Every HTTP request of a new connection to a port of the target is answered with an error.",
    NETWORKS,
    inject,
    (
        Option("port", "The port, as clients connect to it", 80, "TCP port", 1, 65535),
        Option("status", "What is answered", 503, "HTTP status", 500, 599),
    ),
)
