"""``imagedefinitions.json`` and the revision of a task definition that the ECS deploy action makes of it.

Sources: user guide of CodePipeline "Image definitions file reference" and "Amazon Elastic Container Service deploy
action reference". AWS's words of the errors are not documented; these are ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.model.foreign import from_json

FILE = "imagedefinitions.json"
MAX_BYTES = 100 * 1024  # "The maximum file size limit for the image definitions file is 100 KB."

# What DescribeTaskDefinition says that RegisterTaskDefinition does not take.
_ONLY_SHOWN = frozenset(
    {
        *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
        *("registeredAt", "registeredBy", "deregisteredAt"),
    }
)


class InvalidImagesError(Exception):
    """The file, or what it names, cannot be deployed. The message is for the action's error."""


def parse(content: bytes, name: str = FILE) -> dict[str, str]:
    """The image of each container that the file names.

    Raises:
        InvalidImagesError: It is too big, not JSON, or not a list of ``{"name": ..., "imageUri": ...}``.
    """
    if len(content) > MAX_BYTES:
        raise InvalidImagesError(f"{name} has {len(content)} bytes; the limit is {MAX_BYTES}")
    try:
        found = from_json(content.decode("utf-8"))
    except ValueError as error:
        raise InvalidImagesError(f"{name} is not valid JSON: {error}") from None
    if not isinstance(found, list) or not found:
        raise InvalidImagesError(f'{name} is not a list of {{"name": ..., "imageUri": ...}}')
    images: dict[str, str] = {}
    for item in found:
        pair = (item.get("name"), item.get("imageUri")) if isinstance(item, dict) else (None, None)
        if not all(isinstance(part, str) and part for part in pair):
            raise InvalidImagesError(f"{name}: each item has a name and an imageUri, not {json.dumps(item)}")
        images[str(pair[0])] = str(pair[1])
    return images


def revision_with(
    definition: Mapping[str, Any],
    images: Mapping[str, str],
    tags: Any = (),
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The request to RegisterTaskDefinition for a revision that has these images, and is otherwise as it was.

    Args:
        definition: As DescribeTaskDefinition shows it.
        images: By the containers' names.
        tags: Of the revision.
        environment: Variables that these containers get as well, in place of those of the same names.

    Raises:
        InvalidImagesError: A container is not in the task definition.
    """
    containers = [dict(container) for container in definition["containerDefinitions"]]
    names = {container["name"] for container in containers}
    for name in images:
        if name not in names:
            raise InvalidImagesError(
                f"the task definition {definition['family']}:{definition['revision']} has no container '{name}'; "
                f"it has {', '.join(sorted(names))}"
            )
    for container in containers:
        if container["name"] in images:
            container["image"] = images[container["name"]]
            if environment:
                variables = {one["name"]: one["value"] for one in container.get("environment", ())} | dict(environment)
                container["environment"] = [{"name": key, "value": value} for key, value in variables.items()]
    request = {key: value for key, value in definition.items() if key not in _ONLY_SHOWN}
    return {**request, "containerDefinitions": containers, **({"tags": list(tags)} if tags else {})}
