"""``python3 -m mongod``: start, serve until SIGTERM or SIGINT, end in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from mongod import arguments
from mongod.commands import Commands
from mongod.cursors import Cursors
from mongod.engine import CannotStart, Engine
from mongod.log import log
from mongod.server import Server
from mongod.session import VERSION, Host

# MongoDB's exit codes.
LISTENER_FAILED = 48
ENGINE_ENDED = 14


async def run(options: arguments.Arguments) -> int:
    """Serve; the exit code."""
    log("I", "CONTROL", 4615611, "initandlisten", "MongoDB starting",
        pid=os.getpid(), port=options.port, dbPath=str(options.dbpath), standIn="DocumentDB")  # fmt: skip
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    engine = Engine(options.dbpath)
    server: Server | None = None
    code = 0
    try:
        if await _unless_told(stopped, engine.start(options.root)):
            host = Host(options.auth, await engine.users())
            server = Server(host, Commands(engine, Cursors()))
            await server.listen(options.addresses, options.port)
            log("I", "CONTROL", 23403, "initandlisten", "Build Info", version=VERSION, modules=["stand-in"])
            log("I", "NETWORK", 23016, "listener", "Waiting for connections", port=options.port, ssl="off")
            if await _unless_told(stopped, engine.wait()):
                log("F", "STORAGE", 0, "engine", "PostgreSQL has ended")
                code = ENGINE_ENDED
    except CannotStart as error:
        log("E", "CONTROL", 20557, "initandlisten", "DBException in initAndListen, terminating", error=str(error))
        code = error.code
    except OSError as error:
        log("E", "NETWORK", 20568, "initandlisten", "Error setting up listener", error=str(error))
        code = LISTENER_FAILED
    if server is not None:
        await server.stop()
    await engine.stop()
    log("I", "CONTROL", 23138, "SignalHandler", "Shutting down", exitCode=code)
    return code


async def _unless_told(stopped: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether ``work`` has come to its end; False where a signal came first."""
    told, done = asyncio.create_task(stopped.wait()), asyncio.create_task(work)
    await asyncio.wait({told, done}, return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        log("I", "CONTROL", 23377, "SignalHandler", "Received signal")
        done.cancel()
        await asyncio.wait({done})
        return False
    told.cancel()
    await done
    return True


def main() -> int:
    """The exit code."""
    try:
        options = arguments.parse(sys.argv[1:])
    except arguments.Refused as error:
        print(error, file=sys.stderr)
        return error.code
    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
