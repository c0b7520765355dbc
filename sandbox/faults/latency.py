"""What the target sends arrives later: netem where the kernel has it, else a relay for its TCP connections."""

from __future__ import annotations

from sandbox.errors import SandboxError
from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.namespaces import HELPER_USER, in_each, redirect, run, run_if_there
from sandbox.faults.targets import NETWORKS, Target

_NO_NETEM = ("qdisc kind is unknown", "No such file or directory")  # what new and old kernels say


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
            if not any(words in error.state for words in _NO_NETEM):
                raise
        return redirect(reach, container, rules, "delay.pl", str(milliseconds), only="latency")

    return in_each(reach, target, put)


def _by_netem(reach: Reach, container: str, milliseconds: int) -> Undo:
    # Whatever its interfaces are called; the loopback is not the network.
    each = 'for i in $(ls /sys/class/net | grep -vx lo); do tc qdisc "$0" dev "$i" root "$@" || exit; done'
    run(reach, container, ["sh", "-c", each, "add", "netem", "delay", f"{milliseconds}ms", "limit", "100000"])
    return lambda: run_if_there(reach, container, ["sh", "-c", each, "del"])


FAULT = Fault(
    "latency",
    "What the target sends arrives late, as over a slow network.",
    NETWORKS,
    inject,
    (Option("milliseconds", "How late", 200, "ms", 1, 60_000),),
)
