"""ECS as a client sees it: boto3, its waiters, EC2's records and a viewer, all against real containers."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

NGINX = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "nginx", "image": "nginx:1.27", "portMappings": [{"containerPort": 80}]}],
}
QUICK = {"Delay": 1, "MaxAttempts": 60}


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        ecs = sandbox.aws("ecs")
        ecs.create_cluster(clusterName="c")
        ecs.register_task_definition(**NGINX)
        yield sandbox


def network(box, public="ENABLED"):
    vpc = {"subnets": box.subnets, "securityGroups": [box.security_group], "assignPublicIp": public}
    return {"awsvpcConfiguration": vpc}


def run(box, public="ENABLED"):
    return box.aws("ecs").run_task(
        cluster="c", taskDefinition="web", launchType="FARGATE", networkConfiguration=network(box, public)
    )["tasks"]


def test_a_task_runs_is_reached_at_its_public_address_and_stops(box):
    ecs, ec2 = box.aws("ecs"), box.aws("ec2")
    (task,) = run(box)
    assert task["lastStatus"] == "PROVISIONING"
    ecs.get_waiter("tasks_running").wait(cluster="c", tasks=[task["taskArn"]], WaiterConfig=QUICK)
    (task,) = ecs.describe_tasks(cluster="c", tasks=[task["taskArn"]])["tasks"]
    details = {item["name"]: item["value"] for item in task["attachments"][0]["details"]}
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    assert interface["PrivateIpAddress"] == details["privateIPv4Address"]
    assert interface["Description"] == f"arn:aws:ecs:us-east-1:123456789012:attachment/{task['attachments'][0]['id']}"
    assert interface["MacAddress"] == details["macAddress"]
    answer = box.http_get_until(f"http://{interface['Association']['PublicIp']}/", within=20)
    assert answer.status == 200
    assert "nginx" in answer.headers["server"]

    ecs.stop_task(cluster="c", task=task["taskArn"], reason="the test is over")
    ecs.get_waiter("tasks_stopped").wait(cluster="c", tasks=[task["taskArn"]], WaiterConfig=QUICK)
    (task,) = ecs.describe_tasks(cluster="c", tasks=[task["taskArn"]])["tasks"]
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "the test is over")
    assert task["containers"][0]["exitCode"] == 0  # nginx ends by itself on SIGQUIT
    assert task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]
    with pytest.raises(ClientError, match=r"InvalidNetworkInterfaceID\.NotFound"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])


def test_without_a_public_address_the_internet_does_not_reach_a_task(box):
    ecs = box.aws("ecs")
    (task,) = run(box, public="DISABLED")
    ecs.get_waiter("tasks_running").wait(cluster="c", tasks=[task["taskArn"]], WaiterConfig=QUICK)
    (task,) = ecs.describe_tasks(cluster="c", tasks=[task["taskArn"]])["tasks"]
    address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert box.http_get(f"http://{address}/", timeout=3).status == 0
    ecs.stop_task(cluster="c", task=task["taskArn"])


def test_a_service_keeps_its_count_scales_and_goes(box):
    ecs = box.aws("ecs")
    ecs.create_service(
        cluster="c",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=network(box),
    )
    ecs.get_waiter("services_stable").wait(cluster="c", services=["web"], WaiterConfig=QUICK)
    first = ecs.list_tasks(cluster="c", serviceName="web")["taskArns"]
    assert len(first) == 2

    mark = box.timeline.mark()
    ecs.stop_task(cluster="c", task=first[0])
    box.timeline.wait_for(
        "a replacement to be RUNNING",
        lambda seen: seen.kind == "task.state" and seen["task"] not in first and seen["last_status"] == "RUNNING",
        within=30,
        since=mark,
    )
    box.timeline.wait_for(
        "the service to be steady",
        lambda seen: seen.kind == "service.event" and seen["message"].endswith("has reached a steady state."),
        within=30,
        since=mark,
    )
    (service,) = ecs.describe_services(cluster="c", services=["web"])["services"]
    assert service["runningCount"] == 2
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"
    messages = [event["message"] for event in service["events"]]
    assert messages[0] == "(service web) has reached a steady state."
    assert any(message.startswith("(service web) has started 2 tasks: (task ") for message in messages)

    ecs.update_service(cluster="c", service="web", desiredCount=1)
    ecs.get_waiter("services_stable").wait(cluster="c", services=["web"], WaiterConfig=QUICK)
    assert len(ecs.list_tasks(cluster="c", serviceName="web")["taskArns"]) == 1

    with pytest.raises(ClientError, match="cannot be stopped while it is scaled above 0"):
        ecs.delete_service(cluster="c", service="web")
    ecs.delete_service(cluster="c", service="web", force=True)
    ecs.get_waiter("services_inactive").wait(cluster="c", services=["web"], WaiterConfig=QUICK)


def test_events_come_in_the_order_of_the_life_cycle_with_growing_versions(box):
    mark = box.timeline.mark()
    (task,) = run(box)
    ecs = box.aws("ecs")
    ecs.get_waiter("tasks_running").wait(cluster="c", tasks=[task["taskArn"]], WaiterConfig=QUICK)
    ecs.stop_task(cluster="c", task=task["taskArn"])
    ecs.get_waiter("tasks_stopped").wait(cluster="c", tasks=[task["taskArn"]], WaiterConfig=QUICK)
    events = [
        seen
        for seen in box.timeline.since(mark)
        if seen.kind == "event.published" and seen["resources"] == [task["taskArn"]]
    ]
    states = [(seen["lastStatus"], seen["desiredStatus"]) for seen in events]
    assert states == [
        ("PROVISIONING", "RUNNING"),
        ("PENDING", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "STOPPED"),
        ("DEPROVISIONING", "STOPPED"),
        ("STOPPED", "STOPPED"),
    ]
    versions = [seen["version"] for seen in events]
    assert versions == sorted(set(versions))


def test_tags_of_a_service_where_they_are_asked_for(box):
    ecs = box.aws("ecs")
    tags = [{"key": "team", "value": "shop"}]
    ecs.create_cluster(clusterName="tagged")
    network = {"awsvpcConfiguration": {"subnets": box.subnets}}
    made = {"serviceName": "s", "taskDefinition": ecs.register_task_definition(**NGINX)["taskDefinition"]["family"]}
    ecs.create_service(
        cluster="tagged", **made, desiredCount=0, launchType="FARGATE", networkConfiguration=network, tags=tags
    )
    (plain,) = ecs.describe_services(cluster="tagged", services=["s"])["services"]
    (tagged,) = ecs.describe_services(cluster="tagged", services=["s"], include=["TAGS"])["services"]
    assert ("tags" in plain, tagged["tags"]) == (False, tags)
    ecs.delete_service(cluster="tagged", service="s")
    assert ecs.delete_cluster(cluster="tagged")["cluster"]["status"] == "INACTIVE"


def test_lists_come_in_pages_and_tags_where_they_are_asked_for(box):
    ecs = box.aws("ecs")
    for number in range(5):
        definition = {**NGINX, "family": f"paged-{number}"}
        arn = ecs.register_task_definition(**definition, tags=[{"key": "n", "value": str(number)}])["taskDefinition"][
            "taskDefinitionArn"
        ]
    pages = list(
        ecs.get_paginator("list_task_definition_families").paginate(
            familyPrefix="paged", PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["families"]) for page in pages] == [2, 2, 1]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": "yes"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["n"])
    tags = [{"key": "more", "value": "yes"}]
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    assert ecs.describe_task_definition(taskDefinition="paged-4", include=["TAGS"])["tags"] == tags
    assert "tags" not in ecs.describe_task_definition(taskDefinition="paged-4")
    ecs.deregister_task_definition(taskDefinition="paged-4:1")
    assert "paged-4" not in ecs.list_task_definition_families(status="ACTIVE")["families"]


def test_unknown_subnet_and_cluster_are_aws_errors(box):
    ecs = box.aws("ecs")
    with pytest.raises(ClientError, match="subnet-0nope' does not exist"):
        ecs.run_task(
            cluster="c",
            taskDefinition="web",
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-0nope"]}},
        )
    with pytest.raises(ClientError) as caught:
        ecs.list_tasks(cluster="nope")
    assert caught.value.response["Error"]["Code"] == "ClusterNotFoundException"
