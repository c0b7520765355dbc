"""What CreateService takes and refuses of loadBalancers, serviceRegistries and healthCheckGracePeriodSeconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.registration_requests import registrations
from sandbox.model.ecs.taskdef import TaskDefinition

if TYPE_CHECKING:
    from tests.model.ecs.conftest import Account

REGISTRY = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"


def balancer(arn: str, **changes: Any) -> dict[str, Any]:
    given = {"targetGroupArn": arn, "containerName": "web", "containerPort": 80, **changes}
    return {name: value for name, value in given.items() if value is not None}


def refusal(account: Account, **request: Any) -> str:
    with pytest.raises(EcsError) as refused:
        account.create(1, **request)
    assert account.ecs.services == {}
    return refused.value.message


@pytest.fixture
def arn(account: Account) -> str:
    account.register("web:1", portMappings=[{"containerPort": 80}])
    return account.group()


def test_load_balancers_are_shown_as_they_were_given(account: Account, arn: str) -> None:
    account.create(1, loadBalancers=[balancer(arn)], healthCheckGracePeriodSeconds=2147483647)
    shown = account.shown()
    assert shown["loadBalancers"] == [balancer(arn)]
    assert shown["healthCheckGracePeriodSeconds"] == 2147483647


def test_an_unknown_container(account: Account, arn: str) -> None:
    said = refusal(account, loadBalancers=[balancer(arn, containerName="app")])
    assert said == "The container app does not exist in the task definition."


def test_a_port_that_is_not_mapped(account: Account, arn: str) -> None:
    said = refusal(account, loadBalancers=[balancer(arn, containerPort=81)])
    assert said == "The container web did not have a container port 81 defined."


def test_a_target_group_without_a_load_balancer(account: Account, arn: str) -> None:
    idle = account.group("idle", used=False)
    said = refusal(account, loadBalancers=[balancer(arn), balancer(idle)])
    assert said == f"The target group with targetGroupArn {idle} does not have an associated load balancer."


def test_an_unknown_target_group(account: Account, arn: str) -> None:
    assert "does not exist" in refusal(account, loadBalancers=[balancer(arn + "0")])


def test_awsvpc_wants_targets_of_type_ip(account: Account, arn: str) -> None:
    instances = account.group("instances", target_type="instance")
    assert refusal(account, loadBalancers=[balancer(instances)]) == (
        f"The provided target group {instances} has target type instance, which is incompatible with the awsvpc "
        "network mode specified in the task definition."
    )


def bridged(account: Account) -> TaskDefinition:
    """The latest task definition, had it another network mode."""
    definition = account.ecs.find_definition("blog")
    return replace(definition, raw={**definition.raw, "networkMode": "bridge"})


def test_bridge_mode_wants_targets_of_type_instance(account: Account, arn: str) -> None:
    with pytest.raises(EcsError) as refused:
        registrations({"loadBalancers": [balancer(arn)]}, bridged(account), account.ecs.lookups)
    assert refused.value.message == (
        f"The provided target group {arn} has target type ip, which is incompatible with the bridge network mode "
        "specified in the task definition."
    )
    instances = account.group("instances", target_type="instance")
    wanted = registrations({"loadBalancers": [balancer(instances)]}, bridged(account), account.ecs.lookups)
    assert wanted.groups[0].group_arn == instances


def test_another_network_mode_does_not_suit_the_target_groups_that_stay(account: Account, arn: str) -> None:
    before = registrations({"loadBalancers": [balancer(arn)]}, account.ecs.find_definition("blog"), account.ecs.lookups)
    with pytest.raises(EcsError, match="has target type ip, which is incompatible with the bridge network mode"):
        registrations({}, bridged(account), account.ecs.lookups, before)


def test_another_network_mode_does_not_suit_the_registry_that_stays(account: Account) -> None:
    account.registry_types[REGISTRY] = frozenset({"A"})
    wanted = {"serviceRegistries": [{"registryArn": REGISTRY}]}
    before = registrations(wanted, account.ecs.find_definition("blog"), account.ecs.lookups)
    with pytest.raises(EcsError, match="configured to use a type 'A' DNS record, which is not supported"):
        registrations({}, bridged(account), account.ecs.lookups, before)
    del account.registry_types[REGISTRY]  # it is gone: nothing is known of it any more
    assert registrations({}, bridged(account), account.ecs.lookups, before) == before


@pytest.mark.parametrize("missing", ["targetGroupArn", "containerName", "containerPort"])
def test_what_a_load_balancer_needs(account: Account, arn: str, missing: str) -> None:
    assert f"{missing} must be specified" in refusal(account, loadBalancers=[balancer(arn, **{missing: None})])


@pytest.mark.parametrize(
    ("parameter", "value"), [("loadBalancerName", "classic"), ("advancedConfiguration", {"roleArn": "role"})]
)
def test_what_is_not_carried_out(account: Account, arn: str, parameter: str, value: Any) -> None:
    said = refusal(account, loadBalancers=[balancer(arn, **{parameter: value})])
    assert f"The sandbox does not carry out loadBalancers.{parameter}" in said


def test_five_target_groups_at_most(account: Account, arn: str) -> None:
    groups = [balancer(account.group(f"g{number}")) for number in range(6)]
    assert "at most 5" in refusal(account, loadBalancers=groups)
    account.create(1, loadBalancers=groups[:5])


@pytest.mark.parametrize("seconds", [-1, 2147483648])
def test_a_grace_period_out_of_range(account: Account, arn: str, seconds: int) -> None:
    said = refusal(account, loadBalancers=[balancer(arn)], healthCheckGracePeriodSeconds=seconds)
    assert "between 0 and 2147483647" in said


def test_a_grace_period_without_a_load_balancer(account: Account, arn: str) -> None:
    assert refusal(account, healthCheckGracePeriodSeconds=0) == (
        "Health check grace period is only valid for services configured to use load balancers"
    )


# -- service registries ----------------------------------------------------------------------------------------------


def registry(**more: Any) -> dict[str, Any]:
    return {"serviceRegistries": [{"registryArn": REGISTRY, **more}]}


PAIR = {"containerName": "web", "containerPort": 80}


@pytest.mark.parametrize(
    ("types", "given"),
    [({"A"}, {}), ({"SRV"}, {"port": 80}), ({"SRV"}, PAIR), ({"A", "SRV"}, {"port": 80}), (set(), {}), (set(), PAIR)],
)
def test_registries_in_awsvpc_mode(account: Account, arn: str, types: set[str], given: dict[str, Any]) -> None:
    account.registry_types[REGISTRY] = frozenset(types)
    account.create(1, **registry(**given))
    assert account.shown()["serviceRegistries"] == registry(**given)["serviceRegistries"]


@pytest.mark.parametrize(
    ("types", "given", "said"),
    [
        ({"A"}, {"port": 80}, "must not be specified for a type 'A' DNS record"),
        ({"A"}, PAIR, "must not be specified for a type 'A' DNS record"),
        ({"SRV"}, {}, "must be specified, and not both"),
        ({"SRV"}, {"port": 80, **PAIR}, "must be specified, and not both"),
        ({"SRV"}, {"port": 80, "containerName": "web"}, "must be specified, and not both"),
        ({"SRV"}, {"containerName": "app", "containerPort": 80}, "The container app does not exist in the task def"),
        ({"SRV"}, {"containerName": "web", "containerPort": 81}, "did not have a container port 81 defined."),
    ],
)
def test_registries_that_are_refused(
    account: Account, arn: str, types: set[str], given: dict[str, Any], said: str
) -> None:
    account.registry_types[REGISTRY] = frozenset(types)
    assert said in refusal(account, **registry(**given))


@pytest.mark.parametrize(
    ("types", "given", "said"),
    [
        (
            {"A"},
            PAIR,
            "configured to use a type 'A' DNS record, which is not supported when specifying 'host' or 'brid",
        ),
        ({"A", "SRV"}, PAIR, "configured to use a type 'A' DNS record"),
        ({"SRV"}, {"port": 80}, "values for 'containerName' and 'containerPort' must be specified"),
        ({"SRV"}, {}, "values for 'containerName' and 'containerPort' must be specified"),
    ],
)
def test_registries_that_are_refused_in_bridge_mode(
    account: Account, arn: str, types: set[str], given: dict[str, Any], said: str
) -> None:
    account.registry_types[REGISTRY] = frozenset(types)
    with pytest.raises(EcsError) as refused:
        registrations(registry(**given), bridged(account), account.ecs.lookups)
    assert said in refused.value.message
    account.registry_types[REGISTRY] = frozenset({"SRV"})
    wanted = registrations(registry(**PAIR), bridged(account), account.ecs.lookups).registry
    assert wanted is not None
    assert (wanted.container, wanted.container_port) == ("web", 80)


def test_an_unknown_registry(account: Account, arn: str) -> None:
    assert refusal(account, **registry()) == f"The service registry {REGISTRY} does not exist."


def test_one_registry_at_most(account: Account, arn: str) -> None:
    account.registry_types[REGISTRY] = frozenset({"A"})
    assert "one service registry at most" in refusal(account, serviceRegistries=registry()["serviceRegistries"] * 2)
