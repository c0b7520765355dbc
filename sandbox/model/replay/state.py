"""What invariants look at: AWS's state after an event, and the invariants that come with the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.replay.world import interface_of, runs
from sandbox.model.route53 import HostedZone, canonical

Invariant = Callable[["State"], "bool | None"]
"""True or None: it holds (or says nothing); False or an AssertionError: it is broken."""


@dataclass(frozen=True)
class RunningTask:
    """A task that runs and is to run. Addresses that it has not got are ""."""

    arn: str
    group: str
    public_ip: str
    private_ip: str


@dataclass(frozen=True)
class State:
    """AWS's state at one moment of a replay.

    Attributes:
        at: Seconds since the epoch, in the recording's own time.
        zones: Route 53's hosted zones with their record sets.
        tasks: As DescribeTasks shows them; times are seconds since the epoch.
        services: As DescribeServices shows them.
        private_ips: By network interface id, of the interfaces that EC2 shows.
        public_ips: By network interface id, of those whose Association EC2 shows.
        running: Group and network interface of the tasks that run and are to run, by ARN; None: found in ``tasks``.
        lost: For each event that the function has failed to take, for good, the error.
        is_end: Whether everything has been told and everything has happened.
    """

    at: float
    zones: Sequence[HostedZone] = ()
    tasks: Sequence[Mapping[str, Any]] = ()
    services: Sequence[Mapping[str, Any]] = ()
    private_ips: Mapping[str, str] = field(default_factory=dict)
    public_ips: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, tuple[str, str]] | None = None
    lost: Sequence[str] = ()
    is_end: bool = False

    def record(self, name: str, type: str = "A", *, zone: str = "") -> list[str] | None:
        """The values of a record set (of all with that name and type), None where there is none.

        Args:
            name: With or without the final dot.
            type: "A", "CNAME", ...
            zone: The name of the only hosted zone to look in.
        """
        found = None
        for hosted in self.zones:
            if zone and canonical(hosted.name) != canonical(zone):
                continue
            for record_set in hosted.record_sets:
                if canonical(record_set.name) == canonical(name) and record_set.type == type:
                    found = [*(found or ()), *record_set.values]
        return found

    def names(self, type: str = "A", *, zone: str = "") -> list[str]:
        """The names that have a record set of ``type``, without final dots."""
        return sorted(
            {
                canonical(record_set.name)
                for hosted in self.zones
                if not zone or canonical(hosted.name) == canonical(zone)
                for record_set in hosted.record_sets
                if record_set.type == type
            }
        )

    def running_tasks(self, group: str = "") -> list[RunningTask]:
        """The tasks whose lastStatus and desiredStatus are RUNNING; ``group`` such as "service:web"."""
        running = self.running
        if running is None:
            running = {
                task["taskArn"]: (task.get("group", ""), interface_of(task)) for task in self.tasks if runs(task)
            }
        return [
            RunningTask(arn, of, self.public_ips.get(interface, ""), self.private_ips.get(interface, ""))
            for arn, (of, interface) in running.items()
            if group in ("", of)
        ]


def no_event_lost() -> Invariant:
    """No event was given up: whatever failed was taken when Lambda tried again."""

    def invariant(state: State) -> bool | None:
        lost = state.lost
        _hold(not lost, f"{len(lost)} of the events were lost: {lost[-1] if lost else ''}")
        return True

    return invariant


def record_points_at_running_task(name: str = "", zone: str = "", group: str = "") -> Invariant:
    """Every value of the A record is an address of a task that runs. While none runs, nothing is claimed.

    Args:
        name: The record; "": each A record that there is.
        zone: The hosted zone to look in; "": all.
        group: Whose tasks count, such as "service:web"; "": all.
    """

    def invariant(state: State) -> bool | None:
        running = state.running_tasks(group)
        if not running:
            return None
        addresses = {address for task in running for address in (task.public_ip, task.private_ip) if address}
        shown = ", ".join(sorted({task.public_ip or task.private_ip for task in running}))
        names = [canonical(name)] if name else state.names(zone=zone)
        _hold(bool(names), f"there is no A record while a task runs at {shown}")
        for one in names:
            values = state.record(one, zone=zone) or []
            _hold(bool(values), f"{one} has no A record while a task runs at {shown}")
            wrong = [value for value in values if value not in addresses]
            _hold(not wrong, f"{one} is {', '.join(wrong)}; running: {shown}")
        return True

    return invariant


def record_is(name: str, answers: Sequence[str], type: str = "A") -> Invariant:
    """The record set has these values, in any order; none of them: there is no such record set."""

    def invariant(state: State) -> bool | None:
        values = state.record(name, type) or []
        shown = ", ".join(values) or "none"
        _hold(sorted(values) == sorted(answers), f"{name} {type} is {shown}; wanted: {', '.join(answers) or 'none'}")
        return True

    return invariant


BUILT_IN: Mapping[str, Callable[..., Invariant]] = {
    "record-points-at-running-task": record_points_at_running_task,
    "no-event-lost": no_event_lost,
}


def check(invariant: Invariant, state: State) -> str:
    """What is wrong, in words; "" where the invariant holds."""
    try:
        holds = invariant(state)
    except AssertionError as error:
        return str(error) or "an assertion of the invariant failed"
    return "" if holds is None or holds else "the invariant says no"


def _hold(condition: bool, otherwise: str) -> None:
    # No ``assert``: pytest rewrites those of installed plugins, this package among them, and adds to what they say.
    if not condition:
        raise AssertionError(otherwise)
