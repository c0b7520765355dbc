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


def test_each_worker_begins_with_long_ones_the_longest_first():
    assert dealt([0, 30, 0, 0, 50, 40, 0, 0], workers=2) == [4, 0, 2, 3, 5, 1, 6, 7]


def test_where_all_are_long_each_worker_has_as_many():
    assert dealt([50, 1, 1, 1], workers=2) == [0, 3, 1, 2]


def test_without_long_ones_the_order_stays():
    assert dealt([0] * 5, workers=3) == [0, 1, 2, 3, 4]


@given(st.lists(st.sampled_from([0.0, 5.0, 40.0])), st.integers(1, 6))
def test_no_test_is_lost_and_short_ones_keep_their_order(seconds, workers):
    order = dealt(seconds, workers)
    assert sorted(order) == list(range(len(seconds)))
    short = [test for test in order if not seconds[test]]
    assert short == sorted(short)


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
