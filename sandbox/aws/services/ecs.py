"""The ECS API in front of the pure model: each action names what the model does and what AWS answers.

Actions and answers: Amazon ECS API reference. The gateway has checked the request against botocore's model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.ecs_actions import Answer, Apply, Request
from sandbox.aws.services.ecs_instances import InstanceActions
from sandbox.aws.services.paging import page
from sandbox.model.ecs import definitions, services, starts, tagging
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.messages import PublishTask
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.service import Service


class EcsService(InstanceActions):
    """The actions of the ECS API that the sandbox carries out.

    Args:
        ecs: The model.
        apply: See `Apply`.
        missing_subnets: Which of the given subnet ids EC2 does not know.
        may_assume: Whether a service ("ecs-tasks.amazonaws.com") may assume the role of an ARN.
    """

    service_name = "ecs"
    validation_error_code = "InvalidParameterException"

    def __init__(
        self,
        ecs: Ecs,
        apply: Apply,
        missing_subnets: Callable[[Sequence[str]], list[str]],
        may_assume: Callable[[str, str], bool] = lambda role, service: True,
    ) -> None:
        super().__init__(ecs, apply)
        self._missing_subnets = missing_subnets
        self._may_assume = may_assume

    # -- clusters --

    def create_cluster(self, request: Request, context: RequestContext) -> Answer:
        """CreateCluster."""
        ecs = self._ecs
        return {"cluster": self._read(lambda: ecs.describe_cluster(ecs.create_cluster(request)))}

    def describe_clusters(self, request: Request, context: RequestContext) -> Answer:
        """DescribeClusters; unknown ones are in ``failures`` with reason MISSING."""
        names = request.get("clusters") or ["default"]
        found, failures = self._each(
            names, lambda name: self._ecs.describe_cluster(self._ecs.find_cluster(name)), context, "cluster"
        )
        return {"clusters": found, "failures": failures}

    def list_clusters(self, request: Request, context: RequestContext) -> Answer:
        """ListClusters."""
        arns = self._read(lambda: [c.arn for c in self._ecs.clusters.values() if c.status == "ACTIVE"])
        return page(arns, request, "clusterArns")

    def delete_cluster(self, request: Request, context: RequestContext) -> Answer:
        """DeleteCluster."""
        ecs = self._ecs
        return {"cluster": self._read(lambda: ecs.describe_cluster(ecs.delete_cluster(request["cluster"])))}

    def put_cluster_capacity_providers(self, request: Request, context: RequestContext) -> Answer:
        """PutClusterCapacityProviders."""
        ecs = self._ecs
        return {"cluster": self._read(lambda: ecs.describe_cluster(ecs.put_cluster_capacity_providers(request)))}

    # -- task definitions --

    def register_task_definition(self, request: Request, context: RequestContext) -> Answer:
        """RegisterTaskDefinition."""
        definition = self._do(lambda now: (self._ecs.register_task_definition(request, now), ()))
        return {"taskDefinition": definition.raw, "tags": request.get("tags", [])}

    def describe_task_definition(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTaskDefinition; with its tags where they are asked for."""
        definition = self._read(lambda: self._ecs.find_definition(request["taskDefinition"]))
        answer: Answer = {"taskDefinition": definition.raw}
        if "TAGS" in request.get("include", ()):
            answer["tags"] = self._read(lambda: tagging.of(self._ecs, definition.arn))
        return answer

    def deregister_task_definition(self, request: Request, context: RequestContext) -> Answer:
        """DeregisterTaskDefinition."""
        ecs = self._ecs
        definition = self._do(lambda now: (definitions.deregister(ecs.definitions, request["taskDefinition"], now), ()))
        return {"taskDefinition": definition.raw}

    def list_task_definitions(self, request: Request, context: RequestContext) -> Answer:
        """ListTaskDefinitions."""
        found = self._read(lambda: definitions.listed(self._ecs.definitions, request))
        return page([definition.arn for definition in found], request, "taskDefinitionArns")

    def list_task_definition_families(self, request: Request, context: RequestContext) -> Answer:
        """ListTaskDefinitionFamilies."""
        return page(self._read(lambda: definitions.families(self._ecs.definitions, request)), request, "families")

    # -- tags --

    def list_tags_for_resource(self, request: Request, context: RequestContext) -> Answer:
        """ListTagsForResource."""
        return {"tags": self._read(lambda: tagging.of(self._ecs, request["resourceArn"]))}

    def tag_resource(self, request: Request, context: RequestContext) -> Answer:
        """TagResource."""
        self._read(lambda: tagging.add(self._ecs, request["resourceArn"], request["tags"]))
        return {}

    def untag_resource(self, request: Request, context: RequestContext) -> Answer:
        """UntagResource."""
        self._read(lambda: tagging.remove(self._ecs, request["resourceArn"], request["tagKeys"]))
        return {}

    # -- tasks --

    def run_task(self, request: Request, context: RequestContext) -> Answer:
        """RunTask."""
        self._check_subnets(request)
        self._check_roles(request)

        def run(now: float) -> tuple[tuple[list[Answer], list[Answer]], list[Command]]:
            tasks, commands = starts.run_task(self._ecs, request, now)
            failures = [failure for one in commands if isinstance(one, Unplaced) for failure in one.describe()]
            return ([task.describe() for task in tasks], failures), commands

        tasks, failures = self._do(run)
        return {"tasks": tasks, "failures": failures}

    def stop_task(self, request: Request, context: RequestContext) -> Answer:
        """StopTask."""

        def stop(now: float) -> tuple[Answer, list[Command]]:
            task, commands = self._ecs.stop_task(request, now)
            # AWS answers with the task as it was told to stop: RUNNING still, desiredStatus STOPPED.
            told = next((c.task for c in commands if isinstance(c, PublishTask) and c.task_arn == task.arn), None)
            now_shown = task.describe()
            return {**(told or now_shown), "attachments": now_shown["attachments"]}, commands

        return {"task": self._do(stop)}

    def describe_tasks(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTasks; unknown ones are in ``failures`` with reason MISSING."""
        cluster = self._read(lambda: self._ecs.find_cluster(request.get("cluster")))
        found, failures = self._each(
            request["tasks"],
            lambda name: self._ecs.find_task(cluster, name).describe(),
            context,
            f"task/{cluster.name}",
        )
        return {"tasks": found, "failures": failures}

    def execute_command(self, request: Request, context: RequestContext) -> Answer:
        """ExecuteCommand answers with a session of Systems Manager, which the sandbox does not have."""
        cluster = self._read(lambda: self._ecs.find_cluster(request.get("cluster")))
        task = self._read(lambda: self._ecs.find_task(cluster, request["task"]))
        container = request.get("container") or next(iter(task.containers))
        raise AwsError(
            "ClientException",
            "The sandbox does not carry out ExecuteCommand; run: "
            f"sandbox exec {task.id} {container} -- {request['command']}",
        )

    def list_tasks(self, request: Request, context: RequestContext) -> Answer:
        """ListTasks."""
        return page(self._read(lambda: [task.arn for task in self._ecs.list_tasks(request)]), request, "taskArns")

    # -- services --

    def create_service(self, request: Request, context: RequestContext) -> Answer:
        """CreateService."""
        self._check_subnets(request)
        return {"service": self._change_service(request, services.create)}

    def update_service(self, request: Request, context: RequestContext) -> Answer:
        """UpdateService."""
        return {"service": self._change_service(request, services.update)}

    def delete_service(self, request: Request, context: RequestContext) -> Answer:
        """DeleteService."""
        return {"service": self._change_service(request, services.delete)}

    def describe_services(self, request: Request, context: RequestContext) -> Answer:
        """DescribeServices; with their tags where they are asked for; unknown ones are failures with reason MISSING."""
        ecs = self._ecs
        with_tags = "TAGS" in request.get("include", ())
        cluster = self._read(lambda: ecs.find_cluster(request.get("cluster")))

        def describe(name: str) -> Answer:
            service = ecs.find_service(cluster, name)
            tags = {"tags": list(service.raw.get("tags") or ())} if with_tags else {}
            return {**service.describe(ecs.tasks_of(service)), **tags}

        found, failures = self._each(request["services"], describe, context, f"service/{cluster.name}")
        return {"services": found, "failures": failures}

    def list_services(self, request: Request, context: RequestContext) -> Answer:
        """ListServices."""

        def names() -> list[str]:
            cluster = self._ecs.find_cluster(request.get("cluster"))
            found = self._ecs.services.values()
            return [s.arn for s in found if s.cluster_arn == cluster.arn and s.status != "INACTIVE"]

        return page(self._read(names), request, "serviceArns", size=10)

    # -- common --

    def _change_service(
        self, request: Request, action: Callable[[Ecs, Request, float], tuple[Service, list[Command]]]
    ) -> Answer:
        def change(now: float) -> tuple[Answer, list[Command]]:
            service, commands = action(self._ecs, request, now)
            return service.describe(self._ecs.tasks_of(service)), commands

        return self._do(change)

    def _check_roles(self, request: Request) -> None:
        self._read(lambda: self._ecs.find_cluster(request.get("cluster")))  # its lack is told first
        definition = self._read(lambda: self._ecs.find_definition(request["taskDefinition"])).raw
        given = {**definition, **request.get("overrides", {})}
        for role in (given.get("taskRoleArn"), given.get("executionRoleArn")):
            if role and not self._may_assume(role, "ecs-tasks.amazonaws.com"):
                raise AwsError(
                    "ClientException",
                    f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that "
                    "the role being passed has the proper trust relationship and permissions and that your IAM user "
                    "has permissions to pass this role.",
                )

    def _check_subnets(self, request: Request) -> None:
        vpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        missing = self._missing_subnets(vpc.get("subnets") or ())
        if missing:
            raise AwsError(
                "InvalidParameterException",
                "Error retrieving subnet information for "
                f"[{', '.join(missing)}]: The subnet ID '{missing[0]}' does not exist",
            )
