"""The Runtime API, spoken to as a runtime does."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from sandbox.aws.lambda_runtime.api import Invocation, RuntimeApi, Said

PREFIX = "/2018-06-01/runtime"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    yield api
    api.close()


def ask(
    api: RuntimeApi, method: str, path: str, body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(api.address, timeout=5)
    connection.request(method, PREFIX + path, body)
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def test_an_invocation(api: RuntimeApi) -> None:
    api.hand_out(Invocation("id-1", b'{"a": 1}', 12.5, "arn:f", "Root=1-x", '{"custom": {}}'))
    status, headers, body = ask(api, "GET", "/invocation/next")
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert headers["Lambda-Runtime-Deadline-Ms"] == "12500"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:f"
    assert headers["Lambda-Runtime-Trace-Id"] == "Root=1-x"
    assert headers["Lambda-Runtime-Client-Context"] == '{"custom": {}}'
    assert ask(api, "POST", "/invocation/id-1/response", b"2")[0] == 202
    assert [api.said.get(timeout=1) for _ in range(2)] == [Said("ready"), Said("response", "id-1", b"2")]


def test_an_answer_to_what_was_not_asked(api: RuntimeApi) -> None:
    assert ask(api, "POST", "/invocation/other/response", b"2")[0] == 400
    assert ask(api, "POST", "/invocation/other/nothing", b"2")[0] == 404
    assert ask(api, "GET", "/nothing")[0] == 404
    assert api.said.empty()


def test_an_initialisation_that_failed(api: RuntimeApi) -> None:
    assert ask(api, "POST", "/init/error", b"{}")[0] == 202
    assert api.said.get(timeout=1) == Said("init/error", body=b"{}")


def test_closing_twice(api: RuntimeApi) -> None:
    api.close()
    api.close()
