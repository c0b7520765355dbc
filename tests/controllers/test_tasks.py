"""Tasks on Docker: one localhost, AWS's endpoint and nothing of the real internet or of the host's environment."""

from __future__ import annotations

import os

import pytest

from sandbox.controllers.container_specs import efs_volume
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import Network

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def two(tasks):
    """A task of two containers."""
    return tasks.start({"environment": [{"name": "MINE", "value": "yes"}]}, {})


def test_a_sandbox_leaves_the_callers_environment_as_it_was(tasks):
    assert tasks.sandbox.environment()["AWS_CONFIG_FILE"] == os.devnull
    assert os.environ["AWS_ENDPOINT_URL"] == tasks.hostile["AWS_ENDPOINT_URL"]


def test_nothing_of_the_hosts_environment_reaches_a_container(tasks, two):
    _, out = tasks.sh(two, "env")
    seen = dict(line.split("=", 1) for line in out.splitlines())
    assert seen["MINE"] == "yes"
    assert seen["AWS_ENDPOINT_URL"] == "http://aws.internal:4566"
    assert seen["AWS_ACCESS_KEY_ID"] == "sandbox"
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} & set(seen)
    assert not set(tasks.hostile.values()) & set(seen.values())


def test_a_container_reaches_the_endpoint(tasks, two):
    code, out = tasks.sh(two, "curl -s -m 5 --retry 3 --retry-connrefused $AWS_ENDPOINT_URL/_sandbox/health")
    assert code == 0
    assert '"status": "ok"' in out


def test_a_client_without_the_endpoint_reaches_nothing_by_name(tasks, two):
    for name in ("sts.amazonaws.com", "ecs.us-east-1.amazonaws.com", "example.net", "host.docker.internal"):
        code, out = tasks.sh(two, f"unset AWS_ENDPOINT_URL; curl -sS -m 3 http://{name}/")
        assert code == 6, out  # could not resolve


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "169.254.169.254", "169.254.170.2"])
def test_a_client_without_the_endpoint_reaches_nothing_by_address(tasks, two, address):
    code, out = tasks.sh(two, f"curl -sS --connect-timeout 1 -m 2 http://{address}/")
    assert code in {7, 28}, out  # refused or timed out


def test_without_a_public_address_there_is_no_way_out_at_all(tasks):
    task = tasks.start({}, public="DISABLED")
    code, out = tasks.sh(task, "curl -sS --connect-timeout 1 -m 2 http://1.1.1.1/")
    assert code in {7, 28}, out
    tasks.stop(task)


def test_the_containers_of_a_task_share_localhost(tasks, two):
    # The one serves and goes on; the other asks.
    assert tasks.sh(two, "socat TCP4-LISTEN:8080,fork,reuseaddr SYSTEM:'echo hello' >/dev/null 2>&1 &")[0] == 0
    asked = "for i in 1 2 3 4 5 6 7 8 9; do socat -u TCP4:localhost:8080 - && exit; sleep 0.1; done; exit 1"
    assert tasks.sh(two, asked, name="c1") == (0, "hello\n")


def test_the_name_of_a_neighbour_is_no_name_in_awsvpc(tasks, two):
    assert tasks.sh(two, "getent hosts c1")[0] != 0


def test_a_stopped_task_leaves_nothing_and_its_addresses_are_given_back(tasks):
    task = tasks.start({"command": ["sleep", "infinity"]}, {})
    stopped = tasks.stop(task)
    assert stopped["stop_code"] == "UserInitiated"
    assert tasks.left(task) == []
    interfaces = tasks.sandbox.aws("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert not [one for one in interfaces if task in one["Description"]]


def test_the_end_of_an_essential_container_stops_its_neighbours(tasks):
    task = tasks.start({"entryPoint": ["sh", "-c"], "command": ["echo bye; exit 5"]}, {})
    stopped = tasks.wait(task, {"STOPPED"})
    assert (stopped["stop_code"], stopped["stopped_reason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    (end,) = [seen for seen in tasks.told(task, "container.exited") if seen["container"] == "c0"]
    assert (end["exit_code"], end["log"]) == (5, ["bye"])
    assert tasks.left(task) == []


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"image": "no-such-image:1"}, "CannotPullContainerError: image 'no-such-image:1'"),
        ({"entryPoint": ["/no/such/program"]}, "CannotStartContainerError: "),
    ],
)
def test_a_container_that_cannot_start_stops_its_task(tasks, container, reason):
    task = tasks.start({}, container)
    stopped = tasks.wait(task, {"STOPPED"})
    assert stopped["stop_code"] == "TaskFailedToStart"
    (failed,) = tasks.told(task, "container.failed")
    assert failed["container"] == "c1"
    assert failed["reason"].startswith(reason)
    assert tasks.left(task) == []


def test_efs_outlives_a_task_and_a_tasks_own_volume_does_not(tasks):
    volumes = (
        {"name": "own", "host": {}},
        {"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-0a", "rootDirectory": "/data"}},
    )
    mounts = {
        "mountPoints": [
            {"sourceVolume": "own", "containerPath": "/own"},
            {"sourceVolume": "efs", "containerPath": "/efs"},
        ]
    }
    first = tasks.start(mounts, mounts, volumes=volumes)
    assert tasks.sh(first, "echo kept > /efs/file; echo lost > /own/file")[0] == 0
    assert tasks.sh(first, "cat /efs/file /own/file", name="c1") == (0, "kept\nlost\n")
    tasks.stop(first)
    second = tasks.start(mounts, volumes=volumes)
    assert tasks.sh(second, "cat /efs/file; ls /own") == (0, "kept\n")
    tasks.stop(second)


def test_an_access_point_has_files_of_its_own_to_which_every_user_may_write(tasks):
    def efs(point):
        authorization = {"accessPointId": point, "iam": "ENABLED"}
        config = {"fileSystemId": "fs-0b", "transitEncryption": "ENABLED", "authorizationConfig": authorization}
        return {"name": point, "efsVolumeConfiguration": config}

    volumes = [efs("fsap-1"), efs("fsap-2"), {"name": "root", "efsVolumeConfiguration": {"fileSystemId": "fs-0b"}}]
    mounts = [{"sourceVolume": one["name"], "containerPath": f"/{one['name']}"} for one in volumes]
    task = tasks.start({"mountPoints": mounts, "user": "1000"}, {"mountPoints": mounts}, volumes=volumes)
    assert tasks.sh(task, "echo one > /fsap-1/file")[0] == 0
    assert tasks.sh(task, "cat /fsap-1/file; ls /fsap-2 /root", name="c1")[1] == "one\n/fsap-2:\n\n/root:\n"
    assert "Permission denied" in tasks.sh(task, "echo two > /root/file")[1]
    tasks.stop(task)


def test_what_a_container_is_given_is_what_its_definition_says(tasks):
    task = tasks.start(
        {
            "user": "nobody",
            "workingDirectory": "/tmp",
            "readonlyRootFilesystem": True,
            "memory": 64,
            "ulimits": [{"name": "nofile", "softLimit": 100, "hardLimit": 200}],
        }
    )
    code, out = tasks.sh(task, "id -un; pwd; ulimit -Hn; touch /tmp/x 2>&1 || echo failed")
    assert (code, out.splitlines()) == (
        0,
        ["nobody", "/tmp", "200", "touch: cannot touch '/tmp/x': Read-only file system", "failed"],
    )
    host = tasks.client.api.inspect_container(tasks.container(task))["HostConfig"]
    assert host["Memory"] == 64 * 2**20
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 100, "Hard": 200}]
    tasks.stop(task)


def test_run_task_overrides_what_a_definition_says(tasks):
    show = {"entryPoint": ["sh", "-c"], "command": ["exit 1"], "environment": [{"name": "A", "value": "1"}]}
    tasks.stop(tasks.start({**show, "essential": False}, {}))
    (task,) = tasks.ecs.run_task(
        cluster="c",
        taskDefinition="t",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": tasks.sandbox.subnets}},
        overrides={
            "containerOverrides": [
                {"name": "c0", "command": ["echo $A $B; exit 4"], "environment": [{"name": "B", "value": "2"}]},
                {"name": "c1", "memory": 64, "memoryReservation": 32},
            ]
        },
    )["tasks"]
    end = tasks.wait_told(task["taskArn"], "container.exited", container="c0")
    assert (end["exit_code"], end["log"]) == (4, ["1 2"])
    tasks.wait(task["taskArn"], {"RUNNING"})
    host = tasks.client.api.inspect_container(tasks.container(task["taskArn"], "c1"))["HostConfig"]
    assert (host["Memory"], host["MemoryReservation"]) == (64 * 2**20, 32 * 2**20)
    tasks.stop(task["taskArn"])


def test_a_directory_of_a_file_system_is_a_volume_of_its_own():
    assert efs_volume("fs-1", "/") == "efs-fs-1"
    assert efs_volume("fs-1", "/a/b/") == "efs-fs-1-a-b"


def test_an_interface_made_ahead_is_the_next_tasks(tasks):
    box = tasks.sandbox
    ec2 = box.aws("ec2")
    before = {eni["NetworkInterfaceId"] for eni in ec2.describe_network_interfaces()["NetworkInterfaces"]}
    network = Network(tuple(box.subnets), (box.security_group,), True)
    box._interfaces.make_ahead(network)
    ahead = box._interfaces._ahead[network].result(20)
    shown = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert before == {eni["NetworkInterfaceId"] for eni in shown}  # EC2 does not show what no task has

    task = tasks.start({})
    (eni,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[ahead.record.id])["NetworkInterfaces"]
    assert eni["Association"]["PublicIp"] == ahead.public_ip
    assert ahead.record.private_ip in tasks.sh(task, "ip -4 addr")[1]
    tasks.stop(task)
    assert ahead.container not in {one["Id"] for one in tasks.client.api.containers(all=True)}


def test_a_public_address_may_show_late(tasks):
    box = tasks.sandbox
    box.delay_public_ip(20)  # two seconds, at this sandbox's speed
    try:
        mark = box.timeline.mark()
        task = tasks.start({})
        (attachment,) = tasks.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["attachments"]
        eni = next(item["value"] for item in attachment["details"] if item["name"] == "networkInterfaceId")

        def shown():
            (found,) = box.aws("ec2").describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
            return found.get("Association", {}).get("PublicIp")

        assert shown() is None
        told = box.timeline.wait_for("it to show", lambda seen: seen.kind == "eni.association", within=10, since=mark)
        assert (told["interface"], told["public_ip"]) == (eni, shown())
        tasks.stop(tasks.start({}))  # one that is gone before its address shows disturbs nobody
    finally:
        box.delay_public_ip(0)
    tasks.stop(task)


def test_a_spot_task_is_interrupted_and_replaced(tasks):
    traps = "trap 'echo told; sleep 0.5; exit 7' TERM; touch /tmp/ready; while :; do sleep 0.1; done"
    ready = {"command": ["CMD", "test", "-e", "/tmp/ready"], "interval": 5}
    stopped_by_hand = tasks.start(  # registers the definition, too
        {"entryPoint": ["sh", "-c"], "command": [traps], "healthCheck": ready, "stopTimeout": 120}
    )
    with pytest.raises(SandboxError, match="cannot be interrupted"):
        tasks.sandbox.interrupt_spot(stopped_by_hand)
    tasks.stop(stopped_by_hand)
    mark = tasks.sandbox.timeline.mark()
    tasks.ecs.create_service(
        cluster="c",
        serviceName="spot",
        taskDefinition="t",
        desiredCount=1,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": tasks.sandbox.subnets}},
    )
    running = tasks.sandbox.timeline.wait_for(
        "it to run", lambda seen: seen.kind == "task.state" and seen["last_status"] == "RUNNING", within=30, since=mark
    )
    old = running["task"]
    tasks.sandbox.timeline.wait_for(
        "it to have set its trap", lambda seen: seen.kind == "container.health" and seen["task"] == old, within=30
    )
    tasks.sandbox.interrupt_spot(old)
    tasks.wait(old, {"STOPPED"})
    told = next(seen for seen in tasks.told(old, "task.state") if seen["desired_status"] == "STOPPED")
    assert (told["last_status"], told["stop_code"]) == ("RUNNING", "SpotInterruption")
    (end,) = tasks.told(old, "container.exited")
    assert (end["exit_code"], end["log"]) == (7, ["told"])
    tasks.sandbox.timeline.wait_for(
        "the replacement",
        lambda seen: seen.kind == "task.state" and seen["task"] != old and seen["last_status"] == "RUNNING",
        within=30,
        since=mark,
    )
    tasks.ecs.delete_service(cluster="c", service="spot", force=True)
