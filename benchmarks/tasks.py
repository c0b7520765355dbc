"""Fifty ECS tasks of one nginx each, from RunTask to all RUNNING, against `docker run` of the same containers.

Run: ``python benchmarks/tasks.py [tasks]``. The peer starts what a task has, eight tasks at a time: the container that
owns the network namespace, attached to as many networks (one, and a second one for tasks with a public address), and
nginx joined to it. The floor is nginx alone. All run in turn, three times; exit 1 where a ratio of medians to its
peer's is above 1.25.
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
PREFIX = f"bench-tasks-{os.getpid()}"
NETWORKS = [f"{PREFIX}-a", f"{PREFIX}-b"]
FLOOR = "nginx alone"
KINDS = {"private": NETWORKS[:1], "public": NETWORKS}


def plain(images: dict[str, str], tasks: int, networks: list[str]) -> float:
    """Seconds that `docker run` takes for the containers of ``tasks`` tasks; without networks for nginx alone."""

    def start(number: int) -> None:
        join = []
        if networks:
            owner = f"{PREFIX}-owner-{number}"
            docker("run", "--rm", "-d", "--name", owner, "--network", networks[0], images["toolbox"], "sleep", "600")
            for network in networks[1:]:
                docker("network", "connect", network, owner)
            join = ["--network", f"container:{owner}"]
        docker("run", "--rm", "-d", "--name", f"{PREFIX}-{number}", *join, images["nginx"])

    begun = time.monotonic()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(start, range(tasks)))
        return time.monotonic() - begun
    finally:
        kinds = ("", "-owner") if networks else ("",)
        names = [f"{PREFIX}{kind}-{number}" for number in range(tasks) for kind in kinds]
        subprocess.run(["docker", "rm", "-f", *names], check=False, capture_output=True)


def docker(*arguments: str) -> None:
    """A command of Docker's."""
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


def ours(box: Sandbox, tasks: int, *, public: bool) -> float:
    """Seconds from the first RunTask until the last of ``tasks`` tasks is RUNNING."""
    ecs = box.aws("ecs")
    mark, begun = box.timeline.mark(), time.monotonic()
    vpc = {
        "subnets": box.subnets,
        "securityGroups": [box.security_group],
        "assignPublicIp": "ENABLED" if public else "DISABLED",
    }
    started: set[str] = set()
    for first in range(0, tasks, PER_CALL):
        answer = ecs.run_task(
            cluster="bench",
            taskDefinition="web",
            launchType="FARGATE",
            count=min(PER_CALL, tasks - first),
            networkConfiguration={"awsvpcConfiguration": vpc},
        )
        started |= {task["taskArn"] for task in answer["tasks"]}
    _wait(box, started, "RUNNING", mark)
    spent = time.monotonic() - begun
    mark = box.timeline.mark()
    for arn in started:
        ecs.stop_task(cluster="bench", task=arn)
    _wait(box, started, "STOPPED", mark)
    return spent


def _wait(box: Sandbox, tasks: set[str], status: str, mark: int) -> None:
    for arn in tasks:
        box.timeline.wait_for(
            f"{arn} to be {status}",
            lambda seen, arn=arn: seen.kind == "task.state" and seen["task"] == arn and seen["last_status"] == status,
            within=180,
            since=mark,
        )


def main() -> int:
    """Measure all in turn and print the table."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    client = daemon.connect()
    source = Images(client, "auto", print)
    images = {name: source.ensure(name) for name in ("nginx", "toolbox")}
    client.close()
    seconds: dict[str, list[float]] = {}
    for network in NETWORKS:
        docker("network", "create", network)
    try:
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
                seconds.setdefault(FLOOR, []).append(plain(images, tasks, []))
                for kind, networks in KINDS.items():
                    seconds.setdefault(f"docker run, {kind}", []).append(plain(images, tasks, networks))
                    seconds.setdefault(f"RunTask, {kind}", []).append(ours(box, tasks, public=kind == "public"))
    finally:
        for (
            network
        ) in NETWORKS:  # Docker 20.10 may hold an endpoint whose container is gone: the figures are not lost for that
            done = subprocess.run(["docker", "network", "rm", network], check=False, capture_output=True, text=True)
            if done.returncode:
                print(f"left behind: {done.stderr.strip()}", file=sys.stderr)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name:20} median {medians[name]:6.2f} s   all: {', '.join(f'{value:.2f}' for value in values)}")
    ratios = {kind: medians[f"RunTask, {kind}"] / medians[f"docker run, {kind}"] for kind in KINDS}
    for kind, ratio in ratios.items():
        floor = medians[f"RunTask, {kind}"] / medians[FLOOR]
        print(f"{tasks} {kind} tasks: {ratio:.2f} times the same containers, {floor:.2f} times nginx alone")
    print(f"goal: at most {GOAL} times the same containers")
    return 1 if max(ratios.values()) > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
