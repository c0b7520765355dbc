"""Our gateway against moto's own server: how long a boto3 call takes through each.

Run ``python benchmarks/gateway.py``. Both servers run in processes of their own; the same client settings call them in
turns, round by round, so that what else the machine does hits both. moto's server needs Flask:
``pip install 'moto[server]'``. Exits with 1 where ours takes more than 1.2 times as long at the median.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from sandbox.aws.clients import Clients

LIMIT = 1.2
OURS = """
import sys
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.gateway import Gateway
with Gateway([], Embedded()) as gateway:
    print(gateway.url, flush=True)
    sys.stdin.read()
"""
MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
CALLS: dict[str, Callable[[Clients], Any]] = {
    "sts GetCallerIdentity": lambda aws: aws("sts").get_caller_identity(),
    "route53 ListHostedZones": lambda aws: aws("route53").list_hosted_zones(),
}


def serve(code: str) -> tuple[subprocess.Popen[str], Clients]:
    """Start a server; it ends when its standard input is closed."""
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    if not url:
        sys.exit("a server did not start; moto's needs Flask: pip install 'moto[server]'")
    return server, Clients(url)


def measure(call: Callable[[Clients], Any], aws: Clients, times: int) -> list[float]:
    """Milliseconds of each of ``times`` calls."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call(aws)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def main() -> int:
    """Measure, print the table, and say by the exit code whether ours is within the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=25, help="calls of each kind to each server in a round")
    arguments = parser.parse_args()
    servers = {"ours": serve(OURS), "moto": serve(MOTO)}
    taken: dict[str, dict[str, list[float]]] = {name: {server: [] for server in servers} for name in CALLS}
    try:
        for name, call in CALLS.items():
            for _, aws in servers.values():
                measure(call, aws, 10)  # imports, connections, caches
            for number in range(arguments.rounds):
                order = list(servers) if number % 2 else list(reversed(servers))
                for server in order:
                    taken[name][server] += measure(call, servers[server][1], arguments.calls)
    finally:
        for process, _ in servers.values():
            process.communicate()
    table = Table(Column("call", no_wrap=True), "ours median", "moto median", "ratio", "ours p95", "moto p95", "ratio")
    worst = 0.0
    for name, times in taken.items():
        medians = [statistics.median(times[server]) for server in servers]
        tails = [statistics.quantiles(times[server], n=20)[-1] for server in servers]
        worst = max(worst, medians[0] / medians[1])
        figures = [f"{value:.2f} ms" for value in (*medians, *tails)]
        ratios = [f"{ours / moto:.2f}" for ours, moto in (medians, tails)]
        table.add_row(name, *figures[:2], ratios[0], *figures[2:], ratios[1])
    Console().print(table)
    print(f"worst ratio of medians: {worst:.2f} (limit {LIMIT})")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
