"""What is published to a topic arrives: at functions, at queues, and at HTTP endpoints that have confirmed."""

from __future__ import annotations

import io
import json
import queue
import socket
import ssl
import subprocess
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.backends.topics import deliver_with, send_to_queue
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.clock import RealClock
from sandbox.controllers.notifications import NotificationDelivery
from sandbox.timeline import Timeline

ACCOUNT = "us-east-1:123456789012"
SHOW = "def handler(event, context):\n    print('got ' + __import__('json').dumps(event))"


class Endpoint:
    """A web server that notes what it is sent, and answers with the next of its statuses (200 after the last)."""

    def __init__(self) -> None:
        self.received: queue.Queue[tuple[dict[str, str], str]] = queue.Queue()
        self.statuses: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.received.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?x=1"

    def use_tls(self, folder: Path) -> None:
        """Serve HTTPS from now on, with a certificate that nobody has signed."""
        key, certificate = folder / "key.pem", folder / "cert.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def next(self, within: float = 10) -> tuple[dict[str, str], str]:
        return self.received.get(timeout=within)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class World:
    """SNS with what it delivers to."""

    def __init__(self, speed: float) -> None:
        self.clock = RealClock(speed)
        self.timeline = Timeline(self.clock)
        self.backend = Embedded()
        self.gateway = Gateway([], self.backend).start()
        self.aws = Clients(self.gateway.url)
        self.runtime = FunctionRuntime(self.aws.environment(), self.timeline)
        functions = LambdaService(self.runtime, self.timeline, self.clock, self.aws)
        self.gateway.add(functions)
        self.asked: list[tuple[str, int]] = []
        self.delivery = NotificationDelivery(
            functions, send_to_queue, self._connect, lambda local: self.gateway.url, self.clock, self.timeline
        )
        deliver_with(self.delivery.deliver)
        self.outside: Callable[[], socket.socket] | None = None
        self.topic = self.aws("sns").create_topic(Name="t")["TopicArn"]

    def _connect(self, host: str, port: int, timeout: float) -> socket.socket:
        self.asked.append((host, port))
        if self.outside is None:
            raise socket.gaierror("the name does not resolve")
        return self.outside()

    def close(self) -> None:
        self.delivery.close()
        self.runtime.close()
        self.gateway.close()
        self.backend.reset()
        self.clock.close()

    def function(self, source: str = SHOW, name: str = "f") -> str:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("app.py", source)
        role = "arn:aws:iam::123456789012:role/x"
        code = {"ZipFile": file.getvalue()}
        made = self.aws("lambda").create_function(
            FunctionName=name, Runtime="python3.12", Role=role, Handler="app.handler", Code=code
        )
        return str(made["FunctionArn"])

    def queue(self, name: str = "q", **attributes: str) -> str:
        self.aws("sqs").create_queue(QueueName=name, Attributes=attributes)
        return f"arn:aws:sqs:{ACCOUNT}:{name}"

    def receive(self, arn: str) -> list[dict[str, Any]]:
        sqs = self.aws("sqs")
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        answer = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        )
        return list(answer.get("Messages", []))

    def subscribe(self, protocol: str, endpoint: str, **attributes: str) -> str:
        made = self.aws("sns").subscribe(
            TopicArn=self.topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    def confirmed(self, endpoint: Endpoint, **attributes: str) -> str:
        arn = self.subscribe("http", endpoint.url, **attributes)
        _, body = endpoint.next()
        self.aws("sns").confirm_subscription(TopicArn=self.topic, Token=json.loads(body)["Token"])
        return arn

    def publish(self, message: str = "hello", **more: Any) -> str:
        return str(self.aws("sns").publish(TopicArn=self.topic, Message=message, **more)["MessageId"])

    def attempts(self, count: int) -> list[Any]:
        """The first ``count`` attempts that are of messages."""
        found: list[Any] = []

        def enough(observation: Any) -> bool:
            if observation.kind == "sns.delivery" and not observation["confirmation"]:
                found.append(observation)
            return len(found) >= count

        self.timeline.wait_for(f"{count} deliveries", enough, within=20)
        return found


@pytest.fixture
def world() -> Iterator[World]:
    made = World(speed=100)
    yield made
    made.close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def test_a_function_gets_the_message(world: World) -> None:
    subscription = world.subscribe("lambda", world.function())
    attributes = {"colour": {"DataType": "String", "StringValue": "blue"}}
    message_id = world.publish("hello", Subject="s", MessageAttributes=attributes)
    seen = world.timeline.wait_for("the invocation", lambda o: o.kind == "lambda.invocation", within=20)
    assert (seen["trigger"], seen["status"]) == ("sns:t", "Success")
    (line,) = [line for line in seen["log"] if line.startswith("got ")]
    (record,) = json.loads(line.removeprefix("got "))["Records"]
    assert record["EventSubscriptionArn"] == subscription
    sns = record["Sns"]
    assert (sns["MessageId"], sns["Message"], sns["Subject"]) == (message_id, "hello", "s")
    assert sns["MessageAttributes"] == {"colour": {"Type": "String", "Value": "blue"}}


def test_a_function_that_fails_is_tried_again_by_lambda_and_not_by_sns(world: World) -> None:
    world.subscribe("lambda", world.function("def handler(event, context):\n    raise ValueError('no')"))
    world.publish()
    world.timeline.wait_for("a retry", lambda o: o.kind == "lambda.invocation" and o["attempt"] == 2, within=20)
    assert len(world.attempts(1)) == 1


def test_a_function_that_publishes_to_its_own_topic_is_stopped(world: World) -> None:
    source = (
        "import boto3, os\nsns = boto3.client('sns')\n"
        "def handler(event, context):\n"
        "    sns.publish(TopicArn=event['Records'][0]['Sns']['TopicArn'], Message='again')"
    )
    world.subscribe("lambda", world.function(source))
    world.publish()
    world.timeline.wait_for("the end", lambda o: o.kind == "lambda.recursion", within=30)
    seen: list[Any] = []

    def sixteen(observation: Any) -> bool:
        seen.append(observation) if observation.kind == "lambda.invocation" else None
        return len(seen) == 16

    world.timeline.wait_for("16 invocations", sixteen, within=20)
    assert len([o for o in world.timeline.since() if o.kind == "lambda.invocation"]) == 16


def test_a_queue_gets_the_message_in_an_envelope_or_raw(world: World) -> None:
    wrapped, raw = world.queue("wrapped"), world.queue("raw")
    world.subscribe("sqs", wrapped, RawMessageDelivery="false")
    world.subscribe("sqs", raw, RawMessageDelivery="true")
    attributes = {"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    world.publish("hello", MessageAttributes=attributes)
    (message,) = world.receive(wrapped)
    body = json.loads(message["Body"])
    assert (body["Type"], body["Message"]) == ("Notification", "hello")
    assert body["MessageAttributes"] == {
        "n": {"Type": "Number", "Value": "1"},
        "b": {"Type": "Binary", "Value": "AA=="},
    }
    (message,) = world.receive(raw)
    assert message["Body"] == "hello"
    assert message["MessageAttributes"]["n"] == {"StringValue": "1", "DataType": "Number"}
    assert message["MessageAttributes"]["b"]["BinaryValue"] == b"\x00"


def test_a_filter_policy_chooses(world: World) -> None:
    chosen = world.queue()
    world.subscribe("sqs", chosen, FilterPolicy='{"kind": ["wanted"]}', RawMessageDelivery="true")
    for kind in ("other", "wanted"):
        world.publish(kind, MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}})
    assert [message["Body"] for message in world.receive(chosen)] == ["wanted"]


def test_each_protocol_has_its_text(world: World) -> None:
    behind = world.queue()
    world.subscribe("sqs", behind, RawMessageDelivery="true")
    world.publish(json.dumps({"default": "d", "sqs": "for queues"}), MessageStructure="json")
    assert [message["Body"] for message in world.receive(behind)] == ["for queues"]
    with pytest.raises(ClientError, match="No default entry in JSON message body"):
        world.publish('{"sqs": "x"}', MessageStructure="json")


def test_more_subscriptions_than_a_page(world: World) -> None:
    queues = [world.queue(f"q{number}") for number in range(105)]
    for arn in queues:
        world.subscribe("sqs", arn)
    world.publish()
    assert len(world.attempts(105)) == 105


def test_a_queue_that_is_gone_does_not_fail_the_publisher(world: World) -> None:
    dead, gone = world.queue("dead"), world.queue("gone")
    world.subscribe("sqs", gone, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}))
    sqs = world.aws("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="gone")["QueueUrl"])
    world.publish()
    assert "NonExistentQueue" in world.attempts(1)[0]["error"]
    (message,) = world.receive(dead)
    assert json.loads(message["Body"])["Message"] == "hello"


def test_a_function_that_is_gone_is_told(world: World) -> None:
    world.subscribe("lambda", f"arn:aws:lambda:{ACCOUNT}:function:none")
    world.publish()
    assert "ResourceNotFoundException" in world.attempts(1)[0]["error"]


def test_an_http_endpoint_has_to_confirm(world: World, endpoint: Endpoint) -> None:
    sns = world.aws("sns")
    made = sns.subscribe(TopicArn=world.topic, Protocol="http", Endpoint=endpoint.url)
    assert made["SubscriptionArn"] == "pending confirmation"
    headers, body = endpoint.next()
    request = json.loads(body)
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    assert headers["host"] == f"127.0.0.1:{endpoint.port}"
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=world.topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    world.publish("too early")
    with urllib.request.urlopen(request["SubscribeURL"]) as answer:  # unsigned, as an endpoint visits it
        assert b"<SubscriptionArn>arn:aws:sns:" in answer.read()
    (listed,) = sns.list_subscriptions()["Subscriptions"]
    assert listed["SubscriptionArn"].startswith(f"{world.topic}:")
    attributes = sns.get_subscription_attributes(SubscriptionArn=listed["SubscriptionArn"])["Attributes"]
    assert attributes["PendingConfirmation"] == "false"
    message_id = world.publish("hello", Subject="s")
    headers, body = endpoint.next()
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == message_id
    assert headers["x-amz-sns-subscription-arn"] == listed["SubscriptionArn"]
    notification = json.loads(body)
    assert (notification["Message"], notification["Subject"]) == ("hello", "s")
    with urllib.request.urlopen(notification["UnsubscribeURL"]):
        pass
    assert sns.list_subscriptions()["Subscriptions"] == []


def test_a_wrong_token_confirms_nothing(world: World, endpoint: Endpoint) -> None:
    world.subscribe("http", endpoint.url)
    with pytest.raises(ClientError, match="InvalidParameter"):
        world.aws("sns").confirm_subscription(TopicArn=world.topic, Token="x")


def test_an_endpoint_that_has_not_confirmed_is_asked_again(world: World, endpoint: Endpoint) -> None:
    first = world.subscribe("http", endpoint.url)
    assert world.subscribe("http", endpoint.url) == first
    tokens = {json.loads(endpoint.next()[1])["Token"] for _ in range(2)}
    assert len(tokens) == 1


def test_a_raw_message_over_http(world: World, endpoint: Endpoint) -> None:
    world.confirmed(endpoint, RawMessageDelivery="true")
    world.publish("plain text")
    headers, body = endpoint.next()
    assert (body, headers["x-amz-sns-rawdelivery"]) == ("plain text", "true")


def test_a_failing_endpoint_is_tried_again(world: World, endpoint: Endpoint) -> None:
    world.confirmed(endpoint)
    endpoint.statuses = [503, 500]
    message_id = world.publish()
    assert {endpoint.next()[0]["x-amz-sns-message-id"] for _ in range(3)} == {message_id}
    first, second, third = world.attempts(3)
    assert second.at - first.at >= 0.2  # 20 s, divided by the speed
    assert ("HTTP 503" in first["error"], third["error"]) == (True, None)


def test_an_endpoint_that_stays_broken_is_given_up(world: World, endpoint: Endpoint) -> None:
    dead = world.queue("dead")
    world.confirmed(endpoint, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}))
    endpoint.statuses = [500] * 10
    world.publish()
    assert [attempt["attempt"] for attempt in world.attempts(4)] == [1, 2, 3, 4]
    (message,) = world.receive(dead)
    assert json.loads(message["Body"])["Message"] == "hello"
    assert len(endpoint.statuses) == 6


def test_a_client_error_is_not_tried_again(world: World, endpoint: Endpoint) -> None:
    world.confirmed(endpoint)
    endpoint.statuses = [404]
    world.publish("lost")
    world.publish("next")
    assert [(a["attempt"], a["error"] is None) for a in world.attempts(2)] == [(1, False), (1, True)]


def test_one_slow_endpoint_holds_up_nobody(world: World, endpoint: Endpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        arn = world.subscribe("http", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert arn
        world.confirmed(endpoint)
        world.publish()
        assert json.loads(endpoint.next(within=5)[1])["Message"] == "hello"


def test_https_is_taken_with_any_certificate(world: World, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.use_tls(tmp_path)
    world.subscribe("https", endpoint.url.replace("http:", "https:"))
    assert json.loads(endpoint.next()[1])["Type"] == "SubscriptionConfirmation"


def test_names_lead_into_the_sandbox_alone(world: World, endpoint: Endpoint) -> None:
    world.outside = lambda: socket.create_connection(("127.0.0.1", endpoint.port))
    world.subscribe("http", "http://hooks.example.com:8080/sns")
    headers, _ = endpoint.next()
    assert headers["host"] == "hooks.example.com:8080"
    assert world.asked == [("hooks.example.com", 8080)]
    world.outside = None
    world.subscribe("https", "https://elsewhere.example.com/")
    told = world.timeline.wait_for(
        "the failure", lambda o: o.kind == "sns.delivery" and o["error"] is not None, within=20
    )
    assert "does not resolve" in told["error"]
    assert world.asked[-1] == ("elsewhere.example.com", 443)
