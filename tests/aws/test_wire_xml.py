"""The rest-xml protocol, against botocore's own client side, and what its bodies may not be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel, Shape
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.protocol import AwsError, HttpRequest, HttpResponse, RequestContext, ServiceEndpoint, service_model
from sandbox.aws.wire import SerializationError
from sandbox.aws.wire_xml import from_xml, to_xml

NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
CLOUDFRONT = service_model("cloudfront")
S3 = service_model("s3")

# What CloudFront's shapes do not have: flattened lists, blobs, floats, a namespace within.
BOX = ServiceModel(
    {
        "metadata": {"protocol": "rest-xml", "endpointPrefix": "boxes"},
        "operations": {},
        "shapes": {
            "Box": {
                "type": "structure",
                "members": {
                    "Data": {"shape": "Blob"},
                    "At": {"shape": "Timestamp"},
                    "Day": {"shape": "Day"},
                    "Big": {"shape": "Boolean", "locationName": "big"},
                    "Count": {"shape": "Long"},
                    "Weight": {"shape": "Double"},
                    "Name": {"shape": "String"},
                    "Flat": {"shape": "FlatList", "locationName": "FlatItem"},
                    "Named": {"shape": "NamedFlatList"},
                    "Plain": {"shape": "PlainList"},
                    "Inner": {"shape": "Inner"},
                },
            },
            "Inner": {
                "type": "structure",
                "members": {"Name": {"shape": "String"}},
                "xmlNamespace": {"prefix": "xsi", "uri": "http://www.w3.org/2001/XMLSchema-instance"},
            },
            "FlatList": {"type": "list", "member": {"shape": "Inner"}, "flattened": True},
            "NamedFlatList": {"type": "list", "member": {"shape": "Long", "locationName": "N"}, "flattened": True},
            "PlainList": {"type": "list", "member": {"shape": "String"}},
            "Blob": {"type": "blob"},
            "Timestamp": {"type": "timestamp"},
            "Day": {"type": "timestamp", "timestampFormat": "rfc822"},
            "Boolean": {"type": "boolean"},
            "Long": {"type": "long"},
            "Double": {"type": "double"},
            "String": {"type": "string"},
        },
    },
    "boxes",
).shape_for("Box")

# XML has no control characters, and a parser makes one of each kind of line end.
text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
named = text.filter(bool)
numbers = st.integers(-(2**63), 2**63 - 1)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
inner = st.fixed_dictionaries({}, optional={"Name": text})
boxes = st.fixed_dictionaries(
    {},
    optional={
        "Data": st.binary(max_size=20),
        "At": moments,
        "Day": moments,
        "Big": st.booleans(),
        "Count": numbers,
        "Weight": st.floats(allow_nan=False),
        "Name": text,
        "Flat": st.lists(inner, min_size=1, max_size=3),
        "Named": st.lists(numbers, min_size=1, max_size=3),
        "Plain": st.lists(text, max_size=3),
        "Inner": inner,
    },
)


def some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(items, min_size=1, max_size=3).map(lambda found: {"Quantity": len(found), "Items": found})


def listed(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return some(items) | st.just({"Quantity": 0})


origins = st.fixed_dictionaries(
    {"Id": text, "DomainName": text},
    optional={
        "OriginPath": text,
        "CustomHeaders": listed(st.fixed_dictionaries({"HeaderName": text, "HeaderValue": text})),
        "CustomOriginConfig": st.fixed_dictionaries(
            {
                "HTTPPort": st.integers(0, 65535),
                "HTTPSPort": st.integers(0, 65535),
                "OriginProtocolPolicy": st.sampled_from(["http-only", "match-viewer"]),
            }
        ),
    },
)
configs = st.fixed_dictionaries(
    {
        "CallerReference": text,
        "Comment": text,
        "Enabled": st.booleans(),
        "Origins": st.lists(origins, min_size=1, max_size=3).map(
            lambda found: {"Quantity": len(found), "Items": found}
        ),
        "DefaultCacheBehavior": st.fixed_dictionaries(
            {"TargetOriginId": text, "ViewerProtocolPolicy": st.just("allow-all")},
            optional={"MinTTL": numbers, "Compress": st.booleans()},
        ),
    },
    optional={"Aliases": listed(text), "DefaultRootObject": text},
)


class Echo:
    """Keeps the request it got, and answers what it was told to."""

    service_name = "cloudfront"
    validation_error_code = "MalformedXML"
    serialization_error_code = "MalformedInput"

    def __init__(self, answer: dict[str, Any] | Exception | None = None) -> None:
        self.answer = answer
        self.seen: dict[str, Any] | None = None

    def _handle(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        self.seen = request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or {}

    create_distribution = create_distribution_with_tags = update_distribution = get_distribution = _handle
    delete_distribution = tag_resource = untag_resource = list_distributions = associate_distribution_web_acl = _handle


def wire_request(operation: str, parameters: dict[str, Any]) -> HttpRequest:
    """What botocore would send."""
    serializer = botocore.serialize.create_serializer("rest-xml", include_validation=False)
    sent = serializer.serialize_to_request(parameters, CLOUDFRONT.operation_model(operation))
    body, query = sent["body"], sent["query_string"]
    path, _, fixed = sent["url_path"].partition("?")
    return HttpRequest(
        sent["method"],
        path,
        "&".join(part for part in (fixed, urlencode(query, doseq=True) if query else "") if part),
        {name.lower(): str(value) for name, value in sent["headers"].items()},
        body if isinstance(body, bytes) else body.encode(),
    )


def parsed(operation: str, response: HttpResponse) -> dict[str, Any]:
    """What botocore would give its caller."""
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    shape = CLOUDFRONT.operation_model(operation).output_shape
    answer: dict[str, Any] = botocore.parsers.create_parser("rest-xml").parse(raw, shape)
    answer.pop("ResponseMetadata", None)
    return answer


def call(operation: str, parameters: dict[str, Any], answer: Any = None) -> tuple[Any, HttpResponse]:
    echo = Echo(answer)
    response = ServiceEndpoint(echo).handle(wire_request(operation, parameters), RequestContext())
    return echo.seen, response


@given(boxes)
def test_what_is_written_is_read_again(box: dict[str, Any]) -> None:
    read = from_xml(to_xml(box, BOX, "Box", "urn:box"), BOX)
    assert read == box


@given(boxes)
def test_botocore_reads_what_is_written(box: dict[str, Any]) -> None:
    parser = botocore.parsers.create_parser("rest-xml")
    node = ElementTree.fromstring(to_xml(box, BOX, "Box", "urn:box"))
    empty = {"Plain": []} if box.get("Plain") == [] else {}
    assert parser._parse_shape(BOX, node) == {**box, **empty}


def test_elements_have_the_models_names() -> None:
    box = {"Big": True, "Flat": [{"Name": "a"}, {}], "Named": [1, 2], "Plain": ["x"], "Data": b"\xff", "At": 0}
    assert to_xml(box, BOX, "Box", "urn:box").decode() == (
        '<?xml version="1.0"?>\n'
        '<Box xmlns="urn:box"><big>true</big>'
        '<FlatItem xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Name>a</Name></FlatItem>'
        '<FlatItem xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" />'
        "<N>1</N><N>2</N><Plain><member>x</member></Plain><Data>/w==</Data><At>1970-01-01T00:00:00.000Z</At></Box>"
    )
    assert to_xml({"Name": None}, BOX, "Box") == b'<?xml version="1.0"?>\n<Box />'
    inner_shape = BOX.members["Inner"]
    assert b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' in to_xml({}, inner_shape, "Inner")


def test_an_answer_with_an_unknown_member_is_a_bug() -> None:
    with pytest.raises(ValueError, match="Colour"):
        to_xml({"Inner": {"Colour": "blue"}}, BOX, "Box")


def test_flattened_lists_of_aws_s_own() -> None:
    operation = S3.operation_model("DeleteObjects")
    parameters = {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}], "Quiet": True}}
    sent = botocore.serialize.create_serializer("rest-xml").serialize_to_request(parameters, operation)
    assert from_xml(sent["body"], operation.input_shape.members["Delete"]) == parameters["Delete"]


def read(body: str | bytes, shape: Shape = BOX) -> Any:
    return from_xml(body if isinstance(body, bytes) else body.encode(), shape)


def test_what_is_unknown_or_repeated_is_no_matter() -> None:
    assert read("<Box><Future><Name>x</Name></Future><Count>1</Count><Count>2</Count></Box>") == {"Count": 2}
    assert read('\ufeff<?xml version="1.0"?><b:Box xmlns:b="urn:b"><b:Count>1</b:Count></b:Box>') == {"Count": 1}
    assert read("") == read("  \n") == read("<Box/>") == {}
    assert read("<Box>\n  <Plain>\n  </Plain>\n</Box>") == {"Plain": []}
    assert read("<Box><Name/></Box>") == {"Name": ""}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<Box><Count>two</Count></Box>", 'Box.Count: "two" is not a long'),
        ("<Box><Count></Count></Box>", 'Box.Count: "" is not a long'),
        ("<Box><Count><a/></Count></Box>", 'Box.Count: "<a>" is not a long'),
        ("<Box><big>yes</big></Box>", 'Box.Big: "yes" is not a boolean'),
        ("<Box><At>today</At></Box>", 'Box.At: "today" is not a timestamp'),
        ("<Box><Data>?</Data></Box>", 'Box.Data: "?" is not a base64 string'),
        ("<Box><N>1</N><N>x</N></Box>", 'Box.Named[1]: "x" is not a long'),
        ("<Box><Plain>x</Plain></Box>", 'Box.Plain: "x" is not a list'),
        ("<Box>x</Box>", 'Box: "x" is not a structure'),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_place(body: str, told: str) -> None:
    with pytest.raises(SerializationError) as caught:
        read(body)
    assert str(caught.value) == told


LAUGHS = '<!DOCTYPE Box [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><Box><Name>&b;</Name></Box>'


@pytest.mark.parametrize(
    "body",
    [
        "<Box>",
        "{}",
        b"\xff\xfe",
        "<Box>&nothing;</Box>",
        LAUGHS,
        LAUGHS.encode("utf-16"),
        '<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE Box+AD4-<Box/>',
        '<!DOCTYPE Box [<!ENTITY x SYSTEM "file:///etc/passwd">]><Box><Name>&x;</Name></Box>',
        "<a>" * 100_000,
    ],
    ids=range(9),
)
def test_what_is_no_plain_xml_is_not_taken(body: str | bytes) -> None:
    with pytest.raises(SerializationError, match="request body"):
        read(body)


def test_deep_nesting_is_no_matter() -> None:
    assert read("<Box>" + "<a>" * 100_000 + "</a>" * 100_000 + "</Box>") == {}


@given(configs)
def test_a_distribution_arrives_as_it_was_sent(config: dict[str, Any]) -> None:
    seen, _ = call("CreateDistribution", {"DistributionConfig": config})
    assert seen == {"DistributionConfig": config}


@given(configs, st.dictionaries(named, text, max_size=3))
def test_a_distribution_with_tags_arrives_as_it_was_sent(config: dict[str, Any], tags: dict[str, str]) -> None:
    items = [{"Key": key, "Value": value} for key, value in tags.items()]
    parameters = {"DistributionConfigWithTags": {"DistributionConfig": config, "Tags": {"Items": items}}}
    seen, _ = call("CreateDistributionWithTags", parameters)
    assert seen == parameters


@given(configs, text, moments, st.from_regex(r"E[A-Z0-9]{13}", fullmatch=True))
def test_a_distribution_is_shown_as_it_was_returned(config: dict[str, Any], id_: str, at: datetime, etag: str) -> None:
    answer = {"Distribution": {"Id": id_, "LastModifiedTime": at, "DistributionConfig": config}, "ETag": etag}
    _, response = call("GetDistribution", {"Id": "E1"}, answer)
    assert parsed("GetDistribution", response) == answer
    assert response.headers["ETag"] == etag


def test_path_query_header_and_body_are_put_together() -> None:
    arn = "arn:aws:cloudfront::123456789012:distribution/E1"
    tags = {"Items": [{"Key": "a", "Value": "ü & <b>"}]}
    seen, response = call("TagResource", {"Resource": arn, "Tags": tags})
    assert seen == {"Resource": arn, "Tags": tags}
    assert (response.status, response.body) == (204, b"")
    assert call("UntagResource", {"Resource": arn, "TagKeys": {"Items": ["a"]}})[0] == {
        "Resource": arn,
        "TagKeys": {"Items": ["a"]},
    }
    assert call("DeleteDistribution", {"Id": "E1", "IfMatch": "E2"})[0] == {"Id": "E1", "IfMatch": "E2"}
    assert call("ListDistributions", {"Marker": "E1", "MaxItems": "2"})[0] == {"Marker": "E1", "MaxItems": "2"}


def test_members_without_a_place_are_the_body() -> None:
    parameters = {"Id": "E1", "WebACLArn": "arn", "IfMatch": "E2"}
    answer = {"Id": "E1", "WebACLArn": "arn", "ETag": "E3"}
    seen, response = call("AssociateDistributionWebACL", parameters, answer)
    assert seen == parameters
    assert parsed("AssociateDistributionWebACL", response) == answer


def test_an_answer_has_the_status_and_the_namespace_of_the_model() -> None:
    answer = {"Distribution": {"Id": "E1"}, "Location": "https://x/E1", "ETag": "E2"}
    config = {"CallerReference": "1", "Origins": {"Quantity": 1, "Items": [{"Id": "a", "DomainName": "b"}]}}
    config |= {"DefaultCacheBehavior": {"TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all"}}
    config |= {"Comment": "", "Enabled": True}
    _, response = call("CreateDistribution", {"DistributionConfig": config}, answer)
    assert response.status == 201
    assert response.headers["Content-Type"] == "text/xml"
    assert response.headers["Location"] == "https://x/E1"
    assert response.headers["x-amzn-RequestId"]
    assert response.body.decode() == (
        f'<?xml version="1.0"?>\n<Distribution xmlns="{NAMESPACE}"><Id>E1</Id></Distribution>'
    )


def test_every_operation_finds_its_own_route() -> None:
    endpoint = ServiceEndpoint(Echo())
    for name in endpoint.model.operation_names:
        operation = endpoint.model.operation_model(name)
        labels = {
            member.serialization["name"]: "x"
            for member in (operation.input_shape.members if operation.input_shape else {}).values()
            if member.serialization.get("location") == "uri"
        }
        path, _, query = operation.http["requestUri"].replace("+}", "}").format(**labels).partition("?")
        assert endpoint.operation_name(HttpRequest(operation.http["method"], path, query)) == name


@pytest.mark.parametrize("query", ["WithTags", "WithTags=", "a=b&WithTags="])
def test_a_fixed_query_may_be_written_with_an_empty_value(query: str) -> None:
    """AWS's SDK for Go writes it so."""
    request = HttpRequest("POST", "/2020-05-31/distribution", query)
    assert ServiceEndpoint(Echo()).operation_name(request) == "CreateDistributionWithTags"


def told(response: HttpResponse) -> tuple[int, str, str, str]:
    """Status, Type, Code and Message of an error, of the form that CloudFront sends."""
    assert response.headers["Content-Type"] == "text/xml"
    root = ElementTree.fromstring(response.body)
    prefix = f"{{{NAMESPACE}}}"
    assert root.tag == f"{prefix}ErrorResponse"
    assert root.findtext(f"{prefix}RequestId") == response.headers["x-amzn-RequestId"]
    error = root.find(f"{prefix}Error")
    assert error is not None
    kind, code, message = (error.findtext(f"{prefix}{name}") or "" for name in ("Type", "Code", "Message"))
    return response.status, kind, code, message


def test_errors_have_cloudfront_s_form() -> None:
    # The status is the model's.
    missing = AwsError("NoSuchDistribution", "There is no <such> distribution.")
    assert told(call("GetDistribution", {"Id": "E1"}, missing)[1]) == (
        404, "Sender", "NoSuchDistribution", "There is no <such> distribution."
    )  # fmt: skip
    unknown = AwsError("Throttling", "Rate exceeded", 400)
    assert told(call("GetDistribution", {"Id": "E1"}, unknown)[1]) == (400, "Sender", "Throttling", "Rate exceeded")
    assert told(call("GetDistribution", {"Id": "E1"}, ZeroDivisionError("oops"))[1]) == (
        500, "Receiver", "InternalFailure", "ZeroDivisionError: oops"
    )  # fmt: skip


def put(body: str) -> HttpResponse:
    request = HttpRequest("PUT", "/2020-05-31/distribution/E1/config", "", {"if-match": "E2"}, body.encode())
    return ServiceEndpoint(Echo()).handle(request, RequestContext())


def test_what_cannot_be_read_and_what_breaks_a_constraint_have_the_service_s_codes() -> None:
    assert told(put("<DistributionConfig>"))[:3] == (400, "Sender", "MalformedInput")
    body = "<DistributionConfig><Origins><Quantity>two</Quantity></Origins></DistributionConfig>"
    status, _, code, message = told(put(body))
    assert (status, code) == (400, "MalformedInput")
    assert message == 'DistributionConfig.Origins.Quantity: "two" is not a integer'
    status, _, code, message = told(put("<DistributionConfig><PriceClass>Cheap</PriceClass></DistributionConfig>"))
    assert (status, code) == (400, "MalformedXML")
    assert (
        "Value 'Cheap' at 'distributionConfig.priceClass' failed to satisfy constraint: Member must satisfy" in message
    )
    assert "Value null at 'distributionConfig.origins' failed to satisfy constraint: Member must not be null" in message
    assert told(put(""))[2:] == (
        "MalformedXML",
        "1 validation error detected: Value null at 'distributionConfig' failed to satisfy constraint: "
        "Member must not be null",
    )
    unknown = HttpRequest("GET", "/2020-05-31/coffee")
    assert told(ServiceEndpoint(Echo()).handle(unknown, RequestContext()))[2] == "UnknownOperationException"
