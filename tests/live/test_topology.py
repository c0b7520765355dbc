"""From what is known to what is drawn: who leads to whom, how it looks, and what there are buttons for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.live.nodes import Answered
from sandbox.live.state import State
from sandbox.live.topology import MOST_NODES, STOPPED_FOR, topology
from tests.live.seen import (
    NEW,
    OLD,
    STORY,
    arn,
    balancer,
    change,
    container,
    distribution,
    fault,
    health,
    running,
    seen,
    task,
)

NOWHERE = Answered("NXDOMAIN", (), False)


def drawn(*observations, now=20.0, answers=None):
    state = State()
    for one in observations:
        state.see(one)
    return topology(state, lambda name, kind: (answers or {}).get((name, kind), NOWHERE), now)


def nodes(*observations, **options):
    return {node.id: node for node in drawn(*observations, **options).nodes()}


def on_the_internet(*values):
    return Answered("NOERROR", values, True)


def test_from_viewers_to_containers():
    found = nodes(*STORY[:8], answers={("www.example.com", "A"): on_the_internet("198.51.100.30")})
    path = ["viewers"]
    while found[path[-1]].leads_to:
        (following,) = found[path[-1]].leads_to
        path.append(following)
        if following.startswith("group:"):
            path.append(found[following].inside[0].id)
    expected = ["viewers", "name:www.example.com", "distribution:E1", "balancer:front", "group:web"]
    assert path == [*expected, "target:web/10.0.0.4:80", f"task:{arn(OLD)}"]
    assert [one.title for one in found[f"task:{arn(OLD)}"].inside] == ["nginx"]
    assert found["group:web"].state == "1 of 1 healthy"
    assert found["service:shop/web"].lines == ("service in shop", "has reached a steady state.")


def test_a_name_says_what_is_in_the_zone_and_what_is_answered():
    asked = {("web.example.com", "A"): on_the_internet("198.51.100.8", "198.51.100.7")}
    node = nodes(change(1, "web.example.com", ["198.51.100.7"]), answers=asked)["name:web.example.com"]
    assert node.lines == ("A: 198.51.100.7, TTL 60 s", "answers now: 198.51.100.7, 198.51.100.8")
    assert (node.state, node.tone) == ("", "good")


def test_a_name_that_was_deleted():
    node = nodes(change(1, "web.example.com", ["10.0.0.4"]), change(2, "web.example.com", None))["name:web.example.com"]
    assert node.lines == ("A: no record", "answers now: NXDOMAIN")
    assert node.tone == "bad"


def test_a_name_that_leads_to_a_dead_task_says_so():
    stack = (change(1, "web.local", ["10.0.0.4"]), running(2, OLD, "10.0.0.4"))
    asked = {("web.local", "A"): Answered("NOERROR", ("10.0.0.4",), False)}
    alive = nodes(*stack, answers=asked)["name:web.local"]
    assert (alive.state, alive.tone, alive.leads_to) == ("private", "good", (f"task:{arn(OLD)}",))
    dead = nodes(*stack, task(3, OLD, "STOPPED", "STOPPED", 2), answers=asked)["name:web.local"]
    assert (dead.tone, dead.lines[-1]) == ("bad", f"10.0.0.4 was task {OLD[:8]}, STOPPED")


def test_viewers_reach_what_no_name_leads_to():
    assert nodes(balancer(1))["viewers"].leads_to == ("balancer:front",)
    assert nodes(balancer(1), distribution(2))["viewers"].leads_to == ("distribution:E1",)


def test_srv_records_and_instances_with_their_ports():
    agent = {"container_instance": "arn:ci", "instance": "i-1", "status": "ACTIVE", "agent_connected": True}
    found = nodes(
        seen(1, "instance.launched", instance="i-1", type="t3.small", address="10.0.0.9"),
        seen(2, "instance.state", **agent, version=1),
        task(3, OLD, "RUNNING", container_instance="arn:ci", containers=[container("web", host_ports=[32768])]),
        task(4, NEW, "RUNNING", container_instance="arn:ci", containers=[container("web", host_ports=[32769])]),
        change(5, "i.back.local", ["10.0.0.9"]),
        change(6, "back.local", ["1 1 32768 i.back.local"], "SRV"),
        health(7, "healthy", "i-1:32769"),
    )
    assert found["name:back.local"].leads_to == ("name:i.back.local",)
    assert found["name:i.back.local"].leads_to == ("instance:i-1",)
    assert found["target:web/i-1:32769"].leads_to == (f"task:{arn(NEW)}",)
    assert found[f"task:{arn(OLD)}"].leads_to == ("instance:i-1",)
    assert found["instance:i-1"].lines == ("t3.small 10.0.0.9",)


@pytest.mark.parametrize(
    ("last", "desired", "tone", "label"),
    [
        ("PENDING", "RUNNING", "wait", "PENDING"),
        ("RUNNING", "RUNNING", "good", "RUNNING"),
        ("RUNNING", "STOPPED", "going", "RUNNING, to stop"),
        ("STOPPED", "STOPPED", "going", "STOPPED"),
    ],
)
def test_how_a_task_looks(last, desired, tone, label):
    node = nodes(task(1, OLD, last, desired))[f"task:{arn(OLD)}"]
    assert (node.tone, node.state) == (tone, label)


def test_a_stopped_task_is_shown_for_a_while():
    stopped = task(1, OLD, "STOPPED", "STOPPED", stopped_reason="Task stopped")
    assert "Task stopped" in nodes(stopped, now=2.0)[f"task:{arn(OLD)}"].lines
    assert f"task:{arn(OLD)}" not in nodes(stopped, now=2.0 + STOPPED_FOR)


def test_a_container_with_its_health_and_its_end():
    sick = [container("web", health="UNHEALTHY")]
    node = nodes(task(1, OLD, "RUNNING", containers=sick))[f"container:{arn(OLD)}/web"]
    assert (node.state, node.tone) == ("RUNNING, UNHEALTHY", "bad")
    exited = seen(2, "container.exited", task=arn(OLD), container="web", exit_code=1, log=[])
    node = nodes(task(1, OLD, "RUNNING", containers=[container("web", "STOPPED")]), exited)[f"container:{arn(OLD)}/web"]
    assert (node.lines, node.tone) == (("exited with code 1",), "bad")


def actions(node):
    return {action.label: (action.verb, dict(action.order)) for action in node.actions}


def test_the_buttons():
    found = nodes(
        running(1, OLD, "10.0.0.4", capacity_provider="FARGATE_SPOT"),
        balancer(2, listeners=[8080]),
        health(3, "healthy", "10.0.0.4:3000"),
    )
    assert actions(found["service:shop/web"]) == {
        "Deploy": ("deploy", {"cluster": "shop", "service": "web"}),
        "Block a port": ("", {"name": "port-closed", "target": "service:web", "options": {"port": 3000}}),
        "Add latency": ("", {"name": "latency", "target": "service:web", "options": {}}),
    }
    assert actions(found[f"task:{arn(OLD)}"]) == {
        "Stop": ("stop", {"cluster": "shop", "task": arn(OLD)}),
        "Interrupt": ("interrupt", {"task": arn(OLD)}),
    }
    assert actions(found["balancer:front"])["Block a port"][1]["options"] == {"port": 8080}
    assert json.loads(found["balancer:front"].actions[0].as_json)["target"] == "balancer:front"
    stopping = nodes(task(1, OLD, "RUNNING", "STOPPED", capacity_provider="FARGATE_SPOT"))
    assert stopping[f"task:{arn(OLD)}"].actions == ()


def test_what_has_a_fault_says_so():
    stack = (running(1, OLD, "10.0.0.4"), fault(2, 1))
    assert nodes(*stack)["service:shop/web"].lines == ("service in shop", "fault 1: latency")
    assert nodes(*stack, fault(3, 1, ended=True))["service:shop/web"].lines == ("service in shop",)


def test_what_faults_can_be_put_into():
    assert drawn(*STORY[:6], fault(9, 1)).targets == (
        "service:web",
        "balancer:front",
        f"task:{OLD[:8]}",
        "name:www.example.com",
    )


def test_what_there_is_no_room_for_is_counted_and_nothing_leads_there():
    names = [change(n, f"n{n:03}.example.com", ["10.0.0.4"]) for n in range(MOST_NODES + 5)]
    made = drawn(*names, now=100.0, answers={(f"n{n:03}.example.com", "A"): on_the_internet("1") for n in range(99)})
    assert [(column.title, len(column.nodes), column.left_out) for column in made.columns] == [
        ("From", 1, 0),
        ("Names in DNS", MOST_NODES, 5),
    ]
    assert len(made.columns[0].nodes[0].leads_to) == MOST_NODES


@given(st.lists(st.sampled_from(STORY)), st.floats(0, 200))
def test_whatever_is_known_is_drawn_and_every_line_has_two_ends(observations, now):
    made = drawn(*observations, now=now)
    ids = [node.id for node in made.nodes()]
    assert len(ids) == len(set(ids))
    assert all(to in ids for node in made.nodes() for to in node.leads_to)
    assert all(made.titles[id_] for id_ in ids)
