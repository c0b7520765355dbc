"""``python3 -m mongod``: start, serve until SIGTERM or SIGINT, end in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from mongod import arguments
from mongod.commands import Commands
from mongod.cursors import Cursors
from mongod.engine import CannotStart, Engine
from mongod.log import log
from mongod.server import Server
from mongod.session import VERSION, Host

LISTENER_FAILED = 48  # MongoDB's exit code for a port that is in use


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
        await engine.start(options.root)
        host = Host(options.auth, await engine.users())
        server = Server(host, Commands(engine, Cursors()))
        await server.listen(options.addresses, options.port)
        log("I", "CONTROL", 23403, "initandlisten", "Build Info", version=VERSION, modules=["stand-in"])
        log("I", "NETWORK", 23016, "listener", "Waiting for connections", port=options.port, ssl="off")
        code = await _until_end(engine, stopped)
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


async def _until_end(engine: Engine, stopped: asyncio.Event) -> int:
    told, ended = asyncio.create_task(stopped.wait()), asyncio.create_task(engine.wait())
    await asyncio.wait({told, ended}, return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        log("I", "CONTROL", 23377, "SignalHandler", "Received signal")
        ended.cancel()
        return 0
    log("F", "STORAGE", 0, "engine", "PostgreSQL has ended", lastWords=ended.result())
    return 14


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
