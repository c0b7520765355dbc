"""What a scenario is: a production situation as a script, with variants that reproduce a failure or hold against it.

A scenario is one file in ``scenarios/`` that defines ``SCENARIO``. Its ``play`` acts on a stack that is up and
observes with probes; its ``judge`` is a pure function from the timeline to a `Verdict`. A run is green when each
variant does what it declares. A scenario without a reproducing variant proves nothing, so there is none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sandbox import paths
from sandbox.errors import SandboxError
from sandbox.timeline import Observation

if TYPE_CHECKING:  # a scenario can be listed without loading what runs it
    from sandbox.controllers.sandbox import Sandbox
    from sandbox.controllers.stack import Stack

Expectation = Literal["reproduces", "holds"]


@dataclass(frozen=True)
class Variant:
    """One configuration of a scenario.

    Attributes:
        name: Unique within the scenario.
        expect: What it must do: show the failure, or not.
        description: One line: what is different.
        parameters: For the stack (see ``parameters`` in its stack.yaml).
        settings: For the scenario's own ``play``.
    """

    name: str
    expect: Expectation
    description: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What the observations say.

    Attributes:
        failed: Whether the failure that the scenario is about has shown itself.
        evidence: The facts that say so, one a line, each taken from the timeline.
    """

    failed: bool
    evidence: tuple[str, ...]

    @property
    def outcome(self) -> Expectation:
        """In the words of `Variant.expect`."""
        return "reproduces" if self.failed else "holds"


@dataclass(frozen=True)
class Play:
    """What a scenario's script is given."""

    sandbox: Sandbox
    stack: Stack
    variant: Variant


@dataclass(frozen=True)
class Scenario:
    """A production situation.

    Attributes:
        name: As in ``sandbox run NAME``.
        stack: The stack that it plays on.
        symptom: What one sees in production.
        cause: Why.
        fix: What to change.
        variants: At least one reproduces and one holds.
        play: Acts and observes; what it records is all that `judge` sees.
        judge: The verdict from the observations.
        awaits_ready: The stack is up when the script begins. Else only its calls have been made, and `play` waits
            itself: for a failure that keeps a stack from coming up.
        parameters: For the stack, in every variant.
        speed: Divides every AWS timer of its runs, unless ``--speed`` is more: for what lasts minutes on AWS.
    """

    name: str
    stack: str
    symptom: str
    cause: str
    fix: str
    variants: tuple[Variant, ...]
    play: Callable[[Play], None]
    judge: Callable[[Sequence[Observation]], Verdict]
    awaits_ready: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)
    speed: float = 1.0

    def __post_init__(self) -> None:
        declared = {variant.expect for variant in self.variants}
        if declared != {"reproduces", "holds"}:
            raise ValueError(f"scenario {self.name} needs a variant that reproduces and one that holds")
        if len({variant.name for variant in self.variants}) != len(self.variants):
            raise ValueError(f"scenario {self.name} has two variants of one name")

    def variant(self, name: str) -> Variant:
        """The variant called ``name``.

        Raises:
            SandboxError: There is none.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise SandboxError(
            f"scenario '{self.name}' has no variant '{name}'",
            hint=f"variants: {', '.join(variant.name for variant in self.variants)}",
        )

    def as_json(self) -> dict[str, Any]:
        """As in ``list --json`` (docs/formats.md)."""
        return {
            "name": self.name,
            "stack": self.stack,
            "symptom": self.symptom,
            "cause": self.cause,
            "fix": self.fix,
            "variants": [
                {"name": item.name, "expectation": item.expect, "description": item.description}
                for item in self.variants
            ],
        }


def load_all(folder: Path | None = None) -> dict[str, Scenario]:
    """The scenarios in ``folder`` (by default those that come with the sandbox), by name.

    Raises:
        SandboxError: A file cannot be loaded, or has the name of another's scenario; the error names it.
    """
    scenarios: dict[str, Scenario] = {}
    for path in sorted((folder or paths.share() / "scenarios").glob("*.py")):
        scenario = _load(path)
        if scenario.name in scenarios:
            raise SandboxError(f"scenario file {path}: there is a scenario '{scenario.name}' already")
        scenarios[scenario.name] = scenario
    return scenarios


def choose(scenarios: Mapping[str, Scenario], names: Sequence[str]) -> list[Scenario]:
    """The named scenarios, or all where none is named.

    Raises:
        SandboxError: One is unknown.
    """
    for name in names:
        if name not in scenarios:
            raise SandboxError(f"there is no scenario '{name}'", hint=f"scenarios: {', '.join(scenarios)}")
    return [scenarios[name] for name in names] if names else list(scenarios.values())


def _load(path: Path) -> Scenario:
    spec = importlib.util.spec_from_file_location(f"sandbox_scenario_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SandboxError.unforeseen(f"scenario file {path} cannot be loaded", error) from error
    scenario = getattr(module, "SCENARIO", None)
    if not isinstance(scenario, Scenario):
        raise SandboxError(f"scenario file {path} defines no SCENARIO", hint="see docs/adding-a-scenario.md")
    return scenario
