"""Where the containers of a task find their metadata and credentials.

AWS has both at http://169.254.170.2. Here each task's network namespace has that address for itself, and the container
that owns the namespace relays a port of it to the gateway; the containers find it by the URIs in their environment. It
cannot be port 80: within the namespace that is the containers' own.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.model.ecs import metadata
from sandbox.model.ecs.taskdef import TaskDefinition

ADDRESS = "169.254.170.2"
PORT = 51679
PREFIX, CREDENTIALS = "/v4/", "/v2/credentials/"

_URL = f"http://{ADDRESS}:{PORT}"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def environment(
    given: Mapping[str, str], task_arn: str, definition: TaskDefinition, container: str, *, on_ec2: bool
) -> dict[str, str]:
    """The environment ``given`` to every container, with the endpoints of one of a task.

    With a task role the credentials come from the endpoint, as on AWS, and no longer from the environment.
    """
    task_id = task_arn.rpartition("/")[2]
    result = {
        **given,
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2" if on_ec2 else "AWS_ECS_FARGATE",
        "ECS_CONTAINER_METADATA_URI_V4": f"{_URL}{PREFIX}{metadata.container_id(task_id, container)}",
    }
    if definition.raw.get("taskRoleArn"):
        for key in _KEYS:
            del result[key]
        result["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{_URL}{CREDENTIALS}{metadata.credentials_id(task_arn)}"
    return result
