"""Cron and rate expressions: the examples of AWS's page, what users saw refused, and what always holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.eventbridge_schedule import InvalidScheduleError, parse_schedule, scheduled_event


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def following(expression: str, after: str, count: int) -> list[str]:
    """The next times after a moment."""
    schedule, at, times = parse_schedule(expression), moment(after), []
    for _ in range(count):
        found = schedule.next_after(at, 0.0)
        assert found is not None
        at = found
        times.append(datetime.fromtimestamp(at, UTC).strftime("%a %Y-%m-%d %H:%M"))
    return times


# 2026-11-26 is a Thursday.
@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("cron(0 10 * * ? *)", ["Fri 2026-11-27 10:00", "Sat 2026-11-28 10:00"]),
        ("cron(15 12 * * ? *)", ["Thu 2026-11-26 12:15", "Fri 2026-11-27 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["Thu 2026-11-26 18:00", "Fri 2026-11-27 18:00", "Mon 2026-11-30 18:00"]),
        ("cron(0 8 1 * ? *)", ["Tue 2026-12-01 08:00", "Fri 2027-01-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["Thu 2026-11-26 12:15", "Thu 2026-11-26 12:30"]),
        ("cron(0/10 * ? * MON-FRI *)", ["Thu 2026-11-26 12:10", "Thu 2026-11-26 12:20"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["Thu 2026-11-26 12:05", "Thu 2026-11-26 12:10"]),
        ("cron(0/30 20-2 ? * MON-FRI *)", ["Thu 2026-11-26 20:00", "Thu 2026-11-26 20:30"]),
        ("cron(0 12 * * ? *)", ["Fri 2026-11-27 12:00", "Sat 2026-11-28 12:00"]),
        ("cron(5,35 14 * * ? *)", ["Thu 2026-11-26 14:05", "Thu 2026-11-26 14:35", "Fri 2026-11-27 14:05"]),
        ("cron(15 10 ? * 6L 2019-2027)", ["Fri 2026-11-27 10:15", "Fri 2026-12-25 10:15", "Fri 2027-01-29 10:15"]),
        ("cron(0 2 ? * SAT#3 *)", ["Sat 2026-12-19 02:00", "Sat 2027-01-16 02:00"]),
        ("cron(0 2 ? * 3#2 *)", ["Tue 2026-12-08 02:00", "Tue 2027-01-12 02:00"]),
        ("cron(0 0 3W * ? *)", ["Thu 2026-12-03 00:00", "Mon 2027-01-04 00:00", "Wed 2027-02-03 00:00"]),
        ("cron(0 0 1W * ? *)", ["Tue 2026-12-01 00:00", "Fri 2027-01-01 00:00", "Mon 2027-02-01 00:00"]),
        ("cron(0 0 L * ? *)", ["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00", "Sun 2027-01-31 00:00"]),
        ("cron(0 0 LW 1 ? *)", ["Fri 2027-01-29 00:00"]),
        ("cron(0 0 ? * L *)", ["Sat 2026-11-28 00:00", "Sat 2026-12-05 00:00"]),
        ("cron(1/10 13 * JAN,FEB,MAR ? *)", ["Fri 2027-01-01 13:01", "Fri 2027-01-01 13:11"]),
        ("cron(0 0 29 2 ? *)", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("cron(0/5 5 ? JAN 1-5 2028)", ["Sun 2028-01-02 05:00"]),
        ("rate(5 minutes)", ["Thu 2026-11-26 12:05", "Thu 2026-11-26 12:10"]),
        ("rate(1 hour)", ["Thu 2026-11-26 13:00"]),
        ("rate(1 day)", ["Fri 2026-11-27 00:00"]),
    ],
)
def test_a_published_example(expression: str, times: list[str]) -> None:
    assert following(expression, "2026-11-26T12:00:30", len(times)) == times


@pytest.mark.parametrize("expression", ["cron(15 10 ? * 6L 2002-2005)", "cron(0 0 30 2 ? *)"])
def test_one_that_never_runs_again(expression: str) -> None:
    assert parse_schedule(expression).next_after(moment("2026-11-26T12:00:00"), 0.0) is None


# Seen: LocalStack's tests against AWS. Then the rules of AWS's page.
@pytest.mark.parametrize(
    "expression",
    [
        "rate(10 seconds)",
        "rate(10 years)",
        "rate(1 minutes)",
        "rate(1 hours)",
        "rate(1 days)",
        "rate(10 minute)",
        "rate(10 hour)",
        "rate(10 day)",
        "rate()",
        "rate(10)",
        "rate(10 minutess)",
        "rate(foo minutes)",
        "rate(0 minutes)",
        "rate(-10 minutes)",
        "rate(10 MINUTES)",
        "rate( 10 minutes )",
        " rate(10 minutes)",
        "cron(0 1 * * * *)",
        "cron(7 20 * * NOT *)",
        "cron(INVALID)",
        "cron(0 dummy ? * MON-FRI *)",
        "cron(71 8 1 * ? *)",
        "",
        "at(2026-11-26T12:00:00)",
        "cron(0 12 * * ?)",
        "cron(0 12 ? * ? *)",
        "cron(0 12 ? * 3#1,6#3 *)",
        "cron(0 12 ? * 3#6 *)",
        "cron(0 12 ? * 8 *)",
        "cron(0 24 * * ? *)",
        "cron(0 12 32 * ? *)",
        "cron(0 12 * 13 ? *)",
        "cron(0 12 * * ? 1969)",
        "cron(0 12 * * ? 2200)",
        "cron(0/0 12 * * ? *)",
        "cron(*-5 12 * * ? *)",
        "cron(5- 12 * * ? *)",
        "cron(, 12 * * ? *)",
        "cron(0 12 W * ? *)",
        "cron(L 12 * * ? *)",
        "cron(? 12 * * ? *)",
    ],
)
def test_an_expression_that_is_refused(expression: str) -> None:
    with pytest.raises(InvalidScheduleError):
        parse_schedule(expression)


def test_a_rate_starts_when_the_rule_is_made() -> None:
    schedule = parse_schedule("rate(5 minutes)")
    start = moment("2026-11-26T12:01:07")
    assert schedule.next_after(start, start) == start + 300
    assert schedule.next_after(start + 300, start) == start + 600
    assert schedule.next_after(start + 301, start) == start + 600


def test_the_event_of_a_schedule() -> None:
    arn = "arn:aws:events:us-east-1:123456789012:rule/r"
    assert scheduled_event(arn, moment("2026-11-26T12:00:00"), "an-id") == {
        "version": "0",
        "id": "an-id",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-26T12:00:00Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {},
    }


MOMENTS = st.integers(0, 4_000_000_000).map(float)
FIELDS = st.tuples(
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 23), min_size=1),
    st.sets(st.integers(1, 7), min_size=1),
)


@given(FIELDS, MOMENTS)
def test_a_cron_runs_at_the_first_minute_that_fits_and_at_no_other(
    fields: tuple[set[int], set[int], set[int]], after: float
) -> None:
    minutes, hours, weekdays = fields
    texts = [",".join(map(str, values)) for values in fields]
    found = parse_schedule(f"cron({texts[0]} {texts[1]} ? * {texts[2]} *)").next_after(after, 0.0)
    assert found is not None
    at = datetime.fromtimestamp(found, UTC)
    assert found > after
    assert (at.second, at.minute in minutes, at.hour in hours) == (0, True, True)
    assert at.isoweekday() % 7 + 1 in weekdays
    # Hour by hour: none of those between fits.
    earlier = datetime.fromtimestamp(after, UTC) + timedelta(seconds=1)
    while earlier < at:
        if earlier.isoweekday() % 7 + 1 in weekdays and earlier.hour in hours:
            end = min(earlier.replace(minute=59, second=59), at - timedelta(seconds=1))
            first_minute = earlier.minute + (earlier.second > 0)
            assert not minutes.intersection(range(first_minute, end.minute + 1))
        earlier = earlier.replace(minute=0, second=0) + timedelta(hours=1)


@given(st.integers(2, 500), st.sampled_from(["minutes", "hours", "days"]), MOMENTS, MOMENTS)
def test_a_rate_is_even(value: int, unit: str, start: float, later: float) -> None:
    period = value * {"minutes": 60, "hours": 3600, "days": 86400}[unit]
    schedule = parse_schedule(f"rate({value} {unit})")
    found = schedule.next_after(start + later, start)
    assert found is not None
    assert 0 < found - (start + later) <= period
    assert (found - start) % period == 0
