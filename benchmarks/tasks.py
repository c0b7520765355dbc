"""Fifty ECS tasks of one nginx each, from RunTask to all RUNNING, against `docker run` of as many containers.

Run: ``python benchmarks/tasks.py [tasks]``. The peer starts what a task has, the container that owns the network
namespace and nginx joined to it, for as many tasks, eight at a time; the floor is nginx alone. All run in turn, three
times; exit 1 where the ratio of the medians to the peer's is above 1.25.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import daemon
from sandbox.engine.images import Images

ROUNDS = 3
GOAL = 1.25
AT_ONCE = 8
PER_CALL = 10  # RunTask's count
PEER, FLOOR, OURS = "same containers", "nginx alone", "RunTask"


def plain(images: dict[str, str], tasks: int, *, owner: bool) -> float:
    """Seconds that `docker run` takes for the containers of ``tasks`` tasks, `AT_ONCE` tasks at a time."""
    prefix = f"bench-tasks-{os.getpid()}"

    def start(number: int) -> None:
        join = []
        if owner:
            run(f"{prefix}-owner-{number}", images["toolbox"], "sleep", "infinity")
            join = ["--network", f"container:{prefix}-owner-{number}"]
        run(f"{prefix}-{number}", *join, images["nginx"])

    begun = time.monotonic()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(start, range(tasks)))
        return time.monotonic() - begun
    finally:
        names = [f"{prefix}{kind}-{number}" for number in range(tasks) for kind in ("", *(["-owner"] * owner))]
        subprocess.run(["docker", "rm", "-f", *names], check=False, capture_output=True)


def run(name: str, *arguments: str) -> None:
    """`docker run` in the background."""
    subprocess.run(["docker", "run", "--rm", "-d", "--name", name, *arguments], check=True, capture_output=True)


def ours(box: Sandbox, tasks: int) -> float:
    """Seconds from the first RunTask until the last of ``tasks`` tasks is RUNNING."""
    ecs = box.aws("ecs")
    mark, begun = box.timeline.mark(), time.monotonic()
    started: set[str] = set()
    for first in range(0, tasks, PER_CALL):
        answer = ecs.run_task(
            cluster="bench",
            taskDefinition="web",
            launchType="FARGATE",
            count=min(PER_CALL, tasks - first),
            networkConfiguration={"awsvpcConfiguration": {"subnets": box.subnets, "assignPublicIp": "ENABLED"}},
        )
        started |= {task["taskArn"] for task in answer["tasks"]}
    for arn in started:
        box.timeline.wait_for(
            f"{arn} to be RUNNING",
            lambda seen, arn=arn: (
                seen.kind == "task.state" and seen["task"] == arn and seen["last_status"] == "RUNNING"
            ),
            within=180,
            since=mark,
        )
    spent = time.monotonic() - begun
    mark = box.timeline.mark()
    for arn in started:
        ecs.stop_task(cluster="bench", task=arn)
    for arn in started:
        box.timeline.wait_for(
            f"{arn} to be STOPPED",
            lambda seen, arn=arn: (
                seen.kind == "task.state" and seen["task"] == arn and seen["last_status"] == "STOPPED"
            ),
            within=180,
            since=mark,
        )
    return spent


def main() -> None:
    """Measure all in turn and print the table."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    client = daemon.connect()
    source = Images(client, "auto", print)
    images = {name: source.ensure(name) for name in ("nginx", "toolbox")}
    client.close()
    seconds: dict[str, list[float]] = {PEER: [], FLOOR: [], OURS: []}
    with Sandbox() as box:
        box.aws("ecs").create_cluster(clusterName="bench")
        box.aws("ecs").register_task_definition(
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "nginx", "image": "nginx:1.27", "stopTimeout": 2}],
        )
        for _ in range(ROUNDS):
            seconds[PEER].append(plain(images, tasks, owner=True))
            seconds[FLOOR].append(plain(images, tasks, owner=False))
            seconds[OURS].append(ours(box, tasks))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name:16} median {medians[name]:6.2f} s   all: {', '.join(f'{value:.2f}' for value in values)}")
    print(
        f"{tasks} tasks: {medians[OURS] / medians[PEER]:.2f} times {PEER}, {medians[OURS] / medians[FLOOR]:.2f} {FLOOR}"
    )
    print(f"goal: at most {GOAL} times {PEER}")
    sys.exit(medians[OURS] / medians[PEER] > GOAL)


if __name__ == "__main__":
    main()
