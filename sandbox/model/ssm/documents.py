"""Command documents: their content, and the steps that a command runs on a node.

Sources: Systems Manager User Guide, "Command document plugin reference" (aws:runShellScript), "Schema version 2.2" and
"Using the precondition"; the built-in AWS-RunShellScript as GetDocument shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from sandbox.model.ssm import parameters as params
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.parameters import Parameter, Value

SHELL = "aws:runShellScript"
POWERSHELL = "aws:runPowerShellScript"
MAX_SIZE = 64 * 1024
"""Bytes of a document's content (API reference: CreateDocument)."""
DEFAULT_TIMEOUT = 3600
MAX_TIMEOUT = 172_800
"""Seconds that a script may run by default, and at most (executionTimeout of AWS-RunShellScript)."""

SCHEMAS = ("1.2", "2.0", "2.2")
_ONWARD = {
    "onFailure": frozenset({"exit", "successAndExit"}),
    "onSuccess": frozenset({"exit"}),
}
_INPUTS = frozenset({"runCommand", "workingDirectory", "timeoutSeconds", "finallyStep", *_ONWARD})


@dataclass(frozen=True)
class Step:
    """A step of a document, or of a command, where nothing is left to fill in.

    Attributes:
        name: As GetCommandInvocation's PluginName and the output's folder have it.
        plugin: `SHELL`, or `POWERSHELL`, which a node with Linux skips.
        script: The lines of the script.
        directory: Where it runs ("": where the agent does).
        timeout: Seconds; what takes longer is killed.
        applies: Whether its precondition is met.
        ends_after: "Failed" and "Success": after such a result the following steps are left out.
        succeeds_anyway: The command counts as a success where this step ends it (onFailure: successAndExit).
        is_last_word: It runs even where steps are left out (finallyStep).
    """

    name: str
    plugin: str
    script: tuple[str, ...] = ()
    directory: str = ""
    timeout: int = DEFAULT_TIMEOUT
    applies: bool = True
    ends_after: frozenset[str] = frozenset()
    succeeds_anyway: bool = False
    is_last_word: bool = False

    @property
    def runs_on_linux(self) -> bool:
        """Whether a node with Linux runs it."""
        return self.applies and self.plugin == SHELL


@dataclass(frozen=True)
class RawStep:
    """A step as it is written, with ``{{ }}`` in it."""

    name: str
    plugin: str
    inputs: Mapping[str, Any]
    precondition: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Document:
    """The content of a command document."""

    schema: str
    description: str
    parameters: Mapping[str, Parameter]
    raw: tuple[RawStep, ...]

    @property
    def platforms(self) -> list[str]:
        """The platforms that it runs on: Linux, Windows."""
        plugins = {step.plugin for step in self.raw}
        return [name for name, plugin in (("Linux", SHELL), ("Windows", POWERSHELL)) if plugin in plugins]

    def steps(self, values: Mapping[str, Value]) -> tuple[Step, ...]:
        """The steps of a command with these values of parameters.

        Raises:
            SsmError: InvalidParameters: a value makes no sense where it is used.
        """
        return tuple(_step(raw, values) for raw in self.raw)


def parse(content: str, form: str = "JSON") -> Document:
    """A document of type Command from its text.

    Args:
        content: The text.
        form: "JSON" or "YAML".

    Raises:
        SsmError: MaxDocumentSizeExceeded, InvalidDocumentContent or InvalidDocumentSchemaVersion.
    """
    if len(content.encode()) > MAX_SIZE:
        raise SsmError("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
    raw = _loaded(content, form)
    schema = str(raw.get("schemaVersion", ""))
    if not schema:
        raise _wrong("schemaVersion is missing")
    if schema not in SCHEMAS:
        raise SsmError(
            "InvalidDocumentSchemaVersion",
            f"The version of the document schema isn't supported: {schema}. Documents of type Command have "
            f"{', '.join(SCHEMAS)}.",
        )
    declared = params.declared(raw.get("parameters"))
    steps = _old_steps(raw) if schema == "1.2" else _main_steps(raw, schema)
    known = declared.keys() | {"platformType"}
    for step in steps:
        if strange := sorted((params.mentioned(step.inputs) | params.mentioned(step.precondition)) - known):
            raise _wrong(f"step {step.name} uses parameters that the document does not declare: {', '.join(strange)}")
    found = Document(schema, str(raw.get("description", "")), declared, tuple(steps))
    defaults = {name: _sample(parameter) for name, parameter in declared.items()}
    try:
        found.steps(defaults)
    except SsmError as error:
        raise _wrong(error.message) from error
    return found


def _loaded(content: str, form: str) -> Mapping[str, Any]:
    try:
        raw = yaml.safe_load(content) if form == "YAML" else json.loads(content)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise _wrong(f"the content is no {form}: {error}") from error
    if not isinstance(raw, Mapping):
        raise _wrong("the content must be an object")
    return raw


def _sample(parameter: Parameter) -> Value:
    """A value to try a document with: its own defaults, or what fits anywhere."""
    if parameter.default is not None:
        return parameter.default
    text = parameter.allowed_values[0] if parameter.allowed_values else "60"
    return [text] if parameter.is_list else text


def _old_steps(raw: Mapping[str, Any]) -> list[RawStep]:
    """Schema 1.2: plugins by name, each with properties."""
    plugins = raw.get("runtimeConfig")
    if not isinstance(plugins, Mapping) or not plugins:
        raise _wrong("runtimeConfig is missing; schema 1.2 has its plugins there")
    steps: list[RawStep] = []
    for plugin, config in plugins.items():
        _known_plugin(plugin)
        properties = config.get("properties") if isinstance(config, Mapping) else None
        each = properties if isinstance(properties, list) else [properties]
        for inputs in each:
            if not isinstance(inputs, Mapping):
                raise _wrong(f"properties of {plugin} must be an object or a list of objects")
            _known_inputs(plugin, inputs, frozenset({"id"}))
            own = {key: value for key, value in inputs.items() if key != "id"}
            steps.append(RawStep(str(plugin), str(plugin), own))
    return steps


def _main_steps(raw: Mapping[str, Any], schema: str) -> list[RawStep]:
    main = raw.get("mainSteps")
    if not isinstance(main, list) or not main:
        raise _wrong(f"mainSteps is missing; schema {schema} has its steps there")
    steps: list[RawStep] = []
    for number, item in enumerate(main, 1):
        if not isinstance(item, Mapping):
            raise _wrong(f"step {number} must be an object")
        name, plugin = item.get("name"), item.get("action")
        if not isinstance(name, str) or not name:
            raise _wrong(f"step {number} has no name")
        if any(name == other.name for other in steps):
            raise _wrong(f"two steps have the name {name}")
        _known_plugin(plugin)
        inputs = item.get("inputs", {})
        if not isinstance(inputs, Mapping):
            raise _wrong(f"inputs of step {name} must be an object")
        outer = {key: item[key] for key in (*_ONWARD, "finallyStep", "timeoutSeconds") if key in item}
        if unknown := sorted(str(k) for k in item.keys() - {"name", "action", "inputs", "precondition", *outer}):
            raise _wrong(f"step {name} has unknown attributes: {', '.join(unknown)}")
        condition = item.get("precondition")
        if condition is not None and schema != "2.2":
            raise _wrong("precondition needs schema 2.2")
        inputs = {**outer, **inputs}
        _known_inputs(name, inputs)
        steps.append(RawStep(name, str(plugin), inputs, _known_condition(name, condition)))
    return steps


def _known_plugin(plugin: Any) -> None:
    if plugin not in {SHELL, POWERSHELL}:
        raise _wrong(f"the sandbox carries out {SHELL} and skips {POWERSHELL}; it has no plugin {plugin!r}")


def _known_inputs(where: str, inputs: Mapping[str, Any], more: frozenset[str] = frozenset()) -> None:
    if unknown := sorted(str(key) for key in inputs.keys() - _INPUTS - more):
        raise _wrong(f"{where} has unknown inputs: {', '.join(unknown)}")
    if not isinstance(inputs.get("runCommand"), str | list):
        raise _wrong(f"{where} has no runCommand")
    for key, allowed in _ONWARD.items():
        if key in inputs and inputs[key] not in allowed:
            raise _wrong(f"{key} of {where} must be {' or '.join(sorted(allowed))}")


def _known_condition(name: str, condition: Any) -> Mapping[str, Any] | None:
    if condition is None:
        return None
    if (
        not isinstance(condition, Mapping)
        or set(condition) != {"StringEquals"}
        or not isinstance(condition["StringEquals"], list)
        or len(condition["StringEquals"]) != 2
    ):
        raise _wrong(f"precondition of step {name} must be StringEquals with two texts")
    return condition


def _step(raw: RawStep, values: Mapping[str, Value]) -> Step:
    with_platform = {**values, "platformType": "Linux"}
    done = params.filled(dict(raw.inputs), values)
    lines = done["runCommand"]
    script = tuple(str(line) for line in lines) if isinstance(lines, list) else (str(lines),)
    ends = {result for key, result in (("onFailure", "Failed"), ("onSuccess", "Success")) if key in done}
    step = Step(
        raw.name,
        raw.plugin,
        script,
        str(done.get("workingDirectory") or ""),
        _timeout(raw.name, done.get("timeoutSeconds", DEFAULT_TIMEOUT)),
        ends_after=frozenset(ends),
        succeeds_anyway=done.get("onFailure") == "successAndExit",
        is_last_word=str(done.get("finallyStep", "")).lower() == "true",
    )
    if raw.precondition is not None:
        left, right = (_side(text, with_platform) for text in raw.precondition["StringEquals"])
        step = replace(step, applies=left == right)
    return step


def _side(text: Any, values: Mapping[str, Value]) -> Value:
    """One side of StringEquals: platformType by its bare name, or a text with parameters."""
    if text == "platformType":
        return values["platformType"]
    filled: Value = params.filled(str(text), values)
    return filled


def _timeout(name: str, raw: Any) -> int:
    """What makes no sense as a number of seconds is AWS's default, as for the agent; 172,800 is the most."""
    try:
        seconds = int(str(raw))
    except ValueError as error:
        raise SsmError("InvalidParameters", f"timeoutSeconds of {name} must be a number, not {raw!r}") from error
    return min(max(seconds, 1), MAX_TIMEOUT)


def _wrong(message: str) -> SsmError:
    return SsmError("InvalidDocumentContent", message)


RUN_SHELL_SCRIPT = json.dumps(
    {
        "schemaVersion": "1.2",
        "description": "Run a shell script or specify the commands to run.",
        "parameters": {
            "commands": {
                "type": "StringList",
                "description": "(Required) Specify a shell script or a command to run.",
                "minItems": 1,
                "displayType": "textarea",
            },
            "workingDirectory": {
                "type": "String",
                "default": "",
                "description": "(Optional) The path to the working directory on your instance.",
                "maxChars": 4096,
            },
            "executionTimeout": {
                "type": "String",
                "default": "3600",
                "description": (
                    "(Optional) The time in seconds for a command to complete before it is considered to have failed. "
                    "Default is 3600 (1 hour). Maximum is 172800 (48 hours)."
                ),
                "allowedPattern": ("^([1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[0-1][0-9]{3}|172[0-7][0-9]{2}|172800)$"),
            },
        },
        "runtimeConfig": {
            SHELL: {
                "properties": [
                    {
                        "id": "0.aws:runShellScript",
                        "runCommand": "{{ commands }}",
                        "workingDirectory": "{{ workingDirectory }}",
                        "timeoutSeconds": "{{ executionTimeout }}",
                    }
                ]
            }
        },
    },
    indent=2,
)
