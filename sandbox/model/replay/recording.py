"""Reads recorded events, and works out from them what ECS and EC2 showed meanwhile.

An "ECS Task State Change" tells the whole task, so the latest one up to a moment is what DescribeTasks answered then.
An interface is there from the first event that names it until the task has STOPPED. Its public address is in no event:
it is taken from a timeline of the sandbox's own, from the state that the caller gives, or made up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.model.ecs.events import DETAIL_TYPE, SOURCE, TIMES
from sandbox.model.ecs.messages import Interface
from sandbox.model.foreign import from_json
from sandbox.model.replay.plan import Happened, Recording
from sandbox.model.replay.world import (
    AddressShown,
    Change,
    Fact,
    InterfaceGone,
    InterfaceShown,
    TaskShown,
    documentation_addresses,
    in_order,
    interface_of,
)


class RecordingError(ValueError):
    """The text is not a recording; the message says where and why."""


def read_events(text: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The events of a text: one as JSON, an array of them, JSON lines, or a timeline of the sandbox's.

    Returns:
        The events as they are, and the public addresses of interfaces that a timeline tells, by id.

    Raises:
        RecordingError: The text is something else.
    """
    events: list[dict[str, Any]] = []
    addresses: dict[str, str] = {}
    for place, item in _objects(text):
        if "kind" in item and "detail-type" not in item:
            if item["kind"] == "eni.association":
                addresses[str(item.get("interface"))] = str(item.get("public_ip"))
            if item["kind"] != "event.published":
                continue
            item = item.get("event")  # noqa: PLW2901 - what the line is about
        if not isinstance(item, dict) or not isinstance(item.get("detail"), dict):
            raise RecordingError(f"{place} is not an event: it has no detail")
        events.append(item)
    if not events:
        raise RecordingError("there is no event in it")
    return events, addresses


def recorded(events: Iterable[Mapping[str, Any]], addresses: Mapping[str, str] | None = None) -> Recording:
    """The recording of these events, in their order.

    Args:
        events: Envelope and all. One without a time is of the time of the one before.
        addresses: Public addresses by interface id; for those that are not in it one is made up.

    Raises:
        RecordingError: A time cannot be read.
    """
    happened: list[Happened] = []
    at = 0.0
    for number, event in enumerate(events, 1):
        at = _time_of(event, at, f"event {number}")
        happened.append(Happened(at, event))
    return Recording(tuple(happened), in_order(_facts(happened, dict(addresses or {}))))


def _objects(text: str) -> Iterator[tuple[str, Any]]:
    """Each object of the text, and where it is."""
    try:
        whole = from_json(text)
    except ValueError as error:
        yield from _lines(text, error)
        return
    if isinstance(whole, list):
        for number, item in enumerate(whole, 1):
            yield f"event {number}", item if isinstance(item, dict) else {}
    else:
        yield "the content", whole if isinstance(whole, dict) else {}


def _lines(text: str, whole: ValueError) -> Iterator[tuple[str, Any]]:
    found = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = from_json(line)
        except ValueError as error:
            if not found and isinstance(whole, json.JSONDecodeError):  # one document over several lines
                raise RecordingError(f"line {whole.lineno} is not JSON: {whole.msg}") from error
            raise RecordingError(f"line {number} is not JSON: {error}") from error
        found += 1
        yield f"line {number}", item if isinstance(item, dict) else {}


def _time_of(event: Mapping[str, Any], before: float, place: str) -> float:
    # ECS's envelope has whole seconds only; when it was stands in the detail, to the millisecond.
    text = event["detail"].get("updatedAt") if event.get("source") == SOURCE else None
    text = text or event.get("time")
    if text is None:
        return before
    return _epoch(text, place)


def is_task_event(event: Mapping[str, Any]) -> bool:
    """Whether it is an "ECS Task State Change" of a task with a version."""
    detail = event["detail"]
    return (
        event.get("source") == SOURCE
        and event.get("detail-type") == DETAIL_TYPE
        and isinstance(detail.get("version"), int)
        and isinstance(detail.get("taskArn"), str)
    )


def _epoch(text: Any, place: str) -> float:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise RecordingError(f"{place}: {text!r} is not a time") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _facts(happened: Iterable[Happened], addresses: dict[str, str]) -> Iterator[Fact]:
    by_task: dict[str, dict[int, Happened]] = {}
    for one in happened:
        if is_task_event(one.event):
            detail = one.event["detail"]
            by_task.setdefault(detail["taskArn"], {}).setdefault(detail["version"], one)
    made_up = documentation_addresses(set(addresses.values()))
    for versions in by_task.values():
        at = float("-inf")
        shown = ""
        for _, one in sorted(versions.items()):
            at = max(at, one.at)  # versions decide: a clock of AWS's may be off
            task = _as_described(one.event["detail"])
            yield Fact(at, TaskShown(task))
            for change in _interface_changes(task, shown, addresses, made_up):
                shown = shown or interface_of(task)
                yield Fact(at, change)


def _interface_changes(
    task: Mapping[str, Any], shown: str, addresses: dict[str, str], made_up: Iterator[str]
) -> Iterator[Change]:
    interface = _interface(task)
    if interface is None:
        return
    if task.get("lastStatus") == "STOPPED":
        if shown:
            yield InterfaceGone(interface.id)
    elif not shown:
        yield InterfaceShown(interface)
        if task.get("launchType") != "EC2":  # there a task's interface never has a public address
            yield AddressShown(interface.id, addresses.get(interface.id) or next(made_up))


def _interface(task: Mapping[str, Any]) -> Interface | None:
    for attachment in task["attachments"]:
        items = _objects_in(attachment, "details", str(task.get("taskArn")))
        details = {str(item.get("name")): str(item.get("value")) for item in items}
        if "networkInterfaceId" in details and "privateIPv4Address" in details:
            private_ip = details["privateIPv4Address"]
            return Interface(
                details["networkInterfaceId"],
                details.get("subnetId", "subnet-unknown"),
                details.get("macAddress", ""),
                details.get("privateDnsName", f"ip-{private_ip.replace('.', '-')}.ec2.internal"),
                private_ip,
                str(task.get("availabilityZone", "us-east-1a")),
            )
    return None


def _objects_in(holder: Mapping[str, Any], name: str, task: str) -> list[Mapping[str, Any]]:
    found = holder.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise RecordingError(f"{task}: {name} is not a list of objects")
    return found


def _as_described(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The task of an event as DescribeTasks shows it."""
    task = {name: value for name, value in detail.items() if name != "updatedAt"}
    for name in TIMES:
        if isinstance(task.get(name), str):
            task[name] = _epoch(task[name], f"{detail['taskArn']}: {name}")
    task["attachments"] = [
        {**attachment, "type": "ElasticNetworkInterface"}
        for attachment in _objects_in(detail, "attachments", detail["taskArn"])
        if attachment.get("type") != "elb"  # seen in events alone
    ]
    return task
