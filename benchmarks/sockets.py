"""2,000 open Socket.IO clients over a rolling deploy behind a load balancer: who is cut before AWS would cut them?

The stack is socketio-alb. A client stays with its task while that drains; when the deregistration delay is over, it is
cut, connects again (to a new task), and must stay there. Exit 1 where a client was cut before the first delay was over,
could not come back, or was cut a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, RejectConnection, Request, TextMessage

from sandbox.controllers.sandbox import Sandbox
from sandbox.timeline import Observation

CLIENTS = 2000
DELAY = 15  # seconds, of deregistration
AT_ONCE = 100  # connections being made
NAME, CLUSTER, TASKS = "chat.example.com", "chat", 3
CONNECT_WITHIN = 30.0
TOLERANCE = 0.5  # seconds between the timeline's clock and this one's reading


@dataclass
class Counts:
    """What happened, by the wall clock."""

    cuts: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    again: int = 0
    failed: list[str] = field(default_factory=list)
    open: int = 0


class Client:
    """One Engine.IO client that speaks WebSockets alone and answers pings."""

    def __init__(self, address: str, counts: Counts, turn: asyncio.Semaphore) -> None:
        self._address = address
        self._counts = counts
        self._turn = turn

    async def run(self, ready: asyncio.Event) -> None:
        """Stay connected until cancelled; one cut is expected, a second one is counted."""
        for attempt in range(2):
            begun = time.time()
            try:
                async with self._turn, asyncio.timeout(CONNECT_WITHIN):
                    reader, writer, connection = await self._open()
            except (OSError, TimeoutError, RuntimeError) as error:
                self._counts.failed.append(f"{type(error).__name__}: {error}")
                ready.set()
                return
            self._counts.open += 1
            if attempt:
                self._counts.back.append(time.time() - begun)
            ready.set()
            try:
                await self._talk(reader, writer, connection)
            finally:
                self._counts.open -= 1
                writer.close()
            self._counts.cuts.append(time.time())
            self._counts.again += attempt

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, WSConnection]:
        reader, writer = await asyncio.open_connection(self._address, 80)
        connection = WSConnection(ConnectionType.CLIENT)
        target = "/socket.io/?EIO=4&transport=websocket"
        headers = [(b"Origin", f"http://{NAME}".encode())]
        writer.write(connection.send(Request(host=NAME, target=target, extra_headers=headers)))
        while True:
            data = await reader.read(4096)
            if not data:
                raise RuntimeError("closed before 101")
            connection.receive_data(data)
            for event in connection.events():
                if isinstance(event, RejectConnection):
                    raise RuntimeError(f"HTTP {event.status_code}")  # noqa: TRY004 # a refusal, no wrong type
                if isinstance(event, AcceptConnection):
                    writer.write(connection.send(Message(data="40")))
                    return reader, writer, connection

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: WSConnection) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                connection.receive_data(data)
                for event in connection.events():
                    if isinstance(event, CloseConnection):
                        return
                    if isinstance(event, TextMessage) and event.data == "2":
                        writer.write(connection.send(Message(data="3")))


async def hold(address: str, counts: Counts, all_open: threading.Event, end: threading.Event) -> None:
    """Open every client, and hold them until ``end``."""
    turn = asyncio.Semaphore(AT_ONCE)
    ready = [asyncio.Event() for _ in range(CLIENTS)]
    running = [asyncio.create_task(Client(address, counts, turn).run(one)) for one in ready]
    for one in ready:
        await one.wait()
    all_open.set()
    await asyncio.to_thread(end.wait)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def main() -> None:
    """Run the deploy under the clients and print what became of them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * CLIENTS + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    counts, all_open, end = Counts(), threading.Event(), threading.Event()
    with Sandbox(progress=lambda text: print(text, file=sys.stderr)) as sandbox:
        sandbox.stack("socketio-alb", {"deregistration_delay": str(DELAY)})
        sandbox.wait_healthy(TASKS)
        (address,) = sandbox.resolve(NAME).values
        holding = threading.Thread(target=lambda: asyncio.run(hold(address, counts, all_open, end)), daemon=True)
        holding.start()
        if not all_open.wait(180):
            raise SystemExit(f"only {counts.open} of {CLIENTS} clients are open: {counts.failed[:3]}")
        opened = counts.open
        ecs, mark = sandbox.aws("ecs"), sandbox.timeline.mark()
        old = set(ecs.list_tasks(cluster=CLUSTER, serviceName="app")["taskArns"])
        ecs.update_service(cluster=CLUSTER, service="app", forceNewDeployment=True)
        gone: set[str] = set()

        def replaced(seen: Observation) -> bool:
            if seen.kind == "task.state" and seen["last_status"] == "STOPPED":
                gone.add(seen["task"])
            return gone >= old

        sandbox.timeline.wait_for("the old tasks to stop", replaced, within=300, since=mark)
        until = time.monotonic() + CONNECT_WITHIN
        while counts.open < CLIENTS and time.monotonic() < until:
            time.sleep(0.2)  # plain sockets of this process: nothing else tells
        still_open = counts.open
        draining = [
            seen.at
            for seen in sandbox.timeline.since(mark)
            if seen.kind == "target.health" and seen["state"] == "draining"
        ]
        end.set()
        holding.join(30)
    first = min(draining)
    early = [at for at in counts.cuts if at < first + DELAY - TOLERANCE]
    print(f"{opened} of {CLIENTS} clients were open when the deploy began; deregistration delay {DELAY} s")
    if counts.cuts:
        after = sorted(at - first for at in counts.cuts)
        print(f"{len(after)} were cut, {after[0]:.1f} to {after[-1]:.1f} s after the first target began to drain")
    print(f"cut before their delay was over: {len(early)}; a second time: {counts.again}")
    if counts.back:
        print(f"{len(counts.back)} came back, half of them within {statistics.median(counts.back):.1f} s")
    print(f"could not connect: {len(counts.failed)} {counts.failed[:3] or ''}")
    print(f"{still_open} of {CLIENTS} are open after the deploy")
    sys.exit(bool(early or counts.again or counts.failed or still_open < CLIENTS))


if __name__ == "__main__":
    main()
