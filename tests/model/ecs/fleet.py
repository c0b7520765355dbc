"""What tests of container instances share: an account with instances, and services and tasks on them."""

from __future__ import annotations

from typing import Any

from sandbox.model.ecs import instances, services, starts
from sandbox.model.ecs.container_instance import ContainerInstance, DropInstance, Launched
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.ecs.task import Task

T3_SMALL = InstanceType("t3.small", 2048, 1996, 3)
C5_LARGE = InstanceType("c5.large", 2048, 3992, 3)
VPC = {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"]}}


class Fleet:
    """An `Account` whose definition "blog" is for EC2, in bridge mode unless `define` says otherwise."""

    def __init__(self, account: Any) -> None:
        self.account = account
        self.ecs: Ecs = account.ecs
        self.number = 0
        self.define()

    def define(self, mode: str = "bridge", **container: Any) -> None:
        self.ecs.register_task_definition(
            {
                "family": "blog",
                "networkMode": mode,
                "requiresCompatibilities": ["EC2"],
                "containerDefinitions": [{"name": "web", "image": "web:1", "memory": 100, **container}],
            },
            0.0,
        )

    def launch(self, kind: InstanceType = T3_SMALL, zone: str = "a") -> ContainerInstance:
        self.number += 1
        launched = Launched(
            f"i-{self.number}", kind, "ami-1", "vpc-1", f"subnet-{zone}", f"us-east-1{zone}", f"10.0.0.{self.number}"
        )
        self.work(instances.register(self.ecs, self.ecs.find_cluster("blog"), launched, self.account.now))
        return list(self.ecs.instances.values())[-1]

    def lose(self, number: int, what: str = "terminated") -> None:
        self.work(instances.lost(self.ecs, f"i-{number}", what, self.account.now))

    def serve(self, count: int | None, **more: Any) -> None:
        request = {
            "cluster": "blog",
            "serviceName": "web",
            "taskDefinition": "blog",
            "launchType": "EC2",
            **({} if count is None else {"desiredCount": count}),
            **more,
        }
        self.work(services.create(self.ecs, request, self.account.now)[1])

    def run(self, **more: Any) -> list[Task]:
        request = {"cluster": "blog", "taskDefinition": "blog", "launchType": "EC2", **more}
        tasks, commands = starts.run_task(self.ecs, request, self.account.now)
        self.work(commands)
        return tasks

    def drain(self, instance: ContainerInstance, status: str = "DRAINING") -> None:
        request = {"cluster": "blog", "containerInstances": [instance.id], "status": status}
        self.work(instances.update_state(self.ecs, request, self.account.now)[2])

    def work(self, commands: list[Command]) -> None:
        self.account.work(commands)

    def on(self, instance: ContainerInstance) -> int:
        return len(instances.tasks_on(self.ecs, instance))

    def unplaced(self) -> list[str]:
        return [message for message in self.account.messages() if "unable to place" in message]

    def dropped(self) -> list[str]:
        return [one.ec2_instance_id for one in self.account.told if isinstance(one, DropInstance)]
