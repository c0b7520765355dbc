"""The sandbox's gateway at a port of this container, for functions, which know AWS by a URL."""

from __future__ import annotations

import asyncio
import logging
import threading

from sandbox_localstack import settings

LOG = logging.getLogger(__name__)
_PIECE = 65536


class Relay:
    """Connections to the port go to the gateway's Unix socket.

    The port is open to other containers only where functions are containers.
    """

    def __init__(self) -> None:
        self._host = "0.0.0.0" if settings.runs_containers() else "127.0.0.1"
        self._listening = threading.Event()

    def start(self) -> None:
        """Listen; returns when the port is open, or raises TimeoutError."""
        threading.Thread(target=lambda: asyncio.run(self._serve()), name="sandbox-relay", daemon=True).start()
        if not self._listening.wait(10):
            raise TimeoutError(f"the relay to {settings.GATEWAY_SOCKET} does not listen on {settings.GATEWAY_PORT}")

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._talk, self._host, settings.GATEWAY_PORT)
        self._listening.set()
        async with server:
            await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_unix_connection(settings.GATEWAY_SOCKET)
        except OSError as error:
            LOG.error("the sandbox's gateway at %s does not answer: %s", settings.GATEWAY_SOCKET, error)
            writer.close()
            return
        try:
            await asyncio.gather(_copy(reader, forth), _copy(back, writer))
        finally:
            forth.close()
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()  # the other direction may have more to say
    except OSError:
        writer.close()  # which ends the other direction, too
