from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.eventbridge import compile_pattern
from sandbox.model.eventbridge_archive import Archive, replay_order, replayed

DAY = 86_400.0
START = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


def event(number: int, after: float = 0.0, **more: Any) -> dict[str, Any]:
    time = datetime.fromtimestamp(START + after, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": str(number), "source": "shop", "time": time, "detail": {}, **more}


def archive(*events: dict[str, Any]) -> Archive:
    made = Archive()
    for one in events:
        made.offer(one, 0.0)
    return made


def ids(minutes: Any) -> list[list[str]]:
    return [[one.event["id"] for one in minute] for minute in minutes]


def test_an_archive_takes_what_its_pattern_matches() -> None:
    made = Archive(compile_pattern({"source": ["shop"]}))
    made.offer(event(1), 0.0)
    made.offer(event(2, source="other"), 0.0)
    assert [one.event["id"] for one in made.events(0.0)] == ["1"]


def test_a_replayed_event_is_not_archived_again() -> None:
    made = archive(event(1), replayed(event(1), "again"))
    assert len(made.events(0.0)) == 1


def test_an_event_without_a_time_is_of_now() -> None:
    made = Archive()
    made.offer({"id": "1", "detail": {}}, START)
    assert ids(replay_order(made.events(START), START, START + 1, "r")) == [["1"]]


def test_retention() -> None:
    made = Archive(retention=2)
    made.offer(event(1), 0.0)
    made.offer(event(2), DAY)
    assert len(made.events(2 * DAY)) == 2
    assert [one.event["id"] for one in made.events(2 * DAY + 1)] == ["2"]
    made.retention = 0
    assert len(made.events(1000 * DAY)) == 1


def test_minute_by_minute() -> None:
    events = archive(event(1, 150), event(2, 0), event(3, 59), event(4, 60), event(5, 119)).events(0.0)
    minutes = ids(replay_order(events, START, START + 3600, "r"))
    assert [sorted(minute) for minute in minutes] == [["2", "3"], ["4", "5"], ["1"]]


def test_the_start_is_within_and_the_end_is_not() -> None:
    events = archive(event(1, -1), event(2, 0), event(3, 60), event(4, 61)).events(0.0)
    assert ids(replay_order(events, START, START + 61, "r")) == [["2"], ["3"]]


def test_within_a_minute_the_order_is_another_one_and_the_same_in_each_run() -> None:
    events = archive(*(event(number) for number in range(50))).events(0.0)
    once = ids(replay_order(events, START, START + 60, "r"))
    assert once == ids(replay_order(events, START, START + 60, "r"))
    assert once != ids(replay_order(events, START, START + 60, "s"))
    assert once[0] != [str(number) for number in range(50)]


@given(st.lists(st.integers(0, 1000)), st.integers(0, 1000), st.integers(0, 1000), st.text())
def test_nothing_is_lost_or_doubled_and_no_minute_comes_before_an_earlier_one(
    times: list[int], start: int, length: int, name: str
) -> None:
    events = archive(*(event(number, after) for number, after in enumerate(times))).events(0.0)
    minutes = replay_order(events, START + start, START + start + length, name)
    wanted = sorted(str(number) for number, after in enumerate(times) if start <= after < start + length)
    assert sorted(one.event["id"] for minute in minutes for one in minute) == wanted
    order = [(one.time - START - start) // 60 for minute in minutes for one in minute]
    assert order == sorted(order)


def test_a_replayed_event_has_the_replay_s_name() -> None:
    assert replayed(event(1), "again") == {**event(1), "replay-name": "again"}
