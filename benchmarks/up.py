"""`sandbox up ghost`, warm, to the first good page, against `docker run` of the same containers in parallel.

The peer starts what the sandbox starts for the task: the container that owns the network namespace, then nginx and
Ghost at once, each with the task's memory; asked through nginx from the start. No VPC, no DNS, no AWS, no events, no
function. The floor is the least that shows the page: no owner, nginx asked only when Ghost's own port answers. All run
in turn, several times, after a turn that is not counted: Python compiles its modules in that. Exit 1 where the ratio of
the medians to the peer's is above 1.15.
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

ROUNDS = 5
PEER, FLOOR, OURS = "same containers", "two containers", "sandbox up"
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


def plain(images: dict[str, str], *, owner: bool) -> float:
    """`docker run` of the stack's containers, those of the task in parallel.

    Args:
        images: References by component.
        owner: Start the container that owns the task's network namespace, with the task's hosts file, and join nginx
            and Ghost to it, as the sandbox does. Else nginx joins Ghost's namespace, and is asked when Ghost answers.
    """
    taskdef = json.loads((paths.share() / "compose/ghost/taskdef.json").read_text())
    ghost = next(c for c in taskdef["containerDefinitions"] if c["name"] == "ghost")
    variables = [part for item in ghost["environment"] for part in ("-e", f"{item['name']}={item['value']}")]
    memory = ["-m", f"{taskdef['memory']}m"]  # Node collects more garbage where its container has less
    conf = ["-v", f"{paths.share() / 'compose/ghost/nginx'}:/etc/nginx/conf.d:ro"]
    # Ghost asks for names at its start. As in the sandbox, its site's own leads to nginx, from which Ghost then gets
    # pages of itself, and those on the internet fail at once.
    first = ["-p", "127.0.0.1::80", "-p", "127.0.0.1::2368", "--dns", "127.0.0.1"]
    names = {name: f"bench-up-{os.getpid()}-{name}" for name in ("owner", "ghost", "nginx")}
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text("127.0.0.1 localhost blog.example.com\n")
        begun = time.monotonic()
        try:
            named = ["-v", f"{hosts}:/etc/hosts"]
            if owner:
                _run(names["owner"], *first, *named, images["toolbox"], "sleep", "infinity").wait()
                join = ["--network", f"container:{names['owner']}", *named]
                both = [
                    _run(names["ghost"], *join, *memory, *variables, images["ghost"]),
                    _run(names["nginx"], *join, *memory, *conf, images["nginx"]),
                ]
                for one in both:
                    one.wait()
            else:
                _run(names["ghost"], *first, *named, *memory, *variables, images["ghost"]).wait()
                join = ["--network", f"container:{names['ghost']}"]
                _run(names["nginx"], *join, *memory, *conf, images["nginx"]).wait()
                first_good_page(f"http://{_published(names['ghost'], 2368)}/", begun)
            return first_good_page(f"http://{_published(names['owner' if owner else 'ghost'], 80)}/", begun)
        finally:
            subprocess.run(["docker", "rm", "-f", "-v", *names.values()], check=False, capture_output=True)


def _run(name: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = ["docker", "run", "--rm", "-d", "--name", name, *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _published(container: str, port: int) -> str:
    shown = subprocess.run(["docker", "port", container, str(port)], check=True, capture_output=True, text=True)
    return shown.stdout.split()[0]


def ours() -> float:
    """`sandbox up ghost` as a process of its own; it prints the URL when the stack is up."""
    with tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        command = [str(Path(sys.executable).with_name("sandbox")), "up", "ghost"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, text=True, env=environment)
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
        PEER: lambda: plain(images, owner=True),
        FLOOR: lambda: plain(images, owner=False),
        OURS: ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in measure}
    for turn in range(ROUNDS + 1):
        for name, one in measure.items():
            taken = one()
            if turn:
                seconds[name].append(taken)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name:16} median {medians[name]:6.2f} s   all: {', '.join(f'{value:.2f}' for value in values)}")
    ratios = {name: medians[OURS] / medians[name] for name in (PEER, FLOOR)}
    print(f"{OURS} is {ratios[PEER]:.2f} times {PEER}, {ratios[FLOOR]:.2f} times {FLOOR}")
    print(f"goal: at most {GOAL} times {PEER}")
    sys.exit(ratios[PEER] > GOAL)


if __name__ == "__main__":
    main()
