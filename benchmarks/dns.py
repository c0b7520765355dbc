"""How many DNS questions a second the server answers over UDP on one core, against a server that only echoes.

Run: ``python benchmarks/dns.py [questions]``. The servers run one after the other, each in a process of its own that is
bound to one core, and are asked by the same client on another, with a window of questions on the way:

- ``echo`` sends each datagram back: the most that Python and the loopback can do here;
- ``names``: 200 names with two addresses each, and names that do not exist;
- ``multivalue``: a service of 20 instances, of which each answer has 8, so that hardly an answer is like another.

The ratios are the server's rate by the echo's. Exit code 1 where either is below 10,000 a second.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random

import dnslib

from sandbox.clock import RealClock
from sandbox.controllers.dns import DnsController
from sandbox.dataplane.dns import DnsServer
from sandbox.model.route53 import HostedZone, RecordSet
from sandbox.timeline import Timeline

WANTED_RATE = 10_000
WINDOW = 32
NAMES = 200
TIMES = 3
INSTANCES, ANSWERED = 20, 8
TIMEOUT = 5.0


def names() -> list[str]:
    """Questions as a sandbox sees them: many for a few names, some for names that are not there."""
    asked = [f"service{number}.example.com" for number in range(NAMES)] + ["missing.example.com"] * (NAMES // 10)
    Random(0).shuffle(asked)
    return asked


def multivalue() -> list[str]:
    """One service, as a client without a cache asks for it."""
    return ["web.shop.local"]


ASKED: dict[str, Callable[[], list[str]]] = {"echo": names, "names": names, "multivalue": multivalue}


def zones() -> list[HostedZone]:
    """What is asked for."""
    hosts = [RecordSet(f"service{n}.example.com", "A", 60, (f"192.0.2.{n}", f"198.51.100.{n}")) for n in range(NAMES)]
    web = [
        RecordSet("web.shop.local", "A", 10, (f"10.0.0.{n}",), set_identifier=f"i-{n}", multivalue=True)
        for n in range(INSTANCES)
    ]
    return [HostedZone("Z1", "example.com", False, tuple(hosts)), HostedZone("Z2", "shop.local", True, tuple(web))]


def bind_to_core(number: int) -> None:
    """This process runs on that one core of those it may use, from now on; counted round."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})


def serve(kind: str, told: Connection) -> None:
    """Tell the address, serve until told to stop, and tell the seconds of computing that it took."""
    bind_to_core(0)
    if kind == "echo":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            told.send(udp.getsockname())
            begun = time.process_time()
            while True:
                message, client = udp.recvfrom(4096)
                if not message:
                    told.send(time.process_time() - begun)
                    return
                udp.sendto(message, client)
    controller = DnsController(zones, Timeline(RealClock()))
    controller.refresh()
    with DnsServer(controller.answer) as server:
        told.send(server.address)
        begun = time.process_time()
        told.recv()
    told.send(time.process_time() - begun)


def ask(kind: str, address: tuple[str, int], count: int) -> float:
    """Send ``count`` questions, `WINDOW` at a time on the way; the seconds until the last answer.

    Raises:
        AssertionError: The last answer of a multivalue service does not have its eight addresses.
    """
    bind_to_core(1)
    messages = [bytes(dnslib.DNSRecord.question(name, "A").pack()) for name in ASKED[kind]()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(address)
        udp.settimeout(TIMEOUT)
        questions = itertools.cycle(messages)
        begun = time.perf_counter()
        for _ in range(WINDOW):
            udp.send(next(questions))
        for _ in range(count - WINDOW):
            udp.recv(4096)
            udp.send(next(questions))
        for _ in range(WINDOW):
            answer = udp.recv(4096)
        took = time.perf_counter() - begun
    if kind == "multivalue":
        answered = dnslib.DNSRecord.parse(answer).rr
        assert len({str(record.rdata) for record in answered}) == ANSWERED, answered
    return took


def rate(kind: str, count: int) -> tuple[float, float]:
    """Questions a second, the best of three; and a second of the server's computing, whatever else its core does."""
    context = get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(kind, there))
    server.start()
    address = here.recv()
    try:
        with context.Pool(1) as pool:
            took = min(pool.apply(ask, (kind, address, count)) for _ in range(TIMES))
    finally:
        here.send("stop")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", address)
        computed = here.recv()
        server.join()
    return count / took, TIMES * count / computed


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    rates = {kind: rate(kind, count) for kind in ASKED}
    floor, _ = rates["echo"]
    for kind, (measured, computing) in rates.items():
        of_floor = measured / floor
        print(f"{kind:<10} {measured:>7,.0f}/s, {of_floor:.2f} of the echo's; {computing:>7,.0f} a second of computing")
    return 0 if min(measured for measured, _ in rates.values()) >= WANTED_RATE else 1


if __name__ == "__main__":
    sys.exit(main())
