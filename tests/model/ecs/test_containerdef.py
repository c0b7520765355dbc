"""What a container definition may say of its process, and what Fargate refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.linux_parameters import LinuxParameters, Tmpfs
from sandbox.model.ecs.messages import ContainerExited, ContainerStarted, MayRestart, StopRequested
from sandbox.model.ecs.restart import RestartPolicy

Make = Callable[..., Any]
POLICY = {"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60}


def refusal(register: Make, *containers: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(EcsError) as caught:
        register(*containers, **changes)
    assert caught.value.code == "ClientException"
    return caught.value.message


# -- what Fargate refuses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameter",
    [
        ("disableNetworking", True),
        ("dnsSearchDomains", ["x"]),
        ("dnsServers", ["1.1.1.1"]),
        ("dockerSecurityOptions", ["no-new-privileges"]),
        ("extraHosts", [{"hostname": "h", "ipAddress": "1.2.3.4"}]),
        ("hostname", "h"),
        ("links", ["db"]),
        ("privileged", True),
    ],
)
def test_what_fargate_does_not_have(register: Make, container: Make, parameter: tuple[str, Any]) -> None:
    name, value = parameter
    said = refusal(register, container("web", **{name: value}))
    assert said == f"Invalid setting for container 'web'. '{name}' is not supported on Fargate."


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"capabilities": {"add": ["NET_ADMIN"]}}, "Fargate can only add the capability SYS_PTRACE, not NET_ADMIN."),
        ({"sharedMemorySize": 64}, "'sharedMemorySize' is not supported on Fargate."),
        ({"devices": [{"hostPath": "/dev/kvm"}]}, "'devices' is not supported on Fargate."),
        ({"maxSwap": 1}, "'maxSwap' is not supported on Fargate."),
        ({"tmpfs": [{"containerPath": "tmp", "size": 1}]}, "absolute containerPath"),
        ({"tmpfs": [{"containerPath": "/tmp", "size": 0}]}, "size in MiB"),
    ],
)
def test_linux_parameters_that_are_refused(
    register: Make, container: Make, parameters: dict[str, Any], message: str
) -> None:
    assert message in refusal(register, container("web", linuxParameters=parameters))


def test_linux_parameters(register: Make, container: Make) -> None:
    asked = {
        "capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]},
        "initProcessEnabled": True,
        "tmpfs": [{"containerPath": "/scratch", "size": 16, "mountOptions": ["noexec"]}],
    }
    assert register(container("web", linuxParameters=asked)).container("web").linux == LinuxParameters(
        ("SYS_PTRACE",), ("ALL",), True, (Tmpfs("/scratch", 16, ("noexec",)),)
    )


@pytest.mark.parametrize("name", ["a b", "web/1", "x" * 256, "café"])
def test_names(register: Make, container: Make, name: str) -> None:
    assert "Its name has up to 255 letters" in refusal(register, container(name))


def test_the_number_of_containers(register: Make, container: Make) -> None:
    assert "at most 10 containers" in refusal(register, *(container(f"c{number}") for number in range(11)))


@pytest.mark.parametrize("parameter", ["memory", "memoryReservation"])
def test_memory_is_within_the_task_s(register: Make, container: Make, parameter: str) -> None:
    assert register(container("web", **{parameter: 512}))
    said = refusal(register, container("web", **{parameter: 513}))
    assert said == "The 'memory' setting for container is greater than for the task."
    assert "'memory' must be at least" in refusal(register, container("web", memory=64, memoryReservation=65))


def test_a_volume_of_the_host(register: Make) -> None:
    said = refusal(register, volumes=[{"name": "v", "host": {"sourcePath": "/data"}}])
    assert said == "host.sourcePath should not be set for volumes in Fargate."


@pytest.mark.parametrize("size", [20, 201, 0])
def test_ephemeral_storage(register: Make, size: int) -> None:
    assert "between 21 and 200 GiB" in refusal(register, ephemeralStorage={"sizeInGiB": size})
    assert register(ephemeralStorage={"sizeInGiB": 21}).raw["ephemeralStorage"] == {"sizeInGiB": 21}


def test_windows(register: Make) -> None:
    platform = {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
    assert "runtimePlatform.operatingSystemFamily WINDOWS" in refusal(register, runtimePlatform=platform)
    assert register(runtimePlatform={"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"})


# -- volumesFrom -----------------------------------------------------------------------------------------------------


def test_volumes_of_another_container_come_with_its_start(play: Make, container: Make) -> None:
    two = play(container("web", volumesFrom=[{"sourceContainer": "data"}]), container("data", essential=False)).start()
    two.on(two.attached, "event PENDING v2", "start data")
    two.on(ContainerStarted("data", "id-data"), "start web")
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v3")
    stop = StopRequested("Task stopped by user", "UserInitiated")
    two.on(stop, "event RUNNING>STOPPED v4", "stop web 30s", "stop data 30s")  # no order at the stop


def test_volumes_from_nowhere(register: Make, container: Make) -> None:
    assert "'nope' of its volumesFrom does not exist" in refusal(
        register, container("web", volumesFrom=[{"sourceContainer": "nope"}])
    )
    assert "forms a cycle" in refusal(register, container("web", volumesFrom=[{"sourceContainer": "web"}]))


# -- restartPolicy ---------------------------------------------------------------------------------------------------


def test_restart_policies(register: Make, container: Make) -> None:
    def policy(**raw: Any) -> RestartPolicy | None:
        found: RestartPolicy | None = register(container("web", restartPolicy=raw)).container("web").restart
        return found

    assert policy(enabled=True) == RestartPolicy(frozenset(), 300)
    assert policy(**POLICY) == RestartPolicy(frozenset({0}), 60)
    assert policy(enabled=False, restartAttemptPeriod=1) is None
    for bad in ({"restartAttemptPeriod": 59}, {"restartAttemptPeriod": 1801}, {"ignoredExitCodes": list(range(51))}):
        with pytest.raises(EcsError, match="restart policy"):
            policy(enabled=True, **bad)


@pytest.fixture
def restarts(play: Make, container: Make) -> Any:
    one = play(container("web", restartPolicy=POLICY)).start()
    one.on(one.attached, "event PENDING v2", "start web")
    return one.on(ContainerStarted("web", "id-web"), "event RUNNING v3", "remind MayRestart web 60s")


def since(play: Any) -> float:
    started: float = play.task.containers["web"].started_at
    return started


def test_a_container_that_has_run_long_enough_is_started_again(restarts: Any) -> None:
    restarts.on(MayRestart("web", since(restarts)))
    restarts.on(ContainerExited("web", 1), "restart web").shows(lastStatus="RUNNING", version=3)
    restarts.on(ContainerStarted("web", "id-web"), "remind MayRestart web 60s")
    assert restarts.task.containers["web"].restarts == 1
    # "A container can be restarted only once every restartAttemptPeriod seconds."
    restarts.on(
        ContainerExited("web", 1), "event RUNNING>STOPPED v4", "event DEPROVISIONING>STOPPED v5", "detach"
    ).shows(stopCode="EssentialContainerExited")


def test_one_that_ends_early_is_not(restarts: Any) -> None:
    restarts.on(ContainerExited("web", 1), "event RUNNING>STOPPED v4", "event DEPROVISIONING>STOPPED v5", "detach")


def test_nor_after_an_exit_code_that_is_ignored(restarts: Any) -> None:
    restarts.on(MayRestart("web", since(restarts)))
    restarts.on(ContainerExited("web", 0), "event RUNNING>STOPPED v4", "event DEPROVISIONING>STOPPED v5", "detach")


def test_a_reminder_of_an_earlier_start_counts_for_nothing(restarts: Any) -> None:
    first = since(restarts)
    restarts.on(MayRestart("web", first)).on(ContainerExited("web", 1), "restart web")
    restarts.on(MayRestart("web", first))
    assert not restarts.task.containers["web"].may_restart


def test_nothing_is_started_again_in_a_task_that_stops(restarts: Any) -> None:
    restarts.on(MayRestart("web", since(restarts)))
    restarts.on(StopRequested("Task stopped by user", "UserInitiated"), "event RUNNING>STOPPED v4", "stop web 30s")
    restarts.on(ContainerExited("web", 143), "event DEPROVISIONING>STOPPED v5", "detach")
