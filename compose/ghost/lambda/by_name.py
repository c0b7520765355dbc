"""Keeps a Route 53 record at a Fargate task's public address: reads the event by name."""

import os

import boto3

ec2 = boto3.client("ec2")
route53 = boto3.client("route53")


def handler(event, context):
    """Point RECORD_NAME at the task that has just started to run."""
    detail = event["detail"]
    attachment = next(a for a in detail["attachments"] if a["type"] == "eni")
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
