"""Placement: on which container instance a task is started, and why on none.

Rules: developer guide "How Amazon ECS places tasks on container instances" (cpu, memory, ports first, then constraints,
then strategies), "Use strategies to define Amazon ECS task placement", "Define which container instances Amazon ECS
uses for tasks", "Amazon ECS API failure reasons" and "Viewing Amazon ECS service event messages". AWS does not document
which instance is "the closest matching" one: here it is the one that fails latest in the order of `_CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs import cluster_query
from sandbox.model.ecs.container_instance import ContainerInstance, Standing
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.ports import MAX_RESERVED, RESERVED
from sandbox.model.ecs.taskdef import TaskDefinition

MAX_CONSTRAINTS, MAX_STRATEGIES = 10, 5

Draw = Callable[[int], int]  # a random number below its argument

MEMBER_OF = "MemberOf placement constraint unsatisfied."
DISTINCT_INSTANCE = "DistinctInstance placement constraint unsatisfied."

# What a service event says of the closest instance; other reasons are said as errors.
_SAID = {
    "ATTRIBUTE": "is missing an attribute required by your task",
    "RESOURCE:CPU": "has insufficient CPU units available",
    "RESOURCE:MEMORY": "has insufficient memory available",
    "RESOURCE:PORTS": "is already using a port required by your task",
}


@dataclass(frozen=True)
class Strategy:
    """A placement strategy; ``field`` is "instanceId", "attribute:NAME", "cpu", "memory" or ""."""

    type: str
    field: str


BY_ZONE = (Strategy("spread", "attribute:ecs.availability-zone"), Strategy("spread", "instanceId"))
"""What holds where none is given."""


@dataclass(frozen=True)
class Rules:
    """Where tasks are to run: ``placementConstraints`` and ``placementStrategy``.

    Attributes:
        constraints: As given.
        given: The strategies as given.
        distinct: Each task of the group on another instance; one that is to stop does not count.
        alone: No task beside another one of the group, also while that stops: a daemon's.
        members: The predicates of memberOf.
        strategies: In the order in which they decide.
        subnets: The tasks' subnets in awsvpc mode; the instance has to be in one of them.
    """

    constraints: tuple[Mapping[str, Any], ...] = ()
    given: tuple[Mapping[str, Any], ...] = ()
    distinct: bool = False
    alone: bool = False
    members: tuple[cluster_query.Predicate, ...] = ()
    strategies: tuple[Strategy, ...] = BY_ZONE
    subnets: tuple[str, ...] = ()


def rules(request: Mapping[str, Any], definition: TaskDefinition, subnets: Sequence[str] = ()) -> Rules:
    """The rules of a RunTask or CreateService request, with those of its task definition.

    Raises:
        EcsError: InvalidParameterException.
    """
    constraints = tuple(request.get("placementConstraints") or ())
    given = tuple(request.get("placementStrategy") or ())
    if len(constraints) > MAX_CONSTRAINTS:
        raise invalid_parameter(f"There are more than {MAX_CONSTRAINTS} placement constraints.")
    if len(given) > MAX_STRATEGIES:
        raise invalid_parameter(f"There are more than {MAX_STRATEGIES} placement strategies.")
    everything = (*constraints, *definition.raw.get("placementConstraints", ()))
    return Rules(
        constraints,
        given,
        distinct=any(item.get("type") == "distinctInstance" for item in constraints),
        members=tuple(member(item) for item in everything if item.get("type") != "distinctInstance"),
        strategies=tuple(_strategy(item) for item in given) or BY_ZONE,
        subnets=tuple(subnets),
    )


def member(constraint: Mapping[str, Any]) -> cluster_query.Predicate:
    """The predicate of a memberOf constraint.

    Raises:
        EcsError: InvalidParameterException: another type, no expression, or one that cannot be read.
    """
    if constraint.get("type") != "memberOf":
        raise invalid_parameter(f"Placement constraint type '{constraint.get('type')}' is invalid.")
    if not constraint.get("expression"):
        raise invalid_parameter("A memberOf placement constraint must have an expression.")
    return cluster_query.parse(constraint["expression"])


def _strategy(item: Mapping[str, Any]) -> Strategy:
    kind, name = item.get("type") or "", item.get("field") or ""
    if kind == "random":
        return Strategy(kind, "")
    if kind == "binpack" and name.lower() in {"cpu", "memory"}:
        return Strategy(kind, name.lower())
    if kind == "spread" and name.lower() in {"host", "instanceid"}:
        return Strategy(kind, "instanceId")
    if kind == "spread" and name.startswith("attribute:"):
        return Strategy(kind, name)
    raise invalid_parameter(f"Placement strategy '{kind}' with the field '{name}' is invalid.")


@dataclass(frozen=True)
class Unplaced:
    """No instance takes the task. ``failures``: each instance and its reason, the closest first."""

    failures: tuple[tuple[ContainerInstance, str], ...]

    def describe(self) -> list[dict[str, str]]:
        """The ``failures`` of RunTask."""
        return [{"arn": instance.arn, "reason": reason} for instance, reason in self.failures]

    @property
    def reason(self) -> str:
        """The closest instance's."""
        return self.failures[0][1] if self.failures else "No Container Instances were found in your cluster."

    def message(self) -> str:
        """What the service event says of it."""
        failed = "was unable to place a task because no container instance met all of its requirements."
        if not self.failures:
            return f"{failed} Reason: {self.reason}"
        instance, reason = self.failures[0]
        said = _SAID.get(reason, f'encountered error "{reason}"')
        return f"{failed} The closest matching (container-instance {instance.id}) {said}."


def place(
    definition: TaskDefinition, rules: Rules, group: str, standings: Sequence[Standing], draw: Draw
) -> ContainerInstance | Unplaced:
    """Choose the instance for a task.

    Args:
        definition: The task's.
        rules: Where it is to run.
        group: The task's group; its tasks are spread.
        standings: The instances of the cluster, DRAINING ones left out, in order of registration.
        draw: For the strategy "random".
    """
    ranks = [_first_failure(definition, rules, group, standing) for standing in standings]
    fit = [standing for standing, rank in zip(standings, ranks, strict=True) if rank is None]
    if not fit:
        failed = [(rank, standing) for standing, rank in zip(standings, ranks, strict=True) if rank is not None]
        failed.sort(key=lambda item: -item[0])
        return Unplaced(tuple((standing.instance, _CHECKS[rank][0]) for rank, standing in failed))
    for strategy in rules.strategies:
        if strategy.type == "random":
            fit = [fit[draw(len(fit))]]
        else:
            cost = _cost(strategy, group, standings)
            least = min(map(cost, fit))
            fit = [standing for standing in fit if cost(standing) == least]
    return fit[0].instance


def eligible(definition: TaskDefinition, rules: Rules, standings: Sequence[Standing]) -> int:
    """How many instances a daemon service has a task on: those with its attributes that its constraints allow."""
    return sum(
        _has_attributes(definition, rules, "", standing) and _is_member(definition, rules, "", standing)
        for standing in standings
    )


def failure(definition: TaskDefinition, standing: Standing) -> str | None:
    """Why StartTask cannot start a task on this instance; it asks neither constraints nor strategies."""
    rank = _first_failure(definition, Rules(), "", standing)
    return None if rank is None else _CHECKS[rank][0]


def _cost(strategy: Strategy, group: str, standings: Sequence[Standing]) -> Callable[[Standing], int]:
    """What the strategy wants the least of."""
    if strategy.type == "binpack":
        return lambda standing: int(getattr(standing.left, strategy.field))
    counts: dict[str | None, int] = {}
    for standing in standings:
        key = _key(strategy, standing)
        counts[key] = counts.get(key, 0) + _of_group(standing, group)
    return lambda standing: counts[_key(strategy, standing)]


def _key(strategy: Strategy, standing: Standing) -> str | None:
    if strategy.field == "instanceId":
        return standing.instance.arn
    return standing.instance.attributes.get(strategy.field.removeprefix("attribute:"))


def _of_group(standing: Standing, group: str) -> int:
    return sum(task.group == group and task.desired_status == "RUNNING" for task in standing.tasks)


def _first_failure(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> int | None:
    return next(
        (rank for rank, (_, holds) in enumerate(_CHECKS) if not holds(definition, rules, group, standing)), None
    )


def _has_attributes(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    instance = standing.instance
    if rules.subnets and instance.launched.subnet_id not in rules.subnets:
        return False
    return all(item["name"] in instance.attributes for item in definition.raw.get("requiresAttributes", ()))


def _is_member(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    try:
        return all(predicate(standing) for predicate in rules.members)
    except EcsError:  # an attribute's value is none of what it is compared with
        return False


def _is_distinct(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    if rules.alone:
        return all(task.group != group for task in standing.tasks)
    return not (rules.distinct and _of_group(standing, group))


def _has_cpu(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    return definition.cpu_units <= standing.left.cpu


def _has_memory(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    return definition.memory_mib <= standing.left.memory


def _has_ports(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    wanted = definition.static_ports
    taken = standing.left.ports
    static = sum(len(task.definition.static_ports) for task in standing.tasks)
    return (
        len(set(wanted)) == len(wanted)
        and taken.isdisjoint(wanted)
        and len(RESERVED) + static + len(wanted) <= MAX_RESERVED
    )


def _has_interface(definition: TaskDefinition, rules: Rules, group: str, standing: Standing) -> bool:
    return definition.network_mode != "awsvpc" or standing.left.interfaces > 0


Check = Callable[[TaskDefinition, Rules, str, Standing], bool]
_CHECKS: Sequence[tuple[str, Check]] = (
    ("AGENT", lambda definition, rules, group, standing: standing.instance.agent_connected),
    ("ATTRIBUTE", _has_attributes),
    (MEMBER_OF, _is_member),
    (DISTINCT_INSTANCE, _is_distinct),
    ("RESOURCE:CPU", _has_cpu),
    ("RESOURCE:MEMORY", _has_memory),
    ("RESOURCE:PORTS", _has_ports),
    ("RESOURCE:ENI", _has_interface),
)
