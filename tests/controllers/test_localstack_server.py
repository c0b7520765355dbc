"""LocalStack behind the gateway: both directions of the one endpoint, one sandbox after another, and its end."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from docker.errors import ImageNotFound

from sandbox.aws.backends.localstack.container import TOKEN, Container
from sandbox.aws.backends.localstack.container import Options as ContainerOptions
from sandbox.controllers.localstack_server import OwnedServer, UsersServer, opened
from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import archives, catalogue, networks, sweep
from sandbox.engine import run as run_of_engine
from sandbox.engine.catalogue import CATALOGUE, Component
from sandbox.engine.daemon import connect
from sandbox.engine.image_builds import BuildRequest, ImageBuilder
from sandbox.engine.images import Images
from sandbox.engine.run import LABEL_RUN
from sandbox.errors import SandboxError
from sandbox.runner import Options, Run, run_variant
from sandbox.scenario import Play, Scenario, Variant, Verdict
from tests.aws.lambda_runtime.conftest import function as packed

pytestmark = pytest.mark.docker

ROLE = "arn:aws:iam::123456789012:role/any"
RULE = {"source": ["aws.ecs"], "detail": {"lastStatus": ["RUNNING"]}}
FUNCTION = """
import boto3, os, urllib.request

def handler(event, context):
    print("for", event["detail"]["lastStatus"])
    if event["detail"].get("fail"):
        raise ValueError("as it was told")
    clusters = boto3.client("ecs").list_clusters()["clusterArns"]
    boto3.client("route53").change_resource_record_sets(
        HostedZoneId=os.environ["ZONE"],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {
            "Name": "www.seen.example", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "198.51.100.77"}]}}]},
    )
    return {"clusters": clusters}
"""


@pytest.fixture
def box(request: pytest.FixtureRequest, localstack_server: OwnedServer) -> Iterator[Sandbox]:
    with Sandbox(images=request.config.getoption("--sandbox-images"), localstack=localstack_server) as sandbox:
        yield sandbox


def create_function(box: Sandbox, code: str, **environment: str) -> str:
    made = box.aws("lambda").create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Timeout=20,
        Code={"ZipFile": packed(code).code},
        Environment={"Variables": environment},
    )
    return str(made["FunctionArn"])


def event(**detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "11111111-1111-1111-1111-111111111111",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ecs:us-east-1:123456789012:task/c/1"],
        "detail": detail,
    }


def test_an_event_of_ecs_leads_to_a_function_and_that_to_services_of_both(box: Sandbox) -> None:
    zone = box.aws("route53").create_hosted_zone(Name="seen.example", CallerReference="1")["HostedZone"]["Id"]
    box.aws("ecs").create_cluster(clusterName="blog")
    function = create_function(box, FUNCTION, ZONE=zone)
    box.aws("events").put_rule(Name="r", EventPattern=json.dumps(RULE))
    box.aws("events").put_targets(Rule="r", Targets=[{"Id": "f", "Arn": function}])

    box.replay([event(lastStatus="PENDING"), event(lastStatus="RUNNING")])

    changed = box.timeline.wait_for(
        "the record", lambda seen: seen.kind == "dns.change" and seen["type"] == "A", within=60
    )
    assert changed["new"] == ["198.51.100.77"]
    assert box.resolve("www.seen.example").values == ("198.51.100.77",)
    invoked = box.timeline.wait_for("its end", lambda seen: seen.kind == "lambda.invocation", within=30)
    assert (invoked["function"], invoked["status"], invoked["attempt"]) == ("f", "Success", 1)
    assert "for RUNNING" in invoked["log"]
    published = [seen for seen in box.timeline.since() if seen.kind == "event.published"]
    assert [seen["rules"] for seen in published] == [[], ["r"]]
    assert [seen["event"]["time"] for seen in published] == ["2026-01-02T03:04:05Z"] * 2
    assert {"route53", "ecs", "lambda", "events"} <= box.called_services
    assert "logs" not in box.called_services  # the sandbox's own calls are no stack's


def test_a_function_at_the_edge_is_a_version_of_localstacks(box: Sandbox) -> None:
    arn = create_function(
        box, "def handler(event, context):\n    print('at the edge')\n    return {'status': event['n']}"
    )
    version = box.aws("lambda").publish_version(FunctionName="f")["FunctionArn"]
    functions = box._control_plane.functions
    result = functions.run_at_edge(version, b'{"n": "204"}', "origin-response")
    assert (json.loads(result.payload), result.failed) == ({"status": "204"}, False)
    seen = box.timeline.wait_for("it", lambda seen: seen.kind == "lambda.invocation", within=10)
    assert (seen["function"], seen["trigger"]) == ("us-east-1.f", "origin-response")
    assert "at the edge" in seen["log"]
    shown = functions.edge_function(version)
    assert shown is not None
    assert (shown["Runtime"], shown["Version"]) == ("python3.12", "1")
    assert functions.edge_function(f"{arn}:7") is None


def test_functions_may_be_containers_which_end_with_the_sandbox(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_LAMBDA_EXECUTOR", "container")
    images = request.config.getoption("--sandbox-images")
    code = "import boto3\ndef handler(*_): return boto3.client('ecs').list_clusters()['clusterArns']\n"
    with contextlib.closing(OwnedServer(images)) as server:
        client, run = server._client, {"label": f"{LABEL_RUN}={server._run.id}"}
        with Sandbox(images=images, localstack=server) as box:
            arn = box.aws("ecs").create_cluster(clusterName="blog")["cluster"]["clusterArn"]
            create_function(box, code)
            assert json.loads(box.aws("lambda").invoke(FunctionName="f")["Payload"].read()) == [arn]
            invoked = box.timeline.wait_for("its end", lambda seen: seen.kind == "lambda.invocation", within=30)
            assert (invoked["function"], invoked["status"]) == ("f", "Success")
            assert invoked["duration_ms"] > 0
            assert invoked["init_ms"] > 0
            assert len(client.containers.list(filters=run)) == 2
        assert len(client.containers.list(filters=run)) == 1  # LocalStack waits for the next sandbox


def test_an_executor_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_LAMBDA_EXECUTOR", "docker")
    with pytest.raises(SandboxError, match="SANDBOX_LAMBDA_EXECUTOR=docker: there is no such executor"):
        OwnedServer()


def test_the_next_sandbox_finds_nothing(box: Sandbox) -> None:
    assert box.aws("lambda").list_functions()["Functions"] == []
    assert box.aws("events").list_rules()["Rules"] == []
    assert box.aws("route53").list_hosted_zones()["HostedZones"] == []
    # A name that was there before can be made anew, and nothing of its old self is left.
    box.aws("events").put_rule(Name="r", EventPattern=json.dumps(RULE))
    assert box.aws("events").list_targets_by_rule(Rule="r")["Targets"] == []


def test_who_signs_with_any_key_is_in_the_one_account(box: Sandbox) -> None:
    assert box.aws("sts").get_caller_identity()["Account"] == "123456789012"
    topic = box.aws("sns").create_topic(Name="t")["TopicArn"]
    assert topic == "arn:aws:sns:us-east-1:123456789012:t"
    queue = box.aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    assert queue.startswith(box.endpoint_url)  # it leads through the gateway
    arn = box.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    box.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    box.aws("sns").publish(TopicArn=topic, Message="hello")
    received = box.aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    assert [message["Body"] for message in received] == ["hello"]


def test_objects_and_parameters_are_kept_by_localstack(box: Sandbox, localstack_server: OwnedServer) -> None:
    box.aws("s3").create_bucket(Bucket="files")
    box.aws("s3").put_object(Bucket="files", Key="a b/c", Body=b"\x00" * 70_000)
    assert len(box.aws("s3").get_object(Bucket="files", Key="a b/c")["Body"].read()) == 70_000
    box.aws("ssm").put_parameter(Name="/a", Type="String", Value="1")
    status, _, body = localstack_server.connection.ask("GET", "/files?list-type=2", {})
    assert status == 200, body
    assert b"<Key>a b/c</Key>" in body


def test_services_that_localstack_lacks_stay_ours(box: Sandbox) -> None:
    assert box.aws("ec2").describe_vpcs(VpcIds=[box.vpc])["Vpcs"][0]["VpcId"] == box.vpc
    assert box.aws("elbv2").describe_load_balancers()["LoadBalancers"] == []


def test_a_zone_of_cloud_maps_is_answered_and_protected_but_not_listed(box: Sandbox) -> None:
    discovery, route53 = box.aws("servicediscovery"), box.aws("route53")
    operation = discovery.create_private_dns_namespace(Name="local", Vpc=box.vpc)["OperationId"]
    namespace = discovery.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    zone = discovery.get_namespace(Id=namespace)["Namespace"]["Properties"]["DnsProperties"]["HostedZoneId"]
    assert route53.get_hosted_zone(Id=zone)["HostedZone"]["Name"] == "local."
    record = {"Name": "a.local", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    with pytest.raises(ClientError, match="can only be managed through AWS Cloud Map"):
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    assert route53.list_hosted_zones()["HostedZones"] == []
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        route53.get_hosted_zone(Id="Z00000000000000000000")


def scenario_that(act: Callable[[Play], None]) -> Scenario:
    """A scenario whose verdict is known beforehand, and whose script is ``act``."""
    variants = (Variant("bad", "reproduces", ""), Variant("good", "holds", ""))
    return Scenario("s", "empty", "", "", "", variants, act, lambda seen: Verdict(False, ()), awaits_ready=False)


@pytest.mark.long(25)
def test_a_run_whose_localstack_is_killed_has_no_verdict(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    images = request.config.getoption("--sandbox-images")
    (tmp_path / "stack.yaml").write_text("description: nothing\ncalls: []\n")

    def kill(play: Play) -> None:
        play.sandbox._containers.client.api.kill(server._container.id)  # type: ignore[union-attr]

    def kill_and_wait(play: Play) -> None:
        kill(play)
        play.sandbox.timeline.wait_for("what never comes", lambda seen: False, within=60)

    for act in (kill_and_wait, kill):
        item = replace(scenario_that(act), stack=str(tmp_path))
        with opened("localstack", images) as server:
            assert isinstance(server, OwnedServer)
            results = Run()
            result = run_variant(item, item.variants[1], Options(images), localstack=server)
            results.results.append(result)
            again = run_variant(item, item.variants[1], Options(images), localstack=server)
        assert (result.outcome, results.exit_code) == ("not run", 2), result
        assert "LocalStack has ended in the middle of the run" in result.error
        assert "exit code 137" in result.error
        assert "=> 200" in result.error  # its last log lines
        assert "LocalStack has ended" in again.error


@pytest.mark.parametrize(
    ("settings", "message", "words"),
    [
        ({"environment": {"SERVICES": "s3,sts", "STRICT_SERVICE_LOADING": "1"}}, "service events", "SERVICES"),
        ({"memory": 64}, "ended before it was ready", "memory"),
    ],
    ids=["service-not-loaded", "out-of-memory"],
)
@pytest.mark.long(15)
def test_a_localstack_that_cannot_be_used_says_why(
    settings: dict[str, Any], message: str, words: str, request: pytest.FixtureRequest
) -> None:
    images = request.config.getoption("--sandbox-images")
    with contextlib.closing(OwnedServer(images, **settings)) as server:
        with pytest.raises(SandboxError) as caught, Sandbox(images=images, localstack=server):
            pass
        mine = {"label": f"{LABEL_RUN}={server._run.id}"}
        (left,) = server._client.containers.list(filters=mine, all=True)
        assert list(left.attrs["NetworkSettings"]["Networks"]) == [server._network.name]  # the sandbox's went with it
    assert message in caught.value.message
    assert words in f"{caught.value.state} {caught.value.hint}"


# What localstack-ext 4.14.0 prints of a token that is none, recorded; it needs an account, and is not in the catalogue.
REFUSED_TOKEN = """
LocalStack version: 4.14.0

Localstack returning with exit code 55. Reason:
===============================================
License activation failed! 🔑❌

Reason: The credentials defined in your environment are invalid. Please make sure to set the LOCALSTACK_AUTH_TOKEN variable to a valid auth token.
"""  # noqa: E501


def test_a_localstack_that_refuses_its_token_says_so(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(TOKEN, "ls-refused")
    client, run = connect(), run_of_engine.Run.begin()
    try:
        toolbox = Images(client, request.config.getoption("--sandbox-images"), print).ensure("toolbox")
        refuses = 'test "$LOCALSTACK_AUTH_TOKEN" = ls-refused && cat /said && exit 55'
        dockerfile = f"FROM {toolbox}\nCOPY said /said\nENTRYPOINT {json.dumps(['sh', '-c', refuses])}\n"
        context = archives.packed({"Dockerfile": dockerfile.encode(), "said": REFUSED_TOKEN.encode()})
        image = ImageBuilder(client, run).build(BuildRequest(context), print)
        network = networks.create_outlet(client, run, "localstack").name
        resolv_conf = tmp_path / "resolv.conf"
        resolv_conf.write_text("")
        container = Container(
            ContainerOptions(image, run.name("localstack"), run.labels, tmp_path, network, resolv_conf)
        )
        container.start()
        with pytest.raises(SandboxError) as caught:
            container.wait_ready()
        container.close()
    finally:
        sweep.remove_run(client, run.id)
        run.end()
        client.close()
    assert (caught.value.message, caught.value.state) == ("LocalStack ended before it was ready", "exit code 55")
    assert "License activation failed! 🔑❌" in caught.value.log
    assert caught.value.hint.startswith("the token in LOCALSTACK_AUTH_TOKEN was refused")


@pytest.mark.parametrize("line", ["RUN sleep 200 && false", "ENTRYPOINT sleep 200"], ids=["built", "not ready"])
def test_a_localstack_that_is_just_starting_is_not_waited_for_at_the_end(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"ARG BASE\nFROM ${{BASE}}\nLABEL test={uuid.uuid4()}\n{line}\n")
    monkeypatch.setitem(CATALOGUE, "localstack", Component("localstack", "", str(tmp_path), "under test"))
    building = threading.Event()
    server = OwnedServer("auto", progress=lambda text: building.set() if line in text else None)
    assert building.wait(60)
    if line.startswith("ENTRYPOINT"):
        server._made.result(timeout=60)
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < 60
    with contextlib.closing(connect()) as client:
        assert not client.containers.list(filters={"label": f"{LABEL_RUN}={server._run.id}"}, all=True)
        with contextlib.suppress(ImageNotFound):
            client.api.remove_image(catalogue.local_tag("localstack"), force=True)


def test_a_url_where_no_localstack_is_is_refused(web_site: Callable[..., Any]) -> None:
    site = web_site({})
    with pytest.raises(SandboxError, match=r"service events does not answer: ListEventBuses gave HTTP 501"):
        UsersServer(site.url)
    with pytest.raises(SandboxError, match="does not answer"):
        UsersServer("http://127.0.0.1:1")


@pytest.mark.parametrize("aws", ["nonsense", "ftp://127.0.0.1", "https://events.us-east-1.amazonaws.com"])
def test_what_is_no_url_of_a_localstack_is_refused(aws: str) -> None:
    with pytest.raises(SandboxError, match="--aws"), opened(aws):
        pass


def test_a_localstack_of_the_users_own_is_left_as_it_is(
    localstack_server: OwnedServer, request: pytest.FixtureRequest
) -> None:
    images = request.config.getoption("--sandbox-images")
    with opened(localstack_server.connection.url) as own, Sandbox(images=images, localstack=own) as box:
        box.aws("sns").create_topic(Name="kept")
    status, _, body = localstack_server.connection.ask("GET", "/_localstack/health", {})
    assert status == 200, body
    with Sandbox(images=images, localstack=localstack_server) as box:
        topics = box.aws("sns").list_topics()["Topics"]
    assert [topic["TopicArn"].rpartition(":")[2] for topic in topics] == ["kept"]
