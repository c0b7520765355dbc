"""What tests of tasks on Docker share: a sandbox whose process has a hostile AWS configuration, and tasks in it."""

from __future__ import annotations

import os

import pytest

from sandbox.controllers.container_specs import LABEL_CONTAINER, LABEL_TASK
from sandbox.controllers.sandbox import Sandbox

HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL": "https://ecs.us-east-1.amazonaws.com",
    "AWS_SESSION_TOKEN": "a real one",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/real",
}
SLEEPER = {"command": ["sleep", "infinity"], "entryPoint": ["tini", "--"]}


class Tasks:
    """Starts tasks from the toolbox image and looks into them."""

    def __init__(self, sandbox):
        self.hostile = HOSTILE
        self.sandbox = sandbox
        self.ecs = sandbox.aws("ecs")
        self.client = sandbox._containers.client
        self.image = sandbox._images.ensure("toolbox")

    def start(self, *containers, public="ENABLED", groups=None, volumes=(), until=("RUNNING", "STOPPED"), **changes):
        """A task with ``containers``; returns when it is in one of the states ``until``.

        Its security groups are ``groups``, or the sandbox's own, which opens everything.
        """
        self.ecs.register_task_definition(
            family="t",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": f"c{number}", "image": self.image, **SLEEPER, **container}
                for number, container in enumerate(containers)
            ],
            volumes=list(volumes),
            **changes,
        )
        mark = self.sandbox.timeline.mark()
        network = {
            "subnets": self.sandbox.subnets,
            "assignPublicIp": public,
            "securityGroups": [self.sandbox.security_group] if groups is None else list(groups),
        }
        (task,) = self.ecs.run_task(
            cluster="c",
            taskDefinition="t",
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
        )["tasks"]
        self.wait(task["taskArn"], until, mark)
        return task["taskArn"]

    def wait(self, task, states, mark=0):
        """Wait until a task is in one of ``states``."""
        return self.sandbox.timeline.wait_for(
            f"{task} {states}",
            lambda seen: seen.kind == "task.state" and seen["task"] == task and seen["last_status"] in states,
            within=30,
            since=mark,
        )

    def stop(self, task):
        """Stop a task and wait for it."""
        self.ecs.stop_task(cluster="c", task=task, reason="enough")
        return self.wait(task, {"STOPPED"})

    def wait_told(self, task, kind, **facts):
        """Wait for an observation of a kind about a task that has these facts."""
        return self.sandbox.timeline.wait_for(
            f"{kind} {facts} of {task}",
            lambda seen: (
                seen.kind == kind and seen["task"] == task and all(seen[name] == fact for name, fact in facts.items())
            ),
            within=30,
        )

    def describe(self, task):
        """The task as DescribeTasks shows it."""
        return self.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]

    def container(self, task, name="c0"):
        """The id of a container of a task."""
        labels = [f"{LABEL_TASK}={task}", f"{LABEL_CONTAINER}={name}"]
        (found,) = self.client.api.containers(all=True, filters={"label": labels})
        return found["Id"]

    def sh(self, task, command, name="c0"):
        """Run a command in a container: exit code and output."""
        code, out, err = self.sandbox._containers.execute(self.container(task, name), ["sh", "-c", command])
        return code, out + err

    def left(self, task):
        """Containers that a task has."""
        return self.client.api.containers(all=True, filters={"label": f"{LABEL_TASK}={task}"})

    def told(self, task, kind):
        """The observations of a kind about a task."""
        return [seen for seen in self.sandbox.timeline.since() if seen.kind == kind and seen["task"] == task]

    def events(self, task):
        """The events that were published of a task."""
        seen = self.sandbox.timeline.since()
        return [one for one in seen if one.kind == "event.published" and one["resources"] == [task]]


@pytest.fixture(scope="module")
def tasks(request):
    before = dict(os.environ)
    os.environ.update(HOSTILE)
    try:
        with Sandbox(
            site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
        ) as sandbox:
            sandbox.aws("ecs").create_cluster(clusterName="c")
            yield Tasks(sandbox)
    finally:
        os.environ.clear()
        os.environ.update(before)
