"""Attempts of a call whose first answer was lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from sandbox.aws.gateway import Gateway
from sandbox.aws.protocol import AwsError, RequestContext


class Counting:
    """A service whose answers tell how often it has been called; one queue is never there at first."""

    service_name = "events"

    def __init__(self) -> None:
        self.calls = 0

    def create_event_bus(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        self.calls += 1
        if request["Name"] == "later" and self.calls == 1:
            raise AwsError("InternalException", "not now", 500)
        return {"EventBusArn": f"arn:aws:events:us-east-1:123456789012:event-bus/{self.calls}"}


@pytest.fixture
def service() -> Counting:
    return Counting()


@pytest.fixture
def create(service: Counting) -> Iterator[Callable[..., Any]]:
    with Gateway([service]) as gateway:

        def call(name: str, invocation: str, attempt: int = 1) -> Any:
            headers = {
                "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/events/aws4_request",
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "AWSEvents.CreateEventBus",
                "amz-sdk-invocation-id": invocation,
                "amz-sdk-request": f"attempt={attempt}; max=3",
            }
            try:
                with urlopen(Request(gateway.url, json.dumps({"Name": name}).encode(), headers)) as answer:
                    return answer.status, json.load(answer).get("EventBusArn", "")[-1:]
            except HTTPError as error:
                return error.code, ""

        yield call


def test_a_second_attempt_gets_the_first_answer(create: Callable[..., Any], service: Counting) -> None:
    assert create("a", "one") == (200, "1")
    assert create("a", "one", 2) == (200, "1")
    assert service.calls == 1
    assert create("a", "two") == (200, "2")


def test_what_has_failed_is_done_again(create: Callable[..., Any], service: Counting) -> None:
    assert create("later", "one") == (500, "")
    assert create("later", "one", 2) == (200, "2")
    assert service.calls == 2
