"""The CodeBuild API: projects and their builds, as far as a release needs them.

https://docs.aws.amazon.com/codebuild/latest/APIReference/. What the sandbox would have to ignore is refused. Roles are
kept and shown; nobody is refused by them. ``privilegedMode`` is taken, and does nothing: no container is privileged,
and ``docker build`` works without (see docs/pipeline.md).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.clock import Clock
from sandbox.model.codebuild.build import Build

Request = dict[str, Any]
Answer = dict[str, Any]

_PROJECT_MEMBERS = frozenset(
    {
        *("name", "description", "source", "artifacts", "environment", "serviceRole", "timeoutInMinutes"),
        *("queuedTimeoutInMinutes", "logsConfig", "tags"),
    }
)
_MEMBERS = {
    "source": frozenset({"type", "buildspec"}),
    "artifacts": frozenset({"type", "name", "packaging"}),
    "environment": frozenset({"type", "image", "computeType", "environmentVariables", "privilegedMode"}),
}
_TYPES = {"source": {"CODEPIPELINE", "NO_SOURCE"}, "artifacts": {"CODEPIPELINE", "NO_ARTIFACTS"}}
_START_MEMBERS = frozenset({"projectName", "environmentVariablesOverride", "buildspecOverride"})
_DEFAULT_TIMEOUT = 60  # minutes


class BuildRunner(Protocol):
    """Who runs builds."""

    def start(self, build: Build, ended: Callable[[Build], None]) -> None:
        """Run a build and call ``ended`` when it has ended; returns at once."""

    def stop(self, build: Build) -> None:
        """End a build."""


class CodeBuildService:
    """Projects and builds of one account.

    Args:
        runner: Runs the builds.
        clock: Dates them.
    """

    service_name = "codebuild"
    validation_error_code = "InvalidInputException"

    def __init__(self, runner: BuildRunner, clock: Clock) -> None:
        self._runner = runner
        self._clock = clock
        self._lock = threading.Lock()
        self._projects: dict[str, dict[str, Any]] = {}
        self._builds: dict[str, Build] = {}

    # -- projects --

    def create_project(self, request: Request, context: RequestContext) -> Answer:
        """CreateProject."""
        with self._lock:
            if request["name"] in self._projects:
                arn = self._projects[request["name"]]["arn"]
                raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {arn}")
            project = self._checked(request)
            self._projects[project["name"]] = project
        return {"project": project}

    def update_project(self, request: Request, context: RequestContext) -> Answer:
        """UpdateProject; what it leaves out stays."""
        with self._lock:
            before = self._find(request["name"])
            given = {name: before[name] for name in _PROJECT_MEMBERS if name in before}
            project = {**self._checked({**given, **request}), "created": before["created"]}
            self._projects[project["name"]] = project
        return {"project": project}

    def delete_project(self, request: Request, context: RequestContext) -> Answer:
        """DeleteProject; one that there is not is deleted as well."""
        self._projects.pop(request["name"], None)
        return {}

    def batch_get_projects(self, request: Request, context: RequestContext) -> Answer:
        """BatchGetProjects."""
        names = [name.rpartition("/")[2] for name in request["names"]]
        return {
            "projects": [self._projects[name] for name in names if name in self._projects],
            "projectsNotFound": [name for name in names if name not in self._projects],
        }

    def list_projects(self, request: Request, context: RequestContext) -> Answer:
        """ListProjects; one page."""
        return {"projects": sorted(self._projects)}

    # -- builds --

    def start_build(self, request: Request, context: RequestContext) -> Answer:
        """StartBuild, for projects without a source of CodePipeline's."""
        unknown = sorted(set(request) - _START_MEMBERS)
        if unknown:
            raise _invalid(f"The sandbox does not carry out {unknown[0]} of StartBuild.")
        project = self._find(request["projectName"])
        if project["source"]["type"] == "CODEPIPELINE":
            raise _invalid("Cannot start a build of a project whose source is CODEPIPELINE; its pipeline starts it")
        if "buildspecOverride" in request:
            source = {**project["source"], "buildspec": request["buildspecOverride"]}
            project = {**project, "source": source}
        variables = _variables(request.get("environmentVariablesOverride") or ())
        build = self._begin(project, {}, variables, "sandbox", "", lambda build: None)
        return {"build": build.shown()}

    def begin(
        self,
        project: str,
        sources: Mapping[str, bytes],
        variables: list[Mapping[str, str]],
        initiator: str,
        version: str,
        ended: Callable[[Build], None],
    ) -> Build:
        """Start a build of a pipeline's action.

        Args:
            project: Its name.
            sources: ZIP archives by artifact, the primary one first.
            variables: ``name``, ``value`` and ``type`` of each.
            initiator: ``codepipeline/PIPELINE``.
            version: Of the primary source.
            ended: Called when it has ended.

        Raises:
            AwsError: ResourceNotFoundException, or InvalidInputException: the project is none for a pipeline.
        """
        found = self._find(project)
        if found["source"]["type"] != "CODEPIPELINE" or found["artifacts"]["type"] != "CODEPIPELINE":
            raise _invalid(f"Project {project}: source and artifacts of a pipeline's build are of type CODEPIPELINE")
        return self._begin(found, sources, _variables(variables), initiator, version, ended)

    def stop_build(self, request: Request, context: RequestContext) -> Answer:
        """StopBuild."""
        build = self._find_build(request["id"])
        self._runner.stop(build)
        return {"build": build.shown()}

    def end(self, build: Build) -> None:
        """Stop a build that nobody waits for any more."""
        self._runner.stop(build)

    def batch_get_builds(self, request: Request, context: RequestContext) -> Answer:
        """BatchGetBuilds."""
        ids = [name.partition(":build/")[2] or name for name in request["ids"]]
        return {
            "builds": [self._builds[name].shown() for name in ids if name in self._builds],
            "buildsNotFound": [name for name in ids if name not in self._builds],
        }

    def list_builds(self, request: Request, context: RequestContext) -> Answer:
        """ListBuilds; one page, the latest first."""
        return {"ids": list(reversed(self._builds))}

    def list_builds_for_project(self, request: Request, context: RequestContext) -> Answer:
        """ListBuildsForProject; one page, the latest first."""
        self._find(request["projectName"])
        return {"ids": [name for name in reversed(self._builds) if name.startswith(f"{request['projectName']}:")]}

    def _begin(
        self,
        project: Mapping[str, Any],
        sources: Mapping[str, bytes],
        variables: Mapping[str, str],
        initiator: str,
        version: str,
        ended: Callable[[Build], None],
    ) -> Build:
        name = project["name"]
        own = _variables(project["environment"].get("environmentVariables") or ())
        with self._lock:
            number = sum(build.project["name"] == name for build in self._builds.values()) + 1
            build = Build(
                f"{name}:{uuid.uuid4()}",
                number,
                project,
                initiator,
                self._clock.now(),
                {**own, **variables},
                sources,
                version,
            )
            self._builds[build.id] = build
        self._runner.start(build, ended)
        return build

    def _find(self, name: str) -> dict[str, Any]:
        short = name.rpartition("/")[2]
        if short not in self._projects:
            arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT_ID}:project/{short}"
            raise AwsError("ResourceNotFoundException", f"Project cannot be found: {arn}")
        return self._projects[short]

    def _find_build(self, name: str) -> Build:
        short = name.partition(":build/")[2] or name
        if short not in self._builds:
            raise AwsError("ResourceNotFoundException", f"Build {name} cannot be found")
        return self._builds[short]

    def _checked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        for name in sorted(request):
            if name not in _PROJECT_MEMBERS:
                raise _invalid(f"The sandbox does not carry out {name} of a project.")
        for member, known in _MEMBERS.items():
            for name in sorted(request[member]):
                if name not in known and request[member][name]:
                    raise _invalid(f"The sandbox does not carry out {member}.{name} of a project.")
        for member, types in _TYPES.items():
            if request[member]["type"] not in types:
                wanted = " or ".join(sorted(types))
                raise _invalid(f"The sandbox does not carry out {member}.type {request[member]['type']}: {wanted} is.")
        logs = request.get("logsConfig") or {}
        if (logs.get("s3Logs") or {}).get("status", "DISABLED") != "DISABLED":
            raise _invalid("The sandbox does not carry out logsConfig.s3Logs of a project.")
        if (logs.get("cloudWatchLogs") or {}).get("status", "ENABLED") != "ENABLED":
            raise _invalid("The sandbox does not carry out a project without logs in CloudWatch Logs.")
        if request["environment"]["type"] != "LINUX_CONTAINER":
            raise _invalid(f"The sandbox does not carry out environment.type {request['environment']['type']}.")
        if request["source"]["type"] == "NO_SOURCE" and not request["source"].get("buildspec"):
            raise _invalid("Invalid project source: a project without a source needs a buildspec")
        _variables(request["environment"].get("environmentVariables") or ())
        now = self._clock.now()
        return {
            "timeoutInMinutes": _DEFAULT_TIMEOUT,
            **request,
            "arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT_ID}:project/{request['name']}",
            "created": now,
            "lastModified": now,
        }


def _variables(given: Any) -> dict[str, str]:
    made = {}
    for item in given:
        if item.get("type", "PLAINTEXT") != "PLAINTEXT":
            raise _invalid(f"The sandbox does not carry out environment variables of type {item['type']}.")
        made[str(item["name"])] = str(item["value"])
    return made


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInputException", message)
