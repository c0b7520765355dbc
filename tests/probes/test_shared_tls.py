"""A connection with TLS of which one thread reads while another writes."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

import pytest

from sandbox.dataplane.cdn.certificates import Authority
from sandbox.probes import shared_tls
from tests.secure import serving, trusting

AUTHORITY = Authority()


@pytest.fixture
def address():
    """Of a server, of which every answer is what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = serving(AUTHORITY, "shop.example.org")

    def echo(plain):
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as client:
            while data := client.recv(65536):
                client.sendall(data)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()
    listener.close()


@pytest.fixture
def connection(address):
    with shared_tls.connect(
        trusting(AUTHORITY), socket.create_connection(address, timeout=10), "shop.example.org"
    ) as made:
        yield made


def test_no_answer_is_lost_where_the_next_request_follows_at_once(connection):
    answered, failed = threading.Semaphore(0), []

    def read():
        try:
            while connection.recv(65536):
                answered.release()
        except OSError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(3000):
        connection.sendall(b"%d" % number)
        assert answered.acquire(timeout=10), (number, failed)
    connection.shutdown(socket.SHUT_RDWR)
    reader.join(10)
    assert (reader.is_alive(), failed) == (False, [])


def test_much_is_sent_while_it_is_read(connection):
    sent = bytes(range(256)) * 20_000
    writer = threading.Thread(target=connection.sendall, args=(sent,))
    writer.start()
    got = bytearray()
    while len(got) < len(sent):
        got += connection.recv(65536)
    writer.join()
    assert got == sent


def test_time_outs_are_those_of_any_socket(connection):
    assert connection.gettimeout() == 10
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        connection.recv(1)
    connection.settimeout(None)
    connection.send(b"a")
    buffer = bytearray(4)
    assert (connection.recv_into(buffer), bytes(buffer)) == (1, b"a\0\0\0")
    connection.close()
    with pytest.raises(OSError, match=r"."):
        connection.recv(1)


def test_a_certificate_that_is_refused_closes_the_connection(address):
    plain = socket.create_connection(address, timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shared_tls.connect(trusting(AUTHORITY), plain, "other.example.org")
    assert plain.fileno() == -1
