"""What CreatePipeline and UpdatePipeline take, and the pipeline that it describes.

Rules: user guide "CodePipeline pipeline structure reference" ("Pipeline declaration", "Stage declaration", "Action
declaration"), "Input and output artifacts", and what CreatePipeline has told users. That a constraint of a member is
kept (lengths, patterns, enumerations) is checked before, from the service's model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.codepipeline.action_types import ACTION_TYPES, OTHERS_OF_AWS, ActionType
from sandbox.model.codepipeline.errors import invalid_action, invalid_stage, invalid_structure, not_carried_out

_MAX_STAGES, _MAX_ACTIONS = 50, 500  # user guide "Quotas in AWS CodePipeline"
_MINUTE = 60.0


@dataclass(frozen=True)
class Action:
    """An action of a stage.

    Attributes:
        raw: As it was declared.
        kind: What AWS says of its type.
        run_order: Those of the same number run at the same time, the least first.
    """

    name: str
    raw: Mapping[str, Any]
    kind: ActionType
    run_order: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def type_id(self) -> Mapping[str, str]:
        """Its ``actionTypeId``."""
        type_id: Mapping[str, str] = self.raw["actionTypeId"]
        return type_id

    @property
    def provider(self) -> str:
        """Its provider ("CodeBuild")."""
        return self.type_id["provider"]

    @property
    def category(self) -> str:
        """Its category ("Build")."""
        return self.type_id["category"]

    @property
    def configuration(self) -> Mapping[str, str]:
        """Its configuration as declared, variables and all."""
        return self.raw.get("configuration") or {}

    @property
    def namespace(self) -> str:
        """Under what name its output variables can be used ("" where under none)."""
        return str(self.raw.get("namespace", ""))

    @property
    def timeout(self) -> float:
        """Seconds until it has failed."""
        minutes = self.raw.get("timeoutInMinutes")
        return self.kind.timeout if minutes is None else minutes * _MINUTE


@dataclass(frozen=True)
class Stage:
    """A stage: what runs between two transitions."""

    name: str
    actions: tuple[Action, ...]

    def groups(self) -> list[list[Action]]:
        """The actions that run at the same time, in the order of the groups."""
        orders = sorted({action.run_order for action in self.actions})
        return [[action for action in self.actions if action.run_order == order] for order in orders]

    def find(self, name: str) -> Action | None:
        """An action by name."""
        return next((action for action in self.actions if action.name == name), None)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it was declared.

    Attributes:
        raw: What GetPipeline shows, without the version.
        bucket: Of its artifacts.
        mode: SUPERSEDED or QUEUED.
        variables: Default values by name; None where there is none.
    """

    name: str
    raw: Mapping[str, Any]
    stages: tuple[Stage, ...]
    bucket: str
    mode: str
    variables: Mapping[str, str | None]

    def index(self, stage: str) -> int:
        """The place of a stage, -1 where there is none of that name."""
        return next((place for place, one in enumerate(self.stages) if one.name == stage), -1)


def parse(given: Mapping[str, Any], region: str) -> Pipeline:
    """The pipeline that a PipelineDeclaration describes.

    Raises:
        PipelineError: AWS refuses it, or the sandbox would have to ignore something of it.
    """
    kind = given.get("pipelineType", "V1")
    mode = given.get("executionMode", "SUPERSEDED")
    variables = {item["name"]: item.get("defaultValue") for item in given.get("variables") or ()}
    if kind == "V1" and (mode != "SUPERSEDED" or variables or given.get("triggers")):
        raise invalid_structure("Pipeline variables, triggers and execution modes require a pipeline of type V2.")
    if mode == "PARALLEL":
        raise not_carried_out("executionMode PARALLEL", " SUPERSEDED and QUEUED are.")
    if given.get("triggers"):
        raise not_carried_out("triggers", " Start the pipeline by StartPipelineExecution.")
    bucket = _bucket(given, region)
    stages = tuple(_stage(item, region) for item in given["stages"])
    _check_stages(stages)
    _check_artifacts(stages)
    _check_namespaces(stages)
    raw = {**given, "pipelineType": kind, "executionMode": mode}
    return Pipeline(given["name"], raw, stages, bucket, mode, variables)


def _bucket(given: Mapping[str, Any], region: str) -> str:
    one, many = given.get("artifactStore"), given.get("artifactStores")
    if bool(one) == bool(many):
        raise invalid_structure("A pipeline must have either an artifactStore or artifactStores, and not both.")
    if many and set(many) != {region}:
        raise not_carried_out("artifactStores of other regions")
    store = one or (many or {})[region]
    if store.get("encryptionKey"):
        raise not_carried_out("artifactStore.encryptionKey")
    return str(store["location"])


def _stage(given: Mapping[str, Any], region: str) -> Stage:
    name = given["name"]
    for member in ("blockers", "beforeEntry", "onSuccess", "onFailure"):
        if given.get(member):
            raise not_carried_out(f"{member} of stage {name}")
    if not given["actions"]:
        raise invalid_stage(f"Stage '{name}' contains no actions. A stage must contain at least one action.")
    actions = tuple(_action(item, region) for item in given["actions"])
    for action, count in Counter(action.name for action in actions).items():
        if count > 1:
            raise invalid_stage(f"Stage '{name}' has more than one action with the name '{action}'")
    return Stage(name, actions)


def _action(given: Mapping[str, Any], region: str) -> Action:
    name, type_id = given["name"], given["actionTypeId"]
    key = (type_id["category"], type_id["owner"], type_id["provider"])
    kind = ACTION_TYPES.get(key)
    if kind is None or type_id["version"] != "1":
        if key in OTHERS_OF_AWS and type_id["version"] == "1":
            raise not_carried_out(f"{key[2]} actions of category {key[0]} (action {name})")
        text = "', provider: '".join((f"category: '{key[0]}', owner: '{key[1]}", key[2]))
        raise invalid_action(
            f"ActionType ({text}', version: '{type_id['version']}') in action '{name}' is not available"
        )
    for member in ("commands", "outputVariables", "environmentVariables"):
        if given.get(member):
            raise invalid_action(
                f"The following action cannot contain a {member} field: {name}. To use the {member} field, "
                "use a compute action."
            )
    if any(item.get("files") for item in given.get("outputArtifacts") or ()):
        raise invalid_action(f"Action {name}: only compute actions name the files of an output artifact")
    if given.get("region", region) != region:
        raise not_carried_out(f"actions of another region (action {name})")
    if "timeoutInMinutes" in given and key[0] != "Approval":
        raise invalid_action(f"Action '{name}' of type {key[0]} does not allow timeoutInMinutes")
    inputs = tuple(item["name"] for item in given.get("inputArtifacts") or ())
    outputs = tuple(item["name"] for item in given.get("outputArtifacts") or ())
    _check_count(name, "input", inputs, kind.inputs)
    _check_count(name, "output", outputs, kind.outputs)
    if key[2] == "CodeBuild" and len(outputs) > 1:
        raise not_carried_out(f"secondary artifacts of CodeBuild (action {name})")
    action = Action(name, given, kind, given.get("runOrder", 1), inputs, outputs)
    _check_configuration(action)
    return action


def _check_count(name: str, which: str, artifacts: Sequence[str], bounds: tuple[int, int]) -> None:
    least, most = bounds
    found = f"Action {name} declares {len(artifacts)} {which} artifacts which is"
    if len(artifacts) < least:
        raise invalid_action(f"{found} less than the minimum count ({least})")
    if len(artifacts) > most:
        raise invalid_action(f"{found} more than the maximum count ({most})")


def _check_configuration(action: Action) -> None:
    given, kind = action.configuration, action.kind
    where = f"Action configuration for action '{action.name}'"
    for key in sorted(kind.required - set(given) - set(kind.only)):
        raise invalid_action(f"{where} is missing required configuration '{key}'")
    for key in sorted(set(given) & kind.others):
        raise not_carried_out(f"{key} of action {action.name}")
    for key in sorted(set(given) - kind.required - kind.optional):
        raise invalid_action(f"{where} contains unknown configuration '{key}'")
    for key, values in kind.only.items():
        needed = key in kind.required
        if (needed or key in given) and given.get(key) not in values:
            said = given.get(key, "left out")
            raise not_carried_out(f"{key} {said} of action {action.name}", f" Set it to {' or '.join(sorted(values))}.")
    if action.provider == "CodeBuild" and len(action.inputs) > 1 and given.get("PrimarySource") not in action.inputs:
        raise invalid_action(f"{where} needs PrimarySource: it has more than one input artifact")
    timeout = given.get("DeploymentTimeout")
    if timeout is not None and not (timeout.isdecimal() and 1 <= int(timeout) <= 60):
        raise invalid_action(f"{where}: DeploymentTimeout must be a number of minutes from 1 to 60")


def _check_stages(stages: Sequence[Stage]) -> None:
    if len(stages) < 2:
        raise invalid_structure(
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline"
        )
    if len(stages) > _MAX_STAGES or sum(len(stage.actions) for stage in stages) > _MAX_ACTIONS:
        raise invalid_structure(f"A pipeline has {_MAX_STAGES} stages and {_MAX_ACTIONS} actions at most")
    for name, count in Counter(stage.name for stage in stages).items():
        if count > 1:
            raise invalid_stage(f"Pipeline has more than one stage with the name '{name}'. Stage names must be unique")
    first, *others = stages
    for action in first.actions:
        if action.category != "Source":
            raise invalid_structure(
                f"Pipeline stage {first.name} contains action {action.name} of category {action.category}. "
                "The first stage must contain only Source actions"
            )
    for stage in others:
        for action in stage.actions:
            if action.category == "Source":
                raise invalid_structure(
                    f"Pipeline stage {stage.name} contains Source action {action.name}. "
                    "Only the first stage may contain Source actions"
                )


def _check_artifacts(stages: Sequence[Stage]) -> None:
    """Each output artifact has a name of its own; an input artifact is the output of an earlier action."""
    made: set[str] = set()
    for stage in stages:
        for group in stage.groups():
            for action in group:
                for name in action.inputs:
                    if name not in made:
                        raise invalid_action(
                            f"Input Artifact Bundle {name} in action {action.name} is declared but is not an output "
                            "artifact of an earlier action"
                        )
            for action in group:
                for name in action.outputs:
                    if name in made:
                        raise invalid_action(
                            f"Output Artifact Bundle name must be unique within the pipeline. {name} is used more "
                            "than once"
                        )
                    made.add(name)


def _check_namespaces(stages: Sequence[Stage]) -> None:
    seen: set[str] = set()
    for action in (action for stage in stages for action in stage.actions):
        if not action.namespace:
            continue
        if action.namespace in seen or action.namespace in {"codepipeline", "variables"}:
            raise invalid_action(f"Namespace '{action.namespace}' of action '{action.name}' is not unique or reserved")
        seen.add(action.namespace)
