"""Run Command at work: the model decides which node gets a command when; agents run it, and all changes are told."""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, Protocol, TypeVar

import docker

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.protocol import AwsError
from sandbox.clock import Clock
from sandbox.controllers.ssm_agent import Finished, Running
from sandbox.errors import SandboxError, log_failure
from sandbox.model.ssm import told
from sandbox.model.ssm.command import Command
from sandbox.model.ssm.control import (
    CommandChanged,
    Effect,
    Hand,
    InvocationChanged,
    Kill,
    Remind,
    RunCommand,
)
from sandbox.model.ssm.nodes import Node
from sandbox.model.ssm.shown import output_key
from sandbox.model.ssm.targets import Candidate, chosen
from sandbox.timeline import Timeline

log = logging.getLogger(__name__)
T = TypeVar("T")

REGISTERS = "ssm:UpdateInstanceInformation"
"""What a role has to allow so that its instance becomes a managed node (AmazonSSMManagedInstanceCore does)."""
FETCHES = "ec2messages:GetMessages"
"""What the agent fetches commands by; ssmmessages:OpenControlChannel will do as well."""
FETCHES_TOO = "ssmmessages:OpenControlChannel"

_AGENTS = 256  # invocations that run at the same time
_AT_ONCE = 16


class Ec2(Protocol):
    """EC2's records, and IAM's of the roles of instances."""

    def instances(self) -> list[Any]:
        """All of them, see `sandbox.aws.backends.embedded.Ec2Instance`."""

    def role_allows(self, role_arn: str, action: str) -> bool:
        """Whether a role's policies allow an action."""

    def resource_group_members(self, name: str) -> list[str]:
        """The instances of a resource group."""


class Outlets(Protocol):
    """Where Run Command sends what it has to tell; see `sandbox.controllers.ssm_outlets`."""

    def publish(self, event: dict[str, Any]) -> None:
        """Put an event on EventBridge's default bus."""

    def notify(self, topic_arn: str, message: str, service_role_arn: str) -> None:
        """Publish a message to a topic, as the service role."""

    def store(self, bucket: str, key: str, content: IO[bytes]) -> None:
        """Put an output into S3."""


class SsmController:
    """Owns the model of Run Command. Safe to use from several threads.

    Timeline: ``ssm.node`` (instance, state) when an agent registers, stops or starts, or its instance is gone;
    ``ssm.command`` (command, document, status, details, targets, errors, over) and ``ssm.invocation`` (command,
    instance, status, details, and at its end code and log) for each change.

    Args:
        client: The engine's.
        machine: The container of an instance's machine ("": it has none now).
        ec2: EC2's records.
        outlets: See `Outlets`.
        clock: Times everything.
        timeline: See above.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        machine: Callable[[str], str],
        ec2: Ec2,
        outlets: Outlets,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self.model = RunCommand()
        self._client = client
        self._machine = machine
        self._ec2 = ec2
        self._outlets = outlets
        self._clock = clock
        self._timeline = timeline
        self._lock = threading.RLock()
        self._running: dict[tuple[str, str], Running] = {}
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._agents = ThreadPoolExecutor(_AGENTS, thread_name_prefix="ssm-agent")
        # Others than those that wait for scripts: what ends these must not wait for them.
        self._service = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ssm")
        self._closed = False

    # -- nodes --

    def machine_up(self, instance: Any) -> None:
        """The machine of an instance runs: its agent registers, if the instance's role lets it."""
        with self._lock:
            known = self.model.nodes.get(instance.id)
            can_run = any(self._ec2.role_allows(instance.role, action) for action in (FETCHES, FETCHES_TOO))
            if known is not None and known.state == "running":
                known.can_run = can_run
                return
            if not self._ec2.role_allows(instance.role, REGISTERS):
                return
            now = self._clock.now()
            node = Node(
                instance.id,
                instance.interface.private_dns_name,
                instance.interface.private_ip,
                known.registered if known is not None else now,
                now,
                can_run=can_run,
            )
            self._timeline.record("ssm.node", instance=instance.id, state="registered")
            self._carry_out(self.model.register(node))

    def machine_gone(self, instance_id: str, state: str) -> None:
        """EC2 has stopped or terminated an instance."""
        with self._lock:
            if instance_id in self.model.nodes:
                self._timeline.record("ssm.node", instance=instance_id, state=state)
            self._held.pop(instance_id, None)
            self._carry_out(self.model.instance_changed(instance_id, state, self._clock.now()))

    def stop_agent(self, instance_id: str) -> None:
        """Have an agent take no more commands (``systemctl stop amazon-ssm-agent``).

        Raises:
            SandboxError: The instance is no managed node.
        """
        with self._lock:
            self._known(instance_id)
            self._timeline.record("ssm.node", instance=instance_id, state="agent stopped")
            self._carry_out(self.model.agent_stopped(instance_id, self._clock.now()))

    def start_agent(self, instance_id: str) -> None:
        """Have it take commands again; first it tells of what it has ended meanwhile.

        Raises:
            SandboxError: The instance is no managed node.
        """
        with self._lock:
            self._known(instance_id)
            self._timeline.record("ssm.node", instance=instance_id, state="agent started")
            effects = self.model.agent_started(instance_id, self._clock.now())
            for tell in self._held.pop(instance_id, []):
                tell()
            self._carry_out(effects)

    def _known(self, instance_id: str) -> None:
        if instance_id not in self.model.nodes:
            raise SandboxError(
                f"{instance_id} is no managed node",
                state=f"managed nodes: {', '.join(sorted(self.model.nodes)) or 'none'}",
                hint=f"give it an instance profile whose role allows {REGISTERS}",
            )

    # -- commands --

    def read(self, look: Callable[[RunCommand], T]) -> T:
        """Look at the model while nothing changes it."""
        with self._lock:
            return look(self.model)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    def tags(self) -> dict[str, Mapping[str, str]]:
        """The tags of all instances, as EC2 has them now."""
        return {instance.id: instance.tags for instance in self._ec2.instances()}

    def send(self, command: Command, instance_ids: list[str]) -> None:
        """Take a command; its nodes are those of ``instance_ids``, or else of its Targets. Returns at once."""
        with self._lock:
            self._carry_out(self.model.send(command))
        self._submit(self._service, lambda: self._begin(command, instance_ids))

    def cancel(self, command_id: str, instance_ids: list[str]) -> None:
        """CancelCommand (see `RunCommand.cancel`, also for its errors)."""
        with self._lock:
            self._carry_out(self.model.cancel(command_id, instance_ids))

    def close(self) -> None:
        """Let nothing more happen. What runs ends with its containers."""
        with self._lock:
            self._closed = True
        for pool in (self._agents, self._service):
            pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, command: Command, instance_ids: list[str]) -> None:
        found = instance_ids or self._targets(command)
        with self._lock:
            self._carry_out(self.model.begin(command.id, found, self._clock.now()))

    def _targets(self, command: Command) -> list[str]:
        tags = self.tags()
        with self._lock:
            candidates = [Candidate(one, tags.get(one, {})) for one in self.model.nodes]
        try:
            return chosen(command.request["Targets"], candidates, self._ec2.resource_group_members)
        except AwsError:  # the resource group has been deleted in this moment
            return []

    # -- what is to be done --

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._carry_out_one(effect)

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Hand(command_id, instance_id):
                self._submit(self._agents, lambda: self._work(command_id, instance_id))
            case Kill(command_id, instance_id):
                self._kill(command_id, instance_id)
            case Remind():
                self._clock.call_later(effect.seconds, lambda: self._remind(effect))
            case InvocationChanged(command_id, instance_id):
                self._tell_invocation(command_id, instance_id)
            case CommandChanged(command_id):
                self._tell_command(command_id)

    def _remind(self, reminder: Remind) -> None:
        with self._lock:
            if not self._closed:
                self._carry_out(self.model.remind(reminder, self._clock.now()))

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            pool.submit(self._guarded, work)

    def _guarded(self, work: Callable[[], None]) -> None:
        """What nobody foresaw must be heard: everyone who waits gets it."""
        try:
            work()
        except Exception as error:
            if not self._closed:
                log_failure(log, error, "Run Command failed")
                self._timeline.abort(SandboxError("Run Command failed", state=f"{type(error).__name__}: {error}"))

    def _work(self, command_id: str, instance_id: str) -> None:
        """Run the steps of an invocation, one after another."""
        container = self._machine(instance_id)
        while container and not self._closed:
            with self._lock:
                step, effects = self.model.next_step(command_id, instance_id, self._clock.now())
                self._carry_out(effects)
                if step is None:
                    return
                running = Running(self._client, container, instance_id, command_id, step)
                self._running[command_id, instance_id] = running
            command = self.model.commands[command_id]
            try:
                finished = running.run(self._clock, to_s3=bool(command.request.get("OutputS3BucketName")))
            except SandboxError:
                return  # the instance is gone: nobody is left to tell what has become of the command
            finally:
                with self._lock:
                    self._running.pop((command_id, instance_id), None)
            self._store(command, instance_id, finished)
            if not self._report(command_id, instance_id, finished):
                return

    def _report(self, command_id: str, instance_id: str, finished: Finished) -> bool:
        """Tell what has become of a step; whether the agent may go on now. A stopped one does both when it is back."""
        with self._lock:
            node = self.model.nodes.get(instance_id)
            if node is None:
                return False

            def tell() -> None:
                effects = self.model.step_ended(command_id, instance_id, finished.result, self._clock.now())
                self._carry_out(effects)

            if node.is_listening:
                tell()
                return True

            def tell_and_go_on() -> None:
                tell()
                self._submit(self._agents, lambda: self._work(command_id, instance_id))

            self._held.setdefault(instance_id, []).append(tell_and_go_on)
            return False

    def _store(self, command: Command, instance_id: str, finished: Finished) -> None:
        try:
            for stream, file in (("stdout", finished.stdout), ("stderr", finished.stderr)):
                if file is None or not file.tell():
                    continue
                file.seek(0)
                result = finished.result
                key = output_key(command, command.invocations[instance_id], result.name, result.plugin, stream)
                self._outlets.store(str(command.request["OutputS3BucketName"]), key, file)
        finally:
            finished.close()

    def _kill(self, command_id: str, instance_id: str) -> None:
        running = self._running.get((command_id, instance_id))
        if running is not None:
            self._submit(self._service, lambda: running.kill("Cancelled"))

    # -- what is told --

    def _tell_invocation(self, command_id: str, instance_id: str) -> None:
        command = self.model.commands[command_id]
        invocation = command.invocations[instance_id]
        last = next((step for step in reversed(invocation.steps) if step.ended is not None), None)
        self._timeline.record(
            "ssm.invocation",
            command=command_id,
            instance=instance_id,
            status=invocation.status,
            details=invocation.detail,
            code=last.code if last is not None else None,
            log=last.output.splitlines()[-20:] if last is not None else [],
        )
        now = self._clock.now()
        self._outlets.publish(told.event(command, invocation, str(uuid.uuid4()), ACCOUNT_ID, REGION, now))
        topic = told.topic_for(command, "Invocation", invocation.status)
        if topic:
            self._notify(command, topic, told.invocation_message(command, invocation, now))

    def _tell_command(self, command_id: str) -> None:
        command = self.model.commands[command_id]
        self._timeline.record(
            "ssm.command",
            command=command_id,
            document=command.document,
            status=command.status,
            details=command.detail,
            targets=len(command.invocations),
            errors=command.error_count(),
            over=command.is_over,
        )
        now = self._clock.now()
        self._outlets.publish(told.event(command, None, str(uuid.uuid4()), ACCOUNT_ID, REGION, now))
        topic = told.topic_for(command, "Command", command.status)
        if topic:
            self._notify(command, topic, told.command_message(command, now))

    def _notify(self, command: Command, topic: str, message: str) -> None:
        self._outlets.notify(topic, message, str(command.request.get("ServiceRoleArn", "")))
