"""The AWS endpoint against requests that no SDK sends: each gets an HTTP answer that blames the caller.

A real gateway with real services on a socket. An answer of 500 is a fault of the sandbox's own.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.aws.gateway import HEALTH_PATH, Gateway
from sandbox.aws.protocol import AwsError, RequestContext
from tests.fuzz.documents import HOSTILE, VALUES, json_texts

SCOPE = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


class Service:
    """Takes what the protocol makes of a request."""

    def __init__(self, name: str) -> None:
        self.service_name = name

    def answer(self, request: dict[str, object], context: RequestContext) -> dict[str, object]:
        raise AwsError("ClientException", "it came through")

    register_task_definition = run_task = put_events = send_command = describe_rules = create_rule = answer
    list_functions = invoke = create_distribution = answer


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway([Service(name) for name in ("ecs", "events", "lambda", "elbv2", "cloudfront", "ssm")]) as started:
        yield started


def ask(gateway: Gateway, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(gateway.url.rpartition(":")[2]), timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


SAFE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
SERVICES = st.sampled_from(["ecs", "events", "lambda", "elasticloadbalancing", "cloudfront", "ssm", "nothing", ""])
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Authorization",
            "X-Amz-Target",
            "Content-Type",
            "Host",
            "X-Amzn-Trace-Id",
            "Accept",
            "X-Amz-Date",
            "Expect",
            "amz-sdk-invocation-id",
            "amz-sdk-request",
            "X-Amz-Invocation-Type",
            "Content-Encoding",
        ]
    ),
    SAFE
    | SERVICES.map(SCOPE.format)
    | st.sampled_from(
        [
            "AmazonEC2ContainerServiceV20141113.RunTask",
            "AWSEvents.PutEvents",
            "AWSEvents.",
            ".",
            "application/x-amz-json-1.1",
            "application/x-www-form-urlencoded",
            "application/cbor",
            "gzip",
            "ecs.us-east-1.amazonaws.com",
            "a:b:c",
            "s3.amazonaws.com",
        ]
    ),
    max_size=5,
)
PATHS = st.sampled_from(
    [
        "/",
        "//",
        "/2015-03-31/functions",
        "/2015-03-31/functions/%2F/invocations",
        "/2020-05-31/distribution",
        "/?Action=DescribeRules",
        "/?X-Amz-Credential=a/b",
        "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:",
        "/%00",
        "/%ff",
        "/?%ff=%",
        "/a?b?c",
        HEALTH_PATH,
    ]
)
BODIES = (
    json_texts({"cluster": "c", "tasks": ["a"], "Entries": [{"Detail": "{}"}]}).map(
        lambda text: text.encode(errors="surrogatepass")
    )
    | st.binary(max_size=30)
    | st.sampled_from(
        [
            b"Action=DescribeRules&Version=2015-12-01",
            b"Action=CreateRule&Conditions.member.999999999.Field=a",
            b"Action=\xff",
            b"<a>",
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'xxxx'><!ENTITY y '&x;&x;'>]><a>&y;</a>",
            b"<a>" * 5000,
            b"&=&=",
        ]
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]), PATHS, HEADERS, BODIES)
def test_any_request_is_answered_and_none_by_500(gateway, method, path, headers, body):
    status = ask(gateway, method, path, headers, body)
    assert 200 <= status < 600
    assert status != 500


TARGETS = {
    "ecs": "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition",
    "events": "AWSEvents.PutEvents",
    "ssm": "AmazonSSM.SendCommand",
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(TARGETS)),
    json_texts(
        {"family": "f", "containerDefinitions": [{"name": "a", "cpu": 1}], "Entries": [{"Time": 1, "Resources": ["a"]}]}
    )
    | VALUES.map(json.dumps),
)
@example("ecs", HOSTILE[2])
@example("events", '{"Entries": [{"Time": 1e400}]}')
@example("events", '{"Entries": [{"Time": "x"}]}')
@example("ecs", '{"containerDefinitions": 5}')
def test_any_json_body_is_refused_in_the_caller_s_name(gateway, service, text):
    headers = {
        "Authorization": SCOPE.format(service),
        "X-Amz-Target": TARGETS[service],
        "Content-Type": "application/x-amz-json-1.1",
    }
    assert ask(gateway, "POST", "/", headers, text.encode(errors="surrogatepass")) == 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(
            [
                b"GET / HTTP/1.1",
                b"POST / HTTP/1.1",
                b"\r\n",
                b"\r\n\r\n",
                b"Host: a\r\n",
                b"Content-Length: 5\r\n",
                b"Content-Length: -1\r\n",
                b"Content-Length: \xb2\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"5\r\nhello\r\n",
                b"ffffffffffffffff\r\n",
                b"0\r\n\r\n",
                b"\0",
                b"\n",
                b" : \r\n",
                b"X: " + b"a" * 9000 + b"\r\n",
                b"HTTP/9.9",
                b"Connection: close\r\n",
                b"Expect: 100-continue\r\n",
            ]
        ),
        max_size=12,
    ).map(b"".join)
    | st.binary(max_size=60)
)
def test_any_bytes_leave_it_alive(gateway, sent):
    port = int(gateway.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        answer = b""
        with suppress(OSError):  # it may have hung up already
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
    assert not answer or answer.startswith(b"HTTP/1.")
    assert b" 500 " not in answer.partition(b"\r\n")[0]
    assert ask(gateway, "GET", HEALTH_PATH, {}, b"") == 200
