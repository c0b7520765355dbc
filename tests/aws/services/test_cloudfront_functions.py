"""Associations of Lambda@Edge functions, as boto3 sends them, with Lambda and IAM behind the same gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.services.cloudfront import CloudFrontService
from sandbox.aws.services.cloudfront_functions import EdgeFunctionFinder
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.clock import RealClock
from sandbox.timeline import Timeline
from tests.aws.lambda_runtime.conftest import function
from tests.aws.services.test_cloudfront import Recorder, described

BOTH = ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]


class Account:
    """An account with CloudFront, Lambda and IAM."""

    def __init__(self, aws: Clients) -> None:
        self.aws = aws
        self.cloudfront, self.functions, self.iam = aws("cloudfront"), aws("lambda"), aws("iam")
        self.package = function("def handler(event, context): pass").code

    def role(self, name: str, services: Any) -> str:
        trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": services}}}
        trust["Statement"]["Action"] = "sts:AssumeRole"  # type: ignore[index]
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        return str(made["Role"]["Arn"])

    def function(self, name: str = "f", **more: Any) -> str:
        given = {"Role": "arn:aws:iam::123456789012:role/unknown", "Publish": True, **more}
        made = self.functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="app.handler",
            Code={"ZipFile": self.package},
            **given,
        )
        return f"{made['FunctionArn']}:{made['Version']}"

    def create(self, arn: str, trigger: str = "origin-response", reference: str = "1") -> Any:
        behavior = described()["DefaultCacheBehavior"] | {
            "LambdaFunctionAssociations": {
                "Quantity": 1,
                "Items": [{"EventType": trigger, "LambdaFunctionARN": arn}],
            }
        }
        config = described(CallerReference=reference, DefaultCacheBehavior=behavior)
        return self.cloudfront.create_distribution(DistributionConfig=config)


@pytest.fixture
def account() -> Iterator[Account]:
    clock, backend = RealClock(), Embedded()
    timeline = Timeline(clock)
    runtime = FunctionRuntime({}, timeline)
    with Gateway([], backend) as gateway:
        clients = Clients(gateway.url)
        functions = LambdaService(runtime, timeline, clock, clients)
        cloudfront = CloudFrontService(Recorder(), clock, EdgeFunctionFinder(functions.edge_function, clients))
        functions.is_replicated = cloudfront.has_function
        gateway.add(functions)
        gateway.add(cloudfront)
        yield Account(clients)
        clients.close()
    functions.close()
    runtime.close()
    clock.close()
    backend.reset()


def refused(call: Any, *arguments: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidLambdaFunctionAssociation", error
    return str(error["Message"])


def test_an_association_is_shown_whole(account: Account) -> None:
    arn = account.function(Role=account.role("edge", BOTH))
    made = account.create(arn)["Distribution"]
    shown = made["DistributionConfig"]["DefaultCacheBehavior"]["LambdaFunctionAssociations"]
    association = {"EventType": "origin-response", "LambdaFunctionARN": arn, "IncludeBody": False}
    assert shown == {"Quantity": 1, "Items": [association]}


def test_associations_that_cloudfront_refuses(account: Account) -> None:
    arn = account.function().removesuffix(":1")
    assert "must reference a specific function version" in refused(account.create, arn)
    assert "must reference a specific function version" in refused(account.create, f"{arn}:$LATEST")
    assert "does not exist" in refused(account.create, f"{arn}:2")
    assert "cannot have environment variables" in refused(
        account.create, account.function("variables", Environment={"Variables": {"COLOUR": "blue"}})
    )
    small = account.function("large", MemorySize=256)
    assert "memory size" in refused(account.create, small, "viewer-request")
    account.create(small)
    assert account.cloudfront.list_distributions()["DistributionList"]["Quantity"] == 1


def test_a_role_must_trust_the_edge(account: Account) -> None:
    role = account.role("plain", "lambda.amazonaws.com")
    assert refused(account.create, account.function(Role=role)) == (
        "The function execution role must be assumable with edgelambda.amazonaws.com as well as lambda.amazonaws.com "
        f"principals. Update the IAM role and try again. Role: {role}"
    )


def test_an_update_is_checked_as_a_new_one_is(account: Account) -> None:
    made = account.create(account.function())
    id_, config = made["Distribution"]["Id"], made["Distribution"]["DistributionConfig"]
    (association,) = config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"]
    association["LambdaFunctionARN"] += "2"
    refused(account.cloudfront.update_distribution, Id=id_, IfMatch=made["ETag"], DistributionConfig=config)


def test_a_version_in_use_cannot_be_deleted_and_one_that_is_not_can(account: Account) -> None:
    made = account.create(account.function())
    for named in ({"FunctionName": "f"}, {"FunctionName": "f:1"}):
        with pytest.raises(ClientError) as caught:
            account.functions.delete_function(**named)
        assert caught.value.response["Error"]["Message"] == (
            "Lambda was unable to delete arn:aws:lambda:us-east-1:123456789012:function:f:1 because it is a replicated "
            "function. Please see our documentation for Deleting Lambda@Edge Functions and Replicas."
        )
    config = made["Distribution"]["DistributionConfig"]
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = {"Quantity": 0}
    account.cloudfront.update_distribution(
        Id=made["Distribution"]["Id"], IfMatch=made["ETag"], DistributionConfig=config
    )
    account.functions.delete_function(FunctionName="f")
