"""Engine.IO's packets and payloads, of both protocols."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.websocket import packets
from sandbox.model.websocket.packets import MalformedPacketError, Packet

DATA = st.text().filter(lambda text: packets.SEPARATOR not in text)
PACKETS = st.builds(Packet, st.sampled_from("0123456b"), DATA)
OPEN = '0{"sid":"a","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}'


@given(st.lists(PACKETS, min_size=1), st.sampled_from([3, 4]))
def test_what_is_encoded_is_decoded(given_, protocol):
    assert packets.decode_payload(packets.encode_payload(given_, protocol), protocol) == given_


@given(st.text(), st.sampled_from([3, 4]))
def test_any_text_is_a_payload_or_malformed(text, protocol):
    try:
        found = packets.decode_payload(text, protocol)
    except MalformedPacketError:
        return
    assert packets.decode_payload(packets.encode_payload(found, protocol), protocol) == found


@given(st.text())
def test_any_text_tells_of_a_protocol_or_of_none(text):
    assert packets.protocol_of(text) in {3, 4, None}
    told = packets.opened(Packet(packets.OPEN, text))
    assert packets.ping_interval(told) is None or told is not None
    packets.event_of(Packet(packets.MESSAGE, text))


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        (OPEN, 4),
        (f"{len(OPEN)}:{OPEN}2:40", 3),
        ("\x00\x09\x07\xff0{...", 3),
        ('0{"sid":1}', None),
        ("<html>", None),
        ("", None),
        ("0[1]", None),
    ],
)
def test_the_protocol_of_an_answer(body, protocol):
    assert packets.protocol_of(body) == protocol


@pytest.mark.parametrize("body", ["", "7", "x:4", "5:4", "-1:", "99999999999:4", "2", "2:4x3"])
def test_payloads_of_protocol_3_that_are_malformed(body):
    if body:
        with pytest.raises(MalformedPacketError):
            packets.decode_payload(body, 3)
    else:
        assert packets.decode_payload(body, 3) == []


def test_lengths_of_protocol_3_are_of_characters():
    assert packets.decode_payload("3:4äö2:40", 3) == [Packet("4", "äö"), Packet("4", "0")]


def test_events():
    assert str(packets.event("say", {"a": 1})) == '42["say",{"a":1}]'
    assert packets.event_of(Packet("4", '2["said",1,2]')) == ("said", [1, 2])
    assert packets.event_of(Packet("4", '27["said"]')) == ("said", [])
    assert packets.event_of(Packet("4", '51-["said",{"_placeholder":true}]')) == ("said", [{"_placeholder": True}])
    for other in ("0", "2[", "2[]", "2[1]", '2/chat,["said"]', '3["said"]', ""):
        assert packets.event_of(Packet("4", other)) is None
    assert packets.event_of(Packet("2", '2["said"]')) is None


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"pingInterval": 25000}, 25.0),
        ({"pingInterval": 0}, None),
        ({"pingInterval": "x"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_ping_interval(told, seconds):
    assert packets.ping_interval(told) == seconds
