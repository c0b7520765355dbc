"""The sandbox's internet from this machine: where names lead, and doors."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network

import pytest

from sandbox.dataplane.cdn.certificates import Authority
from sandbox.dataplane.internet import Door, Internet
from sandbox.errors import SandboxError
from tests.secure import serving, trusting

# This machine's loopback stands for the bridge: it has every address of its range, the first one too.
LOOPBACK = IPv4Network("127.0.0.0/8")


def internet(**names: list[str]) -> Internet:
    return Internet(lambda name: names.get(name, []), LOOPBACK)


@pytest.fixture
def server() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Serves each connection on a thread; the port."""
    with contextlib.ExitStack() as stack:

        def serve(handle: Callable[[socket.socket], None]) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.9", 0)))

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        with connection:
                            handle(connection)

            threading.Thread(target=accept, daemon=True).start()
            return int(listener.getsockname()[1])

        yield serve


@pytest.fixture
def door() -> Iterator[Callable[..., Door]]:
    with contextlib.ExitStack() as stack:

        def make(*arguments: object, **options: object) -> Door:
            made = Door(*arguments, **options)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield make


def shout(connection: socket.socket) -> None:
    """Everything until the client has said all, in upper case, from whom first."""
    said = b""
    while data := connection.recv(65536):
        said += data
    connection.sendall(connection.getpeername()[0].encode() + b" " + said.upper())


def ask(port: int, text: bytes) -> bytes:
    """What comes back; nothing where the door leads nowhere, which may show as a reset."""
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as client,
        contextlib.suppress(OSError),
    ):
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            answer += data
    return answer


def test_a_name_an_address_and_no_name() -> None:
    seen = internet(blog=["127.0.0.9", "127.0.0.8"])
    assert seen.addresses("blog") == ["127.0.0.9", "127.0.0.8"]
    assert seen.addresses("127.0.0.7") == ["127.0.0.7"]
    with pytest.raises(socket.gaierror, match="does not resolve"):
        seen.addresses("other")


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1"])
def test_nothing_but_the_sandboxs_internet_is_connected_to(address: str) -> None:
    seen = internet(blog=[address])
    for name in ("blog", address):
        with pytest.raises(OSError, match="not an address of the sandbox's internet"):
            seen.connect(name, 80, 1)


def test_a_door_carries_both_ways_with_half_closed_connections(server, door) -> None:
    port = server(shout)
    made = door(internet(blog=["127.0.0.9"]), "blog", port)
    big = b"x" * 3_000_000
    assert ask(made.port, big) == b"127.0.0.1 " + big.upper()


def test_a_door_asks_dns_for_each_connection(server, door) -> None:
    port, names = server(shout), {"blog": ["127.0.0.8"]}
    made = door(Internet(lambda name: names.get(name, []), LOOPBACK), "blog", port)
    assert ask(made.port, b"nobody is there") == b""
    names["blog"] = ["127.0.0.9"]
    assert ask(made.port, b"hello") == b"127.0.0.1 HELLO"
    del names["blog"]
    assert ask(made.port, b"no such name") == b""


@pytest.mark.parametrize(("certified", "answer"), [("blog", b"127.0.0.1 HELLO"), ("other", b"")])
def test_a_door_that_ends_tls_looks_at_the_certificate(server, door, certified: str, answer: bytes) -> None:
    authority = Authority()
    context = serving(authority, certified)

    def shout_by_tls(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(secure.getpeername()[0].encode() + b" " + secure.recv(65536).upper())

    made = door(internet(blog=["127.0.0.9"]), "blog", server(shout_by_tls), context=trusting(authority))
    with (
        socket.create_connection(("127.0.0.1", made.port), timeout=5) as client,
        contextlib.suppress(ConnectionResetError),
    ):
        client.sendall(b"hello")
        assert client.recv(100) == answer
        assert client.recv(100) == b""


def test_a_target_that_resets_ends_the_viewers_connection(server, door) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    made = door(internet(blog=["127.0.0.9"]), "blog", server(reset))
    with socket.create_connection(("127.0.0.1", made.port), timeout=5) as client:
        client.sendall(b"x")
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_a_door_that_is_closed_is_no_port_any_more(door) -> None:
    made = Door(internet(), "blog", 80)
    made.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", made.port), timeout=5)


def test_a_port_in_use_is_named(door) -> None:
    taken = door(internet(), "blog", 80).port
    with pytest.raises(SandboxError, match=f"port {taken} on 127.0.0.1") as caught:
        door(internet(), "blog", 80, taken)
    assert "in use" in caught.value.state
