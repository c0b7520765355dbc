"""Counts what interfaces send to other Availability Zones, with nftables in their own namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sandbox.controllers.interfaces import Eni, Interfaces
from sandbox.engine.containers import Containers
from sandbox.errors import SandboxError
from sandbox.model import zone_traffic
from sandbox.model.zone_traffic import Place
from sandbox.timeline import Timeline

_OF_BALANCER = "ELB "  # what EC2 calls a load balancer's interface begins so


class ZoneTraffic:
    """Counts all through a ``with`` block, between the interfaces of tasks and instances that there are at its start.

    Recorded as ``zone.traffic`` at its end: one for each direction that was counted, with ``from_zone``, ``to_zone``
    and ``bytes``. Load balancers are left out, as they are in AWS's bill. The end of the block raises SandboxError
    where one of the interfaces is gone, as nobody knows then what it has sent.

    Args:
        interfaces: Who there is.
        containers: The run's.
        timeline: Gets the observations.
    """

    def __init__(self, interfaces: Interfaces, containers: Containers, timeline: Timeline) -> None:
        self._interfaces = interfaces
        self._containers = containers
        self._timeline = timeline
        self._counting: list[Eni] = []

    def __enter__(self) -> Self:
        found = [eni for eni in self._interfaces.attached() if not eni.description.startswith(_OF_BALANCER)]
        places = [_place(eni) for eni in found]
        for eni in found:
            text = zone_traffic.ruleset(_place(eni), places)
            if text:
                self._told(eni, ["nft", text])
                self._counting.append(eni)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # what is left counts on for nobody, and the next block begins anew
            return
        sent: dict[tuple[str, str], int] = {}
        for eni in self._counting:
            for zone, count in zone_traffic.counted(self._told(eni, zone_traffic.READ, prints=True)).items():
                way = (_place(eni).zone, zone)
                sent[way] = sent.get(way, 0) + count
            self._told(eni, ["nft", zone_traffic.END])
        for (here, there), count in sorted(sent.items()):
            self._timeline.record("zone.traffic", from_zone=here, to_zone=there, bytes=count)

    def _told(self, eni: Eni, command: Sequence[str], *, prints: bool = False) -> str:
        code, out, said = self._containers.execute(eni.container, list(command), prints=prints)
        if code:
            raise SandboxError(f"what {eni.record.id} sends cannot be counted", state=said.strip())
        return out


def _place(eni: Eni) -> Place:
    return Place(eni.record.availability_zone, eni.record.private_ip)
