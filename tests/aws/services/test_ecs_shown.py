"""ECS as it was at a moment: only what reads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.ecs_shown import ShownEcs

CONTEXT = RequestContext()
PREFIX = "arn:aws:ecs:eu-west-1:111122223333"
ONE, TWO = f"{PREFIX}:task/blog/1", f"{PREFIX}:task/blog/2"
ECS = ShownEcs(
    SimpleNamespace(
        tasks={
            ONE: {
                "taskArn": ONE,
                "desiredStatus": "RUNNING",
                "group": "service:web",
                "startedBy": "me",
                "launchType": "FARGATE",
                "containerInstanceArn": f"{PREFIX}:container-instance/blog/9",
                "taskDefinitionArn": f"{PREFIX}:task-definition/web:3",
            },
            TWO: {"taskArn": TWO, "desiredStatus": "STOPPED", "group": "family:web"},
        },
        services={f"{PREFIX}:service/blog/web": {"serviceName": "web"}},
    )
)


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ({}, [ONE]),
        ({"desiredStatus": "STOPPED"}, [TWO]),
        ({"serviceName": "web"}, [ONE]),
        ({"serviceName": f"{PREFIX}:service/blog/web"}, [ONE]),
        ({"serviceName": "other"}, []),
        ({"containerInstance": "9"}, [ONE]),
        ({"containerInstance": f"{PREFIX}:container-instance/blog/8"}, []),
        ({"family": "web", "startedBy": "me", "launchType": "FARGATE"}, [ONE]),
        ({"family": "we"}, []),
    ],
)
def test_list_tasks(request_, found):
    assert ECS.list_tasks({"cluster": "blog", **request_}, CONTEXT) == {"taskArns": found}


def test_describe_tasks_by_id_and_arn():
    answer = ECS.describe_tasks({"cluster": f"{PREFIX}:cluster/blog", "tasks": ["1", TWO, "3"]}, CONTEXT)
    assert [task["taskArn"] for task in answer["tasks"]] == [ONE, TWO]
    assert answer["failures"] == [{"arn": f"{PREFIX}:task/blog/3", "reason": "MISSING"}]


def test_services():
    assert ECS.list_services({"cluster": "blog"}, CONTEXT) == {"serviceArns": [f"{PREFIX}:service/blog/web"]}
    answer = ECS.describe_services({"cluster": "blog", "services": ["web", "nope"]}, CONTEXT)
    assert answer["services"] == [{"serviceName": "web"}]
    assert answer["failures"] == [{"arn": f"{PREFIX}:service/blog/nope", "reason": "MISSING"}]


def test_an_unknown_cluster():
    with pytest.raises(AwsError, match="ClusterNotFoundException"):
        ECS.list_tasks({}, CONTEXT)


def test_services_that_nobody_told_of_are_not_said_to_be_missing():
    only_tasks = ShownEcs(SimpleNamespace(tasks=ECS.ecs.tasks, services={}))
    with pytest.raises(AwsError, match="do not tell of services"):
        only_tasks.describe_services({"cluster": "blog", "services": ["web"]}, CONTEXT)
