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
from sandbox.model.ecs.container_instance import ContainerInstance, Occupancy
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.ports import MAX_RESERVED, RESERVED
from sandbox.model.ecs.taskdef import TaskDefinition

MAX_CONSTRAINTS, MAX_STRATEGIES = 10, 5

Draw = Callable[[int], int]  # a random number below its argument

MEMBER_OF = "MemberOf placement constraint unsatisfied."
DISTINCT_INSTANCE = "DistinctInstance placement constraint unsatisfied."
NO_INSTANCES = "No Container Instances were found in your cluster."

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
        return self.failures[0][1] if self.failures else NO_INSTANCES

    def message(self) -> str:
        """What the service event says of it."""
        failed = "was unable to place a task because no container instance met all of its requirements."
        if not self.failures:
            return f"{failed} Reason: {self.reason}"
        instance, reason = self.failures[0]
        said = _SAID.get(reason, f'encountered error "{reason}"')
        return f"{failed} The closest matching (container-instance {instance.id}) {said}."


def place(
    definition: TaskDefinition, rules: Rules, group: str, occupancies: Sequence[Occupancy], draw: Draw
) -> ContainerInstance | Unplaced:
    """Choose the instance for a task.

    Args:
        definition: The task's.
        rules: Where it is to run.
        group: The task's group; its tasks are spread.
        occupancies: The instances of the cluster, DRAINING ones left out, in order of registration.
        draw: For the strategy "random".
    """
    ranks = [_first_failure(definition, rules, group, occupancy) for occupancy in occupancies]
    fit = [occupancy for occupancy, rank in zip(occupancies, ranks, strict=True) if rank is None]
    if not fit:
        failed = [(rank, occupancy) for occupancy, rank in zip(occupancies, ranks, strict=True) if rank is not None]
        failed.sort(key=lambda item: -item[0])
        return Unplaced(tuple((occupancy.instance, _CHECKS[rank][0]) for rank, occupancy in failed))
    for strategy in rules.strategies:
        if strategy.type == "random":
            fit = [fit[draw(len(fit))]]
        else:
            cost = _cost(strategy, group, occupancies)
            least = min(map(cost, fit))
            fit = [occupancy for occupancy in fit if cost(occupancy) == least]
    return fit[0].instance


def eligible(definition: TaskDefinition, rules: Rules, occupancies: Sequence[Occupancy]) -> int:
    """How many instances a daemon service has a task on: those with its attributes that its constraints allow."""
    return sum(
        _has_attributes(definition, rules, "", occupancy) and _is_member(definition, rules, "", occupancy)
        for occupancy in occupancies
    )


def failure(definition: TaskDefinition, occupancy: Occupancy) -> str | None:
    """Why StartTask cannot start a task on this instance; it asks neither constraints nor strategies."""
    rank = _first_failure(definition, Rules(), "", occupancy)
    return None if rank is None else _CHECKS[rank][0]


def _cost(strategy: Strategy, group: str, occupancies: Sequence[Occupancy]) -> Callable[[Occupancy], int]:
    """What the strategy wants the least of."""
    if strategy.type == "binpack":
        return lambda occupancy: int(getattr(occupancy.left, strategy.field))
    counts: dict[str | None, int] = {}
    for occupancy in occupancies:
        key = _key(strategy, occupancy)
        counts[key] = counts.get(key, 0) + _of_group(occupancy, group)
    return lambda occupancy: counts[_key(strategy, occupancy)]


def _key(strategy: Strategy, occupancy: Occupancy) -> str | None:
    if strategy.field == "instanceId":
        return occupancy.instance.arn
    return occupancy.instance.attributes.get(strategy.field.removeprefix("attribute:"))


def _of_group(occupancy: Occupancy, group: str) -> int:
    return sum(task.group == group and task.desired_status == "RUNNING" for task in occupancy.tasks)


def _first_failure(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> int | None:
    return next(
        (rank for rank, (_, holds) in enumerate(_CHECKS) if not holds(definition, rules, group, occupancy)), None
    )


def _has_attributes(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    instance = occupancy.instance
    if rules.subnets and instance.launched.subnet_id not in rules.subnets:
        return False
    return all(item["name"] in instance.attributes for item in definition.raw.get("requiresAttributes", ()))


def _is_member(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    try:
        return all(predicate(occupancy) for predicate in rules.members)
    except EcsError:  # an attribute's value is none of what it is compared with
        return False


def _is_distinct(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    if rules.alone:
        return all(task.group != group for task in occupancy.tasks)
    return not (rules.distinct and _of_group(occupancy, group))


def _has_cpu(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    return definition.cpu_units <= occupancy.left.cpu


def _has_memory(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    return definition.memory_mib <= occupancy.left.memory


def _has_ports(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    wanted = definition.static_ports
    taken = occupancy.left.ports
    static = sum(len(task.definition.static_ports) for task in occupancy.tasks)
    return (
        len(set(wanted)) == len(wanted)
        and taken.isdisjoint(wanted)
        and len(RESERVED) + static + len(wanted) <= MAX_RESERVED
    )


def _has_interface(definition: TaskDefinition, rules: Rules, group: str, occupancy: Occupancy) -> bool:
    return definition.network_mode != "awsvpc" or occupancy.left.interfaces > 0


Check = Callable[[TaskDefinition, Rules, str, Occupancy], bool]
_CHECKS: Sequence[tuple[str, Check]] = (
    ("AGENT", lambda definition, rules, group, occupancy: occupancy.instance.agent_connected),
    ("ATTRIBUTE", _has_attributes),
    (MEMBER_OF, _is_member),
    (DISTINCT_INSTANCE, _is_distinct),
    ("RESOURCE:CPU", _has_cpu),
    ("RESOURCE:MEMORY", _has_memory),
    ("RESOURCE:PORTS", _has_ports),
    ("RESOURCE:ENI", _has_interface),
)
