"""The life cycle of one task as transcripts: event in, commands out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    EniDetached,
    EniFailed,
    ImagePulled,
    StopRequested,
    TaskEvent,
)
from sandbox.model.ecs.task import is_meant

Play = Any  # the class of conftest.py
ARN = "arn:aws:ecs:us-east-1:123456789012:task/blog/0123456789abcdef0123456789abcdef"
STOP = StopRequested("Task stopped by user", "UserInitiated")
DETACHED = EniDetached()


@pytest.fixture
def two(play: Callable[..., Play], container: Callable[..., dict[str, Any]]) -> Play:
    """An essential container and one that is not."""
    return play(container("web"), container("sidecar", essential=False, stopTimeout=90))


# -- starting --------------------------------------------------------------------------------------------------------


def test_a_task_starts(two: Play) -> None:
    two.start()
    two.on(two.attached, "event PENDING v2", "start web", "start sidecar")
    two.on(ImagePulled("sidecar", "sha256:s"))
    two.on(ImagePulled("web", "sha256:w"))
    two.on(ContainerStarted("web", "id-web"))
    two.on(ContainerStarted("sidecar", "id-sidecar"), "event RUNNING v3")
    two.shows(
        lastStatus="RUNNING",
        desiredStatus="RUNNING",
        createdAt=100.0,
        connectivity="CONNECTED",
        connectivityAt=101.0,
        pullStartedAt=101.0,
        pullStoppedAt=103.0,
        startedAt=105.0,
        stoppingAt=None,
        stopCode=None,
    )


def test_the_interface_is_asked_for_in_the_task_s_network(two: Play) -> None:
    assert AttachEni(two.task.arn, two.task.network) in two.task.start()
    assert two.task.network.subnets == ("subnet-a", "subnet-b")


def test_no_interface_can_be_had(two: Play) -> None:
    two.start()
    two.on(EniFailed("ResourceInitializationError: no address"), "event STOPPED>STOPPED v2")
    two.shows(
        stopCode="TaskFailedToStart",
        stoppedReason="ResourceInitializationError: no address",
        connectivity=None,
        executionStoppedAt=None,
        startedAt=None,
        stoppingAt=101.0,
        stoppedAt=101.0,
    )
    assert {shown["lastStatus"] for shown in two.task.describe()["containers"]} == {"STOPPED"}
    assert two.task.describe()["attachments"][0]["status"] == "DELETED"


def test_an_image_that_cannot_be_pulled_ends_the_task(two: Play) -> None:
    reason = "CannotPullContainerError: pull access denied"
    two.pending()
    two.on(ContainerStarted("web", "id-web"))
    two.on(ContainerFailed("sidecar", reason), "event PENDING>STOPPED v3", "stop web 30s")
    two.on(ContainerExited("web", 143), "event DEPROVISIONING>STOPPED v4", "detach")
    two.on(DETACHED, "event STOPPED>STOPPED v5")
    two.shows(stopCode="TaskFailedToStart", stoppedReason=reason, startedAt=None)
    web, sidecar = two.task.describe()["containers"]
    assert (web["exitCode"], "reason" in web) == (143, False)
    assert (sidecar["reason"], "exitCode" in sidecar) == (reason, False)


def test_every_container_fails(two: Play) -> None:
    two.pending()
    two.on(ContainerFailed("web", "first"), "event PENDING>STOPPED v3", "stop sidecar 90s")
    two.on(ContainerFailed("sidecar", "second"), "event DEPROVISIONING>STOPPED v4", "detach")
    two.shows(stoppedReason="first")


# -- containers that end ---------------------------------------------------------------------------------------------


def test_the_only_container_exits(play: Callable[..., Play]) -> None:
    one = play().running()
    one.on(ContainerExited("web", 1), "event RUNNING>STOPPED v4", "event DEPROVISIONING>STOPPED v5", "detach")
    one.on(DETACHED, "event STOPPED>STOPPED v6")
    one.shows(
        stopCode="EssentialContainerExited",
        stoppedReason="Essential container in task exited",
        stoppingAt=103.0,
        executionStoppedAt=103.0,
        stoppedAt=104.0,
    )


def test_an_essential_container_takes_the_others_along(two: Play) -> None:
    two.running()
    two.on(ContainerExited("web", 0), "event RUNNING>STOPPED v4", "stop sidecar 90s")
    two.shows(lastStatus="STOPPING")
    two.on(ContainerExited("sidecar", 137, "OutOfMemoryError"), "event DEPROVISIONING>STOPPED v5", "detach")
    two.on(DETACHED, "event STOPPED>STOPPED v6")
    assert [c["exitCode"] for c in two.task.describe()["containers"]] == [0, 137]


def test_a_container_that_is_not_essential_may_end(two: Play) -> None:
    two.running()
    two.on(ContainerExited("sidecar", 0), "event RUNNING v4")
    two.shows(lastStatus="RUNNING", desiredStatus="RUNNING")
    two.on(ContainerExited("web", 0), "event RUNNING>STOPPED v5", "event DEPROVISIONING>STOPPED v6", "detach")


def test_a_container_that_is_not_essential_ends_before_the_others_run(two: Play) -> None:
    two.pending()
    two.on(ContainerStarted("sidecar", "id-sidecar"))
    two.on(ContainerExited("sidecar", 0), "event PENDING v3")
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v4")


def test_an_exit_that_is_reported_before_its_start_was_a_start(play: Callable[..., Play]) -> None:
    """Developer guide: a task whose command exits at once has "already moved to the RUNNING state"."""
    one = play().pending()
    one.on(
        ContainerExited("web", 1),
        "event RUNNING v3",
        "event RUNNING>STOPPED v4",
        "event DEPROVISIONING>STOPPED v5",
        "detach",
    )
    one.on(ContainerStarted("web", "id-web"))
    one.on(DETACHED, "event STOPPED>STOPPED v6")
    one.shows(startedAt=102.0, stopCode="EssentialContainerExited")
    assert one.task.describe()["containers"][0]["runtimeId"] == "id-web"


def test_an_essential_exit_while_another_container_is_still_pulled(two: Play) -> None:
    two.pending()
    two.on(ContainerExited("web", 1), "event PENDING>STOPPED v3", "stop sidecar 90s")
    two.on(ContainerFailed("sidecar", "not started any more"), "event DEPROVISIONING>STOPPED v4", "detach")
    two.shows(startedAt=None, stopCode="EssentialContainerExited")


# -- StopTask --------------------------------------------------------------------------------------------------------


def test_stop_while_provisioning_waits_for_the_interface(two: Play) -> None:
    two.start()
    two.on(STOP, "event PROVISIONING>STOPPED v2")
    two.on(two.attached, "event DEPROVISIONING>STOPPED v3", "detach")
    two.on(DETACHED, "event STOPPED>STOPPED v4")
    two.shows(stopCode="UserInitiated", stoppedReason="Task stopped by user", pullStartedAt=None)


def test_stop_while_provisioning_and_no_interface_comes(two: Play) -> None:
    two.start()
    two.on(STOP, "event PROVISIONING>STOPPED v2")
    two.on(EniFailed("no address"), "event STOPPED>STOPPED v3")
    two.shows(stopCode="UserInitiated", stoppedReason="Task stopped by user")


def test_stop_while_pending_with_one_container_up(two: Play) -> None:
    two.pending()
    two.on(ContainerStarted("web", "id-web"))
    two.on(STOP, "event PENDING>STOPPED v3", "stop web 30s", "stop sidecar 90s")
    two.on(ContainerStarted("sidecar", "id-sidecar"))  # was on its way; its stop follows
    two.on(ContainerExited("web", 143))
    two.on(ContainerExited("sidecar", 143), "event DEPROVISIONING>STOPPED v4", "detach")
    two.on(DETACHED, "event STOPPED>STOPPED v5")
    two.shows(startedAt=None)


def test_stop_while_running(two: Play) -> None:
    """Versions as in the API reference's StopTask sample (4) and in seen STOPPED events (6)."""
    two.running()
    two.on(STOP, "event RUNNING>STOPPED v4", "stop web 30s", "stop sidecar 90s")
    two.shows(lastStatus="STOPPING", version=4)
    two.on(ContainerExited("sidecar", 143))
    two.on(ContainerExited("web", 143), "event DEPROVISIONING>STOPPED v5", "detach")
    two.shows(executionStoppedAt=106.0)
    two.on(DETACHED, "event STOPPED>STOPPED v6")
    two.shows(stopCode="UserInitiated", stoppedReason="Task stopped by user", stoppingAt=104.0, stoppedAt=107.0)


def test_only_containers_that_run_are_stopped(two: Play) -> None:
    two.running()
    two.on(ContainerExited("sidecar", 0), "event RUNNING v4")
    two.on(STOP, "event RUNNING>STOPPED v5", "stop web 30s")


def test_the_first_reason_stays(two: Play) -> None:
    two.running()
    two.on(StopRequested("mine", "UserInitiated"), "event RUNNING>STOPPED v4", "stop web 30s", "stop sidecar 90s")
    two.on(StopRequested("Scaling activity", "ServiceSchedulerInitiated"))
    two.shows(stoppedReason="mine", stopCode="UserInitiated")


# -- late and doubled events -----------------------------------------------------------------------------------------


@pytest.fixture
def stopped(two: Play) -> Play:
    two.running()
    two.on(STOP, "event RUNNING>STOPPED v4", "stop web 30s", "stop sidecar 90s")
    two.on(ContainerExited("web", 0))
    two.on(ContainerExited("sidecar", 0), "event DEPROVISIONING>STOPPED v5", "detach")
    return two.on(DETACHED, "event STOPPED>STOPPED v6")


@pytest.mark.parametrize(
    "late",
    [
        EniFailed("late"),
        DETACHED,
        ImagePulled("web", ""),
        ContainerStarted("web", "id-web"),
        ContainerFailed("web", "late"),
        ContainerExited("web", 9),
        STOP,
    ],
    ids=lambda event: type(event).__name__,
)
def test_late_events_change_nothing_final(stopped: Play, late: TaskEvent) -> None:
    stopped.task.containers["web"].digest = ""
    stopped.task.times.setdefault("pullStoppedAt", 0.0)
    before = stopped.task.describe()
    stopped.on(late)
    assert stopped.task.describe() == before


def test_a_late_interface_changes_nothing(stopped: Play) -> None:
    stopped.on(stopped.attached).shows(lastStatus="STOPPED")


def test_the_same_events_twice(two: Play) -> None:
    two.pending()
    two.on(two.attached)
    two.on(ImagePulled("web", "sha256:w")).on(ImagePulled("sidecar", "sha256:s"))
    two.on(ImagePulled("web", "sha256:w")).shows(pullStoppedAt=104.0)
    two.on(ContainerStarted("web", "id-web")).on(ContainerStarted("web", "id-web"))
    two.on(ContainerStarted("sidecar", "id-sidecar"), "event RUNNING v3")
    two.on(ContainerStarted("sidecar", "id-sidecar"))
    two.on(ContainerExited("sidecar", 0), "event RUNNING v4").on(ContainerExited("sidecar", 0))


def test_a_failure_is_not_believed_of_a_container_that_runs(two: Play) -> None:
    two.running().on(ContainerFailed("web", "late")).shows(desiredStatus="RUNNING")


def test_detached_is_not_believed_before_it_was_asked_for(two: Play) -> None:
    two.running().on(DETACHED).shows(lastStatus="RUNNING")


# -- DescribeTasks ---------------------------------------------------------------------------------------------------


def test_a_new_task_as_described(two: Play) -> None:
    two.start()
    assert two.task.describe() == {
        "taskArn": ARN,
        "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/blog",
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/blog:1",
        "group": "family:blog",
        "cpu": "256",
        "memory": "512",
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "ephemeralStorage": {"sizeInGiB": 20},
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "createdAt": 100.0,
        "version": 1,
        "overrides": {
            "containerOverrides": [{"name": "web"}, {"name": "sidecar"}],
            "inferenceAcceleratorOverrides": [],
        },
        "tags": [],
        "attachments": [
            {
                "id": "attachment-1",
                "type": "ElasticNetworkInterface",
                "status": "PRECREATED",
                "details": [{"name": "subnetId", "value": "subnet-a"}],
            }
        ],
        "containers": [
            {
                "containerArn": f"container/{name}",
                "taskArn": ARN,
                "name": name,
                "image": f"{name}:1",
                "lastStatus": "PENDING",
                "networkBindings": [],
                "networkInterfaces": [],
                "healthStatus": "UNKNOWN",
                "cpu": "0",
            }
            for name in ("web", "sidecar")
        ],
        "healthStatus": "UNKNOWN",
        "enableExecuteCommand": False,
    }


def test_a_running_task_as_described(play: Callable[..., Play], container: Callable[..., dict[str, Any]]) -> None:
    task = play(container("web", cpu=99, memory=100)).running().task
    task.handle(ImagePulled("web", "sha256:w"), 200.0)
    shown = task.describe()
    assert shown["availabilityZone"] == "us-east-1a"
    assert shown["attachments"] == [
        {
            "id": "attachment-1",
            "type": "ElasticNetworkInterface",
            "status": "ATTACHED",
            "details": [
                {"name": "subnetId", "value": "subnet-a"},
                {"name": "networkInterfaceId", "value": "eni-1"},
                {"name": "macAddress", "value": "02:00:00:00:00:01"},
                {"name": "privateDnsName", "value": "ip-10-0-0-9.ec2.internal"},
                {"name": "privateIPv4Address", "value": "10.0.0.9"},
            ],
        }
    ]
    assert shown["containers"] == [
        {
            "containerArn": "container/web",
            "taskArn": ARN,
            "name": "web",
            "image": "web:1",
            "imageDigest": "sha256:w",
            "runtimeId": "id-web",
            "lastStatus": "RUNNING",
            "networkBindings": [],
            "networkInterfaces": [{"attachmentId": "attachment-1", "privateIpv4Address": "10.0.0.9"}],
            "healthStatus": "UNKNOWN",
            "cpu": "99",
            "memory": "100",
        }
    ]


def test_the_attachment_goes_through_its_states(two: Play) -> None:
    seen = []

    def look() -> None:
        seen.append(two.task.describe()["attachments"][0]["status"])

    two.start()
    look()
    two.on(two.attached, "event PENDING v2", "start web", "start sidecar")
    look()
    two.on(STOP, "event PENDING>STOPPED v3", "stop web 30s", "stop sidecar 90s")
    two.on(ContainerFailed("web", "stopped")).on(
        ContainerFailed("sidecar", "stopped"), "event DEPROVISIONING>STOPPED v4", "detach"
    )
    look()
    two.on(DETACHED, "event STOPPED>STOPPED v5")
    look()
    assert seen == ["PRECREATED", "ATTACHED", "DETACHING", "DELETED"]


def test_a_published_task_does_not_change_any_more(two: Play) -> None:
    first = two.task.start()[0]
    before = repr(first)
    two.on(two.attached, "event PENDING v2", "start web", "start sidecar")
    assert repr(first) == before


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (ARN, True),
        ("0123456789abcdef0123456789abcdef", True),
        ("0123", True),
        ("123", False),
        (ARN[:-1], False),
        ("blog/0123", False),
        ("", False),
    ],
)
def test_the_task_a_person_means(wanted: str, meant: bool) -> None:
    assert is_meant(ARN, wanted) is meant
