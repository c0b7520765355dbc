"""Reserved concurrency and throttling, as boto3 sees them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUSY = "def handler(event, context):\n    open(event['begun'], 'w').close()\n    return open(event['go']).read()"


class Busy:
    """A function at work until it is told to end."""

    def __init__(self, control: Any, folder: Path, name: str = "f") -> None:
        self._begun, self._go = folder / f"{name}.begun", folder / f"{name}.go"
        os.mkfifo(self._begun)
        os.mkfifo(self._go)
        control.function(BUSY, name, Timeout=60)
        payload = json.dumps({"begun": str(self._begun), "go": str(self._go)}).encode()
        client = control.aws("lambda")
        self._thread = threading.Thread(target=client.invoke, kwargs={"FunctionName": name, "Payload": payload})

    def begin(self) -> None:
        self._thread.start()
        self._begun.read_bytes()

    def end(self) -> None:
        self._go.write_text("done")
        self._thread.join(10)


@pytest.fixture
def busy(control: Any, tmp_path: Path) -> Iterator[Busy]:
    made = Busy(control, tmp_path)
    made.begin()
    yield made
    made.end()


def refused(call: Any, **parameters: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return dict(caught.value.response)


def test_what_is_reserved_is_shown(control: Any) -> None:
    client = control.aws("lambda")
    control.function("def handler(e, c): pass")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="f")
    put = client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=7)
    assert put["ReservedConcurrentExecutions"] == 7
    assert client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 993
    assert settings["AccountUsage"]["FunctionCount"] == 1
    error = refused(client.put_function_concurrency, FunctionName="f", ReservedConcurrentExecutions=901)["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert error["Message"].endswith("UnreservedConcurrentExecution below its minimum value of [100].")
    client.delete_function_concurrency(FunctionName="f")
    assert "Concurrency" not in client.get_function(FunctionName="f")


def test_what_a_deleted_function_had_reserved_is_free(control: Any) -> None:
    client = control.aws("lambda")
    control.function("def handler(e, c): pass")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=7)
    client.delete_function(FunctionName="f")
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_a_synchronous_invocation_is_throttled(control: Any, busy: Busy) -> None:
    client = control.aws("lambda")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    answer = refused(client.invoke, FunctionName="f", Payload=b"{}")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["Type"] == "User"
    control.function("def handler(e, c): return 1", "other")
    assert client.invoke(FunctionName="other")["StatusCode"] == 200


def test_an_asynchronous_one_is_tried_again_until_it_runs(start_control: Any, tmp_path: Path) -> None:
    control = start_control(speed=100)
    busy = Busy(control, tmp_path)
    client = control.aws("lambda")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    busy.begin()
    begun, go = tmp_path / "second.begun", tmp_path / "second.go"
    begun.write_text("")
    go.write_text("second")
    payload = json.dumps({"begun": str(begun), "go": str(go)}).encode()
    client.invoke(FunctionName="f", InvocationType="Event", Payload=payload)
    throttled: list[Any] = []

    def thrice(observation: Any) -> bool:
        if observation.kind == "lambda.throttled":
            throttled.append(observation)
        return len(throttled) == 3

    control.timeline.wait_for("three throttled attempts", thrice, within=20)
    busy.end()
    done = control.timeline.wait_for(
        "the invocation", lambda o: o.kind == "lambda.invocation" and o["payload"] == payload.decode(), within=20
    )
    assert (done["status"], done["attempt"]) == ("Success", 1)
    assert {one["reason"] for one in throttled} == {"ReservedFunctionConcurrentInvocationLimitExceeded"}
    assert {one["request_id"] for one in throttled} == {done["request_id"]}
