"""Rules that run tasks, with real containers."""

from __future__ import annotations

import json

import pytest

from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

HERE = "us-east-1:123456789012:"
TASK = {
    "family": "job",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "job", "image": "nginx:1.27"}],
}


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=60
    ) as sandbox:
        ecs = sandbox.aws("ecs")
        ecs.create_cluster(clusterName="jobs")
        ecs.register_task_definition(**TASK)
        yield sandbox


def target(box, **more):
    return {
        "Id": "task",
        "Arn": f"arn:aws:ecs:{HERE}cluster/jobs",
        "RoleArn": "arn:aws:iam::123456789012:role/events",
        "EcsParameters": {
            "TaskDefinitionArn": f"arn:aws:ecs:{HERE}task-definition/job",
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": box.subnets}},
        },
        **more,
    }


def ended(box, mark):
    """The end of the first container since ``mark``."""
    return box.timeline.wait_for("the job's end", lambda o: o.kind == "container.exited", within=60, since=mark)


def test_an_event_runs_a_task_with_a_command_of_its_own(box):
    template = {"containerOverrides": [{"name": "job", "command": ["sh", "-c", "echo order <id>; exit 3"]}]}
    transformer = {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": json.dumps(template)}
    events = box.aws("events")
    events.put_rule(Name="on-order", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="on-order", Targets=[target(box, InputTransformer=transformer)])
    mark = box.timeline.mark()
    events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": '{"id": 7}'}])
    end = ended(box, mark)
    assert (end["exit_code"], end["log"]) == (3, ["order 7"])
    (shown,) = box.aws("ecs").describe_tasks(cluster="jobs", tasks=[end["task"]])["tasks"]
    assert shown["startedBy"] == "events-rule/on-order"


def test_a_schedule_runs_a_task_again_and_again(box):
    overrides = {"containerOverrides": [{"name": "job", "command": ["echo", "again"]}]}
    events = box.aws("events")
    mark = box.timeline.mark()
    events.put_rule(Name="often", ScheduleExpression="rate(2 minutes)")  # two seconds at this speed
    events.put_targets(Rule="often", Targets=[target(box, Input=json.dumps(overrides))])
    for _ in range(2):
        end = ended(box, mark)
        assert end["log"] == ["again"]
        mark = box.timeline.since().index(end) + 1
    events.disable_rule(Name="often")
