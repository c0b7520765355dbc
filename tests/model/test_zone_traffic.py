"""What is counted between Availability Zones, and what it costs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.zone_traffic import Place, counted, monthly_cost, ruleset

HERE, NEIGHBOUR, THERE = (
    Place("us-east-1a", "10.0.0.4"),
    Place("us-east-1a", "10.0.0.5"),
    Place("us-east-1b", "10.0.16.4"),
)


def test_what_goes_to_another_zone_is_counted():
    text = ruleset(HERE, [HERE, NEIGHBOUR, THERE, Place("us-east-1b", "10.0.16.5")])
    assert "ip saddr 10.0.0.4 ip daddr { 10.0.16.4, 10.0.16.5 } counter name to-us-east-1b" in text
    assert "10.0.0.5" not in text


def test_within_a_zone_nothing_is_counted():
    assert ruleset(HERE, [HERE, NEIGHBOUR]) == ""


def test_what_nft_prints():
    counter = {"family": "inet", "name": "to-us-east-1b", "table": "zones", "handle": 1, "packets": 3, "bytes": 1500}
    assert counted(json.dumps({"nftables": [{"metainfo": {}}, {"counter": counter}]})) == {"us-east-1b": 1500}


def test_each_byte_is_paid_for_out_of_one_zone_and_into_the_other():
    # 1 GB in 30 days
    assert monthly_cost(1e9 / (30 * 86_400), 1) == pytest.approx(0.02)
    assert monthly_cost(0, 1000) == 0


@given(st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0, 1e4))
def test_the_cost_grows_with_the_load(size, one, other):
    assert (monthly_cost(size, one) <= monthly_cost(size, other)) or one >= other
