"""Recordings: what is read, and what is worked out from them."""

from __future__ import annotations

import json

import pytest

from sandbox.model.replay.compose import Composer
from sandbox.model.replay.files import (
    Before,
    FormatError,
    is_recording,
    read_recording,
    read_state,
    write_recording,
)
from sandbox.model.replay.plan import Delivery, recorded_plan
from sandbox.model.replay.recording import RecordingError, read_events, recorded
from sandbox.model.replay.world import World, interface_of
from sandbox.model.route53 import HostedZone, RecordSet

COMPOSED = Composer().start().replace().recording()
EVENTS = [dict(one.event) for one in COMPOSED.events]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVENTS),
        json.dumps(EVENTS, indent=2),
        "\n".join(map(json.dumps, EVENTS)),
        "\n\n".join(map(json.dumps, EVENTS)) + "\n",
        "\n".join(json.dumps({"at": 1.0, "kind": "event.published", "event": event}) for event in EVENTS),
    ],
    ids=["array", "indented array", "lines", "lines with gaps", "timeline"],
)
def test_what_is_read(text):
    assert read_events(text) == (EVENTS, {})


def test_one_event_alone():
    assert read_events(json.dumps(EVENTS[0], indent=1)) == ([EVENTS[0]], {})


def test_a_timeline_tells_public_addresses():
    lines = [
        {"at": 1.0, "kind": "stack.call", "call": "ecs.create_cluster"},
        {"at": 2.0, "kind": "eni.association", "interface": "eni-1", "public_ip": "198.51.100.77"},
        {"at": 3.0, "kind": "event.published", "event": EVENTS[0]},
    ]
    assert read_events("\n".join(map(json.dumps, lines))) == ([EVENTS[0]], {"eni-1": "198.51.100.77"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no event"),
        ("nonsense", "line 1 is not JSON"),
        (json.dumps(EVENTS[0]) + "\n{oops}\n", "line 2 is not JSON"),
        ("[\n  {},\n  oops\n]", "line 3 is not JSON"),
        ("[]", "there is no event"),
        ("7", "has no detail"),
        ('{"source": "aws.ecs"}', "has no detail"),
        ('[{"detail": {}}, {"detail": "x"}]', "event 2 is not an event: it has no detail"),
        (json.dumps(EVENTS[0]) + '\n{"id": "1"}', "line 2 is not an event"),
        ('{"at": 1, "kind": "event.published"}', "has no detail"),
        ('{"at": 1, "kind": "stack.call"}', "there is no event"),
    ],
)
def test_what_is_no_recording(text, why):
    with pytest.raises(RecordingError, match=why):
        read_events(text)


def test_a_time_that_is_none():
    with pytest.raises(RecordingError, match="event 1: 'noon' is not a time"):
        recorded([{"detail": {}, "time": "noon"}])


def test_events_of_other_sources_are_only_told():
    recording = recorded([{"source": "mine", "detail": {"version": 1}, "time": "2026-01-01T00:00:00Z"}, {"detail": {}}])
    assert [one.at for one in recording.events] == [1767225600.0, 1767225600.0]
    assert recording.facts == ()


def test_what_is_worked_out_is_what_was():
    """From the events alone comes the world in which they were made, but for what makes no event."""
    worked_out, true = World(recorded(EVENTS).facts), World(COMPOSED.facts)
    for one in COMPOSED.events:
        worked_out.advance(one.at)
        true.advance(one.at)
        assert worked_out.interfaces == true.interfaces
        assert worked_out.public_ips == true.public_ips
        for arn, task in worked_out.tasks.items():
            expected = {**true.tasks[arn]}
            for name in ("tags", "healthStatus", "platformFamily"):  # in no event
                expected.pop(name)
            if expected["lastStatus"] == "STOPPING":
                expected["lastStatus"] = "RUNNING"
            assert {name: task[name] for name in ("lastStatus", "desiredStatus", "version", "group")} == {
                name: expected[name] for name in ("lastStatus", "desiredStatus", "version", "group")
            }
            assert task.keys() == expected.keys()
            assert [a["type"] for a in task["attachments"]] == ["ElasticNetworkInterface"]
            assert task["createdAt"] == pytest.approx(expected["createdAt"], abs=0.001)


def test_versions_decide_where_the_recording_is_out_of_order():
    world = World(recorded(reversed(EVENTS)).facts)
    world.advance(COMPOSED.events[-1].at)
    assert sorted(task["lastStatus"] for task in world.tasks.values()) == ["RUNNING", "STOPPED"]


def test_the_elb_attachment_is_in_the_event_alone():
    event = json.loads(json.dumps(EVENTS[2]))
    event["detail"]["attachments"].insert(0, {"id": "x", "type": "elb", "status": "ATTACHED", "details": []})
    world = World(recorded([event]).facts)
    world.advance(float("inf"))
    (task,) = world.tasks.values()
    assert [attachment["type"] for attachment in task["attachments"]] == ["ElasticNetworkInterface"]
    assert interface_of(task)


STATE = {
    "HostedZones": [
        {
            "Id": "/hostedzone/Z1",
            "Name": "example.com.",
            "ResourceRecordSets": [
                {"Name": "blog.example.com.", "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": "192.0.2.1"}]},
                {"Name": "www.example.com.", "Type": "A", "AliasTarget": {"DNSName": "blog.example.com."}},
            ],
        }
    ],
    "NetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-1",
            "SubnetId": "subnet-1",
            "PrivateIpAddress": "10.0.0.9",
            "Association": {"PublicIp": "192.0.2.1"},
        }
    ],
    "tasks": [{"taskArn": "arn:task", "lastStatus": "RUNNING", "startedAt": "2026-01-01T00:00:00+00:00"}],
    "services": [{"serviceArn": "arn:service", "serviceName": "web"}],
}


def test_a_state_is_in_the_words_of_aws_answers():
    before = read_state(STATE)
    assert before.zones[0].id == "Z1"
    assert before.zones[0].record_sets[0] == RecordSet("blog.example.com.", "A", 10, ("192.0.2.1",))
    assert before.public_ips() == {"eni-1": "192.0.2.1"}
    world = World(before.then(recorded([EVENTS[0]])).facts)
    world.advance(0.0)
    assert world.tasks["arn:task"]["startedAt"] == 1767225600.0
    assert world.interfaces["eni-1"].private_ip == "10.0.0.9"
    assert list(world.services) == ["arn:service"]


def test_what_the_state_knows_of_an_interface_counts():
    interface = interface_of(EVENTS[2]["detail"])
    known = {"NetworkInterfaceId": interface, "SubnetId": "s", "PrivateIpAddress": "10.9.9.9"}
    before = read_state({"NetworkInterfaces": [{**known, "Association": {"PublicIp": "192.0.2.5"}}]})
    world = World(before.then(recorded(EVENTS[:3])).facts)
    world.advance(float("inf"))
    assert world.interfaces[interface].private_ip == "10.9.9.9"
    assert world.public_ips[interface] == "192.0.2.5"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "it is not an object"),
        ({"hosted_zones": []}, "hosted_zones: known are"),
        ({"tasks": {}}, "tasks is not an array"),
        ({"tasks": [{}]}, r"tasks\[0\] has no taskArn"),
        ({"HostedZones": [{"Id": "Z"}]}, r"HostedZones\[0\] has no Name"),
        ({"NetworkInterfaces": ["eni-1"]}, r"NetworkInterfaces\[0\]"),
    ],
)
def test_what_is_no_state(content, why):
    with pytest.raises(FormatError, match=why):
        read_state(content)


def test_a_recording_comes_back_as_it_was_written():
    zones = read_state(STATE).zones
    recording = read_state(STATE).then(COMPOSED)
    plan = (*recorded_plan(recording), Delivery(0, 1.5), Delivery(1, lost=True))
    written = json.loads(json.dumps(write_recording(recording, plan, zones)))
    assert is_recording(written)
    assert read_recording(written) == (recording, plan, zones)
    assert read_recording(json.loads(json.dumps(write_recording(COMPOSED)))) == (COMPOSED, None, ())
    assert Before((HostedZone("Z", "example.com"),)).then(COMPOSED) == COMPOSED


@pytest.mark.parametrize("change", [{"version": 2}, {"facts": [{}]}, {"deliveries": [{"event": 99}]}])
def test_a_damaged_file_is_refused(change):
    with pytest.raises(FormatError):
        read_recording({**write_recording(COMPOSED), **change})
