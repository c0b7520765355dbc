"""Each fault in real containers: what it does, and that it is gone when it has ended. One small stack for all."""

from __future__ import annotations

import io
import json
import tarfile
import time
import uuid
import zipfile

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import daemon
from sandbox.engine.run import LABEL_RUN
from sandbox.errors import SandboxError
from sandbox.faults import faketime
from tests.conftest import make_small_stack

pytestmark = pytest.mark.docker

SPEED = 10


class Site:
    """The small stack: a service of one task with nginx and a container with tools."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.timeline = sandbox.timeline
        self.balancer = ""

    def task(self, *, since=0):
        """The newest task that is RUNNING, of those that came to be so after a mark."""
        self.timeline.wait_for("a task", _runs, within=60, since=since)
        return self.tasks(since=since)[-1]

    def tasks(self, *, since=0):
        """The tasks that are RUNNING, the newest last."""
        last = {seen["task"]: seen for seen in self.timeline.since(since) if seen.kind == "task.state"}
        return [seen for seen in last.values() if _runs(seen)]

    @property
    def url(self):
        return f"http://{self.task()['public_ip']}/"

    def get(self, timeout=1.0):
        return self.sandbox.http_get(self.url, timeout=timeout)

    def serves(self):
        """Whether it answers as ever."""
        return self.sandbox.http_get_until(self.url, status=200, within=30).status == 200

    def in_tools(self, *command):
        return self.sandbox.execute(self.task()["task"], "tools", command)

    def told(self, kind, since=0, **facts):
        found = [seen for seen in self.timeline.since(since) if seen.kind == kind]
        return [seen for seen in found if all(seen[name] == value for name, value in facts.items())]


def _runs(seen):
    return seen.kind == "task.state" and (seen["last_status"], seen["desired_status"]) == ("RUNNING", "RUNNING")


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    stack = make_small_stack(tmp_path_factory.mktemp("faults") / "small")
    file = stack.folder / "taskdef.json"
    definition = json.loads(file.read_text())
    tools = {"name": "tools", "image": "aws-container-sandbox/toolbox", "entryPoint": ["tini", "--"]}
    definition["containerDefinitions"].append({**tools, "command": ["sleep", "infinity"], "essential": False})
    file.write_text(json.dumps(definition))
    with Sandbox(images=request.config.getoption("--sandbox-images"), speed=SPEED) as sandbox:
        sandbox.stack(str(stack))
        yield Site(sandbox)


def test_latency_delays_what_the_task_answers(site):
    with site.sandbox.fault("latency", "service:small", milliseconds=1500):
        answer = site.get(timeout=20)
        assert answer.status == 200
        assert answer.seconds >= 1.5
        with pytest.raises(SandboxError):
            site.sandbox.fault("latency", "service:small")
    assert min(site.get(timeout=20).seconds for _ in range(3)) < 1.5


def test_latency_delays_what_the_task_asks(site):
    ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", "http://aws.internal:4566/"]

    def seconds():
        code, out, err = site.in_tools(*ask)
        assert code == 0, err
        return float(out.split()[1])

    with site.sandbox.fault("latency", f"task:{site.task()['task']}", milliseconds=1500):
        assert seconds() >= 1.5
    assert min(seconds() for _ in range(3)) < 1.5


def test_latency_leaves_what_is_sent_as_it_is(site):
    serve = "socat -u SYSTEM:'seq 1500000' TCP-LISTEN:8081,reuseaddr"  # 10 MB: more than a relay keeps at a time
    site.in_tools("sh", "-c", f'nohup {serve} >/dev/null 2>&1 & until ss -ltn | grep -q ":8081 "; do :; done')
    address = site.task()["public_ip"]
    with (
        site.sandbox.fault("latency", "service:small", milliseconds=50),
        site.sandbox._internet.connect(address, 8081, 20) as connection,
    ):
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received == "".join(f"{number}\n" for number in range(1, 1_500_001)).encode()


def test_lost_packets(site):
    with site.sandbox.fault("loss", "service:small", percent=100):
        answer = site.get()
        assert (answer.status, answer.error) == (0, "timed out")
    assert site.serves()


def test_a_port_that_drops_and_one_that_refuses(site):
    with site.sandbox.fault("port-closed", "service:small"):
        assert site.get().error == "timed out"
        assert site.in_tools("curl", "-s", "http://localhost/")[0] == 0  # the task itself is well
    assert site.serves()
    with site.sandbox.fault("port-closed", "service:small", mode="reject"):
        assert site.get().error == "connection refused"
    assert site.serves()
    with site.sandbox.fault("port-closed", "service:small", port=81):
        assert site.get(timeout=20).status == 200


def test_an_application_that_answers_errors(site):
    with site.sandbox.fault("origin-5xx", "service:small", status=502):
        assert site.get(timeout=20).status == 502
        with pytest.raises(SandboxError, match="has a fault of this kind already"):
            site.sandbox.fault("origin-5xx", "service:small")
        assert site.get(timeout=20).status == 502
    assert site.serves()


def test_faults_of_one_task_do_not_end_each_other(site):
    with site.sandbox.fault("origin-5xx", "service:small"):
        with site.sandbox.fault("port-closed", "service:small"):
            assert site.get().error == "timed out"
        assert site.get(timeout=20).status == 503
    assert site.serves()


def test_a_task_that_stands_still(site):
    with site.sandbox.fault("pause", "service:small/nginx"):
        answer = site.get()
        assert (answer.status, answer.error) == (0, "timed out")
    assert site.serves()


def test_a_fault_of_a_service_is_for_all_its_tasks_or_for_so_many(site):
    ecs = site.sandbox.aws("ecs")
    mark = site.timeline.mark()
    ecs.update_service(cluster="small", service="small", desiredCount=2)
    site.task(since=mark)
    urls = [f"http://{task['public_ip']}/" for task in site.tasks()]
    assert len(urls) == 2
    assert all(site.sandbox.http_get_until(url, within=30).status == 200 for url in urls)

    def statuses():
        return sorted(site.sandbox.http_get(url, timeout=2).status for url in urls)

    with site.sandbox.fault("origin-5xx", "service:small"):
        assert statuses() == [503, 503]
    with site.sandbox.fault("pause", "service:small/nginx"):
        assert statuses() == [0, 200]
    with site.sandbox.fault("pause", "service:small/nginx", tasks=0):
        assert statuses() == [0, 0]
    assert all(site.sandbox.http_get_until(url, within=30).status == 200 for url in urls)
    mark = site.timeline.mark()
    ecs.update_service(cluster="small", service="small", desiredCount=1)
    site.timeline.wait_for(
        "one to be STOPPED", lambda seen: seen.get("last_status") == "STOPPED", within=60, since=mark
    )
    assert len(site.tasks()) == 1


def test_a_load_balancer_that_nobody_reaches(site):
    elb = site.sandbox.aws("elbv2")
    made = elb.create_load_balancer(
        Name="web", Subnets=site.sandbox.subnets, SecurityGroups=[site.sandbox.security_group]
    )["LoadBalancers"][0]
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain"}}
    elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[fixed])
    url = f"http://{made['DNSName']}/"
    assert site.sandbox.http_get_until(url, within=30).status == 200
    with site.sandbox.fault("port-closed", "balancer:web", mode="reject"):
        assert site.sandbox.http_get(url).error == "connection refused"
    assert site.sandbox.http_get_until(url, within=30).status == 200
    with site.sandbox.fault("latency", "balancer:web", milliseconds=800):
        slow = site.sandbox.http_get(url, timeout=20)
        assert (slow.status, slow.seconds >= 0.8) == (200, True)


def test_dns_that_does_not_see_changes(site):
    route53 = site.sandbox.aws("route53")
    (zone,) = route53.list_hosted_zones()["HostedZones"]

    def point(name, address):
        record = {"Name": name, "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": address}]}
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": [change]})

    def seen(name):
        return list(site.sandbox.resolve(name).values)

    point("stale.example.org", "192.0.2.1")
    with (
        site.sandbox.fault("dns-stale", "name:Stale.Example.org."),
        site.sandbox.fault("dns-stale", "name:new.example.org"),
    ):
        for name in ("stale", "new", "other"):
            point(f"{name}.example.org", "192.0.2.2")
        assert seen("stale.example.org") == ["192.0.2.1"]
        assert seen("new.example.org") == []
        assert seen("other.example.org") == ["192.0.2.2"]
        assert site.in_tools("getent", "hosts", "stale.example.org")[1].split()[:1] == ["192.0.2.1"]
    assert seen("stale.example.org") == ["192.0.2.2"]
    assert seen("new.example.org") == ["192.0.2.2"]


@pytest.fixture(scope="module")
def orders(site):
    """Publishes an event that a rule with a queue matches, and returns its id."""
    events, sqs = site.sandbox.aws("events"), site.sandbox.aws("sqs")
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="orders", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="orders", Targets=[{"Id": "queue", "Arn": arn}])

    def put():
        entry = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
        return events.put_events(Entries=[entry])["Entries"][0]["EventId"]

    return put


def delivered(site, event, times=1):
    """Wait until an event has been delivered so often."""
    count = 0

    def enough(seen):
        nonlocal count
        count += seen.kind == "event.delivered" and seen["id"] == event
        return count >= times

    return site.timeline.wait_for(f"event {event} {times} times", enough, within=30)


def test_an_event_that_comes_twice(site, orders):
    with site.sandbox.fault("event-duplicate", "rule:orders"):
        twice = orders()
        delivered(site, twice, 2)
    once = orders()
    delivered(site, once)
    assert [len(site.told("event.delivered", id=one)) for one in (twice, once)] == [2, 1]
    (disturbed,) = site.told("event.disturbed", id=twice)
    assert disturbed["delays"] == [0.0, 0.0]


def test_an_event_that_comes_late(site, orders):
    with site.sandbox.fault("event-delay", "rule:orders", seconds=20):
        late = orders()
    prompt = orders()
    second = delivered(site, late)
    assert second.at - site.told("event.published", id=late)[0].at >= 20 / SPEED
    assert delivered(site, prompt).at < second.at


def test_an_event_that_never_comes(site, orders):
    with site.sandbox.fault("event-drop", "rule:orders"):
        lost = orders()
    delivered(site, orders())
    assert site.told("event.delivered", id=lost) == []
    assert [seen["delays"] for seen in site.told("event.disturbed", id=lost)] == [[]]


def test_a_task_whose_containers_are_killed_is_replaced(site):
    old, mark = site.task()["task"], site.timeline.mark()
    with site.sandbox.fault("kill", "service:small/nginx"):
        exited = site.timeline.wait_for(
            "its end", lambda seen: seen.kind == "container.exited" and seen["task"] == old, within=30
        )
        assert (exited["container"], exited["exit_code"]) == ("nginx", 137)
    site.task(since=mark)
    assert site.serves()


def test_a_container_that_is_stopped_ends_by_itself(site):
    old, mark = site.task()["task"], site.timeline.mark()
    site.sandbox.fault("stop", f"task:{old.rpartition('/')[2][:12]}/nginx")
    exited = site.timeline.wait_for(
        "its end", lambda seen: seen.kind == "container.exited" and seen["task"] == old, within=30
    )
    assert (exited["container"], exited["exit_code"]) == ("nginx", 0)
    site.task(since=mark)
    assert site.serves()


def test_containers_that_start_late_and_what_waits_is_let_go_at_the_end(site):
    def replacement(old):
        mark = site.timeline.mark()
        site.sandbox.aws("ecs").stop_task(cluster="small", task=old)
        return mark, site.timeline.wait_for(
            "the replacement to be PENDING",
            lambda seen: seen.kind == "task.state" and seen["last_status"] == "PENDING",
            within=60,
            since=mark,
        )

    with site.sandbox.fault("slow-boot", "service:small", seconds=30):
        mark, pending = replacement(site.task()["task"])
        running = site.task(since=mark)
        assert running["task"] == pending["task"]
        assert running.at - pending.at >= 30 / SPEED
    fault = site.sandbox.fault("slow-boot", "service:small", seconds=3600)
    mark, pending = replacement(running["task"])
    fault.end()
    assert site.task(since=mark)["task"] == pending["task"]  # within 60 s; its time would have been 360 s


# curl signs by its own clock, as an SDK does.
ASK_AWS = (
    *("curl", "--silent", "--aws-sigv4", "aws:amz:us-east-1:sts", "--user", "sandbox:sandbox"),
    *("--data", "Action=GetCallerIdentity&Version=2011-06-15", "http://aws.internal:4566/"),
)


def test_a_clock_that_is_off_is_seen_by_new_containers_and_refused_by_aws(site):
    def ahead(container="tools"):
        code, out, err = site.sandbox.execute(site.task()["task"], container, ["date", "+%s"])
        assert code == 0, err
        return float(out) - time.time()

    def right(container="tools"):
        return abs(ahead(container)) < 5

    mark = site.timeline.mark()
    with site.sandbox.fault("clock-skew", "service:small/tools", seconds=-600):
        assert right()  # what runs already keeps its clock
        site.sandbox.aws("ecs").stop_task(cluster="small", task=site.task()["task"])
        site.task(since=mark)
        assert abs(ahead() + 600) < 5
        assert right("nginx")
        # The clock alone is off: what waits for a time to pass does so.
        assert site.in_tools("timeout", "20", "sleep", "0.1")[0] == 0
        refused = site.in_tools(*ASK_AWS)[1]
        assert "<Code>SignatureDoesNotMatch</Code>" in refused
        assert "Signature expired: " in refused
    # The same container: its clock is right again within a second.
    deadline = time.monotonic() + 20
    while not right():
        assert time.monotonic() < deadline, ahead()
    assert "<GetCallerIdentityResult>" in site.in_tools(*ASK_AWS)[1]
    assert site.told("fault.missed", mark) == []
    assert site.serves()


def test_the_clock_of_an_image_without_the_gnu_c_library_cannot_be_put_wrong(site, tmp_path):
    # The fault asks of a running container's image; here it is told of one that has no C library at all.
    client = daemon.connect()
    archive = tmp_path / "empty.tar"
    with tarfile.open(archive, "w"):
        pass
    image = client.api.import_image(src=str(archive), repository=f"acs-test-{uuid.uuid4().hex[:12]}")
    reference = f"sha256:{json.loads(image)['status'].removeprefix('sha256:')}"
    try:
        assert "no GNU C library" in faketime.why_not(site.sandbox._faults._reach, reference)
    finally:
        client.api.remove_image(reference, force=True)
        client.close()


CLOCK = """\
import time
import boto3


def handler(event, context):
    boto3.client("ecs").list_clusters()
    return time.time()
"""


def test_a_function_whose_clock_is_off_is_refused_by_aws(site):
    functions = site.sandbox.aws("lambda")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CLOCK)
    functions.create_function(
        FunctionName="clock",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/nobody",
        Handler="app.handler",
        Timeout=20,
        Code={"ZipFile": packed.getvalue()},
    )

    def asked():
        answer = functions.invoke(FunctionName="clock")
        return json.loads(answer["Payload"].read())

    assert abs(asked() - time.time()) < 5
    with site.sandbox.fault("clock-skew", "function:clock", seconds=600):
        assert "InvalidSignatureException" in asked()["errorMessage"]
        assert "Signature not yet current: " in asked()["errorMessage"]
    with site.sandbox.fault("clock-skew", "function:clock", seconds=240):
        assert abs(asked() - time.time() - 240) < 5  # AWS bears as much
    assert abs(asked() - time.time()) < 5
    functions.delete_function(FunctionName="clock")


@pytest.mark.parametrize(
    ("name", "target", "there_is"),
    [
        ("latency", "service:shop", "service:small"),
        ("latency", "task:ffff", "task:"),
        ("loss", "balancer:nope", "there are: "),
        ("dns-stale", "name:www.example.net", "small.example.org"),
        ("slow-boot", "service:shop", "service:small"),
        ("clock-skew", "service:small/app", "nginx, tools"),
        ("clock-skew", "function:nope", "there are: function:"),
        ("event-drop", "rule:nope", "rule:running"),
        ("kill", "service:small/app", "nginx, tools"),
        ("pause", "service:small/app", "nginx, tools"),
        ("loss", "service:small/nginx", "service:small"),
    ],
)
def test_an_unknown_target_is_an_error_that_names_those_that_there_are(site, name, target, there_is):
    mark = site.timeline.mark()
    with pytest.raises(SandboxError) as refused:
        site.sandbox.fault(name, target)
    assert there_is in refused.value.hint
    assert [seen for seen in site.timeline.since(mark) if seen.kind.startswith("fault.")] == []


def test_what_is_recorded(site):
    mark = site.timeline.mark()
    with site.sandbox.fault("loss", "service:small", percent="5") as begun:
        begun.end()
    facts = {"fault": begun.id, "name": "loss", "target": "service:small", "options": {"percent": 5}}
    seen = [(one.kind, dict(one.fields)) for one in site.timeline.since(mark) if one.kind.startswith("fault.")]
    assert seen == [("fault.begun", facts), ("fault.ended", facts)]


def test_the_end_of_the_sandbox_ends_its_faults(site):
    """The last test of the module: it closes the sandbox."""
    for name in ("pause", "latency", "origin-5xx"):
        site.sandbox.fault(name, "service:small")
    mark = site.timeline.mark()
    site.sandbox.close()
    assert {one["name"] for one in site.told("fault.ended", mark)} == {"pause", "latency", "origin-5xx"}
    client = daemon.connect()
    label = f"{LABEL_RUN}={site.sandbox.run_id}"
    assert client.api.containers(all=True, filters={"label": label}) == []
    client.close()
