"""Amazon ECR: its records are those of its API, and what an image is made of lies in the engine's own store.

A push makes a record (a manifest that names the engine's image, under its tag); a pull looks the record up and goes on
with the engine's image. No registry listens anywhere, and none on the internet is asked for a reference of ECR's form.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.clients import Clients
from sandbox.clock import Clock
from sandbox.engine.containers import Containers
from sandbox.engine.image_builds import ImageBuilder
from sandbox.errors import SandboxError
from sandbox.model import ecr
from sandbox.model.ecr import EcrReference
from sandbox.timeline import Timeline

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_REFUSED = "dial tcp: connect: connection refused"
_ACCEPTED = [_MANIFEST, "application/vnd.oci.image.manifest.v1+json"]


class Registry:
    """The private registry of the account.

    Args:
        containers: Of the run: images that are pushed carry its labels.
        aws: Clients of the sandbox's endpoint, where ECR's records are.
        publish: Puts an event on EventBridge's default bus; must not block.
        clock: Dates the events.
        timeline: Gets ``ecr.push`` for each image that is pushed.

    Attributes:
        is_down: Nobody can push or pull, as if the registry could not be reached.
    """

    def __init__(
        self,
        containers: Containers,
        aws: Clients,
        publish: Callable[[dict[str, Any]], None],
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self._api = containers.client.api
        self.builder = ImageBuilder(containers.client, containers.run)
        self._aws = aws
        self._publish = publish
        self._clock = clock
        self._timeline = timeline
        self.is_down = False

    def push(self, image: str, reference: str, say: Callable[[str], None] = lambda text: None) -> str:
        """Put an image of the engine's under a reference of ECR's form; returns its digest.

        Raises:
            SandboxError: In ``docker push``'s words: there is no such repository, its tags are immutable and this one
                is taken, the registry cannot be reached, or it is none of this account's.
        """
        where = ecr.parse(reference)
        if where is None or where.account != ACCOUNT_ID or where.digest:
            raise SandboxError(
                f"{reference} cannot be pushed",
                state="denied: requested access to the resource is denied",
                hint=f"the sandbox has one registry: {ACCOUNT_ID}.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG",
            )
        if self.is_down:
            raise SandboxError(f"{reference} cannot be pushed", state=f'Get "https://{where.registry}/v2/": {_REFUSED}')
        client = self._aws("ecr", where.region)
        say(f"The push refers to repository [{where.registry}/{where.repository}]")
        manifest = self._manifest(self.builder.labelled(image))
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        try:
            client.describe_repositories(repositoryNames=[where.repository])  # moto's PutImage has no error for that
            client.put_image(
                repositoryName=where.repository, imageManifest=manifest, imageTag=where.tag, imageDigest=digest
            )
        except ClientError as error:
            refusal = error.response["Error"]
            # The same image once more is no news to docker push; moto has the same error for a tag that is immutable.
            if refusal["Code"] != "ImageAlreadyExistsException" or self._manifest_of(where) != manifest:
                raise SandboxError(f"{reference} cannot be pushed", state=_words(where, refusal)) from error
        say(f"{where.tag}: digest: {digest} size: {len(manifest)}")
        self._timeline.record("ecr.push", repository=where.repository, tag=where.tag, digest=digest)
        self._publish(self._event(where, digest))
        return digest

    def find(self, reference: str) -> str | None:
        """The engine's image that a reference stands for; None where it is not of ECR's form.

        Raises:
            SandboxError: In the words of ECS's CannotPullContainerError: there is no such image, or the registry cannot
                be reached.
        """
        where = ecr.parse(reference)
        if where is None:
            return None
        failed = f"pull image manifest has been retried 1 time(s): failed to resolve ref {where}"
        if self.is_down:
            url = f"https://{where.registry}/v2/{where.repository}/manifests/{where.digest or where.tag}"
            raise SandboxError(f'{failed}: failed to do request: Head "{url}": {_REFUSED}')
        manifest = self._manifest_of(where)
        if manifest is None:
            raise SandboxError(
                f"{failed}: {where}: not found", hint=f"aws ecr list-images: what {where.repository} has"
            )
        return str(json.loads(manifest)["config"]["digest"])

    def _event(self, where: EcrReference, digest: str) -> dict[str, Any]:
        """As ECR tells of a push: user guide "Amazon ECR events and EventBridge"."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": where.account,
            "time": datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": where.region,
            "resources": [],
            "detail": {
                "result": "SUCCESS",
                "action-type": "PUSH",
                "repository-name": where.repository,
                "image-digest": digest,
                "image-tag": where.tag,
            },
        }

    def _manifest(self, image: str) -> str:
        found = self._api.inspect_image(image)
        layers = [{"digest": layer} for layer in found["RootFS"].get("Layers") or ()]
        config = {"digest": found["Id"], "size": found["Size"]}
        return json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers})

    def _manifest_of(self, where: EcrReference) -> str | None:
        if where.account != ACCOUNT_ID:
            return None
        wanted = {"imageDigest": where.digest} if where.digest else {"imageTag": where.tag}
        try:
            answer: dict[str, Any] = self._aws("ecr", where.region).batch_get_image(
                repositoryName=where.repository, imageIds=[wanted], acceptedMediaTypes=_ACCEPTED
            )
        except ClientError:  # there is no such repository
            return None
        return str(answer["images"][0]["imageManifest"]) if answer["images"] else None


def _words(where: EcrReference, refusal: dict[str, str]) -> str:
    if refusal["Code"] == "RepositoryNotFoundException":
        return (
            f"name unknown: The repository with name '{where.repository}' does not exist in the registry with id "
            f"'{where.account}'"
        )
    if refusal["Code"] == "ImageAlreadyExistsException":
        return (
            f"tag invalid: The image tag '{where.tag}' already exists in the '{where.repository}' repository and "
            "cannot be overwritten because the tag is immutable."
        )
    return f"denied: {refusal['Message']}"
