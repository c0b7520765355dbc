"""A WebSocket or Socket.IO server as several clients see it; unjudged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from sandbox.model.websocket import observed
from sandbox.model.websocket.observed import Seen, Session, Step
from sandbox.probes.engineio import SLICE, Talk, Wishes, engine_of
from sandbox.probes.websocket_wire import Cookies, Place, WebSocket, upgrade

_AT_ONCE = 0.5  # seconds in which a server closes what it does not want


def probe(url: str, place: Place, wishes: Wishes, progress: Callable[[str], None], tls: str = "") -> Seen:
    """Ask one place, client by client."""
    if wishes.protocol == observed.WEBSOCKET:
        return _plain(url, place, wishes, progress, tls)
    engine = wishes.engine or engine_of(place, wishes)
    talk = Talk(place, wishes, engine)
    sessions = []
    for client in (observed.POLLING, observed.NO_COOKIES, observed.UPGRADING, observed.ONLY, observed.AGAIN):
        progress(f"{url}: {client}")
        sessions.append(talk.session(client))
        if client == observed.ONLY and not sessions[-1].ok:
            break  # there is nothing to come back to
    origins = {}
    if not all(one.ok for one in sessions):
        polls = sessions[0].steps[0].ok
        origins = {origin: talk.with_origin(origin, not polls) for origin in _other_origins(place)}
    transport = next((one.client for one in reversed(sessions) if one.ok), "")
    if transport and wishes.idle != 0:
        progress(f"{url}: idle")
        sessions.append(talk.idle(transport, lambda text: progress(f"{url}: {text}")))
    broadcast = None
    if transport and wishes.emit:
        progress(f"{url}: {wishes.clients} clients, one emits {wishes.emit}")
        broadcast = talk.broadcast(transport)
    made = Seen(url, wishes.protocol, wishes.path, place.origin, place.host, tuple(sessions), engine, origins, tls)
    return replace(made, broadcast=broadcast)


def _other_origins(place: Place) -> list[str]:
    """None, and this one without its port."""
    parts = urlsplit(place.origin)
    return [one for one in ("", f"{parts.scheme}://{parts.hostname}") if one != place.origin]


def _plain(url: str, place: Place, wishes: Wishes, progress: Callable[[str], None], tls: str) -> Seen:
    sessions = []
    for client in (observed.ONLY, observed.AGAIN):
        progress(f"{url}: {client}")
        sessions.append(_plain_session(place, wishes, client))
        if not sessions[0].ok:
            break
    origins = {}
    if not sessions[0].ok:
        for origin in _other_origins(place):
            origins[origin] = _plain_session(replace(place, origin=origin), wishes, observed.ONLY).steps[-1]
    elif wishes.idle:
        sessions.append(_plain_idle(place, wishes, lambda text: progress(f"{url}: {text}")))
    return Seen(url, wishes.protocol, wishes.path, place.origin, place.host, tuple(sessions), 4, origins, tls)


def _plain_session(place: Place, wishes: Wishes, client: str) -> Session:
    steps, connection = _begun(place, wishes)
    if connection is not None:
        with connection:
            steps += _exchanged(connection, place, wishes) if steps[0].ok else []
    return Session(client, tuple(steps))


def _plain_idle(place: Place, wishes: Wishes, progress: Callable[[str], None]) -> Session:
    steps, connection = _begun(place, wishes)
    seconds, begun = wishes.idle or 0.0, time.monotonic()
    if connection is None:
        return Session(observed.IDLE, tuple(steps))
    with connection:
        while (now := time.monotonic()) < begun + seconds and connection.ending is None:
            progress(f"idle for {now - begun:.0f} of {seconds:.0f} s")
            connection.receive(min(now + SLICE, begun + seconds))
        steps.append(Step("wait", connection.ending is None, None, "", connection.ending))
        return Session(observed.IDLE, tuple(steps), None, seconds, time.monotonic() - begun)


def _begun(place: Place, wishes: Wishes) -> tuple[list[Step], WebSocket | None]:
    answer, connection, wrong = upgrade(place, wishes.path, Cookies(place.secure))
    return [Step("upgrade", connection is not None and not wrong, answer, wrong)], connection


def _exchanged(connection: WebSocket, place: Place, wishes: Wishes) -> list[Step]:
    """It stays open, or says something before it closes; and where a text is to be sent, it is answered."""
    if wishes.emit:
        connection.send(wishes.emit)
        end = time.monotonic() + place.timeout
        while (got := connection.receive(end)) is not None and wishes.expect not in got:
            pass
        return [Step("message", got is not None, None, (got or "")[:80], connection.ending)]
    got = connection.receive(time.monotonic() + _AT_ONCE)
    return [Step("stay", got is not None or connection.ending is None, None, (got or "")[:80], connection.ending)]
