"""What the observations so far say of a stack: the newest of each thing, in whatever order it was told.

Pure: no I/O, no waiting. An observation that says nothing to this, or that says it wrongly, is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sandbox.timeline import Observation

MOST = 1000
"""Things of one kind that are kept: the ones that were told of last, and of those that are over the fewer."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Stamp = tuple[float, float]
"""A version, where there is one, and a time: what is greater is newer."""


class Register(Generic[K, V]):
    """The newest of what was told of each thing. None: it is there no more."""

    def __init__(self, is_over: Callable[[V], bool] = lambda value: False) -> None:
        self._told: dict[K, tuple[Stamp, V | None]] = {}
        self._is_over = is_over

    def tell(self, key: K, stamp: Stamp, value: V | None) -> bool:
        """Whether it is news."""
        known = self._told.get(key)
        if known is not None and not stamp > known[0]:
            return False
        self._told[key] = (stamp, value)
        if len(self._told) > MOST:
            self._forget()
        return known is None or known[1] != value

    def _forget(self) -> None:
        def worth(key: K) -> tuple[bool, float]:
            stamp, value = self._told[key]
            return value is not None and not self._is_over(value), stamp[1]

        for key in sorted(self._told, key=worth)[: MOST // 10]:
            del self._told[key]

    def get(self, key: K) -> V | None:
        """What it is; None where it is not, or is not known."""
        known = self._told.get(key)
        return known[1] if known else None

    def items(self) -> list[tuple[K, V | None]]:
        """All of them, those that are no more included."""
        return [(key, value) for key, (_, value) in self._told.items()]

    def values(self) -> list[V]:
        """Those that there are."""
        return [value for _, value in self._told.values() if value is not None]


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a task, as ECS's event of the task has it."""

    name: str
    status: str
    health: str = ""
    host_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A task, as its newest ``task.state`` has it.

    Attributes:
        at: When that was.
        group: ``service:NAME`` or ``family:NAME``.
        container_instance: The ARN ("": Fargate).
        why: It has stopped, or is to.
    """

    arn: str
    at: float
    group: str
    last_status: str
    desired_status: str
    public_ip: str = ""
    private_ip: str = ""
    launch_type: str = ""
    capacity_provider: str = ""
    container_instance: str = ""
    containers: tuple[Container, ...] = ()
    why: str = ""

    @property
    def id(self) -> str:
        """The first eight characters of its id, by which people name it."""
        return self.arn.rpartition("/")[2][:8]

    @property
    def cluster(self) -> str:
        """Its cluster's name."""
        parts = self.arn.split("/")
        return parts[-2] if len(parts) > 2 else ""

    @property
    def is_over(self) -> bool:
        """Whether it has stopped."""
        return self.last_status in {"STOPPED", "DELETED"}


@dataclass(frozen=True, slots=True)
class Word:
    """What was said last of a thing, and whether it is bad news."""

    at: float
    text: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A target of a target group; ``why``: reason and description."""

    group: str
    target: str
    state: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer that clients see."""

    name: str
    dns_name: str
    address: str
    listeners: tuple[int, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution that viewers see."""

    id: str
    domain_name: str
    aliases: tuple[str, ...]
    address: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A record set of Route 53 or Cloud Map; an alias has the value "ALIAS name", and no ``ttl``."""

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """An EC2 instance that runs."""

    id: str
    type: str
    address: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A container instance: its EC2 instance, and what ECS says of it."""

    arn: str
    instance: str
    status: str
    connected: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is in force."""

    id: int
    name: str
    target: str
    options: tuple[tuple[str, str], ...]


class State:
    """What is known. `see` takes the observations, in any order and any number of times.

    Attributes:
        tasks: By ARN.
        addresses: The task that has, or had, an address.
        services: What a service said last, by its cluster's and its own name.
        containers: What happened last to a container, by the task's ARN and its own name.
        targets: By group and target.
        balancers, distributions, machines: By name or id.
        agents: By the container instance's ARN.
        records: By name, type and set identifier; those that were deleted are kept as None.
        faults: By number.
    """

    def __init__(self) -> None:
        self.tasks: Register[str, Task] = Register(lambda task: task.is_over)
        self.addresses: Register[str, str] = Register()
        self.services: Register[tuple[str, str], Word] = Register()
        self.containers: Register[tuple[str, str], Word] = Register()
        self.targets: Register[tuple[str, str], Target] = Register()
        self.balancers: Register[str, Balancer] = Register()
        self.distributions: Register[str, Distribution] = Register()
        self.machines: Register[str, Machine] = Register()
        self.agents: Register[str, Agent] = Register()
        self.records: Register[tuple[str, str, str], RecordSet] = Register()
        self.faults: Register[int, Fault] = Register()

    def see(self, one: Observation) -> bool:
        """Take an observation in; whether it changes the picture. Never raises."""
        told = _TOLD.get(one.kind)
        return told is not None and math.isfinite(one.at) and told(self, _Facts(one))


class _Facts:
    """The fields of an observation, each as what it should be, or as nothing."""

    def __init__(self, one: Observation) -> None:
        self.at = one.at
        self.stamp: Stamp = (0.0, one.at)
        self._fields = one.fields if isinstance(one.fields, Mapping) else {}

    def any(self, name: str) -> Any:
        return self._fields.get(name)

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        value = self._fields.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(one for one in _list(self._fields.get(name)) if isinstance(one, str))

    def numbers(self, name: str) -> tuple[int, ...]:
        return tuple(one for one in _list(self._fields.get(name)) if type(one) is int)

    def words(self, *names: str) -> str:
        return " ".join(text for name in names if (text := self.text(name)))


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _task(state: State, facts: _Facts) -> bool:
    arn, version = facts.text("task"), facts.number("version")
    if not arn or not facts.text("last_status"):
        return False
    task = Task(
        arn,
        facts.at,
        facts.text("group"),
        facts.text("last_status"),
        facts.text("desired_status"),
        facts.text("public_ip"),
        facts.text("private_ip"),
        facts.text("launch_type"),
        facts.text("capacity_provider"),
        facts.text("container_instance"),
        tuple(_containers(facts.any("containers"))),
        facts.words("stop_code", "stopped_reason"),
    )
    for address in filter(None, (task.public_ip, "" if task.container_instance else task.private_ip)):
        state.addresses.tell(address, facts.stamp, arn)
    return state.tasks.tell(arn, (version or 0, facts.at), task)


def _containers(told: object) -> Iterator[Container]:
    for one in _list(told):
        if isinstance(one, Mapping):
            facts = _Facts(Observation(0.0, "", one))
            if name := facts.text("name"):
                yield Container(name, facts.text("status"), facts.text("health"), facts.numbers("host_ports"))


def _container(text: Callable[[_Facts], tuple[str, bool]]) -> Callable[[State, _Facts], bool]:
    def told(state: State, facts: _Facts) -> bool:
        key = facts.text("task"), facts.text("container")
        return all(key) and state.containers.tell(key, facts.stamp, Word(facts.at, *text(facts)))

    return told


def _exited(facts: _Facts) -> tuple[str, bool]:
    code = facts.number("exit_code")
    return f"exited with code {code}", bool(code)


def _service(state: State, facts: _Facts) -> bool:
    parts = facts.text("service").split("/")
    if len(parts) < 3:  # arn:...:service/CLUSTER/NAME
        return False
    return state.services.tell((parts[-2], parts[-1]), facts.stamp, Word(facts.at, facts.text("message")))


def _target(state: State, facts: _Facts) -> bool:
    key = facts.text("group"), facts.text("target")
    if not all(key):
        return False
    why = facts.words("reason", "description")
    target = None if facts.text("state") == "unused" else Target(*key, facts.text("state"), why)
    return state.targets.tell(key, facts.stamp, target)


def _balancer(state: State, facts: _Facts) -> bool:
    name = facts.text("balancer")
    made = Balancer(
        name, facts.text("dns_name"), facts.text("address"), facts.numbers("listeners"), facts.texts("groups")
    )
    return bool(name) and state.balancers.tell(name, facts.stamp, made)


def _distribution(state: State, facts: _Facts) -> bool:
    name = facts.text("distribution")
    made = Distribution(
        name, facts.text("domain_name"), facts.texts("aliases"), facts.text("address"), facts.texts("origins")
    )
    return bool(name) and state.distributions.tell(name, facts.stamp, made)


def _record(state: State, facts: _Facts) -> bool:
    name, kind = facts.text("name"), facts.text("type")
    if not name or not kind or kind in {"NS", "SOA"}:
        return False
    new = facts.any("new")
    made = None if new is None else RecordSet(name, kind, facts.texts("new"), facts.number("ttl"))
    return state.records.tell((name, kind, facts.text("set_identifier")), facts.stamp, made)


def _launched(state: State, facts: _Facts) -> bool:
    name = facts.text("instance")
    return bool(name) and state.machines.tell(
        name, facts.stamp, Machine(name, facts.text("type"), facts.text("address"))
    )


def _agent(state: State, facts: _Facts) -> bool:
    arn = facts.text("container_instance")
    made = Agent(arn, facts.text("instance"), facts.text("status"), facts.any("agent_connected") is True)
    return bool(arn) and state.agents.tell(arn, (facts.number("version") or 0, facts.at), made)


def _fault(state: State, facts: _Facts) -> bool:
    number, options = facts.number("fault"), facts.any("options")
    if number is None:
        return False
    given = options.items() if isinstance(options, Mapping) else ()
    fault = Fault(
        number, facts.text("name"), facts.text("target"), tuple((str(name), str(value)) for name, value in given)
    )
    return state.faults.tell(number, facts.stamp, fault)


def _gone(register: Callable[[State], Register[str, Any]], name: str) -> Callable[[State, _Facts], bool]:
    def told(state: State, facts: _Facts) -> bool:
        return bool(facts.text(name)) and register(state).tell(facts.text(name), facts.stamp, None)

    return told


def _lifted(state: State, facts: _Facts) -> bool:
    number = facts.number("fault")
    # Newer than any beginning: its number is never another fault's.
    return number is not None and state.faults.tell(number, (1.0, facts.at), None)


_TOLD: Mapping[str, Callable[[State, _Facts], bool]] = {
    "task.state": _task,
    "container.exited": _container(_exited),
    "container.failed": _container(lambda facts: (facts.text("reason"), True)),
    "container.restarted": _container(lambda facts: ("restarted", False)),
    "container.health": _container(lambda facts: (facts.text("health"), facts.text("health") == "UNHEALTHY")),
    "service.event": _service,
    "target.health": _target,
    "alb.deployed": _balancer,
    "alb.removed": _gone(lambda state: state.balancers, "balancer"),
    "cdn.deployed": _distribution,
    "cdn.removed": _gone(lambda state: state.distributions, "distribution"),
    "dns.change": _record,
    "instance.launched": _launched,
    "instance.dropped": _gone(lambda state: state.machines, "instance"),
    "instance.state": _agent,
    "fault.begun": _fault,
    "fault.ended": _lifted,
}
