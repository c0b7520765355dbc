"""The ECS deploy action: a new revision with the images of ``imagedefinitions.json``, and a rolling update to it.

Source: user guide "Amazon Elastic Container Service deploy action reference": the revision is made of the one that the
service uses; DeploymentTimeout is in minutes, 60 at most and by default. The action waits until the deployment is
COMPLETED. It does not learn from a circuit breaker that the deployment has failed or is rolled back: it stays
InProgress until its time-out and fails then (seen: aws/containers-roadmap issue 1399, open since 2021). The words of
its errors are ours.
"""

from __future__ import annotations

import io
import threading
import zipfile
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.clock import Clock
from sandbox.controllers.pipeline.job import ActionFailedError, Artifacts, Job
from sandbox.controllers.releases import roll
from sandbox.model import image_definitions
from sandbox.model.codepipeline.execution import Success
from sandbox.model.image_definitions import InvalidImagesError
from sandbox.timeline import Observation, Timeline

_MINUTE = 60.0
_DEFAULT_TIMEOUT = "60"  # minutes


class EcsDeploy:
    """Deploys to a service.

    Args:
        aws: Clients of the sandbox's endpoint.
        artifacts: Where the file is.
        clock: Times the time-out.
        timeline: Tells of the deployment.
    """

    def __init__(self, aws: Clients, artifacts: Artifacts, clock: Clock, timeline: Timeline) -> None:
        self._aws = aws
        self._artifacts = artifacts
        self._clock = clock
        self._timeline = timeline

    def run(self, job: Job) -> Success | None:
        """See `Runner`."""
        try:
            return self._deploy(job)
        except ClientError as error:
            refusal = error.response["Error"]
            raise ActionFailedError("ConfigurationError", f"{refusal['Code']}: {refusal['Message']}") from error
        except InvalidImagesError as error:
            raise ActionFailedError("ConfigurationError", f"Invalid action configuration: {error}") from error

    def abandon(self, job: Job) -> None:
        """The deployment goes on; only the waiting ends (`Job.abandoned`)."""

    def _deploy(self, job: Job) -> Success | None:
        ecs = self._aws("ecs")
        cluster, name = job.setting("ClusterName"), job.setting("ServiceName")
        images = self._images(job)
        found = ecs.describe_services(cluster=cluster, services=[name])["services"]
        if not found or found[0]["status"] == "INACTIVE":
            raise ActionFailedError("ConfigurationError", f"The cluster {cluster} has no active service {name}")
        with _Deployment(self._timeline, job) as deployment:
            revision, answer = roll(ecs, found[0], images)
            deployment.id = next(one["id"] for one in answer["deployments"] if one["status"] == "PRIMARY")
            job.progress(external_id=deployment.id, summary=f"Deploying {revision.rpartition('/')[2]} to {name}")
            if any(one["id"] == deployment.id and one["rolloutState"] == "COMPLETED" for one in answer["deployments"]):
                return self._done(name, revision, deployment.id)  # the revision is the one that runs already
            timeout = float(job.setting("DeploymentTimeout", _DEFAULT_TIMEOUT)) * _MINUTE
            ended = deployment.wait(self._clock.real_seconds(timeout))
        if job.abandoned.is_set():
            return None
        if not ended:
            raise ActionFailedError("JobFailed", self._late(cluster, name, deployment.id, timeout))
        return self._done(name, revision, deployment.id)

    @staticmethod
    def _done(name: str, revision: str, deployment: str) -> Success:
        return Success(f"Deployed {revision.rpartition('/')[2]} to {name}", deployment)

    def _images(self, job: Job) -> dict[str, str]:
        file = job.setting("FileName", image_definitions.FILE)
        artifact = job.run.inputs[0]
        where = f"bucket: {artifact.bucket} key: {artifact.key}"
        try:
            with zipfile.ZipFile(io.BytesIO(self._artifacts.get(artifact))) as archive:
                return image_definitions.parse(archive.read(file), file)
        except KeyError:
            raise InvalidImagesError(
                f"Did not find the image definition file {file} in the input artifacts ZIP file. Verify the file is "
                f"stored in your pipeline's Amazon S3 artifact {where}"
            ) from None
        except zipfile.BadZipFile:
            raise InvalidImagesError(f"The input artifact {artifact.name} is not a ZIP file: {where}") from None

    def _late(self, cluster: str, name: str, deployment: str, timeout: float) -> str:
        """Why a deployment has not come to its end, as far as ECS says."""
        (service,) = self._aws("ecs").describe_services(cluster=cluster, services=[name])["services"]
        states: list[dict[str, Any]] = [one for one in service["deployments"] if one["id"] == deployment]
        said = states[0]["rolloutStateReason"] if states else "the service has gone back to another deployment"
        latest = "; ".join(event["message"] for event in service["events"][:3])
        return f"The deployment {deployment} did not complete within {timeout / _MINUTE:g} minutes: {said}. {latest}"


class _Deployment:
    """Waits for the end of one deployment, told by ECS's events; those before its id is known count as well."""

    def __init__(self, timeline: Timeline, job: Job) -> None:
        self._timeline = timeline
        self._job = job
        self._changed = threading.Condition()
        self._completed: set[str] = set()
        self.id = ""

    def __enter__(self) -> _Deployment:
        self._end = self._timeline.subscribe(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _see(self, seen: Observation) -> None:
        if seen.kind == "event.published" and seen["detail_type"] == "ECS Deployment State Change":
            detail = seen["event"]["detail"]
            if detail["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED":
                with self._changed:
                    self._completed.add(detail["deploymentId"])
                    self._changed.notify_all()
        elif self._job.abandoned.is_set():
            with self._changed:
                self._changed.notify_all()

    def wait(self, within: float) -> bool:
        """Whether it was completed in so many seconds; at once if nobody waits any more."""
        with self._changed:
            self._changed.wait_for(lambda: self.id in self._completed or self._job.abandoned.is_set(), within)
            return self.id in self._completed
