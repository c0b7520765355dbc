"""Observations in the words of evidence: what scenarios say of tasks, answers, pages and functions."""

from __future__ import annotations

from sandbox.timeline import Observation


def task(seen: Observation) -> str:
    """A task by the start of its id, of a ``task.state``."""
    return str(seen["task"]).rsplit("/", 1)[-1][:8]


def answers(seen: Observation) -> str:
    """What a ``dns.probe`` was answered."""
    return ", ".join(seen["answers"]) or str(seen["rcode"])


def page(seen: Observation) -> str:
    """The outcome of an ``http.response``."""
    return f"HTTP {seen['status']}" if seen["status"] else str(seen["error"])


def invocation(seen: Observation) -> str:
    """The outcome of a ``lambda.invocation``."""
    return "Success" if seen["status"] == "Success" else f"{seen['status']}: {seen['error']}"
