"""LocalStack's Lambda with functions in containers, and what is left of them when LocalStack ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from docker.types import Mount

from sandbox.engine import sweep
from tests.compose.localstack.conftest import LocalStack, zipped

pytestmark = pytest.mark.docker

ENGINE = Mount("/var/run/docker.sock", "/var/run/docker.sock", type="bind")
TELLS = """
import os, socket
def handler(event, context):
    print("asked for", event)
    return {"variables": dict(os.environ), "host": socket.gethostname(), "files": os.listdir("."), "event": event}
"""


def start(containers, component, gateway, image):
    """A LocalStack whose functions are containers."""
    environment = {"LAMBDA_RUNTIME_EXECUTOR": "container", "SANDBOX_LAMBDA_IMAGE": image}
    return LocalStack(containers, component("localstack"), gateway, environment, (ENGINE,))


@pytest.fixture(scope="module")
def tag(owned, component):
    """A name of the functions' image, for this module alone."""
    name = owned.run.name("functions")
    owned.client.api.tag(component("localstack-lambda"), name, "1")
    yield f"{name}:1"
    owned.client.api.remove_image(f"{name}:1")


@pytest.fixture(scope="module")
def localstack(owned, component, gateway, tag):
    return start(owned, component, gateway, tag)


def test_a_function_runs_in_a_container_and_sees_what_lambda_promises(localstack):
    localstack.create("tells", TELLS, MemorySize=256, Environment={"Variables": {"TABLE": "orders"}})
    told = localstack.invoke("tells", {"id": 1})
    assert not told.failed, told
    variables = told.payload["variables"]
    assert told.payload["event"] == {"id": 1}
    assert "app.py" in told.payload["files"]
    assert variables["TABLE"] == "orders"
    assert variables["LAMBDA_TASK_ROOT"] == "/var/task"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert not any(name.startswith("LOCALSTACK_RUNTIME") for name in variables)
    [container] = [name for name in localstack.its_containers() if "-lambda-tells-" in name]
    lines = told.log.splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "asked for {'id': 1}"
    assert lines[3].startswith("REPORT RequestId: ")
    localstack.await_logged("tells", "asked for", "REPORT RequestId: ")
    labels = localstack.containers.client.api.inspect_container(container)["Config"]["Labels"]
    assert localstack.containers.run.labels.items() <= labels.items()


def test_errors_time_outs_and_failing_init_phases_are_told_apart(localstack):
    source = """
import threading
def handler(event, context):
    if event == "hang":
        threading.Event().wait()
    raise ValueError("no such order")
"""
    localstack.create("fails", source, Timeout=4)  # in which it starts anew, too
    told = localstack.invoke("fails")
    assert (told.failed, told.payload["errorType"]) == (True, "ValueError")
    told = localstack.invoke("fails", "hang")
    assert told.payload["errorType"] == "Sandbox.Timedout"
    assert "Status: timeout" in told.log
    told = localstack.invoke("fails")  # in the same container
    assert told.payload["errorType"] == "ValueError"
    localstack.create("unable", "import no_such_module\n")
    assert localstack.invoke("unable").payload["errorType"] == "Runtime.ImportModuleError"
    localstack.await_logged("unable", "Phase: init\tStatus: error")


def test_a_function_reaches_the_sandboxs_gateway_by_its_endpoint(localstack):
    source = """
import os, urllib.request
def handler(event, context):
    return urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + event, timeout=10).read().decode()
"""
    localstack.create("asks", source)
    assert localstack.invoke("asks", "/what").payload == "the gateway was asked for /what"


def test_a_function_imports_from_its_layers(localstack):
    package = zipped({"python/shared.py": "VALUE = 1"})
    layer = localstack.client("lambda").publish_layer_version(LayerName="layer", Content={"ZipFile": package})
    localstack.create(
        "layered", "import shared\ndef handler(*_): return shared.VALUE\n", Layers=[layer["LayerVersionArn"]]
    )
    assert localstack.invoke("layered").payload == 1


def test_a_container_ends_in_good_order_when_its_function_is_deleted(localstack, until):
    localstack.create("deleted", TELLS)
    localstack.invoke("deleted")

    def left():
        return [name for name in localstack.its_containers() if "-lambda-deleted-" in name]

    [container] = left()
    api = localstack.containers.client.api
    ended = threading.Event()
    exits: list[str] = []

    def watch() -> None:
        for event in api.events(decode=True, filters={"container": container, "event": "die"}):
            exits.append(event["Actor"]["Attributes"]["exitCode"])
            ended.set()
            return

    threading.Thread(target=watch, daemon=True).start()
    localstack.client("lambda").delete_function(FunctionName="deleted")
    assert ended.wait(30)
    assert exits == ["0"]  # 137 is that of one that took no notice of SIGTERM
    until(lambda: not left(), within=30)


def test_a_missing_image_is_named(localstack, component, tag):
    api = localstack.containers.client.api
    api.remove_image(tag)
    try:
        reason = localstack.failure("imageless", Runtime="python3.12")
    finally:
        api.tag(component("localstack-lambda"), *tag.split(":"))
    assert f"the engine has no image '{tag}'" in reason


def test_nothing_is_left_of_a_localstack_that_is_killed_in_mid_invocation(containers, component, gateway, until):
    localstack = start(containers, component, gateway, component("localstack-lambda"))
    source = """
import os, threading, urllib.request
def handler(event, context):
    urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/begun", timeout=10)
    threading.Event().wait()
"""
    localstack.create("works", source, Timeout=60)
    with ThreadPoolExecutor(1) as pool:
        invocation = pool.submit(localstack.invoke, "works")
        until(lambda: "/begun" in gateway.asked, within=60)
        containers.client.api.kill(localstack.id)
        with pytest.raises((BotoCoreError, ClientError)):
            invocation.result(60)
    assert len(localstack.its_containers()) == 1  # LocalStack had no time to remove it
    prefix = f"{localstack.name}-lambda-"
    swept = sweep.remove_run(containers.client, containers.run.id)
    assert swept.containers == 2
    assert not [
        name
        for container in containers.client.api.containers(all=True)
        for name in container["Names"]
        if prefix in name
    ]
