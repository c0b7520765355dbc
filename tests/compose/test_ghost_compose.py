"""The stack's compose.yaml by itself: plain Docker Compose, no sandbox."""

from __future__ import annotations

import json

import pytest
import requests
import yaml

from sandbox import paths

FOLDER = paths.share() / "compose" / "ghost"
BY_NAME = "compose-by-name.yaml"  # nginx has a network namespace of its own


@pytest.fixture(params=["compose.yaml", BY_NAME])
def project(request, compose):
    """The project, and the service whose port is nginx's."""
    images = {"GHOST_IMAGE": "ghost", "NGINX_IMAGE": "nginx"}
    with compose(FOLDER, images, request.param, GHOST_PORT="0") as running:  # any free one
        yield running, "nginx" if request.param == BY_NAME else "ghost"


@pytest.mark.docker
def test_nginx_serves_ghosts_page(project):
    compose, owner = project
    publisher = compose.get_container(owner).get_publisher(by_port=80)
    assert publisher.URL == "127.0.0.1"
    url = f"http://{publisher.URL}:{publisher.PublishedPort}/"
    page = requests.get(url, headers={"Host": "blog.example.com"}, timeout=30)
    assert page.status_code == 200
    assert page.headers["Server"].startswith("nginx")
    assert page.headers["Cache-Control"] == "public, max-age=0"
    assert "<title>Ghost</title>" in page.text
    assert "http://blog.example.com/" in page.text
    asset = requests.get(f"{url}public/cards.min.js", headers={"Host": "blog.example.com"}, timeout=30)
    assert asset.status_code == 200
    output, errors = compose.get_logs("nginx")
    assert "GET / HTTP/1.1" in output + errors
    output, errors = compose.get_logs("ghost")
    assert "Pinging Explore" not in output + errors


def test_compose_and_task_definition_run_the_same_images():
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    definition = json.loads((FOLDER / "taskdef.json").read_text())
    for container in definition["containerDefinitions"]:
        assert services[container["name"]]["image"].endswith(f":-{container['image']}}}")
