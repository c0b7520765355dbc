"""Health checks and dependsOn in real containers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.docker


def check(command, **more):
    return {"healthCheck": {"command": ["CMD-SHELL", command], "interval": 5, **more}}


def test_a_check_makes_a_task_healthy_and_unhealthy(tasks):
    task = tasks.start(check("test ! -e /broken || { echo broken; exit 1; }", retries=2))
    tasks.wait_told(task, "container.health", health="HEALTHY")
    shown = tasks.describe(task)
    assert (shown["healthStatus"], shown["containers"][0]["healthStatus"]) == ("HEALTHY", "HEALTHY")
    assert tasks.sh(task, "touch /broken")[0] == 0
    assert tasks.wait_told(task, "container.health", health="UNHEALTHY")["output"] == "broken"
    shown = tasks.describe(task)
    assert (shown["healthStatus"], shown["lastStatus"]) == ("UNHEALTHY", "RUNNING")  # no service: it goes on
    assert not any("healthStatus" in str(seen["event"]) for seen in tasks.events(task))
    tasks.stop(task)


def test_a_check_that_hangs_is_ended_and_holds_up_nothing(tasks):
    task = tasks.start(
        check("exec sleep 1000", timeout=2, retries=1), {"essential": False, **check("touch /seen; true")}
    )
    tasks.wait_told(task, "container.health", container="c1", health="HEALTHY")
    assert "exceeded timeout" in tasks.wait_told(task, "container.health", container="c0", health="UNHEALTHY")["output"]
    listed = tasks.client.api.top(tasks.container(task))["Processes"]
    assert sum(process[-1] == "sleep 1000" for process in listed) <= 1  # the one under way: they do not pile up
    tasks.stop(task)


def test_failures_in_the_start_period_do_not_count(tasks):
    task = tasks.start(
        check("test -e /ready", startPeriod=300, retries=1), {"essential": False, **check("false", retries=1)}
    )
    tasks.wait_told(task, "container.health", container="c1", health="UNHEALTHY")
    assert tasks.describe(task)["healthStatus"] == "UNKNOWN"
    assert tasks.sh(task, "touch /ready")[0] == 0
    tasks.wait_told(task, "container.health", container="c0", health="HEALTHY")
    tasks.stop(task)


def test_containers_start_in_the_order_of_their_dependencies_and_stop_the_other_way_round(tasks):
    volumes = [{"name": "own", "efsVolumeConfiguration": {"fileSystemId": "fs-order"}}]
    mount = {"mountPoints": [{"sourceVolume": "own", "containerPath": "/own"}]}
    says = "trap 'echo stop {0} >> /own/log; exit 0' TERM; echo start {0} >> /own/log; while :; do sleep 0.1; done"
    shell = {"entryPoint": ["sh", "-c"], "stopTimeout": 120, **mount}  # 12 s of the wall clock

    def after(name, condition):
        return {"dependsOn": [{"containerName": name, "condition": condition}]}

    task = tasks.start(
        {**shell, "command": [says.format("web")], **after("db", "HEALTHY")},
        {"name": "db", **shell, "command": [says.format("db")], **after("init", "SUCCESS"), **check("true")},
        {"name": "init", **shell, "command": ["echo init >> /own/log"], "essential": False},
        volumes=volumes,
    )
    # Before its trap is set the first process of a container ignores SIGTERM.
    code, _ = tasks.sh(task, "timeout 30 sh -c 'until grep -q web /own/log; do sleep 0.1; done'")
    assert code == 0, "the container web has not begun"
    tasks.stop(task)
    reader = tasks.start(mount, volumes=volumes)
    assert tasks.sh(reader, "cat /own/log")[1].splitlines() == [
        "init",
        "start db",
        "start web",
        "stop web",
        "stop db",
    ]
    tasks.stop(reader)


def test_a_dependency_that_fails_keeps_the_others_from_starting(tasks):
    task = tasks.start(
        {"dependsOn": [{"containerName": "c1", "condition": "SUCCESS"}]},
        {"entryPoint": ["sh", "-c"], "command": ["exit 3"], "essential": False},
        until={"STOPPED"},
    )
    shown = tasks.describe(task)
    assert shown["stopCode"] == "TaskFailedToStart"
    assert shown["stoppedReason"].endswith("as dependency did not exit successfully.")
    assert [c["exitCode"] for c in shown["containers"]] == [143, 3]
    assert tasks.left(task) == []


def test_waiting_ends_with_the_start_timeout(tasks):
    task = tasks.start(
        {"dependsOn": [{"containerName": "c1", "condition": "HEALTHY"}]},
        {"startTimeout": 10, **check("false", retries=10)},
        until={"STOPPED"},
    )
    assert tasks.describe(task)["stoppedReason"].endswith("has timed out.")


def test_a_service_replaces_a_task_that_becomes_unhealthy(tasks):
    tasks.stop(tasks.start(check("test ! -e /broken", retries=1)))  # registers the definition
    mark = tasks.sandbox.timeline.mark()
    tasks.ecs.create_service(
        cluster="c",
        serviceName="checked",
        taskDefinition="t",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": tasks.sandbox.subnets}},
    )

    def healthy(other_than=""):
        return tasks.sandbox.timeline.wait_for(
            "a healthy task",
            lambda seen: seen.kind == "container.health" and seen["health"] == "HEALTHY" and seen["task"] != other_than,
            within=30,
            since=mark,
        )["task"]

    old = healthy()
    assert tasks.sh(old, "touch /broken")[0] == 0
    stopped = tasks.wait(old, {"STOPPED"})
    assert stopped["stop_code"] == "ServiceSchedulerInitiated"
    assert "failed container health checks" in stopped["stopped_reason"]
    assert healthy(other_than=old) != old
    tasks.ecs.delete_service(cluster="c", service="checked", force=True)
