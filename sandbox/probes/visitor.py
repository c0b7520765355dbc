"""A visitor: asks for a page again and again, and keeps the address of a name for as long as its TTL allows.

That is what a browser behind a resolver does, and why a new address in DNS is not yet a visitor at the new address.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from sandbox.errors import SandboxError
from sandbox.probes import http
from sandbox.probes.dns import DnsResult

INTERVAL = 0.2  # seconds
MAX_REQUESTS = 10_000
END_WITHIN = 10.0  # seconds for the request under way; each of its reads has a time-out of its own


class Visitor:
    """Asks from the start of a ``with`` block to its end, one request after the other, and records what changes.

    Timeline: ``visitor.outcome`` whenever status, error or address differ from the request before; at the end
    ``visitor.end`` with the number of requests and of those that were not answered 200.

    Args:
        url: http://NAME/PATH, or with https.
        resolve: Asks DNS for a name's addresses.
        connect: Gives, for an address, what connects to it in the URL's name's place (`sandbox.probes.http.Connect`).
        record: Writes an observation: kind and fields.
        timeout: Seconds to connect, and for each read.
        interval: Seconds from the end of a request to the next one.

    Raises:
        SandboxError: At the end of the block: the last request goes on and on.
    """

    def __init__(
        self,
        url: str,
        resolve: Callable[[str], DnsResult],
        connect: Callable[[str], http.Connect],
        record: Callable[..., Any],
        *,
        timeout: float = 1.0,
        interval: float = INTERVAL,
    ) -> None:
        self.url = url
        self._name = urlsplit(url).hostname or ""
        self._resolve = resolve
        self._connect = connect
        self._record = record
        self._timeout = timeout
        self._interval = interval
        self._address: tuple[float, str] = (0.0, "")  # until when it may be kept
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._visit, name="visitor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(END_WITHIN)
        if self._thread.is_alive() and error is None:
            raise SandboxError(
                f"a visitor's request to {self.url} has not ended within {END_WITHIN:g} s",
                state=f"at {self._address[1] or 'no address'}; an answer still comes, slowly",
            )

    def _visit(self) -> None:
        last: tuple[object, ...] = ()
        requests = failed = 0
        while not self._end.is_set() and requests < MAX_REQUESTS:
            outcome = self._request()
            requests += 1
            failed += outcome["status"] != 200
            if tuple(outcome.values()) != last:
                last = tuple(outcome.values())
                self._record("visitor.outcome", url=self.url, **outcome)
            self._end.wait(self._interval)
        self._record("visitor.end", url=self.url, requests=requests, failed=failed)

    def _request(self) -> dict[str, object]:
        try:
            address = self._kept_address()
        except SandboxError as error:
            return {"status": 0, "error": error.message, "remote_ip": ""}
        if not address:
            return {"status": 0, "error": "the name does not resolve", "remote_ip": ""}
        result = http.request(self._connect(address), self.url, self._timeout)
        return {"status": result.status, "error": result.error, "remote_ip": address}

    def _kept_address(self) -> str:
        until, address = self._address
        if time.monotonic() < until:
            return address
        answer = self._resolve(self._name)
        address = next(iter(answer.values), "")
        self._address = (time.monotonic() + (answer.ttl or 0), address)
        return address
