"""The same probes on both backends: each does what the table of differences says, and the docs have that table."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config
from localstack_client.session import Session

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.embedded import Embedded
from sandbox.clock import RealClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.controllers.localstack_server import OwnedServer
from sandbox.timeline import Timeline
from tests.aws.backends.differences import DIFFERENCES, Difference, Place

DOCUMENT = Path(__file__).parents[3] / "docs" / "localstack.md"
IDS = [f"{one.service}-{number}" for number, one in enumerate(DIFFERENCES)]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    backend, clock, folder = Embedded(), RealClock(), tmp_path_factory.mktemp("e")
    (folder / "sockets").mkdir()

    def connect(host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((host, port), timeout=timeout)

    plane = ControlPlane(backend, folder, clock, Timeline(clock), connect, lambda here: plane.gateway.url)
    yield Place(plane.aws, plane.gateway.url)
    plane.close()
    backend.reset()
    clock.close()


@pytest.fixture(scope="module")
def localstack(localstack_server: OwnedServer) -> Iterator[Place]:
    """LocalStack itself, without the gateway in front of it."""
    url = localstack_server.connection.url
    session = Session(ACCOUNT_ID, "any", region_name=REGION, localstack_host=url.removeprefix("http://"))
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={})
    yield Place(lambda service: session.client(service, config=config), url)
    localstack_server.forget()


@pytest.mark.parametrize("difference", DIFFERENCES, ids=IDS)
def test_the_embedded_backend(difference: Difference, embedded: Place) -> None:
    assert difference.probe(embedded) == difference.embedded


@pytest.mark.docker
@pytest.mark.parametrize("difference", DIFFERENCES, ids=IDS)
def test_localstack(difference: Difference, localstack: Place) -> None:
    assert difference.probe(localstack) == difference.localstack


def test_the_documentation_has_the_table() -> None:
    text = DOCUMENT.read_text()
    missing = [one.row() for one in DIFFERENCES if one.row() not in text]
    assert missing == []


def test_each_row_is_a_difference() -> None:
    assert [one.what for one in DIFFERENCES if one.embedded == one.localstack] == []
