"""An Auto Scaling group of managed nodes, and what tests do with it."""

from __future__ import annotations

import base64
import json

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
)
NODE = ["ssm:UpdateInstanceInformation", "ssmmessages:*", "ec2messages:*"]
SCRIPT = "#!/bin/bash\necho ECS_CLUSTER={} >> /etc/ecs/ecs.config\ntouch /booted\n"


def make_profile(box, name, actions=NODE):
    """An instance profile whose role allows these actions."""
    iam = box.aws("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="node", PolicyDocument=policy)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def make_template(box, name, profile, script=None, **more):
    """A launch template for instances in the sandbox's VPC."""
    return box.aws("ec2").create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": "ami-0abcdef",
            "InstanceType": "t3.small",
            "IamInstanceProfile": {"Name": profile},
            "SecurityGroupIds": [box.security_group],
            "UserData": base64.b64encode((script or SCRIPT.format(name)).encode()).decode(),
            **more,
        },
    )


def make_group(box, name, count, **more):
    """A group in both subnets, whose instances are in service."""
    box.aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name},
        MinSize=0,
        MaxSize=20,
        DesiredCapacity=count,
        VPCZoneIdentifier=",".join(box.subnets),
        Tags=[{"Key": "service", "Value": name, "PropagateAtLaunch": True}],
        **more,
    )


def by_group(name):
    """Targets: the instances of a group."""
    return [{"Key": "tag:aws:autoscaling:groupName", "Values": [name]}]


def run(box, *commands, within=60, **more):
    """Send commands, wait for their end: ListCommands' description."""
    ssm = box.aws("ssm")
    values = {"commands": list(commands), **more.pop("values", {})}
    sent = ssm.send_command(DocumentName="AWS-RunShellScript", Parameters=values, **more)["Command"]
    return ended(box, sent["CommandId"], within)


def ended(box, command_id, within=60):
    """Wait for the end of a command: ListCommands' description."""
    box.wait_command(command_id, within=within)
    return box.aws("ssm").list_commands(CommandId=command_id)["Commands"][0]


def outputs(box, command):
    """What each instance has printed, and its exit code."""
    found = box.aws("ssm").list_command_invocations(CommandId=command["CommandId"], Details=True)
    return {
        one["InstanceId"]: (one["CommandPlugins"][0]["ResponseCode"], one["CommandPlugins"][0]["Output"])
        for one in found["CommandInvocations"]
    }
