"""From observations to what is known: the newest of each thing, in whatever order they come; and nothing breaks it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sandbox.live import state as module
from sandbox.live.state import Container, Fault, RecordSet, Register, State, Target
from sandbox.timeline import Observation
from tests.live.seen import NEW, OLD, STORY, arn, container, fault, health, seen, task


def after(*observations):
    state = State()
    for one in observations:
        state.see(one)
    return state


def known(state):
    return {
        name: sorted(map(repr, register.items())) for name, register in vars(state).items() if name != "containers"
    } | {"containers": sorted(map(repr, state.containers.items()))}


def test_a_story_ends_with_what_is_there():
    state = after(*STORY)
    assert {one.id: (one.last_status, one.why) for one in state.tasks.values()} == {
        OLD[:8]: ("STOPPED", "EssentialContainerExited"),
        NEW[:8]: ("RUNNING", ""),
    }
    new = state.tasks.get(arn(NEW))
    assert new is not None
    assert (new.cluster, new.containers) == ("shop", (Container("nginx", "RUNNING"),))
    assert state.targets.values() == [Target("web", "10.0.0.5:80", "healthy")]
    assert state.containers.get((arn(OLD), "nginx")).text == "exited with code 137"
    assert state.addresses.get("10.0.0.4") == arn(OLD)
    assert [one.name for one in state.balancers.values()] == ["front"]
    assert [one.origins for one in state.distributions.values()] == [("front-1.elb.amazonaws.com",)]
    assert state.services.get(("shop", "web")).text == "has reached a steady state."
    assert state.faults.values() == []
    assert state.records.items() == [(("www.example.com", "A", ""), None)]


def test_an_older_version_of_a_task_changes_nothing():
    state = after(task(5, OLD, "RUNNING", version=3))
    assert not state.see(task(6, OLD, "PENDING", version=2))
    assert state.tasks.get(arn(OLD)).last_status == "RUNNING"


def test_what_is_told_twice_is_no_news():
    state = State()
    assert state.see(health(1, "healthy"))
    assert not state.see(health(1, "healthy"))


def test_a_fault_that_has_ended_before_its_begin_is_told_does_not_come_back():
    assert after(fault(2, 7, ended=True), fault(1, 7)).faults.values() == []
    assert after(fault(1, 7)).faults.values() == [Fault(7, "latency", "service:web", (("milliseconds", "200"),))]


def test_record_sets_of_a_name_are_told_apart():
    both = [
        seen(n, "dns.change", zone="z", name="a.z", type="A", set_identifier=who, old=None, new=[ip], ttl=5)
        for n, (who, ip) in enumerate((("one", "10.0.0.1"), ("two", "10.0.0.2")))
    ]
    assert after(*both).records.values() == [
        RecordSet("a.z", "A", ("10.0.0.1",), 5),
        RecordSet("a.z", "A", ("10.0.0.2",), 5),
    ]


def test_ports_of_an_instance_and_the_instance_of_a_task():
    state = after(
        seen(1, "instance.launched", instance="i-1", type="t3.small", address="10.0.0.9"),
        seen(
            2,
            "instance.state",
            container_instance="arn:ci",
            instance="i-1",
            status="ACTIVE",
            agent_connected=True,
            version=1,
        ),
        task(3, OLD, "RUNNING", container_instance="arn:ci", containers=[container("web", host_ports=[32768])]),
    )
    assert state.tasks.get(arn(OLD)).containers[0].host_ports == (32768,)
    assert state.agents.get("arn:ci").instance == "i-1"
    state.see(seen(4, "instance.dropped", instance="i-1"))
    assert state.machines.values() == []


@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=8))
def test_neither_order_nor_duplicates_decide(order, again):
    assert known(after(*order, *again)) == known(after(*STORY))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({name for one in STORY for name in one.fields} | {"instance", "container_instance", "agent_connected"})


@given(
    st.lists(
        st.builds(
            Observation,
            st.floats(),
            st.sampled_from(sorted(module._TOLD)) | st.text(max_size=8),
            st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
        ),
        max_size=10,
    )
)
def test_whatever_is_told_is_taken_or_ignored(observations):
    state = after(*STORY)
    for one in observations:
        assert state.see(one) in {True, False}


@given(st.sampled_from(STORY), st.sampled_from(FIELDS), JSON)
def test_a_field_that_is_something_else_breaks_nothing(one, field, value):
    after(*STORY).see(Observation(20.0, one.kind, {**one.fields, field: value}))


def test_there_is_no_end_of_memory():
    register: Register[int, str] = Register(lambda value: value == "over")
    numbers = list(range(5000))
    random.Random(7).shuffle(numbers)
    for number in numbers:
        register.tell(number, (0.0, float(number)), "over" if number % 2 else "there")
    assert len(register.items()) <= module.MOST
    assert register.get(4998) == "there"
    kept = {number for number, value in register.items() if value == "there"}
    assert len(kept) > module.MOST // 2, "what is over goes first"
