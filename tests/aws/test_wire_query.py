"""The query protocol, against botocore's own client side, and what its forms may not be."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.protocol import AwsError, HttpRequest, HttpResponse, RequestContext, ServiceEndpoint, service_model
from sandbox.aws.wire import SerializationError
from sandbox.aws.wire_query import from_query, read_form, to_query_answer

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
ELB = service_model("elbv2")

# What ELB's shapes do not have: maps, flattened and not, blobs, timestamps in requests, floats, names of their own.
BOXES = ServiceModel(
    {
        "metadata": {
            "protocol": "query",
            "endpointPrefix": "boxes",
            "apiVersion": "2026-01-01",
            "xmlNamespace": "urn:boxes",
        },
        "operations": {
            "PutBox": {
                "name": "PutBox",
                "http": {"method": "POST", "requestUri": "/"},
                "input": {"shape": "Box"},
                "output": {"shape": "Box", "resultWrapper": "PutBoxResult"},
            },
        },
        "shapes": {
            "Box": {
                "type": "structure",
                "members": {
                    "Data": {"shape": "Blob"},
                    "At": {"shape": "Timestamp"},
                    "Big": {"shape": "Boolean", "locationName": "big"},
                    "Count": {"shape": "Long"},
                    "Weight": {"shape": "Double"},
                    "Flat": {"shape": "FlatList", "locationName": "FlatItem"},
                    "Named": {"shape": "NamedFlatList"},
                    "Plain": {"shape": "PlainList"},
                    "Lists": {"shape": "ListOfLists"},
                    "Map": {"shape": "PlainMap"},
                    "FlatMap": {"shape": "FlattenedMap"},
                    "Inner": {"shape": "Inner"},
                },
            },
            "Inner": {"type": "structure", "members": {"Name": {"shape": "String"}, "Items": {"shape": "PlainList"}}},
            "FlatList": {"type": "list", "member": {"shape": "Inner"}, "flattened": True},
            "NamedFlatList": {"type": "list", "member": {"shape": "Long", "locationName": "N"}, "flattened": True},
            "PlainList": {"type": "list", "member": {"shape": "String"}},
            "ListOfLists": {"type": "list", "member": {"shape": "PlainList", "locationName": "Row"}},
            "PlainMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Inner"}},
            "FlattenedMap": {
                "type": "map",
                "flattened": True,
                "key": {"shape": "String", "locationName": "K"},
                "value": {"shape": "Long", "locationName": "V"},
            },
            "Blob": {"type": "blob"},
            "Timestamp": {"type": "timestamp"},
            "Boolean": {"type": "boolean"},
            "Long": {"type": "long"},
            "Double": {"type": "double"},
            "String": {"type": "string"},
        },
    },
    "boxes",
)
PUT_BOX = BOXES.operation_model("PutBox")
BOX = PUT_BOX.input_shape

# XML has no control characters, and a parser makes one of each kind of line end.
text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
named = text.filter(bool)
numbers = st.integers(-(2**53), 2**53)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


def some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=1, max_size=12)


inner = st.fixed_dictionaries({"Name": text}, optional={"Items": some(text)})
boxes = st.fixed_dictionaries(
    {},
    optional={
        "Data": st.binary(max_size=20),
        "At": moments,
        "Big": st.booleans(),
        "Count": numbers,
        "Weight": st.floats(allow_nan=False, allow_infinity=False),
        "Flat": some(inner),
        "Named": some(numbers),
        "Plain": st.lists(text, max_size=12),
        "Lists": some(some(text)),
        "Map": st.dictionaries(named, inner, min_size=1, max_size=3),
        "FlatMap": st.dictionaries(named, numbers, min_size=1, max_size=3),
        "Inner": inner,
    },
)


class Echo:
    """Keeps the request it got, and answers what it was told to."""

    service_name = "elbv2"
    validation_error_code = "ValidationError"
    serialization_error_code = "MalformedInput"

    def __init__(self, answer: dict[str, Any] | Exception | None = None) -> None:
        self.answer = answer
        self.seen: dict[str, Any] | None = None

    def _handle(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        self.seen = request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or {}

    create_rule = describe_load_balancers = register_targets = describe_account_limits = _handle


def form(operation: Any, parameters: dict[str, Any]) -> dict[str, str]:
    """What botocore would send; blobs as text, for they come as bytes there."""
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    sent = serializer.serialize_to_request(parameters, operation)["body"]
    return {name: str(value) for name, value in sent.items()}


def call(operation: str, parameters: dict[str, Any], answer: Any = None) -> tuple[Any, HttpResponse]:
    body = urlencode(form(ELB.operation_model(operation), parameters)).encode()
    echo = Echo(answer)
    response = ServiceEndpoint(echo).handle(HttpRequest("POST", body=body), RequestContext())
    return echo.seen, response


def parsed(operation: Any, response: HttpResponse) -> dict[str, Any]:
    """What botocore would give its caller."""
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    answer: dict[str, Any] = botocore.parsers.create_parser("query").parse(raw, operation.output_shape)
    return answer


@given(boxes)
def test_what_botocore_sends_is_read(box: dict[str, Any]) -> None:
    sent = urlencode(form(PUT_BOX, box)).encode()
    assert from_query(read_form("", sent).items(), BOX) == box


@given(boxes)
def test_botocore_reads_what_is_written(box: dict[str, Any]) -> None:
    body = to_query_answer(box, PUT_BOX, "urn:boxes", "id")
    answer = parsed(PUT_BOX, HttpResponse(200, {}, body))
    metadata = answer.pop("ResponseMetadata")
    assert metadata["RequestId"] == "id"
    assert answer == box


conditions = st.fixed_dictionaries(
    {"Field": st.just("http-header")},
    optional={
        "Values": some(text),
        "HttpHeaderConfig": st.fixed_dictionaries({"HttpHeaderName": text, "Values": some(text)}),
        "QueryStringConfig": st.fixed_dictionaries(
            {"Values": some(st.fixed_dictionaries({"Key": text, "Value": text}))}
        ),
    },
)
actions = st.fixed_dictionaries(
    {"Type": st.just("forward")},
    optional={
        "TargetGroupArn": text,
        "Order": st.integers(1, 50_000),
        "ForwardConfig": st.fixed_dictionaries(
            {"TargetGroups": some(st.fixed_dictionaries({"TargetGroupArn": text, "Weight": st.integers(0, 999)}))}
        ),
    },
)
rules = st.fixed_dictionaries(
    {
        "ListenerArn": text,
        "Priority": st.integers(1, 50_000),
        "Conditions": some(conditions),
        "Actions": some(actions),
    }
)


@given(rules)
def test_a_rule_arrives_as_it_was_sent_and_is_shown_as_it_was_returned(rule: dict[str, Any]) -> None:
    shown = {"RuleArn": rule["ListenerArn"], "Conditions": rule["Conditions"], "Actions": rule["Actions"]}
    seen, response = call("CreateRule", rule, {"Rules": [shown]})
    assert seen == rule
    answer = parsed(ELB.operation_model("CreateRule"), response)
    answer.pop("ResponseMetadata")
    assert answer == {"Rules": [shown]}


def test_the_documents_of_the_protocol() -> None:
    made = {"DNSName": "a & b", "CreatedTime": 0, "State": {"Code": "active"}, "SecurityGroups": []}
    _, response = call("DescribeLoadBalancers", {}, {"LoadBalancers": [made]})
    request_id = response.headers["x-amzn-RequestId"]
    assert (response.status, response.headers["Content-Type"]) == (200, "text/xml")
    assert response.operation == "DescribeLoadBalancers"
    assert response.body.decode() == (
        f'<?xml version="1.0"?>\n<DescribeLoadBalancersResponse xmlns="{NAMESPACE}"><DescribeLoadBalancersResult>'
        "<LoadBalancers><member><DNSName>a &amp; b</DNSName><CreatedTime>1970-01-01T00:00:00.000Z</CreatedTime>"
        "<State><Code>active</Code></State><SecurityGroups /></member></LoadBalancers>"
        f"</DescribeLoadBalancersResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        "</DescribeLoadBalancersResponse>"
    )


def test_an_operation_without_members_in_its_answer_has_an_empty_result() -> None:
    _, response = call("RegisterTargets", {"TargetGroupArn": "a", "Targets": [{"Id": "10.0.0.1"}]})
    assert b"<RegisterTargetsResult />" in response.body


def test_an_answer_with_an_unknown_member_is_a_bug() -> None:
    _, response = call("DescribeLoadBalancers", {}, {"Colour": "blue"})
    assert told(response)[:3] == (500, "Receiver", "InternalFailure")


def told(response: HttpResponse) -> tuple[int, str, str, str]:
    """Status, Type, Code and Message of an error."""
    prefix = f"{{{NAMESPACE}}}"
    root = ElementTree.fromstring(response.body)
    assert root.tag == f"{prefix}ErrorResponse"
    assert root.findtext(f"{prefix}RequestId") == response.headers["x-amzn-RequestId"]
    error = root.find(f"{prefix}Error")
    assert error is not None
    kind, code, message = (error.findtext(f"{prefix}{name}") or "" for name in ("Type", "Code", "Message"))
    return response.status, kind, code, message


def test_errors_have_the_codes_and_statuses_of_the_model() -> None:
    missing = AwsError("LoadBalancerNotFound", "Load balancers '[a]' not found", 404)
    answered = told(call("DescribeLoadBalancers", {}, missing)[1])
    assert answered == (400, "Sender", "LoadBalancerNotFound", "Load balancers '[a]' not found")
    unavailable = AwsError("HealthUnavailable", "not now")
    assert told(call("DescribeLoadBalancers", {}, unavailable)[1])[:3] == (500, "Receiver", "HealthUnavailable")
    unmodelled = AwsError("ValidationError", "A port must be specified")
    assert told(call("DescribeLoadBalancers", {}, unmodelled)[1])[:3] == (400, "Sender", "ValidationError")


def ask(body: str | bytes, query: str = "") -> HttpResponse:
    request = HttpRequest("POST", "/", query, body=body if isinstance(body, bytes) else body.encode())
    return ServiceEndpoint(Echo()).handle(request, RequestContext())


def test_what_cannot_be_read_and_what_breaks_a_constraint_have_the_service_s_codes() -> None:
    status, _, code, message = told(ask("Action=DescribeAccountLimits&PageSize=many"))
    assert (status, code, message) == (400, "MalformedInput", 'PageSize: "many" is not a integer')
    status, _, code, message = told(ask("Action=DescribeAccountLimits&PageSize=1000"))
    assert (status, code) == (400, "ValidationError")
    assert message == (
        "1 validation error detected: Value '1000' at 'pageSize' failed to satisfy constraint: "
        "Member must have value less than or equal to 400"
    )
    assert (
        "'targetGroupArn' failed to satisfy constraint: Member must not be null"
        in told(ask("Action=RegisterTargets"))[3]
    )
    assert told(ask(b"Action=\xff"))[2] == "MalformedInput"


def test_an_unknown_action_is_invalid() -> None:
    answered = told(ask("Action=MakeCoffee&Version=2015-12-01"))
    assert answered == (400, "Sender", "InvalidAction", "Could not find operation MakeCoffee for version 2015-12-01")
    assert told(ask(""))[2] == "InvalidAction"
    assert told(ask("Action=CreateTrustStore"))[:3] == (501, "Receiver", "NotImplemented")


def test_parameters_may_stand_in_the_url() -> None:
    assert ask("", "Action=DescribeAccountLimits&Version=2015-12-01").status == 200
    assert ask("Action=DescribeAccountLimits", "Action=MakeCoffee").status == 200


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ({"Plain": ""}, {"Plain": []}),
        ({"Plain.member.2": "b", "Plain.member.1": "a", "Plain.member.10": "c"}, {"Plain": ["a", "b", "c"]}),
        ({"Future.member.1.Name": "x", "Count": "1"}, {"Count": 1}),
        ({"N.1": "7"}, {"Named": [7]}),
        ({"Data": base64.b64encode(b"\xff").decode()}, {"Data": b"\xff"}),
        ({".".join(["Inner"] * 100_000): "x"}, {"Inner": {}}),
        ({"Plain.member." + "9" * 30: "far"}, {"Plain": ["far"]}),
    ],
)
def test_names_say_where_a_value_belongs(parameters: dict[str, str], value: dict[str, Any]) -> None:
    assert from_query(parameters.items(), BOX) == value


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Count": "two"}, 'Count: "two" is not a long'),
        ({"Count.1": "2"}, 'Count: "1" is not a long'),
        ({"big": "yes"}, 'Big: "yes" is not a boolean'),
        ({"Plain": "x"}, 'Plain: "x" is not a list'),
        ({"Inner": "x"}, 'Inner: "x" is not a structure'),
        ({"Plain.member.one": "x"}, "Plain: 'one' is not a number"),
        ({"Plain.member." + "9" * 5000: "x"}, f"Plain: {'9' * 80!r} is not a number"),
        ({"FlatItem.1.Items": "x"}, 'Flat[0].Items: "x" is not a list'),
        ({"Map.entry.1.key": "x"}, "Map[0]: an entry has a key and a value"),
        ({"At": "today"}, 'At: "today" is not a timestamp'),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_place(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(SerializationError) as caught:
        from_query(parameters.items(), BOX)
    assert str(caught.value) == message


def test_the_older_api_of_the_same_signing_name_goes_to_the_backend() -> None:
    backend = Embedded()
    with Gateway([Echo({"Limits": [{"Name": "ours", "Max": "1"}]})], backend) as gateway:
        clients = Clients(gateway.url)
        assert clients("elbv2").describe_account_limits()["Limits"] == [{"Name": "ours", "Max": "1"}]
        assert clients("elb").describe_load_balancers()["LoadBalancerDescriptions"] == []
        clients.close()
    backend.reset()
