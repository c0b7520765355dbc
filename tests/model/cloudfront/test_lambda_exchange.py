"""Requests through Lambda@Edge functions, as transcripts: what a function is told, what it says, what becomes of it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudfront.lambda_edge import TRIGGERS, Association, quota
from sandbox.model.cloudfront.lambda_events import EdgeOrigin, EdgeRequest, EdgeResponse, Place, disallowed
from sandbox.model.cloudfront.lambda_exchange import Answer, Exchange, Failed, Forward, Returned, Run
from sandbox.model.cloudfront.lambda_results import READ_ONLY, InvalidResultError, of_request, of_response

PLACE = Place("EDFDVBD6EXAMPLE", "d111111abcdef8.cloudfront.net", "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26==")
ORIGIN = EdgeOrigin(
    "custom", "example.org", "https", 443, "/custom", (("X-Key", "1"),), {"keepaliveTimeout": 5, "readTimeout": 30}
)
VIEWED = EdgeRequest(
    "GET",
    "/picture.jpg",
    "size=large",
    (("Host", "d111111abcdef8.cloudfront.net"), ("User-Agent", "curl/7.66.0"), ("Connection", "keep-alive")),
    "203.0.113.178",
)
SENT = replace(
    VIEWED,
    headers=(("X-Forwarded-For", "203.0.113.178"), ("Via", "1.1 x (CloudFront)"), ("Host", "example.org")),
    origin=ORIGIN,
)
CAME = EdgeResponse(
    200, "OK", (("Server", "nginx"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "5"))
)


def exchange(side="viewer", triggers=TRIGGERS, request=None, include_body=False):
    functions = {
        trigger: Association(trigger, f"arn:aws:lambda:us-east-1:1:function:f:{number}", include_body)
        for number, trigger in enumerate(triggers, 1)
    }
    return Exchange(side, functions, PLACE, request or (VIEWED if side == "viewer" else SENT))


def told(step, part):
    assert isinstance(step, Run)
    (record,) = step.event["Records"]
    json.dumps(step.event)
    return record["cf"][part]


def invalid(step):
    """Why CloudFront cannot use what a function said."""
    assert isinstance(step, Answer)
    assert (step.response.status, step.x_cache, step.failed) == (502, "LambdaValidationError", True)
    return step.response.body.decode() + step.detail


def test_a_viewer_request_event_as_documented():
    step = exchange().begin()
    assert step.association.trigger == "viewer-request"
    assert step.event == {
        "Records": [
            {
                "cf": {
                    "config": {
                        "distributionDomainName": "d111111abcdef8.cloudfront.net",
                        "distributionId": "EDFDVBD6EXAMPLE",
                        "eventType": "viewer-request",
                        "requestId": PLACE.request_id,
                    },
                    "request": {
                        "clientIp": "203.0.113.178",
                        "headers": {
                            "host": [{"key": "Host", "value": "d111111abcdef8.cloudfront.net"}],
                            "user-agent": [{"key": "User-Agent", "value": "curl/7.66.0"}],
                        },
                        "method": "GET",
                        "querystring": "size=large",
                        "uri": "/picture.jpg",
                    },
                }
            }
        ]
    }


def test_an_origin_request_event_has_the_origin():
    assert told(exchange("origin").begin(), "request")["origin"] == {
        "custom": {
            "customHeaders": {"x-key": [{"key": "X-Key", "value": "1"}]},
            "domainName": "example.org",
            "keepaliveTimeout": 5,
            "path": "/custom",
            "port": 443,
            "protocol": "https",
            "readTimeout": 30,
        }
    }


def test_an_answer_s_event_has_no_body_and_every_cookie():
    going = exchange("origin", ["origin-response"])
    assert going.begin() == Forward(SENT)
    response = told(going.came(replace(CAME, body=b"hello")), "response")
    assert (response["status"], response["statusDescription"], "body" in response) == ("200", "OK", False)
    assert [one["value"] for one in response["headers"]["set-cookie"]] == ["a=1", "b=2"]


def test_a_request_is_changed_on_its_way_to_the_cache_and_its_hidden_headers_stay():
    going = exchange()
    request = told(going.begin(), "request")
    request["headers"]["x-size"] = [{"value": "large"}]
    step = going.ran(Returned(request | {"uri": "/large/picture.jpg", "querystring": ""}))
    assert isinstance(step, Forward)
    assert (step.request.uri, step.request.query) == ("/large/picture.jpg", "")
    assert step.request.headers == (*VIEWED.headers[:2], ("X-Size", "large"), ("Connection", "keep-alive"))


def test_the_answer_s_event_tells_of_the_changed_request():
    going = exchange()
    request = told(going.begin(), "request")
    going.ran(Returned(request | {"uri": "/other"}))
    assert told(going.came(CAME, x_cache="Hit"), "request")["uri"] == "/other"


@pytest.mark.parametrize("side", ["viewer", "origin"])
def test_a_generated_answer_ends_it(side):
    going = exchange(side)
    going.begin()
    step = going.ran(Returned({"status": "302", "headers": {"location": [{"value": "/b"}]}}))
    assert step == Answer(EdgeResponse(302, "", (("Location", "/b"),), b""), "LambdaGeneratedResponse")


def test_functions_run_where_they_are_associated_and_nowhere_else():
    viewer = exchange("viewer", ["origin-request", "origin-response"])
    assert viewer.begin() == Forward(VIEWED)
    assert viewer.came(CAME) == Answer(CAME)
    origin = exchange("origin", ["viewer-request", "viewer-response"])
    assert origin.begin() == Forward(SENT)
    assert origin.came(CAME) == Answer(CAME)


@pytest.mark.parametrize(
    ("status", "x_cache", "runs"),
    [(200, "Hit", True), (304, "Hit", True), (200, "Error", False), (404, "Error", False), (502, "Miss", False)],
)
def test_a_viewer_response_function_does_not_run_for_errors_and_their_pages(status, x_cache, runs):
    going = exchange("viewer", ["viewer-response"])
    going.begin()
    assert isinstance(going.came(replace(CAME, status=status), x_cache=x_cache), Run) is runs


def test_an_origin_response_function_runs_for_every_answer_of_the_origin_and_only_for_those():
    for status in (200, 304, 404, 503):
        going = exchange("origin", ["origin-response"])
        going.begin()
        assert told(going.came(replace(CAME, status=status)), "response")["status"] == str(status)
    going = exchange("origin", ["origin-response"])
    going.begin()
    assert isinstance(going.came(replace(CAME, status=504), no_answer=True), Answer)


def test_an_origin_response_function_replaces_status_headers_and_body():
    going = exchange("origin", ["origin-response"])
    going.begin()
    response = told(going.came(replace(CAME, status=404)), "response")
    made = response | {"status": 200, "statusDescription": "OK", "body": base64.b64encode(b"\xff").decode()}
    step = going.ran(Returned(made | {"bodyEncoding": "base64", "headers": {}}))
    assert step == Answer(EdgeResponse(200, "OK", (), b"\xff"))


def test_a_body_that_is_not_given_stays_and_an_empty_one_takes_it_away():
    assert of_response("origin-response", CAME, {"status": "200"}).body is None
    assert of_response("origin-response", CAME, {"status": "200", "body": ""}).body == b""


@pytest.mark.parametrize(
    ("outcome", "x_cache", "status", "words"),
    [
        (Failed(error="Sandbox.Timedout"), "LambdaExecutionError", 503, "is invalid or doesn't have the required"),
        (Failed(throttled=True), "LambdaLimitExceeded", 503, "was throttled"),
    ],
)
def test_a_function_that_fails(outcome, x_cache, status, words):
    going = exchange()
    going.begin()
    step = going.ran(outcome)
    assert (step.response.status, step.x_cache, step.failed) == (status, x_cache, True)
    assert words in step.response.body.decode()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "neither a request nor a response"),
        ("nonsense", "neither a request nor a response"),
        ({}, "neither status nor the request's uri"),
        ({"uri": "/"}, "neither status nor the request's headers"),
        ({"statusCode": 200, "body": "as for API Gateway"}, "neither status nor"),
        ({"status": "600"}, "not a number of 200 to 599"),
        ({"status": "OK"}, "not a number of 200 to 599"),
        ({"status": True}, "not a number of 200 to 599"),
        ({"status": "200", "body": {"a": 1}}, "The body is not a string, is not an object, or exceeds"),
        ({"status": "200", "body": "?", "bodyEncoding": "base64"}, "not valid base64"),
        ({"status": "200", "body": "x", "bodyEncoding": "gzip"}, "neither text nor base64"),
        ({"status": "204", "body": "x"}, "status 204 and a body"),
        ({"status": "200", "headers": {"connection": [{"value": "close"}]}}, "tried to add a blacklisted header"),
        ({"status": "200", "headers": {"x-edge-resize": [{"value": "1"}]}}, "tried to add a blacklisted header"),
        ({"status": "200", "headers": {"X-Amz-Cf-Id": [{"value": "1"}]}}, "tried to add a blacklisted header"),
        ({"status": "200", "headers": {"content-length": [{"value": "1"}]}}, "add, delete, or change a read-only"),
        ({"status": "200", "headers": {"etag": "1"}}, "not a list of key-value pairs"),
        ({"status": "200", "headers": {"etag": [{"key": "Age", "value": "1"}]}}, "is another name"),
        ({"status": "200", "headers": {"etag": [{"value": 1}]}}, "not a line of text"),
        ({"status": "200", "headers": {"etag": [{"value": "1\r\nX-A: 1"}]}}, "not a line of text"),
        ({"uri": "picture.jpg", "headers": {}}, "The uri is not a path"),
        ({"uri": "/a?b", "headers": {}}, "The uri is not a path"),
        ({"uri": "/", "querystring": "a b", "headers": {}}, "The querystring has spaces"),
        ({"uri": "/" * 8192, "headers": {}}, "8192 characters or more"),
        ({"uri": "/", "headers": {}}, "add, delete, or change a read-only header"),  # Host is gone
        ({"uri": "/", "method": "PUT", "headers": {}}, "read-only value method"),
    ],
)
def test_a_viewer_request_function_that_says_what_it_may_not(result, words):
    going = exchange()
    going.begin()
    assert words in invalid(going.ran(Returned(result)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"custom": {}, "s3": {}}, "neither a custom nor an s3 one, or is both"),
        ({"custom": {"domainName": ""}}, "domainName"),
        ({"custom": {"domainName": "198.51.100.1", "port": 80, "protocol": "http"}}, "domainName"),
        ({"custom": {"domainName": "b.example.org:80", "port": 80, "protocol": "http"}}, "domainName"),
        ({"custom": {"domainName": "b.example.org", "port": 81, "protocol": "http"}}, "port"),
        ({"custom": {"domainName": "b.example.org", "port": 80, "protocol": "ftp"}}, "protocol"),
        ({"custom": {"domainName": "b.example.org", "port": 80, "protocol": "http", "path": "/a/"}}, "path"),
    ],
)
def test_an_origin_that_cannot_be(change, words):
    going = exchange("origin")
    request = told(going.begin(), "request")
    assert words in invalid(going.ran(Returned(request | {"origin": change})))


def test_another_origin():
    going = exchange("origin")
    request = told(going.begin(), "request")
    other = {
        "custom": {"domainName": "b.example.org", "port": 8080, "protocol": "http", "path": "", "customHeaders": {}}
    }
    step = going.ran(Returned(request | {"origin": other}))
    assert step.request.origin == EdgeOrigin("custom", "b.example.org", "http", 8080, "", (), ORIGIN.more)


def test_an_origin_in_s3():
    bucket = EdgeOrigin("s3", "pictures.s3.amazonaws.com", "https", 443, "/small")
    going = exchange("origin", request=replace(SENT, origin=bucket))
    request = told(going.begin(), "request")
    assert request["origin"] == {
        "s3": {
            "authMethod": "none",
            "customHeaders": {},
            "domainName": "pictures.s3.amazonaws.com",
            "path": "/small",
            "region": "us-east-1",
        }
    }
    request["origin"]["s3"]["path"] = "/large"
    assert going.ran(Returned(request)).request.origin == replace(bucket, path="/large")
    going = exchange("origin")
    request = told(going.begin(), "request")
    step = going.ran(Returned(request | {"origin": {"s3": {"domainName": "b.s3.amazonaws.com", "path": ""}}}))
    assert step.request.origin == EdgeOrigin("s3", "b.s3.amazonaws.com")


def test_a_viewer_response_function_cannot_change_the_status():
    with pytest.raises(InvalidResultError, match="change the status"):
        of_response("viewer-response", CAME, {"status": "404"})


def test_an_answer_made_anew_lacks_the_read_only_headers():
    came = replace(CAME, headers=(*CAME.headers, ("Transfer-Encoding", "chunked")))
    with pytest.raises(InvalidResultError, match="read-only"):
        of_response("origin-response", came, {"status": "200", "headers": {}})


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("over", [0, 1])
def test_the_size_of_a_generated_response_counts_as_it_is_returned(trigger, over):
    most = quota(trigger).response
    headers = {"content-type": [{"key": "Content-Type", "value": "image/jpeg"}]}
    body = "A" * (most - len("Content-Type: image/jpeg\r\n") + over)

    def returned():
        result = {"status": "200", "headers": headers, "body": body, "bodyEncoding": "text"}
        if trigger.endswith("request"):
            return of_request(trigger, VIEWED, False, result)
        return of_response(trigger, replace(CAME, headers=()), result)

    if not over:
        assert len(returned().body) == len(body)
        return
    with pytest.raises(InvalidResultError) as error:
        returned()
    assert f"was {most + 1} bytes which exceeded the CloudFront limit of {most} bytes" in error.value.detail


def test_a_request_s_body_is_shown_up_to_the_quota_and_may_be_replaced():
    request = replace(VIEWED, method="POST", body=b"x" * 50_000)
    shown = told(exchange(request=request, include_body=True).begin(), "request")["body"]
    assert (shown["inputTruncated"], shown["action"], shown["encoding"]) == (True, "read-only", "base64")
    assert base64.b64decode(shown["data"]) == b"x" * 40_960
    going = exchange(request=request, include_body=True)
    event = told(going.begin(), "request")
    assert going.ran(Returned(event)).request.body == request.body
    going = exchange(request=request, include_body=True)
    event = told(going.begin(), "request")
    event["body"] |= {"action": "replace", "encoding": "text", "data": "y" * 50_000}
    assert going.ran(Returned(event)).request.body == b"y" * 40_960


NAMES = st.sampled_from(
    ["Host", "Accept", "Via", "Connection", "X-Cache", "X-Edge-A", "Set-Cookie", "Warning", "If-Range", "X-A"]
)
HEADERS = st.lists(st.tuples(NAMES, st.text("abc ", max_size=3)), max_size=6).map(tuple)


@given(trigger=st.sampled_from(TRIGGERS), headers=HEADERS)
def test_what_a_function_returns_as_it_came_changes_nothing(trigger, headers):
    side = trigger.partition("-")[0]
    request = replace(VIEWED, headers=headers)
    going = exchange(side, [trigger], request)
    step = going.begin()
    if trigger.endswith("response"):
        assert step == Forward(request)
        step = going.came(replace(CAME, headers=headers))
        step = going.ran(Returned(told(step, "response")))
        assert (step.response.status, step.response.body) == (200, None)
        assert sorted(step.response.headers) == sorted(headers)
    else:
        step = going.ran(Returned(told(step, "request")))
        assert replace(step.request, headers=()) == replace(request, headers=())
        assert sorted(step.request.headers) == sorted(headers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ["status", "headers", "body", "bodyEncoding", "uri", "querystring", "method", "origin", "statusDescription"]
RESULTS = JSON | st.dictionaries(st.sampled_from(MEMBERS), JSON | st.sampled_from(["200", "/", "text", "base64"]))


@given(trigger=st.sampled_from(TRIGGERS), result=RESULTS)
def test_whatever_a_function_returns_is_taken_or_answered(trigger, result):
    side = trigger.partition("-")[0]
    going = exchange(side, [trigger])
    step = going.begin()
    if isinstance(step, Forward):
        going.came(CAME)
    step = going.ran(Returned(result))
    assert isinstance(step, Forward | Answer)
    if isinstance(step, Answer) and not step.failed:
        assert 200 <= step.response.status <= 599
        assert not any(disallowed(name.lower()) for name, _ in step.response.headers)


@given(trigger=st.sampled_from(("viewer-request", "origin-request")), data=st.data())
def test_no_generated_answer_has_a_read_only_header(trigger, data):
    name = data.draw(st.sampled_from(sorted(READ_ONLY[trigger])))
    with pytest.raises(InvalidResultError):
        of_request(trigger, VIEWED, False, {"status": "200", "headers": {name: [{"value": "1"}]}})
