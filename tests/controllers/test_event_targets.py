"""Events on their way to each kind of target, to their retries and to their dead-letter queues."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.protocol import RequestContext
from sandbox.aws.services.ecs import EcsService
from sandbox.aws.services.events import EventsService
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.clock import RealClock
from sandbox.controllers.ecs import EcsController
from sandbox.controllers.event_targets import EventTargets
from sandbox.controllers.events import EventDelivery
from sandbox.model.ecs.control import Ecs
from sandbox.model.eventbridge_recursion import FREE_STEPS, Recursion
from sandbox.timeline import Timeline

HERE = "us-east-1:123456789012:"
ROLE = "arn:aws:iam::123456789012:role/events"
TASK = {
    "family": "job",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "web", "image": "nginx:1.27"}],
}


SHOP = {"source": ["shop"]}
ORDER = {
    "version": "0",
    "id": "1",
    "detail-type": "Order",
    "source": "shop",
    "account": ACCOUNT_ID,
    "time": "2026-01-01T00:00:00Z",
    "region": REGION,
    "resources": [],
    "detail": {},
}


class World:
    """A control plane whose endpoint can be started later than its EventBridge."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.clock = RealClock(600)
        self.timeline = Timeline(self.clock)
        self.backend = Embedded()
        self.gateway = Gateway([], self.backend, port=port)
        self.aws = Clients(f"http://127.0.0.1:{port}")
        self.runtime = FunctionRuntime(self.aws.environment(), self.timeline)
        functions = LambdaService(self.runtime, self.timeline, self.clock)
        targets = EventTargets(functions, self.aws, self.clock)
        self.delivery = EventDelivery(targets, self.timeline, self.clock, recursion=Recursion(budget=200))
        self.events = EventsService(self.delivery, self.clock)
        targets.forward = self.events.receive
        ids = iter(range(1000))
        ecs = Ecs(ACCOUNT_ID, REGION, lambda: f"{next(ids):032x}")
        self.ecs = EcsController(ecs, self.events.publish, self.timeline, self.clock)
        for service in (functions, self.events, EcsService(ecs, self.ecs.apply, lambda subnets: [])):
            self.gateway.add(service)

    def rule(self, *targets: dict[str, Any], bus: str = "default", pattern: dict[str, Any] = SHOP) -> None:
        client = self.aws("events")
        client.put_rule(Name="r", EventBusName=bus, EventPattern=json.dumps(pattern))
        numbered = [{"Id": f"t{number}", **target} for number, target in enumerate(targets)]
        client.put_targets(Rule="r", EventBusName=bus, Targets=numbered)

    def put(self, bus: str = "default", **detail: Any) -> str:
        entry = {"Source": "shop", "DetailType": "Order", "Detail": json.dumps(detail), "EventBusName": bus}
        return str(self.aws("events").put_events(Entries=[entry])["Entries"][0]["EventId"])

    def queue(self, name: str, **attributes: str) -> str:
        self.aws("sqs").create_queue(QueueName=name, Attributes=attributes)
        return f"arn:aws:sqs:{HERE}{name}"

    def function(self, name: str, source: str) -> str:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", source)
        code = {"ZipFile": package.getvalue()}
        made = self.aws("lambda").create_function(
            FunctionName=name, Runtime="python3.12", Role=ROLE, Handler="app.handler", Timeout=900, Code=code
        )
        return str(made["FunctionArn"])

    def messages(self, name: str) -> list[dict[str, Any]]:
        client = self.aws("sqs")
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return list(answer.get("Messages", []))

    def wait(self, kind: str, count: int = 1) -> list[Any]:
        found: list[Any] = []

        def enough(observation: Any) -> bool:
            if observation.kind == kind:
                found.append(observation)
            return len(found) >= count

        self.timeline.wait_for(f"{count} of {kind}", enough, within=20)
        return found

    def close(self) -> None:
        self.delivery.close()
        self.ecs.close()
        self.gateway.close()
        self.runtime.close()
        self.clock.close()
        self.aws.close()
        self.backend.reset()


@pytest.fixture
def stopped() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(stopped: World) -> World:
    stopped.gateway.start()
    return stopped


def test_a_queue(world: World) -> None:
    world.rule({"Arn": world.queue("q")})
    sent = world.put(id=1)
    world.wait("event.delivered")
    (message,) = world.messages("q")
    assert message["Body"].startswith('{"version":"0","id":"' + sent)
    assert json.loads(message["Body"])["detail"] == {"id": 1}


def test_a_fifo_queue_gets_the_events_in_order(world: World) -> None:
    arn = world.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    world.rule({"Arn": arn, "SqsParameters": {"MessageGroupId": "g"}, "InputPath": "$.detail.id"})
    for number in range(10):
        world.put(id=number)
    world.wait("event.delivered", 10)
    assert [message["Body"] for message in world.messages("q.fifo")] == [str(number) for number in range(10)]


def test_a_topic(world: World) -> None:
    arn = world.aws("sns").create_topic(Name="t")["TopicArn"]
    world.aws("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=world.queue("q"))
    world.rule({"Arn": arn, "Input": '{"a": 1}'})
    world.put()
    world.wait("event.delivered")
    (message,) = world.messages("q")
    assert json.loads(message["Body"])["Message"] == '{"a": 1}'


@pytest.mark.parametrize("suffix", ["", ":*"])
def test_a_log_group(world: World, suffix: str) -> None:
    logs = world.aws("logs")
    logs.create_log_group(logGroupName="/aws/events/shop")
    transformer = {
        "InputPathsMap": {"time": "$.time", "id": "$.detail.id"},
        "InputTemplate": '{"timestamp": <time>, "message": "order <id>"}',
    }
    arn = f"arn:aws:logs:{HERE}log-group:/aws/events/shop{suffix}"
    world.rule({"Arn": arn}, {"Arn": arn, "InputTransformer": transformer})
    sent = world.put(id=7)
    world.wait("event.delivered", 2)
    found = logs.filter_log_events(logGroupName="/aws/events/shop")["events"]
    by_text, whole = sorted(found, key=lambda event: event["message"].startswith("{"))
    assert by_text["message"] == "order 7"
    assert json.loads(whole["message"])["id"] == sent
    assert len({event["logStreamName"] for event in found}) == 2


def test_another_bus_keeps_the_event_as_it_is(world: World) -> None:
    for bus in ("one", "two"):
        world.aws("events").create_event_bus(Name=bus)
    world.rule({"Arn": f"arn:aws:events:{HERE}event-bus/two", "RoleArn": ROLE}, bus="one")
    world.rule({"Arn": world.queue("q")}, bus="two")
    sent = world.put(bus="one", id=1)
    world.wait("event.delivered", 2)
    (message,) = world.messages("q")
    assert json.loads(message["Body"])["id"] == sent
    assert [o["bus"] for o in world.timeline.since() if o.kind == "event.published"] == ["one", "two"]


def test_an_event_goes_from_bus_to_bus_once_so_a_loop_of_buses_ends(world: World) -> None:
    dead = world.queue("dead")
    for bus, other in (("one", "two"), ("two", "one")):
        world.aws("events").create_event_bus(Name=bus)
        forward = {"Arn": f"arn:aws:events:{HERE}event-bus/{other}", "RoleArn": ROLE, "DeadLetterConfig": {"Arn": dead}}
        world.rule(forward, bus=bus)
    sent = world.put(bus="one")
    (failed,) = world.wait("event.failed")
    assert failed["error"] == "THIRD_ACCOUNT_HOP_DETECTED"
    world.wait("event.deadletter")
    (message,) = world.messages("dead")
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["id"] == sent
    assert attributes == {
        "RULE_ARN": f"arn:aws:events:{HERE}rule/two/r",
        "TARGET_ARN": f"arn:aws:events:{HERE}event-bus/one",
        "ERROR_CODE": "THIRD_ACCOUNT_HOP_DETECTED",
        "ERROR_MESSAGE": f"Event ingestion rejected for event {sent} because an event can be sent to an event bus "
        "target only once. This event was previously delivered to an event bus target.",
        "RETRY_ATTEMPTS": "0",
    }


def ecs_target(**more: Any) -> dict[str, Any]:
    return {
        "Arn": f"arn:aws:ecs:{HERE}cluster/jobs",
        "RoleArn": ROLE,
        "EcsParameters": {
            "TaskDefinitionArn": f"arn:aws:ecs:{HERE}task-definition/job:1",
            "LaunchType": "FARGATE",
            "TaskCount": 2,
            "NetworkConfiguration": {
                "awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": [], "AssignPublicIp": "ENABLED"}
            },
        },
        **more,
    }


def test_an_ecs_task_gets_nothing_of_the_event(world: World) -> None:
    client = world.aws("ecs")
    client.create_cluster(clusterName="jobs")
    client.register_task_definition(**TASK)
    world.rule(ecs_target())
    world.put(containerOverrides=[{"name": "web", "command": ["x"]}])
    world.wait("event.delivered")
    arns = client.list_tasks(cluster="jobs")["taskArns"]
    tasks = client.describe_tasks(cluster="jobs", tasks=arns)["tasks"]
    assert [task["startedBy"] for task in tasks] == ["events-rule/r", "events-rule/r"]
    assert {task["group"] for task in tasks} == {"family:job"}


def test_what_is_missing_is_not_tried_again_and_goes_to_the_dead_letter_queue(world: World) -> None:
    dead = {"DeadLetterConfig": {"Arn": world.queue("dead")}}
    gone = [
        f"arn:aws:lambda:{HERE}function:gone",
        f"arn:aws:sns:{HERE}gone",
        f"arn:aws:sqs:{HERE}gone",
        f"arn:aws:logs:{HERE}log-group:gone",
    ]
    world.rule(*({"Arn": arn, **dead} for arn in gone), ecs_target(**dead))
    sent = world.put(id=1)
    failures = world.wait("event.failed", 5)
    assert {failed["error"] for failed in failures} == {"NO_RESOURCE"}
    assert {failed["target"] for failed in failures} == {*gone, f"arn:aws:ecs:{HERE}cluster/jobs"}
    assert not [o for o in world.timeline.since() if o.kind == "event.retry"]
    world.wait("event.deadletter", 5)
    assert {json.loads(message["Body"])["id"] for message in world.messages("dead")} == {sent}


def test_a_template_that_becomes_no_json(world: World) -> None:
    transformer = {"InputPathsMap": {"all": "$.detail"}, "InputTemplate": '{"a": "<all>"}'}
    dead = world.queue("dead")
    world.rule({"Arn": world.queue("q"), "InputTransformer": transformer, "DeadLetterConfig": {"Arn": dead}})
    world.put(id=1)
    world.wait("event.deadletter")
    assert world.messages("dead")[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "INVALID_JSON"
    assert world.messages("q") == []


def test_a_dead_letter_queue_that_is_missing_is_told(world: World) -> None:
    gone = f"arn:aws:sqs:{HERE}gone"
    world.rule({"Arn": gone, "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{HERE}gone-too"}})
    world.put()
    assert "NonExistentQueue" in world.wait("event.deadletter")[0]["error"]


def publish(world: World, *targets: dict[str, Any]) -> None:
    """As the control plane itself does, which needs no endpoint."""
    world.events.put_rule({"Name": "r", "EventPattern": '{"source": ["shop"]}'}, RequestContext())
    world.events.put_targets({"Rule": "r", "Targets": list(targets)}, RequestContext())
    world.events.publish(ORDER)


def test_a_target_that_cannot_be_reached_is_tried_until_it_can(stopped: World) -> None:
    publish(stopped, {"Id": "q", "Arn": f"arn:aws:sqs:{HERE}q"})
    first = stopped.wait("event.retry")[0]
    assert (first["error"], first["retry"]) == ("CONNECTION_FAILURE", 1)
    assert 0.5 <= first["delay"] <= 1
    with Gateway([], stopped.backend) as other:  # the queue is there before the endpoint is: else it would be given up
        Clients(other.url)("sqs").create_queue(QueueName="q")
    stopped.gateway.start()
    stopped.wait("event.delivered")
    assert json.loads(stopped.messages("q")[0]["Body"])["id"] == "1"


def test_a_policy_bounds_the_retries(stopped: World) -> None:
    policy = {"MaximumRetryAttempts": 2}
    publish(stopped, {"Id": "q", "Arn": f"arn:aws:sqs:{HERE}q", "RetryPolicy": policy})
    (failed,) = stopped.wait("event.failed")
    assert (failed["error"], failed["retries"], failed["exhausted"]) == (
        "CONNECTION_FAILURE",
        2,
        "MaximumRetryAttempts",
    )
    assert sum(o.kind == "event.retry" for o in stopped.timeline.since()) == 2


AGAIN = """
import boto3
client = boto3.client("events")
def handler(event, context):
    client.put_events(Entries=[{"Source": event["source"], "DetailType": "Order", "Detail": "{}"}])
"""


def test_a_function_that_puts_the_events_of_its_own_rule_is_stopped(world: World) -> None:
    dead = world.queue("dead")
    world.rule({"Arn": world.function("again", AGAIN), "DeadLetterConfig": {"Arn": dead}})
    first = world.put()
    (failed,) = world.wait("event.failed")
    assert failed["error"] == "RECURSION"
    assert "on AWS they would go on" in failed["reason"]
    assert len(world.wait("event.delivered", FREE_STEPS + 1 + 200)) == FREE_STEPS + 1 + 200
    world.wait("event.deadletter")
    (message,) = world.messages("dead")
    assert json.loads(message["Body"])["id"] == failed["id"] != first
    # The rule goes on with other events, and they with their own budget.
    world.put()
    world.wait("event.failed", 2)


def test_a_rule_that_runs_a_task_for_each_event_of_its_tasks_is_stopped(world: World) -> None:
    client = world.aws("ecs")
    client.create_cluster(clusterName="jobs")
    client.register_task_definition(**TASK)
    world.rule(ecs_target(), pattern={"source": ["shop", "aws.ecs"]})
    world.put()
    for delivered in (1, 2, 3):
        world.wait("event.delivered", delivered)
        (task, *_) = client.list_tasks(cluster="jobs", startedBy="events-rule/r")["taskArns"]
        detail = {"taskArn": task, "startedBy": "events-rule/r", "lastStatus": "RUNNING"}
        world.events.publish({**ORDER, "id": task, "source": "aws.ecs", "detail": detail})
    assert world.wait("event.failed")[0]["error"] == "RECURSION"
    assert len(client.list_tasks(cluster="jobs")["taskArns"]) == 2 * 3  # two a call; the budget is of two more calls


def test_a_broken_target_holds_up_no_other(world: World) -> None:
    world.rule(
        {"Arn": world.function("endless", "def handler(event, context):\n    while True: pass")},
        {"Arn": f"arn:aws:sqs:{HERE}gone"},
        {"Arn": world.queue("q"), "InputPath": "$.detail.id"},
    )
    for number in range(5):
        world.put(id=number)
    world.wait("event.delivered", 6)  # the function has the first, too
    assert [message["Body"] for message in world.messages("q")] == ["0", "1", "2", "3", "4"]


def test_a_function_takes_json_only(world: World) -> None:
    world.rule(
        {
            "Arn": world.function("f", "def handler(event, context):\n    return event"),
            "InputTransformer": {"InputTemplate": "<aws.events.rule-name>"},
        }
    )
    world.put()
    assert world.wait("event.failed")[0]["error"] == "INVALID_PARAMETER"
