"""`sandbox interrupt`: another process interrupts a Spot task of a stack that is up."""

from __future__ import annotations

import re

import pytest

from sandbox.aws.clients import Clients

pytestmark = pytest.mark.docker


def on_spot(stack):
    """The small stack with its service on FARGATE_SPOT."""
    file = stack.folder / "stack.yaml"
    spot = "capacityProviderStrategy: [{capacityProvider: FARGATE_SPOT}]"
    file.write_text(file.read_text().replace("launchType: FARGATE", spot))
    return stack


def only_task(up):
    """The id of the task of the small stack that ``up`` serves."""
    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", up.wait_for("AWS_ENDPOINT_URL="))[1]
    (arn,) = Clients(endpoint)("ecs").list_tasks(cluster="small")["taskArns"]
    return arn.rpartition("/")[2]


def running(line):
    """The beginning of a task's id, as `sandbox up` prints it."""
    return re.search(r"task (\w+) RUNNING", line)[1]


def test_a_task_of_a_stack_that_is_up_is_interrupted_and_replaced(cli, small_stack):
    up = cli.start("up", on_spot(small_stack()), "--speed", "10")
    up.wait_for("is up:")
    task = only_task(up)

    code, out, err = cli.run("interrupt", task[:8])
    assert (code, err) == (0, "")
    assert out.strip().endswith(f"/{task}")
    assert task[:8] in up.wait_for("Your Spot Task was interrupted.")
    assert running(up.wait_for(" RUNNING, desired RUNNING")) != task[:8]

    code, out, err = cli.run("interrupt", task[:8])
    assert (code, out) == (2, "")
    assert "The task is stopping already." in err
    up.interrupt()
    assert up.end() == 130


def test_what_cannot_be_interrupted(cli, small_stack):
    code, _, err = cli.run("interrupt", "0123")
    assert (code, "no stack is up\n  next: bring one up" in err) == (2, True)
    up = cli.start("up", small_stack())
    up.wait_for("is up:")
    code, _, err = cli.run("interrupt", "nope")
    assert (code, "there are 0 tasks of that name" in err) == (2, True)
    code, _, err = cli.run("interrupt", only_task(up))
    assert (code, "Only tasks of the capacity provider FARGATE_SPOT" in err) == (2, True)
    up.interrupt()
    assert up.end() == 130
