"""The compose.yaml of compose/discovery by itself: plain Docker Compose, no sandbox."""

from __future__ import annotations

import re
import time

import pytest
import requests

from sandbox import paths

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "discovery"


@pytest.fixture
def page(compose):
    """The page's URL on 127.0.0.1."""
    images = {"APP_IMAGE": "discovery", "NGINX_IMAGE": "nginx"}
    with compose(FOLDER, images, DISCOVERY_PORT="0") as up:  # any free one
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
