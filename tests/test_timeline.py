"""What happened, in order, and waiting for it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from sandbox.clock import VirtualClock
from sandbox.errors import SandboxError
from sandbox.timeline import CUT_AT, Observation, Timeline
from tests.room import room_for


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(100.0)


@pytest.fixture
def timeline(clock: VirtualClock) -> Timeline:
    return Timeline(clock)


def is_kind(kind: str):  # type: ignore[no-untyped-def]
    return lambda seen: seen.kind == kind


def test_observations_are_kept_in_order(timeline: Timeline, clock: VirtualClock) -> None:
    first = timeline.record("task.state", task="t", version=1)
    clock.advance(2.0)
    mark = timeline.mark()
    second = timeline.record("dns.change", name="blog.example.com")
    assert timeline.since() == (first, second)
    assert timeline.since(mark) == (second,)
    assert (first.at, second.at) == (100.0, 102.0)
    assert (first["task"], first.get("x"), first.get("x", 1)) == ("t", None, 1)
    assert str(first) == "task.state task=t version=1"
    with pytest.raises(KeyError):
        first["x"]


def test_long_values_are_cut_where_a_person_reads_them(timeline: Timeline) -> None:
    observation = timeline.record("lambda.invocation", payload="x" * 1000, status="Success")
    assert str(observation) == f"lambda.invocation payload={'x' * CUT_AT}... status=Success"
    assert observation["payload"] == "x" * 1000


def test_the_file_has_one_json_object_a_line(clock: VirtualClock, tmp_path: Path) -> None:
    file = tmp_path / "timeline.jsonl"
    timeline = Timeline(clock, file)
    timeline.record("http.response", status=200, url="http://a/")
    timeline.record("odd", path=tmp_path)
    lines = [json.loads(line) for line in file.read_text().splitlines()]  # before it is closed
    assert lines == [
        {"at": 100.0, "kind": "http.response", "status": 200, "url": "http://a/"},
        {"at": 100.0, "kind": "odd", "path": str(tmp_path)},
    ]
    timeline.close()
    timeline.record("later")
    timeline.close()
    assert len(file.read_text().splitlines()) == 2
    assert len(timeline.since()) == 3


def test_a_file_that_can_hold_no_more_ends_with_a_whole_line(clock: VirtualClock, tmp_path: Path) -> None:
    file = tmp_path / "timeline.jsonl"
    timeline = Timeline(clock, file)
    timeline.record("first")
    assert timeline.unwritten is None
    with room_for(file.stat().st_size + 30):
        timeline.record("second", text="x" * 100)  # 30 of its bytes are written before there is no more room
    timeline.record("third")
    assert [json.loads(line)["kind"] for line in file.read_text().splitlines()] == ["first"]
    assert file.read_text().endswith("\n")
    assert [seen.kind for seen in timeline.since()] == ["first", "second", "third"]
    assert timeline.unwritten is not None
    assert str(file) in timeline.unwritten.message
    timeline.close()


def test_a_file_that_cannot_be_opened_is_named(clock: VirtualClock, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="the timeline cannot be written to") as caught:
        Timeline(clock, tmp_path)
    assert (caught.value.state, str(tmp_path) in caught.value.message) == ("Is a directory", True)


def test_subscribers_are_told_until_they_end_it(timeline: Timeline) -> None:
    told: list[str] = []
    end = timeline.subscribe(lambda seen: told.append(seen.kind))
    timeline.record("a")
    end()
    timeline.record("b")
    end()  # again does no harm
    assert told == ["a"]


def test_a_subscriber_may_record(timeline: Timeline) -> None:
    timeline.subscribe(lambda seen: timeline.record("b") if seen.kind == "a" else None)  # type: ignore[arg-type,return-value]
    timeline.record("a")
    assert [seen.kind for seen in timeline.since()] == ["a", "b"]


def test_waiting_finds_what_is_past(timeline: Timeline) -> None:
    old = timeline.record("a", n=1)
    mark = timeline.mark()
    new = timeline.record("a", n=2)
    assert timeline.wait_for("a", is_kind("a"), within=0) is old
    assert timeline.wait_for("a", is_kind("a"), within=0, since=mark) is new


def test_waiting_is_woken(timeline: Timeline) -> None:
    found: list[Observation] = []
    waiter = threading.Thread(target=lambda: found.append(timeline.wait_for("b", is_kind("b"), within=10)))
    waiter.start()
    timeline.record("a")
    wanted = timeline.record("b")
    waiter.join(5.0)
    assert found == [wanted]


def test_waiting_in_vain_says_for_what_and_shows_the_last(timeline: Timeline) -> None:
    for number in range(10):
        timeline.record("dns.change", n=number)
    began = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        timeline.wait_for("the task to run", is_kind("task.state"), within=0.05)
    assert 0.05 <= time.monotonic() - began < 5.0
    error = caught.value
    assert error.message == "waited 0.05 s for the task to run; it did not come"
    assert error.state == "dns.change n=9"
    assert error.log == tuple(f"dns.change n={number}" for number in range(2, 10))
    assert error.hint


def test_waiting_where_nothing_was_observed(timeline: Timeline) -> None:
    with pytest.raises(SandboxError) as caught:
        timeline.wait_for("anything", lambda seen: True, within=0)
    assert caught.value.state == "nothing was observed"


def test_abort_ends_every_wait(timeline: Timeline) -> None:
    gone = SandboxError("the engine is gone")
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            timeline.wait_for("anything", is_kind("never"), within=10)
        except SandboxError as error:
            caught.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    timeline.abort(gone)
    timeline.abort(SandboxError("a second reason"))
    waiter.join(5.0)
    assert caught == [gone]
    with pytest.raises(SandboxError, match="the engine is gone"):
        timeline.wait_for("anything", is_kind("never"), within=10)


def test_what_has_happened_is_found_after_abort_too(timeline: Timeline) -> None:
    seen = timeline.record("a")
    timeline.abort(SandboxError("the engine is gone"))
    assert timeline.wait_for("a", is_kind("a"), within=0) is seen


def test_many_threads(timeline: Timeline, clock: VirtualClock) -> None:
    def work(name: int) -> None:
        for number in range(200):
            timeline.record("n", thread=name, n=number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in range(4):
        assert [seen["n"] for seen in timeline.since() if seen["thread"] == name] == list(range(200))


def test_what_is_forgotten_is_gone(timeline: Timeline) -> None:
    timeline.record("a.b")
    timeline.forget()
    assert (timeline.since(), timeline.mark()) == ((), 0)
    timeline.record("c.d")
    assert [seen.kind for seen in timeline.since()] == ["c.d"]
