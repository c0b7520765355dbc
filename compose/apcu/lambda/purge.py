"""Empties the cache of every machine: Run Command asks each one's nginx for /purge.

Variables: GROUP, the Auto Scaling group; TARGET, the key of the tag by which its machines are found; TOPIC_ARN and
NOTIFY_ROLE_ARN, for the command's notifications.
"""

import os

import boto3

ssm = boto3.client("ssm")

# nginx lets only 127.0.0.1 purge, so the machine asks from within nginx's container.
COMMAND = (
    "docker exec $(docker ps --quiet --filter label=com.amazonaws.ecs.container-name=nginx)"
    " curl --fail --silent --show-error http://127.0.0.1/purge"
)


def by_tag(event, context):
    """Whatever machines have the tag at this moment."""
    return send([{"Key": os.environ["TARGET"], "Values": [os.environ["GROUP"]]}])


def by_list(event, context):
    """The machines of a list that was made some time ago."""
    listed = ssm.get_parameter(Name=f"/{os.environ['GROUP']}/machines")["Parameter"]["Value"]
    return send([{"Key": "InstanceIds", "Values": listed.split(",")}])


def send(targets):
    command = ssm.send_command(
        DocumentName="AWS-RunShellScript",
        Targets=targets,
        Parameters={"commands": [COMMAND], "executionTimeout": ["120"]},
        TimeoutSeconds=30,
        ServiceRoleArn=os.environ["NOTIFY_ROLE_ARN"],
        NotificationConfig={
            "NotificationArn": os.environ["TOPIC_ARN"],
            "NotificationEvents": ["Success", "TimedOut", "Cancelled", "Failed"],
            "NotificationType": "Command",
        },
    )["Command"]
    print(f"sent {command['CommandId']}")
    return command["CommandId"]
