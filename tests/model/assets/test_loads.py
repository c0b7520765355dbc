"""Page loads, counted."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.assets.loads import Answer, PageLoad, summarize


def load(at, *failures):
    answers = [Answer(f"http://x/{kind}", kind, kind != "image", at, cause=cause) for kind, cause in failures]
    return PageLoad(0, "first", "http://x/", at, 0.1, 3, tuple(answers))


def test_a_load_is_broken_by_what_it_needs_and_not_by_images():
    assert not load(0.0, ("image", "missing")).broken
    broken = load(0.0, ("image", "missing"), ("module", "server error"), ("style", "missing"))
    assert (broken.broken, broken.cause) == (True, "server error")


def test_the_sum():
    loads = [
        load(12.5, ("style", "missing")),
        load(10.0),
        load(10.5, ("image", "missing")),
        load(14.0, ("module", "wrong type"), ("module", "missing")),
    ]
    found = summarize(loads, 2.0)
    assert (found.loads, found.broken, found.share, found.requests, found.images) == (4, 2, 0.5, 12, 1)
    assert found.causes == {"missing": 1, "wrong type": 1}
    assert found.failures == {"missing": 3, "wrong type": 1}
    assert (found.begun, found.ended, found.first_broken, found.last_broken) == (10.0, 14.0, 12.5, 14.0)
    assert [(one.at, one.loads, one.broken) for one in found.buckets] == [(10.0, 2, 0), (12.0, 1, 1), (14.0, 1, 1)]
    assert found.urls[0] == ("http://x/module", 2)
    assert str(found) == "2 of 4 page loads broken (50.0%): missing 1, wrong type 1"
    assert json.loads(json.dumps(found.as_json()))["buckets"][1] == {"at": 12.0, "loads": 1, "broken": 1}


def test_the_sum_of_nothing():
    found = summarize([])
    assert (found.loads, found.share, found.begun, found.buckets) == (0, 0.0, None, ())


LOADS = st.builds(
    load,
    st.floats(0, 100),
    st.tuples(st.sampled_from(["image", "style", "module"]), st.sampled_from(["missing", "timeout"])),
)


@given(st.lists(LOADS, max_size=30), st.floats(0.5, 10))
def test_each_load_is_in_one_bucket_and_each_broken_one_has_a_cause(loads, bucket):
    found = summarize(loads, bucket)
    assert sum(one.loads for one in found.buckets) == found.loads == len(loads)
    assert sum(one.broken for one in found.buckets) == found.broken == sum(found.causes.values())
