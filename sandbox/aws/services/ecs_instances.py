"""The actions of the ECS API about container instances, their attributes, and account settings.

Actions and answers: Amazon ECS API reference.
"""

from __future__ import annotations

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.ecs_actions import Answer, EcsActions, Request
from sandbox.aws.services.paging import page
from sandbox.model.ecs import instances, starts
from sandbox.model.ecs.control import Command


class InstanceActions(EcsActions):
    """See the module."""

    # -- container instances --

    def list_container_instances(self, request: Request, context: RequestContext) -> Answer:
        """ListContainerInstances."""
        arns = self._read(lambda: [instance.arn for instance in instances.listed(self._ecs, request)])
        return page(arns, request, "containerInstanceArns")

    def describe_container_instances(self, request: Request, context: RequestContext) -> Answer:
        """DescribeContainerInstances; unknown ones are in ``failures`` with reason MISSING."""
        ecs = self._ecs
        cluster = self._read(lambda: ecs.find_cluster(request.get("cluster")))

        def describe(name: str) -> Answer:
            shown = instances.describe(ecs, instances.find(ecs, cluster, name))
            return shown if "TAGS" in request.get("include", ()) else {**shown, "tags": []}

        found, failures = self._each(
            request["containerInstances"], describe, context, f"container-instance/{cluster.name}"
        )
        return {"containerInstances": found, "failures": failures}

    def update_container_instances_state(self, request: Request, context: RequestContext) -> Answer:
        """UpdateContainerInstancesState."""

        def update(now: float) -> tuple[Answer, list[Command]]:
            found, failures, commands = instances.update_state(self._ecs, request, now)
            shown = [instances.describe(self._ecs, instance) for instance in found]
            return {"containerInstances": shown, "failures": failures}, commands

        return self._do(update)

    def deregister_container_instance(self, request: Request, context: RequestContext) -> Answer:
        """DeregisterContainerInstance."""

        def deregister(now: float) -> tuple[Answer, list[Command]]:
            instance, commands = instances.deregister(self._ecs, request, now)
            return {"containerInstance": instances.describe(self._ecs, instance)}, commands

        return self._do(deregister)

    def update_container_agent(self, request: Request, context: RequestContext) -> Answer:
        """UpdateContainerAgent: there is no agent here that could be another one."""
        raise AwsError("NoUpdateAvailableException", "There is no update available for this container agent.")

    def start_task(self, request: Request, context: RequestContext) -> Answer:
        """StartTask."""

        def start(now: float) -> tuple[Answer, list[Command]]:
            tasks, failures, commands = starts.start_task(self._ecs, request, now)
            return {"tasks": [task.describe() for task in tasks], "failures": failures}, commands

        return self._do(start)

    # -- attributes --

    def put_attributes(self, request: Request, context: RequestContext) -> Answer:
        """PutAttributes."""
        return {"attributes": self._do(lambda now: instances.put_attributes(self._ecs, request, now))}

    def delete_attributes(self, request: Request, context: RequestContext) -> Answer:
        """DeleteAttributes."""
        return {"attributes": self._read(lambda: instances.delete_attributes(self._ecs, request))}

    def list_attributes(self, request: Request, context: RequestContext) -> Answer:
        """ListAttributes."""
        found = self._read(lambda: instances.list_attributes(self._ecs, request))
        return page(found, request, "attributes")

    # -- account settings --

    def put_account_setting(self, request: Request, context: RequestContext) -> Answer:
        """PutAccountSetting."""
        return {"setting": self._read(lambda: self._ecs.settings.put(request))}

    def put_account_setting_default(self, request: Request, context: RequestContext) -> Answer:
        """PutAccountSettingDefault."""
        return {"setting": self._read(lambda: self._ecs.settings.put_default(request))}

    def delete_account_setting(self, request: Request, context: RequestContext) -> Answer:
        """DeleteAccountSetting."""
        return {"setting": self._read(lambda: self._ecs.settings.delete(request))}

    def list_account_settings(self, request: Request, context: RequestContext) -> Answer:
        """ListAccountSettings."""
        found = self._read(lambda: self._ecs.settings.listed(request))
        return page(found, request, "settings")

    # -- capacity providers of Auto Scaling groups --

    def create_capacity_provider(self, request: Request, context: RequestContext) -> Answer:
        """CreateCapacityProvider: those of Auto Scaling groups are not carried out."""
        raise AwsError(
            "ClientException",
            "The sandbox does not carry out CreateCapacityProvider (autoScalingGroupProvider) yet; see "
            "docs/fidelity.md.",
        )
