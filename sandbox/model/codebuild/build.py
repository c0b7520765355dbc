"""A build: what it was started with, and how far it is.

Source: API reference of CodeBuild "Build" and "BuildPhase"; user guide "Build phase transitions" (POST_BUILD and
UPLOAD_ARTIFACTS come after BUILD even if that has failed, and after no other failure).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LOG_LINES = 20

_MAY_FAIL = frozenset({"BUILD", "POST_BUILD"})
_COME_AFTER_FAILURE = frozenset({"POST_BUILD", "UPLOAD_ARTIFACTS"})


@dataclass
class BuildPhase:
    """A phase; ``status`` is "" while it goes on. Times are seconds since the epoch."""

    type: str
    started_at: float
    ended_at: float | None = None
    status: str = ""
    code: str = ""
    message: str = ""

    def shown(self) -> dict[str, Any]:
        """As BatchGetBuilds shows it."""
        made: dict[str, Any] = {"phaseType": self.type, "startTime": self.started_at}
        if self.ended_at is not None:
            made.update(
                endTime=self.ended_at, phaseStatus=self.status, durationInSeconds=round(self.ended_at - self.started_at)
            )
            made["contexts"] = [{"statusCode": self.code, "message": self.message}]
        return made


@dataclass(eq=False)
class Build:
    """One build.

    Attributes:
        id: ``PROJECT:UUID``.
        project: As BatchGetProjects shows it, when the build was started.
        environment: Its variables, the project's and those of whoever started it.
        sources: ZIP archives by the names of the pipeline's artifacts, the primary one first.
        artifact: The ZIP archive that it gives.
        exported: Variables that it exports.
        log: The last lines, up to the end of the first phase that failed.
        stopping: Somebody has asked it to stop.
    """

    id: str
    number: int
    project: Mapping[str, Any]
    initiator: str
    started_at: float
    environment: Mapping[str, str]
    sources: Mapping[str, bytes]
    source_version: str = ""
    status: str = "IN_PROGRESS"
    ended_at: float | None = None
    phases: list[BuildPhase] = field(default_factory=list)
    artifact: bytes | None = None
    exported: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    stopping: str = ""

    @property
    def uuid(self) -> str:
        """The second half of its id."""
        return self.id.rpartition(":")[2]

    @property
    def arn(self) -> str:
        """Its ARN."""
        project: str = self.project["arn"]
        return project.replace(":project/", ":build/") + f":{self.uuid}"

    @property
    def log_group(self) -> str:
        """Where in CloudWatch Logs its log is."""
        return str(self._logs.get("groupName") or f"/aws/codebuild/{self.project['name']}")

    @property
    def log_stream(self) -> str:
        """The stream there."""
        prefix = self._logs.get("streamName")
        return f"{prefix}/{self.uuid}" if prefix else self.uuid

    @property
    def _logs(self) -> Mapping[str, Any]:
        logs: Mapping[str, Any] = (self.project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
        return logs

    def say(self, line: str) -> None:
        """Keep a line of its log, unless it comes after the phase that says why the build has failed."""
        failed = self.failure()
        if failed is None or failed is self.phases[-1]:
            self.log.append(line)
            del self.log[:-LOG_LINES]

    def begin(self, phase: str, now: float) -> BuildPhase:
        """A phase begins; the one before has ended."""
        self.phases.append(BuildPhase(phase, now))
        return self.phases[-1]

    def end_phase(self, now: float, *, code: str = "", message: str = "") -> BuildPhase:
        """The phase that goes on has ended, with an error if it has a ``code``."""
        phase = self.phases[-1]
        phase.ended_at, phase.code, phase.message = now, code, message
        phase.status = "FAILED" if code else "SUCCEEDED"
        return phase

    def failure(self) -> BuildPhase | None:
        """The first phase that has failed."""
        return next((phase for phase in self.phases if phase.status == "FAILED"), None)

    def goes_on_with(self, phase: str) -> bool:
        """Whether a phase is run after what has been so far."""
        failed = {one.type for one in self.phases if one.status == "FAILED"}
        return not self.stopping and (not failed or (failed <= _MAY_FAIL and phase in _COME_AFTER_FAILURE))

    def end(self, now: float) -> None:
        """It has ended; its status follows from its phases."""
        self.status = self.stopping or ("FAILED" if self.failure() else "SUCCEEDED")
        self.phases.append(BuildPhase("COMPLETED", now))
        self.ended_at = now

    def shown(self) -> dict[str, Any]:
        """As BatchGetBuilds shows it."""
        project = self.project
        made: dict[str, Any] = {
            "id": self.id,
            "arn": self.arn,
            "buildNumber": self.number,
            "startTime": self.started_at,
            "currentPhase": self.phases[-1].type if self.phases else "SUBMITTED",
            "buildStatus": self.status,
            "buildComplete": self.ended_at is not None,
            "projectName": project["name"],
            "phases": [phase.shown() for phase in self.phases],
            "source": project["source"],
            "artifacts": {"location": ""},
            "environment": project["environment"],
            "serviceRole": project["serviceRole"],
            "timeoutInMinutes": project["timeoutInMinutes"],
            "initiator": self.initiator,
            "logs": {
                "groupName": self.log_group,
                "streamName": self.log_stream,
                "cloudWatchLogs": {"status": "ENABLED"},
            },
            "exportedEnvironmentVariables": [{"name": name, "value": value} for name, value in self.exported.items()],
        }
        if self.ended_at is not None:
            made["endTime"] = self.ended_at
        if self.source_version:
            made["sourceVersion"] = made["resolvedSourceVersion"] = self.source_version
        return made
