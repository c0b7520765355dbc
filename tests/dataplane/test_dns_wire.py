"""Messages to questions, answers to messages; dnspython, which shares no code with dnslib, reads what we write."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.dataplane.dns_wire import Query, Refusal, encode, parse, refuse
from sandbox.model.route53 import Answer, Rcode, Record


def question(name: str, type: str = "A", **options: object) -> bytes:
    return dns.message.make_query(name, type, **options).to_wire()  # type: ignore[arg-type]


def parsed(name: str, type: str = "A", **options: object) -> Query:
    query = parse(question(name, type, **options)[2:])
    assert isinstance(query, Query)
    return query


def encoded(query: Query, answer: Answer, limit: int = 65535) -> dns.message.Message:
    wire = b"\0\0" + encode(query, answer, limit)
    assert len(wire) <= limit
    return dns.message.from_wire(wire)


def test_question_keeps_its_spelling_and_gets_a_canonical_name() -> None:
    query = parsed("WwW.Example.com", "AAAA")
    assert (query.name, query.type) == ("www.example.com", "AAAA")
    assert query.labels == (b"WwW", b"Example", b"com")


@pytest.mark.parametrize(
    ("name", "expected"),
    [(r"\042.example.com", r"*.example.com"), (r"a\.b.example.com", r"a\056b.example.com"), (".", "")],
)
def test_question_with_special_characters(name: str, expected: str) -> None:
    assert parsed(name).name == expected


def test_unknown_type_has_its_rfc_3597_name() -> None:
    assert parsed("example.com", "TYPE4711").type == "TYPE4711"


@pytest.mark.parametrize(
    ("payload", "announced"), [(None, None), (100, 512), (1232, 1232)], ids=["no EDNS", "less than 512", "1232"]
)
def test_edns_size(payload: int | None, announced: int | None) -> None:
    options = {"use_edns": False} if payload is None else {"use_edns": 0, "payload": payload}
    assert parsed("example.com", **options).udp_size == announced


@pytest.mark.parametrize(
    ("type", "value", "shown"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:db8::1", "2001:db8::1"),
        ("CNAME", "Target.Example.com", "target.example.com."),
        ("NS", "ns-1.awsdns-01.com.", "ns-1.awsdns-01.com."),
        ("PTR", "host.example.com.", "host.example.com."),
        ("MX", "10 mail.example.com.", "10 mail.example.com."),
        ("SRV", "1 2 8080 host.example.com.", "1 2 8080 host.example.com."),
        ("SOA", "ns. host.example.com. 1 7200 900 1209600 86400", "ns. host.example.com. 1 7200 900 1209600 86400"),
        ("TXT", '"one" "two words"', '"one" "two words"'),
        ("TXT", r'"q\"uote" "\344\101"', r'"q\"uote" "\228A"'),
        ("TXT", "bare", '"bare"'),
        ("SPF", '"v=spf1 -all"', '"v=spf1 -all"'),
        ("CAA", '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'),
    ],
)
def test_every_record_type_is_what_another_library_reads(type: str, value: str, shown: str) -> None:
    query = parsed("x.example.com", type)
    message = encoded(query, Answer(Rcode.NOERROR, (Record("x.example.com", type, 60, value),), (), True))
    (rrset,) = message.answer
    assert (rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), rrset[0].to_text()) == (60, type, shown)
    assert message.flags & dns.flags.AA
    assert message.flags & dns.flags.RA
    assert message.flags & dns.flags.RD


def test_reply_has_the_name_as_it_was_asked() -> None:
    message = encoded(
        parsed("WwW.example.COM"), Answer(Rcode.NOERROR, (Record("www.example.com", "A", 1, "192.0.2.1"),))
    )
    assert [str(rrset.name) for rrset in (*message.question, *message.answer)] == ["WwW.example.COM."] * 2


@pytest.mark.parametrize(
    ("type", "value"),
    [("A", "subnet-0123"), ("A", ""), ("A", "1.2.3"), ("A", "300.1.1.1"), ("AAAA", "192.0.2.1.1"), ("MX", "mail"),
     ("SRV", "1 2 host"), ("TXT", '"' + "x" * 256 + '"'), ("CNAME", "a..b"), ("CNAME", "x" * 64), ("LOC", "51 N")],
)  # fmt: skip
def test_value_that_is_not_of_its_type_is_a_server_failure(type: str, value: str) -> None:
    message = encoded(parsed("x.example.com", type), Answer(Rcode.NOERROR, (Record("x.example.com", type, 60, value),)))
    assert message.rcode().name == "SERVFAIL"
    assert not message.answer


MANY = Answer(Rcode.NOERROR, tuple(Record("m.example.com", "A", 60, f"192.0.2.{n}") for n in range(60)), (), True)


def test_answer_beyond_the_limit_is_truncated_to_nothing() -> None:
    message = encoded(parsed("m.example.com"), MANY, 512)
    assert message.flags & dns.flags.TC
    assert not message.answer


def test_answer_within_the_limit_is_whole_and_announces_our_size() -> None:
    message = encoded(parsed("m.example.com", use_edns=0, payload=1232), MANY, 1232)
    assert len(message.answer[0]) == 60
    assert message.payload == 4096


QUERY = question("www.example.com")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (QUERY[:-1], Refusal("FORMERR")),
        (QUERY[:4] + b"\0\2" + QUERY[6:], Refusal("FORMERR")),
        (QUERY[:4] + b"\0\0" + QUERY[6:12], Refusal("FORMERR")),
        (QUERY[:12] + b"\xc0\x0c" + QUERY[-4:], Refusal("FORMERR")),
        (QUERY[:2] + b"\x28" + QUERY[3:], Refusal("NOTIMP")),
        (QUERY[:-1] + b"\x03", Refusal("REFUSED")),
        (QUERY[:2] + b"\x80" + QUERY[3:], None),
        (QUERY[:11], None),
        (b"", None),
    ],
    ids=["cut", "two questions", "no question", "name points to itself", "dynamic update", "class CHAOS", "response",
         "shorter than a header", "empty"],
)  # fmt: skip
def test_what_is_no_question(message: bytes, expected: Refusal | None) -> None:
    assert parse(message[2:]) == expected


def test_refusal_keeps_id_and_opcode() -> None:
    message = dns.message.from_wire(refuse(b"\x12\x34\x29" + QUERY[3:], Refusal("NOTIMP")))
    assert (message.id, message.rcode().name, message.opcode().name) == (0x1234, "NOTIMP", "UPDATE")
    assert message.flags & dns.flags.QR
    assert message.flags & dns.flags.RD


@given(st.binary(max_size=600) | st.builds(
    lambda at, octets: QUERY[:at] + octets + QUERY[at + len(octets):], st.integers(0, len(QUERY)), st.binary(max_size=6)
))  # fmt: skip
def test_any_bytes_are_read_or_refused_and_any_question_can_be_answered(message: bytes) -> None:
    query = parse(message[2:])
    if isinstance(query, Refusal):
        assert len(refuse(message, query)) == 12
    elif query is not None:
        encode(query, Answer(Rcode.NXDOMAIN), 512)
