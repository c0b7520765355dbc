"""What a finding is: one thing that breaks a WebSocket or Socket.IO client, with its place and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: Its name.
        severity: One of `SEVERITIES`.
        text: What clients get.
        fix: What to write or change.
        why: What the configuration says to it.
        hop: The URL of the server that breaks it ("": not known, or no URL was asked).
        known_by: How that is known.
        where: Lines of configuration, as FILE:LINE.
        clients: Whom it breaks, and what each gets.
    """

    rule: str
    severity: str
    text: str
    fix: str
    why: str = ""
    hop: str = ""
    known_by: str = ""
    where: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()


def at_least(findings: Iterable[Finding], severity: str) -> bool:
    """Whether one of them is as severe."""
    return any(SEVERITIES.index(one.severity) >= SEVERITIES.index(severity) for one in findings)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """In the order in which they are told."""
    return sorted(findings, key=lambda one: -SEVERITIES.index(one.severity))
