"""Faults as they are declared: options, targets, and what is made of deliveries."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import SandboxError
from sandbox.faults import base, deliveries, latency, loss, origin_5xx, port_closed, targets
from sandbox.faults.base import Option


def test_every_fault_of_the_issue_is_there():
    assert set(base.catalogue()) == {
        "clock-skew",
        "dns-stale",
        "event-delay",
        "event-drop",
        "event-duplicate",
        "kill",
        "latency",
        "loss",
        "origin-5xx",
        "pause",
        "port-closed",
        "slow-boot",
        "stop",
    }


@pytest.mark.parametrize("fault", base.catalogue().values(), ids=lambda fault: fault.name)
def test_a_fault_says_what_it_is(fault):
    assert fault.summary.endswith(".")
    assert set(fault.targets) <= set(targets.ANYTHING)
    assert fault.read({}) == {option.name: option.default for option in fault.options}
    for option in fault.options:
        assert option.read(str(option.default)) == option.default
        assert option.help[0].isupper()
        assert not option.help.endswith(".")


@pytest.mark.parametrize(
    ("given_", "value"), [(300, 300), ("300", 300), ("3e2", 300), (1, 1), ("60000", 60_000), (5.0, 5)]
)
def test_a_value_of_an_option(given_, value):
    assert base.find("latency").read({"milliseconds": given_}) == {"milliseconds": value}


@pytest.mark.parametrize("wrong", ["", "fast", "0", "60001", "-1", "nan", "inf", "1.5", True, None, [1], "9" * 400])
def test_a_wrong_value_is_named_with_what_it_can_be(wrong):
    with pytest.raises(SandboxError, match="milliseconds is a whole number from 1 to 60000 \\(ms\\), not "):
        base.find("latency").read({"milliseconds": wrong})


def test_a_wrong_word_an_unknown_option_and_an_unknown_fault_are_named():
    with pytest.raises(SandboxError, match="mode is one of drop, reject, not 'shut'"):
        base.find("port-closed").read({"mode": "shut"})
    with pytest.raises(SandboxError, match="no option 'seconds'") as refused:
        base.find("latency").read({"seconds": "3"})
    assert refused.value.hint == "options: milliseconds"
    with pytest.raises(SandboxError, match="there is no fault 'lateness'") as refused:
        base.find("lateness")
    assert "latency" in refused.value.hint


def test_an_option_without_a_default_has_to_be_given():
    fault = base.Fault("f", "It fails.", ("task",), lambda: None, (Option("name", "What", most=5),))
    with pytest.raises(SandboxError, match="wants the option 'name'"):
        fault.read({})
    assert fault.read({"name": "3"}) == {"name": 3}


ARN = "arn:aws:ecs:us-east-1:123456789012:task/shop/0123abcd"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("service:shop", targets.Target("service", "shop")),
        ("service:shop/web", targets.Target("service", "shop", "web")),
        ("task:0123", targets.Target("task", "0123")),
        (f"task:{ARN}", targets.Target("task", ARN)),
        (f"task:{ARN}/web", targets.Target("task", ARN, "web")),
        ("name:blog.example.com", targets.Target("name", "blog.example.com")),
        ("rule:a/b", targets.Target("rule", "a/b")),
    ],
)
def test_a_target_is_named(text, target):
    assert targets.parse(text, targets.ANYTHING) == target
    assert str(target) == text


@pytest.mark.parametrize("text", ["shop", "service:", ":shop", "servce:shop", "rule:x", ""])
def test_what_is_no_target_is_refused_with_the_kinds_that_there_are(text):
    with pytest.raises(SandboxError, match="is no target of this fault") as refused:
        targets.parse(text, targets.TASKS)
    assert refused.value.hint == "targets: service:NAME, task:NAME"


def test_rules_of_nftables():
    assert "numgen random mod 100 < 30 drop" in loss.rules(30)
    assert 'iif != "lo" drop' in loss.rules(100)
    assert "ct original proto-dst 80 drop" in port_closed.rules(80, "drop")
    assert "ct original proto-dst 80 reject with tcp reset" in port_closed.rules(80, "reject")
    assert "tcp dport 80 redirect to :61000" in origin_5xx.rules(80, 61000)
    assert latency.rules(61000).count("redirect to :61000") == 2


def test_events_that_localstack_delivers_are_not_disturbed(monkeypatch):
    monkeypatch.setattr(deliveries, "check_rule", lambda reach, target: None)
    reach = base.Reach(*[None] * len(dataclasses.fields(base.Reach)))
    with pytest.raises(SandboxError, match="LocalStack delivers this sandbox's events"):
        base.find("event-drop").inject(reach, targets.Target("rule", "orders"), percent=100, seed=0)


def test_deliveries_as_they_are_disturbed():
    always, chance = 1.0, Random(0)
    assert deliveries.disturbed([0.0], deliveries.dropped, always, chance) == []
    assert deliveries.disturbed([0.0], lambda at: deliveries.delayed(at, 30), always, chance) == [30.0]
    assert deliveries.disturbed([0.0], lambda at: deliveries.duplicated(at, 5), always, chance) == [0.0, 5.0]
    twice = deliveries.disturbed([0.0], lambda at: deliveries.duplicated(at, 0), always, chance)
    assert deliveries.disturbed(twice, lambda at: deliveries.delayed(at, 30), always, chance) == [30.0, 30.0]


DELAYS = st.lists(st.floats(0, 1e6), max_size=5)


@given(DELAYS, st.floats(0, 1), st.integers(0, 2**31))
def test_what_chance_spares_is_as_it_was_and_the_same_seed_spares_the_same(delays, share, seed):
    outcome = deliveries.disturbed(delays, deliveries.dropped, share, Random(seed))
    assert outcome == deliveries.disturbed(delays, deliveries.dropped, share, Random(seed))
    left = iter(delays)
    assert all(one in left for one in outcome)  # some of them, in their order
    assert deliveries.disturbed(delays, deliveries.dropped, 0.0, Random(seed)) == delays
    assert deliveries.disturbed(delays, deliveries.dropped, 1.0, Random(seed)) == []


@given(DELAYS, st.floats(0.1, 1e6), st.integers(0, 2**31))
def test_a_duplicate_never_comes_before_its_original(delays, after, seed):
    outcome = deliveries.disturbed(delays, lambda at: deliveries.duplicated(at, after), 1.0, Random(seed))
    assert outcome[::2] == delays
    assert all(second >= first for first, second in zip(outcome[::2], outcome[1::2], strict=True))
