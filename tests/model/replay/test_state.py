"""The invariants that come with the sandbox."""

from __future__ import annotations

import pytest

from sandbox.model.replay.state import State, check, no_event_lost, record_points_at_running_task
from sandbox.model.route53 import HostedZone, RecordSet

ENI = {"type": "ElasticNetworkInterface", "details": [{"name": "networkInterfaceId", "value": "eni-1"}]}
RUNNING = {"taskArn": "arn:1", "group": "service:web", "lastStatus": "RUNNING", "desiredStatus": "RUNNING"}
TASK = {**RUNNING, "attachments": [ENI]}


def state(*values: str, task: dict[str, object] | None = TASK, name: str = "blog.example.com") -> State:
    record_sets = (RecordSet(f"{name}.", "A", 10, values),) if values else ()
    return State(
        0.0,
        (HostedZone("Z", "example.com.", record_sets=record_sets),),
        [task] if task else [],
        private_ips={"eni-1": "10.0.0.9"},
        public_ips={"eni-1": "192.0.2.1"},
    )


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (state("192.0.2.1"), ""),
        (state("10.0.0.9"), ""),
        (state("192.0.2.2"), "blog.example.com is 192.0.2.2; running: 192.0.2.1"),
        (state("192.0.2.1", "192.0.2.2"), "blog.example.com is 192.0.2.2; running: 192.0.2.1"),
        (state(), "there is no A record while a task runs at 192.0.2.1"),
        (state(task=None), ""),
        (state("192.0.2.2", task={**TASK, "desiredStatus": "STOPPED"}), ""),
        (state("192.0.2.2", task={**TASK, "lastStatus": "PENDING"}), ""),
    ],
)
def test_the_record_points_at_a_running_task(seen, wrong):
    assert check(record_points_at_running_task(), seen) == wrong


def test_name_zone_and_group_are_chosen():
    elsewhere = state("192.0.2.2", name="static.example.com")
    assert check(record_points_at_running_task("blog.example.com."), elsewhere).startswith("blog.example.com has no")
    assert check(record_points_at_running_task("static.example.com", "example.org"), elsewhere)
    assert check(record_points_at_running_task(group="service:other"), elsewhere) == ""


def test_an_event_that_is_given_up_is_lost():
    assert check(no_event_lost(), state()) == ""
    assert check(no_event_lost(), State(0.0, lost=["KeyError: 'x'"])) == "1 of the events were lost: KeyError: 'x'"


def test_an_invariant_answers_or_asserts():
    def asserts(state: State) -> None:
        assert state.zones, "no zones"

    assert check(lambda state: False, state()) == "the invariant says no"
    assert check(lambda state: True, state()) == ""
    assert check(asserts, state()) == ""
    assert check(asserts, State(0.0)).startswith("no zones")
    assert state("192.0.2.1").record("BLOG.example.com") == ["192.0.2.1"]
    assert state().record("blog.example.com") is None
