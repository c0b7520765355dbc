"""Transcripts of CreateHostedZone, without an API around."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.route53 import canonical
from sandbox.model.route53_new_zones import (
    NAME_SERVERS,
    InvalidNameError,
    apex_record_sets,
    conflict,
    stored_name,
)


@pytest.mark.parametrize(
    ("given_name", "stored"),
    [
        ("example.com", "example.com."),
        ("Example.COM.", "example.com."),
        ("_acme-1.example.com", "_acme-1.example.com."),
        (r"f\374bar.example.com", r"f\374bar.example.com."),
        (r"\105xample.com", "example.com."),  # an E
        ("a+b.example.com", r"a\053b.example.com."),
        (r"a\056b.example.com", r"a\056b.example.com."),  # a dot in a label
        (r"a\b.example.com", r"a\134b.example.com."),
        (r"a\400.example.com", r"a\134400.example.com."),  # no octet
        (63 * "a" + ".com", 63 * "a" + ".com."),
    ],
)
def test_a_name_is_kept_in_lower_case_with_its_last_dot(given_name, stored):
    assert stored_name(given_name) == stored


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a..b", "DomainLabelEmpty"),
        (".example.com", "DomainLabelEmpty"),
        ("", "DomainLabelEmpty"),
        (".", "DomainLabelEmpty"),
        (64 * "a" + ".com", "DomainLabelTooLong"),
        (r"\101" * 64 + ".com", "DomainLabelTooLong"),
        (".".join(["a" * 63] * 4) + ".com", "DomainTooLong"),
        ("exa mple.com", "UnsupportedCharacter"),
        ("exämple.com", "UnsupportedCharacter"),
        ("example.com\n", "UnsupportedCharacter"),
    ],
)
def test_what_is_no_domain_name_is_refused(name, told):
    with pytest.raises(InvalidNameError, match=told):
        stored_name(name)


@given(st.text(st.sampled_from("aZ0-_*.+\\ 07é\t"), max_size=80))
def test_a_stored_name_is_stored_as_it_is(name):
    try:
        stored = stored_name(name)
    except InvalidNameError:
        return
    assert stored_name(stored) == stored
    assert canonical(stored) == canonical(name)


def test_a_vpc_has_one_zone_of_a_name():
    others = [("Z1", "example.com.", frozenset({"vpc-1"})), ("Z2", "example.com.", frozenset())]
    assert conflict("example.com.", "vpc-1", "us-east-1", others) == (
        "The VPC vpc-1 in region us-east-1 has already been associated with the hosted zone Z1 with the same domain "
        "name."
    )
    assert conflict("example.com.", "vpc-2", "us-east-1", others) == ""
    assert conflict("a.example.com.", "vpc-1", "us-east-1", others) == ""


def test_a_new_zone_has_its_name_servers_and_an_soa():
    name_servers, soa = apex_record_sets("example.com.")
    assert (name_servers.name, name_servers.type, name_servers.ttl) == ("example.com.", "NS", 172800)
    assert name_servers.values == NAME_SERVERS
    assert (soa.name, soa.type, soa.ttl) == ("example.com.", "SOA", 900)
    assert soa.values[0].startswith(f"{NAME_SERVERS[0]}. ")
    assert soa.values[0].endswith(" 1 7200 900 1209600 86400")
