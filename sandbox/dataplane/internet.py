"""The sandbox's internet as this machine sees it: names become addresses, and a door on 127.0.0.1 leads to a name.

The network's bridge gives this machine the network's first address, so what runs here can connect as a viewer does,
without a container. Only the network's own addresses are ever connected to: a record may hold any other one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Network

from sandbox.dataplane.connections import serve
from sandbox.errors import SandboxError

CONNECT_TIMEOUT = 3.0
_CHUNK = 65536


class Internet:
    """Names and addresses of the sandbox's internet.

    Args:
        resolve: The addresses of a name, [] where it has none; thread-safe.
        cidr: The network; this machine has its first address.
    """

    def __init__(self, resolve: Callable[[str], Sequence[str]], cidr: IPv4Network) -> None:
        self._resolve = resolve
        self._cidr = cidr
        # Connections leave by the bridge, or, once that is gone, not at all.
        self.source = (str(cidr.network_address + 1), 0)

    def addresses(self, name: str) -> list[str]:
        """Where to connect for ``name``, which may be an address.

        Raises:
            socket.gaierror: It does not resolve.
            OSError: It leads out of the sandbox's internet.
        """
        found = [name] if _is_address(name) else list(self._resolve(name))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "the name does not resolve")
        inside = [address for address in found if ipaddress.ip_address(address) in self._cidr]
        if not inside:
            raise OSError(f"{found[0]} is not an address of the sandbox's internet ({self._cidr})")
        return inside

    def connect(self, name: str, port: int, timeout: float) -> socket.socket:
        """A connection to the first address of ``name`` (OSError where there is none within ``timeout`` seconds)."""
        return socket.create_connection((self.addresses(name)[0], port), timeout=timeout, source_address=self.source)


class Door:
    """A port of 127.0.0.1 that leads to a name: DNS is asked for each connection.

    Args:
        internet: Where the name is.
        name: A DNS name, such as "blog.example.com".
        target_port: The port at the name.
        port: The port of 127.0.0.1 (0: any free one).
        context: With one the door speaks TLS to the name, and whoever comes to the door does not.

    Raises:
        SandboxError: The port is in use.
    """

    def __init__(
        self, internet: Internet, name: str, target_port: int, port: int = 0, context: ssl.SSLContext | None = None
    ) -> None:
        self._internet = internet
        self._name = name
        self._target_port = target_port
        self._context = context
        try:
            listener = socket.create_server(("127.0.0.1", port), backlog=128)
        except OSError as error:
            raise SandboxError(
                f"port {port} on 127.0.0.1 cannot lead to {name}",
                state=error.strerror or str(error),
                hint="another program has that port: choose another one, or leave it out for any free port",
            ) from error
        listener.setblocking(False)
        self.port: int = listener.getsockname()[1]
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        self._stop = partial(loop.call_soon_threadsafe, stop.set)
        self._thread = threading.Thread(
            target=serve, args=(loop, [(listener, self._lead)], stop), name=f"door-{name}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close the port and cut what is open."""
        self._stop()
        self._thread.join()

    async def _lead(self, viewer: socket.socket) -> None:
        """Carry one connection; where the name leads nowhere, the viewer's is closed."""
        loop = asyncio.get_running_loop()
        address = self._internet.addresses(self._name)[0]
        with socket.socket() as target:
            target.setblocking(False)
            target.bind(self._internet.source)
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.sock_connect(target, (address, self._target_port))
                if self._context is not None:
                    secure = await asyncio.open_connection(sock=target, ssl=self._context, server_hostname=self._name)
            try:
                async with asyncio.TaskGroup() as both:
                    if self._context is not None:
                        both.create_task(_encrypt(viewer, secure[1]))
                        both.create_task(_decrypt(secure[0], viewer))
                    else:
                        both.create_task(_copy(viewer, target))
                        both.create_task(_copy(target, viewer))
            except* OSError:  # one side has reset the connection: closing both is all that is left to do
                pass
            finally:
                if self._context is not None:
                    secure[1].transport.abort()


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _CHUNK):
        await loop.sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)


async def _encrypt(source: socket.socket, target: asyncio.StreamWriter) -> None:
    while data := await asyncio.get_running_loop().sock_recv(source, _CHUNK):
        target.write(data)
        await target.drain()
    target.close()  # TLS is not closed by halves


async def _decrypt(source: asyncio.StreamReader, target: socket.socket) -> None:
    while data := await source.read(_CHUNK):
        await asyncio.get_running_loop().sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
