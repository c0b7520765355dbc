"""A rolling update of four tasks behind a load balancer, against the sum of what it must wait for.

Run: ``python benchmarks/rolling.py [speed]`` (default 10). The stack `nuxt` goes from one build to the other and back:
with 100/200 all four tasks are replaced in one wave, with 100/150 in two waves of two. What a wave must wait for:

- the start of its tasks: the same containers (namespace owner, then H2O and Node) started in the same run by the
  engine's API alone, until each task answers at the path of its checks;
- the health checks: healthy threshold x interval at most, because the first ones come before Node listens, and the
  target has been unhealthy when one passes;
- the deregistration delay;
- the stop of the old tasks: that of the same containers.

Intervals and delay are the stack's, divided by the speed. A rolling update is measured from its call until the service
says that the deployment is completed: no old container runs. All run in turn, three times; exit 1 where a ratio of
medians is above 1.2.
"""

from __future__ import annotations

import http.client
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.models.containers import Container

from sandbox import paths
from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import daemon
from sandbox.engine.images import Images

ROUNDS = 3
GOAL = 1.2
SPEED = 10.0
TASKS = 4
WAVES = {"100/200": 1, "100/150": 2}
BUILDS = ("aws-container-sandbox/nuxt-b", "aws-container-sandbox/nuxt-a")
INTERVAL, THRESHOLD, DELAY, GRACE = 5, 2, 30, 300  # AWS's seconds; checks
WITHIN = 120.0  # seconds
ASK_AGAIN = 0.02  # seconds
PREFIX = f"bench-rolling-{os.getpid()}"


class Plain:
    """The containers of ``count`` tasks without the sandbox."""

    def __init__(self, client: docker.DockerClient, images: dict[str, str], count: int) -> None:
        self._client = client
        self._images = images
        self._tasks = [f"{PREFIX}-{number}" for number in range(count)]
        self._made: list[Container] = []

    def start(self) -> float:
        """Seconds until each task has answered."""
        return _timed(self._start, self._tasks)

    def stop(self) -> float:
        """Seconds until the servers have ended."""
        return _timed(lambda container: container.stop(), [one for one in self._made if one.name not in self._tasks])

    def remove(self) -> None:
        """Take everything away."""
        for container in self._made:
            container.remove(force=True)

    def _start(self, task: str) -> None:
        owner = self._run("toolbox", task, command=["sleep", "600"], network=PREFIX)
        mounts = {f"{paths.share()}/compose/nuxt/h2o": {"bind": "/etc/h2o", "mode": "ro"}}
        joined, localhost = f"container:{task}", {"HOST": "127.0.0.1"}
        with ThreadPoolExecutor(2) as pool:
            h2o = pool.submit(self._run, "h2o", f"{task}-h2o", volumes=mounts, network_mode=joined)
            node = pool.submit(self._run, "nuxt-a", f"{task}-node", environment=localhost, network_mode=joined)
        h2o.result(), node.result()
        owner.reload()
        address = owner.attrs["NetworkSettings"]["Networks"][PREFIX]["IPAddress"]
        deadline = time.monotonic() + WITHIN
        while not serves(address):
            if time.monotonic() > deadline:
                raise SystemExit(f"{task} does not answer")
            time.sleep(ASK_AGAIN)

    def _run(self, image: str, name: str, **more: Any) -> Container:
        container = self._client.containers.run(self._images[image], name=name, detach=True, **more)
        self._made.append(container)
        return container


def _timed(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    begun = time.monotonic()
    with ThreadPoolExecutor(len(items)) as pool:
        list(pool.map(work, items))
    return time.monotonic() - begun


def serves(address: str) -> bool:
    """Whether a task answers at the path of its checks."""
    connection = http.client.HTTPConnection(address, 8080, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def floor(client: docker.DockerClient, images: dict[str, str], waves: int, speed: float) -> dict[str, float]:
    """The parts of the sum, by name, of all waves together."""
    tasks = Plain(client, images, TASKS // waves)
    try:
        parts = {"start": tasks.start(), "stop": tasks.stop()}
    finally:
        tasks.remove()
    parts |= {"checks": THRESHOLD * INTERVAL / speed, "delay": DELAY / speed}
    return {name: waves * seconds for name, seconds in parts.items()}


def ours(box: Sandbox, limits: str, image: str) -> float:
    """Seconds of a rolling update to ``image``."""
    minimum, maximum = (int(percent) for percent in limits.split("/"))
    box.aws("ecs").update_service(
        cluster="shop",
        service="shop",
        deploymentConfiguration={"minimumHealthyPercent": minimum, "maximumPercent": maximum},
    )
    mark, begun = box.timeline.mark(), time.monotonic()
    box.deploy("shop", "shop", {"node": image})
    _wait_completed(box, mark)
    return time.monotonic() - begun


def _wait_completed(box: Sandbox, mark: int) -> None:
    box.timeline.wait_for(
        "the deployment to be completed",
        lambda seen: seen.kind == "service.event" and "deployment completed" in seen["message"],
        within=WITHIN,
        since=mark,
    )


def main() -> int:
    """Measure all in turn and print the table."""
    speed = float(sys.argv[1]) if len(sys.argv) > 1 else SPEED
    client = daemon.connect()
    source = Images(client, "auto", print)
    images = {name: source.ensure(name) for name in ("toolbox", "h2o", "nuxt-a", "nuxt-b")}
    sums: dict[str, list[dict[str, float]]] = {limits: [] for limits in WAVES}
    taken: dict[str, list[float]] = {limits: [] for limits in WAVES}
    network = client.networks.create(PREFIX)
    try:
        with Sandbox(speed=speed) as box:
            parameters = {
                "tasks": TASKS,
                "health_interval": INTERVAL,
                "healthy_threshold": THRESHOLD,
                "deregistration_delay": DELAY,
                "grace_period": GRACE,
            }
            box.stack("nuxt", {name: str(value) for name, value in parameters.items()})
            _wait_completed(box, 0)
            for _ in range(ROUNDS):
                for (limits, waves), image in zip(WAVES.items(), BUILDS, strict=True):
                    sums[limits].append(floor(client, images, waves, speed))
                    taken[limits].append(ours(box, limits, image))
    finally:
        network.remove()
        client.close()
    ratios = {}
    for limits, waves in WAVES.items():
        must = {name: statistics.median(one[name] for one in sums[limits]) for name in sums[limits][0]}
        total, ours_took = sum(must.values()), statistics.median(taken[limits])
        ratios[limits] = ours_took / total
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in must.items())
        print(f"{limits}, {waves} wave(s): must wait {total:.2f} s ({parts})")
        print(f"{'':8} took {ours_took:.2f} s   all: {', '.join(f'{value:.2f}' for value in taken[limits])}")
        print(f"{'':8} {ratios[limits]:.2f} times the sum at speed {speed:g}")
    print(f"goal: at most {GOAL} times")
    return 1 if max(ratios.values()) > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
