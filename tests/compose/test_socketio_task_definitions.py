"""The stack's task definitions, stack.yaml and compose.yaml name the same images, and ECS takes the definitions."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from sandbox import paths
from sandbox.controllers import stack_file
from sandbox.engine.catalogue import CATALOGUE
from sandbox.model.ecs import taskdef

FOLDER = paths.share() / "compose" / "socketio"
SERVICES = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
# compose-h2o.yaml has tags of Compose's own.
(H2O,) = re.findall(r"image: (.+)", (FOLDER / "compose-h2o.yaml").read_text())
IMAGES = {name: service["image"] for name, service in SERVICES.items()} | {"h2o": H2O}


def containers():
    """Each container of a file of the stack, and its name."""
    for path in sorted(FOLDER.glob("taskdef-*.json")):
        yield from ((path.name, item) for item in json.loads(path.read_text())["containerDefinitions"])
    for path in sorted(FOLDER.glob("container-*.json")):
        yield path.name, json.loads(path.read_text())


@pytest.mark.parametrize(("name", "container"), list(containers()))
def test_compose_and_task_definitions_run_the_same_images(name, container):
    assert container["name"] in name
    if container["name"] == "app":  # it is in no registry, so that Compose has no default for it
        assert container["image"] == CATALOGUE["flask-socketio"].reference
        return
    assert IMAGES[container["name"]].endswith(f":-{container['image']}}}")


@pytest.mark.parametrize("name", ["app", "redis", "mongo"])
def test_ecs_takes_the_definitions_of_single_services(name):
    request = json.loads((FOLDER / f"taskdef-{name}.json").read_text())
    arn = "arn:aws:ecs:us-east-1:123456789012:task-definition"
    made = taskdef.register(request, arn_prefix=arn, revision=1, now=0.0)
    assert made.raw["family"] == f"chat-{name}"


def test_the_processes_of_the_stack_differ_in_name_and_port_alone():
    (call,) = [call for call in stack_file.load("socketio").calls if call.operation == "register_task_definition"]
    apps = [item for item in call.parameters["containerDefinitions"] if item.get("name", "").startswith("app")]
    ports = ["5001", "5002", "5003"]
    assert [item["name"] for item in apps] == ["app1", "app2", "app3"]
    assert [item["environment"][-1] for item in apps] == [{"name": "PORT", "value": port} for port in ports]
    assert len({json.dumps([item["environment"][:-1], item["mountPoints"], item["image"]]) for item in apps}) == 1


@pytest.mark.parametrize("folder", sorted(path.name for path in FOLDER.glob("nginx*")))
def test_every_configuration_knows_the_three_processes(folder):
    text = (FOLDER / folder / "default.conf").read_text()
    assert all(f"server 127.0.0.1:{port} max_fails=0;" in text for port in (5001, 5002, 5003))
