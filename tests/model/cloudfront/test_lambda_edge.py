"""Which functions a cache behaviour may be associated with."""

from __future__ import annotations

import pytest

from sandbox.model.cloudfront import config, lambda_edge, unsupported
from sandbox.model.cloudfront.errors import CloudFrontError
from sandbox.model.cloudfront.lambda_edge import Association, EdgeFunction
from tests.model.cloudfront.conftest import behavior, distribution, listed

ARN = "arn:aws:lambda:us-east-1:123456789012:function:resize"
BOTH = frozenset(("lambda.amazonaws.com", "edgelambda.amazonaws.com"))


def associated(*pairs, **more):
    made = [{"EventType": trigger, "LambdaFunctionARN": arn, **more} for trigger, arn in pairs]
    return {"LambdaFunctionAssociations": listed(*made)}


def refused(call):
    with pytest.raises(CloudFrontError) as error:
        call()
    assert error.value.code == "InvalidLambdaFunctionAssociation"
    return error.value.message


def test_a_behaviour_has_one_function_for_each_event():
    described = distribution(behavior(**associated(*((trigger, f"{ARN}:7") for trigger in lambda_edge.TRIGGERS))))
    functions = config.parse(described).behaviors[-1].functions
    assert tuple(functions) == lambda_edge.TRIGGERS
    assert functions["origin-response"] == Association("origin-response", f"{ARN}:7")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (associated(("origin-request", f"{ARN}:$LATEST")), "must reference a specific function version"),
        (associated(("origin-request", f"{ARN}:live")), "must reference a specific function version"),
        (associated(("origin-request", ARN)), "(The ARN must end with the version number.) ARN: " + ARN),
        (associated(("origin-request", "resize")), "The function ARN is not valid. ARN: resize"),
        (
            associated(("origin-request", f"{ARN.replace('us-east-1', 'eu-west-1')}:1")),
            "The function must be in region 'us-east-1'.",
        ),
        (associated(("viewer-request", f"{ARN}:1"), ("viewer-request", f"{ARN}:2")), "viewer-request can have one"),
        (associated(("origin-response", f"{ARN}:1"), IncludeBody=True), "IncludeBody is not allowed"),
    ],
)
def test_associations_that_are_refused(given, words):
    assert words in refused(lambda: config.parse(distribution(behavior(**given))))


@pytest.mark.parametrize(
    ("trigger", "function", "words"),
    [
        ("viewer-request", None, "does not exist"),
        ("viewer-request", EdgeFunction(memory=256), "memory size is larger than the 128 MB"),
        ("viewer-response", EdgeFunction(timeout=6), "timeout is larger than the 5 seconds"),
        ("viewer-request", EdgeFunction(package=(1 << 20) + 1), "compressed size is larger than the 1048576 bytes"),
        ("origin-request", EdgeFunction(timeout=31), "timeout is larger than the 30 seconds"),
        ("origin-response", EdgeFunction(package=(50 << 20) + 1), "compressed size"),
        ("origin-response", EdgeFunction(variables=True), f"cannot have environment variables. Function: {ARN}:1"),
        ("origin-response", EdgeFunction(layers=True), "cannot have a layer"),
        ("origin-response", EdgeFunction(in_vpc=True), "cannot have a VPC configuration"),
        ("origin-response", EdgeFunction(dead_letters=True), "cannot have a dead letter queue"),
        ("origin-response", EdgeFunction(traced=True), "cannot have X-Ray tracing"),
        ("origin-response", EdgeFunction(architecture="arm64"), "cannot have the arm64 architecture"),
        ("origin-response", EdgeFunction(storage=1024), "cannot have more than 512 MB of ephemeral storage"),
        (
            "origin-response",
            EdgeFunction(role="arn:aws:iam::1:role/r", principals=frozenset(("lambda.amazonaws.com",))),
            "must be assumable with edgelambda.amazonaws.com as well as lambda.amazonaws.com principals. Update the "
            "IAM role and try again. Role: arn:aws:iam::1:role/r",
        ),
    ],
)
def test_functions_that_are_refused(trigger, function, words):
    association = Association(trigger, f"{ARN}:1")
    assert words in refused(lambda: lambda_edge.check_function(association, function))


@pytest.mark.parametrize(
    ("trigger", "function"),
    [
        ("viewer-request", EdgeFunction(memory=128, timeout=5, package=1 << 20, principals=BOTH)),
        ("origin-response", EdgeFunction(memory=3008, timeout=30, package=50 << 20, principals=BOTH | {"x"})),
        ("origin-request", EdgeFunction(principals=None)),  # a role that nobody knows is not looked at
    ],
)
def test_functions_at_their_limits_are_taken(trigger, function):
    lambda_edge.check_function(Association(trigger, f"{ARN}:1"), function)


def test_a_forecast_says_that_it_leaves_functions_out():
    described = distribution(behavior(**associated(("origin-request", f"{ARN}:1"))))
    assert unsupported.parts(described) == ["DefaultCacheBehavior.LambdaFunctionAssociations"]
    unsupported.refuse(described)
    assert not config.parse(described, lenient=True).behaviors[-1].functions
