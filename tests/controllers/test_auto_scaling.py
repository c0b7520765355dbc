"""Auto Scaling groups whose instances really run: zones, tags, life cycle, replacement, hooks, events."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sandbox.controllers.sandbox import Sandbox
from tests.controllers.instance_fleet import make_group, make_profile, make_template, outputs, run

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=20
    ) as sandbox:
        make_profile(sandbox, "node")
        yield sandbox


@pytest.fixture
def group(box, request):
    """A group of its own for a test, in service: its name and its instances."""
    made = []

    def make(count, **more):
        name = request.node.name.replace("[", "-").replace("]", "")
        make_template(box, name, "node", **more)
        make_group(box, name, count)
        made.append(name)
        return name, box.wait_in_service(name, count)

    yield make
    for name in made:
        box.aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def shown(box, name):
    """Its instances, by id, as DescribeAutoScalingGroups shows them."""
    (one,) = box.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return {instance["InstanceId"]: instance for instance in one["Instances"]}


def seen(box, name, state, instance=None, since=0):
    """Wait for a state of an instance, of any one where none is named; which it is."""
    found = box.timeline.wait_for(
        f"{instance or 'an instance'} of {name} to be {state}",
        lambda one: (
            one.kind == "scaling.instance"
            and (one["group"], one["state"]) == (name, state)
            and instance in {None, one["instance"]}
        ),
        within=40,
        since=since,
    )
    return found["instance"]


def events(box, mark, source="aws.autoscaling"):
    return [
        one["event"] for one in box.timeline.since(mark) if one.kind == "event.published" and one["source"] == source
    ]


def test_instances_are_spread_tagged_and_have_run_their_user_data(box, group):
    mark = box.timeline.mark()
    name, ids = group(2)
    ec2 = box.aws("ec2")
    found = [one for r in ec2.describe_instances(InstanceIds=ids)["Reservations"] for one in r["Instances"]]
    assert {one["SubnetId"] for one in found} == set(box.subnets)
    for one in found:
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        assert (tags["aws:autoscaling:groupName"], tags["service"]) == (name, name)
        assert one["IamInstanceProfile"]["Arn"].endswith("/node")
    assert {one["AvailabilityZone"] for one in shown(box, name).values()} == {"us-east-1a", "us-east-1b"}
    assert {one["LifecycleState"] for one in shown(box, name).values()} == {"InService"}
    for instance in ids:
        box.wait_managed(instance)
        box.timeline.wait_for(
            "the user data to have run",
            lambda seen, instance=instance: seen.kind == "instance.user_data" and seen["instance"] == instance,
            within=20,
        )
    (first, second) = outputs(box, run(box, "cat /etc/ecs/ecs.config; ls /booted", InstanceIds=ids)).values()
    assert first == second == (0, f"ECS_CLUSTER={name}\n/booted\n")
    launched = [one for one in events(box, mark) if one["detail-type"] == "EC2 Instance Launch Successful"]
    assert {one["detail"]["EC2InstanceId"] for one in launched} == set(ids)
    activities = box.aws("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    assert [one["StatusCode"] for one in activities] == ["Successful"] * 2


def test_a_scale_in_keeps_the_zones_balanced_and_lists_what_goes_as_terminating(box, group):
    name, ids = group(3)
    zones = {instance: one["AvailabilityZone"] for instance, one in shown(box, name).items()}
    mark = box.timeline.mark()
    box.aws("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    gone = seen(box, name, "Terminating", since=mark)
    assert list(zones.values()).count(zones[gone]) == 2
    assert shown(box, name)[gone]["LifecycleState"] == "Terminating"
    seen(box, name, "Terminated", gone, since=mark)
    assert set(shown(box, name)) == set(ids) - {gone}
    (ended,) = [one for one in events(box, mark) if one["detail-type"] == "EC2 Instance Terminate Successful"]
    assert ended["detail"]["EC2InstanceId"] == gone
    assert "shrinking the capacity from 3 to 2" in ended["detail"]["Cause"]


def test_an_instance_that_somebody_terminates_stays_in_the_group_until_a_health_check(box, group):
    name, (first, second) = group(2)
    mark = box.timeline.mark()
    box.aws("ec2").terminate_instances(InstanceIds=[first])
    box.timeline.wait_for(
        "the machine to be gone",
        lambda one: one.kind == "instance.dropped" and one["instance"] == first,
        within=30,
        since=mark,
    )
    listed = shown(box, name)[first]
    assert (listed["LifecycleState"], listed["HealthStatus"]) == ("InService", "Healthy")
    with pytest.raises(ClientError, match="not in a valid state"):
        run(box, "id", InstanceIds=list(shown(box, name)))
    replacement = seen(box, name, "InService", since=mark)
    assert replacement not in {first, second}
    seen(box, name, "Terminated", first, since=mark)
    assert set(shown(box, name)) == {second, replacement}
    activities = box.aws("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    causes = {one["Description"]: one["Cause"] for one in activities}
    words = "EC2 health check indicating it has been terminated or stopped"
    assert words in causes[f"Terminating EC2 instance: {first}"]


def test_an_instance_that_is_set_unhealthy_is_replaced(box, group):
    name, (only,) = group(1)
    mark = box.timeline.mark()
    box.aws("autoscaling").set_instance_health(InstanceId=only, HealthStatus="Unhealthy")
    assert seen(box, name, "InService", since=mark) != only
    assert seen(box, name, "Terminated", only, since=mark) == only


def test_a_new_template_version_counts_for_what_is_launched_and_for_what_goes_first(box, group):
    name, old = group(2)
    ec2, scaling = box.aws("ec2"), box.aws("autoscaling")
    ec2.create_launch_template_version(
        LaunchTemplateName=name,
        SourceVersion="1",
        LaunchTemplateData={
            "ImageId": "ami-0abcdef",
            "InstanceType": "t3.medium",
            "IamInstanceProfile": {"Name": "node"},
            "SecurityGroupIds": [box.security_group],
        },
    )
    scaling.update_auto_scaling_group(
        AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateName": name, "Version": "2"}, DesiredCapacity=4
    )
    box.wait_in_service(name, 4)
    kinds = {instance: one["InstanceType"] for instance, one in shown(box, name).items()}
    assert sorted(kinds.values()) == ["t3.medium", "t3.medium", "t3.small", "t3.small"]
    mark = box.timeline.mark()
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    gone = {one["instance"] for one in box.timeline.since(mark) if one.get("state") == "Terminating"}
    assert gone == set(old)


def test_lifecycle_hooks_hold_an_instance_before_its_service_and_after(box):
    name, scaling = "hooked", box.aws("autoscaling")
    make_template(box, name, "node")
    make_group(box, name, 0)
    for transition in ("LAUNCHING", "TERMINATING"):
        scaling.put_lifecycle_hook(
            AutoScalingGroupName=name,
            LifecycleHookName=transition.lower(),
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            HeartbeatTimeout=3600,
            DefaultResult="ABANDON",
        )
    mark = box.timeline.mark()
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
    instance = seen(box, name, "Pending:Wait", since=mark)
    assert shown(box, name)[instance]["LifecycleState"] == "Pending:Wait"
    (event,) = [one for one in events(box, mark) if one["detail-type"] == "EC2 Instance-launch Lifecycle Action"]
    detail = event["detail"]
    assert (detail["LifecycleHookName"], detail["EC2InstanceId"]) == ("launching", instance)

    def complete(hook, **who):
        scaling.complete_lifecycle_action(
            AutoScalingGroupName=name, LifecycleHookName=hook, LifecycleActionResult="CONTINUE", **who
        )

    with pytest.raises(ClientError, match="No active Lifecycle Action"):
        complete("launching", InstanceId="i-0123456789abcdef0")
    complete("launching", LifecycleActionToken=detail["LifecycleActionToken"])
    seen(box, name, "InService", instance, since=mark)
    scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
    seen(box, name, "Terminating:Wait", instance, since=mark)
    state = box.aws("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]
    assert state["Name"] == "running"
    complete("terminating", InstanceId=instance)
    seen(box, name, "Terminated", instance, since=mark)
    assert shown(box, name) == {}
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name)


def test_a_group_without_profile_or_cluster_has_instances_in_ec2_alone(box):
    scaling = box.aws("autoscaling")
    scaling.create_launch_configuration(
        LaunchConfigurationName="bare", ImageId="ami-0abcdef", InstanceType="t3.small", UserData=""
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="bare",
        LaunchConfigurationName="bare",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=2,
        VPCZoneIdentifier=",".join(box.subnets),
    )
    ids = box.wait_in_service("bare", 2)
    mark = box.timeline.mark()
    scaling.terminate_instance_in_auto_scaling_group(InstanceId=ids[0], ShouldDecrementDesiredCapacity=True)
    seen(box, "bare", "Terminated", ids[0], since=mark)
    assert set(shown(box, "bare")) == {ids[1]}
    with pytest.raises(ClientError, match="No managed instance found"):
        scaling.terminate_instance_in_auto_scaling_group(
            InstanceId="i-0123456789abcdef0", ShouldDecrementDesiredCapacity=True
        )
    scaling.delete_auto_scaling_group(AutoScalingGroupName="bare", ForceDelete=True)
    seen(box, "bare", "Terminated", ids[1], since=mark)


def test_a_group_registers_its_instances_with_its_target_group(box):
    elb, scaling = box.aws("elbv2"), box.aws("autoscaling")
    (target_group,) = elb.create_target_group(
        Name="targets", Protocol="HTTP", Port=80, VpcId=box.vpc, TargetType="instance"
    )["TargetGroups"]
    arn = target_group["TargetGroupArn"]
    make_template(box, "targets", "node")
    make_group(box, "targets", 1, TargetGroupARNs=[arn])
    (instance,) = box.wait_in_service("targets", 1)
    (registered,) = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    assert registered["Target"] == {"Id": instance, "Port": 80}
    mark = box.timeline.mark()
    scaling.set_desired_capacity(AutoScalingGroupName="targets", DesiredCapacity=0)
    seen(box, "targets", "Terminated", instance, since=mark)
    assert elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] == []
    scaling.delete_auto_scaling_group(AutoScalingGroupName="targets")


def test_an_instance_that_cannot_be_made_is_never_in_service(box):
    """In EC2's default VPC, which is not the sandbox's."""
    make_template(box, "elsewhere", "node", SecurityGroupIds=[])
    mark = box.timeline.mark()
    box.aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="elsewhere",
        LaunchTemplate={"LaunchTemplateName": "elsewhere"},
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-1a"],
    )
    failed = box.timeline.wait_for(
        "the instance to fail", lambda one: one.kind == "instance.failed", within=20, since=mark
    )
    assert failed["reason"] == "the instance is not in the sandbox's VPC"
    assert shown(box, "elsewhere")[failed["instance"]]["LifecycleState"] == "Pending"
    box.aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName="elsewhere", ForceDelete=True)
    seen(box, "elsewhere", "Terminated", failed["instance"], since=mark)
