"""The connections of clients: each is a coroutine, so that one that is idle costs next to nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import socket
from collections.abc import Sequence

from mongod import wire
from mongod.commands import Commands
from mongod.log import log
from mongod.session import Host, Session

STOP_TIMEOUT = 5.0
BACKLOG = 1024


class Server:
    """Serves clients.

    Args:
        host: What they share.
        commands: Carries their commands out.
    """

    def __init__(self, host: Host, commands: Commands) -> None:
        self._host = host
        self._commands = commands
        self._numbers = itertools.count(1)
        self._replies = itertools.count(1)
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def listen(self, addresses: Sequence[str], port: int) -> None:
        """Take connections from now on.

        Raises:
            OSError: An address cannot be listened on.
        """
        self._listener = await asyncio.start_server(self._connected, addresses, port, backlog=BACKLOG)

    async def stop(self) -> None:
        """End the connections, each after the command that it is at."""
        if self._listener is None:
            return
        self._listener.close()
        self._host.closing.set()
        for task, writer in self._clients.items():
            if task not in self._busy:
                writer.close()
        if self._clients:
            await asyncio.wait(list(self._clients), timeout=STOP_TIMEOUT)
        for task in self._clients:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = writer.get_extra_info("peername")[:2]
        remote = f"{host}:{port}"
        session = Session(self._host, next(self._numbers), remote)
        log("I", "NETWORK", 22943, "listener", "Connection accepted", remote=remote,
            connectionId=session.number, connectionCount=len(self._clients))  # fmt: skip
        try:
            await self._serve(task, session, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            if isinstance(error, ConnectionError) and not self._host.closing.is_set():
                log("W", "NETWORK", 22989, session.context, "Error while serving; ending connection", error=str(error))
        except wire.Malformed as error:
            log("I", "NETWORK", 22988, session.context, "Error receiving request from client. Ending connection",
                remote=remote, error=str(error))  # fmt: skip
        finally:
            del self._clients[task]
            self._busy.discard(task)
            writer.close()
            log("I", "NETWORK", 22944, session.context, "Connection ended", remote=remote,
                connectionId=session.number, connectionCount=len(self._clients))  # fmt: skip

    async def _serve(
        self,
        task: asyncio.Task[None],
        session: Session,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while not self._host.closing.is_set():
            header = await reader.readexactly(wire.HEADER.size)
            content = await reader.readexactly(wire.body_length(header))
            self._busy.add(task)
            await self._answer(wire.parse(header, content), session, writer)
            self._busy.discard(task)

    async def _answer(self, request: wire.Request, session: Session, writer: asyncio.StreamWriter) -> None:
        """Answer a request; a client that watches the server (an exhaust hello) is answered again and again."""
        watching = request.exhaust and request.name in ("hello", "isMaster", "ismaster")
        while True:
            document = await self._commands.run(request, session)
            if not request.wants_reply:
                return
            number = next(self._replies) & 0x7FFFFFFF
            more = watching and not self._host.closing.is_set()
            writer.write(wire.reply(request, document, number, more=more))
            await writer.drain()
            if not more:
                return
            request = dataclasses.replace(request, number=number)
