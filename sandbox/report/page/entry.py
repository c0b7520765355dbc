"""What the report says of one variant, or of one test of somebody's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox import paths
from sandbox.runner import Result
from sandbox.scenario import Scenario
from sandbox.timeline import Observation


@dataclass(frozen=True)
class Entry:
    """One row of the table and one section of the page.

    Attributes:
        group, name: Scenario and variant; module and test.
        expectation: What it declares ("passes" for a test).
        outcome: What it did.
        as_declared: Whether the two are one.
        seconds: Wall clock.
        error: Why it was not run, or what failed after the verdict.
        evidence: The facts of the verdict.
        about: What is said of it before anything has happened, in words: symptom, cause, fix, description, ...
        configuration: What it was run with.
        timeline: The file of its observations; "" where there is none.
        files: Screenshots.
    """

    group: str
    name: str
    expectation: str
    outcome: str
    as_declared: bool
    seconds: float
    error: str = ""
    evidence: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    timeline: str = ""
    files: tuple[str, ...] = ()

    @staticmethod
    def of(result: Result, scenario: Scenario) -> Entry:
        """What became of a variant of a scenario."""
        variant = scenario.variant(result.variant)
        about = {
            "Symptom": scenario.symptom,
            "Cause": scenario.cause,
            "Fix": scenario.fix,
            "This variant": variant.description,
        }
        settings = {**scenario.parameters, **variant.parameters, **variant.settings}
        configuration = {name: value if isinstance(value, str) else repr(value) for name, value in settings.items()}
        stack = paths.share() / "compose" / scenario.stack / "stack.yaml"
        if stack.is_file():
            configuration[f"stack {scenario.stack}"] = stack.read_text()
        return Entry.with_words(result, about, configuration)

    @staticmethod
    def with_words(result: Result, about: Mapping[str, str], configuration: Mapping[str, str]) -> Entry:
        """What became of something, with what is said of it."""
        return Entry(
            result.scenario,
            result.variant,
            result.expectation,
            result.outcome,
            result.as_declared,
            result.seconds,
            result.error,
            result.evidence,
            about,
            configuration,
            result.timeline,
            result.files,
        )

    def as_json(self) -> str:
        """Itself, as `from_json` reads it."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Entry:
        """What `as_json` wrote."""
        fields = json.loads(text)
        return Entry(**{**fields, "evidence": tuple(fields["evidence"]), "files": tuple(fields["files"])})


def observations(timeline: str) -> tuple[Observation, ...]:
    """What a timeline's file has; a line that was being written when its process was killed is left out."""
    seen = []
    if timeline and (file := Path(timeline)).is_file():
        with file.open(errors="replace") as lines:
            for line in lines:
                try:
                    fields = json.loads(line)
                    seen.append(Observation(float(fields.pop("at")), str(fields.pop("kind")), fields))
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue
    return tuple(seen)
