"""Observations as evidence: what scenarios look for, and how they say it."""

from __future__ import annotations

import re

from sandbox.timeline import Observation

_NAMES_AN_ERROR = re.compile(r"\b\w*(Error|Exception)\b")


def task(seen: Observation) -> str:
    """A task by the start of its id, of a ``task.state``."""
    return str(seen["task"]).rsplit("/", 1)[-1][:8]


def runs(seen: Observation) -> bool:
    """Whether it is the ``task.state`` of a task that is RUNNING and is to be."""
    return seen.kind == "task.state" and seen["last_status"] == seen["desired_status"] == "RUNNING"


def last_words(seen: Observation) -> str:
    """What a container said when it failed, of a ``container.exited``: its last line, or the last that names an error.

    Node ends with its version, below the error that ended it.
    """
    lines = [str(line) for line in seen["log"]]
    errors = [line for line in lines if _NAMES_AN_ERROR.search(line)] if seen["exit_code"] else []
    return (errors or lines or [""])[-1]


def answers(seen: Observation) -> str:
    """What a ``dns.probe`` was answered."""
    return ", ".join(seen["answers"]) or str(seen["rcode"])


def page(seen: Observation) -> str:
    """The outcome of an ``http.response``."""
    return f"HTTP {seen['status']}" if seen["status"] else str(seen["error"])


def invocation(seen: Observation) -> str:
    """The outcome of a ``lambda.invocation``."""
    return "Success" if seen["status"] == "Success" else f"{seen['status']}: {seen['error']}"
