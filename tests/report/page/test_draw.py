"""From observations to the picture of them: what is a bar, what a mark, and what leads to what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.report.page.draw import MOST_ROWS, draw
from sandbox.report.page.picture import Arrow, Bar, Mark, Row
from sandbox.timeline import Observation

TASK = "arn:aws:ecs:us-east-1:123456789012:task/blog/" + "a" * 32
NAME = "ghost aaaaaaaa"


def seen(at, kind, **fields):
    return Observation(at, kind, fields)


def state(at, status, desired="RUNNING", task=TASK, **more):
    fields = {"task": task, "group": "service:ghost", "last_status": status, "desired_status": desired, "version": 1}
    return seen(at, "task.state", **{**fields, "public_ip": "", "stop_code": "", "stopped_reason": "", **more})


def rows(title, *observations):
    return {row.name: row for lane in draw(observations).lanes if lane.title == title for row in lane.rows}


def test_nothing_seen_is_an_empty_picture():
    assert draw([]).lanes == ()


def test_a_task_from_its_begin_to_its_end():
    row = rows(
        "Tasks",
        state(1, "PROVISIONING"),
        state(2, "PENDING"),
        state(3, "RUNNING", public_ip="198.51.100.7"),
        state(3.5, "RUNNING", public_ip="198.51.100.7"),
        state(5, "RUNNING", "STOPPED"),
        seen(6, "container.exited", task=TASK, container="nginx", exit_code=1, log=["out of files"]),
        state(7, "STOPPING", "STOPPED"),
        state(8, "STOPPED", "STOPPED", stop_code="EssentialContainerExited", stopped_reason="Essential container"),
        seen(9, "page.title", url="/", title="t"),
    )[NAME]
    assert row.bars == (
        Bar(1, 2, "wait", "PROVISIONING"),
        Bar(2, 3, "wait", "PENDING"),
        Bar(3, 5, "good", "RUNNING", "at 198.51.100.7"),
        Bar(5, 7, "going", "RUNNING, to stop"),
        Bar(7, 8, "going", "STOPPING"),
    )
    assert row.marks == (
        Mark(6, "bad", "container nginx exited with code 1"),
        Mark(8, "bad", "STOPPED EssentialContainerExited Essential container"),
    )


def test_what_still_is_lasts_until_the_end():
    assert rows("Tasks", state(1, "RUNNING"), seen(9, "eni.association", interface="e", public_ip="x"))[NAME].bars == (
        Bar(1, 9, "good", "RUNNING"),
    )


def test_targets():
    def health(at, state, **why):
        fields = {"group": "shop", "target": "10.0.0.4:80", "state": state, "reason": "", "description": ""}
        return seen(at, "target.health", **{**fields, **why})

    row = rows(
        "Targets",
        health(1, "initial"),
        health(2, "healthy"),
        health(3, "unhealthy", reason="Target.Timeout", description="Request timed out"),
        health(4, "draining"),
        health(5, "unused"),
        seen(9, "page.title", url="/", title="t"),
    )["shop 10.0.0.4:80"]
    assert [(bar.begin, bar.end, bar.tone, bar.label) for bar in row.bars] == [
        (1, 2, "wait", "initial"),
        (2, 3, "good", "healthy"),
        (3, 4, "bad", "unhealthy"),
        (4, 5, "going", "draining"),
    ]
    assert row.bars[2].text == "Target.Timeout Request timed out"


def change(at, new, kind="A"):
    return seen(at, "dns.change", zone="e", name="b.e", type=kind, set_identifier=None, old=None, new=new, ttl=60)


def test_records_are_bars_and_answers_marks():
    row = rows(
        "DNS",
        change(1, ["a.ns."], "NS"),
        change(1, ["198.51.100.1"]),
        seen(2, "dns.probe", name="b.e", type="A", rcode="NOERROR", answers=["198.51.100.1"]),
        change(3, None),
        seen(4, "dns.probe", name="b.e", type="A", rcode="NXDOMAIN", answers=[]),
    )
    assert row == {
        "b.e A": Row(
            "b.e A",
            (Bar(1, 3, "plain", "198.51.100.1", "TTL 60 s"),),
            (Mark(2, "good", "asked: 198.51.100.1"), Mark(4, "bad", "asked: NXDOMAIN")),
        )
    }


def answer(at, status):
    fields = {"url": "http://b.e/x", "status": status, "remote_ip": "", "seconds": 0.1}
    return seen(at, "http.response", **fields, error="" if status else "timed out")


def test_requests_by_outcome():
    marks = rows("Requests", answer(1, 200), answer(2, 404), answer(3, 503), answer(4, 0))["viewer of b.e"].marks
    assert [(mark.tone, mark.label) for mark in marks] == [
        ("good", "GET /x: HTTP 200"),
        ("going", "GET /x: HTTP 404"),
        ("bad", "GET /x: HTTP 503"),
        ("bad", "GET /x: timed out"),
    ]


def test_many_requests_are_counted():
    row = rows("Requests", *(answer(float(at), 503 if at % 4 == 0 else 200) for at in range(200)))["viewer of b.e"]
    assert not row.marks
    assert sum(tone == "bad" for _, tone in row.counts) == 50


EVENT = "6f1e"


def published(at):
    return seen(
        at,
        "event.published",
        id=EVENT,
        source="aws.ecs",
        detail_type="ECS Task State Change",
        rules=["r"],
        taskArn=TASK,
        version=1,
        lastStatus="RUNNING",
        desiredStatus="RUNNING",
    )


def invocation(at, seconds=1.0, payload=f'{{"id": "{EVENT}"}}', function="dns"):
    fields = {"request_id": "q", "trigger": "events:r", "attempt": 1, "status": "Success", "error": None, "log": []}
    return seen(at, "lambda.invocation", function=function, duration_ms=1000 * seconds, payload=payload, **fields)


def test_arrows_lead_from_the_task_to_the_record():
    picture = draw([state(1, "RUNNING"), published(1.1), change(2.5, ["198.51.100.1"]), invocation(3)])
    event, function = ("Events", "ECS Task State Change"), ("Functions", "dns")
    assert picture.arrows == (
        Arrow(("Tasks", NAME, 1.1), (*event, 1.1)),
        Arrow((*event, 1.1), (*function, 2.0)),
        Arrow((*function, 2.5), ("DNS", "b.e A", 2.5)),
    )


def test_a_change_while_two_functions_run_is_nobodys():
    both = [change(2.5, ["198.51.100.1"]), invocation(3), invocation(3.2, function="other")]
    assert draw(both).arrows == ()


def test_what_is_unknown_is_shown_all_the_same():
    (mark,) = rows("Other observations", seen(1, "roll.measured", broken=3))["roll.measured"].marks
    assert mark == Mark(1, "plain", "broken=3")


def test_rows_that_there_is_no_room_for_are_counted():
    many = [state(float(n), "RUNNING", task=f"arn:x:task/blog/{n:032}") for n in range(MOST_ROWS + 5)]
    (lane,) = (lane for lane in draw(many).lanes if lane.title == "Tasks")
    assert (len(lane.rows), lane.left_out) == (MOST_ROWS, 5)


STATUSES = ("PROVISIONING", "RUNNING", "STOPPING", "STOPPED")


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(STATUSES), st.floats(0, 100)), min_size=1))
def test_bars_of_a_row_follow_one_another(told):
    picture = draw(
        [
            state(at, status, task=f"arn:x:task/b/{task:032}")
            for (task, status, _), at in zip(told, sorted(at for _, _, at in told), strict=True)
        ]
    )
    for lane in picture.lanes:
        for row in lane.rows:
            for before, after in zip(row.bars, row.bars[1:], strict=False):
                assert before.end <= after.begin
            for bar in row.bars:
                assert picture.begin <= bar.begin <= bar.end <= picture.end


@pytest.mark.parametrize("title", ["Tasks", "Events"])
def test_lanes_without_rows_are_left_out(title):
    assert title not in [lane.title for lane in draw([answer(1, 200)]).lanes]


def test_a_window_shows_what_is_not_over_by_its_begin_until_its_end():
    observations = [
        state(1, "RUNNING", task="t/old"),
        state(2, "STOPPED", "STOPPED", task="t/old"),
        state(3, "RUNNING", task="t/new"),
        change(4, ["198.51.100.1"]),
        seen(5, "page.title", url="/", title="before"),
        seen(50, "page.title", url="/", title="within"),
    ]
    picture = draw(observations, (40, 60))
    shown = {row.name: row for lane in picture.lanes for row in lane.rows}
    assert (picture.begin, picture.end) == (40, 60)
    assert shown["ghost new"].bars == (Bar(40, 60, "good", "RUNNING"),)
    assert shown["b.e A"].bars == (Bar(40, 60, "plain", "198.51.100.1", "TTL 60 s"),)
    assert [mark.at for mark in shown["page.title"].marks] == [50]
    assert "ghost old" not in shown


def test_a_window_shows_the_newest_rows():
    many = [state(n, "RUNNING", task=f"t/{n:08}") for n in range(MOST_ROWS + 3)]
    (lane,) = draw(many, (0, 100)).lanes
    assert (lane.left_out, lane.rows[-1].name) == (3, f"ghost {MOST_ROWS + 2:08}")
    (lane,) = draw(many).lanes
    assert (lane.left_out, lane.rows[0].name) == (3, f"ghost {0:08}")
