"""The check ``purge``: a command of Systems Manager that clears the cache of every machine of an Auto Scaling group."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from sandbox.controllers import commands
from sandbox.errors import SandboxError
from sandbox.model.own import purge
from sandbox.model.own.checks import Check
from sandbox.model.own.purge import Answer, Sent
from sandbox.timeline import Observation

if TYPE_CHECKING:  # loads Docker and boto3
    from sandbox.controllers.sandbox import Sandbox

_WITHIN = 60.0  # seconds for each wait, and for each command of somebody's own
_ASK_AGAIN = 0.2  # seconds
_BY_GROUP = "tag:aws:autoscaling:groupName"  # Auto Scaling itself gives each instance this tag

Progress = Callable[[str], None]


def perform(sandbox: Sandbox, check: Check, folder: Path, progress: Progress) -> tuple[bool, list[str]]:
    """Whether the purge reaches every machine, each says Success, and each has the new content afterwards.

    Args:
        sandbox: With the stack up.
        check: Of kind ``purge``.
        folder: Where commands of its owner run.
        progress: Told what is being done.

    Raises:
        SandboxError: There is no such group, a machine never answers, or a command of its owner fails.
    """
    return _Purge(sandbox, check, folder, progress).outcome()


class _Purge:
    def __init__(self, sandbox: Sandbox, check: Check, folder: Path, progress: Progress) -> None:
        self._sandbox = sandbox
        self._check = check
        self._bounds = check.bounds
        self._folder = folder
        self._progress = progress
        self._group = str(check.bounds["group"])
        self._within = float(check.bounds.get("within", _WITHIN))

    def outcome(self) -> tuple[bool, list[str]]:
        machines = self._wait_machines()
        if self._check.target.startswith("https:"):
            self._check_certificate()
        for _ in range(2):  # the first answer fills a cache, the second one comes out of it
            before = {machine: self._ask_until_200(machine) for machine in machines}
        if new := purge.was_new(before):
            return False, new
        if self._bounds.get("change"):
            self._run("change")
        mark = self._sandbox.timeline.mark()
        refused = self._purge()
        if refused:
            return False, [refused]
        sent = self._wait_commands(mark)
        after = {machine: self._ask(machine) for machine in self._machines()}
        return purge.judge(self._group, sent, after)

    def _check_certificate(self) -> None:
        """Machines are asked by their addresses, so nobody else would tell of the certificate of the name.

        Raises:
            SandboxError: It is not for the name, or not by the run's authority; or nobody listens there.
        """
        found = self._sandbox.http_fetch(self._check.target)
        if not found.status:
            hint = "its listener wants a certificate for this name" if "certificate" in found.error else ""
            raise SandboxError(f"{self._check.target} cannot be reached", state=found.error, hint=hint)

    # -- machines --

    def _described(self) -> dict[str, Any]:
        scaling = self._sandbox.aws("autoscaling")
        groups = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        for group in groups:
            if group["AutoScalingGroupName"] == self._group:
                found: dict[str, Any] = group
                return found
        names = ", ".join(sorted(group["AutoScalingGroupName"] for group in groups))
        raise SandboxError(f"there is no Auto Scaling group {self._group}", state=f"groups: {names or 'none'}")

    def _machines(self) -> list[str]:
        found = self._described()["Instances"]
        return sorted(one["InstanceId"] for one in found if one["LifecycleState"] == "InService")

    def _wait_machines(self) -> list[str]:
        wanted = int(self._described()["DesiredCapacity"])
        self._progress(f"waiting for {wanted} machines of {self._group}")
        self._sandbox.wait_in_service(self._group, wanted, within=self._within)
        return self._machines()

    def _ask(self, machine: str) -> Answer:
        status, body = self._sandbox.ask_machine(machine, self._check.target, port=self._bounds.get("port", 0))
        return Answer(status, body, 200 <= status < 300 and self._bounds["contains"] in body)

    def _ask_until_200(self, machine: str) -> Answer:
        until = time.monotonic() + self._within
        pause = threading.Event()  # nobody sets it: nobody tells that a machine serves
        while (answer := self._ask(machine)).status != 200:
            if time.monotonic() >= until:
                raise SandboxError(
                    f"{machine} does not serve {self._check.target}",
                    state=str(answer),
                    hint="port = N, where the container's port is another one on the machine",
                )
            pause.wait(_ASK_AGAIN)
        return answer

    # -- the purge --

    def _purge(self) -> str:
        """Send the command; why Systems Manager has refused it, if it has."""
        self._progress("purging")
        if self._bounds.get("send"):
            self._run("send")
            return ""
        if self._bounds.get("instances"):
            targets = [{"Key": "InstanceIds", "Values": list(self._bounds["instances"])}]
        else:
            given = self._bounds.get("targets") or {_BY_GROUP: self._group}
            targets = [{"Key": key, "Values": [value]} for key, value in given.items()]
        try:
            self._sandbox.aws("ssm").send_command(
                DocumentName="AWS-RunShellScript",
                Targets=targets,
                Parameters={"commands": list(self._bounds["commands"])},
            )
        except ClientError as error:
            said = error.response["Error"]
            return f"the command was refused: {said['Code']}: {said['Message']}"
        return ""

    def _run(self, key: str) -> None:
        command = str(self._bounds[key])
        self._progress(f"{key}: {command}")
        url = urlsplit(self._check.target)
        secure = url.scheme == "https"
        usual = 443 if secure else 80
        door = self._sandbox.door(url.hostname or "", target_port=url.port or usual, ends_tls=secure)
        here = commands.environment(os.environ, {**self._sandbox.environment(), "SANDBOX_URL": door})
        ended = commands.run(command, self._folder, here, self._within)
        if ended.exit_code != 0:
            state = f"exit code {ended.exit_code}" if ended.exit_code is not None else f"not over in {self._within:g} s"
            raise SandboxError(f"{key} = {command!r} failed", state=state, log=list(ended.lines))

    def _wait_commands(self, mark: int) -> list[Sent]:
        """The commands that were sent since ``mark``, each with what became of it; [] where none was in time."""
        last: dict[str, Observation] = {}

        def over(seen: Observation) -> bool:
            if seen.kind == "ssm.command":
                last[seen["command"]] = seen
            return bool(last) and all(one["over"] for one in last.values())

        try:
            self._sandbox.timeline.wait_for("the purge's command to be over", over, within=self._within, since=mark)
        except SandboxError:
            self._sandbox.check()  # the engine may be gone
        ends: dict[str, dict[str, str]] = {}
        for seen in self._sandbox.timeline.since(mark):
            if seen.kind == "ssm.invocation":
                ends.setdefault(seen["command"], {})[seen["instance"]] = seen["details"]
        return [
            Sent(one, seen["status"], seen["details"], seen["targets"], ends.get(one, {})) for one, seen in last.items()
        ]
