"""Observations as evidence: what scenarios look for, and how they say it."""

from __future__ import annotations

from sandbox.timeline import Observation


def task(seen: Observation) -> str:
    """A task by the start of its id, of a ``task.state``."""
    return str(seen["task"]).rsplit("/", 1)[-1][:8]


def runs(seen: Observation) -> bool:
    """Whether it is the ``task.state`` of a task that is RUNNING and is to be."""
    return seen.kind == "task.state" and seen["last_status"] == seen["desired_status"] == "RUNNING"


def answers(seen: Observation) -> str:
    """What a ``dns.probe`` was answered."""
    return ", ".join(seen["answers"]) or str(seen["rcode"])


def page(seen: Observation) -> str:
    """The outcome of an ``http.response``."""
    return f"HTTP {seen['status']}" if seen["status"] else str(seen["error"])


def invocation(seen: Observation) -> str:
    """The outcome of a ``lambda.invocation``."""
    return "Success" if seen["status"] == "Success" else f"{seen['status']}: {seen['error']}"
