"""Tells Slack what became of a purge: three ways to judge it, of which the last is right.

Subscribed to the topic of the command's notifications. Variables: GROUP, the Auto Scaling group; SLACK_WEBHOOK.
"""

import json
import os
import urllib.request

import boto3

ssm = boto3.client("ssm")
autoscaling = boto3.client("autoscaling")

CLEAR = "All caches are clear."


def by_status(event, context):
    """The command's status: Success is also that of a command that no machine got."""
    for notification in notifications(event):
        status = notification["status"]
        say(CLEAR if status == "Success" else f"Not all caches are clear: the command is {status}.")


def by_failures(event, context):
    """The invocations that have failed: one that was never delivered has another status."""
    for notification in notifications(event):
        failed = [one["InstanceId"] for one in invocations(notification["commandId"]) if one["Status"] == "Failed"]
        say(f"Not all caches are clear: {', '.join(failed)}." if failed else CLEAR)


def by_machine(event, context):
    """Each machine that the group has: what its own invocation came to, and whether it had one."""
    for notification in notifications(event):
        command_id = notification["commandId"]
        (command,) = ssm.list_commands(CommandId=command_id)["Commands"]
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[os.environ["GROUP"]])[
            "AutoScalingGroups"
        ]
        found = {one["InstanceId"]: one for one in invocations(command_id)}
        wrong = [f"{name}: {one['StatusDetails']}" for name, one in found.items() if one["Status"] != "Success"]
        wrong += [
            f"{one['InstanceId']}: not asked"
            for one in group["Instances"]
            if one["LifecycleState"] == "InService" and one["InstanceId"] not in found
        ]
        targets, desired = command["TargetCount"], group["DesiredCapacity"]
        if targets < desired:
            wrong.append(f"{targets} machines were asked, and the group has {desired}")
        if wrong:
            say("Not all caches are clear. " + "; ".join(sorted(wrong)) + ".")
        else:
            says = [f"{name} {one['CommandPlugins'][0]['Output'].strip()}" for name, one in sorted(found.items())]
            say(f"{CLEAR} {'; '.join(says)}.")


def notifications(event):
    """What Systems Manager has told of commands that are over."""
    return [json.loads(record["Sns"]["Message"]) for record in event["Records"]]


def invocations(command_id):
    pages = ssm.get_paginator("list_command_invocations").paginate(CommandId=command_id, Details=True)
    return [one for page in pages for one in page["CommandInvocations"]]


def say(text):
    request = urllib.request.Request(
        os.environ["SLACK_WEBHOOK"],
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        print(f"Slack: {answer.read().decode()}")
