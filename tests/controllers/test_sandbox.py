"""The sandbox as a whole: what it shows to whom, and what it keeps apart."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import zipfile

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import daemon
from sandbox.engine.run import LABEL_RUN
from sandbox.errors import SandboxError

pytestmark = pytest.mark.docker

RECORD = {"Type": "A", "TTL": 5}


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(images=request.config.getoption("--sandbox-images")) as sandbox:
        yield sandbox


def upsert(box, zone, name, address):
    record = {"Name": name, **RECORD, "ResourceRecords": [{"Value": address}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    box.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def test_a_process_has_one_sandbox_at_a_time(box):
    with pytest.raises(SandboxError, match="already has a sandbox"):
        Sandbox()


def test_a_record_is_seen_by_the_host_and_by_a_viewer_as_soon_as_the_call_returns(box):
    zone = box.aws("route53").create_hosted_zone(Name="seen.example", CallerReference="1")["HostedZone"]["Id"]
    for address in ("198.51.100.77", "198.51.100.78"):
        upsert(box, zone, "www.seen.example", address)
        assert box.resolve("www.seen.example").values == (address,)
        code, out, _ = box._in_viewer(["getent", "ahostsv4", "www.seen.example"])
        assert (code, out.split()[0]) == (0, address)


def run_in_task(box, script):
    """Run a script as a task of one container; the observation of its end."""
    ecs = box.aws("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="asks",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "asks", "image": box._ground.toolbox, "command": ["sh", "-ec", script]}],
    )
    (task,) = ecs.run_task(
        cluster="c",
        taskDefinition="asks",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": box.subnets}},
    )["tasks"]
    return box.timeline.wait_for(
        "the container to end",
        lambda seen: seen.kind == "container.exited" and seen["task"] == task["taskArn"],
        within=30,
    )


def test_the_endpoint_is_reached_from_the_vpc_by_name_also_with_a_host_prefix(box):
    urls = "$AWS_ENDPOINT_URL/_sandbox/health http://data-x.aws.internal:4566/_sandbox/health"
    exited = run_in_task(box, f"curl -sS --retry 5 --retry-all-errors {urls}; echo; exit 9")
    assert exited["exit_code"] == 9, exited["log"]


def test_a_task_has_the_names_that_the_ecs_agent_gives_it(box):
    exited = run_in_task(box, "getent ahostsv4 localhost | grep -c STREAM; getent hosts $(hostname); cat /etc/hosts")
    once, itself, *hosts = exited["log"]
    assert once == "1"  # nginx: one upstream server, which is never taken for dead
    address, name = itself.split()
    assert name == f"ip-{address.replace('.', '-')}.ec2.internal"
    assert hosts == ["127.0.0.1 localhost", f"{address} {name}"]


def test_the_internet_has_no_way_into_the_vpc_and_neither_out_of_the_sandbox(box):
    # The engine takes its jump to the rules of isolation away for a moment whenever it makes a network, as other tests
    # have it do (libnetwork, EnsureJumpRule): a packet may pass just then, and none does three times.
    for url in ("http://1.1.1.1/", f"http://{box._network.vpc.address(2)}:4566/_sandbox/health"):
        assert 0 in (box.http_get(url, timeout=3).status for _ in range(3)), url


def test_nothing_listens_beside_the_loopback(box):
    ports = (int(box.endpoint_url.rsplit(":", 1)[1]), box.dns_address[1])
    gateway = box._network.vpc.address(1)  # this machine's own address in the VPC
    for port in ports:
        with socket.socket() as client:
            client.settimeout(2)
            assert client.connect_ex((gateway, port)) != 0


def test_no_container_is_privileged_or_has_the_engines_socket(box):
    api = box._containers.client.api
    box._network.viewer()
    for container in api.containers(filters={"label": f"{LABEL_RUN}={box.run_id}"}):
        config = api.inspect_container(container["Id"])["HostConfig"]
        assert not config["Privileged"]
        assert not config["CapAdd"]
        assert not any("docker.sock" in str(mount) for mount in config.get("Mounts") or ())


def test_closing_removes_everything_and_a_next_sandbox_starts_empty(request):
    code = """
import sys
from sandbox.controllers.sandbox import Sandbox
for _ in range(2):
    with Sandbox(images=sys.argv[1]) as box:
        assert box.aws("route53").list_hosted_zones()["HostedZones"] == []
        box.aws("route53").create_hosted_zone(Name="x.example", CallerReference="1")
        box.aws("ecs").create_cluster(clusterName="c")
        assert box.http_get("http://x.example/").status == 0
        print(box.run_id)
"""
    mode = request.config.getoption("--sandbox-images")
    done = subprocess.run([sys.executable, "-c", code, mode], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    client = daemon.connect()
    for run_id in done.stdout.split():
        label = {"label": f"{LABEL_RUN}={run_id}"}
        assert client.api.containers(all=True, filters=label) == []
        assert client.api.networks(filters=label) == []
        assert not client.api.volumes(filters=label)["Volumes"]
    client.close()


ENDLESS = """
import sys
from sandbox.controllers.sandbox import Sandbox
from tests.controllers.instance_fleet import make_group, make_profile, make_template, run

with Sandbox(images=sys.argv[1], speed=20) as box:
    make_profile(box, "node")
    make_template(box, "web", "node", script="#!/bin/sh\\ntouch /begun; sleep 1000")
    make_group(box, "web", 1)
    (instance,) = box.wait_in_service("web", 1)
    box.wait_managed(instance)
    run(box, "while [ ! -e /begun ]; do sleep 0.1; done", InstanceIds=[instance])
"""


def test_user_data_that_never_ends_is_not_waited_for(request):
    images = request.config.getoption("--sandbox-images")
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, images], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_recorded_event_comes_again_as_it_was(box):
    mark = box.timeline.mark()
    box.aws("events").put_events(Entries=[{"Source": "mine", "DetailType": "order", "Detail": '{"n": [1, 2]}'}])
    (first,) = [seen for seen in box.timeline.since(mark) if seen.kind == "event.published"]
    of_ecs = {**first["event"], "source": "aws.ecs", "detail": {"lastStatus": "RUNNING", "version": 3}}
    mark = box.timeline.mark()
    box.replay([first["event"], of_ecs])
    again, forged = [seen for seen in box.timeline.since(mark) if seen.kind == "event.published"]
    assert again.fields == first.fields
    assert (forged["event"], forged["lastStatus"], forged["version"]) == (of_ecs, "RUNNING", 3)


def test_a_topic_posts_to_a_name_of_the_sandbox_and_to_nothing_else(box, small_stack):
    box.stack(str(small_stack()))
    sns = box.aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    mark = box.timeline.mark()
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://small.example.org/")
    told = box.timeline.wait_for("the post", lambda seen: seen.kind == "sns.delivery", within=20, since=mark)
    assert (told["confirmation"], told["error"]) == (True, None)
    mark = box.timeline.mark()
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://192.0.2.1/")
    told = box.timeline.wait_for("the refusal", lambda seen: seen.kind == "sns.delivery", within=20, since=mark)
    assert "is not an address of the sandbox's internet" in told["error"]


def test_what_a_function_logs_is_in_cloudwatch_logs_for_whoever_asks(box):
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): print('hello')")
    box.aws("lambda").create_function(
        FunctionName="says-hello",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/says-hello",
        Handler="app.handler",
        Code={"ZipFile": package.getvalue()},
    )
    box.aws("lambda").invoke(FunctionName="says-hello")
    events = box.aws("logs").filter_log_events(logGroupName="/aws/lambda/says-hello")["events"]
    assert [event["message"].split()[0] for event in events] == ["INIT_START", "START", "hello", "END", "REPORT"]
