"""The stand-in's own parts that know no I/O: messages, logins, error numbers, the command line."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import struct
import sys

import bson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.engine.catalogue import CATALOGUE


@pytest.fixture(scope="module", autouse=True)
def mongod_package():
    """The package as the image has it; nothing is written beside it, because its folder's content names the image."""
    folder, writes = str(CATALOGUE["mongo"].context), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    yield
    sys.path.remove(folder)
    sys.dont_write_bytecode = writes


def section(kind, content):
    return bytes([kind]) + content


def sequence(name, *documents):
    content = name.encode() + b"\0" + b"".join(map(bson.encode, documents))
    return section(1, struct.pack("<i", len(content) + 4) + content)


def message(*sections, flags=0, opcode=2013, number=7):
    content = struct.pack("<I", flags) + b"".join(sections)
    return struct.pack("<iiii", 16 + len(content), number, 0, opcode), content


def body(document):
    return section(0, bson.encode(document))


def test_a_command_with_a_document_sequence():
    from mongod import wire

    header, content = message(body({"insert": "c", "$db": "db"}), sequence("documents", {"_id": 1}, {"_id": 2}))
    assert wire.body_length(header) == len(content)
    request = wire.parse(header, content)
    assert (request.number, request.name, request.body["$db"], request.wants_reply) == (7, "insert", "db", True)
    assert [document["_id"] for document in wire.documents(request.sequences["documents"])] == [1, 2]


def test_an_unacknowledged_command_and_an_exhaust_one():
    from mongod import wire

    assert not wire.parse(*message(body({"ping": 1}), flags=1 << 1)).wants_reply
    assert wire.parse(*message(body({"hello": 1}), flags=1 << 16)).exhaust


def test_an_old_drivers_hello_and_its_reply():
    from mongod import wire

    content = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode({"isMaster": 1})
    request = wire.parse(struct.pack("<iiii", 16 + len(content), 3, 0, 2004), content)
    assert (request.name, request.legacy) == ("isMaster", True)
    reply = wire.reply(request, bson.encode({"ok": 1.0}), 9)
    assert struct.unpack_from("<iiii", reply) == (len(reply), 9, 3, 1)
    assert bson.decode(reply[36:]) == {"ok": 1.0}


@pytest.mark.parametrize(
    "malformed",
    [
        message(),
        message(body({"ping": 1}), body({"ping": 1})),
        message(section(2, bson.encode({}))),
        message(body({"ping": 1}), sequence("a"), sequence("a")),
        message(body({"ping": 1}), flags=1 << 3),
        message(section(0, b"\x64\0\0\0\0")),
        message(body({"ping": 1}) + b"\1\2"),
        message(section(0, b"\x09\0\0\0\x7fx\0\0\0")),
    ],
    ids=["empty", "two-bodies", "kind", "twice", "flag", "beyond", "rest", "bson"],
)
def test_what_is_no_message(malformed):
    from mongod import wire

    with pytest.raises(wire.Malformed):
        wire.parse(*malformed)


@given(st.sampled_from([2013, 2004]), st.binary(max_size=200))
@example(2013, b"\0\0\0\0\0\x05\0\0\0\0")
@example(2004, b"\0\0\0\0.$cmd\0")
def test_any_bytes_are_a_request_or_malformed(opcode, content):
    from mongod import wire

    header = struct.pack("<iiii", 16 + len(content), 1, 0, opcode)
    with contextlib.suppress(wire.Malformed):
        assert isinstance(wire.parse(header, content).name, str)


def client_proof(password, first, answer, without_proof):
    """What a client that knows the password sends, by RFC 5802."""
    fields = dict(part.split("=", 1) for part in answer.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    signed = f"{first},{answer},{without_proof}".encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
    return base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode(), server


def converse(password, *, nonce="abc", user="n=root", binding="biws"):
    from mongod import scram

    conversation = scram.Conversation({"root": scram.Credentials.of("secret"), "a,b=c": scram.Credentials.of("x")}.get)
    first = f"{user},r={nonce}"
    answer = conversation.begin(f"n,,{first}".encode()).decode()
    without_proof = f"c={binding},r={answer[2:].split(',')[0]}"
    proof, server = client_proof(password, first, answer, without_proof)
    assert conversation.finish(f"{without_proof},p={proof}".encode()) == b"v=" + base64.b64encode(server)
    return conversation


def test_the_right_password_logs_in():
    assert converse("secret").done
    assert converse("x", user="n=a=2Cb=3Dc").user == "a,b=c"


@pytest.mark.parametrize(
    "attempt", [{"password": "wrong"}, {"password": "secret", "user": "n=nobody"}, {"password": "secret", "nonce": ""}]
)
def test_anything_else_does_not(attempt):
    from mongod import scram

    with pytest.raises(scram.Refused):
        converse(**attempt)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_log_in(first, last):
    from mongod import scram

    conversation = scram.Conversation({"root": scram.Credentials(b"salt", 1, b"k" * 32, b"s" * 32)}.get)

    def attempt():
        conversation.begin(first)
        conversation.finish(last)

    with pytest.raises(scram.Refused):
        attempt()
    assert not conversation.done


def test_the_engines_errors_have_mongodbs_numbers():
    from mongod.errors import CODES, name_of_sqlstate, sqlstate_of_number

    assert sqlstate_of_number(319029277) == "M001C"  # in the engine's answer to a second document with one _id
    assert CODES[name_of_sqlstate("M001C")] == 11000
    assert name_of_sqlstate("M0001") == "BadValue"
    assert name_of_sqlstate("M00ZZ") == "UnknownError"
    assert name_of_sqlstate("XX000") == "InternalError"


def test_the_command_line_and_the_environment():
    from mongod import arguments

    options = arguments.parse(["--port", "1234", "--bind_ip", "127.0.0.1,10.0.0.1"], {})
    assert (options.port, options.addresses, options.auth) == (1234, ("127.0.0.1", "10.0.0.1"), False)
    root = {"MONGO_INITDB_ROOT_USERNAME": "root", "MONGO_INITDB_ROOT_PASSWORD": "secret", "MONGO_INITDB_DATABASE": "x"}
    options = arguments.parse(["--bind_ip_all"], root)
    assert (options.addresses, options.root, options.auth) == (("0.0.0.0",), ("root", "secret"), True)


@pytest.mark.parametrize(
    "words", [["--replSet", "rs0"], ["--port", "0"], ["--port", "x"], ["--po", "1"], ["extra"], ["--dbpath"]]
)
def test_command_lines_that_are_refused(words):
    from mongod import arguments

    with pytest.raises(arguments.Refused) as caught:
        arguments.parse(words, {})
    assert caught.value.code == 2
