"""What HAProxy's log says of an answer, in the load balancer's terms.

Statuses: Application Load Balancer guide, "Troubleshoot your Application Load Balancers". How a session ended:
HAProxy's configuration manual, "Session state at disconnection".
"""

from __future__ import annotations

from dataclasses import dataclass

LOG_FORMAT = r"%HM\t%ST\t%ts\t%b\t%s\t%f\t%[capture.req.hdr(0)]\t%HU"
CUT = "the deregistration delay was over"
MOST_ERRORS = 1000
"""Errors of the load balancer's own that are told of, from one change of it to the next."""
MOST_OUTCOMES = 4096
"""The same for all other answers."""
_NO_SERVER = "<NOSRV>"
_CLIENT_LEFT = "the client closed the connection before it had an answer"
# Who ended it, and when: while the request came (R), at the connection to the target (C), while its answer was awaited
# (H), while it came (D) and at its last bytes (L).
_REASONS = {
    "SC": "the target refused the connection",
    "sC": "the target did not take the connection in time",
    "SH": "the target closed the connection without an answer",
    "sH": "the target did not answer within the idle timeout",
    "PH": "the target's answer is not valid HTTP",
    "SD": "the target closed the connection in the middle of its answer",
    "SL": "the target closed the connection in the middle of its answer",
    "sD": "nothing came from the target within the idle timeout",
    "sL": "nothing came from the target within the idle timeout",
    "CD": "the client closed the connection in the middle of the answer",
    "CL": "the client closed the connection in the middle of the answer",
    "cD": "nothing came from the client within the idle timeout",
    "cL": "nothing came from the client within the idle timeout",
    "cR": "the client did not send its whole request within the idle timeout",
    "PR": "the request is not valid",
    "CC": _CLIENT_LEFT,
    "CH": _CLIENT_LEFT,
    "CQ": _CLIENT_LEFT,
}
_BY_STATUS = {
    400: "the request is not valid",
    405: "the method TRACE is not supported",
    414: "the URL is too long",
    463: "more than 30 addresses in X-Forwarded-For",
    503: "no target is registered",
}


@dataclass(frozen=True)
class Answer:
    """One request and what became of it.

    Attributes:
        method: "GET", ...
        url: Host and path, as the client has sent them.
        status: What the client got; 460: it had closed its connection.
        group: The backend.
        server: The target that was asked ("": none was).
        target_status: What the target said; None: it said nothing.
        reason: Why the load balancer answered itself, or why the answer is not whole ("": all is well).
        is_error: Whether an error that the load balancer made itself ended it.
    """

    method: str
    url: str
    status: int
    group: str
    server: str
    target_status: int | None
    reason: str
    is_error: bool


class Noted:
    """Which answers are worth telling of, so that no flood of requests fills the memory."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], tuple[int, int | None]] = {}
        self._told = self._errors = 0

    def takes(self, answer: Answer) -> bool:
        """Whether to tell of this one: an error of the load balancer's own, or another outcome of a URL than before."""
        if answer.is_error:
            self._errors += 1
            return self._errors <= MOST_ERRORS
        outcome = answer.status, answer.target_status
        if self._told >= MOST_OUTCOMES or self._outcomes.get((answer.method, answer.url)) == outcome:
            return False
        self._outcomes[answer.method, answer.url] = outcome
        self._told += 1
        return True


def read(line: str) -> Answer | None:
    """What a line of the log says; None: nothing that a client would call a request."""
    fields = line.rstrip("\n").split("\t", 7)
    if len(fields) != 8 or fields[0] == "<BADREQ>":
        return _bad(fields) if len(fields) == 8 else None
    method, shown, ended, group, server, _, host, path = fields
    server = "" if server == _NO_SERVER else server
    status = int(shown)
    if ended in {"CC", "CH", "CQ", "CR"}:
        status = 460
    elif ended[:1] == "K":
        status = 502 if ended[1:] in {"C", "H"} else status
    answered = bool(server) and ended[1:] in {"-", "D", "L"}
    reason = CUT if ended[:1] == "K" else _REASONS.get(ended, "")
    if not answered and not reason and not group.endswith("-answer"):
        reason = _BY_STATUS.get(status, "")
    return Answer(
        method=method,
        url=_url(host, path),
        status=status,
        group=group,
        server=server,
        target_status=status if answered else None,
        reason=reason,
        is_error=not answered and bool(reason),
    )


def _bad(fields: list[str]) -> Answer | None:
    status = int(fields[1])
    if status <= 0:  # a connection on which nothing was said
        return None
    return Answer("", "", status, "", "", None, _REASONS.get(fields[2], _BY_STATUS[400]), is_error=True)


def _url(host: str, path: str) -> str:
    if "://" in path:  # HTTP/2 says it whole
        return path.partition("://")[2]
    return ("" if host == "-" else host) + path
