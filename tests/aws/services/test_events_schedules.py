"""Rules that run on a schedule: the API, and the timers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.services.events_schedules import Schedules
from sandbox.clock import RealClock, VirtualClock
from sandbox.model.eventbridge_schedule import parse_schedule

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


class Machine(VirtualClock):
    """A clock that goes on while the machine, and its timers with it, sleep."""

    slept = 0.0

    def now(self) -> float:
        return super().now() + self.slept


class Ticking:
    """Rules on a virtual clock, and when they ran, in minutes after noon."""

    def __init__(self) -> None:
        self.clock = Machine(NOON)
        self.ran: list[tuple[str, float]] = []
        self.schedules = Schedules(self.clock, lambda arn, at: self.ran.append((arn, (at - NOON) / 60)))

    def start(self, expression: str, arn: str = RULE) -> None:
        self.schedules.start(arn, parse_schedule(expression))


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_each_rule_runs_at_its_times() -> None:
    rules = Ticking()
    rules.start("rate(2 minutes)", "rate")
    rules.start("cron(3/4 * * * ? *)", "cron")
    rules.clock.advance(600)
    assert rules.ran == [("rate", 2), ("cron", 3), ("rate", 4), ("rate", 6), ("cron", 7), ("rate", 8), ("rate", 10)]


def test_a_schedule_that_is_replaced_or_stopped_runs_no_more() -> None:
    rules = Ticking()
    rules.start("rate(2 minutes)")
    rules.clock.advance(60)
    rules.start("rate(3 minutes)")
    rules.clock.advance(240)
    assert rules.ran == [(RULE, 4)]
    rules.schedules.stop(RULE)
    rules.clock.advance(3600)
    assert rules.ran == [(RULE, 4)]


def test_what_never_comes_has_no_timer() -> None:
    rules = Ticking()
    for expression in ("cron(0 0 30 2 ? *)", "cron(0 0 1 1 ? 2002)", f"rate({10**200} days)"):
        rules.start(expression)
    rules.clock.advance(10 * 365 * 86_400)
    assert rules.ran == []


def test_times_that_were_missed_do_not_come_later() -> None:
    rules = Ticking()
    rules.start("rate(1 minute)")
    rules.clock.slept = 3600
    rules.clock.advance(120)
    assert [at for _, at in rules.ran] == [1, 61, 62]


@pytest.mark.parametrize("speed", [600.0, 6000.0])
def test_with_a_speed_the_times_are_aws_s(speed: float, until: Callable[..., None]) -> None:
    clock = RealClock(speed)
    ran: list[float] = []
    schedules = Schedules(clock, lambda arn, at: ran.append(at))
    start = clock.now()
    schedules.start(RULE, parse_schedule("rate(5 minutes)"))
    until(lambda: len(ran) >= 3)
    clock.close()
    assert (ran[0] - start) % 300 == pytest.approx(0, abs=1e-3)
    assert ran[1] - ran[0] >= 300
    assert (ran[2] - ran[0]) / speed <= clock.now() - start


def test_a_scheduled_rule_reaches_its_targets(start_control: Callable[..., Any]) -> None:
    control = start_control(600)
    function = control.function("def handler(event, context):\n    return event")
    client = control.aws("events")
    arn = client.put_rule(Name="r", ScheduleExpression="rate(1 minute)")["RuleArn"]
    client.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": function}])
    # Another rule does not see it.
    client.put_rule(Name="other", EventPattern='{"source": ["aws.events"]}')
    client.put_targets(Rule="other", Targets=[{"Id": "t", "Arn": function, "Input": '"seen"'}])
    first, second = (json.loads(invocation["payload"]) for invocation in control.invocations("f", 2))
    assert first["resources"] == [arn]
    assert (first["source"], first["detail-type"], first["detail"]) == ("aws.events", "Scheduled Event", {})
    times = [datetime.fromisoformat(event["time"]).timestamp() for event in (first, second)]
    assert (times[1] - times[0]) % 60 == 0
    assert times[1] > times[0]
    published = next(o for o in control.timeline.since() if o.kind == "event.published")
    assert (published["bus"], published["rules"]) == ("default", ["r"])


def test_a_disabled_or_deleted_rule_does_not_run(start_control: Callable[..., Any], until: Callable[..., None]) -> None:
    control = start_control(600)
    client = control.aws("events")
    for name in ("kept", "disabled", "deleted", "by-pattern"):
        client.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    client.disable_rule(Name="disabled")
    client.delete_rule(Name="deleted")
    client.put_rule(Name="by-pattern", EventPattern='{"source": ["shop"]}')
    mark = control.timeline.mark()

    def ran() -> list[str]:
        return [o["rules"][0] for o in control.timeline.since(mark) if o.kind == "event.published"]

    until(lambda: len(ran()) >= 4)
    assert set(ran()) == {"kept"}


def test_the_rule_shows_its_schedule(control: Any) -> None:
    client = control.aws("events")
    client.put_rule(Name="r", ScheduleExpression="cron(0 12 * * ? *)", EventPattern='{"source": ["shop"]}')
    shown = client.describe_rule(Name="r")
    assert (shown["ScheduleExpression"], shown["EventPattern"]) == ("cron(0 12 * * ? *)", '{"source": ["shop"]}')
    client.put_rule(Name="r", ScheduleExpression="rate(1 day)")
    assert "EventPattern" not in client.list_rules()["Rules"][0]


def test_a_schedule_that_is_refused(control: Any) -> None:
    client = control.aws("events")
    assert refused(client.put_rule, Name="r", ScheduleExpression="rate(1 minutes)") == (
        "ValidationException",
        "Parameter ScheduleExpression is not valid.",
    )
    client.create_event_bus(Name="mine")
    assert refused(client.put_rule, Name="r", ScheduleExpression="rate(1 minute)", EventBusName="mine") == (
        "ValidationException",
        "ScheduleExpression is supported only on the default event bus.",
    )
    assert client.list_rules()["Rules"] == []
