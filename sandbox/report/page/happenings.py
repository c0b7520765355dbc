"""Rows of what happens at once or often: requests by outcome, events, functions, what a script noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from sandbox.report.page.picture import Bar, Mark, Row, Tone
from sandbox.timeline import Observation

# From so many on, a row's marks are counted instead: they would lie on each other.
_MANY = 80

_Told = tuple[str, Tone, str]  # row, tone, label


def requests(seen: Sequence[Observation], _end: float) -> list[Row]:
    """Answers by who saw them: viewers by host, load balancers, distributions, visitors, crowds, browsers."""
    return _rows(seen, _REQUESTS)


def _status(status: int) -> Tone:
    return "bad" if status >= 500 or not status else "going" if status >= 400 else "good"


def _response(one: Observation) -> _Told:
    url, status = urlsplit(one["url"]), int(one["status"])
    cache = f", {one['x_cache']}" if one.get("x_cache") else ""
    outcome = f"HTTP {status}{cache}" if status else one["error"]
    return f"viewer of {url.netloc}", _status(status), f"{one.get('method', 'GET')} {url.path or '/'}: {outcome}"


def _balancer(one: Observation) -> _Told:
    why = f": {one['reason']}" if one["reason"] else ""
    label = f"{one['method']} {one['url']}: {one['status']}, {one['target'] or 'no target'}{why}"
    return f"ALB {one['balancer']}", _status(one["status"]), label


def _edge(one: Observation) -> _Told:
    label = f"{one['method']} {one['url']}: {one['status']} {one['x_cache']}"
    return f"CloudFront {one['distribution']}", _status(one["status"]), label


def _visitor(one: Observation) -> _Told:
    status = one["status"]
    where = f" from {one['remote_ip']}" if one["remote_ip"] else ""
    return f"visitor of {urlsplit(one['url']).netloc}", _status(status), f"{status or one['error']}{where}"


def _step(one: Observation) -> _Told:
    good = one["outcome"] in {"ok", "done"}
    return f"socket.io, {one['client']}", "good" if good else "bad", f"{one['step']}: {one['outcome']}"


def _visited(one: Observation) -> _Told:
    works = one["works"]
    tone: Tone = "plain" if works is None else "good" if works else "bad"
    said = {None: one["status"], True: "works", False: "does not work"}[works]
    return f"browser, tab {one['tab']}", tone, f"{one['action']} {one['url']}: {said}"


_REQUESTS: Mapping[str, Callable[[Observation], _Told]] = {
    "http.response": _response,
    "alb.response": _balancer,
    "cdn.response": _edge,
    "cdn.origin_error": lambda one: (f"CloudFront {one['distribution']}", "bad", f"{one['origin']}: {one['error']}"),
    "visitor.outcome": _visitor,
    "socketio.step": _step,
    "crowd.cut": lambda one: ("crowd of sockets", "bad", f"client {one['client']} was cut: {one['reason']}"),
    "crowd.back": lambda one: ("crowd of sockets", "good", f"client {one['client']} is back"),
    "page.broken": lambda one: ("page loads", "bad", f"{one['load']} load of {one['url']}: {one['cause']}"),
    "browser.visited": _visited,
}


def functions(seen: Sequence[Observation], _end: float) -> list[Row]:
    """Invocations of Lambda functions."""
    of: dict[str, list[Bar]] = defaultdict(list)
    for one in seen:
        if one.kind == "lambda.invocation":
            good = one["status"] == "Success"
            label = "Success" if good else f"{one['status']}: {one.get('error') or ''}"
            begin = one.at - one["duration_ms"] / 1000
            text = f"{one['trigger']}, attempt {one['attempt']}, {one['duration_ms']:.0f} ms"
            of[one["function"]].append(Bar(begin, one.at, "good" if good else "bad", label, text))
    return [Row(name, tuple(bars)) for name, bars in of.items()]


def events(seen: Sequence[Observation], _end: float) -> list[Row]:
    """What came to event buses and what became of it, and what services said."""
    return _rows(seen, _EVENTS)


def _published(one: Observation) -> _Told:
    status = " ".join(str(one[key]) for key in ("lastStatus", "desiredStatus") if one.get(key))
    rules = f" -> {', '.join(one['rules'])}" if one["rules"] else ""
    return one["detail_type"], "good" if one["rules"] else "plain", f"{status or one['detail_type']}{rules}"


def _arn(arn: str) -> str:
    return arn.rpartition(":")[2]


_EVENTS: Mapping[str, Callable[[Observation], _Told]] = {
    "event.published": _published,
    "event.retry": lambda one: (
        "deliveries that failed",
        "wait",
        f"{_arn(one['target'])}: {one['error']}, tried again",
    ),
    "event.failed": lambda one: ("deliveries that failed", "bad", f"{_arn(one['target'])}: {one['error']}"),
    "event.deadletter": lambda one: ("deliveries that failed", "bad", f"to the queue {_arn(one['queue'])}"),
    "sns.delivery": lambda one: (
        f"SNS {_arn(one['topic'])}",
        "bad" if one["error"] else "good",
        f"{one['protocol']} {one['endpoint']}: {one['error'] or 'taken'}",
    ),
    "service.event": lambda one: (f"service {one['service'].rsplit('/', 1)[-1]}", "plain", str(one["message"])),
    "task.unplaced": lambda one: ("tasks not placed", "bad", str(one["reason"])),
}


def notes(seen: Sequence[Observation], known: frozenset[str]) -> list[Row]:
    """All that no other row shows, but for what a person would not look for."""
    of: dict[str, list[Mark]] = defaultdict(list)
    for one in seen:
        if one.kind not in known | _NOT_SHOWN:
            of[one.kind].append(Mark(one.at, "plain", _brief(one)))
    return [_row(name, marks) for name, marks in of.items()]


_NOT_SHOWN = frozenset({"stack.call", "dns.answer", "event.delivered", "lambda.function", "security_group.applied"})
SHOWN = frozenset({*_REQUESTS, *_EVENTS, "lambda.invocation"})
"""The kinds that `requests`, `events` and `functions` show."""


def _brief(one: Observation) -> str:
    return str(one)[len(one.kind) + 1 :]


def _rows(seen: Sequence[Observation], told: Mapping[str, Callable[[Observation], _Told]]) -> list[Row]:
    of: dict[str, list[Mark]] = defaultdict(list)
    for name, mark in _told(seen, told):
        of[name].append(mark)
    return [_row(name, marks) for name, marks in of.items()]


def _told(
    seen: Sequence[Observation], told: Mapping[str, Callable[[Observation], _Told]]
) -> Iterator[tuple[str, Mark]]:
    for one in seen:
        if one.kind in told:
            name, tone, label = told[one.kind](one)
            yield name, Mark(one.at, tone, label)


def _row(name: str, marks: list[Mark]) -> Row:
    if len(marks) <= _MANY:
        return Row(name, marks=tuple(marks))
    return Row(name, counts=tuple((mark.at, mark.tone) for mark in marks))
