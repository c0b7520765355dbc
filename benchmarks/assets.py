"""Requests a second of the crowd of page loads, against bare requests of the same HTTP client.

The catalogue's nginx, on this machine's network, serves a page with 8 assets and sets a load balancer's two cookies.
The crowd's process is on one core. What is counted is requests a second of that core's time: what else runs on the core
is not the crowd's doing. Exit 1 where the median of the rounds is below 1,500.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from docker.types import Mount

from sandbox.engine import sweep
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.probes.assets import Crowd, Plan

ROUNDS, LOADS, VISITORS = 5, 400, 20
GOAL = 1500
SCRIPTS = [f"/_nuxt/chunk{number}.js" for number in range(5)]
FILES = ["/", *SCRIPTS, "/_nuxt/a.css", "/_nuxt/b.css", "/_nuxt/logo.png"]
COOKIE = "AWSALB=" + "x" * 90 + "; Expires=Fri, 01 Jan 2038 00:00:00 GMT; Path=/"
CONF = f"""user root; worker_processes 1; events {{}}
http {{
    types {{ text/html html; text/javascript js; text/css css; image/png png; }}
    access_log off; keepalive_requests 1000000;
    add_header Set-Cookie "{COOKIE}"; add_header Set-Cookie "{COOKIE.replace("AWSALB", "AWSALBCORS")}; SameSite=None";
    server {{ listen 127.0.0.1:18937; root /site/www; }}
}}"""
URL = "http://127.0.0.1:18937"


def write_site(folder: Path) -> None:
    """A page of some size, with 8 assets."""
    (folder / "nginx.conf").write_text(CONF)
    (folder / "www" / "_nuxt").mkdir(parents=True)
    preloads = "".join(f'<link rel="modulepreload" as="script" href="{one}">' for one in SCRIPTS)
    styles = '<link rel="stylesheet" href="/_nuxt/a.css"><link rel="stylesheet" href="/_nuxt/b.css">'
    body = "<p>text</p>" * 500 + '<img src="/_nuxt/logo.png">'
    scripts = f'<script type="module" src="{SCRIPTS[0]}"></script>'
    page = f"<!doctype html><html><head>{preloads}{styles}{scripts}</head><body>{body}</body></html>"
    (folder / "www" / "index.html").write_text(page)
    for name in FILES[1:]:
        (folder / "www" / name.lstrip("/")).write_bytes(b"/*" + b"x" * 4096 + b"*/")


def await_port() -> None:
    """Until nginx listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 18937), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("nginx does not listen")


def crowd() -> int:
    """Page loads by the crowd; how many requests they took."""
    with Crowd(Plan([f"{URL}/"], visitors=VISITORS, count=LOADS)) as loads:
        loads.wait_loads(LOADS, 120)
    summary = loads.summary()
    if summary.broken:
        raise SystemExit(str(summary))
    return summary.requests


def bare() -> int:
    """The same requests, by one session of aiohttp that does nothing with the answers."""

    async def ask() -> None:
        limit = asyncio.Semaphore(VISITORS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def page() -> None:
                async with limit:
                    for name in FILES:
                        async with session.get(URL + name) as answer:
                            await answer.read()

            await asyncio.gather(*(page() for _ in range(LOADS)))

    asyncio.run(ask())
    return LOADS * len(FILES)


def measured(work: Callable[[], int]) -> tuple[float, float]:
    """Requests a second, and requests a second of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    requests = work()
    return requests / (time.perf_counter() - wall), requests / (time.process_time() - processor)


def main() -> None:
    """Measure both in turn and print the table."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    client = connect()
    run = Run.begin()
    kinds = {"crowd": crowd, "bare aiohttp": bare}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_site(Path(folder))
            containers = Containers(client, run)
            mounts = [Mount("/site", folder, type="bind", read_only=True)]
            command = ["nginx", "-c", "/site/nginx.conf", "-g", "daemon off;"]
            image = Images(client, "auto", print).ensure("nginx")
            containers.run_new(Spec("assets", image, command=command, networks=[("host", None)], mounts=mounts))
            await_port()
            for number in range(ROUNDS + 1):
                for name, work in list(kinds.items())[:: 1 if number % 2 else -1]:
                    found = measured(work)
                    if number:
                        rates[name].append(found)
    finally:
        sweep.remove_run(client, run.id)
        run.end()
    for name, found in rates.items():
        wall, processor = (statistics.median(one[which] for one in found) for which in (0, 1))
        print(
            f"{name:14} median {processor:6.0f} requests a second of one core's time, {wall:6.0f} a second by the clock"
        )
    pairs = zip(rates["crowd"], rates["bare aiohttp"], strict=True)
    ratio = statistics.median(ours[1] / peer[1] for ours, peer in pairs)
    rate = statistics.median(one[1] for one in rates["crowd"])
    print(f"the crowd issues {ratio:.2f} times as many as the bare client; goal: at least {GOAL} a second of one core")
    sys.exit(rate < GOAL)


if __name__ == "__main__":
    main()
