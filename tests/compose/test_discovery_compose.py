"""The compose.yaml of compose/discovery by itself: plain Docker Compose, no sandbox."""

from __future__ import annotations

import re
import secrets
import time

import pytest
import requests
from testcontainers.compose import DockerCompose

from sandbox import paths
from sandbox.engine import compose_plugin, daemon
from sandbox.engine.images import Images

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "discovery"


@pytest.fixture
def page(request, tmp_path):
    """The page's URL on 127.0.0.1."""
    client = daemon.connect()
    images = Images(client, request.config.getoption("--sandbox-images"), lambda text: None)
    if compose_plugin.find() is None:
        compose_plugin.extract(client, images.ensure("compose-plugin"))
    command = compose_plugin.find()
    assert command is not None
    settings = {
        "COMPOSE_PROJECT_NAME": f"discovery-{secrets.token_hex(4)}",
        "APP_IMAGE": images.ensure("discovery"),
        "NGINX_IMAGE": images.ensure("nginx"),
        "DISCOVERY_PORT": "0",  # any free one
    }
    client.close()
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    with DockerCompose(FOLDER, "compose.yaml", env_file=str(env_file), docker_command_path=command[0], wait=True) as up:
        publisher = up.get_container("front").get_publisher(by_port=5000)
        assert publisher.URL == "127.0.0.1"
        yield f"http://127.0.0.1:{publisher.PublishedPort}/"


def test_the_page_comes_from_two_containers_with_one_name(page):
    deadline = time.monotonic() + 30
    answered = set()
    while len(answered) < 2:
        answer = requests.get(page, timeout=10)
        answered |= set(re.findall(r"<p>Task <code>(\w+)</code>", answer.text))
        assert time.monotonic() < deadline, answer.text
    assert answer.status_code == 200
    assert len(set(re.findall(r"<li><code>([\d.]+)</code>", answer.text))) == 2
