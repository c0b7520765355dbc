"""How many DNS questions a second the server answers over UDP, against a server that only echoes.

Run: ``python benchmarks/dns.py [questions]``. Both servers run in this process one after the other, each asked by the
same client in a process of its own, with a window of questions on the way. The ratio is the server's rate by the
echo's: what is left of the most that Python and the loopback can do here. Exit code 1 below 10,000 a second.
"""

from __future__ import annotations

import itertools
import socket
import sys
import threading
import time
from multiprocessing import get_context
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
TIMEOUT = 5.0


def messages() -> list[bytes]:
    """Questions as a sandbox sees them: many for a few names, some for names that are not there."""
    names = [f"service{number}.example.com" for number in range(NAMES)] + ["missing.example.com"] * (NAMES // 10)
    Random(0).shuffle(names)
    return [bytes(dnslib.DNSRecord.question(name, "A").pack()) for name in names]


def ask(address: tuple[str, int], count: int) -> float:
    """Send ``count`` questions, `WINDOW` at a time on the way; the seconds until the last answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(address)
        udp.settimeout(TIMEOUT)
        questions = itertools.cycle(messages())
        begun = time.perf_counter()
        for _ in range(WINDOW):
            udp.send(next(questions))
        for _ in range(count - WINDOW):
            udp.recv(4096)
            udp.send(next(questions))
        for _ in range(WINDOW):
            udp.recv(4096)
        return time.perf_counter() - begun


def rate(address: tuple[str, int], count: int) -> float:
    """Questions a second, the best of three."""
    with get_context("spawn").Pool(1) as pool:
        return count / min(pool.apply(ask, (address, count)) for _ in range(3))


def echo_rate(count: int) -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def echo() -> None:
            while True:
                message, client = udp.recvfrom(4096)
                if not message:
                    return
                udp.sendto(message, client)

        thread = threading.Thread(target=echo)
        thread.start()
        try:
            return rate(udp.getsockname(), count)
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", udp.getsockname())
            thread.join()


def server_rate(count: int) -> float:
    record_sets = tuple(
        RecordSet(f"service{n}.example.com", "A", 60, (f"192.0.2.{n}", f"198.51.100.{n}")) for n in range(NAMES)
    )
    controller = DnsController(lambda: [HostedZone("Z1", "example.com", False, record_sets)], Timeline(RealClock()))
    controller.refresh()
    with DnsServer(controller.answer) as server:
        return rate(server.address, count)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    floor, ours = echo_rate(count), server_rate(count)
    print(f"echo {floor:,.0f}/s   dns {ours:,.0f}/s   ratio {ours / floor:.2f}   ({count:,} questions each)")
    return 0 if ours >= WANTED_RATE else 1


if __name__ == "__main__":
    sys.exit(main())
