"""Batches of changes as transcripts: what is there, what is asked, what is there then or which message comes."""

from __future__ import annotations

import pytest

from sandbox.model.route53 import RecordSet
from sandbox.model.route53_changes import Change, ChangeRefused, apply_changes, key_of, over_quota

SOA = RecordSet("example.com.", "SOA", 900, ("ns. host. 1 7200 900 1209600 86400",))
NS = RecordSet("example.com.", "NS", 172800, ("ns-1.awsdns-01.com.",))
WWW = RecordSet("www.example.com.", "A", 60, ("192.0.2.1", "192.0.2.2"))
BLOG = RecordSet("blog.example.com.", "CNAME", 60, ("www.example.com.",))
FIRST = RecordSet("w.example.com.", "A", 60, ("192.0.2.1",), "first", weight=1)
HELD = {key_of(record_set): record_set for record_set in (SOA, NS, WWW, BLOG, FIRST)}


def a(name: str, *values: str, ttl: int = 60) -> RecordSet:
    return RecordSet(name, "A", ttl, values)


def changed(*changes: Change) -> set[RecordSet]:
    return set(apply_changes("example.com.", HELD, list(changes)).values()) - {SOA, NS}


def refusal(*changes: Change) -> list[str]:
    before = dict(HELD)
    with pytest.raises(ChangeRefused) as refused:
        changed(*changes)
    assert before == HELD
    return refused.value.messages


def test_create_replace_and_delete() -> None:
    new, replaced = a("new.example.com", "192.0.2.9"), a("WWW.example.com", "192.0.2.3", ttl=5)
    assert changed(Change("CREATE", new), Change("UPSERT", replaced), Change("DELETE", BLOG)) == {new, replaced, FIRST}


def test_delete_may_spell_names_and_order_values_differently() -> None:
    assert changed(Change("DELETE", a("Www.Example.com", "192.0.2.2", "192.0.2.1"))) == {BLOG, FIRST}


def test_changes_of_a_batch_see_each_other() -> None:
    again = a("www.example.com", "192.0.2.9")
    assert changed(Change("DELETE", WWW), Change("CREATE", again)) == {again, BLOG, FIRST}
    twice = refusal(Change("DELETE", WWW), Change("DELETE", WWW))
    assert twice == ["Tried to delete resource record set [name='www.example.com.', type='A'] but it was not found"]


def test_record_sets_of_a_routing_policy_are_told_apart() -> None:
    second = RecordSet("w.example.com", "A", 60, ("192.0.2.2",), "second", weight=1)
    assert changed(Change("CREATE", second), Change("DELETE", FIRST)) == {WWW, BLOG, second}


ILLEGAL = "Invalid Resource Record: 'FATAL problem: "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            Change("CREATE", a("www.example.com", "192.0.2.9")),
            "Tried to create resource record set [name='www.example.com.', type='A'] but it already exists",
        ),
        (
            Change("CREATE", FIRST),
            "Tried to create resource record set [name='w.example.com.', type='A', set identifier='first'] "
            "but it already exists",
        ),
        (
            Change("DELETE", a("no.example.com", "192.0.2.9")),
            "Tried to delete resource record set [name='no.example.com.', type='A'] but it was not found",
        ),
        (
            Change("DELETE", a("www.example.com", "192.0.2.1")),
            "Tried to delete resource record set [name='www.example.com.', type='A'] "
            "but the values provided do not match the current values",
        ),
        (
            Change("CREATE", a("www.badexample.com", "192.0.2.1")),
            "RRSet with DNS name www.badexample.com. is not permitted in zone example.com.",
        ),
        (Change("DELETE", SOA), "A HostedZone must contain exactly one SOA record."),
        (Change("DELETE", NS), "A HostedZone must contain at least one NS record for the zone itself."),
        (
            Change("UPSERT", RecordSet("example.com", "CNAME", 60, ("x.example.com",))),
            "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.",
        ),
        (
            Change("UPSERT", RecordSet("www.example.com", "CNAME", 60, ("x.example.com",))),
            "RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with other records "
            "with the same DNS name in zone example.com.",
        ),
        (
            Change("UPSERT", a("blog.example.com", "192.0.2.1")),
            "RRSet of type A with DNS name blog.example.com. is not permitted because a conflicting RRSet of type "
            "CNAME with the same DNS name already exists in zone example.com.",
        ),
        (
            Change("UPSERT", a("www.example.com", "subnet-0123")),
            f"{ILLEGAL}ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'subnet-0123''",
        ),
        (
            Change("UPSERT", a("www.example.com", "192.0.2.1, 192.0.2.2")),
            f"{ILLEGAL}ARRDATANotSingleField (Value contains spaces) encountered with '192.0.2.1, 192.0.2.2''",
        ),
        (
            Change("UPSERT", RecordSet("www.example.com", "AAAA", 60, ("192.0.2.1",))),
            f"{ILLEGAL}AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '192.0.2.1''",
        ),
        (
            Change("UPSERT", RecordSet("example.com", "SOA", 60, ("nonsense",))),
            "Invalid Resource Record: 'nonsense' is not a SOA record",
        ),
    ],
)
def test_refused(change: Change, message: str) -> None:
    assert refusal(change) == [message]


def test_one_bad_change_refuses_the_batch_and_every_bad_one_is_named() -> None:
    messages = refusal(
        Change("CREATE", a("new.example.com", "192.0.2.9")),
        Change("CREATE", WWW),
        Change("DELETE", a("no.example.com")),
    )
    assert len(messages) == 2
    assert str(ChangeRefused(["a", "b"])) == "[a, b]"


def test_a_batch_has_a_thousand_records_at_most_and_those_of_an_upsert_count_twice():
    assert over_quota([("CREATE", 600), ("DELETE", 400)]) == over_quota([("UPSERT", 500)]) == over_quota([]) == ""
    assert over_quota([("CREATE", 1001)]) == "Number of records limit of 1000 exceeded."
    assert over_quota([("CREATE", 1), ("UPSERT", 500)]) == "Number of records limit of 1000 exceeded."
