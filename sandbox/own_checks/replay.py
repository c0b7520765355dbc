"""The check ``replay``: events of ECS, late, repeated and reordered, through somebody's own Lambda function."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from sandbox import replaying
from sandbox.model.own.checks import Check
from sandbox.model.replay.compose import NAMED
from sandbox.model.replay.state import BUILT_IN, Invariant, record_is

_LIMIT = 60.0  # seconds for trying and shortening
_MEMORY = 128  # MiB; Lambda's default


def perform(check: Check, folder: Path, progress: Callable[[str], None]) -> tuple[bool, list[str]]:
    """Whether every order that is tried holds; if not, the evidence is the shortest order that does not.

    The process has no sandbox meanwhile: a replay has an AWS of its own.

    Args:
        check: Of kind ``replay``.
        folder: To which its paths are relative.
        progress: Told how far it has come.

    Raises:
        SandboxError: Something that it names is not there, or the function cannot be loaded.
    """
    outcome = replaying.carry_out(_request(check, folder.resolve()), progress)
    number = len(outcome.report.recording.events)
    if outcome.held:
        first = outcome.seed - outcome.tried + 1
        seeds = f"in each of {outcome.tried} orders, seeds {first} to {outcome.seed}"
        orders = "as recorded" if outcome.as_recorded else seeds
        return True, [f"{number} events: held {orders}", f"what held: {', '.join(outcome.report.invariants)}"]
    evidence = str(outcome).splitlines()
    if not outcome.repeats:
        evidence.append("this order did not fail once more: the function decides by chance or by time")
    return False, [f"{number} events, {outcome.tried} orders tried", *evidence]


def _request(check: Check, folder: Path) -> replaying.Request:
    bounds = check.bounds
    invariants = tuple(_beside(one, BUILT_IN, folder) for one in bounds.get("invariants", ()))
    pointing = "record-points-at-running-task" in invariants
    return replaying.Request(
        tuple(_beside(one, NAMED, folder) for one in bounds["events"]),
        str(folder / bounds["handler"]),
        bounds.get("shape", ""),
        replaying.perturbation(
            bounds.get("order", "recorded"),
            float(bounds.get("duplicate", 0)),
            str(bounds.get("delay", 0)),
            float(bounds.get("drop", 0)),
        ),
        bounds.get("seed", 0),
        bounds.get("tries"),
        folder / bounds["against"] if "against" in bounds else None,
        tuple(bounds.get("zones", ())),
        bounds.get("environment", {}),
        _pattern(bounds.get("pattern", ""), folder),
        invariants,
        check.target if pointing else "",
        bounds.get("when", "end"),
        bounds.get("retries", 2),
        bounds.get("timeout", 3),
        _MEMORY,
        False,
        float(bounds.get("limit", _LIMIT)),
        _answers(check.target, bounds),
    )


def _answers(name: str, bounds: Mapping[str, Any]) -> Mapping[str, Invariant]:
    if "answers" not in bounds:
        return {}
    return {f"answers of {name}": record_is(name, bounds["answers"])}


def _beside(name: str, known: Container[str], folder: Path) -> str:
    """One of the sandbox's own names, else a path (or FILE:NAME) in the folder."""
    return name if name in known else str(folder / name)


def _pattern(given: str, folder: Path) -> str:
    return given if not given or given.lstrip().startswith("{") else str(folder / given)
