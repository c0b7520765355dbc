"""Why a session failed: one word for what its failed step shows.

The words that servers refuse with are those of python-engineio (3 and 4) and of Socket.IO's Node.js server ("Engine.IO
protocol", error codes 0 to 5).
"""

from __future__ import annotations

import re

from sandbox.model.websocket import observed, packets
from sandbox.model.websocket.observed import Answer, Seen, Session, Step

_UNKNOWN_SESSION = re.compile(r'invalid session|session id unknown|unknown sid|"code":\s*1\b', re.IGNORECASE)
_BAD_ORIGIN = re.compile(r"not an accepted origin|origin (?:is )?not allowed|invalid origin|bad origin", re.IGNORECASE)
_VERSION = re.compile(r'unsupported (?:protocol )?version|"code":\s*5\b', re.IGNORECASE)
_TRANSPORT = re.compile(r'invalid transport|transport unknown|"code":\s*0\b', re.IGNORECASE)
_FOR_ALL = frozenset(("wrong-path", "wrong-version", "gateway-error", "redirected", "denied", "no-answer"))
"""What ends a first poll so ends all clients, whatever they see of it."""
_SWITCHES = frozenset(("upgrade", "open"))
_STATUSES = {0: "no-answer", 401: "denied", 403: "denied", 407: "denied"} | dict.fromkeys(
    (502, 503, 504), "gateway-error"
)


def causes(seen: Seen) -> dict[str, list[Session]]:
    """What is wrong at one URL, with the sessions that show it."""
    found: dict[str, list[Session]] = {}
    polling = seen.session(observed.POLLING)
    first = cause_of(seen, polling) if polling is not None and not polling.steps[0].ok else ""
    for session in seen.sessions:
        if session.ok or session.client == observed.AGAIN:
            continue
        found.setdefault(first if first in _FOR_ALL else cause_of(seen, session), []).append(session)
    return found


def cause_of(seen: Seen, session: Session) -> str:
    """Why a session failed; "" if it did not."""
    step = session.failed
    if step is None:
        return ""
    if step.ending is not None and step.ending.how == "garbage":
        return "garbage-frames"
    if session.waited and step.name in {"wait", "poll"}:
        return "idle-cut"
    if step.answer is None:
        return _after_101(seen, step)
    return "bad-handshake" if step.answer.status == 101 else _refusal(seen, session, step, step.answer)


def refuses_origin(seen: Seen) -> bool:
    """Whether the same handshake goes well without an Origin header."""
    without = seen.origins.get("")
    polling, only = seen.session(observed.POLLING), seen.session(observed.ONLY)
    fails = polling is not None and not polling.steps[0].ok
    return without is not None and without.ok and (fails or (only is not None and not only.ok))


def lost_how(step: Step) -> str:
    """What of a request to upgrade did not arrive, as far as the answer shows: "upgrade", "connection", "version"."""
    answer = step.answer or Answer(0)
    if "in time" in answer.error or answer.status >= 500 or (answer.status == 200 and packets.protocol_of(answer.body)):
        return "connection"  # taken for a poll: Upgrade is there, "Connection: upgrade" is not
    if answer.error or answer.status in {402, 426, 505}:
        return "version"
    return "upgrade"


def _after_101(seen: Seen, step: Step) -> str:
    if refuses_origin(seen) and step.name in {"open", "probe", "stay"}:
        return "origin-refused"
    if step.name == "probe":
        return "unknown-session" if _polls_at_others(seen) else "probe-unanswered"
    return {"open": "no-open-packet", "stay": "closed-at-once"}.get(step.name, "silent")


def _refusal(seen: Seen, session: Session, step: Step, answer: Answer) -> str:
    polling = seen.session(observed.POLLING)
    polls = polling is not None and polling.steps[0].ok
    if step.name == "handshake" and answer.status == 200 and packets.protocol_of(answer.body) is not None:
        return "wrong-version"
    by_words = _by_words(seen, session, step, answer)
    if by_words:
        return by_words
    if refuses_origin(seen) and answer.status in {400, 401, 403}:
        return "origin-refused"
    if step.name in _SWITCHES and polls:
        offered = (polling.opened or {}).get("upgrades") if polling is not None else None
        return "websocket-disabled" if offered == [] else "upgrade-lost"
    if step.name == "post" and answer.status in {403, 405, 413}:
        return "post-refused"
    return _by_status(seen, step, answer)


def _by_words(seen: Seen, session: Session, step: Step, answer: Answer) -> str:
    if answer.status not in {400, 403}:
        return ""
    if _BAD_ORIGIN.search(answer.body):
        return "origin-refused"
    if _UNKNOWN_SESSION.search(answer.body):
        kept = seen.works(observed.POLLING) and session.client == observed.NO_COOKIES
        return "cookies-needed" if kept and _sets_cookies(seen) else "unknown-session"
    if _VERSION.search(answer.body):
        return "wrong-version"
    if step.name == "handshake" and _TRANSPORT.search(answer.body):
        return "polling-disabled"
    return ""


def _by_status(seen: Seen, step: Step, answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return "redirected"
    begins = step.name in {"handshake", *_SWITCHES}
    if seen.protocol == observed.WEBSOCKET and answer.status in {200, 400, 426}:
        return "upgrade-lost"
    return _STATUSES.get(answer.status, "wrong-path" if begins and answer.status in {200, 404, 410} else "refused")


def _polls_at_others(seen: Seen) -> bool:
    """Whether the polls of a session reach servers that do not know it."""
    sessions = [one for one in seen.sessions if one.client in {observed.POLLING, observed.NO_COOKIES}]
    steps = [one.failed for one in sessions if one.failed is not None and one.failed.answer is not None]
    return any(step.answer is not None and _UNKNOWN_SESSION.search(step.answer.body) for step in steps)


def _sets_cookies(seen: Seen) -> bool:
    polling = seen.session(observed.POLLING)
    answers = [step.answer for step in polling.steps if step.answer] if polling is not None else []
    return any(answer.header("set-cookie") for answer in answers)
