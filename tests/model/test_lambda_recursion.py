"""Chains of invocations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.lambda_recursion import deepest, enter

NAMES = st.text("abcXYZ019_-", min_size=1, max_size=64)
ROOT = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0"


def test_a_chain_counts_each_function() -> None:
    trace_id = ROOT
    counts = []
    for name in ("f", "g", "f", "f", "g"):
        count, trace_id = enter(trace_id, name)
        counts.append(count)
    assert counts == [1, 1, 2, 3, 2]


def test_the_lineage_of_events_stays() -> None:
    assert enter(f"{ROOT};Lineage=1:event-id:3", "f") == (1, "Lineage=1:event-id:3;Visited=f:1")


def test_the_deepest_of_a_batch() -> None:
    assert deepest(["", "Visited=g:9", "Visited=f:3,g:1", "Visited=f:2"], "f") == "Visited=f:3,g:1"
    assert deepest([], "f") == ""


def test_what_is_not_ours_is_passed_over() -> None:
    for trace_id in ("", "Visited=", "Visited=f", "Visited=f:x,:3", "x" * 5000):
        assert enter(trace_id, "f")[0] == 1


@given(st.lists(NAMES, max_size=100))
def test_a_header_stays_short_and_never_counts_too_much(names: list[str]) -> None:
    trace_id, seen = "", dict.fromkeys(names, 0)
    for name in names:
        seen[name] += 1
        count, trace_id = enter(trace_id, name)
        assert count <= seen[name]
        assert len(trace_id) < 2300
