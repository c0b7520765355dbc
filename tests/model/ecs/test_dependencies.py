"""dependsOn: what is refused, and the order of starts and stops as transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    EniDetached,
    HealthChanged,
    StartTimedOut,
    StopRequested,
)

Make = Callable[..., Any]
STOP = StopRequested("Task stopped by user", "UserInitiated")
CHECK = {"command": ["CMD", "true"]}


def after(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition} for name, condition in pairs]


# -- registration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depends_on", "other", "message"),
    [
        (after(("nope", "START")), {}, "Cannot depend on container + 'nope' because it does not exist"),
        (after(("db", "READY")), {}, "Invalid container dependency condition 'READY'"),
        (
            after(("db", "SUCCESS")),
            {},
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            after(("db", "HEALTHY")),
            {},
            "A dependency container with HEALTHY condition must have health check configured",
        ),
        (
            after(("db", "HEALTHY")),
            {"healthCheck": {"command": ["NONE"]}},
            "A dependency container with HEALTHY condition must have health check configured",
        ),
        (
            after(("db", "START")),
            {"dependsOn": after(("web", "START"))},
            "The dependsOn of containers 'web', 'db' forms a cycle.",
        ),
        (after(("web", "START")), {}, "The dependsOn of containers 'web' forms a cycle."),
    ],
)
def test_what_no_start_could_satisfy(
    register: Make, container: Make, depends_on: list[Any], other: dict[str, Any], message: str
) -> None:
    with pytest.raises(EcsError) as caught:
        register(container("web", dependsOn=depends_on), container("db", **other))
    assert caught.value.code == "ClientException"
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("seconds", [1, 121])
def test_start_timeout(register: Make, container: Make, seconds: int) -> None:
    with pytest.raises(EcsError, match="startTimeout"):
        register(container("web", startTimeout=seconds))


# -- starts ----------------------------------------------------------------------------------------------------------


def test_start_waits_until_the_other_runs(play: Make, container: Make) -> None:
    two = play(container("web", dependsOn=after(("db", "START"))), container("db")).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(ContainerStarted("db", "id-db"), "start web")
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v3")


def test_start_is_met_by_what_has_ended_already(play: Make, container: Make) -> None:
    two = play(container("web", dependsOn=after(("db", "START"))), container("db", essential=False)).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(ContainerExited("db", 1), "event PENDING v3", "start web")
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v4")


@pytest.mark.parametrize("condition", ["COMPLETE", "SUCCESS"])
def test_an_init_container(play: Make, container: Make, condition: str) -> None:
    init = container("init", essential=False)
    two = play(container("web", dependsOn=after(("init", condition))), init).start()
    two.on(two.attached, "event PENDING v2", "start init")
    two.on(ContainerStarted("init", "id-init"))
    two.on(ContainerExited("init", 0), "event PENDING v3", "start web")
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v4")


def test_complete_does_not_mind_a_failure(play: Make, container: Make) -> None:
    init = container("init", essential=False)
    two = play(container("web", dependsOn=after(("init", "COMPLETE"))), init).start()
    two.on(two.attached, "event PENDING v2", "start init")
    two.on(ContainerExited("init", 3), "event PENDING v3", "start web")


def test_success_that_fails_is_the_end(play: Make, container: Make) -> None:
    init = container("init", essential=False)
    two = play(container("web", dependsOn=after(("init", "SUCCESS"))), init).start()
    two.on(two.attached, "event PENDING v2", "start init")
    two.on(
        ContainerExited("init", 3),
        "event PENDING v3",
        "event PENDING>STOPPED v4",
        "event DEPROVISIONING>STOPPED v5",
        "detach",
    )
    two.on(EniDetached(), "event STOPPED>STOPPED v6")
    two.shows(
        stopCode="TaskFailedToStart",
        startedAt=None,
        stoppedReason="CannotStartContainerError: dependency graph: failed to resolve container ordering dependency "
        "[init] for target [web] as dependency did not exit successfully.",
    )
    assert two.task.containers["web"].exit_code == 143


def test_a_container_that_is_not_essential_and_cannot_start_is_left_out(play: Make, container: Make) -> None:
    init = container("init", essential=False)
    late = container("late", essential=False, dependsOn=after(("init", "SUCCESS")))
    three = play(container("web"), init, late).start()
    three.on(three.attached, "event PENDING v2", "start web", "start init")
    three.on(ContainerStarted("web", "id-web"))
    three.on(ContainerExited("init", 1), "event PENDING v3", "event PENDING v4", "event RUNNING v5")
    three.shows(desiredStatus="RUNNING")


def test_healthy(play: Make, container: Make) -> None:
    two = play(container("web", dependsOn=after(("db", "HEALTHY"))), container("db", healthCheck=CHECK)).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(ContainerStarted("db", "id-db"))
    two.on(HealthChanged("db", "UNHEALTHY"))  # may still become healthy: AWS waits, without a startTimeout for ever
    two.on(HealthChanged("db", "HEALTHY"), "start web")
    two.on(HealthChanged("db", "HEALTHY"))  # told twice, started once
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v3")


def test_what_ends_before_it_is_healthy(play: Make, container: Make) -> None:
    db = container("db", healthCheck=CHECK, essential=False)
    two = play(container("web", dependsOn=after(("db", "HEALTHY"))), db).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(
        ContainerExited("db", 0),
        "event PENDING v3",
        "event PENDING>STOPPED v4",
        "event DEPROVISIONING>STOPPED v5",
        "detach",
    )


def test_when_a_time_out_ends_the_task_nothing_starts_that_waited_for_others(play: Make, container: Make) -> None:
    """`second` can never start, for which `third` has waited; but `web` is essential and can never start either."""
    four = play(
        container("init", essential=False, startTimeout=10),
        container("second", essential=False, dependsOn=after(("init", "COMPLETE"))),
        container("third", essential=False, dependsOn=after(("second", "START"))),
        container("web", dependsOn=after(("init", "COMPLETE"))),
    ).start()
    four.on(four.attached, "event PENDING v2", "start init")
    four.on(ContainerStarted("init", "id-init"), "remind StartTimedOut init 10s")
    four.on(StartTimedOut("init"), "event PENDING>STOPPED v3", "stop init 30s")


def test_a_chain(play: Make, container: Make) -> None:
    three = play(
        container("a", dependsOn=after(("b", "START"), ("c", "START"))),
        container("b", dependsOn=after(("c", "START"))),
        container("c"),
    ).start()
    three.on(three.attached, "event PENDING v2", "start c")
    three.on(ContainerStarted("c", "id-c"), "start b")
    three.on(ContainerStarted("b", "id-b"), "start a")
    three.on(ContainerStarted("a", "id-a"), "event RUNNING v3")
    three.on(STOP, "event RUNNING>STOPPED v4", "stop a 30s")
    three.on(ContainerExited("a", 143), "stop b 30s")
    three.on(ContainerExited("b", 143), "stop c 30s")
    three.on(ContainerExited("c", 143), "event DEPROVISIONING>STOPPED v5", "detach")


# -- startTimeout ----------------------------------------------------------------------------------------------------


def timed(play: Make, container: Make) -> Any:
    db = container("db", healthCheck=CHECK, startTimeout=20)
    two = play(container("web", dependsOn=after(("db", "HEALTHY"))), db).start()
    two.on(two.attached, "event PENDING v2", "start db")
    return two.on(ContainerStarted("db", "id-db"), "remind StartTimedOut db 20s")


def test_waiting_is_given_up(play: Make, container: Make) -> None:
    two = timed(play, container)
    two.on(StartTimedOut("db"), "event PENDING>STOPPED v3", "stop db 30s")
    two.shows(
        stopCode="TaskFailedToStart",
        stoppedReason="CannotStartContainerError: dependency graph: container ordering dependency [db] for target "
        "[web] has timed out.",
    )


def test_what_was_healthy_in_time_has_not_timed_out(play: Make, container: Make) -> None:
    two = timed(play, container)
    two.on(HealthChanged("db", "HEALTHY"), "start web")
    two.on(StartTimedOut("db"))
    two.on(ContainerStarted("web", "id-web"), "event RUNNING v3")
    two.on(StartTimedOut("db"))


def test_start_timeout_bounds_nothing_where_nobody_waits(play: Make, container: Make) -> None:
    two = play(container("web", dependsOn=after(("db", "START"))), container("db", startTimeout=20)).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(ContainerStarted("db", "id-db"), "start web")


# -- stops -----------------------------------------------------------------------------------------------------------


def test_what_was_never_started_is_not_stopped(play: Make, container: Make) -> None:
    two = play(container("web", dependsOn=after(("db", "START"))), container("db")).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(STOP, "event PENDING>STOPPED v3", "stop db 30s")
    two.on(ContainerStarted("db", "id-db"))
    two.on(ContainerExited("db", 143), "event DEPROVISIONING>STOPPED v4", "detach")


def test_a_dependency_that_cannot_start_ends_the_task(play: Make, container: Make) -> None:
    two = play(container("web", dependsOn=after(("db", "START"))), container("db")).start()
    two.on(two.attached, "event PENDING v2", "start db")
    two.on(
        ContainerFailed("db", "CannotPullContainerError: no"),
        "event PENDING>STOPPED v3",
        "event DEPROVISIONING>STOPPED v4",
        "detach",
    )
