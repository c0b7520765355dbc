"""Which of several engines a run is placed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine import placement
from sandbox.errors import SandboxError


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 20))
def test_a_run_goes_where_the_fewest_live(counts, number):
    living = {f"unix:///{index}.sock": count for index, count in enumerate(counts)}
    assert living[placement.choose(living, number)] == min(counts)


@given(st.integers(1, 5))
def test_workers_that_begin_at_once_spread_over_the_engines(engines):
    living = {f"unix:///{index}.sock": 0 for index in range(engines)}
    assert {placement.choose(living, number) for number in range(engines)} == set(living)


@pytest.mark.parametrize(("name", "number"), [("gw0", 0), ("gw7", 7), ("master", 0), ("", 0)])
def test_a_worker_s_number_is_xdist_s(name, number, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", name)
    assert placement.worker() == number


def test_where_none_of_several_answers_each_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SANDBOX_DOCKER_HOSTS", f"unix://{tmp_path}/a.sock,unix://{tmp_path}/b.sock")
    with pytest.raises(SandboxError) as caught, placement.opened():
        pass
    assert caught.value.message == "none of the 2 Docker engines answers"
    assert f"{tmp_path}/a.sock: " in caught.value.state
    assert f"{tmp_path}/b.sock: " in caught.value.state
    assert "SANDBOX_DOCKER_HOSTS" in caught.value.hint
