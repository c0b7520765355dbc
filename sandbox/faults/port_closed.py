"""A port that nobody reaches: dropped as by a security group, or refused as where no process listens."""

from __future__ import annotations

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.namespaces import add_rules, in_each
from sandbox.faults.targets import NETWORKS, Target


def rules(port: int, mode: str) -> str:
    """Chains of nftables. What clients send is matched, by the port that they sent it to; localhost stays open."""
    verdict = "drop" if mode == "drop" else "reject with tcp reset"
    return (
        "chain incoming {\n"
        "  type filter hook input priority -310; policy accept;\n"
        f'  iif != "lo" ct direction original meta l4proto tcp ct original proto-dst {port} {verdict}\n'
        "}"
    )


def inject(reach: Reach, target: Target, *, port: int, mode: str) -> Undo:
    """Close the port in the namespaces of the target, for connections that are open, too."""
    return in_each(reach, target, lambda container: add_rules(reach, container, rules(port, mode)))


FAULT = Fault(
    "port-closed",
    "Nobody reaches a TCP port of the target from outside; connections that are open end or stall.",
    NETWORKS,
    inject,
    (
        Option("port", "The port, as clients connect to it", 80, "TCP port", 1, 65535),
        Option("mode", "Whether clients time out (drop) or are refused (reject)", "drop", choices=("drop", "reject")),
    ),
)
