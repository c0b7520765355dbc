"""AWS's state at each moment of a sequence of events: what ECS and EC2 show, and from when on.

An event is told late, twice or after newer ones, but AWS's own state goes on regardless: a function that asks ECS or
EC2 gets the truth of the moment in which it asks, not of the moment that its event is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.messages import Interface


@dataclass(frozen=True)
class InterfaceShown:
    """EC2 shows a network interface; ``description`` is ECS's ARN of the attachment, where it is known."""

    interface: Interface
    description: str = ""


@dataclass(frozen=True)
class AddressShown:
    """EC2 shows an interface's public address as its Association."""

    interface_id: str
    public_ip: str


@dataclass(frozen=True)
class InterfaceGone:
    """EC2 no longer knows an interface."""

    interface_id: str


@dataclass(frozen=True)
class TaskShown:
    """A task as DescribeTasks shows it; times are seconds since the epoch."""

    task: Mapping[str, Any]


@dataclass(frozen=True)
class ServiceShown:
    """A service as DescribeServices shows it; times are seconds since the epoch."""

    service: Mapping[str, Any]


Change = InterfaceShown | AddressShown | InterfaceGone | TaskShown | ServiceShown


@dataclass(frozen=True)
class Fact:
    """What changed in AWS's state at a moment (seconds since the epoch)."""

    at: float
    change: Change


@dataclass
class World:
    """ECS's tasks and services and EC2's interfaces as they are now; `advance` moves on to a later moment.

    Attributes:
        facts: All that ever changes, by time.
        tasks: By ARN, in order of appearance.
        services: By ARN.
        interfaces: By id.
        public_ips: By interface id; of those whose Association EC2 shows.
        running: Group and interface id of the tasks that run and are to run, by ARN, in order of their start.
    """

    facts: Sequence[Fact]
    tasks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    services: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    public_ips: dict[str, str] = field(default_factory=dict)
    running: dict[str, tuple[str, str]] = field(default_factory=dict)
    _next: int = 0

    def is_due(self, to: float) -> bool:
        """Whether `advance` would change something."""
        return self._next < len(self.facts) and self.facts[self._next].at <= to

    def advance(self, to: float) -> list[Change]:
        """Let everything happen up to and including the moment ``to``; the changes, in order."""
        changes = []
        while self.is_due(to):
            change = self.facts[self._next].change
            self._next += 1
            self._take(change)
            changes.append(change)
        return changes

    def _take(self, change: Change) -> None:
        match change:
            case InterfaceShown(interface):
                self.interfaces[interface.id] = interface
            case AddressShown(interface_id, public_ip):
                self.public_ips[interface_id] = public_ip
            case InterfaceGone(interface_id):
                self.interfaces.pop(interface_id, None)
                self.public_ips.pop(interface_id, None)
            case TaskShown(task):
                arn = task["taskArn"]
                self.tasks[arn] = task
                if runs(task):
                    self.running[arn] = (task.get("group", ""), interface_of(task))
                else:
                    self.running.pop(arn, None)
            case ServiceShown(service):
                self.services[service["serviceArn"]] = service


def in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts by time; those of one moment stay as they come."""
    return tuple(sorted(facts, key=lambda fact: fact.at))


def documentation_addresses(taken: Collection[str] = ()) -> Iterator[str]:
    """Public addresses that are nobody's, of the ranges for documentation and benchmarks, but for those ``taken``."""
    ranges = (("198.51.100", range(10, 255)), *((f"198.18.{block}", range(1, 255)) for block in range(256)))
    for prefix, numbers in ranges:
        for number in numbers:
            if (address := f"{prefix}.{number}") not in taken:
                yield address


def runs(task: Mapping[str, Any]) -> bool:
    """Whether a task runs and is to run; one that has been told to stop is RUNNING, too, for a moment."""
    return task.get("lastStatus") == "RUNNING" == task.get("desiredStatus")


def interface_of(task: Mapping[str, Any]) -> str:
    """The network interface of a task, as events or DescribeTasks show it; "" where it has none yet."""
    for attachment in task.get("attachments") or ():
        for detail in attachment.get("details") or ():
            if detail.get("name") == "networkInterfaceId":
                return str(detail.get("value") or "")
    return ""
