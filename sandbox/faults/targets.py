"""What a fault is put into, as people name it.

- ``service:shop``: the tasks of a service that run at that moment; ``service:shop/web``: a container of each.
- ``task:0123abcd``: a task, by its ARN, its id, or the beginning of that; ``task:0123abcd/web``: one container.
- ``balancer:web``: a load balancer.
- ``name:blog.example.com``: a name in DNS.
- ``rule:on-running``: a rule of EventBridge, on any bus.
- ``function:blog-dns``: a Lambda function, all versions of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.errors import SandboxError
from sandbox.faults.base import Reach

NETWORKS = ("service", "task", "balancer")
TASKS = ("service", "task")
ANYTHING = (*NETWORKS, "name", "rule", "function")


@dataclass(frozen=True)
class Target:
    """A target, as it is named."""

    kind: str
    name: str
    container: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"/{self.container}" if self.container else "")


@dataclass(frozen=True)
class Running:
    """A task that runs: its service ("": none), the container that has its network ("": it has none of its own)."""

    arn: str
    service: str
    interface: str
    containers: Mapping[str, str]

    def __str__(self) -> str:
        return f"task:{self.arn.rpartition('/')[2][:8]}"


def parse(text: str, kinds: Sequence[str]) -> Target:
    """A target of one of these kinds; there need be no such thing.

    Raises:
        SandboxError: It is none.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not rest or kind not in kinds:
        raise SandboxError(
            f"'{text}' is no target of this fault", hint="targets: " + ", ".join(f"{kind}:NAME" for kind in kinds)
        )
    if kind == "task" and rest.startswith("arn:"):  # its own slashes: arn:...:task/CLUSTER/ID
        arn, container = "/".join(rest.split("/")[:3]), "/".join(rest.split("/")[3:])
        return Target(kind, arn, container)
    if kind in TASKS:
        name, _, container = rest.partition("/")
        return Target(kind, name, container)
    return Target(kind, rest)


def running(reach: Reach, target: Target) -> list[Running]:
    """The tasks of a service, or the task, that run now. With a container, they have it.

    Raises:
        SandboxError: There is no such thing; the error names those that there are.
    """
    every = _all_running(reach)
    if target.kind == "service":
        check_service(reach, target)
        found = [task for task in every if task.service == target.name]
        if not found:
            raise SandboxError(f"no task of the service '{target.name}' runs", hint="wait until one does")
    else:
        from sandbox.model.ecs.task import is_meant  # it takes a while to load, and `sandbox --help` has no use for it

        found = [task for task in every if is_meant(task.arn, target.name)]
        if len(found) != 1:
            raise _unknown(target, reach, f"{len(found)} tasks of that name run")
    if target.container:
        names = sorted({name for task in found for name in task.containers})
        if target.container not in names:
            raise SandboxError(
                f"{target.kind}:{target.name} has no container '{target.container}' that runs",
                hint=f"containers: {', '.join(names) or 'none'}",
            )
    return found


def check_service(reach: Reach, target: Target) -> None:
    """Refuse a service that there is not.

    Raises:
        SandboxError: There is none; the error names those that there are.
    """
    if f"service:{target.name}" not in _services(reach):
        raise _unknown(target, reach)


def namespaces(reach: Reach, target: Target) -> list[str]:
    """The containers that own the network namespaces of the target.

    Raises:
        SandboxError: There is no such thing, or a task has no interface of its own (bridge and none mode).
    """
    if target.container:
        raise SandboxError(
            f"{target}: the containers of a task share its network", hint=f"name {target.kind}:{target.name} instead"
        )
    if target.kind == "balancer":
        balancers = reach.balancers()
        if target.name not in balancers:
            raise _unknown(target, reach)
        return [balancers[target.name]]
    found = running(reach, target)
    for task in found:
        if not task.interface:
            raise SandboxError(
                f"{task} has no network interface of its own", hint="this fault wants tasks in awsvpc or host mode"
            )
    return list(dict.fromkeys(task.interface for task in found))


def check_rule(reach: Reach, target: Target) -> None:
    """Refuse a rule that no bus has.

    Raises:
        SandboxError: There is none; the error names those that there are.
    """
    if str(target) not in _rules(reach):
        raise _unknown(target, reach)


def check_function(reach: Reach, target: Target) -> None:
    """Refuse a function that there is not.

    Raises:
        SandboxError: There is none; the error names those that there are.
    """
    if str(target) not in _functions(reach):
        raise _unknown(target, reach)


def check_name(reach: Reach, target: Target) -> None:
    """A name of a zone that has no record may be meant: that it does not exist is an answer, too.

    Raises:
        SandboxError: DNS has neither the name nor a zone that it is in; the error names the names that there are.
    """
    from sandbox.model.route53 import canonical  # the same

    name = canonical(target.name)
    zones = [canonical(zone.name) for zone in reach.zones.hosted_zones]
    if name not in reach.zones.names() and not any(name == zone or name.endswith(f".{zone}") for zone in zones):
        raise _unknown(target, reach)


def _unknown(target: Target, reach: Reach, state: str = "") -> SandboxError:
    alternatives = TASKS if target.kind in TASKS else (target.kind,)
    known = [name for kind in alternatives for name in _KNOWN[kind](reach)]
    return SandboxError(
        f"there is no {target.kind} '{target.name}'", state=state, hint=f"there are: {', '.join(known) or 'none'}"
    )


def _all_running(reach: Reach) -> list[Running]:
    tasks = reach.ecs.read(
        lambda ecs: [
            (task.arn, task.service_name, tuple(task.containers))
            for task in ecs.tasks.values()
            if task.last_status == "RUNNING" and task.desired_status == "RUNNING"
        ]
    )
    return [
        Running(
            arn,
            service,
            reach.runner.interface(arn),
            {name: found for name in names if (found := reach.runner.container(arn, name))},
        )
        for arn, service, names in tasks
    ]


def _services(reach: Reach) -> list[str]:
    found = reach.ecs.read(lambda ecs: {one.name for one in ecs.services.values() if one.status == "ACTIVE"})
    return [f"service:{name}" for name in sorted(found)]


def _rules(reach: Reach) -> list[str]:
    events = reach.aws("events")
    buses = [bus["Name"] for bus in events.list_event_buses()["EventBuses"]]
    rules = {rule["Name"] for bus in buses for rule in events.list_rules(EventBusName=bus)["Rules"]}
    return [f"rule:{name}" for name in sorted(rules)]


def _functions(reach: Reach) -> list[str]:
    pages = reach.aws("lambda").get_paginator("list_functions").paginate()
    return sorted(f"function:{one['FunctionName']}" for page in pages for one in page["Functions"])


_KNOWN: Mapping[str, Callable[[Reach], list[str]]] = {
    "service": _services,
    "task": lambda reach: [str(task) for task in _all_running(reach)],
    "balancer": lambda reach: [f"balancer:{name}" for name in sorted(reach.balancers())],
    "name": lambda reach: [f"name:{name}" for name in reach.zones.names()],
    "rule": _rules,
    "function": _functions,
}
