"""AWS's table of how long CloudFront caches objects, row by row, and errors."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudfront.freshness import ALWAYS_CACHED, CACHED_WITH_A_HEADER, of_answer, of_error
from sandbox.model.cloudfront.headers import cache_control
from sandbox.model.cloudfront.policies import CachePolicy, Ttl

NOW = 1_700_000_000.0


def policy(minimum=0, default=86_400, maximum=31_536_000, **more):
    return CachePolicy("test", Ttl(minimum, default, maximum), **more)


def ttl(cache_control=None, limits=None, status=200, **headers):
    given_headers = dict(headers) | ({"cache-control": cache_control} if cache_control is not None else {})
    return of_answer(status, given_headers, limits or policy(), NOW)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("max-age=60", 60),
        ("max-age=60, s-maxage=600", 600),
        ("s-maxage=0, max-age=600", 0),
        ("public, max-age=0", 0),
        ("max-age=99999999", 31_536_000),
        ("public", 86_400),
        ("must-revalidate", 86_400),
        ("max-age=soon", 86_400),
        (None, 86_400),
    ],
)
def test_minimum_ttl_zero(said, seconds):
    assert ttl(said).ttl == seconds


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("max-age=60", 300),
        ("max-age=600", 600),
        ("max-age=9999", 3600),
        ("max-age=9999, s-maxage=1", 300),
        ("max-age=1, s-maxage=400", 400),
        ("no-cache", 300),
        ("no-store", 300),
        ("private, max-age=600", 300),
        (None, 1000),
    ],
)
def test_minimum_ttl_above_zero(said, seconds):
    assert ttl(said, policy(300, 1000, 3600)).ttl == seconds


def test_without_a_time_the_greater_of_minimum_and_default():
    assert ttl(None, policy(300, 300, 300)).ttl == 300


@pytest.mark.parametrize(
    ("ahead", "minimum", "seconds"), [(500, 0, 500), (-5, 0, 0), (99_999, 0, 3600), (100, 300, 300), (500, 300, 500)]
)
def test_expires(ahead, minimum, seconds):
    found = ttl(None, policy(minimum, 1000, 3600), expires=formatdate(NOW + ahead, usegmt=True))
    assert found.ttl == seconds


def test_an_expires_that_is_no_date_has_passed():
    assert ttl(None, expires="0").ttl == 0


def test_max_age_counts_and_not_expires():
    assert ttl("max-age=60", expires=formatdate(NOW + 5000, usegmt=True)).ttl == 60


def test_what_forbids_keeping_with_minimum_zero():
    assert not ttl("no-store").kept
    assert not ttl("private, max-age=60").kept
    assert ttl("no-cache, max-age=60").kept  # to be confirmed by the origin each time
    assert ttl("no-cache, max-age=60").ttl == 0


def test_directives_about_single_fields_forbid_nothing():
    assert ttl('private="x-name", max-age=60').ttl == 60
    assert ttl('no-cache="Set-Cookie, x-other", max-age=60').ttl == 60
    assert cache_control('no-cache="Set-Cookie"').without_cookies


def test_maximum_zero_disables_caching():
    assert not ttl("max-age=60", policy(0, 0, 0)).kept


def test_all_headers_disable_caching():
    assert not ttl("max-age=60", policy(headers=("*",))).kept


def test_vary_asterisk_with_minimum_zero_is_confirmed_each_time():
    assert ttl("max-age=60", vary="*").ttl == 0
    assert ttl("max-age=60", policy(5), vary="*").ttl == 60


@pytest.mark.parametrize(("status", "said", "kept"), [(301, None, True), (302, None, True), (307, None, False)])
def test_redirects(status, said, kept):
    assert ttl(said, status=status).kept is kept
    assert ttl("max-age=60", status=status).ttl == 60


def test_the_reason_names_header_and_limit():
    assert ttl("public, max-age=0").reason == "max-age=0 with minimum TTL 0"
    assert ttl("no-store").reason == "no-store with minimum TTL 0"
    assert ttl("max-age=1", policy(9)).reason == "minimum TTL 9, which overrides max-age=1"
    assert ttl("max-age=99", policy(0, 9, 9)).reason == "maximum TTL 9, which limits max-age=99"
    assert ttl().reason == "no time in the headers: default TTL 86400"


def test_stale_while_revalidate_ends_with_the_maximum_ttl():
    assert ttl("max-age=60, stale-while-revalidate=30").stale_until == 90
    assert ttl("max-age=60, stale-while-revalidate=30", policy(0, 60, 70)).stale_until == 70
    assert ttl("max-age=60").stale_until == 60


def test_stale_if_error_ends_with_the_maximum_ttl():
    found = ttl("max-age=60, stale-if-error=100", policy(0, 60, 90))
    assert [found.serves_on_error(age) for age in (89, 90)] == [True, False]
    assert not ttl("max-age=60, stale-if-error=0").serves_on_error(61)


def test_a_stale_object_is_there_until_the_maximum_ttl():
    """AWS: only "up to the specified maximum TTL"; with or without a directive."""
    assert [ttl("max-age=60").serves_on_error(age) for age in (365 * 86400 - 1, 365 * 86400)] == [True, False]
    found = ttl("max-age=60", policy(0, 60, 90))
    assert [found.serves_on_error(age) for age in (89, 90)] == [True, False]


# -- errors --


def error(status, said=None, minimum=10, maximum=3600, **headers):
    given_headers = dict(headers) | ({"cache-control": said} if said is not None else {})
    return of_error(status, given_headers, minimum, maximum, NOW)


@pytest.mark.parametrize("status", sorted(ALWAYS_CACHED))
def test_errors_are_kept_for_the_greater_of_minimum_and_header(status):
    assert error(status).ttl == 10
    assert error(status, "max-age=5").ttl == 10
    assert error(status, "max-age=60").ttl == 60
    assert error(status, "max-age=5, s-maxage=70").ttl == 70
    assert error(status, expires=formatdate(NOW + 50, usegmt=True)).ttl == 50
    assert error(status, "max-age=99999").ttl == 3600


@pytest.mark.parametrize("said", ["no-store", "no-cache", "private", "private, max-age=60"])
def test_few_errors_heed_what_forbids_keeping_them(said):
    for status in (404, 414, 501):
        assert error(status, said).reason == f"{said.partition(',')[0]} with status {status}"
    for status in (405, 500, 502, 503, 504):
        assert error(status, said).ttl == (60 if "max-age" in said else 10)


@pytest.mark.parametrize("status", sorted(CACHED_WITH_A_HEADER))
def test_some_errors_are_kept_only_with_a_header(status):
    assert not error(status).kept
    assert not error(status, "public").kept
    assert error(status, "max-age=5").ttl == 10


@pytest.mark.parametrize("status", [401, 410, 416, 429])
def test_other_errors_are_not_kept(status):
    assert not error(status, "max-age=60").kept


def test_a_minimum_of_zero_keeps_no_error():
    assert not error(503, minimum=0).kept


# -- invariants --

limits = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)).map(sorted)
said = st.lists(
    st.sampled_from(["public", "private", "no-cache", "no-store", "immutable", "", 'no-cache="a,b"'])
    | st.builds("{}={}".format, st.sampled_from(["max-age", "s-maxage", "stale-if-error"]), st.integers(-1, 1000)),
    max_size=4,
).map(", ".join)


@given(limits, said, st.sampled_from([200, 301, 302, 308]))
def test_the_time_lies_between_minimum_and_maximum(between, cache_control_, status):
    found = of_answer(status, {"cache-control": cache_control_}, policy(*between), NOW)
    if found.kept:
        assert between[0] <= found.ttl <= between[2]
        assert found.ttl <= found.stale_until <= max(found.ttl, between[2])
    assert found.reason


@given(st.text(max_size=60))
def test_any_header_can_be_read(text):
    cache_control(text)
