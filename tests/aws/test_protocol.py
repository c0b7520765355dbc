"""The protocols, against botocore's own client side: what botocore serializes we parse, what we serialize it parses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
import pytest
from botocore.loaders import Loader
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.aws.protocol import (
    AwsError,
    HttpRequest,
    HttpResponse,
    RequestContext,
    ServiceEndpoint,
    botocore_data,
    service_model,
)
from sandbox.aws.validation import constraint_errors
from tests.conftest import examples


class Echo:
    """Keeps the request it got, and answers what it was told to."""

    def __init__(self, service_name: str, answer: dict[str, Any] | Exception | None = None, code: str = "") -> None:
        self.service_name = service_name
        self.answer = answer
        self.seen: dict[str, Any] | None = None
        if code:
            self.validation_error_code = code

    def _handle(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        self.seen = request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or {}

    run_task = describe_tasks = put_events = create_service = invoke = create_function = list_functions = _handle
    list_tags = update_alias = get_function = _handle


def wire_request(service: str, operation: str, parameters: dict[str, Any]) -> HttpRequest:
    """What botocore would send."""
    model = service_model(service)
    serializer = botocore.serialize.create_serializer(model.resolved_protocol, include_validation=False)
    sent = serializer.serialize_to_request(parameters, model.operation_model(operation))
    body = sent["body"]
    query = sent["query_string"]
    path, _, fixed = sent["url_path"].partition("?")
    return HttpRequest(
        sent["method"],
        path,
        "&".join(part for part in (fixed, urlencode(query, doseq=True) if query else "") if part),
        {name.lower(): str(value) for name, value in sent["headers"].items()},
        body if isinstance(body, bytes) else body.encode(),
    )


def parsed(service: str, operation: str, response: HttpResponse) -> dict[str, Any]:
    """What botocore would give its caller."""
    model = service_model(service)
    parser = botocore.parsers.create_parser(model.resolved_protocol)
    headers = {name.lower(): value for name, value in response.headers.items()}
    raw = {"status_code": response.status, "headers": headers, "body": response.body}
    shape = model.operation_model(operation).output_shape
    payload = shape.serialization.get("payload") if shape else None
    if payload and shape.members[payload].serialization.get("streaming"):
        return {payload: response.body, "StatusCode": response.status}
    answer = parser.parse(raw, shape)
    answer.pop("ResponseMetadata", None)
    return answer


def call(
    service: str, operation: str, parameters: dict[str, Any], answer: dict[str, Any] | Exception | None = None
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    echo = Echo(service, answer)
    response = ServiceEndpoint(echo).handle(wire_request(service, operation, parameters), RequestContext())
    return echo.seen, parsed(service, operation, response)


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(
    st.fixed_dictionaries(
        {"taskDefinition": text},
        optional={
            "cluster": text,
            "count": st.integers(-(2**31), 2**31 - 1),
            "launchType": st.sampled_from(["FARGATE", "EC2"]),
            "enableExecuteCommand": st.booleans(),
            "networkConfiguration": st.fixed_dictionaries(
                {"awsvpcConfiguration": st.fixed_dictionaries({"subnets": st.lists(text, max_size=3)})}
            ),
            "overrides": st.fixed_dictionaries(
                {
                    "containerOverrides": st.lists(
                        st.fixed_dictionaries(
                            {
                                "name": text,
                                "environment": st.lists(st.fixed_dictionaries({"name": text, "value": text})),
                            }
                        ),
                        max_size=2,
                    )
                }
            ),
        },
    )
)
def test_run_task_arrives_as_it_was_sent(parameters: dict[str, Any]) -> None:
    seen, _ = call("ecs", "RunTask", parameters)
    assert seen == parameters


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "createdAt": moments,
            "taskArn": text,
            "version": st.integers(0, 2**53),
            "containers": st.lists(st.fixed_dictionaries({"name": text, "exitCode": st.integers(0, 255)}), max_size=3),
        },
    )
)
def test_a_task_is_shown_as_it_was_returned(task: dict[str, Any]) -> None:
    _, answer = call("ecs", "DescribeTasks", {"tasks": ["t"]}, {"tasks": [task], "failures": []})
    assert answer == {"tasks": [task], "failures": []}


@given(st.lists(st.fixed_dictionaries({"Source": text, "Detail": text, "Time": moments}), min_size=1, max_size=10))
def test_put_events_arrives_as_it_was_sent(entries: list[dict[str, Any]]) -> None:
    seen, _ = call("events", "PutEvents", {"Entries": entries})
    assert seen == {"Entries": entries}


@given(
    st.fixed_dictionaries(
        {"Name": text},
        optional={
            "Description": text,
            "DnsConfig": st.fixed_dictionaries(
                {
                    "DnsRecords": st.lists(
                        st.fixed_dictionaries({"Type": st.sampled_from(["A", "SRV"]), "TTL": st.integers(0, 2**31 - 1)})
                    )
                }
            ),
        },
    )
)
def test_cloud_map_create_service_arrives_as_it_was_sent(parameters: dict[str, Any]) -> None:
    model = service_model("servicediscovery").operation_model("CreateService").input_shape
    seen, _ = call("servicediscovery", "CreateService", parameters)
    assert seen == (None if constraint_errors(parameters, model) else parameters)


@given(
    name=st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True),
    payload=st.binary(min_size=1, max_size=200),
    kind=st.sampled_from(["RequestResponse", "Event"]),
    status=st.sampled_from([200, 202]),
    result=st.binary(max_size=200),
)
def test_invoke_binds_path_header_and_payload(name: str, payload: bytes, kind: str, status: int, result: bytes) -> None:
    parameters = {"FunctionName": name, "InvocationType": kind, "Payload": payload}
    answer = {"StatusCode": status, "Payload": result, "FunctionError": "Unhandled"}
    echo = Echo("lambda", answer)
    response = ServiceEndpoint(echo).handle(wire_request("lambda", "Invoke", parameters), RequestContext())
    assert echo.seen == parameters
    assert (response.status, response.body, response.headers["X-Amz-Function-Error"]) == (status, result, "Unhandled")


@given(
    zipped=st.binary(min_size=1, max_size=100),
    variables=st.dictionaries(st.from_regex(r"[a-zA-Z]\w{1,9}", fullmatch=True), text),
)
def test_create_function_carries_blobs_and_maps(zipped: bytes, variables: dict[str, str]) -> None:
    parameters = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Code": {"ZipFile": zipped},
        "Environment": {"Variables": variables},
    }
    pattern_errors = constraint_errors(
        parameters, service_model("lambda").operation_model("CreateFunction").input_shape
    )
    seen, _ = call("lambda", "CreateFunction", parameters)
    assert seen == (None if pattern_errors else parameters)


def test_arn_in_the_path_is_decoded_and_the_query_is_typed() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    assert call("lambda", "GetFunction", {"FunctionName": arn, "Qualifier": "1"})[0] == {
        "FunctionName": arn,
        "Qualifier": "1",
    }
    assert call("lambda", "ListTags", {"Resource": arn})[0] == {"Resource": arn}
    assert call("lambda", "ListFunctions", {"MaxItems": 7})[0] == {"MaxItems": 7}


def test_every_lambda_operation_finds_its_own_route() -> None:
    endpoint = ServiceEndpoint(Echo("lambda"))
    for name in endpoint.model.operation_names:
        operation = endpoint.model.operation_model(name)
        labels = {
            member.serialization["name"]: "x"
            for member in (operation.input_shape.members if operation.input_shape else {}).values()
            if member.serialization.get("location") == "uri"
        }
        path, _, query = operation.http["requestUri"].replace("+}", "}").format(**labels).partition("?")
        assert endpoint.operation_name(HttpRequest(operation.http["method"], path, query)) == name


ECS = service_model("ecs")


@settings(max_examples=examples(100))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "cluster": text,
            "serviceName": text,
            "desiredCount": st.integers(-5, 5),
            "loadBalancers": st.lists(st.fixed_dictionaries({}, optional={"containerPort": st.integers()}), max_size=2),
            "tags": st.lists(st.fixed_dictionaries({}, optional={"key": st.text(max_size=3)}), max_size=2),
            "capacityProviderStrategy": st.lists(
                st.fixed_dictionaries({}, optional={"weight": st.integers(-3, 1200), "capacityProvider": text}),
                max_size=2,
            ),
        },
    )
)
def test_whatever_botocore_refuses_we_refuse(parameters: dict[str, Any]) -> None:
    shape = ECS.operation_model("CreateService").input_shape
    if ParamValidator().validate(parameters, shape).has_errors():
        assert constraint_errors(parameters, shape)


def error(response: HttpResponse) -> tuple[int, str, str]:
    body = json.loads(response.body)
    assert response.headers["x-amzn-ErrorType"] == body["__type"]
    assert response.headers["x-amzn-RequestId"]
    return response.status, body["__type"], body.get("message") or body["Message"]


def target(operation: str, body: Any, prefix: str = "AmazonEC2ContainerServiceV20141113") -> HttpRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest("POST", "/", "", {"x-amz-target": f"{prefix}.{operation}"}, raw)


def ecs_error(request: HttpRequest, answer: Exception | dict[str, Any] | None = None) -> tuple[int, str, str]:
    echo = Echo("ecs", answer, "InvalidParameterException")
    return error(ServiceEndpoint(echo).handle(request, RequestContext()))


def test_a_broken_constraint_is_told_in_aws_words() -> None:
    assert ecs_error(target("RunTask", {})) == (
        400,
        "InvalidParameterException",
        "1 validation error detected: Value null at 'taskDefinition' failed to satisfy constraint: "
        "Member must not be null",
    )
    status, code, message = ecs_error(target("RunTask", {"taskDefinition": "t", "launchType": "LAMBDA"}))
    assert (status, code) == (400, "InvalidParameterException")
    assert "Value 'LAMBDA' at 'launchType'" in message
    assert "enum value set: [EC2, FARGATE" in message


def test_the_place_of_a_broken_constraint_in_a_list_is_named() -> None:
    events = Echo("events")
    request = target("PutEvents", {"Entries": [{"Source": "a"}, {"EventBusName": ""}]}, "AWSEvents")
    status, code, message = error(ServiceEndpoint(events).handle(request, RequestContext()))
    assert (status, code) == (400, "ValidationException")
    assert "at 'entries.2.member.eventBusName'" in message
    assert events.seen is None


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, {"taskDefinition": 1}, {"taskDefinition": "t", "count": "1"},
     {"taskDefinition": "t", "count": True}, {"taskDefinition": "t", "count": 1.5}, {"taskDefinition": "t", "tags": {}},
     {"taskDefinition": "t", "count": float("nan")}, {"taskDefinition": "t", "count": float("inf")}],
    ids=lambda body: str(body)[:20],
)  # fmt: skip
def test_a_request_of_the_wrong_form_is_a_serialization_exception(body: Any) -> None:
    assert ecs_error(target("RunTask", body))[:2] == (400, "SerializationException")


def test_unknown_members_and_nulls_are_ignored_as_aws_does() -> None:
    echo = Echo("ecs")
    body = {"taskDefinition": "t", "cluster": None, "futureMember": [1]}
    assert ServiceEndpoint(echo).handle(target("RunTask", body), RequestContext()).status == 200
    assert echo.seen == {"taskDefinition": "t"}


def test_unknown_and_unimplemented_operations_are_told_apart() -> None:
    assert ecs_error(target("MakeCoffee", {}))[:2] == (400, "UnknownOperationException")
    status, code, message = ecs_error(target("DeleteCluster", {"cluster": "c"}))
    assert (status, code) == (501, "NotImplemented")
    assert "the sandbox does not implement ecs DeleteCluster" in message


def test_an_error_of_the_service_has_the_status_and_members_of_its_shape() -> None:
    missing = AwsError("ResourceNotFoundException", "Function not found: f", members={"Type": "User"})
    echo = Echo("lambda", missing)
    response = ServiceEndpoint(echo).handle(
        wire_request("lambda", "GetFunction", {"FunctionName": "f"}), RequestContext()
    )
    assert error(response) == (404, "ResourceNotFoundException", "Function not found: f")
    assert json.loads(response.body)["Type"] == "User"
    plain = ecs_error(target("RunTask", {"taskDefinition": "t"}), AwsError("ThrottlingException", "slow down", 429))
    assert plain == (429, "ThrottlingException", "slow down")


def test_a_bug_in_a_handler_is_an_internal_failure_that_names_it(caplog: pytest.LogCaptureFixture) -> None:
    request = target("RunTask", {"taskDefinition": "t"})
    assert ecs_error(request, ZeroDivisionError("oops")) == (500, "InternalFailure", "ZeroDivisionError: oops")
    assert "ecs RunTask failed" in caplog.text
    status, code, message = ecs_error(request, {"tasks": [{"colour": "blue"}]})
    assert (status, code) == (500, "InternalFailure")
    assert "colour" in message


def test_timestamps_may_be_seconds_since_the_epoch() -> None:
    _, answer = call("ecs", "DescribeTasks", {"tasks": ["t"]}, {"tasks": [{"createdAt": 1_700_000_000.5}]})
    assert answer["tasks"][0]["createdAt"] == datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)


@pytest.mark.parametrize("type_name", ["service-2", "endpoint-rule-set-1"])
def test_the_services_are_those_that_botocore_finds(type_name: str) -> None:
    assert botocore_data().list_available_services(type_name) == Loader().list_available_services(type_name)
