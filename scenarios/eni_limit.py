"""A service of awsvpc tasks on small instances: how many tasks find a network interface, and what the rest is told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

CLUSTER, SERVICE = "chat", "app"
WANTED = 5
_UNPLACED = re.compile(r"unable to place a task")


def play(play: Play) -> None:
    """Want five tasks of the service; wait until they run, or until ECS says that one has no place."""
    sandbox, mode = play.sandbox, play.variant.settings["mode"]
    network = {
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": sandbox.subnets, "securityGroups": [sandbox.security_group]}
        }
    }
    sandbox.progress("waiting for the instances to register")
    registered: set[str] = set()

    def complete(now: Observation) -> bool:
        if now.kind == "instance.state":
            registered.add(now["instance"])
        return len(registered) == play.stack.values["instances"]

    sandbox.timeline.wait_for("the instances to register", complete, within=60, since=0)
    sandbox.progress(f"starting {WANTED} tasks in {mode} mode")
    sandbox.aws("ecs").create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition=f"app-{mode}",
        desiredCount=WANTED,
        launchType="EC2",
        **(network if mode == "awsvpc" else {}),
    )
    seen: dict[str, str] = {}
    unplaced: list[str] = []

    def settled(now: Observation) -> bool:
        if now.kind == "task.state":
            seen[now["task"]] = now["last_status"]
        if now.kind == "service.event" and _UNPLACED.search(now["message"]):
            unplaced.append(now["message"])
        runs = all(status == "RUNNING" for status in seen.values())
        return bool(seen) and runs and (len(seen) == WANTED or bool(unplaced))

    sandbox.timeline.wait_for(f"{WANTED} tasks to run, or ECS to say why not", settled, within=120, since=0)
    ecs = sandbox.aws("ecs")
    instances = ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    )["containerInstances"]
    (service,) = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
    tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=ecs.list_tasks(cluster=CLUSTER)["taskArns"])["tasks"]
    placed = [task["containerInstanceArn"] for task in tasks if task["lastStatus"] == "RUNNING"]
    sandbox.timeline.record(
        "placement",
        mode=mode,
        running=service["runningCount"],
        wanted=service["desiredCount"],
        instances=[
            {
                "type": next(a["value"] for a in instance["attributes"] if a["name"] == "ecs.instance-type"),
                "tasks": placed.count(instance["containerInstanceArn"]),
                "memory_left": next(r["integerValue"] for r in instance["remainingResources"] if r["name"] == "MEMORY"),
            }
            for instance in instances
        ],
        said=next((event["message"] for event in service["events"] if _UNPLACED.search(event["message"])), ""),
    )


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the service has fewer tasks than it wants."""
    (placement,) = (seen for seen in observations if seen.kind == "placement")
    facts = [f"{placement['running']} of {placement['wanted']} tasks run, in {placement['mode']} mode"]
    facts += [
        f"{instance['type']}: {instance['tasks']} tasks, {instance['memory_left']} MiB of memory left"
        for instance in placement["instances"]
    ]
    if placement["said"]:
        facts.append(placement["said"])
    return Verdict(placement["running"] < placement["wanted"], tuple(facts))


SCENARIO = Scenario(
    name="eni-limit",
    stack="socketio-ec2",
    symptom="The service stays below its desired count, while its instances have processor and memory to spare.",
    cause=(
        "In awsvpc mode each task has a network interface of its own, and an instance type has few: a t3.small has "
        "three, one of which is the instance's. So two tasks are all that it takes."
    ),
    fix=(
        "Use bridge mode with dynamic host ports (found by SRV records or a target group of instances), or a type with "
        "ENI trunking (awsvpcTrunking before its launch), or as many instances as the interfaces want."
    ),
    variants=(
        Variant("awsvpc", "reproduces", "five awsvpc tasks on one t3.small", settings={"mode": "awsvpc"}),
        Variant(
            "second-instance",
            "reproduces",
            "a second t3.small has room for two more, and one is still without",
            {"instances": "2"},
            {"mode": "awsvpc"},
        ),
        Variant("bridge", "holds", "five tasks in bridge mode on one t3.small", settings={"mode": "bridge"}),
        Variant(
            "trunking",
            "holds",
            "one c5.large, launched with awsvpcTrunking",
            {"instance_type": "c5.large", "trunking": "enabled"},
            {"mode": "awsvpc"},
        ),
    ),
    play=play,
    judge=judge,
)
