"""Route 53's answers as transcripts (zone in, question, answer out) and as rules that hold for any zone."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.route53 import (
    DEFAULT_SOA,
    MAX_MULTIVALUE_ANSWERS,
    Answer,
    HostedZone,
    Rcode,
    RecordSet,
    Zones,
    answer,
    canonical,
)

SOA = "ns-1.awsdns-01.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
NAME_SERVERS = ("ns-1.awsdns-01.com.", "ns-2.awsdns-02.net.")


def zone(*record_sets: RecordSet, name: str = "example.com.", private: bool = False) -> HostedZone:
    apex = (RecordSet(name, "SOA", 900, (SOA,)), RecordSet(name, "NS", 172800, NAME_SERVERS))
    return HostedZone(f"Z{name}", name, private, (*apex, *record_sets))


def a(name: str, *values: str, ttl: int = 60) -> RecordSet:
    return RecordSet(name, "A", ttl, values)


def ask(zones: list[HostedZone], name: str, type: str = "A", seed: int = 0) -> Answer:
    return answer(Zones(zones), name, type, Random(seed))


def shown(found: Answer) -> list[str]:
    """An answer as lines: the transcript's right-hand side."""
    flags = " aa" if found.authoritative else ""
    return [
        f"{found.rcode}{flags}",
        *(f"{r.name} {r.ttl} {r.type} {r.value}" for r in found.answers),
        *(f"; {r.name} {r.ttl} {r.type} {r.value}" for r in found.authority),
    ]


NEGATIVE = f"; example.com 900 SOA {SOA}"

ZONE = zone(
    a("www.example.com.", "192.0.2.1"),
    RecordSet("example.com.", "MX", 300, ("10 mail.example.com.",)),
    RecordSet("blog.example.com.", "CNAME", 30, ("www.example.com.",)),
    RecordSet("far.example.com.", "CNAME", 30, ("cdn.example.net.",)),
    RecordSet("dangling.example.com.", "CNAME", 30, ("nothing.example.com.",)),
    RecordSet("outside.example.com.", "CNAME", 30, ("s3.amazonaws.com.",)),
    RecordSet("loop1.example.com.", "CNAME", 30, ("loop2.example.com.",)),
    RecordSet("loop2.example.com.", "CNAME", 30, ("loop1.example.com.",)),
    RecordSet("example.com.", "A", alias_target="www.example.com."),
    RecordSet("alias.alias.example.com.", "A", alias_target="example.com."),
    RecordSet("broken.example.com.", "A", alias_target="nothing.example.com."),
    RecordSet("ouroboros.example.com.", "A", alias_target="ouroboros.example.com."),
    a("*.wild.example.com.", "192.0.2.7"),
    a("here.wild.example.com.", "192.0.2.8"),
    RecordSet("text.wild.example.com.", "TXT", 60, ('"x"',)),
    a("deep.empty.wild.example.com.", "192.0.2.9"),
    RecordSet("\\052.cname.example.com.", "CNAME", 60, ("www.example.com.",)),
    RecordSet("child.example.com.", "NS", 60, ("ns.child.example.net.",)),
)
NET = zone(a("cdn.example.net", "192.0.2.99"), name="example.net")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("www.example.com. A", ["NOERROR aa", "www.example.com 60 A 192.0.2.1"]),
        ("WWW.Example.COM A", ["NOERROR aa", "www.example.com 60 A 192.0.2.1"]),
        ("example.com MX", ["NOERROR aa", "example.com 300 MX 10 mail.example.com."]),
        ("example.com SOA", ["NOERROR aa", f"example.com 900 SOA {SOA}"]),
        # A name with another type only: no data. A name that is not there: no such name. Both carry the SOA.
        ("www.example.com AAAA", ["NOERROR aa", NEGATIVE]),
        ("no.example.com A", ["NXDOMAIN aa", NEGATIVE]),
        ("a.b.c.no.example.com A", ["NXDOMAIN aa", NEGATIVE]),
        ("notexample.com A", ["NXDOMAIN"]),
        # CNAME: returned as such when asked for; followed through the sandbox's zones otherwise.
        ("blog.example.com CNAME", ["NOERROR aa", "blog.example.com 30 CNAME www.example.com."]),
        (
            "blog.example.com A",
            ["NOERROR aa", "blog.example.com 30 CNAME www.example.com.", "www.example.com 60 A 192.0.2.1"],
        ),
        (
            "far.example.com A",
            ["NOERROR aa", "far.example.com 30 CNAME cdn.example.net.", "cdn.example.net 60 A 192.0.2.99"],
        ),
        (
            "dangling.example.com A",
            ["NXDOMAIN aa", "dangling.example.com 30 CNAME nothing.example.com.", NEGATIVE],
        ),
        ("blog.example.com MX", ["NOERROR aa", "blog.example.com 30 CNAME www.example.com.", NEGATIVE]),
        ("outside.example.com A", ["NXDOMAIN aa", "outside.example.com 30 CNAME s3.amazonaws.com."]),
        (
            "loop1.example.com A",
            [
                "SERVFAIL",
                "loop1.example.com 30 CNAME loop2.example.com.",
                "loop2.example.com 30 CNAME loop1.example.com.",
            ],
        ),
        # An alias answers with its target's values and TTL under its own name.
        ("example.com A", ["NOERROR aa", "example.com 60 A 192.0.2.1"]),
        ("alias.alias.example.com A", ["NOERROR aa", "alias.alias.example.com 60 A 192.0.2.1"]),
        ("broken.example.com A", ["NOERROR aa", NEGATIVE]),
        ("ouroboros.example.com A", ["NOERROR aa", NEGATIVE]),
        # Wildcards (RFC 4592): any depth, but not where a closer name exists.
        ("x.wild.example.com A", ["NOERROR aa", "x.wild.example.com 60 A 192.0.2.7"]),
        ("x.y.wild.example.com A", ["NOERROR aa", "x.y.wild.example.com 60 A 192.0.2.7"]),
        ("*.wild.example.com A", ["NOERROR aa", "*.wild.example.com 60 A 192.0.2.7"]),
        ("x.wild.example.com TXT", ["NOERROR aa", NEGATIVE]),
        ("here.wild.example.com A", ["NOERROR aa", "here.wild.example.com 60 A 192.0.2.8"]),
        ("x.here.wild.example.com A", ["NXDOMAIN aa", NEGATIVE]),
        ("text.wild.example.com A", ["NOERROR aa", NEGATIVE]),
        ("empty.wild.example.com A", ["NOERROR aa", NEGATIVE]),
        ("x.empty.wild.example.com A", ["NXDOMAIN aa", NEGATIVE]),
        ("wild.example.com A", ["NOERROR aa", NEGATIVE]),
        (
            "any.cname.example.com A",
            ["NOERROR aa", "any.cname.example.com 60 CNAME www.example.com.", "www.example.com 60 A 192.0.2.1"],
        ),
        # What was delegated to other servers is referred to them.
        ("x.child.example.com A", ["NOERROR", "; child.example.com 60 NS ns.child.example.net."]),
    ],
)
def test_transcript(question: str, expected: list[str]) -> None:
    name, type_ = question.split()
    assert shown(ask([ZONE, NET], name, type_)) == expected


def test_name_servers_at_the_apex_are_answers() -> None:
    found = ask([ZONE], "example.com", "NS")
    assert found.authoritative
    assert sorted(record.value for record in found.answers) == sorted(NAME_SERVERS)


def test_zone_without_soa_has_route_53s_default() -> None:
    found = ask([HostedZone("Z1", "example.com")], "no.example.com")
    assert shown(found) == ["NXDOMAIN aa", f"; example.com 900 SOA {DEFAULT_SOA}"]


@pytest.mark.parametrize(("ttl", "minimum", "expected"), [(900, 86400, 900), (900, 5, 5), (3, 86400, 3)])
def test_negative_ttl_is_the_smaller_of_soa_ttl_and_minimum(ttl: int, minimum: int, expected: int) -> None:
    soa = RecordSet("example.com", "SOA", ttl, (f"ns. host. 1 7200 900 1209600 {minimum}",))
    assert ask([HostedZone("Z1", "example.com", False, (soa,))], "no.example.com").authority[0].ttl == expected


def test_every_value_of_a_simple_record_is_answered_in_random_order() -> None:
    values = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    orders = {tuple(r.value for r in ask([zone(a("w.example.com", *values))], "w.example.com", seed=s).answers)
              for s in range(100)}  # fmt: skip
    assert len(orders) == 6
    assert all(sorted(order) == sorted(values) for order in orders)


def weighted(value: str, weight: int, healthy: bool = True) -> RecordSet:
    return RecordSet("w.example.com", "A", 60, (value,), value, weight, healthy=healthy)


def shares(*record_sets: RecordSet) -> Counter[str]:
    zones, rng = Zones([zone(*record_sets)]), Random(1)
    return Counter(answer(zones, "w.example.com", "A", rng).answers[0].value for _ in range(4000))


def test_weights_are_shares() -> None:
    seen = shares(weighted("192.0.2.1", 30), weighted("192.0.2.2", 10), weighted("192.0.2.3", 0))
    assert set(seen) == {"192.0.2.1", "192.0.2.2"}
    assert 0.7 < seen["192.0.2.1"] / 4000 < 0.8


def test_all_weights_zero_means_equal_probability() -> None:
    seen = shares(weighted("192.0.2.1", 0), weighted("192.0.2.2", 0))
    assert 0.45 < seen["192.0.2.1"] / 4000 < 0.55


def test_zero_weighted_record_serves_when_the_others_are_unhealthy() -> None:
    assert set(shares(weighted("192.0.2.1", 9, healthy=False), weighted("192.0.2.2", 0))) == {"192.0.2.2"}


def test_all_unhealthy_counts_as_all_healthy() -> None:
    seen = shares(weighted("192.0.2.1", 1, healthy=False), weighted("192.0.2.2", 0, healthy=False))
    assert set(seen) == {"192.0.2.1"}


def multivalue(number: int, healthy: bool = True) -> RecordSet:
    return RecordSet("m.example.com", "A", 60, (f"192.0.2.{number}",), str(number), multivalue=True, healthy=healthy)


def test_multivalue_answers_only_healthy_records() -> None:
    records = [multivalue(n, healthy=n % 2 == 0) for n in range(6)]
    found = ask([zone(*records)], "m.example.com")
    assert {record.value for record in found.answers} == {"192.0.2.0", "192.0.2.2", "192.0.2.4"}


def test_private_zone_comes_before_a_longer_public_one() -> None:
    private = zone(a("x.sub.example.com", "10.0.0.1"), private=True)
    public = zone(a("x.sub.example.com", "192.0.2.1"), a("y.sub.example.com", "192.0.2.2"), name="sub.example.com")
    assert ask([public, private], "x.sub.example.com").answers[0].value == "10.0.0.1"
    assert ask([public, private], "y.sub.example.com").rcode is Rcode.NXDOMAIN


def test_first_of_two_zones_of_one_name_answers() -> None:
    zones = [zone(a("w.example.com", "192.0.2.1")), zone(a("w.example.com", "192.0.2.2"))]
    assert ask(zones, "w.example.com").answers[0].value == "192.0.2.1"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("Example.COM.", "example.com"),
        ("\\052.example.com", "*.example.com"),
        ("\\101bc.example.com", "abc.example.com"),
        ("a\\056b.example.com", "a\\056b.example.com"),
        ("ex\\344mple.com", "ex\\344mple.com"),
        ("exämple.com", "ex\\303\\244mple.com"),
        ("back\\slash.com", "back\\134slash.com"),
        ("a b.com", "a\\040b.com"),
        ("_http._tcp.example.com", "_http._tcp.example.com"),
    ],
)
def test_canonical_names(spelling: str, expected: str) -> None:
    assert canonical(spelling) == expected


@given(st.text(max_size=40))
def test_canonical_is_idempotent_but_for_the_final_dot(name: str) -> None:
    once = canonical(name.rstrip("."))
    assert canonical(once) == once


LABELS = st.sampled_from(["a", "b", "c", "*"])
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: ".".join([*labels, "example.com"]))
RECORD_SETS = st.builds(
    RecordSet,
    name=NAMES,
    type=st.sampled_from(["A", "TXT"]),
    ttl=st.integers(0, 600),
    values=st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2"]), min_size=1, max_size=2, unique=True).map(tuple),
    weight=st.none() | st.integers(0, 255),
    multivalue=st.booleans(),
    alias_target=st.none() | NAMES,
    healthy=st.booleans(),
)
CNAMES = st.builds(RecordSet, name=NAMES, type=st.just("CNAME"), ttl=st.just(5), values=NAMES.map(lambda name: (name,)))
ZONES = st.lists(
    st.builds(
        HostedZone,
        id=st.just("Z"),
        name=NAMES,
        private=st.booleans(),
        record_sets=st.lists(RECORD_SETS | CNAMES, max_size=8).map(tuple),
    ),
    max_size=3,
)


@given(ZONES, NAMES, st.sampled_from(["A", "TXT", "AAAA", "NS", "SOA", "CNAME"]), st.integers(0, 9))
def test_rules_that_hold_for_every_answer(zones: list[HostedZone], name: str, type_: str, seed: int) -> None:
    found = ask(zones, name, type_, seed)
    owners = [z for z in zones if name == canonical(z.name) or name.endswith("." + canonical(z.name))]
    if not owners:
        assert found == Answer(Rcode.NXDOMAIN)
        return
    responsible = max(owners, key=lambda z: (z.private, len(z.name)))
    followed = bool(found.answers) and found.answers[0].type == "CNAME"
    if found.rcode is Rcode.NXDOMAIN and not followed:
        # Never from a shorter zone when a longer one matches.
        assert [(r.type, r.name) for r in found.authority] == [("SOA", canonical(responsible.name))]
    if found.rcode is Rcode.NOERROR and not found.answers and found.authoritative:
        assert [r.type for r in found.authority] == ["SOA"]
    if found.answers:
        assert found.answers[0].name == canonical(name)
        assert {r.type for r in found.answers} <= {type_, "CNAME"}


AWS = HostedZone("aws", "cloudfront.net", record_sets=(RecordSet("d1.cloudfront.net", "A", 60, ("198.51.100.7",)),))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("d1.cloudfront.net", [("d1.cloudfront.net", 60, "198.51.100.7")]),
        ("blog.example.com", [("blog.example.com", 60, "198.51.100.7")]),  # under the alias's own name, with its TTL
        ("gone.example.com", []),
        ("other.example.com", []),
    ],
)
def test_an_alias_leads_to_a_resource_of_aws_but_to_no_other_zone(
    name: str, values: list[tuple[str, int, str]]
) -> None:
    mine = zone(
        RecordSet("blog.example.com.", "A", alias_target="d1.cloudfront.net."),
        RecordSet("gone.example.com.", "A", alias_target="d2.cloudfront.net."),
        RecordSet("other.example.com.", "A", alias_target="www.example.org."),
    )
    other = zone(RecordSet("www.example.org.", "A", 60, ("192.0.2.1",)), name="example.org.")
    found = answer(Zones([mine, other], [AWS]), name, "A", Random(0))
    assert [(record.name, record.ttl, record.value) for record in found.answers] == values


@given(st.lists(st.booleans(), min_size=2, max_size=20), st.integers(0, 99))
def test_multivalue_answers_at_most_eight_and_no_unhealthy_one_while_any_is_healthy(
    health: list[bool], seed: int
) -> None:
    found = ask([zone(*(multivalue(n, healthy) for n, healthy in enumerate(health)))], "m.example.com", seed=seed)
    numbers = {int(record.value.rpartition(".")[2]) for record in found.answers}
    candidates = {n for n, healthy in enumerate(health) if healthy} or set(range(len(health)))
    assert len(numbers) == len(found.answers) == min(len(candidates), MAX_MULTIVALUE_ANSWERS)
    assert numbers <= candidates
