"""Where events come from: files, sequences that are composed by name, and the user's own Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.controllers.replay.handler import load_object
from sandbox.errors import SandboxError
from sandbox.model.ecs.errors import EcsError
from sandbox.model.eventbridge import compile_pattern
from sandbox.model.eventbridge_operators import InvalidEventPatternError
from sandbox.model.foreign import from_json
from sandbox.model.replay import files
from sandbox.model.replay.compose import NAMED, SHAPES, Composer
from sandbox.model.replay.files import Before, FormatError
from sandbox.model.replay.plan import Plan, Recording
from sandbox.model.replay.recording import RecordingError, read_events, recorded
from sandbox.model.replay.state import BUILT_IN, Invariant, record_points_at_running_task
from sandbox.model.route53 import HostedZone

Events = Recording | Composer | Iterable[Mapping[str, Any]]
"""What may be replayed from Python: a recording, a composer, or events as dictionaries."""


class Source:
    """Events with what a file says about their replay.

    Attributes:
        recording: The events, and AWS's state around them.
        plan: How a saved replay is to be told; None for anything else.
        zones: The hosted zones of a saved replay.
    """

    def __init__(self, recording: Recording, plan: Plan | None = None, zones: Sequence[HostedZone] = ()) -> None:
        self.recording = recording
        self.plan = plan
        self.zones = tuple(zones)


def from_arguments(arguments: Sequence[str], before: Before, shape: str = "") -> Source:
    """What the command line names: files, one after another; or one name of `NAMED`, or one ``FILE.py:NAME``.

    Args:
        arguments: As given.
        before: The state to start from.
        shape: One of `SHAPES`, for a name of `NAMED`; "": as documented.

    Raises:
        SandboxError: There is no such file or name, it has no events, or a shape was asked for that nothing has.
    """
    if shape and shape not in SHAPES:
        raise SandboxError(f"there is no shape '{shape}'", hint=", ".join(SHAPES))
    if shape and (len(arguments) > 1 or arguments[0] not in NAMED or Path(arguments[0]).exists()):
        raise SandboxError("--shape is of sequences that are composed by name", hint=f"these are {', '.join(NAMED)}")
    if len(arguments) == 1:
        (argument,) = arguments
        if not Path(argument).exists():
            if argument in NAMED:
                return from_object(_named(argument, shape or "documented"), before)
            if ".py:" in argument:
                made = load_object(argument)
                return from_object(made() if callable(made) else made, before)
    events: list[dict[str, Any]] = []
    addresses = before.public_ips()
    for argument in arguments:
        text = _text(argument, f"composed by name are {', '.join(NAMED)}")
        try:
            content = from_json(text) if text.lstrip().startswith("{") else None
        except ValueError:
            content = None  # JSON lines, or an error that is told with its line
        try:
            if content is not None and files.is_recording(content):
                if len(arguments) > 1:
                    raise SandboxError(f"{argument} is a saved replay, which is replayed alone")
                return _saved(content, before)
            more, told = read_events(text)
        except (RecordingError, FormatError) as error:
            raise SandboxError(f"{argument}: {error}", hint="the forms are in docs/formats.md") from error
        events += more
        addresses = {**told, **addresses}
    return Source(before.then(_recorded(events, addresses)))


def from_object(events: Any, before: Before) -> Source:
    """What Python code gives, see `Events`.

    Raises:
        SandboxError: It is none of those.
    """
    if isinstance(events, Recording):
        return Source(before.then(events))
    if isinstance(events, Composer):
        return Source(before.then(_composed(events)))
    found = list(events) if isinstance(events, Iterable) and not isinstance(events, str | bytes | Mapping) else []
    if not found or any(not isinstance(one, Mapping) or not isinstance(one.get("detail"), Mapping) for one in found):
        raise SandboxError(
            "these are no events", hint="a Recording, a Composer, or events as dictionaries with a detail"
        )
    return Source(before.then(_recorded(found, before.public_ips())))


def matching(source: Source, pattern: str) -> Source:
    """The source with the events that an EventBridge pattern (JSON, or a file with it) lets through.

    Raises:
        SandboxError: It is no pattern, or no event matches it.
    """
    if source.plan is not None:
        raise SandboxError("a saved replay has its events already; it takes no pattern")
    text = pattern if pattern.lstrip().startswith("{") else _text(pattern, "a pattern is JSON, or a file with it")
    try:
        compiled = compile_pattern(text)
    except InvalidEventPatternError as error:
        raise SandboxError("that is no event pattern", state=str(error)) from error
    recording = source.recording.matching(compiled.matches)
    if not recording.events:
        raise SandboxError(
            f"none of the {len(source.recording.events)} events matches the pattern",
            state=text.strip(),
            hint="composed events are of service web in cluster production, unless Composer(service=..., cluster=...) "
            "says otherwise",
        )
    return Source(recording, source.plan, source.zones)


def state(path: str) -> Before:
    """The state in a file (docs/formats.md).

    Raises:
        SandboxError: There is no such file, or it is not a state.
    """
    try:
        return files.read_state(from_json(_text(path, "")))
    except FormatError as error:
        raise SandboxError(f"{path}: {error}", hint="the form is in docs/formats.md") from error
    except ValueError as error:
        raise SandboxError(f"{path} is not JSON", state=str(error)) from error


def zone(text: str) -> HostedZone:
    """``NAME=ID``, or ``NAME`` alone: its id is then Z and the name's letters and digits, in capitals."""
    name, _, zone_id = text.partition("=")
    made_up = "Z" + "".join(letter for letter in name.upper() if letter.isalnum())
    if not name.strip("."):
        raise SandboxError(f"'{text}' is not a hosted zone", hint="NAME=ID, such as example.com=Z0123456789ABC")
    return HostedZone(zone_id.rpartition("/")[2] or made_up, name)


def with_zones(before: Before, zones: Iterable[HostedZone]) -> Before:
    """The state with further zones.

    Raises:
        SandboxError: Two have one id.
    """
    together = (*before.zones, *zones)
    ids = [one.id for one in together]
    if len(set(ids)) < len(ids):
        raise SandboxError(f"two hosted zones have the id {max(ids, key=ids.count)}")
    return replace(before, zones=together)


def invariant(text: str, name: str = "", zone_name: str = "") -> Invariant:
    """A built-in invariant by name, or the user's ``FILE:FUNCTION``.

    Args:
        text: Either.
        name: The record that a built-in one about records looks at.
        zone_name: The zone that it looks in.

    Raises:
        SandboxError: There is no such one.
    """
    if text == "record-points-at-running-task":
        return record_points_at_running_task(name, zone_name)
    if text in BUILT_IN:
        return BUILT_IN[text]()
    if ":" not in text:
        raise SandboxError(
            f"there is no invariant '{text}'", hint=f"{', '.join(BUILT_IN)}, or FILE:FUNCTION of your own"
        )
    found = load_object(text)
    if not callable(found):
        raise SandboxError(f"{text} is not a function")
    made: Invariant = found
    return made


def _named(name: str, shape: str) -> Composer:
    try:
        return NAMED[name](Composer(shape=SHAPES[shape]))
    except EcsError as error:
        raise SandboxError(f"'{name}' cannot be composed", state=str(error)) from error


def _composed(composer: Composer) -> Recording:
    recording = composer.recording()
    if not recording.events:
        raise SandboxError("nothing is composed", hint="begin with Composer().start()")
    return recording


def _recorded(events: Iterable[Mapping[str, Any]], addresses: Mapping[str, str]) -> Recording:
    try:
        return recorded(events, addresses)
    except RecordingError as error:
        raise SandboxError(str(error)) from error


def _saved(content: Mapping[str, Any], before: Before) -> Source:
    recording, plan, zones = files.read_recording(content)
    return Source(before.then(recording), plan, zones)


def _text(path: str, hint: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SandboxError(f"{path} cannot be read", state=reason or str(error), hint=hint) from error
