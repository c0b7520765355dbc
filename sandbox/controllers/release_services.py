"""What a sandbox has for releases: the registry, and CodeBuild and CodePipeline once they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from sandbox.clock import Clock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.controllers.network import RunNetwork
from sandbox.controllers.registry import Registry
from sandbox.engine.containers import Containers
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.timeline import Observation, Timeline

if TYPE_CHECKING:
    from sandbox.aws.services.codebuild import CodeBuildService
    from sandbox.aws.services.codepipeline import CodePipelineService


class Releases:
    """Registers its services with the gateway; most sandboxes never ask for them.

    Args:
        containers: The run's.
        images: Where images come from; its references to ECR are looked up in the registry from now on.
        network: The run's.
        plane: Has the endpoint, EventBridge and CloudWatch Logs.
        clock: Times everything.
        timeline: Gets every observation.

    Attributes:
        registry: Amazon ECR.
    """

    def __init__(
        self,
        containers: Containers,
        images: Images,
        network: RunNetwork,
        plane: ControlPlane,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self._containers = containers
        self._images = images
        self._network = network
        self._plane = plane
        self._clock = clock
        self._timeline = timeline
        self._closers: list[Callable[[], None]] = []
        self.registry = Registry(containers, plane.aws, plane.events.publish, clock, timeline)
        images.in_registry = self.registry.find
        plane.gateway.add_later("codebuild", lambda: self.codebuild)
        plane.gateway.add_later("codepipeline", self._make_codepipeline)

    @cached_property
    def codebuild(self) -> CodeBuildService:
        """CodeBuild; made when it is first asked for."""
        from sandbox.aws.services.codebuild import CodeBuildService
        from sandbox.controllers.codebuild.builds import Builds
        from sandbox.controllers.codebuild.docker_commands import PATH, DockerCommands

        docker = DockerCommands(self._containers, self._images, self.registry)
        self._plane.gateway.add_path(PATH, docker.answer, method="POST")
        builds = Builds(
            self._containers, self._images, self._network, docker, self._plane.logs, self._clock, self._timeline
        )
        return CodeBuildService(builds, self._clock)

    def _make_codepipeline(self) -> CodePipelineService:
        from sandbox.controllers.pipeline import assembly

        plane = self._plane
        service, controller = assembly.make(
            plane.aws, self.codebuild, plane.events.publish, self._clock, self._timeline
        )
        plane.on_object_put = controller.object_put
        self._closers.append(controller.close)
        return service

    def close(self) -> None:
        """Abandon what runs."""
        for close in self._closers:
            close()


def wait(timeline: Timeline, which: tuple[str, str], status: str, *, within: float, since: int = 0) -> Observation:
    """Wait for the end of an execution, a pipeline's name and its id (see `Operator.wait_pipeline`)."""
    from sandbox.model.codepipeline.execution import ENDED  # which most sandboxes never load

    pipeline, execution_id = which

    def ended(seen: Observation) -> bool:
        return seen.kind == "pipeline.execution" and seen["execution"] == execution_id and seen["status"] in ENDED

    what = f"execution {execution_id[:8]} of pipeline {pipeline}"
    try:
        found = timeline.wait_for(f"{what} to be {status}", ended, within=within, since=since)
    except SandboxError as error:
        state, log = _last(timeline, execution_id)
        raise SandboxError(error.message, state=state or error.state, log=log or error.log, hint=error.hint) from error
    if found["status"] == status:
        return found
    state, log = _last(timeline, execution_id)
    raise SandboxError(
        f"{what} is {found['status']}, not {status}",
        state=state,
        log=log,
        hint="aws codepipeline list-action-executions tells of each action",
    )


def _last(timeline: Timeline, execution_id: str) -> tuple[str, list[str]]:
    """What the latest action of an execution said, and the last log lines of its build or of a container."""
    seen = timeline.since()
    actions = [one for one in seen if one.kind == "pipeline.action" and one["execution"] == execution_id]
    if not actions:
        return "no action has begun", []
    last = actions[-1]
    said = last["error"] or last["summary"]
    state = f"action {last['action']} of stage {last['stage']} is {last['status']}" + (f": {said}" if said else "")
    if last["provider"] == "CodeBuild":
        logs = [one for one in seen if one.kind == "codebuild.build" and one["build"] == last["external_id"]]
    else:
        logs = [one for one in seen if one.kind == "container.exited"]
    return state, list(logs[-1]["log"]) if logs else []
