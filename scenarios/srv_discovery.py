"""Tasks in bridge mode, found by DNS: an address alone is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

CLUSTER, SERVICE, NAMESPACE = "chat", "app", "chat.local"
TASKS, CONTAINER_PORT = 2, 5000
# What a client in the VPC does, in a container that has Python; and what the container itself is asked until it serves.
_ASK = (
    "import sys, urllib.request as u\n"
    "try: print(u.urlopen(sys.argv[1], timeout=5).status)\n"
    "except OSError as e: print(getattr(e, 'reason', e))"
)
_SERVES = (
    "import sys, time, urllib.request as u\n"
    "for _ in range(300):\n"
    "    try: sys.exit(u.urlopen(sys.argv[1], timeout=1).status != 200)\n"
    "    except OSError: time.sleep(0.1)\n"
    "sys.exit('it does not serve')"
)


def play(play: Play) -> None:
    """Start two tasks of one service on one instance, and reach them by what DNS says."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    refused = _try_with_address_records(play)
    registry = _registry(play, "SRV")
    sandbox.progress(f"starting {TASKS} tasks in bridge mode")
    ecs.create_service(serviceRegistries=[_in_registry(registry)], **_service())
    registered: set[str] = set()

    def complete(seen: Observation) -> bool:
        if seen.kind == "cloudmap.instance" and seen["change"] == "registered":
            registered.add(seen["instance"])
        return len(registered) == TASKS

    sandbox.timeline.wait_for("the tasks to be registered with Cloud Map", complete, within=90, since=0)
    tasks = ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"]
    for task in tasks:
        sandbox.progress("waiting for the application in the task's own container")
        code, _, err = sandbox.execute(
            task, "app", ["python", "-c", _SERVES, f"http://127.0.0.1:{CONTAINER_PORT}/health"]
        )
        if code:
            raise SandboxError(f"the application of task {task} does not serve", state=err.strip())
    found = sandbox.resolve(f"{SERVICE}.{NAMESPACE}", "SRV")
    for value in sorted(found.values):
        _, _, port, target = value.split()
        (address,) = sandbox.resolve(target.rstrip(".")).values
        tried = int(port) if play.variant.settings["by"] == "SRV" else CONTAINER_PORT
        url = f"http://{address}:{tried}/health"
        sandbox.progress(f"asking for {url}")
        _, out, err = sandbox.execute(tasks[0], "app", ["python", "-c", _ASK, url], prints=True)
        sandbox.timeline.record("reached", url=url, answer=(out or err).strip(), srv=value, refused=refused)


def _try_with_address_records(play: Play) -> str:
    """What ECS says of A records in bridge mode."""
    try:
        play.sandbox.aws("ecs").create_service(
            serviceRegistries=[{"registryArn": _registry(play, "A")}], **{**_service(), "serviceName": "by-address"}
        )
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    return ""


def _service() -> dict[str, Any]:
    return {
        "cluster": CLUSTER,
        "serviceName": SERVICE,
        "taskDefinition": "app-bridge",
        "desiredCount": TASKS,
        "launchType": "EC2",
    }


def _in_registry(registry: str) -> dict[str, Any]:
    return {"registryArn": registry, "containerName": "app", "containerPort": CONTAINER_PORT}


def _registry(play: Play, record_type: str) -> str:
    discovery = play.sandbox.aws("servicediscovery")
    namespaces = {item["Name"]: item["Id"] for item in discovery.list_namespaces()["Namespaces"]}
    if NAMESPACE not in namespaces:
        made = discovery.create_private_dns_namespace(Name=NAMESPACE, Vpc=play.sandbox.vpc)
        operation = discovery.get_operation(OperationId=made["OperationId"])["Operation"]
        namespaces[NAMESPACE] = operation["Targets"]["NAMESPACE"]
    service = discovery.create_service(
        Name=SERVICE if record_type == "SRV" else "by-address",
        NamespaceId=namespaces[NAMESPACE],
        DnsConfig={"DnsRecords": [{"Type": record_type, "TTL": 10}]},
        HealthCheckCustomConfig={"FailureThreshold": 1},
    )
    return str(service["Service"]["Arn"])


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a task cannot be reached."""
    reached = [seen for seen in observations if seen.kind == "reached"]
    facts = [f"SRV {seen['srv']}; {seen['url']}: {seen['answer']}" for seen in reached]
    facts.append(f"ECS, of a registry with A records: {reached[0]['refused']}")
    return Verdict(any(seen["answer"] != "200" for seen in reached), tuple(facts))


SCENARIO = Scenario(
    name="srv-discovery",
    stack="socketio-ec2",
    symptom="A service in bridge mode is found by its name, and every connection to it is refused.",
    cause=(
        "In bridge mode a task is at its instance's address, at a host port that is another one each time. An A record "
        "has no port, so clients take the container's, where nobody listens."
    ),
    fix="Register the service with SRV records (containerName and containerPort) and let clients ask for those.",
    variants=(
        Variant(
            "address-and-container-port",
            "reproduces",
            "the instance's address, with the port of the task definition",
            settings={"by": "A"},
        ),
        Variant("srv", "holds", "address and port of the SRV records", settings={"by": "SRV"}),
    ),
    play=play,
    judge=judge,
)
