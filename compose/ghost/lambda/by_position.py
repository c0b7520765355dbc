"""Keeps a Route 53 record at a Fargate task's public address: reads the event by position, as many articles do.

Right for the event in the documentation; wrong as soon as AWS puts another attachment, or another field, first.
"""

import os

import boto3

ec2 = boto3.client("ec2")
route53 = boto3.client("route53")


def handler(event, context):
    """Point RECORD_NAME at the task that has just started to run."""
    details = event["detail"]["attachments"][0]["details"]
    private_address = details[3]["value"]
    interfaces = ec2.describe_network_interfaces(
        Filters=[{"Name": "addresses.private-ip-address", "Values": [private_address]}]
    )
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
