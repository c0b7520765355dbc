"""``sandbox exec``: a command in a container of a task, from any process: tasks are found by their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import docker

from sandbox.controllers.container_specs import LABEL_CONTAINER, LABEL_TASK
from sandbox.engine import attach
from sandbox.engine.run import LABEL_PROJECT
from sandbox.errors import SandboxError
from sandbox.model.ecs.task import is_meant


def run(clients: Sequence[docker.DockerClient], task: str, container: str, command: Sequence[str]) -> int:
    """Run a command; its exit code.

    Args:
        clients: Of the engines.
        task: An ARN, an id, or the beginning of an id, such as ``sandbox up`` shows.
        container: Its name in the task definition.
        command: The command and its arguments.

    Raises:
        SandboxError: No such task or container runs, or more than one does.
    """
    running = [(client, labels) for client in clients for labels in _running(client)]
    of_task = [(client, labels) for client, labels in running if is_meant(labels[LABEL_TASK], task)]
    if not of_task:
        known = sorted({labels[LABEL_TASK].rpartition("/")[2] for _, labels in running})
        raise SandboxError(f"no task {task} runs", hint=f"running tasks: {', '.join(known) or 'none'}")
    found = [(client, labels) for client, labels in of_task if labels[LABEL_CONTAINER] == container]
    if not found:
        names = sorted({labels[LABEL_CONTAINER] for _, labels in of_task})
        raise SandboxError(f"no container '{container}' of task {task} runs", hint=f"containers: {', '.join(names)}")
    if len(found) > 1:
        ids = sorted(labels[LABEL_TASK].rpartition("/")[2] for _, labels in found)
        raise SandboxError(f"more than one task begins with {task}", hint=f"tasks: {', '.join(ids)}")
    client, labels = found[0]
    return attach.run(client, labels["Id"], command)


def _running(client: docker.DockerClient) -> list[dict[str, Any]]:
    """The labels of the tasks' running containers, and each container's Id."""
    listed = client.api.containers(filters={"label": [LABEL_PROJECT, LABEL_TASK, LABEL_CONTAINER]})
    return [{**item["Labels"], "Id": item["Id"]} for item in listed]
