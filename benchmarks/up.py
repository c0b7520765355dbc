"""`sandbox up ghost`, warm, to the first good page, against `docker run` of the same two containers in parallel.

The peer is the least that can be done: nginx in Ghost's network namespace, no VPC, no DNS, no events, no function.
It is asked twice: as anyone would, through nginx from the start, and ("asked late") through nginx only when Ghost's own
port answers. The first pays for a trap: `localhost` is two upstream peers to nginx, and once both have refused it takes
them for dead for ten seconds. So the second is the floor, and the goal is set by it. All run in turn, several times;
exit 1 where the ratio of the medians is above 1.15.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from sandbox import paths
from sandbox.engine import daemon
from sandbox.engine.images import Images

ROUNDS = 3
GOAL = 1.15
BOUND = 120.0


def first_good_page(url: str, begun: float) -> float:
    """Seconds from ``begun`` until ``url`` answers 200, asked ten times a second."""
    while time.monotonic() - begun < BOUND:
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return time.monotonic() - begun
        time.sleep(0.1)  # there is nothing else to wait for in a plain container
    raise SystemExit(f"{url} did not answer within {BOUND:g} s")


def plain(images: dict[str, str], *, ask_late: bool) -> float:
    """Two `docker run`, one after the other: the second waits only until the first's namespace is there."""
    taskdef = json.loads((paths.share() / "compose/ghost/taskdef.json").read_text())
    ghost = next(c for c in taskdef["containerDefinitions"] if c["name"] == "ghost")
    variables = [part for item in ghost["environment"] for part in ("-e", f"{item['name']}={item['value']}")]
    conf = paths.share() / "compose/ghost/nginx"
    names = [f"bench-up-{os.getpid()}-{name}" for name in ("ghost", "nginx")]
    run = ["docker", "run", "--rm", "-d", "--name"]
    begun = time.monotonic()
    try:
        # Ghost asks for names on the internet at its start; here, as in the sandbox, they fail at once.
        published = ["-p", "127.0.0.1::80", "-p", "127.0.0.1::2368", "--dns", "127.0.0.1", *variables, images["ghost"]]
        subprocess.run([*run, names[0], *published], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        joined = ["--network", f"container:{names[0]}", "-v", f"{conf}:/etc/nginx/conf.d:ro", images["nginx"]]
        subprocess.run([*run, names[1], *joined], check=True, stdout=subprocess.DEVNULL)
        if ask_late:
            first_good_page(f"http://{_published(names[0], 2368)}/", begun)
        return first_good_page(f"http://{_published(names[0], 80)}/", begun)
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", *names], check=False, capture_output=True)


def _published(container: str, port: int) -> str:
    shown = subprocess.run(["docker", "port", container, str(port)], check=True, capture_output=True, text=True)
    return shown.stdout.split()[0]


def ours() -> float:
    """`sandbox up ghost` as a process of its own; it prints the URL when the stack is up."""
    with tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        command = [str(Path(sys.executable).with_name("sandbox")), "up", "ghost"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, text=True)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                    return first_good_page(found[0], begun)
            output.seek(0)
            raise SystemExit(f"sandbox up ghost failed:\n{output.read()}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def main() -> None:
    """Measure both in turn and print the table."""
    client = daemon.connect()
    source = Images(client, "auto", print)
    images = {name: source.ensure(name) for name in ("ghost", "nginx", "toolbox")}
    client.close()
    measure: dict[str, Callable[[], float]] = {
        "docker run": lambda: plain(images, ask_late=False),
        "asked late": lambda: plain(images, ask_late=True),
        "sandbox up": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in measure}
    for _ in range(ROUNDS):
        for name, one in measure.items():
            seconds[name].append(one())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name:12} median {medians[name]:6.2f} s   all: {', '.join(f'{value:.2f}' for value in values)}")
    ratios = {name: medians["sandbox up"] / medians[name] for name in ("docker run", "asked late")}
    print(f"sandbox up is {ratios['docker run']:.2f} times docker run, {ratios['asked late']:.2f} times asked late")
    print(f"goal: at most {GOAL}")
    sys.exit(ratios["asked late"] > GOAL)


if __name__ == "__main__":
    main()
