"""The stack discovery: two services that find each other by Cloud Map, and a page that shows it."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
import yaml

from sandbox import paths
from sandbox.controllers import stack_file
from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.catalogue import component_of
from sandbox.errors import SandboxError

FOLDER = paths.share() / "compose" / "discovery"
PAGE, NAME, GROUP = "http://store.example.com/", "back.shop.local", "/store/back"
FRONTS = sorted(path.name for path in FOLDER.glob("front-*.json"))


@pytest.fixture(scope="module")
def store(request):
    """The stack, with both back tasks HEALTHY in Cloud Map."""
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        sandbox.stack("discovery")
        sandbox.wait_discovered("back", 2)
        yield sandbox


def back_tasks(store):
    return {
        arn.rpartition("/")[2] for arn in store.aws("ecs").list_tasks(cluster="store", serviceName="back")["taskArns"]
    }


@pytest.mark.docker
def test_the_page_shows_who_has_answered_and_the_addresses_of_the_name(store):
    answer = store.http_get(PAGE)
    assert answer.status == 200
    (task,) = re.findall(r"<p>Task <code>(\w{8})</code> in us-east-1[ab]", answer.body)
    assert task in {task[:8] for task in back_tasks(store)}
    addresses = set(re.findall(r"<li><code>([\d.]+)</code>", answer.body))
    assert addresses == set(store.resolve(NAME).values)
    assert len(addresses) == 2


@pytest.mark.docker
def test_the_access_logs_of_both_tasks_show_their_shares(store):
    begun = store.clock.now()
    burst = store.http_burst(PAGE, 40)
    assert (burst.failed, burst.statuses) == (0, Counter({200: 40}))
    events = store.wait_log(GROUP, '"GET /stock"', 40, since=begun)
    shares = Counter(event["logStreamName"].rpartition("/")[2] for event in events)
    assert set(shares) == back_tasks(store)
    assert shares.total() == 40
    assert not store.aws("logs").filter_log_events(logGroupName=GROUP, filterPattern='"/health"')["events"]
    (told,) = [seen for seen in store.timeline.since() if seen.kind == "http.burst"]
    assert (told["requests"], told["failed"], told["statuses"], told["errors"]) == (40, 0, {"200": 40}, {})


@pytest.mark.docker
def test_log_lines_that_do_not_come_are_told_of(store):
    with pytest.raises(SandboxError, match=r"log group /store/back has 0 events .*, and 1 were to come"):
        store.wait_log(GROUP, '"POST /stock"', 1, within=0.1)
    with pytest.raises(SandboxError, match="log group /nowhere has 0 events"):
        store.wait_log("/nowhere", "x", 1, within=0.1)


@pytest.mark.docker
def test_the_answers_have_the_ttls_of_the_stack(store):
    found = store.resolve(NAME)
    assert {record.ttl for record in found.answers} == {10}


@pytest.mark.docker
def test_the_last_instance_takes_the_name_with_it(store):
    discovery = store.aws("servicediscovery")
    (namespace,) = discovery.list_namespaces()["Namespaces"]
    config = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
    service = discovery.create_service(Name="short", NamespaceId=namespace["Id"], DnsConfig=config)["Service"]["Id"]
    instances = {"one": "10.0.0.1", "two": "10.0.0.2"}
    for instance, address in instances.items():
        attributes = {"AWS_INSTANCE_IPV4": address}
        discovery.register_instance(ServiceId=service, InstanceId=instance, Attributes=attributes)
    for instance in instances:
        assert store.resolve("short.shop.local").rcode == "NOERROR"
        discovery.deregister_instance(ServiceId=service, InstanceId=instance)
    gone = store.resolve("short.shop.local")
    assert (gone.rcode, [record.ttl for record in gone.authority]) == ("NXDOMAIN", [15])


@pytest.mark.docker
@pytest.mark.long(15)
def test_up_names_the_page_and_the_service(cli):
    up = cli.start("up", "discovery", "--speed", "10")
    up.wait_for("Ctrl-C", within=120)
    shown = up.out
    assert re.search(r"http://127\.0\.0\.1:\d+/  leads to http://store\.example\.com/", shown)
    assert re.search(r"dig @127\.0\.0\.1 -p \d+ store\.example\.com\n", shown)
    assert re.search(rf"dig @127\.0\.0\.1 -p \d+ {re.escape(NAME)}\n", shown)
    up.interrupt()
    up.end()


def test_the_back_service_is_as_the_issue_has_it():
    calls = stack_file.load("discovery").calls
    (service,) = [
        call.parameters
        for call in calls
        if call.operation == "create_service" and call.parameters.get("Name") == "back"
    ]
    assert service["DnsConfig"]["RoutingPolicy"] == "MULTIVALUE"
    assert service["HealthCheckCustomConfig"] == {"FailureThreshold": 1}
    (container,) = next(
        call.parameters["containerDefinitions"] for call in calls if call.parameters.get("family") == "store-back"
    )
    assert (container["healthCheck"]["interval"], container["healthCheck"]["startPeriod"]) == (5, 60)
    assert container["logConfiguration"]["logDriver"] == "awslogs"
    defaults = stack_file.load("discovery").parameters
    assert (defaults["ttl"], defaults["back_tasks"]) == (10, 2)


@pytest.mark.parametrize("name", FRONTS)
def test_every_front_has_images_of_the_catalogue_and_the_same_application(name):
    front, *beside = json.loads((FOLDER / name).read_text())
    assert (front["name"], front["command"]) == ("front", ["python", "front.py"])
    wanted = set(stack_file.load("discovery").images)
    assert {component_of(container["image"]) for container in [front, *beside]} <= wanted
    told = {item["name"]: item["value"] for item in front["environment"]}
    assert told["NAME"] == NAME
    assert told["BACK"] == ("127.0.0.1:8081" if beside else f"{NAME}:8080")


def test_compose_and_the_task_definition_run_the_same_proxy():
    proxy = json.loads((FOLDER / "front-nginx.json").read_text())[1]
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["proxy"]
    assert service["command"][2].replace("$$", "$") == proxy["command"][2]
    assert service["image"].endswith(f":-{proxy['image']}}}")
