"""Launch type EC2 with real containers: instances of EC2's API, what they have room for, and how tasks on them talk."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sandbox.controllers.container_instances import LABEL_INSTANCE
from sandbox.controllers.container_specs import LABEL_CONTAINER, LABEL_TASK
from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

QUICK = {"Delay": 1, "MaxAttempts": 60}
USER_DATA = "#!/bin/bash\necho ECS_CLUSTER={} >> /etc/ecs/ecs.config\n"
NO_CONTAINERS = "No Container Instances were found in your cluster."


class Fleet:
    """A cluster of its own, with instances, task definitions and services in it."""

    def __init__(self, box, cluster):
        self.box, self.cluster = box, cluster
        self.ecs, self.ec2 = box.aws("ecs"), box.aws("ec2")
        self.image = box._images.ensure("toolbox")
        self.ecs.create_cluster(clusterName=cluster)
        self.mark = box.timeline.mark()

    def launch(self, kind="t3.small", **more):
        """An instance that has registered: its id and address."""
        mark = self.box.timeline.mark()
        asked = {
            "ImageId": "ami-0abcdef",
            "InstanceType": kind,
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": self.box.subnets[0],
            "UserData": USER_DATA.format(self.cluster),
            "SecurityGroupIds": None if "NetworkInterfaces" in more else [self.box.security_group],
            **more,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        (instance,) = self.ec2.run_instances(**given)["Instances"]
        self.seen("instance.state", mark, instance=instance["InstanceId"], status="ACTIVE")
        return instance["InstanceId"], instance["PrivateIpAddress"]

    def define(self, *containers, mode="awsvpc", **more):
        """A task definition of containers that serve their name and the caller's address on port 80."""
        serve = "TCP4-LISTEN:80,fork,reuseaddr"
        made = [
            {
                "image": self.image,
                "entryPoint": ["tini", "--"],
                "command": ["socat", serve, f"SYSTEM:echo {item.get('name', 'web')} $SOCAT_PEERADDR"],
                "memory": 64,
                "name": "web",
                **item,
            }
            for item in containers or ({},)
        ]
        return self.ecs.register_task_definition(
            family=self.cluster, networkMode=mode, requiresCompatibilities=["EC2"], containerDefinitions=made, **more
        )["taskDefinition"]["taskDefinitionArn"]

    def network(self):
        return {"awsvpcConfiguration": {"subnets": self.box.subnets, "securityGroups": [self.box.security_group]}}

    def serve(self, count, **more):
        """A service of what was defined last."""
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName="web",
            taskDefinition=self.cluster,
            desiredCount=count,
            launchType="EC2",
            **more,
        )

    def run(self, **more):
        """Tasks of what was defined last: those that run, and the failures."""
        answer = self.ecs.run_task(cluster=self.cluster, taskDefinition=self.cluster, launchType="EC2", **more)
        arns = [task["taskArn"] for task in answer["tasks"]]
        if arns:
            self.ecs.get_waiter("tasks_running").wait(cluster=self.cluster, tasks=arns, WaiterConfig=QUICK)
        return arns, answer["failures"]

    def seen(self, kind, since=None, **facts):
        """Wait for an observation."""
        return self.box.timeline.wait_for(
            f"{kind} {facts}",
            lambda seen: seen.kind == kind and all(seen[name] == fact for name, fact in facts.items()),
            within=40,
            since=self.mark if since is None else since,
        )

    def running(self, count, since=None):
        """Wait until so many tasks have been RUNNING."""
        found = set()

        def enough(seen):
            if seen.kind == "task.state" and seen["last_status"] == "RUNNING" and seen["group"] == "service:web":
                found.add(seen["task"])
            return len(found) >= count

        self.box.timeline.wait_for(f"{count} tasks", enough, within=40, since=self.mark if since is None else since)

    def said(self):
        """What the service has said, the newest first."""
        (service,) = self.ecs.describe_services(cluster=self.cluster, services=["web"])["services"]
        return [event["message"] for event in service["events"]]

    def wait_said(self, text):
        self.box.timeline.wait_for(
            text,
            lambda seen: seen.kind == "service.event" and text in seen["message"],
            within=40,
            since=self.mark,
        )

    def describe(self, task):
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=[task])["tasks"][0]

    def instances(self):
        arns = self.ecs.list_container_instances(cluster=self.cluster)["containerInstanceArns"]
        return self.ecs.describe_container_instances(cluster=self.cluster, containerInstances=arns)[
            "containerInstances"
        ]

    def sh(self, task, command, name="web"):
        """Run a command in a container of a task."""
        labels = [f"{LABEL_TASK}={task}", f"{LABEL_CONTAINER}={name}"]
        (found,) = self.box._containers.client.api.containers(filters={"label": labels})
        code, out, err = self.box._containers.execute(found["Id"], ["sh", "-c", command])
        return code, out + err

    def ask(self, task, address, port, name="web"):
        """What a port answers to a container of a task; it may take a moment to listen."""
        ask = f"socat -u -T2 TCP4:{address}:{port},connect-timeout=2 -"
        return self.sh(task, f"for i in 1 2 3 4 5 6 7 8; do {ask} 2>/dev/null && exit; sleep 0.2; done; exit 1", name)[
            1
        ]

    def clean(self):
        """End everything of the cluster."""
        for service in self.ecs.list_services(cluster=self.cluster)["serviceArns"]:
            self.ecs.delete_service(cluster=self.cluster, service=service, force=True)
        ids = [item["ec2InstanceId"] for item in self.instances()]
        if ids:
            mark = self.box.timeline.mark()
            self.ec2.terminate_instances(InstanceIds=ids)
            for instance in ids:
                self.seen("instance.dropped", mark, instance=instance)


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        yield sandbox


@pytest.fixture
def fleet(box, request):
    made = Fleet(box, request.node.name.replace("[", "-").replace("]", ""))
    yield made
    made.clean()


def test_two_of_five_tasks_find_an_interface_on_a_t3_small(fleet):
    fleet.launch()
    fleet.define()
    fleet.serve(5, networkConfiguration=fleet.network())
    fleet.running(2)
    (instance,) = fleet.instances()
    arn = instance["containerInstanceArn"]
    unplaced = (
        "(service web) was unable to place a task because no container instance met all of its requirements. "
        f'The closest matching (container-instance {arn.rpartition("/")[2]}) encountered error "RESOURCE:ENI". '
        "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    )
    assert fleet.said()[0] == unplaced

    fleet.launch()
    fleet.running(4)
    assert sorted(item["runningTasksCount"] for item in fleet.instances()) == [2, 2]
    assert sum(message.startswith("(service web) has started 2 tasks") for message in fleet.said()) == 2
    (service,) = fleet.ecs.describe_services(cluster=fleet.cluster, services=["web"])["services"]
    assert (service["desiredCount"], service["launchType"]) == (5, "EC2")
    interfaces = fleet.ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance["ec2InstanceId"]]}]
    )["NetworkInterfaces"]
    assert len(interfaces) == 3  # its own, and two tasks'


def test_a_service_waits_for_an_instance_and_for_its_cluster(fleet):
    fleet.define()
    with pytest.raises(ClientError, match=NO_CONTAINERS):
        fleet.run(networkConfiguration=fleet.network())
    fleet.serve(1, networkConfiguration=fleet.network())
    assert f"Reason: {NO_CONTAINERS}" in fleet.said()[0]
    fleet.launch()
    fleet.ecs.get_waiter("services_stable").wait(cluster=fleet.cluster, services=["web"], WaiterConfig=QUICK)


def test_trunking_gives_a_c5_large_ten_tasks(fleet):
    fleet.ecs.put_account_setting_default(name="awsvpcTrunking", value="enabled")
    try:
        fleet.launch("c5.large")
    finally:
        fleet.ecs.put_account_setting_default(name="awsvpcTrunking", value="disabled")
    fleet.define({"memory": 16})
    arns, failures = fleet.run(count=10, networkConfiguration=fleet.network())
    assert (len(arns), failures) == (10, [])
    (instance,) = fleet.instances()
    none, failures = fleet.run(count=1, networkConfiguration=fleet.network())
    assert (none, failures) == ([], [{"arn": instance["containerInstanceArn"], "reason": "RESOURCE:ENI"}])
    found = fleet.ecs.list_attributes(
        cluster=fleet.cluster, targetType="container-instance", attributeName="ecs.awsvpc-trunk-id"
    )["attributes"]
    assert [item["targetId"] for item in found] == [instance["containerInstanceArn"]]


def test_bridge_mode_places_all_and_a_dynamic_port_leads_to_each(fleet):
    _, address = fleet.launch()
    fleet.define({"portMappings": [{"containerPort": 80}]}, mode="bridge")
    fleet.serve(5)
    fleet.running(5)
    tasks = fleet.ecs.list_tasks(cluster=fleet.cluster)["taskArns"]
    ports = []
    for task in tasks:
        (container,) = fleet.describe(task)["containers"]
        assert (container["networkInterfaces"], fleet.describe(task)["attachments"]) == ([], [])
        (binding,) = container["networkBindings"]
        assert (binding["bindIP"], binding["containerPort"], binding["protocol"]) == ("0.0.0.0", 80, "tcp")
        ports.append(binding["hostPort"])
    assert len(set(ports)) == 5
    assert all(32768 <= port <= 60999 for port in ports)

    # From another instance, its address is the bridge's of neither; from a neighbour on the bridge, too.
    fleet.launch()
    fleet.define()
    (other,), _ = fleet.run(networkConfiguration=fleet.network())
    own = fleet.describe(other)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert fleet.ask(other, address, ports[0]) == f"web {own}\n"
    assert fleet.ask(tasks[1], address, ports[0]).startswith("web ")
    # What a bridge container sends comes from its instance's address.
    assert fleet.ask(tasks[0], own, 80) == f"web {address}\n"

    fleet.ecs.stop_task(cluster=fleet.cluster, task=tasks[0])
    fleet.seen("task.state", task=tasks[0], last_status="STOPPED")
    assert fleet.sh(other, f"socat -u -T2 TCP4:{address}:{ports[0]},connect-timeout=2 -")[0] == 1


def test_a_bridge_container_has_dns_the_endpoint_metadata_and_its_links(fleet):
    fleet.launch()
    fleet.define({"name": "db"}, {"links": ["db:mongo"], "portMappings": [{"containerPort": 80}]}, mode="bridge")
    (task,), _ = fleet.run()
    code, out = fleet.sh(task, "curl -s -m 5 --retry 3 --retry-connrefused $AWS_ENDPOINT_URL/_sandbox/health")
    assert (code, '"status": "ok"' in out) == (0, True)
    _, told = fleet.sh(task, "curl -s -m 5 $ECS_CONTAINER_METADATA_URI_V4")
    assert '"NetworkMode": "bridge"' in told
    (binding,) = next(c for c in fleet.describe(task)["containers"] if c["name"] == "web")["networkBindings"]
    assert f'"HostPort": {binding["hostPort"]}' in told
    assert fleet.sh(task, "echo $AWS_EXECUTION_ENV")[1] == "AWS_ECS_EC2\n"
    assert fleet.ask(task, "mongo", 80).startswith("db ")
    assert fleet.ask(task, "db", 80).startswith("db ")
    assert fleet.sh(task, "getent hosts web", name="db")[0] != 0  # a link leads one way
    assert fleet.sh(task, "curl -sS --connect-timeout 1 -m 2 http://1.1.1.1/")[0] in {7, 28}


def test_two_tasks_cannot_have_the_same_static_port(fleet):
    fleet.launch("t3.large")
    fleet.define({"portMappings": [{"containerPort": 80, "hostPort": 8080}]}, mode="bridge")
    (task,), failures = fleet.run(count=2)
    (instance,) = fleet.instances()
    assert failures == [{"arn": instance["containerInstanceArn"], "reason": "RESOURCE:PORTS"}]
    assert "8080" in next(item for item in instance["remainingResources"] if item["name"] == "PORTS")["stringSetValue"]
    fleet.ecs.stop_task(cluster=fleet.cluster, task=task)
    fleet.seen("task.state", task=task, last_status="STOPPED")
    assert len(fleet.run()[0]) == 1


def test_host_mode_is_the_instance_itself(fleet):
    _, address = fleet.launch()
    fleet.define({"portMappings": [{"containerPort": 80}]}, mode="host")
    (task,), _ = fleet.run()
    (binding,) = fleet.describe(task)["containers"][0]["networkBindings"]
    assert (binding["containerPort"], binding["hostPort"]) == (80, 80)
    assert fleet.ask(task, "localhost", 80) == "web 127.0.0.1\n"
    fleet.define(mode="none")
    (quiet,), _ = fleet.run()
    assert fleet.sh(quiet, "ip -o link | wc -l")[1] == "1\n"
    fleet.define(mode="bridge")
    (other,), _ = fleet.run()
    assert fleet.ask(other, address, 80).startswith("web ")


def test_files_of_an_instance_outlive_its_tasks_and_go_with_it(fleet):
    instance, _ = fleet.launch("t3.large")
    mount = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    fleet.define(mount, mode="bridge", volumes=[{"name": "data", "host": {"sourcePath": "/srv/data"}}])
    (first,), _ = fleet.run()
    assert fleet.sh(first, "echo kept > /data/file") == (0, "")
    fleet.ecs.stop_task(cluster=fleet.cluster, task=first)
    fleet.seen("task.state", task=first, last_status="STOPPED")
    (second,), _ = fleet.run()
    assert fleet.sh(second, "cat /data/file")[1] == "kept\n"

    def volumes():
        found = fleet.box._containers.client.api.volumes(filters={"name": instance})["Volumes"] or []
        return [volume["Name"] for volume in found]

    assert len(volumes()) == 1
    fleet.clean()
    assert volumes() == []


def test_draining_replaces_service_tasks_and_leaves_standalone_ones(fleet):
    fleet.launch("t3.large")
    fleet.define({"memory": 32}, mode="bridge")
    fleet.serve(2)
    fleet.running(2)
    (alone,), _ = fleet.run()
    (drained,) = fleet.instances()
    fleet.launch("t3.large")
    mark = fleet.box.timeline.mark()
    answer = fleet.ecs.update_container_instances_state(
        cluster=fleet.cluster, containerInstances=[drained["containerInstanceArn"]], status="DRAINING"
    )
    assert [item["status"] for item in answer["containerInstances"]] == ["DRAINING"]
    fleet.running(2, since=mark)
    for task in fleet.ecs.list_tasks(cluster=fleet.cluster, serviceName="web")["taskArns"]:
        if fleet.describe(task)["containerInstanceArn"] == drained["containerInstanceArn"]:
            fleet.seen("task.state", mark, task=task, last_status="STOPPED")
    left = fleet.ecs.list_tasks(cluster=fleet.cluster, containerInstance=drained["containerInstanceArn"])["taskArns"]
    assert left == [alone]
    with pytest.raises(ClientError, match="Found running tasks on the instance"):
        fleet.ecs.deregister_container_instance(
            cluster=fleet.cluster, containerInstance=drained["containerInstanceArn"]
        )


def test_a_terminated_instance_takes_its_tasks_along_and_leaves_nothing(fleet):
    instance, _ = fleet.launch("t3.large")
    fleet.define(mode="bridge")
    fleet.serve(1)
    fleet.running(1)
    (task,) = fleet.ecs.list_tasks(cluster=fleet.cluster)["taskArns"]
    fleet.ec2.terminate_instances(InstanceIds=[instance])
    stopped = fleet.seen("task.state", task=task, last_status="STOPPED")
    assert stopped["stopped_reason"] == f"Host EC2 (instance {instance}) terminated."
    fleet.seen("instance.dropped", instance=instance)
    assert fleet.instances() == []
    api = fleet.box._containers.client.api
    assert api.containers(all=True, filters={"label": f"{LABEL_INSTANCE}={instance}"}) == []
    assert api.networks(filters={"name": instance}) == []
    fleet.launch("t3.large")  # the service goes on there
    fleet.ecs.get_waiter("services_stable").wait(cluster=fleet.cluster, services=["web"], WaiterConfig=QUICK)


def test_a_stopped_instance_is_disconnected_until_it_is_started(fleet):
    instance, address = fleet.launch()
    fleet.define(mode="bridge")
    (task,), _ = fleet.run()
    fleet.ec2.stop_instances(InstanceIds=[instance])
    fleet.seen("task.state", task=task, last_status="STOPPED")
    fleet.seen("instance.dropped", instance=instance)
    assert fleet.describe(task)["stoppedReason"] == f"Host EC2 (instance {instance}) stopped."
    (shown,) = fleet.instances()
    assert (shown["agentConnected"], shown["status"]) == (False, "ACTIVE")
    assert fleet.run()[1] == [{"arn": shown["containerInstanceArn"], "reason": "AGENT"}]
    mark = fleet.box.timeline.mark()
    fleet.ec2.start_instances(InstanceIds=[instance])
    fleet.seen("instance.state", mark, instance=instance, agent_connected=True)
    assert len(fleet.run()[0]) == 1
    launched = fleet.seen("instance.launched", mark, instance=instance)
    assert launched["address"] == address


def test_an_unknown_instance_type_is_ec2_s_error_and_disturbs_nothing(fleet):
    with pytest.raises(ClientError) as caught:
        fleet.launch("t3.smoll")
    assert caught.value.response["Error"] == {
        "Code": "InvalidParameterValue",
        "Message": "Invalid value 't3.smoll' for InstanceType.",
    }
    assert fleet.instances() == []


def test_the_ecs_optimized_ami_joins_the_default_cluster(fleet):
    name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    image = fleet.box.aws("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    instance, _ = fleet.launch(ImageId=image, UserData="")
    shown = fleet.ecs.list_container_instances(filter=f"ec2InstanceId == {instance}")["containerInstanceArns"]
    assert len(shown) == 1
    fleet.ec2.terminate_instances(InstanceIds=[instance])
    fleet.seen("instance.dropped", instance=instance)


def test_an_instance_with_a_public_address_is_reached_there(fleet):
    interface = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": True,
        "SubnetId": fleet.box.subnets[0],
        "Groups": [fleet.box.security_group],
    }
    instance, _ = fleet.launch(SubnetId=None, NetworkInterfaces=[interface])
    fleet.define({"portMappings": [{"containerPort": 80, "hostPort": 8080}]}, mode="bridge")
    fleet.run()
    (reservation,) = fleet.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    public = reservation["Instances"][0]["PublicIpAddress"]
    assert fleet.box._in_viewer(["sh", "-c", f"socat -u -T2 TCP4:{public}:8080,connect-timeout=2 -"])[1].startswith(
        "web"
    )


def test_an_instance_outside_of_the_vpc_does_not_register_and_disturbs_nothing(fleet):
    mark = fleet.box.timeline.mark()
    (instance,) = fleet.ec2.run_instances(
        ImageId="ami-0abc", InstanceType="t3.small", MinCount=1, MaxCount=1, UserData=USER_DATA.format(fleet.cluster)
    )["Instances"]
    failed = fleet.seen("instance.failed", mark, instance=instance["InstanceId"])
    assert failed["reason"] == "the instance is not in the sandbox's VPC"
    assert "${sandbox.subnets.0}" in failed["hint"]
    assert fleet.instances() == []
    fleet.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    fleet.launch()


def test_instances_of_an_auto_scaling_group_are_container_instances(fleet):
    groups = fleet.box.aws("autoscaling")
    groups.create_launch_configuration(
        LaunchConfigurationName=fleet.cluster,
        ImageId="ami-0abcdef",
        InstanceType="t3.small",
        UserData=USER_DATA.format(fleet.cluster),
    )
    mark = fleet.box.timeline.mark()
    groups.create_auto_scaling_group(
        AutoScalingGroupName=fleet.cluster,
        LaunchConfigurationName=fleet.cluster,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        VPCZoneIdentifier=fleet.box.subnets[1],
    )
    fleet.seen("instance.state", mark, status="ACTIVE")
    (instance,) = fleet.instances()
    zone = {"name": "ecs.availability-zone", "value": "us-east-1b"}
    assert zone in instance["attributes"]
    groups.set_desired_capacity(AutoScalingGroupName=fleet.cluster, DesiredCapacity=0)
    fleet.seen("instance.dropped", mark, instance=instance["ec2InstanceId"])
    assert fleet.instances() == []


STACK = """\
description: nginx on an EC2 instance, at its public address
calls:
  - ecs.create_cluster: {clusterName: stack}
  - ec2.run_instances:
      ImageId: ami-0123456789abcdef0
      InstanceType: t3.small
      MinCount: 1
      MaxCount: 1
      NetworkInterfaces:
        - DeviceIndex: 0
          AssociatePublicIpAddress: true
          SubnetId: "${sandbox.subnets.0}"
          Groups: ["${sandbox.security_group}"]
      UserData: "#!/bin/bash\\necho ECS_CLUSTER=stack >> /etc/ecs/ecs.config\\n"
    as: reservation
  - ecs.register_task_definition:
      family: stack
      networkMode: bridge
      requiresCompatibilities: [EC2]
      containerDefinitions:
        - {name: nginx, image: "nginx:1.27", memory: 64, portMappings: [{containerPort: 80, hostPort: 80}]}
  - ecs.create_service: {cluster: stack, serviceName: web, taskDefinition: stack, desiredCount: 1, launchType: EC2}
"""


def test_a_stack_runs_instances_by_plain_calls(fleet, tmp_path):
    (tmp_path / "stack.yaml").write_text(STACK)
    fleet.box.stack(str(tmp_path))
    fleet.ecs.get_waiter("services_stable").wait(cluster="stack", services=["web"], WaiterConfig=QUICK)
    (arn,) = fleet.ecs.list_container_instances(cluster="stack")["containerInstanceArns"]
    (shown,) = fleet.ecs.describe_container_instances(cluster="stack", containerInstances=[arn])["containerInstances"]
    (reservation,) = fleet.ec2.describe_instances(InstanceIds=[shown["ec2InstanceId"]])["Reservations"]
    address = reservation["Instances"][0]["PublicIpAddress"]
    assert fleet.box.http_get_until(f"http://{address}/", within=20).status == 200
    fleet.ecs.delete_service(cluster="stack", service="web", force=True)
    fleet.ec2.terminate_instances(InstanceIds=[shown["ec2InstanceId"]])
