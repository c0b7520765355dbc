"""What is wrong with a WebSocket or Socket.IO server as clients see it, which hop breaks it, and what mends it.

The URLs are given from outside inwards. What fails at one and works at the next is broken by the server at the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

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
    "idle-cut": ("read-timeout",),
    "wrong-path": ("not-proxied", "path-changed"),
    "redirected": ("redirected",),
    "post-refused": ("post-refused",),
    "same-session": ("polling-cached",),
}
_HARMLESS = {"warning": "warning", "info": "info", "error": "warning"}


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
    for line in configured:
        if line not in used:
            text = line.text + ("; with this server it goes well all the same" if line.severity == "error" else "")
            found.append(replace(line, severity=_HARMLESS[line.severity], text=text))
    return worst_first(found)


def _explained(one: Finding, lines: Sequence[Finding]) -> Finding:
    text = f"{one.text}: {'; '.join(line.text for line in lines)}"
    where = tuple(place for line in lines for place in line.where)
    return replace(one, text=text, fix="; ".join(line.fix for line in lines), where=where)


def _hop(urls: Sequence[Seen], cause: str) -> tuple[str, str]:
    """The URL of the server that breaks it, and the words that say how that is known."""
    if len(urls) == 1:
        return "", ""
    for here, next_ in zip(urls, urls[1:], strict=False):
        if cause not in causes(next_) and not any(one.rule == cause for one in _of_one(next_)):
            return here.url, f" (not so at {next_.url}: the server at {here.url} breaks it)"
    return urls[-1].url, f" (just so at {urls[-1].url}: it is that server itself)"


def _made(cause: str, sessions: list[Session], urls: Sequence[Seen]) -> Finding:
    hop, known = _hop(urls, cause)
    broken = next((one for one in urls if one.url == hop), urls[0])
    itself = bool(hop) and hop == urls[-1].url
    severity, text = _SEVERITY.get(cause, "error"), _text(cause, sessions, urls[0])
    mend = _AT_THE_APPLICATION.get(cause, "") if itself else fix(cause, server_of(broken))
    if not mend:
        mend = _ANYWHERE.get(cause, "see the log of that server")
    return Finding(cause, severity, text + known, mend, hop)


_SEVERITY = {"cookies-needed": "warning", "polling-disabled": "info", "websocket-disabled": "warning"}

_AT_THE_APPLICATION = {
    "upgrade-lost": "the application speaks no WebSocket: Flask-SocketIO with threads needs the package simple-websocket, "
    "with gevent gevent-websocket and its handler",
    "origin-refused": "cors_allowed_origins=['ORIGIN'] in the application, with the scheme, name and port of the page",
    "unknown-session": "the processes behind this URL share no sessions: give each a URL of its own, or stickiness",
    "idle-cut": "see its log: it closes what is idle (its pingTimeout, a worker's timeout: gunicorn's --timeout)",
    "no-open-packet": "see its log: its connect handler fails or hangs",
}

_ANYWHERE = {
    "wrong-path": "the path that the server has (--path), and a proxy that passes it on unchanged (nginx: proxy_pass "
    "without a path)",
    "redirected": "let clients connect to the URL that it leads to",
    "denied": "what asks for authentication must leave this path out, or clients send it (--header)",
    "gateway-error": "the proxy that answers so cannot reach the server behind it: see that proxy's error log",
    "wrong-version": "a client of the server's version (socket.io-client 2 with protocol 3, 3 and later with 4), or "
    "allowEIO3: true at a Node.js server",
    "cookies-needed": "clients of other origins with withCredentials: true, or websocket-only ones",
    "polling-disabled": "right for websocket-only clients: transports: ['websocket']",
    "websocket-disabled": "Flask-SocketIO: pip install simple-websocket (threads), gevent-websocket (gevent); or allow "
    "the transport",
    "no-open-packet": "let each proxy pass Host and Origin on (nginx: proxy_set_header Host $http_host;); then the "
    "application's log",
    "probe-unanswered": "stickiness, if there are several processes; else what cuts or buffers the bytes after 101",
    "silent": "what buffers or drops the bytes after 101 (a proxy that does not tunnel); then the application's log",
    "garbage-frames": "what changes the bytes after 101: compression or rewriting in a proxy",
    "bad-handshake": "what answers is not the WebSocket server: a proxy that answers 101 by itself, or a cache",
    "post-refused": "allow POST on this path (nginx: limit_except, WAF rules, methods of a CDN's behaviour)",
    "no-answer": "see the log of that server",
    "refused": "see the log of that server",
    "idle-cut": fix("idle-cut", ""),
}


def _text(cause: str, sessions: list[Session], seen: Seen) -> str:
    told = "; ".join(f"{one.client}: {_what(one)}" for one in sessions)
    if cause == "upgrade-lost":
        step = sessions[0].failed
        how = {
            "upgrade": "the request to upgrade does not arrive as one",
            "connection": "Upgrade arrives, but not 'Connection: upgrade'",
            "version": "the server breaks off the request to upgrade, as it does if it comes with HTTP/1.0",
        }[lost_how(step) if step else "upgrade"]
        if seen.works(observed.POLLING):
            told = told.replace(f"{observed.UPGRADING}: ", f"{observed.UPGRADING}: stays on polling in silence, ")
        return f"{how} ({told})"
    if cause == "origin-refused":
        return f"{_origin(seen)} ({told})"
    if cause == "idle-cut":
        return _idle(sessions[0])
    return f"{_TEXTS.get(cause, 'it fails')} ({told})"


_TEXTS = {
    "unknown-session": "requests of one client reach different processes, and only one of them knows its session",
    "cookies-needed": "stickiness is by cookie, so clients that keep none lose their session",
    "wrong-path": "nothing speaks the protocol at this path",
    "redirected": "the path is redirected, and a WebSocket follows no redirect",
    "denied": "the request is not let in",
    "gateway-error": "a proxy has no answer from behind it",
    "wrong-version": "the server refuses this version of the protocol",
    "polling-disabled": "the server has no polling: only websocket-only clients can connect",
    "websocket-disabled": "the server itself offers no WebSocket (its OPEN packet has no upgrades): all stay on polling",
    "no-open-packet": "101, and then no OPEN packet",
    "probe-unanswered": "101, and then no answer to the probe: clients stay on polling",
    "silent": "messages are sent, and none comes back",
    "garbage-frames": "after 101 come bytes that are no WebSocket frames",
    "bad-handshake": "the answer 101 is not this handshake's",
    "post-refused": "polling clients may receive, and not send",
    "no-answer": "no answer comes",
    "refused": "the request is refused",
}


def _what(session: Session) -> str:
    step = session.failed
    if step is None:
        return "works"
    switched = any(one.answer is not None and one.answer.status == 101 for one in session.steps)
    if step.answer is not None and step.answer.status != 101:
        told = str(step.answer)
    elif step.ending is not None:
        told = f"101, then {step.ending}"
    else:
        told = ("101, then " if switched else "") + (step.got or "nothing")
    if step.name in {"handshake", "open", "upgrade"} or switched:
        return told
    return f"{told} to its {step.name}"


def _origin(seen: Seen) -> str:
    without_port = f"{urlsplit(seen.origin).scheme}://{urlsplit(seen.origin).hostname}"
    text = f"the server does not accept the page's origin {seen.origin}"
    one = seen.origins.get(without_port)
    if one is not None and one.ok:
        return f"{text}, but would {without_port}: a proxy takes the port off Host"
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
        text += f", before the server's first ping (every {interval:g} s): clients reconnect again and again"
    return text


def _others(urls: Sequence[Seen]) -> list[Finding]:
    found = []
    for one in _of_one(urls[0]):
        hop, known = _hop(urls, one.rule)
        found.append(replace(one, text=one.text + known, hop=hop))
    return found


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
        text = f"connects once, and not again ({_what(again)})"
        found.append(
            Finding("reconnect", "error", text, "one of several servers behind this URL fails: see their logs")
        )
    told = seen.broadcast
    if told is not None and told.received < told.listeners:
        text = f"'{told.emitted}' by one client: {told.received} of {told.listeners} others get '{told.expected}'"
        if not told.ready:
            text = f"'{told.emitted}' was not tried: not all of {told.listeners + 1} clients could connect"
        fix_ = "a message queue that all processes share: SocketIO(message_queue='redis://...')"
        found.append(Finding("broadcast-lost", "error", text, fix_))
    return found
