"""The actions on archives and replays.

A replay sends its events without a pause, a minute of them at a time, on a thread of its own; between two minutes it
can be cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.events_state import (
    Answer,
    Bus,
    EventsActions,
    Request,
    already_exists,
    compiled,
    invalid,
    limit_exceeded,
    not_found,
    paged,
    refuse,
)
from sandbox.model.eventbridge_archive import Archive, ArchivedEvent, replay_order, replayed

_ACTIVE_REPLAYS = 10  # "Amazon EventBridge quotas", per region
_ACTIVE = ("STARTING", "RUNNING", "CANCELLING")


@dataclass
class KeptArchive:
    """An archive as the API shows it, and its events."""

    name: str
    arn: str
    bus_arn: str
    created: float
    events: Archive
    shown: dict[str, Any]

    def summary(self, kept: Sequence[ArchivedEvent]) -> Answer:
        """As ListArchives has it."""
        return {
            "ArchiveName": self.name,
            "EventSourceArn": self.bus_arn,
            "State": "ENABLED",
            "RetentionDays": self.events.retention,
            "SizeBytes": sum(event.size for event in kept),
            "EventCount": len(kept),
            "CreationTime": self.created,
        }


@dataclass
class Replay:
    """A replay. ``minutes`` are those that are still to come."""

    name: str
    arn: str
    shown: dict[str, Any]
    destination: dict[str, Any]
    archive_arn: str
    start: datetime
    end: datetime
    minutes: list[list[ArchivedEvent]]
    started: float
    state: str = "STARTING"
    last: float | None = None
    ended: float | None = None
    rules: frozenset[str] = field(default_factory=frozenset)

    def summary(self) -> Answer:
        """As ListReplays has it."""
        later = {"EventLastReplayedTime": self.last, "ReplayEndTime": self.ended}
        return {
            "ReplayName": self.name,
            "EventSourceArn": self.archive_arn,
            "State": self.state,
            "EventStartTime": self.start,
            "EventEndTime": self.end,
            "ReplayStartTime": self.started,
            **{member: at for member, at in later.items() if at is not None},
        }


class ArchiveActions(EventsActions):
    """CreateArchive to UpdateArchive, and StartReplay to CancelReplay.

    Attributes:
        _archives: By ARN.
        _replays: By ARN.
    """

    _archives: dict[str, KeptArchive]
    _replays: dict[str, Replay]

    def _replay_event(self, bus: Bus, event: Mapping[str, Any], rules: frozenset[str]) -> None:
        """Put an event on a bus, for rules of these ARNs only, or for all where there are none."""
        raise NotImplementedError

    def _aws_now(self) -> float:
        """The time as it is for AWS, in seconds; it goes faster than the clock's with a speed."""
        raise NotImplementedError

    def _archive_event(self, bus: Bus, event: Mapping[str, Any]) -> None:
        """An event has come to a bus."""
        for archive in self._archives.values():
            if archive.bus_arn == bus.arn:
                archive.events.offer(event, self._aws_now())

    def create_archive(self, request: Request, context: RequestContext) -> Answer:
        """CreateArchive; it takes the bus's events from now on."""
        refuse(request, "KmsKeyIdentifier")
        bus = self._buses.find(request["EventSourceArn"], context.region)
        name = request["ArchiveName"]
        arn = _arn("archive", name, context)
        with self._buses.lock:
            if arn in self._archives:
                raise already_exists(f"Archive {name} already exists.")
            archive = KeptArchive(name, arn, bus.arn, self._buses.now(), Archive(), {})
            _change(archive, request)
            self._archives[arn] = archive
        return _made(archive)

    def describe_archive(self, request: Request, context: RequestContext) -> Answer:
        """DescribeArchive."""
        with self._buses.lock:
            archive = self._archive(request, context)
            kept = archive.events.events(self._aws_now())
            return {"ArchiveArn": archive.arn, **archive.summary(kept), **archive.shown}

    def list_archives(self, request: Request, context: RequestContext) -> Answer:
        """ListArchives, by name."""
        _one_filter(request, "ListArchives")
        if "EventSourceArn" in request:
            self._buses.find(request["EventSourceArn"], context.region)
        with self._buses.lock:
            now = self._aws_now()
            found = [a for a in self._archives.values() if a.arn == _arn("archive", a.name, context)]
            shown = [archive.summary(archive.events.events(now)) for archive in sorted(found, key=lambda a: a.name)]
        page, more = paged(_filtered(shown, "ArchiveName", request), request)
        return {"Archives": page, **more}

    def update_archive(self, request: Request, context: RequestContext) -> Answer:
        """UpdateArchive; a new pattern is for events to come, a new retention for all."""
        refuse(request, "KmsKeyIdentifier")
        with self._buses.lock:
            archive = self._archive(request, context)
            _change(archive, request)
            return _made(archive)

    def delete_archive(self, request: Request, context: RequestContext) -> Answer:
        """DeleteArchive, with its events; a replay under way goes on."""
        with self._buses.lock:
            del self._archives[self._archive(request, context).arn]
        return {}

    # -- replays --

    def start_replay(self, request: Request, context: RequestContext) -> Answer:
        """StartReplay, to the bus that the archive is of."""
        name, destination = request["ReplayName"], request["Destination"]
        if ":event-bus/" not in destination["Arn"]:
            raise invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
        bus = self._buses.find(destination["Arn"], context.region)
        start, end = request["EventStartTime"], request["EventEndTime"]
        with self._buses.lock:
            archive = self._archives.get(request["EventSourceArn"])
            if archive is None:
                gone = request["EventSourceArn"].rpartition("/")[2]
                raise invalid(f"Parameter EventSourceArn is not valid. Reason: Archive {gone} does not exist.")
            if archive.bus_arn != bus.arn:
                raise invalid(
                    "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted."
                )
            if start >= end:
                raise invalid(
                    "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."
                )
            arn = _arn("replay", name, context)
            if arn in self._replays:
                raise already_exists(f"Replay {name} already exists.")
            if sum(replay.state in _ACTIVE for replay in self._replays.values()) >= _ACTIVE_REPLAYS:
                raise limit_exceeded()
            kept = archive.events.events(self._aws_now())
            self._replays[arn] = replay = Replay(
                name=name,
                arn=arn,
                shown={"Description": request["Description"]} if "Description" in request else {},
                destination=destination,
                archive_arn=archive.arn,
                start=start,
                end=end,
                minutes=replay_order(kept, start.timestamp(), end.timestamp(), name),
                started=self._buses.now(),
                rules=frozenset(destination.get("FilterArns", ())),
            )
        queue = Workers(f"replay-{name}", 1)
        queue.submit(lambda: self._continue(replay, bus, queue))
        return {"ReplayArn": arn, "State": "STARTING", "ReplayStartTime": replay.started}

    def describe_replay(self, request: Request, context: RequestContext) -> Answer:
        """DescribeReplay."""
        with self._buses.lock:
            replay = self._replay(request, context)
            return {"ReplayArn": replay.arn, **replay.summary(), **replay.shown, "Destination": replay.destination}

    def list_replays(self, request: Request, context: RequestContext) -> Answer:
        """ListReplays, by name."""
        _one_filter(request, "ListReplays")
        with self._buses.lock:
            found = [r for r in self._replays.values() if r.arn == _arn("replay", r.name, context)]
            shown = [replay.summary() for replay in sorted(found, key=lambda r: r.name)]
        page, more = paged(_filtered(shown, "ReplayName", request), request)
        return {"Replays": page, **more}

    def cancel_replay(self, request: Request, context: RequestContext) -> Answer:
        """CancelReplay; what was sent stays sent."""
        with self._buses.lock:
            replay = self._replay(request, context)
            if replay.state not in {"STARTING", "RUNNING"}:
                raise AwsError(
                    "IllegalStatusException", f"Replay {replay.name} is not in a valid state for this operation."
                )
            replay.state = "CANCELLING"
        return {"ReplayArn": replay.arn, "State": "CANCELLING"}

    def _continue(self, replay: Replay, bus: Bus, queue: Workers) -> None:
        """Send one minute's events, and have the next minute's sent."""
        with self._buses.lock:
            if replay.state == "CANCELLING" or not replay.minutes:
                replay.state = "CANCELLED" if replay.state == "CANCELLING" else "COMPLETED"
                replay.ended = self._buses.now()
                return
            replay.state = "RUNNING"
            minute = replay.minutes.pop(0)
        for kept in minute:
            self._replay_event(bus, replayed(kept.event, replay.name), replay.rules)
            with self._buses.lock:
                replay.last = kept.time
        queue.submit(lambda: self._continue(replay, bus, queue))

    # -- inside --

    def _archive(self, request: Request, context: RequestContext) -> KeptArchive:
        archive = self._archives.get(_arn("archive", request["ArchiveName"], context))
        if archive is None:
            raise not_found(f"Archive {request['ArchiveName']} does not exist.")
        return archive

    def _replay(self, request: Request, context: RequestContext) -> Replay:
        replay = self._replays.get(_arn("replay", request["ReplayName"], context))
        if replay is None:
            raise not_found(f"Replay {request['ReplayName']} does not exist.")
        return replay


def _arn(kind: str, name: str, context: RequestContext) -> str:
    return f"arn:aws:events:{context.region}:{context.account_id}:{kind}/{name}"


def _change(archive: KeptArchive, request: Request) -> None:
    """Take over what CreateArchive and UpdateArchive have in common."""
    pattern = request.get("EventPattern")
    if pattern:
        archive.events.pattern = compiled(pattern)
    archive.events.retention = request.get("RetentionDays", archive.events.retention)
    archive.shown |= {member: request[member] for member in ("Description", "EventPattern") if request.get(member)}


def _made(archive: KeptArchive) -> Answer:
    return {"ArchiveArn": archive.arn, "State": "ENABLED", "CreationTime": archive.created}


def _one_filter(request: Request, operation: str) -> None:
    if sum(member in request for member in ("NamePrefix", "EventSourceArn", "State")) > 1:
        raise invalid(
            f"At most one filter is allowed for {operation}. Use either : State, EventSourceArn, or NamePrefix."
        )


def _filtered(shown: list[Answer], name: str, request: Request) -> list[Answer]:
    return [
        one
        for one in shown
        if one[name].startswith(request.get("NamePrefix", ""))
        and request.get("EventSourceArn", one["EventSourceArn"]) == one["EventSourceArn"]
        and request.get("State", one["State"]) == one["State"]
    ]
