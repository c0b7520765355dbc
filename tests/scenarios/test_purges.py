"""The verdicts on purges of the shop, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIOS = scenario.load_all()
PURGES = ["purge-fleet", "run-command-zero-targets"]
FRESH, STALE = 900, 1000


def machine(name, price):
    facts = {"instance": name, "entries": 0, "oldest": None, "price": price, "source": "redis"}
    return Observation(5.0, "shop.machine", facts)


def purge(said, *prices, status="Success", details="Success"):
    """A run: what Slack was told ("": nothing), and the prices that the machines show at last."""
    command = {"command": "c", "status": status, "details": details, "targets": len(prices)}
    told = [Observation(4.0, "slack.message", {"text": said})] if said else []
    seen = [machine(f"i-{number}", STALE) for number, _ in enumerate(prices)]
    seen += [Observation(3.0, "ssm.command", command), *told]
    seen += [machine(f"i-{number}", price) for number, price in enumerate(prices)]
    return [*seen, Observation(6.0, "shop.visits", {"prices": {str(price): 2 for price in prices}})]


@pytest.mark.parametrize("name", PURGES)
def test_a_stale_machine_after_a_success_reproduces(name):
    verdict = SCENARIOS[name].judge(purge("All caches are clear.", FRESH, STALE))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "the command: Success (Success), 2 targets",
        "Slack was told: All caches are clear.",
        "i-0: 9.00, from redis",
        "i-1: 10.00, from redis",
        "visitors were shown 9.00 2 times, 10.00 2 times",
    )


@pytest.mark.parametrize("name", PURGES)
def test_silence_about_a_stale_machine_reproduces(name):
    assert SCENARIOS[name].judge(purge("", STALE)).outcome == "reproduces"


@pytest.mark.parametrize("name", PURGES)
def test_all_machines_fresh_holds(name):
    assert SCENARIOS[name].judge(purge("All caches are clear.", FRESH, FRESH)).outcome == "holds"


@pytest.mark.parametrize("name", PURGES)
def test_a_stale_machine_that_slack_was_told_of_holds(name):
    assert SCENARIOS[name].judge(purge("Not all caches are clear. i-1: not asked.", FRESH, STALE)).outcome == "holds"


def test_purge_partial_says_what_was_wrong():
    out = Observation(1.0, "out of reach", {"instance": "i-0", "fault": "agent"})
    verdict = SCENARIOS["purge-partial"].judge([out, *purge("", STALE, status="TimedOut", details="DeliveryTimedOut")])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[:3] == (
        "i-0: its agent is down",
        "the command: TimedOut (DeliveryTimedOut), 1 targets",
        "Slack was told: nothing",
    )


def test_a_refused_command_is_told():
    out = Observation(1.0, "out of reach", {"instance": "i-0", "fault": "terminated"})
    seen = [one for one in purge("", STALE) if one.kind != "ssm.command"]
    failed = Observation(3.0, "shop.purge_failed", {"error": "InvalidInstanceId"})
    verdict = SCENARIOS["purge-partial"].judge([out, *seen, failed])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[1] == "the function purge failed: InvalidInstanceId"


def test_a_purge_that_nobody_hears_of_reproduces_though_all_is_clear():
    refused = Observation(3.5, "ssm.refused", {"what": "notification", "where": "topic", "reason": "not authorized"})
    verdict = SCENARIOS["purge-permission"].judge([*purge("", FRESH), refused])
    assert verdict.outcome == "reproduces"
    assert "not notified: not authorized" in verdict.evidence
    assert SCENARIOS["purge-permission"].judge(purge("All caches are clear.", FRESH)).outcome == "holds"


@pytest.mark.parametrize(("count", "outcome"), [(2_000_000, "reproduces"), (20_000, "holds")])
def test_what_crosses_zones_is_held_against_the_bound(count, outcome):
    seen = [
        Observation(1.0, "zone.traffic", {"from_zone": "us-east-1b", "to_zone": "us-east-1a", "bytes": count}),
        Observation(2.0, "loaded", {"pages": 100, "apcu": "on"}),
    ]
    verdict = SCENARIOS["cross-az-traffic"].judge(seen)
    assert verdict.outcome == outcome
    assert verdict.evidence[1] == f"us-east-1b to us-east-1a: {count:,} bytes"


@pytest.mark.parametrize(("price", "outcome"), [(STALE, "reproduces"), (FRESH, "holds")])
def test_the_price_after_clearing(price, outcome):
    cleared = Observation(2.0, "cleared", {"command": ["php", "-r", "x"], "said": "bool(true)"})
    visits = Observation(4.0, "shop.visits", {"prices": {str(price): 5}})
    verdict = SCENARIOS["apcu-cli-vs-fpm"].judge([machine("i-0", STALE), cleared, machine("i-0", price), visits])
    assert verdict.outcome == outcome
    assert verdict.evidence[1] == "php -r x: bool(true)"
