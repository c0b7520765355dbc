"""What the target sends arrives later: netem where the kernel has it, else a relay for its TCP connections."""

from __future__ import annotations

import contextlib

from sandbox.errors import SandboxError
from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.namespaces import HELPER_USER, already_held, in_each, redirect, run, run_if_there
from sandbox.faults.targets import NETWORKS, Target

# What kernels say that have no module for it, and that there is something of the kind.
_NO_NETEM = ("qdisc kind is unknown", "classifier not found", "No such file or directory")
_HELD = ("Exclusivity flag on", "File exists")


def rules(port: int) -> str:
    """Chains of nftables that lead new TCP connections, of both directions, to a relay at ``port``."""
    return (
        "chain incoming {\n"
        "  type nat hook prerouting priority -110; policy accept;\n"
        f'  iif != "lo" fib daddr type local meta l4proto tcp redirect to :{port}\n'
        "}\n"
        "chain outgoing {\n"
        "  type nat hook output priority -110; policy accept;\n"
        f'  oif != "lo" meta skuid != {HELPER_USER} meta l4proto tcp redirect to :{port}\n'
        "}"
    )


def inject(reach: Reach, target: Target, *, milliseconds: int) -> Undo:
    """Delay in the namespaces of the target."""

    def put(container: str) -> Undo:
        try:
            return _by_netem(reach, container, milliseconds)
        except SandboxError as error:
            if any(words in error.state for words in _HELD):
                raise already_held("latency") from None
            if not any(words in error.state for words in _NO_NETEM):
                raise
        return redirect(reach, container, rules, "delay.pl", str(milliseconds), only="latency")

    return in_each(reach, target, put)


def _by_netem(reach: Reach, container: str, milliseconds: int) -> Undo:
    def command(words: str) -> list[str]:
        # Whatever its interfaces are called; the loopback is not the network.
        return ["sh", "-c", f"for i in $(ls /sys/class/net | grep -vx lo); do tc {words} || exit; done"]

    # Only IP is late: a VPC answers ARP itself, and a Linux that gets no answer for 3 s tells of no route.
    run(reach, container, command('qdisc add dev "$i" root handle 1: prio bands 2 priomap' + " 0" * 16))
    with contextlib.ExitStack() as undo:
        undo.callback(run_if_there, reach, container, command('qdisc del dev "$i" root'))
        delay = f"{milliseconds}ms limit 100000"
        run(reach, container, command(f'qdisc add dev "$i" parent 1:2 netem delay {delay}'))
        run(reach, container, command('filter add dev "$i" parent 1: protocol ip matchall flowid 1:2'))
        return undo.pop_all().close


FAULT = Fault(
    "latency",
    "What the target sends arrives late, as over a slow network.",
    NETWORKS,
    inject,
    (Option("milliseconds", "How late", 200, "ms", 1, 60_000),),
)
