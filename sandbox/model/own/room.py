"""Whether services fit on container instances: network interfaces, CPU units, memory and ports, by ECS's own placement.

Rules: `sandbox.model.ecs.placement`, `sandbox.model.ecs.instance_types` ("Amazon ECS Linux container instance network
interfaces") and `sandbox.model.ecs.rollout` (what a rolling update may start and stop).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.model.ecs import instances, placement, services
from sandbox.model.ecs.container_instance import Launched
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.rollout import Limits
from sandbox.model.ecs.service import Service
from sandbox.model.ecs.taskdef import Port
from sandbox.model.own.definitions import is_on_instances
from sandbox.model.own.errors import OwnError

Request = Mapping[str, Any]

MOST = 20
"""How many numbers of instances are tried, from the least that could be enough."""
MOST_INSTANCES = 5000
"""Of a cluster ("Amazon ECS service quotas")."""

_SUBNET, _ZONE = "subnet-1", "us-east-1a"
# What has no influence on the instance that a task is placed on, and would have to exist.
_ELSEWHERE = ("loadBalancers", "serviceRegistries", "healthCheckGracePeriodSeconds", "role", "clientToken", "tags")


@dataclass(frozen=True)
class Fleet:
    """The container instances of each cluster: so many of one type, launched with ``awsvpcTrunking`` or without."""

    type: InstanceType
    count: int = 1
    trunking: bool = False

    @property
    def task_interfaces(self) -> int:
        """How many tasks in awsvpc mode one of them takes."""
        trunked = self.type.trunked_task_interfaces if self.trunking else None
        return self.type.task_interfaces if trunked is None else trunked

    def __str__(self) -> str:
        trunking = " with awsvpcTrunking" if self.trunking else ""
        interfaces = self.task_interfaces
        return f"{self.count} × {self.type.name}{trunking} ({interfaces} awsvpc tasks each)"


@dataclass(frozen=True)
class Fit:
    """What became of one service.

    Attributes:
        service: Its name.
        wanted: Its desired count; of a daemon service the number of instances that it is for.
        placed: How many of its tasks found an instance.
        reason: Of the closest instance, why it takes no further one: "RESOURCE:ENI", ...; "" where all have a place.
        stuck: Why a rolling update of it starts nothing and stops nothing; "": it goes on.
    """

    service: str
    wanted: int
    placed: int
    reason: str = ""
    stuck: str = ""

    @property
    def holds(self) -> bool:
        """Whether every task has a place, also while the service is updated."""
        return not self.reason and not self.stuck


@dataclass(frozen=True)
class Room:
    """What became of all services.

    Attributes:
        fleet: On which they were placed.
        fits: One for each service of launch type EC2, in the order of their creation.
        left: By instance, what is left of it, in words.
    """

    fleet: Fleet
    fits: tuple[Fit, ...]
    left: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all fit."""
        return all(one.holds for one in self.fits)


def place(definitions: Sequence[Request], wanted: Sequence[Request], fleet: Fleet, *, deploy: bool = True) -> Room:
    """Place every task of the services of launch type EC2, one service after another.

    Args:
        definitions: RegisterTaskDefinition requests.
        wanted: CreateService requests; those for Fargate are left out.
        fleet: Each cluster has it for itself.
        deploy: Whether a rolling update of each service has to go on, too; of one at a time.

    Raises:
        OwnError: ECS refuses a request, or no service is of launch type EC2.
    """
    ecs = _account(definitions, wanted, fleet)
    placed = [_create(ecs, request) for request in on_instances(wanted)]
    fits = tuple(_fit(ecs, service, deploy=deploy) for service in placed)
    return Room(fleet, fits, tuple(_left(ecs)))


def on_instances(wanted: Sequence[Request]) -> list[Request]:
    """Those of the services that are for EC2 instances.

    Raises:
        OwnError: There is none.
    """
    found = [request for request in wanted if is_on_instances(request)]
    if not found:
        raise OwnError(
            "no service of the stack runs on EC2 instances", 'an eni check is of services with launchType "EC2"'
        )
    return found


def would_fit(
    definitions: Sequence[Request],
    wanted: Sequence[Request],
    fleet: Fleet,
    types: Sequence[InstanceType],
    *,
    deploy: bool = True,
) -> tuple[Fleet, ...]:
    """The nearest fleets that take all: more of the same type; a larger one of its family; one with ENI trunking.

    Args:
        definitions: As of `place`.
        wanted: The same.
        fleet: What does not.
        types: Which there are.
        deploy: As of `place`.

    Returns:
        The first of each kind, the smallest by CPU units, memory and name; none where none takes all.
    """
    demands = _demands(definitions, wanted)

    def takes(candidate: Fleet) -> bool:
        if any(_least(demand, candidate) > candidate.count for demand in demands):
            return False  # without placing anything: whatever the order, something runs out
        return place(definitions, wanted, candidate, deploy=deploy).holds

    able = sorted((one for one in types if _is_like(one, fleet.type)), key=lambda one: (one.cpu, one.memory, one.name))
    family = fleet.type.name.partition(".")[0]
    least = max([fleet.count + 1, *(_least(demand, fleet) for demand in demands)])
    kinds: list[Iterator[Fleet]] = [
        (replace(fleet, count=count) for count in range(least, least + MOST)),
        (replace(fleet, type=one) for one in able if one.name.partition(".")[0] == family),
    ]
    if not fleet.trunking:
        trunked = [one for one in able if one.trunked_task_interfaces is not None]
        kinds.append(Fleet(one, fleet.count, trunking=True) for one in trunked)
    found = [next(filter(takes, kind), None) for kind in kinds]
    return tuple(one for one in found if one is not None)


@dataclass
class _Demand:
    """What the services of a cluster want together; a daemon's tasks are as many as the instances, and not counted."""

    interfaces: int = 0
    cpu: int = 0
    memory: int = 0
    ports: Counter[Port] = field(default_factory=Counter)  # how many tasks want each static one


def _demands(definitions: Sequence[Request], wanted: Sequence[Request]) -> list[_Demand]:
    ecs = Ecs("", "", lambda: "0" * 32)
    for request in definitions:
        ecs.register_task_definition(request, 0.0)
    clusters: dict[str, _Demand] = {}
    for request in on_instances(wanted):
        demand = clusters.setdefault(_cluster(request), _Demand())
        definition = ecs.find_definition(str(request["taskDefinition"]).rpartition("/")[2])
        count = 0 if request.get("schedulingStrategy") == "DAEMON" else int(request.get("desiredCount") or 0)
        demand.interfaces += count * (definition.network_mode == "awsvpc")
        demand.cpu += count * definition.cpu_units
        demand.memory += count * definition.memory_mib
        demand.ports.update(dict.fromkeys(definition.static_ports, count))
    return list(clusters.values())


def _least(demand: _Demand, fleet: Fleet) -> int:
    """Fewer instances of the fleet's type than so many cannot take it."""
    each = (
        (demand.interfaces, fleet.task_interfaces),
        (demand.cpu, fleet.type.cpu),
        (demand.memory, fleet.type.memory),
    )
    apart = max(demand.ports.values(), default=0)
    return max(apart, *(-(-wanted // there) if there else (MOST_INSTANCES if wanted else 0) for wanted, there in each))


def _is_like(one: InstanceType, given: InstanceType) -> bool:
    return one.architecture == given.architecture and not one.name.partition(".")[2].startswith("metal")


def _account(definitions: Sequence[Request], wanted: Sequence[Request], fleet: Fleet) -> Ecs:
    numbers = itertools.count(1)
    ecs = Ecs("123456789012", "us-east-1", lambda: f"{next(numbers):032x}")
    if fleet.trunking:
        ecs.settings.put_default({"name": "awsvpcTrunking", "value": "enabled"})
    try:
        for request in definitions:
            ecs.register_task_definition(request, 0.0)
    except EcsError as error:
        raise OwnError(f"task definition {request.get('family')}: {error.message}") from error
    for name in dict.fromkeys(_cluster(request) for request in wanted):
        cluster = ecs.create_cluster({"clusterName": name})
        for number in range(1, fleet.count + 1):
            launched = Launched(f"i-{number}", fleet.type, "ami-1", "vpc-1", _SUBNET, _ZONE, f"10.0.0.{number}")
            instances.register(ecs, cluster, replace(launched, ec2_instance_id=f"{name}-{number}"), 0.0)
    return ecs


def _cluster(request: Request) -> str:
    return str(request.get("cluster") or "default").rpartition("/")[2]


def _create(ecs: Ecs, request: Request) -> Service:
    given = {key: value for key, value in request.items() if key not in _ELSEWHERE}
    given |= {"cluster": _cluster(request), "launchType": "EC2"}
    if (given.get("networkConfiguration") or {}).get("awsvpcConfiguration"):
        given["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": [_SUBNET]}}
    try:
        return services.create(ecs, given, 0.0)[0]
    except EcsError as error:
        raise OwnError(f"service {request.get('serviceName')}: {error.message}") from error


def _fit(ecs: Ecs, service: Service, *, deploy: bool) -> Fit:
    placed = len(ecs.tasks_of(service))
    fit = Fit(service.name, service.desired_count, placed)
    if placed < service.desired_count:
        return replace(fit, reason=_why_not(ecs, service) or placement.NO_INSTANCES)
    return replace(fit, stuck=_stuck(ecs, service)) if deploy and service.desired_count else fit


def _stuck(ecs: Ecs, service: Service) -> str:
    """Why the first step of a rolling update is none; the new tasks want what the old ones do."""
    given = service.configuration
    limits = Limits.of(service.desired_count, given.minimum_percent, given.maximum_percent)
    if limits.minimum < limits.desired:
        return ""  # an old task may stop first, and its place is the new one's
    if limits.maximum <= limits.desired:
        return "no old task may stop (minimumHealthyPercent), and no new one start beside it (maximumPercent)"
    return _why_not(ecs, service)


def _why_not(ecs: Ecs, service: Service) -> str:
    """Why one more task of the service finds no instance; "" where it does."""
    how = service.primary.how
    occupancies = instances.occupancies(ecs, service.cluster_arn)
    found = placement.place(service.primary.definition, how.rules, f"service:{service.name}", occupancies, lambda n: 0)
    return found.reason if isinstance(found, Unplaced) else ""


def _left(ecs: Ecs) -> Iterator[str]:
    for instance in ecs.instances.values():
        tasks = instances.tasks_on(ecs, instance)
        left = instance.usage(tasks)
        interfaces = f"{left.interfaces} of {instance.interfaces} task network interfaces"
        yield (
            f"{instance.launched.ec2_instance_id}: {len(tasks)} tasks; left: {interfaces}, {left.cpu} CPU units, "
            f"{left.memory} MiB"
        )
