"""Sequences that are composed on the ECS model."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import SEEN_2024
from sandbox.model.replay.compose import BEGIN, NAMED, Composer, Durations
from sandbox.model.replay.plan import Recording
from sandbox.model.replay.world import World, interface_of


def spelled(recording: Recording) -> list[str]:
    """``+20 a RUNNING v3``: seconds, the task by a letter, lastStatus, desiredStatus where it is STOPPED, version."""
    letters: dict[str, str] = {}
    lines = []
    for one in recording.events:
        detail = one.event["detail"]
        letter = letters.setdefault(detail["taskArn"], "abcdefgh"[len(letters)])
        desired = ">STOPPED" if detail["desiredStatus"] == "STOPPED" else ""
        lines.append(f"+{one.at - BEGIN:g} {letter} {detail['lastStatus']}{desired} v{detail['version']}")
    return lines


REPLACED = [
    "+0 a PROVISIONING v1",
    "+8 a PENDING v2",
    "+20 a RUNNING v3",
    "+120 a RUNNING>STOPPED v4",
    "+120 b PROVISIONING v1",
    "+128 b PENDING v2",
    "+140 b RUNNING v3",
    "+150 a DEPROVISIONING>STOPPED v5",
    "+160 a STOPPED>STOPPED v6",
]


def test_a_replacement_overlaps_with_what_it_replaces():
    assert spelled(Composer().start().replace().recording()) == REPLACED


def test_a_spot_interruption_is_told_at_once():
    recording = Composer().start().interrupt_spot().recording()
    assert spelled(recording) == REPLACED
    told = recording.events[3].event["detail"]
    assert (told["stopCode"], told["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")


def test_a_rolling_update_starts_before_it_stops():
    composer = Composer(service_events=True).start().rolling_update()
    recording = composer.recording()
    tasks = recording.matching(lambda event: event["detail-type"] == "ECS Task State Change")
    assert spelled(tasks)[3:] == [
        "+120 b PROVISIONING v1",
        "+128 b PENDING v2",
        "+140 b RUNNING v3",
        "+180 a RUNNING>STOPPED v4",
        "+210 a DEPROVISIONING>STOPPED v5",
        "+220 a STOPPED>STOPPED v6",
    ]
    assert tasks.events[5].event["detail"]["taskDefinitionArn"].endswith("task-definition/web:2")
    told = [one.event["detail"]["eventName"] for one in recording.events if one not in tasks.events]
    assert told.count("SERVICE_DEPLOYMENT_COMPLETED") == 2


def test_what_a_task_definition_needs_is_there():
    definition = {
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [
            {"name": "db", "image": "db:1", "healthCheck": {"command": ["CMD", "true"]}},
            {
                "name": "web",
                "image": "web:1",
                "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}],
                "secrets": [{"name": "KEY", "valueFrom": "key"}],
            },
        ],
    }
    recording = Composer(task_definition=definition).start().recording()
    assert spelled(recording)[-1] == "+37 a RUNNING v3"
    assert shown(recording, 37)[0][0] == "RUNNING"


def test_only_spot_is_interrupted():
    with pytest.raises(EcsError):
        Composer(capacity_provider="FARGATE").start().interrupt_spot()


def test_a_service_stops_and_scales():
    assert spelled(NAMED["stop"](Composer()).recording())[-1] == "+160 a STOPPED>STOPPED v6"
    scaled = spelled(Composer().start().scale(3).recording())
    assert [line for line in scaled if " RUNNING " in line] == [
        "+20 a RUNNING v3",
        "+140 b RUNNING v3",
        "+140 c RUNNING v3",
    ]


def test_a_rolling_update_stops_the_old_task_when_the_new_one_counts_as_healthy():
    assert spelled(Composer().start().rolling_update().recording())[3:] == [
        "+120 b PROVISIONING v1",
        "+128 b PENDING v2",
        "+140 b RUNNING v3",
        "+180 a RUNNING>STOPPED v4",
        "+210 a DEPROVISIONING>STOPPED v5",
        "+220 a STOPPED>STOPPED v6",
    ]


def test_activating_and_deactivating_are_told_in_between():
    assert spelled(Composer(activating=True).start().stop().recording()) == [
        "+0 a PROVISIONING v1",
        "+8 a PENDING v2",
        "+20 a ACTIVATING v3",
        "+22 a RUNNING v4",
        "+122 a RUNNING>STOPPED v5",
        "+122 a DEACTIVATING>STOPPED v6",
        "+152 a DEPROVISIONING>STOPPED v7",
        "+162 a STOPPED>STOPPED v8",
    ]


def test_the_shape_of_attachments_is_chosen():
    running = Composer(shape=SEEN_2024).start().recording().events[2].event["detail"]
    assert [attachment["type"] for attachment in running["attachments"]] == ["elb", "eni"]
    assert "privateDnsName" in [item["name"] for item in running["attachments"][1]["details"]]


def test_the_same_seed_gives_the_same_events():
    first, second, other = (Composer(seed=seed).start().recording() for seed in (1, 1, 2))
    assert first == second
    assert first.events[0].event["id"] != other.events[0].event["id"]


def shown(recording: Recording, seconds: float) -> list[tuple[str, str, str]]:
    """Each task as DescribeTasks shows it then: lastStatus, desiredStatus and its public address."""
    world = World(recording.facts)
    world.advance(BEGIN + seconds)
    return [
        (task["lastStatus"], task["desiredStatus"], world.public_ips.get(interface_of(task), ""))
        for task in world.tasks.values()
    ]


def test_the_world_is_true_at_each_moment():
    recording = Composer().start().replace().recording()
    assert shown(recording, 7.9) == [("PROVISIONING", "RUNNING", "")]
    assert shown(recording, 20) == [("RUNNING", "RUNNING", "198.51.100.10")]
    assert shown(recording, 140) == [("STOPPING", "STOPPED", "198.51.100.10"), ("RUNNING", "RUNNING", "198.51.100.11")]
    assert shown(recording, 160) == [("STOPPED", "STOPPED", ""), ("RUNNING", "RUNNING", "198.51.100.11")]


def test_the_public_address_may_be_late():
    recording = Composer(durations=Durations(association=15)).start().recording()
    assert shown(recording, 20) == [("RUNNING", "RUNNING", "")]
    assert shown(recording, 23) == [("RUNNING", "RUNNING", "198.51.100.10")]


def test_a_world_in_steps_is_the_world_at_once():
    recording = Composer(count=3).start().replace().recording()
    steps, at_once = World(recording.facts), World(recording.facts)
    changes: list[Any] = []
    for second in range(0, 300, 7):
        changes += steps.advance(BEGIN + second)
    assert changes == at_once.advance(BEGIN + 294)
    assert (steps.tasks, steps.interfaces, steps.public_ips) == (at_once.tasks, at_once.interfaces, at_once.public_ips)
    assert not steps.is_due(BEGIN + 10_000)
