"""What a release does by AWS's API: it uploads a build's static files, and gives a service another image."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from sandbox.errors import SandboxError
from sandbox.model.image_definitions import InvalidImagesError, revision_with

PUBLIC = "/app/.output/public"
"""Where the images of compose/nuxt have the files that browsers may ask for."""
_KEPT = "public, max-age=31536000, immutable"
_NAMES_THE_NEWEST = "_nuxt/builds/latest.json"  # the one file under /_nuxt/ whose name stays


def upload(s3: Any, bucket: str, files: Mapping[str, bytes]) -> list[str]:
    """Put the static files of a build into a bucket, under their paths; what else is in it stays.

    Files under ``_nuxt/`` have names that change with what they hold, and get the Cache-Control that Nuxt's own server
    gives them: a year, immutable. The others are to be asked for again each time.

    Returns:
        The keys.
    """
    for key, content in files.items():
        kept = key.startswith("_nuxt/") and key != _NAMES_THE_NEWEST
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=content,
            ContentType=_type(key),
            CacheControl=_KEPT if kept else "no-cache",
        )
    return list(files)


def _type(key: str) -> str:
    # Python's tables differ by the machine; a module that is not JavaScript's type is not run by browsers.
    if key.endswith((".js", ".mjs")):
        return "text/javascript; charset=utf-8"
    return mimetypes.guess_type(key)[0] or "application/octet-stream"


def deploy(
    ecs: Any, cluster: str, service: str, images: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> str:
    """Register the next revision of a service's task definition and begin to roll the service to it.

    Args:
        ecs: boto3's client.
        cluster: The service's cluster.
        service: Its name.
        images: The new image of each container that gets one, by the container's name.
        environment: Variables that these containers get as well, in place of those of the same names.

    Returns:
        The ARN of the new revision.

    Raises:
        SandboxError: There is no such service, or no such container.
    """
    found = ecs.describe_services(cluster=cluster, services=[service])["services"]
    if not found:
        raise SandboxError(f"there is no service '{service}' in cluster '{cluster}'")
    try:
        revision, _ = roll(ecs, found[0], images, environment)
    except InvalidImagesError as error:
        raise SandboxError(f"service '{service}' cannot be deployed", state=str(error)) from None
    return revision


def roll(
    ecs: Any, service: Mapping[str, Any], images: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Any]]:
    """What every release ends in: the next revision of a service's task definition, and the update to it.

    Args:
        ecs: boto3's client.
        service: As DescribeServices shows it.
        images: See `deploy`.
        environment: See `deploy`.

    Returns:
        The ARN of the new revision, and the service as UpdateService answers it.

    Raises:
        InvalidImagesError: A container is not in the task definition.
        ClientError: ECS refused.
    """
    shown = ecs.describe_task_definition(taskDefinition=service["taskDefinition"], include=["TAGS"])
    request = revision_with(shown["taskDefinition"], images, shown.get("tags"), environment)
    revision: str = ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"]
    answer = ecs.update_service(cluster=service["clusterArn"], service=service["serviceName"], taskDefinition=revision)
    return revision, answer["service"]
