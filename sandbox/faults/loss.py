"""Packets that arrive at a network interface get lost, by chance."""

from __future__ import annotations

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.namespaces import add_rules, in_each
from sandbox.faults.targets import NETWORKS, Target


def rules(percent: int) -> str:
    """Chains of nftables: before everything else, so that connection tracking never sees what is lost."""
    chance = f"numgen random mod 100 < {percent} " if percent < 100 else ""
    return (
        "chain arriving {\n"
        "  type filter hook prerouting priority -310; policy accept;\n"
        f'  iif != "lo" {chance}drop\n'
        "}"
    )


def inject(reach: Reach, target: Target, *, percent: int) -> Undo:
    """Drop packets in the namespaces of the target."""
    return in_each(reach, target, lambda container: add_rules(reach, container, rules(percent)))


FAULT = Fault(
    "loss",
    "Packets for the target get lost on their way to it.",
    NETWORKS,
    inject,
    (Option("percent", "How many of a hundred", 30, "%", 1, 100),),
)
