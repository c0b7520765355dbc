"""A task with target groups or an instance in Cloud Map: ACTIVATING, DEACTIVATING, and what waits for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.model.ecs.events import task_state_change
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerStarted,
    EniDetached,
    HealthChanged,
    Host,
    HostLost,
    PublishTask,
    StopRequested,
)
from sandbox.model.ecs.ports import Binding
from sandbox.model.ecs.registration import (
    Deregistered,
    DrainOver,
    GroupUse,
    Registered,
    RegisterTask,
    RegistrationFailed,
    Registrations,
    RegistryUse,
    TargetHealthChanged,
)
from sandbox.model.elb.target import Target, TargetHealth

Play = Any  # the class of conftest.py
Make = Callable[..., Play]

BLUE, GREEN = (
    f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/0" for name in ("blue", "green")
)
REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"
ONE = Registrations((GroupUse(BLUE, "web", 80),))
TWO = Registrations((GroupUse(BLUE, "web", 80), GroupUse(GREEN, "web", 9000)))
CLOUD_MAP = Registrations(registry=RegistryUse(REGISTRY, "", None, None, {"registryArn": REGISTRY}))

STARTED = ContainerStarted("web", "id-web")
SCALED = StopRequested("Scaling activity initiated by (deployment ecs-svc/1)", "ServiceSchedulerInitiated")
SPOT = StopRequested("Your Spot Task was interrupted.", "SpotInterruption")
CHECK = {"healthCheck": {"command": ["CMD", "true"]}}


def gone(group: str = BLUE, port: int = 80) -> TargetHealthChanged:
    return TargetHealthChanged(group, Target("10.0.0.9", port), TargetHealth("unused", "Target.NotRegistered"))


# -- one target group ------------------------------------------------------------------------------------------------


@pytest.fixture
def one(play: Make) -> Play:
    return play(registrations=ONE).pending()


def test_with_one_target_group_a_task_is_running_before_it_is_registered(one: Play) -> None:
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80")
    one.on(Registered())


def test_its_containers_run_until_the_deregistration_delay_is_over(one: Play) -> None:
    """DEACTIVATING shows in DescribeTasks, and no event tells of it (containers-roadmap #1039)."""
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    one.shows(lastStatus="DEACTIVATING")
    one.on(Deregistered()).shows(lastStatus="DEACTIVATING")
    one.on(DrainOver(), "stop web 30s").shows(lastStatus="STOPPING")
    one.on(ContainerExited("web", 143), "event DEPROVISIONING>STOPPED v5", "detach")
    one.on(EniDetached(), "event STOPPED>STOPPED v6")


def test_or_until_the_load_balancer_says_that_the_target_is_gone(one: Play) -> None:
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    one.on(gone())  # before it is said that the deregistration was taken
    one.on(Deregistered(), "stop web 30s")
    one.on(DrainOver())


def test_a_stop_waits_for_the_registration_under_way(one: Play) -> None:
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80")
    one.on(SCALED, "event RUNNING>STOPPED v4")
    one.on(Registered(), "deregister blue=10.0.0.9:80", "drain 300s")
    one.on(Deregistered())
    one.on(DrainOver(), "stop web 30s")


def test_a_task_that_is_stopped_before_it_is_registered_has_nothing_to_deregister(one: Play) -> None:
    one.on(SCALED, "event PENDING>STOPPED v3", "stop web 30s")


def test_a_spot_interruption_deregisters_first_and_does_not_wait_for_the_drain(one: Play) -> None:
    """What's New, 13 February 2023: the task is deregistered before SIGTERM is issued."""
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    one.on(SPOT, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    one.on(Deregistered(), "stop web 30s")


def test_a_container_that_ends_takes_the_others_along_at_once(play: Make) -> None:
    two = play({"name": "web", "image": "w"}, {"name": "log", "image": "l"}, registrations=ONE).pending()
    two.on(ContainerStarted("log", "id")).on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    two.on(
        ContainerExited("web", 1),
        "event RUNNING>STOPPED v4",
        "deregister blue=10.0.0.9:80",
        "drain 300s",
        "stop log 30s",
    )
    two.on(ContainerExited("log", 143))  # the address is kept until the load balancer knows that it is to go
    two.on(Deregistered(), "event DEPROVISIONING>STOPPED v5", "detach")


def test_a_container_that_ends_during_the_drain_ends_the_drain(play: Make) -> None:
    two = play({"name": "web", "image": "w"}, {"name": "log", "image": "l"}, registrations=ONE).pending()
    two.on(ContainerStarted("log", "id")).on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    two.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s").on(Deregistered())
    two.on(ContainerExited("web", 1), "stop log 30s")


def test_a_group_without_a_delay_is_not_waited_for(one: Play) -> None:
    one.task.registration.delay_of = lambda arn: 0
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80")
    one.on(Deregistered(), "stop web 30s")


def test_a_registration_that_fails_leaves_a_running_task(one: Play) -> None:
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80")
    one.on(RegistrationFailed(BLUE, "TARGET GROUP IS NOT FOUND")).shows(lastStatus="RUNNING")
    assert not one.task.registration.healthy
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    one.on(Deregistered(), "stop web 30s")


def test_late_and_doubled_reports_change_nothing(one: Play) -> None:
    one.on(Registered()).on(Deregistered()).on(DrainOver()).on(gone())
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Deregistered()).on(DrainOver())
    one.on(Registered()).on(Registered())
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    one.on(Registered())
    one.on(Deregistered())


# -- a lost host -----------------------------------------------------------------------------------------------------

LOST = HostLost("Host EC2 (instance i-1) terminated.", "TerminationNotice")


def test_a_task_whose_host_is_lost_keeps_its_address_until_it_is_deregistered_and_drains_nothing(one: Play) -> None:
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    one.on(LOST, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s")
    one.on(LOST)
    one.on(ContainerExited("web", 137)).on(gone())
    one.on(Deregistered(), "event DEPROVISIONING>STOPPED v5", "detach").on(LOST)
    one.on(EniDetached(), "event STOPPED>STOPPED v6").on(DrainOver()).on(LOST)
    one.shows(stopCode="TerminationNotice", stoppedReason=LOST.reason)


def test_a_host_that_is_lost_while_targets_drain_ends_the_drain(one: Play) -> None:
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s").on(Deregistered())
    one.on(LOST, "event DEPROVISIONING>STOPPED v5", "detach")
    one.shows(stopCode="ServiceSchedulerInitiated", stoppedReason=SCALED.reason)


def test_deactivating_is_told_once_also_where_the_host_is_lost_in_it(play: Make) -> None:
    two = play(registrations=TWO).pending()
    two.on(STARTED, "event ACTIVATING v3", "register blue=10.0.0.9:80 green=10.0.0.9:9000")
    two.on(Registered(), "event RUNNING v4")
    deregister = "deregister blue=10.0.0.9:80 green=10.0.0.9:9000"
    two.on(SCALED, "event RUNNING>STOPPED v5", "event DEACTIVATING>STOPPED v6", deregister, "drain 300s")
    two.on(LOST).on(LOST)
    two.on(Deregistered(), "event DEPROVISIONING>STOPPED v7", "detach")


def test_a_host_that_is_lost_while_its_task_is_activating(play: Make) -> None:
    task = play(registrations=CLOUD_MAP).pending().on(STARTED, "event ACTIVATING v3", "register srv-1")
    task.on(LOST, "event ACTIVATING>STOPPED v4", "event DEACTIVATING>STOPPED v5").on(LOST)
    task.on(Registered(), "deregister srv-1").on(LOST)
    task.on(Deregistered(), "event DEPROVISIONING>STOPPED v6", "detach")


def test_a_task_that_is_stopping_does_not_go_back_to_deactivating_when_its_host_is_lost(play: Make) -> None:
    two = play({"name": "web", "image": "w"}, {"name": "log", "image": "l"}, registrations=CLOUD_MAP).pending()
    two.on(ContainerStarted("log", "id")).on(STARTED, "event ACTIVATING v3", "register srv-1")
    two.on(Registered(), "event RUNNING v4")
    told = ("event RUNNING>STOPPED v5", "event DEACTIVATING>STOPPED v6", "deregister srv-1", "stop log 30s")
    two.on(ContainerExited("web", 1), *told).shows(lastStatus="STOPPING")
    two.on(LOST).shows(lastStatus="STOPPING")
    two.on(Deregistered(), "event DEPROVISIONING>STOPPED v7", "detach")


# -- several, or Cloud Map -------------------------------------------------------------------------------------------


def test_with_several_target_groups_a_task_is_activating_meanwhile(play: Make) -> None:
    two = play(registrations=TWO).pending()
    two.on(STARTED, "event ACTIVATING v3", "register blue=10.0.0.9:80 green=10.0.0.9:9000")
    two.shows(lastStatus="ACTIVATING", startedAt=None)
    two.on(Registered(), "event RUNNING v4")
    two.on(
        SCALED,
        "event RUNNING>STOPPED v5",
        "event DEACTIVATING>STOPPED v6",
        "deregister blue=10.0.0.9:80 green=10.0.0.9:9000",
        "drain 300s",
    )
    two.on(Deregistered()).on(gone())
    two.on(gone(GREEN, 9000), "stop web 30s")


def test_with_cloud_map_a_task_is_activating_meanwhile_and_nothing_drains(play: Make) -> None:
    task = play(registrations=CLOUD_MAP).pending()
    task.on(STARTED, "event ACTIVATING v3", "register srv-1")
    task.on(Registered(), "event RUNNING v4")
    task.on(SCALED, "event RUNNING>STOPPED v5", "event DEACTIVATING>STOPPED v6", "deregister srv-1")
    task.on(Deregistered(), "stop web 30s")


def test_a_task_that_is_stopped_while_it_is_activating(play: Make) -> None:
    task = play(registrations=CLOUD_MAP).pending().on(STARTED, "event ACTIVATING v3", "register srv-1")
    task.on(SCALED, "event ACTIVATING>STOPPED v4", "event DEACTIVATING>STOPPED v5")
    task.on(Registered(), "deregister srv-1")
    task.on(Deregistered(), "stop web 30s")


def test_a_task_that_cannot_be_activated_stops(play: Make) -> None:
    task = play(registrations=CLOUD_MAP).pending().on(STARTED, "event ACTIVATING v3", "register srv-1")
    task.on(
        RegistrationFailed(REGISTRY, "ServiceNotFound"),
        "event ACTIVATING>STOPPED v4",
        "event DEACTIVATING>STOPPED v5",
        "deregister srv-1",
        "stop web 30s",
    )
    task.shows(stopCode="TaskFailedToStart", stoppedReason=f"Unable to register with {REGISTRY}: ServiceNotFound")


# -- Cloud Map -------------------------------------------------------------------------------------------------------


def instance_of(task: Any) -> Any:
    (command,) = task.registration.ask(task)
    assert isinstance(command, RegisterTask)
    return command.instance


def srv(**values: Any) -> Registrations:
    given = {"container": "", "container_port": None, "port": None, **values}
    return Registrations(registry=RegistryUse(REGISTRY, raw={}, **given))


def test_the_attributes_of_an_instance(play: Make) -> None:
    task = play(registrations=CLOUD_MAP).pending().task
    task.group = "service:web"
    instance = instance_of(task)
    assert (instance.registry_arn, instance.id) == (REGISTRY, "0123456789abcdef0123456789abcdef")
    assert instance.attributes == {
        "AWS_INSTANCE_IPV4": "10.0.0.9",
        "AVAILABILITY_ZONE": "us-east-1a",
        "REGION": "us-east-1",
        "ECS_SERVICE_NAME": "web",
        "ECS_CLUSTER_NAME": "blog",
        "ECS_TASK_DEFINITION_FAMILY": "blog",
    }


@pytest.mark.parametrize("wanted", [srv(port=8080), srv(container="web", container_port=8080)])
def test_an_srv_record_has_a_port(play: Make, wanted: Registrations) -> None:
    task = play(registrations=wanted).pending().task
    assert instance_of(task).attributes["AWS_INSTANCE_PORT"] == "8080"


@pytest.mark.parametrize(
    ("bindings", "port"),
    [((Binding("tcp", 80, 32768), Binding("tcp", 8080, 32769)), "32769"), ((Binding("tcp", 8080, 8080),), "8080")],
)
def test_without_an_interface_of_its_own_a_task_is_at_its_container_instance(
    play: Make, bindings: tuple[Binding, ...], port: str
) -> None:
    """In bridge mode at a port of the host; in host mode the ports are the same."""
    wanted = Registrations(
        (GroupUse(BLUE, "web", 8080),), RegistryUse(REGISTRY, "web", 8080, None, {"registryArn": REGISTRY})
    )
    task = play(registrations=wanted).pending().task
    task.interface = None
    task.host = Host("arn:instance", "i-1", "subnet-2", "us-east-1b", "10.0.0.5")
    task.bindings = {"web": bindings}
    attributes = instance_of(task).attributes
    assert task.registration.targets == ((BLUE, Target("i-1", int(port))),)
    assert (attributes["AWS_INSTANCE_IPV4"], attributes["AWS_INSTANCE_PORT"]) == ("10.0.0.5", port)
    assert (attributes["EC2_INSTANCE_ID"], attributes["AVAILABILITY_ZONE"]) == ("i-1", "us-east-1b")


def test_with_a_container_health_check_an_instance_is_unhealthy_until_that_passes(play: Make) -> None:
    task = play({"name": "web", "image": "w", **CHECK}, registrations=CLOUD_MAP).pending()
    task.on(STARTED, "event ACTIVATING v3", "register srv-1")
    assert task.task.registration.instance.attributes["AWS_INIT_HEALTH_STATUS"] == "UNHEALTHY"
    task.on(Registered(), "event RUNNING v4")
    task.on(HealthChanged("web", "HEALTHY"), "tell healthy").on(HealthChanged("web", "HEALTHY"))
    task.on(HealthChanged("web", "UNHEALTHY"), "tell unhealthy")


def test_a_check_that_passes_while_the_instance_is_being_registered_is_told_afterwards(play: Make) -> None:
    task = play({"name": "web", "image": "w", **CHECK}, registrations=CLOUD_MAP).pending()
    task.on(STARTED, "event ACTIVATING v3", "register srv-1")
    task.on(HealthChanged("web", "HEALTHY"))
    task.on(Registered(), "event RUNNING v4", "tell healthy")


def test_without_a_container_health_check_nothing_is_told(play: Make) -> None:
    task = play(registrations=CLOUD_MAP).pending().on(STARTED, "event ACTIVATING v3", "register srv-1")
    assert "AWS_INIT_HEALTH_STATUS" not in task.task.registration.instance.attributes
    task.on(Registered(), "event RUNNING v4")


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_events_of_a_task_with_a_target_group_have_an_attachment_for_it(one: Play) -> None:
    """Seen in an event of November 2024; the API reference does not know the type, so DescribeTasks has none."""

    def elb() -> dict[str, Any]:
        (told,) = [c for c in (one.task._publish(),) if isinstance(c, PublishTask)]
        event = task_state_change(told.task, event_id="id", now=1.0, account="1", region="r")
        first, second = event["detail"]["attachments"]
        assert second["type"] == "eni"
        return dict(first)

    assert elb() == {"id": "1-tnemhcatta", "type": "elb", "status": "PRECREATED", "details": []}
    one.on(STARTED, "event RUNNING v3", "register blue=10.0.0.9:80").on(Registered())
    assert elb()["status"] == "ATTACHED"
    one.on(SCALED, "event RUNNING>STOPPED v4", "deregister blue=10.0.0.9:80", "drain 300s").on(Deregistered())
    assert elb()["status"] == "DELETED"
    assert [a["type"] for a in one.task.describe()["attachments"]] == ["ElasticNetworkInterface"]
