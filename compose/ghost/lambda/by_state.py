"""Keeps a Route 53 record at a Fargate task's public address: believes ECS's present state, not the event."""

import os

import boto3

ecs = boto3.client("ecs")
ec2 = boto3.client("ec2")
route53 = boto3.client("route53")


def handler(event, context):
    """Point RECORD_NAME at the event's task, if it still is to run.

    EventBridge delivers an event late, twice or after a newer one. Its ``version`` tells how old it is, but only ECS
    tells whether the task is still wanted.
    """
    detail = event["detail"]
    tasks = ecs.describe_tasks(cluster=detail["clusterArn"], tasks=[detail["taskArn"]])["tasks"]
    if not tasks or (tasks[0]["lastStatus"], tasks[0]["desiredStatus"]) != ("RUNNING", "RUNNING"):
        now = f"{tasks[0]['lastStatus']}, version {tasks[0]['version']}" if tasks else "gone"
        return {"ignored": detail["taskArn"], "version": detail["version"], "now": now}
    attachment = next(a for a in tasks[0]["attachments"] if a["type"] == "ElasticNetworkInterface")
    details = {item["name"]: item["value"] for item in attachment["details"]}
    interfaces = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    address = interfaces["NetworkInterfaces"][0]["Association"]["PublicIp"]
    route53.change_resource_record_sets(
        HostedZoneId=os.environ["HOSTED_ZONE_ID"],
        ChangeBatch={
            "Changes": [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": os.environ["RECORD_NAME"],
                        "Type": "A",
                        "TTL": 10,
                        "ResourceRecords": [{"Value": address}],
                    },
                }
            ]
        },
    )
    return {"record": os.environ["RECORD_NAME"], "address": address}
