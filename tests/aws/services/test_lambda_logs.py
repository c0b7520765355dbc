"""What functions log, as CloudWatch Logs shows it through boto3."""

from __future__ import annotations

import re
from typing import Any

NOISY = (
    "import logging\nprint('loading')\n"
    "def handler(event, context):\n    print('one')\n    print('two')\n    return event"
)


def messages(control: Any, group: str = "/aws/lambda/f") -> list[str]:
    assert control.logs.flush()
    return [e["message"] for e in control.aws("logs").filter_log_events(logGroupName=group)["events"]]


def test_an_invocation_s_lines_are_events(control: Any) -> None:
    control.function(NOISY)
    control.aws("lambda").invoke(FunctionName="f")
    init, loading, start, one, two, end, report = messages(control)
    assert re.fullmatch(r"INIT_START Runtime Version: python:3\.12\.v\d+\tRuntime Version ARN: arn:aws:\S+\n", init)
    assert loading == "loading\n"
    assert re.fullmatch(r"START RequestId: (\S{36}) Version: \$LATEST\n", start)
    assert (one, two) == ("one\n", "two\n")
    assert end == start.replace("START", "END").replace(" Version: $LATEST", "")
    assert re.fullmatch(
        r"REPORT RequestId: \S{36}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n",
        report,
    )


def test_each_environment_has_a_stream_of_its_own(control: Any) -> None:
    control.function("import os\ndef handler(e, c):\n    return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']", "f")
    client = control.aws("lambda")
    first = client.invoke(FunctionName="f")["Payload"].read().decode().strip('"')
    assert client.invoke(FunctionName="f")["Payload"].read().decode().strip('"') == first
    client.update_function_configuration(FunctionName="f", Timeout=5)
    second = client.invoke(FunctionName="f")["Payload"].read().decode().strip('"')
    assert control.logs.flush()
    streams = control.aws("logs").describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"]
    assert {stream["logStreamName"] for stream in streams} == {first, second}
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", first)
    events = control.aws("logs").get_log_events(logGroupName="/aws/lambda/f", logStreamName=first, startFromHead=True)[
        "events"
    ]
    assert [e["message"].split()[0] for e in events] == [
        "INIT_START",
        "START",
        "END",
        "REPORT",
        "START",
        "END",
        "REPORT",
    ]
    assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)


def test_an_error_is_one_event(control: Any) -> None:
    control.function("def handler(event, context):\n    raise KeyError('x')")
    control.aws("lambda").invoke(FunctionName="f")
    (error,) = [m for m in messages(control) if "KeyError" in m]
    assert error.startswith("[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n")
    assert error.endswith("raise KeyError('x')\n")


def test_lines_are_there_while_the_function_still_runs(control: Any) -> None:
    control.function("def handler(e, c):\n    print('begun', flush=True)\n    while True: pass", Timeout=60)
    control.aws("lambda").invoke(FunctionName="f", InvocationType="Event")
    seen: list[str] = []
    for _ in range(200):
        if "begun\n" in seen:
            break
        control.logs.flush()
        if control.aws("logs").describe_log_groups()["logGroups"]:
            seen = messages(control)
    assert "begun\n" in seen
    assert not any(message.startswith("REPORT") for message in seen)


def test_a_log_group_of_one_s_own(control: Any) -> None:
    control.function(NOISY, LoggingConfig={"LogGroup": "/mine"})
    shown = control.aws("lambda").get_function_configuration(FunctionName="f")
    assert shown["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/mine"}
    control.aws("lambda").invoke(FunctionName="f")
    assert "one\n" in messages(control, "/mine")
    groups = control.aws("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/mine"]
