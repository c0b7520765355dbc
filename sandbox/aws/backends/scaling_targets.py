"""Scalable targets of moto's Application Auto Scaling: they are of services of the sandbox's ECS, and scale nothing.

moto looks for a service in its own ECS, where there is none, and has no tags, which Terraform asks for. What is
registered, policies and schedules too, stays moto's, so that Terraform and the CLI find it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

HasService = Callable[[str, str], bool]
"""Whether a cluster has an active service, by their names."""

_has_service: HasService | None = None


def services_are(has_service: HasService | None) -> None:
    """Whom services are of that are registered from now on in this process; None: of moto's ECS."""
    global _has_service  # noqa: PLW0603 # moto's state is global to the process, too
    _has_service = has_service


def correct_targets() -> None:
    """Let moto look for services as `services_are` says, and keep tags. Imports moto."""
    from moto.applicationautoscaling import models
    from moto.applicationautoscaling.exceptions import AWSValidationException

    backend: Any = models.ApplicationAutoscalingBackend
    of_moto = backend._ecs_service_exists_for_target

    def exists(self: Any, resource_id: str) -> bool:
        if _has_service is None:
            return bool(of_moto(self, resource_id))
        parts = resource_id.split("/")
        if len(parts) != 3 or not _has_service(parts[1], parts[2]):
            raise AWSValidationException(f"ECS service doesn't exist: {resource_id}")
        return True

    backend._ecs_service_exists_for_target = exists
    _keep_tags()


def _keep_tags() -> None:
    from moto.applicationautoscaling import responses
    from moto.applicationautoscaling.exceptions import AWSValidationException

    response: Any = responses.ApplicationAutoScalingResponse
    register = response.register_scalable_target

    def target(self: Any) -> Any:
        arn = self._get_param("ResourceARN")
        targets = self.applicationautoscaling_backend.targets.values()
        found = next((one for some in targets for one in some.values() if one.arn == arn), None)
        if found is None:
            raise AWSValidationException(f"Resource not found: {arn}")
        if not hasattr(found, "tags"):
            found.tags = {}
        return found

    def registered(self: Any) -> str:
        answer = register(self)
        if given := self._get_param("Tags"):
            dimension, resource = self._get_param("ScalableDimension"), self._get_param("ResourceId")
            self.applicationautoscaling_backend.targets[dimension][resource].tags = dict(given)
        return str(answer)

    def listed(self: Any) -> str:
        return json.dumps({"Tags": target(self).tags})

    def tagged(self: Any) -> str:
        target(self).tags.update(self._get_param("Tags"))
        return "{}"

    def untagged(self: Any) -> str:
        found = target(self)
        found.tags = {name: value for name, value in found.tags.items() if name not in self._get_param("TagKeys")}
        return "{}"

    response.register_scalable_target = registered
    response.list_tags_for_resource = listed
    response.tag_resource = tagged
    response.untag_resource = untagged
