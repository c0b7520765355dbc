"""The order in which workers get the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tests.order import dealt

TESTS = """\
import pytest

@pytest.mark.parametrize("number", range(20))
def test_short(number):
    pass

@pytest.mark.long(30)
@pytest.mark.parametrize("number", range(4))
def test_long(number):
    pass
"""


def test_each_worker_begins_with_what_takes_long_the_longest_first():
    tests = [("a", 0), ("b", 30), ("a", 0), ("a", 0), ("c", 50), ("d", 40), ("a", 0), ("a", 0)]
    assert dealt(tests, workers=2) == [4, 0, 2, 3, 5, 1, 6, 7]


def test_a_module_goes_whole_to_the_worker_with_the_least_to_do():
    tests = [("pure", 0), ("m", 1), ("m", 1), ("n", 1), ("n", 1), ("n", 1), ("pure", 0), ("pure", 0)]
    assert dealt(tests, workers=2) == [3, 4, 5, 0, 1, 2, 6, 7]


def test_a_module_without_room_is_shared():
    assert dealt([("m", 1)] * 5, workers=2) == [3, 4, 0, 1, 2]


def test_where_all_are_long_each_worker_has_as_many():
    assert dealt([("a", 50), ("b", 1), ("c", 1), ("d", 1)], workers=2) == [0, 3, 1, 2]


def test_without_long_ones_the_order_stays():
    assert dealt([("m", 0)] * 5, workers=3) == [0, 1, 2, 3, 4]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 5.0, 40.0]))), st.integers(1, 6))
def test_no_test_is_lost_and_pure_ones_keep_their_order(tests, workers):
    order = dealt(tests, workers)
    assert sorted(order) == list(range(len(tests)))
    pure = [number for number in order if not tests[number][1]]
    assert pure == sorted(pure)


def test_the_workers_of_xdist_begin_so(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.order", "-n", "2", "--dist", "worksteal", "-v", tmp_path],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    ran = re.findall(r"\[(gw\d)\].* PASSED .*::(test_\w+)", done.stdout)
    assert len(ran) == 24
    for worker in ("gw0", "gw1"):
        assert [test for by, test in ran if by == worker][:2] == ["test_long", "test_long"]
