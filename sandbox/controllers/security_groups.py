"""Security groups carried out: nftables in the namespace of each network interface, from EC2's records."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from sandbox.engine.containers import Containers
from sandbox.errors import SandboxError
from sandbox.model.security_groups import CLOSE, Member, Records, Surroundings, ruleset
from sandbox.timeline import Timeline

log = logging.getLogger(__name__)

_AT_ONCE = 8


class Ec2(Protocol):
    """EC2's records of security groups, in whatever backend holds them."""

    def security_records(self) -> Records:
        """The groups and the interfaces that there are now."""


@dataclass
class _Filtered:
    """An interface.

    Attributes:
        own: Its addresses.
        container: Owns its namespace.
        text: What nftables has been told last.
        problem: Why it could not be told something newer.
    """

    own: tuple[str, ...]
    container: str
    text: str
    problem: SandboxError | None = None


class SecurityGroups:
    """Keeps each interface's rules as EC2 has them. Safe to use from several threads.

    Observations:

    - ``security_group.applied`` (interface, groups, filtered): an interface's rules have changed. ``filtered`` is
      false where its groups let everything through. Interfaces that never filtered anything have none.

    Args:
        ec2: Where groups and interfaces are recorded.
        containers: The run's.
        around: What the interface of a private address has around it.
        timeline: Gets the observations.
    """

    def __init__(
        self, ec2: Ec2, containers: Containers, around: Callable[[str], Surroundings], timeline: Timeline
    ) -> None:
        self._ec2 = ec2
        self._containers = containers
        self._around = around
        self._timeline = timeline
        self._interfaces: dict[str, _Filtered] = {}
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._wanted = self._done = 0

    def ruleset(self, interface_id: str, own: Sequence[str], groups: Sequence[str]) -> str:
        """What nftables has to be told for an interface that is going to be attached ("": nothing).

        Args:
            interface_id: Its id.
            own: Its addresses, the private one first.
            groups: Its security groups.
        """
        records = self._ec2.security_records()
        itself = {interface_id: Member(tuple(groups), (own[0],))}  # a rule may name the interface's own group
        return ruleset(groups, own, Records(records.groups, {**records.interfaces, **itself}), self._around(own[0]))

    def groups_of(self, interface_id: str) -> tuple[str, ...]:
        """The groups of an interface that EC2 shows."""
        return self._ec2.security_records().interfaces[interface_id].groups

    def attach(self, interface_id: str, own: Sequence[str], groups: Sequence[str], container: str, text: str) -> None:
        """Look after an interface that EC2 shows by now.

        Args:
            interface_id: Its id.
            own: Its addresses, as for `ruleset`.
            groups: Its security groups.
            container: Owns its namespace.
            text: What nftables was told at the container's start.

        Raises:
            SandboxError: The interface's rules could not be changed to what they are meanwhile.
        """
        with self._lock:
            interface = self._interfaces[interface_id] = _Filtered(tuple(own), container, text)
        if text:
            self._record(interface_id, groups, text)
        self.refresh()
        if interface.problem is not None:
            raise interface.problem

    def detach(self, interface_id: str) -> None:
        """Look after an interface no more; its container is about to be removed."""
        with self._lock:
            self._interfaces.pop(interface_id, None)

    def refresh(self) -> None:
        """Carry out what EC2 says now; where that is known to be done already it costs nothing.

        What goes wrong is logged, and tried again by the next refresh.
        """
        with self._lock:
            self._wanted += 1
            mine = self._wanted
        with self._refreshing:
            if self._done >= mine:  # by a refresh that began after this one was asked for
                return
            with self._lock:
                begun, interfaces = self._wanted, dict(self._interfaces)
            if interfaces:
                self._apply(interfaces)
            self._done = begun

    def _apply(self, interfaces: dict[str, _Filtered]) -> None:
        records = self._ec2.security_records()
        changes = []
        for interface_id, interface in interfaces.items():
            member = records.interfaces.get(interface_id)
            text = (
                ruleset(member.groups, interface.own, records, self._around(interface.own[0]))
                if member
                else interface.text
            )
            if text != interface.text:
                changes.append((interface_id, interface, text))
        if not changes:
            return
        with ThreadPoolExecutor(min(len(changes), _AT_ONCE)) as pool:
            problems = pool.map(lambda change: self._tell(change[1].container, change[2]), changes)
            for (interface_id, interface, text), problem in zip(changes, problems, strict=True):
                interface.problem = problem
                if problem is None:
                    interface.text = text
                    self._record(interface_id, records.interfaces[interface_id].groups, text)
                elif self._is_attached(interface_id):
                    log.warning("%s: %s", interface_id, problem)

    def _record(self, interface_id: str, groups: Sequence[str], text: str) -> None:
        self._timeline.record(
            "security_group.applied", interface=interface_id, groups=list(groups), filtered=bool(text)
        )

    def _tell(self, container: str, text: str) -> SandboxError | None:
        try:
            code, out, err = self._containers.execute(container, ["nft", text or CLOSE])
        except SandboxError as error:
            return error
        if code:
            return SandboxError(
                "nftables refused the rules of a security group",
                state=f"nft exited with code {code}",
                log=(err or out).splitlines(),
                hint="the rules are in DescribeSecurityGroups; please report those",
            )
        return None

    def _is_attached(self, interface_id: str) -> bool:
        with self._lock:
            return interface_id in self._interfaces
