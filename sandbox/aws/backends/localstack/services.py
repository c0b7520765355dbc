"""Which service is answered where with `--aws localstack`, and one cheap call to each that LocalStack is to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.aws.account import REGION

_FORM = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that only reads; LocalStack loads the service for it.

    Attributes:
        service: The service's name in LocalStack's own words ("cloudwatch", where the signature says "monitoring").
        operation: AWS's name of it.
        path: Where it goes.
        body: What it says.
        headers: Beside the signature.
        method: The HTTP method.
    """

    service: str
    operation: str
    path: str = "/"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


def _json(service: str, target: str, version: str = "1.1", body: object = None) -> Call:
    headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{version}"}
    return Call(service, target.rpartition(".")[2], "/", json.dumps(body or {}).encode(), headers)


def _query(service: str, operation: str, version: str) -> Call:
    body = f"Action={operation}&Version={version}".encode()
    return Call(service, operation, "/", body, {"Content-Type": _FORM})


def _get(service: str, operation: str, path: str) -> Call:
    return Call(service, operation, path, method="GET")


LAMBDA_RETRY_SECONDS = 60
"""After a first attempt of an asynchronous invocation that failed; twice as long after the second
("How Lambda handles errors and retries with asynchronous invocation")."""

NEEDED: Mapping[str, Call] = {
    "events": _json("events", "AWSEvents.ListEventBuses"),
    "lambda": _get("lambda", "ListFunctions", "/2015-03-31/functions/"),
    "logs": _json("logs", "Logs_20140328.DescribeLogGroups"),
    "route53": _get("route53", "ListHostedZones", "/2013-04-01/hostedzone"),
    "sns": _query("sns", "ListTopics", "2010-03-31"),
    "sqs": _json("sqs", "AmazonSQS.ListQueues", "1.0"),
    "s3": _get("s3", "ListBuckets", "/"),
    "ssm": _json("ssm", "AmazonSSM.DescribeParameters"),
}
"""By the signature's name of the service. What a sandbox stands on: it does not begin before each has answered."""

ON_DEMAND: Mapping[str, str] = {
    "apigateway": "apigateway",
    "cloudformation": "cloudformation",
    "kms": "kms",
    "monitoring": "cloudwatch",
    "scheduler": "scheduler",
    "secretsmanager": "secretsmanager",
    "states": "stepfunctions",
}
"""Signature's name to LocalStack's of what LocalStack answers, too, and loads at the first call that asks for it."""

ANSWERED = frozenset({*NEEDED, *ON_DEMAND})
"""The services that LocalStack answers, by the signature's name. All others stay ours."""


def authorization(service: str, account: str, region: str = REGION) -> str:
    """A header that names account, region and service; LocalStack checks no signature."""
    scope = f"{account}/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
