"""How a container's process runs and ends: limits, capabilities, restarts, and what ECS says of failures."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.docker


def test_out_of_memory(tasks):
    eats = "x=a; while :; do x=$x$x; done"
    task = tasks.start(
        {"memory": 32, "entryPoint": ["sh", "-c"], "command": [eats], "essential": False}, {}, until={"RUNNING"}
    )
    tasks.wait_told(task, "container.exited", container="c0")
    tasks.stop(task)
    eater = tasks.describe(task)["containers"][0]
    assert (eater["exitCode"], eater["reason"]) == (137, "OutOfMemoryError: Container killed due to memory usage")


def test_a_command_that_there_is_not_in_the_engines_words(tasks):
    task = tasks.start({"entryPoint": ["/no/such/program"]}, until={"STOPPED"})
    reason = tasks.describe(task)["stoppedReason"]
    assert reason.startswith("CannotStartContainerError: Error response from daemon: ")
    assert "/no/such/program" in reason


def test_a_full_file_system_disturbs_nobody_else(tasks):
    linux = {"tmpfs": [{"containerPath": "/small", "size": 1}]}
    fills = "head -c 4000000 /dev/zero > /small/file"
    task = tasks.start(
        {"entryPoint": ["sh", "-c"], "command": [fills], "linuxParameters": linux, "essential": False}, {}
    )
    end = tasks.wait_told(task, "container.exited", container="c0")
    assert end["exit_code"] != 0
    assert "No space left on device" in end["log"][-1]
    assert tasks.sh(task, "touch /file", "c1") == (0, "")
    tasks.stop(task)


def test_linux_parameters_and_a_terminal(tasks):
    task = tasks.start(
        {
            "entryPoint": ["sleep"],
            "command": ["infinity"],
            "linuxParameters": {
                "initProcessEnabled": True,
                "capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW", "CHOWN"]},
                "tmpfs": [{"containerPath": "/scratch", "size": 8, "mountOptions": ["noexec"]}],
            },
            "interactive": True,
            "pseudoTerminal": True,
        }
    )
    code, out = tasks.sh(task, "cat /proc/1/comm; grep /scratch /proc/mounts; chown nobody /tmp || echo not permitted")
    assert code == 0
    assert out.splitlines()[0] != "sleep"  # an init process has it as its child
    assert "noexec" in out
    assert "size=8192k" in out
    assert "not permitted" in out
    config = tasks.client.api.inspect_container(tasks.container(task))
    assert config["HostConfig"]["CapAdd"] == ["SYS_PTRACE"]
    assert (config["Config"]["Tty"], config["Config"]["OpenStdin"]) == (True, True)
    tasks.stop(task)


def test_volumes_of_another_container(tasks):
    mounts = {"mountPoints": [{"sourceVolume": "own", "containerPath": "/own"}]}
    task = tasks.start(
        {"volumesFrom": [{"sourceContainer": "c1", "readOnly": True}]}, mounts, volumes=[{"name": "own", "host": {}}]
    )
    assert tasks.sh(task, "echo shared > /own/file", "c1")[0] == 0
    assert tasks.sh(task, "cat /own/file; touch /own/x || true")[1].splitlines()[0] == "shared"
    assert "Read-only" in tasks.sh(task, "touch /own/x")[1]
    tasks.stop(task)


def end(tasks, task: str) -> None:
    """Have the container end by itself; it may do so before this command has, which then goes with it."""
    assert tasks.sh(task, "touch /end")[0] in {0, 137}


def test_a_container_is_started_again_and_its_log_goes_on(tasks, until):
    script = "echo begun; while ! test -e /end; do sleep 0.05; done; rm /end; exit 3"
    log = {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "restarts",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "ecs",
            "awslogs-create-group": "true",
        },
    }
    task = tasks.start(
        {
            "entryPoint": ["sh", "-c"],
            "command": [script],
            "logConfiguration": log,
            "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60},  # six seconds, at this sandbox's speed
        },
        executionRoleArn="arn:aws:iam::123456789012:role/r",
    )
    container = tasks.container(task)
    until(lambda: tasks.sandbox._ecs.read(lambda ecs: ecs.tasks[task].containers["c0"].may_restart), within=15)
    end(tasks, task)
    tasks.wait_told(task, "container.restarted")
    shown = tasks.describe(task)
    assert (shown["lastStatus"], shown["containers"][0]["lastStatus"]) == ("RUNNING", "RUNNING")
    assert tasks.container(task) == container
    logs = tasks.sandbox.aws("logs")

    def messages():
        return [event["message"] for event in logs.filter_log_events(logGroupName="restarts")["events"]]

    until(lambda: len(messages()) >= 2)
    assert messages() == ["begun", "begun"]
    end(tasks, task)  # again, and too early
    assert tasks.wait(task, {"STOPPED"})["stop_code"] == "EssentialContainerExited"
