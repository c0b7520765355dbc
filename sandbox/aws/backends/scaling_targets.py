"""Scalable targets of moto's Application Auto Scaling: they are of services of the sandbox's ECS, and scale nothing.

moto looks for a service in its own ECS, where there is none, has no tags, which Terraform asks for, and puts policies
and schedules where no target is. What is registered, policies and schedules too, stays moto's, so that Terraform and
the CLI find it again.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html: ObjectNotFoundException is
"for any operation that depends on the existence of a scalable target", and for what is to be deleted and is not there;
its words are those that users have seen (ansible #35632, terraform #10737).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

HasService = Callable[[str, str], bool]
"""Whether a cluster has an active service, by their names."""

_has_service: HasService | None = None


def services_are(has_service: HasService | None) -> None:
    """Whom services are of that are registered from now on in this process; None: of moto's ECS."""
    global _has_service  # noqa: PLW0603 # moto's state is global to the process, too
    _has_service = has_service


def correct_targets() -> None:
    """Let moto look for services as `services_are` says, want targets for policies, and keep tags. Imports moto."""
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
    _want_targets(backend)
    _keep_tags()


def _want_targets(backend: Any) -> None:
    """Have policies and schedules of registered targets alone, for as long as those are registered."""
    from moto.applicationautoscaling.exceptions import AWSValidationException
    from moto.core.exceptions import JsonRESTError

    def of_a_target(put: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(put)
        def with_target(self: Any, **given: Any) -> Any:
            namespace, resource, dimension = (
                given[name] for name in ("service_namespace", "resource_id", "scalable_dimension")
            )
            target = self.targets.get(dimension, {}).get(resource)
            if target is None or target.service_namespace != namespace:
                raise JsonRESTError(
                    "ObjectNotFoundException",
                    f"No scalable target registered for service namespace: {namespace}, resource ID: {resource}, "
                    f"scalable dimension: {dimension}",
                )
            return put(self, **given)

        return with_target

    def in_words_of_aws(remove: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(remove)
        def removed(self: Any, *given: Any, **named: Any) -> Any:
            try:
                return remove(self, *given, **named)
            except AWSValidationException as error:
                raise JsonRESTError("ObjectNotFoundException", error.message) from error

        return removed

    deregister = in_words_of_aws(backend.deregister_scalable_target)

    @wraps(deregister)
    def deregistered(self: Any, namespace: str, r_id: str, dimension: str) -> None:
        """It "deletes the scaling policies and the scheduled actions that are associated with it"."""
        deregister(self, namespace, r_id, dimension)

        def is_of_it(one: Any) -> bool:
            return (one.service_namespace, one.resource_id, one.scalable_dimension) == (namespace, r_id, dimension)

        for policy in list(filter(is_of_it, self.policies.values())):
            self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)
        self.scheduled_actions = [one for one in self.scheduled_actions if not is_of_it(one)]

    backend.put_scaling_policy = of_a_target(backend.put_scaling_policy)
    backend.put_scheduled_action = of_a_target(backend.put_scheduled_action)
    backend.delete_scaling_policy = in_words_of_aws(backend.delete_scaling_policy)
    backend.deregister_scalable_target = deregistered


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
