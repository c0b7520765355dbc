"""What is wrong with a WebSocket or Socket.IO server as clients see it, which hop breaks it, and what mends it.

The URLs are given from outside inwards. What fails at one and works at the next is broken by the server at the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from sandbox.model.websocket import observed, packets
from sandbox.model.websocket.causes import causes, lost_how
from sandbox.model.websocket.finding import Finding, worst_first
from sandbox.model.websocket.fixes import fix, server_of
from sandbox.model.websocket.observed import Seen, Session

_EXPLAINED_BY = {
    "upgrade-lost": ("upgrade-headers", "http-version", "unknown-variable", "request-headers-off", "not-proxied"),
    "unknown-session": ("no-stickiness",),
    "origin-refused": ("host-lost", "host-without-port"),
    "no-open-packet": ("host-lost", "host-without-port"),
    "closed-at-once": ("host-lost", "host-without-port"),
    "idle-cut": ("read-timeout",),
    "wrong-path": ("not-proxied", "path-changed"),
    "redirected": ("redirected",),
    "post-refused": ("post-refused",),
    "same-session": ("polling-cached",),
}
_SWITCHING = (observed.UPGRADING, observed.ONLY)
_VICTIMS = {
    "upgrade-headers": _SWITCHING,
    "http-version": _SWITCHING,
    "request-headers-off": _SWITCHING,
    "host-lost": (observed.POLLING, observed.ONLY),
    "host-without-port": (observed.POLLING, observed.ONLY),
    "no-stickiness": (observed.POLLING, observed.NO_COOKIES, observed.UPGRADING),
    "read-timeout": (observed.IDLE,),
    "post-refused": (observed.POLLING,),
    "path-changed": (observed.POLLING, observed.ONLY),
    "not-proxied": (observed.POLLING, observed.ONLY),
    "redirected": (observed.POLLING, observed.ONLY),
}


def conclude(urls: Sequence[Seen], configured: Sequence[Finding] = ()) -> list[Finding]:
    """All findings, the worst first.

    Args:
        urls: What was seen, from outside inwards; none: the configuration alone is judged.
        configured: What the configuration of the first of them shows.
    """
    if not urls:
        return worst_first(configured)
    found = [_made(cause, sessions, urls) for cause, sessions in causes(urls[0]).items()]
    found += _others(urls)
    used: set[Finding] = set()
    for at, one in enumerate(found):
        lines = [line for line in configured if line.rule in _EXPLAINED_BY.get(one.rule, ())]
        if lines and one.hop in {"", urls[0].url}:
            used.update(lines)
            found[at] = _explained(one, lines)
    found += [_beside(line, urls[0]) for line in configured if line not in used]
    return worst_first(found)


def _beside(line: Finding, seen: Seen) -> Finding:
    """A line that explains nothing that was seen; where its victims were seen to live, it is a warning."""
    victims = [seen.session(client) for client in _VICTIMS.get(line.rule, ())]
    lived = [one for one in victims if one is not None]
    if line.severity != "error" or not lived or not all(one.ok for one in lived):
        return line
    return replace(line, severity="warning", text=f"{line.text}; with this server it goes well all the same")


def _explained(one: Finding, lines: Sequence[Finding]) -> Finding:
    return replace(
        one,
        why="; ".join(line.text for line in lines),
        fix=" and ".join(line.fix for line in lines),
        where=tuple(dict.fromkeys(place for line in lines for place in line.where)),
    )


def _hop(urls: Sequence[Seen], rule: str) -> tuple[str, str]:
    """The URL of the server that breaks it, and how that is known."""
    if len(urls) == 1:
        return "", ""
    for here, behind in pairwise(urls):
        if rule not in causes(behind) and not any(one.rule == rule for one in _of_one(behind)):
            return here.url, f"it is not so at {behind.url}"
    return urls[-1].url, "it is so there, too"


def _made(cause: str, sessions: list[Session], urls: Sequence[Seen]) -> Finding:
    hop, known_by = _hop(urls, cause)
    broken = next((one for one in urls if one.url == hop), urls[0])
    itself = bool(hop) and hop == urls[-1].url
    clients = tuple(f"{one.client}: {told(one)}" for one in sessions)
    mend = fix(cause, server_of(broken), itself)
    if cause == "upgrade-lost" and urls[0].protocol == observed.WEBSOCKET:
        mend = f"if the path is right: {mend}"
    text = _text(cause, sessions, urls[0])
    return Finding(cause, _SEVERITY.get(cause, "error"), text, mend, "", hop, known_by, (), clients)


_SEVERITY = {"cookies-needed": "warning", "polling-disabled": "info", "websocket-disabled": "warning"}


def _text(cause: str, sessions: list[Session], seen: Seen) -> str:
    if cause == "upgrade-lost":
        return _upgrade(sessions, seen)
    if cause == "origin-refused":
        return _origin(seen)
    if cause == "redirected":
        return f"{_TEXTS[cause]}: {_location(sessions[0])}"
    return _idle(sessions[0]) if cause == "idle-cut" else _TEXTS[cause]


def _location(session: Session) -> str:
    answer = session.failed.answer if session.failed is not None else None
    return answer.header("location") if answer is not None else ""


def _upgrade(sessions: list[Session], seen: Seen) -> str:
    step = sessions[0].failed
    how = {
        "upgrade": "the request to upgrade does not arrive as one",
        "connection": "the server takes the request to upgrade for a poll (no Upgrade, or no 'Connection: upgrade')",
        "version": "the server breaks off the request to upgrade, as one that comes with HTTP/1.0",
    }[lost_how(step) if step else "upgrade"]
    only = next((told(one) for one in sessions if one.client == observed.ONLY), "works")
    if seen.works(observed.POLLING):
        return f"{how}; clients that poll first stay on polling in silence; websocket-only ones: {only}"
    return f"{how}: {only}"


_TEXTS = {
    "unknown-session": "requests of one client reach different processes, and only one of them knows its session",
    "cookies-needed": "stickiness is by cookie, so clients that keep none lose their session",
    "wrong-path": "nothing speaks the protocol at this path",
    "redirected": "the path is redirected, and a WebSocket follows no redirect",
    "denied": "the request is not let in",
    "gateway-error": "a proxy has no answer from behind it",
    "wrong-version": "the server refuses this version of the protocol",
    "polling-disabled": "the server has no polling: only websocket-only clients can connect",
    "websocket-disabled": "the server offers no WebSocket (its OPEN packet has no upgrades): all stay on polling",
    "no-open-packet": "101, and then no OPEN packet",
    "closed-at-once": "101, and then the connection is closed before anything was said",
    "probe-unanswered": "101, and then no answer to the probe: clients stay on polling",
    "silent": "messages are sent, and none comes back",
    "garbage-frames": "after 101 come bytes that are no WebSocket frames",
    "bad-handshake": "the answer 101 is not this handshake's",
    "post-refused": "polling clients may receive, and not send",
    "no-answer": "no answer comes",
    "refused": "the request is refused",
}


def told(session: Session) -> str:
    """What a client gets, in a few words."""
    step = session.failed
    if step is None:
        return "works"
    switched = any(one.answer is not None and one.answer.status == 101 for one in session.steps)
    if session.waited and step.ending is not None:
        return f"lived {session.lived:.1f} s, then {step.ending}"
    if step.answer is not None and step.answer.status != 101:
        got = str(step.answer)
    elif step.ending is not None:
        got = f"101, then {step.ending}"
    else:
        got = ("101, then " if switched else "") + (step.got or "nothing")
    return got if switched or step.name in {"handshake", "open", "upgrade"} else f"{got} to its {step.name}"


def _origin(seen: Seen) -> str:
    text = f"the server does not accept the page's origin {seen.origin}"
    accepted = next((origin for origin, step in seen.origins.items() if origin and step.ok), "")
    if accepted:
        return f"{text}, but would {accepted}: a proxy takes the port off Host"
    if seen.origins.get("") is not None and seen.origins[""].ok:
        return f"{text}; without Origin it answers: it sees another Host than browsers, or allows other origins only"
    return text


def _idle(session: Session) -> str:
    step = session.failed
    interval = packets.ping_interval(dict(session.opened)) if session.opened else None
    if step is not None and step.answer is not None:
        return f"a poll that waits is ended after {session.lived:.1f} s: {step.answer}"
    text = f"an idle WebSocket lives {session.lived:.1f} s: {step.ending if step else ''}"
    if interval and not session.pings and session.lived < interval:
        text += f", before the first ping (every {interval:g} s): clients reconnect again and again"
    return text


def _others(urls: Sequence[Seen]) -> list[Finding]:
    return [replace(one, hop=hop, known_by=by) for one in _of_one(urls[0]) for hop, by in (_hop(urls, one.rule),)]


def _of_one(seen: Seen) -> list[Finding]:
    """What no single session shows."""
    found = []
    if seen.tls:
        fix_ = (
            "a certificate of an authority that browsers know, for this name; SSL_CERT_FILE=FILE trusts one of your own"
        )
        found.append(Finding("certificate", "error", f"browsers refuse its certificate: {seen.tls}", fix_))
    ids = [one.opened["sid"] for one in seen.sessions if one.opened and "sid" in one.opened]
    if len(ids) != len(set(ids)):
        fix_ = "no cache for this path (nginx: proxy_cache off; CloudFront: CachingDisabled)"
        found.append(Finding("same-session", "error", "two clients got the same session id: a cache answers", fix_))
    again = seen.session(observed.AGAIN)
    if again is not None and not again.ok:
        text = f"connects once, and not again ({told(again)})"
        found.append(
            Finding("reconnect", "error", text, "one of several servers behind this URL fails: see their logs")
        )
    one = seen.broadcast
    if one is not None and one.received < one.listeners:
        text = f"'{one.emitted}' by one client: {one.received} of {one.listeners} others get '{one.expected}'"
        if not one.ready:
            text = f"'{one.emitted}' was not tried: not all of {one.listeners + 1} clients could connect"
        fix_ = "a message queue that all processes share: SocketIO(message_queue='redis://...')"
        found.append(Finding("broadcast-lost", "error", text, fix_))
    return found
