"""LocalStack's Lambda with functions that are processes in its container."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compose.localstack.conftest import LocalStack, zipped

pytestmark = pytest.mark.docker

TELLS = """
import os
print("it runs")
def handler(event, context):
    print("asked for", event)
    return {
        "variables": dict(os.environ), "files": os.listdir("."), "function": context.function_name,
        "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(), "event": event,
        "arn": context.invoked_function_arn,
    }
"""


@pytest.fixture(scope="module")
def localstack(owned, component, gateway):
    return LocalStack(owned, component("localstack"), gateway)


def test_a_function_sees_what_lambda_promises(localstack):
    arn = localstack.create(
        "tells", TELLS, MemorySize=256, Timeout=7, Environment={"Variables": {"TABLE": "orders", "HOME": "/mine"}}
    )
    told = localstack.invoke("tells", {"id": 1})
    assert not told.failed, told
    seen = told.payload
    assert seen["event"] == {"id": 1}
    assert (seen["function"], seen["memory"], seen["arn"]) == ("tells", "256", arn)
    assert 0 < seen["left"] <= 7000
    assert "app.py" in seen["files"]
    variables = seen["variables"]
    assert variables["TABLE"] == "orders"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    # nothing of LocalStack's own
    assert not {"PYTHONPATH", "LAMBDA_RUNTIME_EXECUTOR", "SANDBOX_GATEWAY_SOCKET", "SANDBOX_OPT"} & set(variables)


def test_the_log_of_an_invocation_is_as_on_aws_and_in_cloudwatch_logs(localstack):
    localstack.create("logs", TELLS)
    first = localstack.invoke("logs", "a first event").log.splitlines()
    assert first[0] == "it runs"
    assert first[1].startswith("START RequestId: ")
    assert first[1].endswith(" Version: $LATEST")
    assert first[2] == "asked for a first event"
    assert first[3].startswith("END RequestId: ")
    assert "Init Duration: " in first[4]
    again = localstack.invoke("logs", "a second one").log
    assert "it runs" not in again  # it is warm
    assert "Init Duration" not in again
    messages = localstack.await_logged("logs", "a first event", "a second one")
    assert sum(message.startswith("REPORT RequestId: ") for message in messages) == 2


def test_an_error_is_the_functions_own(localstack):
    localstack.create("raises", "def handler(event, context):\n    raise ValueError('no such order')\n")
    told = localstack.invoke("raises")
    assert told.failed
    assert told.payload["errorType"] == "ValueError"
    assert told.payload["errorMessage"] == "no such order"
    assert "app.py" in "".join(told.payload["stackTrace"])
    assert "[ERROR] ValueError: no such order" in told.log


def test_a_function_that_takes_too_long_is_ended_and_starts_anew(localstack):
    source = """
import os, threading
def handler(event, context):
    return os.getpid() if event else threading.Event().wait()
"""
    localstack.create("hangs", source, Timeout=4)  # in which it starts anew, too
    pid = localstack.invoke("hangs", "answer").payload
    told = localstack.invoke("hangs")
    assert told.failed
    assert told.payload["errorType"] == "Sandbox.Timedout"
    assert told.payload["errorMessage"].endswith("Error: Task timed out after 4.00 seconds")
    assert "Status: timeout" in told.log
    anew = localstack.invoke("hangs", "answer")
    assert not anew.failed, anew
    assert anew.payload != pid


def test_an_init_phase_that_fails_tells_why(localstack):
    localstack.create("unable", "import no_such_module\ndef handler(event, context): ...\n")
    told = localstack.invoke("unable")
    assert told.failed
    assert told.payload["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'no_such_module'" in told.payload["errorMessage"]
    localstack.await_logged("unable", "Phase: init\tStatus: error", "No module named 'no_such_module'")


def test_a_function_that_ends_its_process_or_takes_too_much_memory_fails(localstack):
    source = "import os\ndef handler(event, context):\n    os._exit(3) if event == 'exit' else bytearray(400 * 2**20)\n"
    localstack.create("dies", source, MemorySize=128)
    told = localstack.invoke("dies", "exit")
    assert told.payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    told = localstack.invoke("dies", "memory")
    assert told.payload["errorType"] == "Runtime.ExitError"
    assert "Error Type: Runtime.OutOfMemory" in told.log


def test_invocations_at_a_time_are_in_environments_of_their_own(localstack):
    # each waits until the other has begun, too
    source = """
import os, pathlib, time
def handler(event, context):
    folder = pathlib.Path("/tmp/together")
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 3:
        time.sleep(0.01)
    return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
"""
    localstack.create("together", source)
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: localstack.invoke("together"), range(3)))
    assert not any(one.failed for one in told), told
    assert len({one.payload for one in told}) == 3


def test_a_function_imports_from_its_layers_the_last_one_first(localstack):
    client = localstack.client("lambda")
    arns = []
    for number in (1, 2):
        files = {"python/shared.py": f"VALUE = {number}", f"python/only{number}.py": "", "data/text": "of the layer"}
        answer = client.publish_layer_version(LayerName=f"layer{number}", Content={"ZipFile": zipped(files)})
        arns.append(answer["LayerVersionArn"])
    localstack.create("layered", "import shared, only1, only2\ndef handler(*_): return shared.VALUE\n", Layers=arns)
    assert localstack.invoke("layered").payload == 2


FETCHES = """
import os, urllib.request
def handler(event, context):
    return urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + event, timeout=10).read().decode()
"""


def test_a_function_reaches_the_sandboxs_gateway_by_its_endpoint(localstack):
    localstack.create("asks", FETCHES)
    assert localstack.invoke("asks", "/what").payload == "the gateway was asked for /what"


def test_a_functions_own_endpoint_stays(localstack):
    own = {"Variables": {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}}
    localstack.create("asks-localstack", FETCHES, Environment=own)
    told = json.loads(localstack.invoke("asks-localstack", "/_localstack/info").payload)
    assert told["version"] == "4.14.0"


def test_a_function_does_not_reach_what_is_outside(localstack):
    source = "import socket\ndef handler(event, context): socket.create_connection(('203.0.113.1', 80), 1)\n"
    localstack.create("leaves", source)
    told = localstack.invoke("leaves")
    assert told.payload["errorType"] == "OutsideSandboxError"


def test_sns_sqs_and_eventbridge_invoke_a_function(localstack):
    function = localstack.create("hears", "def handler(event, context): print(event)\n")
    sns, sqs, events = (localstack.client(name) for name in ("sns", "sqs", "events"))
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    localstack.client("lambda").create_event_source_mapping(FunctionName="hears", EventSourceArn=arn)
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["test.orders"]}))
    events.put_targets(Rule="rule", Targets=[{"Id": "function", "Arn": function}])
    sns.publish(TopicArn=topic, Message="by SNS")
    sqs.send_message(QueueUrl=queue, MessageBody="by SQS")
    events.put_events(Entries=[{"Source": "test.orders", "DetailType": "made", "Detail": '{"way": "by EventBridge"}'}])
    localstack.await_logged("hears", "by SNS", "by SQS", "by EventBridge")


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import os\ndef handler(*_): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n", "READY"),
        ("import no_such_module\n", "FAILED"),
    ],
)
def test_provisioned_concurrency_waits_for_the_init_phase(localstack, until, source, status):
    client = localstack.client("lambda")
    name = f"provisioned-{status.lower()}"
    localstack.create(name, source)
    version = client.publish_version(FunctionName=name)["Version"]
    which = {"FunctionName": name, "Qualifier": version}
    localstack.await_state(f"{name}:{version}", State="Active")
    client.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=1)
    until(lambda: client.get_provisioned_concurrency_config(**which)["Status"] != "IN_PROGRESS", within=60)
    assert client.get_provisioned_concurrency_config(**which)["Status"] == status
    if status == "READY":
        assert localstack.invoke(f"{name}:{version}").payload == "provisioned-concurrency"


def test_new_code_is_what_the_next_invocation_runs(localstack):
    localstack.create("changes", "def handler(event, context): return 'old'\n")
    assert localstack.invoke("changes").payload == "old"
    code = zipped({"app.py": "def handler(event, context): return 'new'\n"})
    localstack.client("lambda").update_function_code(FunctionName="changes", ZipFile=code)
    localstack.await_state("changes", LastUpdateStatus="Successful")
    assert localstack.invoke("changes").payload == "new"


def test_a_deleted_functions_process_ends(localstack, until):
    localstack.create("deleted", "import os\ndef handler(event, context): return os.getpid()\n")
    pid = localstack.invoke("deleted").payload

    def gone():
        return localstack.containers.execute(localstack.id, ["test", "-d", f"/proc/{pid}"])[0] != 0

    assert not gone()
    localstack.client("lambda").delete_function(FunctionName="deleted")
    until(gone, within=30)


def test_what_cannot_be_run_is_refused_by_name(localstack):
    assert "runtime nodejs20.x is not carried out" in localstack.failure("in-javascript", Runtime="nodejs20.x")
