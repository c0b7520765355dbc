"""Two claims at once are never of addresses that overlap, whoever makes them."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.engine.address_claims import claimed


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@st.composite
def ranges(draw):
    prefix = draw(st.integers(8, 28))
    return IPv4Network((draw(st.integers(0x0A000000, 0x0A00FFFF)), prefix), strict=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ranges(), ranges())
def test_a_second_claim_is_refused_where_it_overlaps_the_first(one, other):
    with claimed(one) as first, claimed(other) as second:
        assert first
        assert second is not one.overlaps(other)
    with claimed(other) as later:
        assert later


def test_another_process_is_kept_out_until_the_first_has_ended():
    network = IPv4Network("10.130.0.0/16")
    code = (
        "from ipaddress import IPv4Network as N\nfrom sandbox.engine.address_claims import claimed\n"
        f"with claimed(N('{network}')) as ours:\n    print(ours, flush=True)\n    input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with claimed(IPv4Network("10.130.4.0/24")) as ours:
        assert not ours
    holder.kill()
    holder.communicate()
    with claimed(network, wait=True) as ours:
        assert ours


def test_where_nothing_can_be_kept_there_is_nothing_to_keep_out(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with claimed(IPv4Network("10.130.0.0/16")) as ours:
        assert ours
