"""Whoever operates what runs: replaces and interrupts tasks, sends events again, waits for what follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.clock import RealClock
from sandbox.controllers import release_services, releases
from sandbox.controllers.codebuild.archive import zipped
from sandbox.controllers.container_logs import lines
from sandbox.controllers.control_plane import ControlPlane
from sandbox.controllers.ecs import EcsController
from sandbox.controllers.faults import Begun, Faults
from sandbox.controllers.instance_services import Agent, InstanceServices
from sandbox.controllers.interfaces import Interfaces
from sandbox.controllers.zone_traffic import ZoneTraffic
from sandbox.engine import image_files
from sandbox.engine.containers import Containers
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.events import EventShape
from sandbox.model.route53 import Answer
from sandbox.timeline import Observation, Timeline

_LOOK_AGAIN = 0.1  # seconds of the wall clock: nobody tells that CloudWatch Logs has a line


class Operator:
    """The part of a `Sandbox` that acts on tasks.

    Attributes:
        aws: Clients of the sandbox's endpoint.
    """

    aws: Clients
    clock: RealClock
    timeline: Timeline
    progress: Callable[[str], None]
    _containers: Containers
    _control_plane: ControlPlane
    _ecs: EcsController
    _faults: Faults
    _images: Images
    _instance_services: InstanceServices
    _interfaces: Interfaces
    _releases: release_services.Releases

    def wait_aws(self, seconds: float) -> None:
        """Let so many of AWS's seconds go by: for a time to live, or another timer that tells nobody of its end."""
        over = threading.Event()
        timer = self.clock.call_later(seconds, over.set)
        over.wait(self.clock.real_seconds(seconds) + 5)
        timer.cancel()

    def wait_ttl(self, seconds: float) -> None:
        """Let the time to live of an answer of DNS go by, which ``--speed`` does not shorten."""
        self.wait_aws(seconds * self.clock.speed)

    def replace_task(self, cluster: str, service: str) -> tuple[str, Observation]:
        """Stop a service's only task and wait until its replacement is RUNNING.

        Returns:
            The old task's ARN, and the replacement's ``task.state``.

        Raises:
            SandboxError: No replacement came.
        """
        (old,) = self.aws("ecs").list_tasks(cluster=cluster, serviceName=service)["taskArns"]
        mark = self.timeline.mark()
        self.progress("stopping the task; its service replaces it")
        self.aws("ecs").stop_task(cluster=cluster, task=old, reason="to be replaced")
        running = self.timeline.wait_for(
            "the replacement to be RUNNING",
            lambda seen: seen.kind == "task.state" and seen["task"] != old and seen["last_status"] == "RUNNING",
            within=60,
            since=mark,
        )
        return old, running

    def wait_task(self, task_arn: str, status: str, *, within: float = 60.0) -> Observation:
        """Wait for a task's ``task.state`` with this last status; one that has been counts.

        Raises:
            SandboxError: It did not come.
        """
        return self.timeline.wait_for(
            f"task {task_arn.rsplit('/', 1)[-1]} to be {status}",
            lambda seen: seen.kind == "task.state" and seen["task"] == task_arn and seen["last_status"] == status,
            within=within,
        )

    def wait_healthy(self, count: int, *, within: float = 90.0) -> None:
        """Wait until so many targets of all target groups together are healthy; what has been counts.

        Raises:
            SandboxError: They did not become so.
        """
        states: dict[tuple[str, str], str] = {}

        def enough(seen: Observation) -> bool:
            if seen.kind == "target.health":
                states[seen["group"], seen["target"]] = seen["state"]
            return sum(state == "healthy" for state in states.values()) >= count

        self.timeline.wait_for(f"{count} healthy targets", enough, within=within)

    def wait_discovered(self, service: str, count: int, *, within: float = 60.0) -> None:
        """Wait until so many instances of a service of Cloud Map are registered and HEALTHY; what has been counts.

        Raises:
            SandboxError: They did not become so.
        """
        healths: dict[str, str] = {}

        def enough(seen: Observation) -> bool:
            if seen.kind == "cloudmap.instance" and seen["service"] == service:
                healths[seen["instance"]] = "" if seen["change"] == "deregistered" else seen["health"]
            return sum(health == "HEALTHY" for health in healths.values()) >= count

        self.timeline.wait_for(f"{count} healthy instances of {service}", enough, within=within)

    def wait_log(
        self, group: str, pattern: str, count: int, *, since: float = 0.0, within: float = 20.0
    ) -> list[dict[str, Any]]:
        """Wait until a log group of CloudWatch Logs has so many events, and return them (FilterLogEvents).

        Args:
            group: The log group.
            pattern: A filter pattern, such as ``"GET /stock"`` in its quotes.
            count: How many events at least.
            since: Only events from then on, in seconds since the epoch.
            within: The bound, in seconds of the wall clock.

        Raises:
            SandboxError: There are fewer.
        """
        deadline = time.monotonic() + within
        pages = self.aws("logs").get_paginator("filter_log_events")
        while True:
            self._control_plane.logs.flush()
            request = {"logGroupName": group, "filterPattern": pattern, "startTime": int(since * 1000)}
            try:
                found = [event for page in pages.paginate(**request) for event in page["events"]]
            except ClientError as error:  # the group comes with its first line
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                found = []
            if len(found) >= count:
                return found
            if time.monotonic() >= deadline:
                raise SandboxError(
                    f"log group {group} has {len(found)} events with {pattern}, and {count} were to come",
                    state=found[-1]["message"] if found else "there is none",
                )
            threading.Event().wait(_LOOK_AGAIN)

    def upload_assets(self, image: str, bucket: str, folder: str = releases.PUBLIC) -> list[str]:
        """Put a build's static files out of its image into a bucket, beside what is there; returns the keys.

        Args:
            image: As a task definition names it.
            bucket: The bucket.
            folder: Where the image has them; a file's key is its path in it.

        Raises:
            SandboxError: The image cannot be had, or has no such folder.
        """
        files = image_files.files(self._containers, self._images.resolve(image), folder)
        return releases.upload(self.aws("s3"), bucket, files)

    def deploy(
        self, cluster: str, service: str, images: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> str:
        """Begin to roll a service to other images (see `releases.deploy`); returns the new revision's ARN."""
        return releases.deploy(self.aws("ecs"), cluster, service, images, environment)

    def wait_pipeline(
        self, pipeline: str, execution_id: str, status: str = "Succeeded", *, within: float = 120.0, since: int = 0
    ) -> Observation:
        """Wait until an execution of a pipeline has ended with this status, and return its ``pipeline.execution``.

        Args:
            pipeline: Its name.
            execution_id: What StartPipelineExecution answered.
            status: Succeeded, Failed, Stopped, Superseded or Cancelled.
            within: The bound, in seconds of the wall clock.
            since: A position of the timeline: after it (a retry ends a second time).

        Raises:
            SandboxError: It has ended otherwise, or not in time; the error has what the actions said and the last log
                lines.
        """
        return release_services.wait(self.timeline, (pipeline, execution_id), status, within=within, since=since)

    def wait_action(
        self, pipeline: str, action: str, status: str = "InProgress", *, within: float = 60.0, since: int = 0
    ) -> Observation:
        """Wait for a ``pipeline.action`` with this status, for instance of an approval that is asked for.

        Raises:
            SandboxError: It did not come.
        """
        return self.timeline.wait_for(
            f"action {action} of pipeline {pipeline} to be {status}",
            lambda seen: (
                seen.kind == "pipeline.action"
                and (seen["pipeline"], seen["action"], seen["status"]) == (pipeline, action, status)
            ),
            within=within,
            since=since,
        )

    def put_source(self, bucket: str, key: str, folder: Path, files: Mapping[str, str] | None = None) -> str:
        """Put a folder into S3 as the ZIP archive of a source action; returns the version's id.

        Args:
            bucket: It has versioning.
            key: Such as ``app.zip``.
            folder: The source: a Dockerfile, a buildspec.yml and what they need.
            files: Texts by path that take the place of the folder's, or come in addition.
        """
        texts = files or {}
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        content = zipped({**found, **{path: text.encode() for path, text in texts.items()}})
        return str(self.aws("s3").put_object(Bucket=bucket, Key=key, Body=content)["VersionId"])

    def push_image(self, image: str, reference: str) -> str:
        """Push an image that the engine has to a repository of ECR; returns the digest.

        Args:
            image: Such as ``nginx:1.27``, a component of the catalogue, or what ``docker build`` has made.
            reference: ``123456789012.dkr.ecr.us-east-1.amazonaws.com/REPOSITORY:TAG``.

        Raises:
            SandboxError: There is no such image or no such repository.
        """
        return self._releases.registry.push(self._images.resolve(image), reference)

    def ssm_agent(self, instance_id: str) -> Agent:
        """The agent of Systems Manager on an instance, to stop it and start it again."""
        return Agent(instance_id, self._instance_services.systems_manager)

    def wait_managed(self, instance_id: str, *, within: float = 60.0) -> None:
        """Wait until an instance is a managed node of Systems Manager; what has been counts.

        Raises:
            SandboxError: It has not become a managed node.
        """
        expected = (instance_id, "registered")
        self.timeline.wait_for(
            f"{instance_id} to be a managed node",
            lambda seen: seen.kind == "ssm.node" and (seen["instance"], seen["state"]) == expected,
            within=within,
        )

    def wait_command(self, command_id: str, *, within: float = 60.0) -> Observation:
        """Wait until a command of Systems Manager is over, and return its last ``ssm.command``.

        Raises:
            SandboxError: It is not over in time.
        """
        return self.timeline.wait_for(
            f"command {command_id} to be over",
            lambda seen: seen.kind == "ssm.command" and seen["command"] == command_id and seen["over"],
            within=within,
        )

    def wait_in_service(self, group: str, count: int, *, within: float = 60.0) -> list[str]:
        """Wait until so many instances of an Auto Scaling group are InService, and return them.

        Raises:
            SandboxError: They are not in time.
        """
        states: dict[str, str] = {}

        def enough(seen: Observation) -> bool:
            if seen.kind == "scaling.instance" and seen["group"] == group:
                states[seen["instance"]] = seen["state"]
            return sum(state == "InService" for state in states.values()) >= count

        self.timeline.wait_for(f"{count} instances of group {group} to be InService", enough, within=within)
        return [instance for instance, state in states.items() if state == "InService"]

    def ask_machine(self, instance_id: str, url: str, *, port: int = 0, timeout: float = 10.0) -> tuple[int, str]:
        """GET ``url`` of one EC2 instance, at its own address and from within: what a load balancer would get of it.

        Args:
            instance_id: An instance that runs here.
            url: http://NAME[:PORT]/PATH; the name is the Host header's. With https it is asked over HTTP as by the
                load balancer that has ended TLS before it: at port 80, and told so by X-Forwarded-Proto and -Port.
            port: The instance's port, where it is another one than that of ``url``.
            timeout: Seconds.

        Returns:
            HTTP's status and the body; 0 and curl's message where no answer came.

        Raises:
            SandboxError: The instance has no machine here.
        """
        machine = self._instance_services.instances.machine(instance_id)
        if machine is None:
            raise SandboxError(f"instance {instance_id} does not run here", hint="it needs an ECS cluster or a role")
        (found,) = self.aws("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
        address = found["Instances"][0]["PrivateIpAddress"]
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        usual = 80 if secure else parts.port or 80
        there = urlunsplit(("http", f"{address}:{port or usual}", parts.path or "/", parts.query, ""))
        forwarded = ["X-Forwarded-Proto: https", f"X-Forwarded-Port: {parts.port or 443}"] if secure else []
        command = [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            f"{timeout:g}",
            "--header",
            f"Host: {parts.netloc}",
            *(part for header in forwarded for part in ("--header", header)),
        ]
        code, out, said = self._containers.execute(
            machine.container, [*command, "--write-out", r"\n%{http_code}", there], prints=True
        )
        if code:
            return 0, said.strip()
        body, _, status = out.rpartition("\n")
        return int(status), body

    def set_registry_down(self, down: bool = True) -> None:
        """Have nobody reach ECR's registry, or let it be reached again: pushes of builds fail, and tasks' pulls."""
        self._releases.registry.is_down = down

    def set_event_shape(self, shape: EventShape) -> None:
        """How the attachments of ECS's events look from now on (see `EventShape`)."""
        self._ecs.event_shape = shape

    def delay_public_ip(self, seconds: float) -> None:
        """Show the public address of interfaces attached from now on so much later (AWS's seconds) than they are."""
        self._interfaces.association_delay = seconds

    def interrupt_spot(self, task_arn: str) -> None:
        """Have Fargate take back the capacity of a Spot task: event and SIGTERM at once, SIGKILL after stopTimeout.

        Raises:
            SandboxError: There is no such task, it is not of FARGATE_SPOT, or it stops already.
        """
        try:
            self._ecs.interrupt_spot(task_arn)
        except EcsError as error:
            raise SandboxError(f"{task_arn} cannot be interrupted", state=error.message) from error

    def fault(self, name: str, target: str, **options: object) -> Begun:
        """Begin a fault, which a ``with`` block or `Begun.end` ends, and at the latest the end of the sandbox.

        Recorded as ``fault.begun`` and ``fault.ended``.

        Args:
            name: Such as "latency"; docs/faults.md has all.
            target: Such as "service:shop", "task:0123abcd", "balancer:web", "name:blog.example.com", "rule:on-running".
            options: The fault's, such as ``milliseconds=300``.

        Raises:
            SandboxError: There is no such fault, option or target, or it could not be put in; nothing is left.
        """
        return self._faults.begin(name, target, options)

    def lift(self, fault: int) -> None:
        """End a fault by its number (``fault`` of its ``fault.begun``), whoever has begun it.

        Raises:
            SandboxError: It has ended, or could not be taken away.
        """
        self._faults.lift(fault)

    def replay(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Put events on the bus as they are, whatever their source, one after another: a recorded one is a duplicate.

        EventBridge delivers "at least once", in no order; PutEvents would refuse a source that starts with "aws.".
        The timeline has each event that was published, as ``event`` of ``event.published``.
        """
        for event in events:
            self._control_plane.events.publish(event)

    def zone_traffic(self) -> ZoneTraffic:
        """Count what tasks and instances send to other Availability Zones all through a ``with`` block.

        Recorded as ``zone.traffic`` at its end (see `ZoneTraffic`).
        """
        return ZoneTraffic(self._interfaces, self._containers, self.timeline)

    def answers_now(self, name: str, record_type: str) -> tuple[Answer, Answer]:
        """What DNS would answer in the VPC, and on the internet, without asking it: nothing is recorded."""
        zones = self._control_plane.zones
        return zones.look(name, record_type), zones.look(name, record_type, outside=True)

    def follow(self, task_arn: str, container: str, since: float | None = None) -> Iterator[str]:
        """The lines that a container of a task prints, from its beginning or a time, until it ends; none if it is gone.

        Each line is there when it comes.
        """
        found = self._ecs.runner.container(task_arn, container) if self._ecs.runner else ""
        return lines(self._containers.follow(found, since)) if found else iter(())

    def task_logs(self, task_arn: str) -> dict[str, list[str]]:
        """The last log lines of each container of a task that has not been removed."""
        return self._ecs.runner.logs(task_arn) if self._ecs.runner else {}

    def execute(
        self, task_arn: str, container: str, command: Sequence[str], *, prints: bool = False
    ) -> tuple[int, str, str]:
        """Run a command in a container of a task, as ECS Exec does: exit code, output, errors.

        ``prints`` is as of `sandbox.engine.containers.Containers.execute`.

        Raises:
            SandboxError: The container does not run.
        """
        found = self._ecs.runner.container(task_arn, container) if self._ecs.runner else ""
        if not found:
            raise SandboxError(f"no container '{container}' of task {task_arn} runs")
        return self._containers.execute(found, command, prints=prints)
