"""The order of resources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudformation.graph import CircularError, ordered

NAMES = [f"R{number}" for number in range(8)]


def test_resources_stand_as_in_the_template_but_for_what_they_need():
    assert ordered({"A": ["C"], "B": [], "C": [], "D": ["A", "none"]}) == ["B", "C", "A", "D"]


def test_a_cycle_is_named_as_cloudformation_does_and_nothing_else_with_it():
    with pytest.raises(CircularError, match=r"^Circular dependency between resources: \[B, C, D\]$"):
        ordered({"A": ["B"], "B": ["C"], "C": ["D"], "D": ["B"], "E": []})
    with pytest.raises(CircularError, match=r"\[A\]"):
        ordered({"A": ["A"]})


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=3)))
def test_an_order_has_each_resource_once_and_after_what_it_needs(needs):
    try:
        found = ordered(needs)
    except CircularError as error:
        members = str(error).partition("[")[2].rstrip("]").split(", ")
        # Each member of the cycle needs the next one.
        assert all(after in needs[name] for name, after in zip(members, members[1:] + members[:1], strict=True))
        return
    assert sorted(found) == sorted(needs)
    places = {name: place for place, name in enumerate(found)}
    assert all(places[one] < places[name] for name, ones in needs.items() for one in ones if one in needs)


@given(st.permutations(NAMES), st.data())
def test_what_has_no_cycle_has_an_order(names, data):
    needs = {name: data.draw(st.sets(st.sampled_from(names[:place] or [""]))) for place, name in enumerate(names)}
    assert len(ordered(needs)) == len(names)
