"""Route 53's health checks of endpoints: what is asked, what passes, and when the status changes.

Route 53 Developer Guide, "How Amazon Route 53 determines whether a health check is healthy"; API Reference,
"HealthCheckConfig". On AWS some fifteen checkers ask, each every 30 s, and the endpoint is healthy while more than 18 %
of them find it so; here one asks, and it alone decides.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_INTERVAL, DEFAULT_THRESHOLD = 30, 3
ANSWER_WITHIN = 2.0
"""Seconds from the connection to a status, and from there to the body, where a string is looked for."""
MAX_SEARCHED = 5120
"""Octets of a body, from its beginning, in which the string has to be."""
ENDPOINT_TYPES = frozenset({"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"})

_DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443}


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """The HealthCheckConfig of a health check that monitors an endpoint.

    Attributes:
        type: One of `ENDPOINT_TYPES`.
        address: The endpoint's; "": that of ``host``, asked from DNS each time.
        host: The FullyQualifiedDomainName, or "".
        search: What the body must have in it, for the types ..._STR_MATCH.
        interval: Seconds from an answer to the next request.
        threshold: Checks in a row that change the status.
        inverted: Whether the status is told the other way round.
        disabled: Nothing is asked, and the status is healthy.
        names_host: Whether TLS names the host (EnableSNI).
    """

    type: str
    address: str
    port: int
    host: str = ""
    path: str = "/"
    search: str = ""
    interval: float = DEFAULT_INTERVAL
    threshold: int = DEFAULT_THRESHOLD
    inverted: bool = False
    disabled: bool = False
    names_host: bool = False

    @property
    def protocol(self) -> str:
        """HTTP, HTTPS or TCP."""
        return self.type.partition("_")[0]

    @property
    def connect_within(self) -> float:
        """Seconds for the TCP connection."""
        return 10.0 if self.type == "TCP" else 4.0

    def request(self) -> bytes:
        """What is sent; the Host header has the port unless it is the protocol's ("FullyQualifiedDomainName")."""
        host = self.host or self.address
        if self.port != _DEFAULT_PORTS[self.protocol]:
            host = f"{host}:{self.port}"
        path = self.path if self.path.startswith("/") else "/" + self.path
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: Amazon-Route53-Health-Check-Service"]
        return "\r\n".join([*lines, "Accept: */*", "Connection: close", "", ""]).encode("latin-1", "replace")

    def failure(self, status: int, body: bytes) -> str:
        """Why an answer does not pass, or ""."""
        if not 200 <= status < 400:
            return f"HTTP Status Code {status}"
        if self.type.endswith("_STR_MATCH") and self.search.encode() not in body[:MAX_SEARCHED]:
            return "the search string is not in the body"
        return ""


class HealthCheck:
    """The status of one health check.

    Attributes:
        check: What is checked, and how.
        healthy: What its checks have come to; True until they have come to anything.
        known: Whether they have.
        last: What the last one found: "" for a success.
    """

    def __init__(self, check: EndpointCheck) -> None:
        self.check = check
        self.healthy = True
        self.known = False
        self.last: str | None = None
        self._otherwise = 0

    @property
    def status(self) -> bool:
        """Whether records with this health check are healthy."""
        return self.check.disabled or self.healthy != self.check.inverted

    def found(self, failure: str) -> bool:
        """A check has passed (""), or failed; whether something is known now that was not before."""
        self.last = failure
        passed = not failure
        self._otherwise = self._otherwise + 1 if passed != self.healthy else 0
        if self._otherwise >= self.check.threshold:
            self.healthy, self._otherwise, self.known = passed, 0, True
            return True
        if passed and self.healthy and not self.known:
            self.known = True
            return True
        return False
