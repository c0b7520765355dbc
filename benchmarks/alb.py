"""HTTP requests and WebSocket messages through a load balancer, against a bare HAProxy of the same image.

Both lead to the same nginx and the same echo server, on the networks of one sandbox. The load comes from a container
beside them (wrk, which the benchmark's own image gets from Debian, and a small WebSocket client), for a few seconds,
in turn. Then: how long a change of targets takes. Exit 1 where the median of the rounds' throughput ratios is below
0.95, that of their p99 ratios above 1.1, or a change of targets takes 100 ms or more.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import statistics
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from docker.types import Mount

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.containers import Spec
from sandbox.model.elb.config import Forward, HealthCheck, Listener, LoadBalancer, Rule, TargetGroup
from sandbox.model.elb.target import Target

ROUNDS, SECONDS, CONNECTIONS, SOCKETS = 8, 3, 16, 16
CHANGES = 50
THROUGHPUT, P99, CHANGE = 0.95, 1.1, 100.0
PEER, OURS = "bare HAProxy", "load balancer"
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012"

BARE = """\
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
{listeners}"""
LISTENER = """\
frontend {name}
    bind :{port}
    default_backend {name}
backend {name}
    server one {address}
"""
NGINX = """\
worker_processes 1;
pid /tmp/nginx.pid;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    server { listen 80; location / { default_type text/plain; return 200 "a page of this site\\n"; } }
}
"""
# What both sides of a WebSocket need here: the handshake, and messages of less than 126 bytes that fit in one read.
ECHO = """\
import asyncio, base64, hashlib

async def serve(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode()
    if "websocket" not in head.lower():
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        writer.close()
        return
    key = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")
    while said := await reader.read(4096):
        mask, text = said[2:6], said[6:]
        writer.write(bytes([129, len(text)]) + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)))

async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 80) as server:
        await server.serve_forever()

asyncio.run(main())
"""
CLIENT = """\
import asyncio, sys, time

async def client(address, until, times):
    reader, writer = await asyncio.open_connection(address, int(sys.argv[2]))
    writer.write(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n")
    assert b" 101 " in await reader.readuntil(b"\\r\\n\\r\\n")
    message = bytes([129, 128 + 32, 1, 2, 3, 4]) + b"x" * 32
    while (begun := time.perf_counter()) < until:
        writer.write(message)
        await reader.readexactly(34)
        times.append(time.perf_counter() - begun)
    writer.close()

async def main():
    times = []
    until = time.perf_counter() + float(sys.argv[3])
    await asyncio.gather(*(client(sys.argv[1], until, times) for _ in range(int(sys.argv[4]))))
    times.sort()
    print(len(times) / float(sys.argv[3]), times[int(len(times) * 0.99)] * 1000)

asyncio.run(main())
"""


def load_image(client: Any, base: str) -> str:
    """The toolbox with wrk and Python."""
    packages = "wrk python3-minimal libpython3-stdlib"
    dockerfile = f"FROM {base}\nRUN apt-get update && apt-get install -y --no-install-recommends {packages}\n".encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile))
    context.seek(0)
    image, _ = client.images.build(fileobj=context, custom_context=True, pull=False, forcerm=True)
    return str(image.id)


def await_port(address: str, port: int) -> None:
    """Until somebody listens."""
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"nobody listens on {address}:{port}")
        time.sleep(0.05)


def group(name: str, port: int) -> TargetGroup:
    """A target group of the benchmark."""
    check = HealthCheck(interval=5, timeout=2)
    return TargetGroup(f"{ARN}:targetgroup/{name}/{port}", name, "HTTP", 80, "ip", "vpc", health_check=check)


def deploy(sandbox: Sandbox, groups: Mapping[int, TargetGroup]) -> LoadBalancer:
    """A load balancer with one listener a group."""
    listeners = [
        Listener(f"{ARN}:listener/{port}", port, "HTTP", (Rule("default", None, (), Forward(((one.arn, 1),))),))
        for port, one in groups.items()
    ]
    made = LoadBalancer(
        f"{ARN}:loadbalancer/app/bench/1",
        "bench",
        "bench-1.us-east-1.elb.amazonaws.com",
        "internet-facing",
        "vpc",
        sandbox.subnets,
        [sandbox.security_group],
        listeners=listeners,
        groups={one.arn: one for one in groups.values()},
    )
    sandbox.load_balancers.deploy(made)
    return made


def compare(what: str, measure: Callable[[str], tuple[float, float]], where: Mapping[str, str]) -> bool:
    """Measure both in turn, print, and say whether the goals are met."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in where}
    for number in range(ROUNDS + 1):
        # Whoever comes second in a round has the warmer machine, or the more tired one: they take turns.
        for name, address in list(where.items())[:: 1 if number % 2 else -1]:
            measured = measure(address)
            if number:
                rates[name].append(measured)
    for name, values in rates.items():
        rate, p99 = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{what:10} {name:14} median {rate:8.0f} a second, p99 {p99:.2f} ms")
    pairs = list(zip(rates[OURS], rates[PEER], strict=True))
    throughput = statistics.median(ours[0] / peer[0] for ours, peer in pairs)
    p99 = statistics.median(ours[1] / peer[1] for ours, peer in pairs)
    print(f"{what:10} throughput {throughput:.2f} times (goal {THROUGHPUT}), p99 {p99:.2f} times (goal {P99})")
    return throughput >= THROUGHPUT and p99 <= P99


def time_changes(sandbox: Sandbox, one: TargetGroup, address: str) -> bool:
    """How long it takes until a registration, or a deregistration, is carried out."""
    taken = []
    for change in (sandbox.load_balancers.register, sandbox.load_balancers.deregister):
        for number in range(CHANGES):
            begun = time.perf_counter()
            change(one.arn, [Target(address, 1000 + number)])
            taken.append((time.perf_counter() - begun) * 1000)
    longest, median = max(taken), statistics.median(taken)
    print(f"a change of targets: median {median:.1f} ms, longest {longest:.1f} ms (goal: below {CHANGE:.0f} ms)")
    return longest < CHANGE


def main() -> None:
    """Measure, print, and exit 1 where a goal is missed."""
    with Sandbox() as sandbox:
        containers, network = sandbox._containers, sandbox._network
        folder = sandbox._run.folder / "bench"
        folder.mkdir()
        folder.chmod(0o755)
        image = load_image(containers.client, sandbox._images.ensure("toolbox"))
        pages, sockets, bare = (network.vpc.address(offset) for offset in (4000, 4001, 4002))
        listeners = "".join(
            LISTENER.format(name=name, port=port, address=f"{address}:80")
            for name, port, address in (("pages", 80, pages), ("sockets", 8080, sockets))
        )
        for name, text in {
            "nginx.conf": NGINX,
            "echo.py": ECHO,
            "client.py": CLIENT,
            "bare.cfg": BARE.format(listeners=listeners),
        }.items():
            (folder / name).write_text(text)
        mounts = [Mount("/bench", str(folder), type="bind", read_only=True)]

        def start(name: str, used: str, address: str | None, *command: str) -> str:
            return containers.run_new(
                Spec(
                    name,
                    used,
                    entrypoint=[command[0]],
                    command=command[1:],
                    networks=[(network.vpc.name, address)],
                    mounts=mounts,
                )
            )

        start("pages", sandbox._images.ensure("nginx"), pages, "nginx", "-c", "/bench/nginx.conf", "-g", "daemon off;")
        start("sockets", image, sockets, "python3", "/bench/echo.py")
        start("bare", sandbox._images.ensure("haproxy"), bare, "haproxy", "-W", "-db", "-f", "/bench/bare.cfg")
        load = start("load", image, None, "sleep", "infinity")
        groups = {80: group("pages", 80), 81: group("changes", 81), 8080: group("sockets", 8080)}
        made = deploy(sandbox, groups)
        sandbox.load_balancers.register(groups[80].arn, [Target(pages, 80)])
        sandbox.load_balancers.register(groups[8080].arn, [Target(sockets, 80)])
        private = sandbox.load_balancers._served[made.arn].balancer.private_address
        where = {PEER: bare, OURS: private}
        for address in (bare, private):
            await_port(address, 80)

        def requests(address: str) -> tuple[float, float]:
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", f"http://{address}/"]
            _, out, err = containers.execute(load, command)
            rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", out), re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
            if rate is None or p99 is None or "Non-2xx" in out:
                raise SystemExit(f"wrk failed:\n{out}{err}")
            return float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]

        def messages(address: str) -> tuple[float, float]:
            command = ["python3", "/bench/client.py", address, "8080", str(SECONDS), str(SOCKETS)]
            code, out, err = containers.execute(load, command)
            if code:
                raise SystemExit(f"the WebSocket client failed:\n{out}{err}")
            rate, p99 = out.split()
            return float(rate), float(p99)

        met = [compare("requests", requests, where), compare("messages", messages, where)]
        met.append(time_changes(sandbox, groups[81], network.vpc.address(4003)))
        containers.remove(load)
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
