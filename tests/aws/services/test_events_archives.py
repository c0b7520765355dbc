"""Archives and replays, as boto3 sees them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

HERE = "arn:aws:events:us-east-1:123456789012:"
BUS = HERE + "event-bus/default"
ARCHIVE = HERE + "archive/a"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def put(control: Any, *numbers: int, apart: int = 60, source: str = "shop", bus: str = "default") -> None:
    """Events with the numbers as their details, so many seconds apart from noon on."""
    entries = [
        {
            "Source": source,
            "DetailType": "Order",
            "Detail": json.dumps({"n": number}),
            "Time": NOON + timedelta(seconds=number * apart),
            "EventBusName": bus,
        }
        for number in numbers
    ]
    for start in range(0, len(entries), 10):
        control.aws("events").put_events(Entries=entries[start : start + 10])


def start(control: Any, name: str = "again", **more: Any) -> dict[str, Any]:
    request = {
        "ReplayName": name,
        "EventSourceArn": ARCHIVE,
        "EventStartTime": NOON,
        "EventEndTime": NOON + timedelta(days=1),
        "Destination": {"Arn": BUS},
        **more,
    }
    return dict(control.aws("events").start_replay(**request))


def ended(control: Any, until: Callable[..., None], name: str = "again") -> dict[str, Any]:
    """The replay, once it has ended."""
    client = control.aws("events")
    until(lambda: "ReplayEndTime" in client.describe_replay(ReplayName=name))
    return dict(client.describe_replay(ReplayName=name))


def replayed(control: Any) -> list[int]:
    """The numbers of the events that were replayed."""
    published = [o["event"] for o in control.timeline.since() if o.kind == "event.published"]
    return [event["detail"]["n"] for event in published if "replay-name" in event]


def test_an_archive_is_made_shown_changed_and_deleted(control: Any) -> None:
    client = control.aws("events")
    pattern = '{"source": ["shop"]}'
    made = client.create_archive(
        ArchiveName="a", EventSourceArn=BUS, Description="orders", EventPattern=pattern, RetentionDays=7
    )
    assert (made["ArchiveArn"], made["State"]) == (ARCHIVE, "ENABLED")
    assert refused(client.create_archive, ArchiveName="a", EventSourceArn=BUS) == (
        "ResourceAlreadyExistsException",
        "Archive a already exists.",
    )
    put(control, 1, 2)
    put(control, 3, source="other")
    shown = client.describe_archive(ArchiveName="a")
    assert (shown["EventCount"], shown["RetentionDays"], shown["Description"]) == (2, 7, "orders")
    assert (shown["EventPattern"], shown["EventSourceArn"]) == (pattern, BUS)
    assert shown["SizeBytes"] > 300
    client.update_archive(ArchiveName="a", EventPattern='{"source": ["other"]}', RetentionDays=0)
    put(control, 4)
    put(control, 5, source="other")
    (listed,) = client.list_archives()["Archives"]
    assert (listed["EventCount"], listed["RetentionDays"], "Description" in listed) == (3, 0, False)
    client.delete_archive(ArchiveName="a")
    for call in (client.describe_archive, client.delete_archive, client.update_archive):
        assert refused(call, ArchiveName="a") == ("ResourceNotFoundException", "Archive a does not exist.")


def test_archives_are_listed_by_one_filter(control: Any) -> None:
    client = control.aws("events")
    client.create_event_bus(Name="mine")
    for name, bus in (("a", BUS), ("b", HERE + "event-bus/mine")):
        client.create_archive(ArchiveName=name, EventSourceArn=bus)

    def names(**filters: Any) -> list[str]:
        return [archive["ArchiveName"] for archive in client.list_archives(**filters)["Archives"]]

    assert names() == ["a", "b"]
    assert names(NamePrefix="b") == ["b"]
    assert names(EventSourceArn=BUS) == ["a"]
    assert names(State="DISABLED") == []
    assert refused(client.list_archives, NamePrefix="a", State="ENABLED")[0] == "ValidationException"
    assert refused(client.list_archives, EventSourceArn=HERE + "event-bus/gone") == (
        "ResourceNotFoundException",
        "Event bus gone does not exist.",
    )


def test_an_archive_that_cannot_be(control: Any) -> None:
    client = control.aws("events")
    assert refused(client.create_archive, ArchiveName="a", EventSourceArn=HERE + "event-bus/gone") == (
        "ResourceNotFoundException",
        "Event bus gone does not exist.",
    )
    assert refused(client.create_archive, ArchiveName="a", EventSourceArn=BUS, EventPattern="{}") == (
        "InvalidEventPatternException",
        "Event pattern is not valid. Reason: Empty objects are not allowed",
    )
    assert client.list_archives()["Archives"] == []


def test_retention_is_in_aws_s_days(start_control: Callable[..., Any], until: Callable[..., None]) -> None:
    control = start_control(86_400 * 5)  # a day is a fifth of a second
    client = control.aws("events")
    client.create_archive(ArchiveName="a", EventSourceArn=BUS, RetentionDays=1)
    client.create_archive(ArchiveName="ever", EventSourceArn=BUS)
    put(control, 1)
    until(lambda: client.describe_archive(ArchiveName="a")["EventCount"] == 0)
    assert client.describe_archive(ArchiveName="ever")["EventCount"] == 1


def test_a_replay_sends_the_events_again_minute_by_minute(control: Any, until: Callable[..., None]) -> None:
    client = control.aws("events")
    client.create_archive(ArchiveName="a", EventSourceArn=BUS)
    put(control, *range(29, -1, -1), apart=20)  # three a minute, the last one first
    assert start(control, Description="why")["State"] == "STARTING"
    shown = ended(control, until)
    assert (shown["State"], shown["Description"], shown["Destination"]) == ("COMPLETED", "why", {"Arn": BUS})
    assert shown["EventLastReplayedTime"] >= NOON + timedelta(minutes=9)
    order = replayed(control)
    assert sorted(order) == list(range(30))
    assert [number // 3 for number in order] == [minute for minute in range(10) for _ in range(3)]
    assert order != list(range(30))
    assert client.describe_archive(ArchiveName="a")["EventCount"] == 30  # it does not archive what is replayed
    (listed,) = client.list_replays(NamePrefix="ag")["Replays"]
    assert (listed["State"], listed["ReplayName"], "Destination" in listed) == ("COMPLETED", "again", False)


def test_a_replay_to_some_rules(control: Any, until: Callable[..., None]) -> None:
    client = control.aws("events")
    client.create_archive(ArchiveName="a", EventSourceArn=BUS)
    put(control, 1)
    for rule in ("wanted", "other"):
        client.put_rule(Name=rule, EventPattern='{"source": ["shop"]}')
    client.put_rule(Name="never", EventPattern='{"source": ["shop"], "replay-name": [{"exists": false}]}')
    start(control, Destination={"Arn": BUS, "FilterArns": [HERE + "rule/wanted", HERE + "rule/never"]})
    ended(control, until)
    (again,) = [o for o in control.timeline.since() if o.kind == "event.published" and "replay-name" in o["event"]]
    assert again["rules"] == ["wanted"]
    assert again["event"]["replay-name"] == "again"


def test_only_the_events_of_a_time_are_replayed(control: Any, until: Callable[..., None]) -> None:
    control.aws("events").create_archive(ArchiveName="a", EventSourceArn=BUS)
    put(control, 1, 2, 3, 4)
    start(control, EventStartTime=NOON + timedelta(minutes=2), EventEndTime=NOON + timedelta(minutes=4))
    ended(control, until)
    assert replayed(control) == [2, 3]


def test_a_replay_is_cancelled_between_two_minutes(control: Any, until: Callable[..., None]) -> None:
    client = control.aws("events")
    client.create_archive(ArchiveName="a", EventSourceArn=BUS)
    put(control, 1, 2, 3)
    go_on = threading.Event()

    def hold(observation: Any) -> None:
        if observation.kind == "event.published" and observation["event"]["detail"]["n"] == 2:
            go_on.wait(20)

    control.timeline.subscribe(hold)
    start(control)
    until(lambda: replayed(control) == [1, 2])
    assert client.describe_replay(ReplayName="again")["State"] == "RUNNING"
    assert client.cancel_replay(ReplayName="again")["State"] == "CANCELLING"
    go_on.set()
    assert ended(control, until)["State"] == "CANCELLED"
    assert replayed(control) == [1, 2]
    assert refused(client.cancel_replay, ReplayName="again") == (
        "IllegalStatusException",
        "Replay again is not in a valid state for this operation.",
    )


def test_a_replay_that_cannot_be(control: Any, until: Callable[..., None]) -> None:
    client = control.aws("events")
    client.create_archive(ArchiveName="a", EventSourceArn=BUS)
    client.create_event_bus(Name="mine")

    def answer(**more: Any) -> tuple[str, str]:
        return refused(lambda: start(control, **more))

    assert answer(Destination={"Arn": HERE + "event-bus/gone"}) == (
        "ResourceNotFoundException",
        "Event bus gone does not exist.",
    )
    assert answer(Destination={"Arn": HERE + "event-bus/mine"}) == (
        "ValidationException",
        "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
    )
    assert answer(Destination={"Arn": HERE + "rule/r"})[1].endswith("Must contain an event bus ARN.")
    assert answer(EventSourceArn=HERE + "archive/gone") == (
        "ValidationException",
        "Parameter EventSourceArn is not valid. Reason: Archive gone does not exist.",
    )
    assert answer(EventEndTime=NOON) == (
        "ValidationException",
        "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
    )
    start(control)
    assert answer() == ("ResourceAlreadyExistsException", "Replay again already exists.")
    assert refused(client.describe_replay, ReplayName="gone") == (
        "ResourceNotFoundException",
        "Replay gone does not exist.",
    )
    ended(control, until)
