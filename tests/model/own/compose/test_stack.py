"""A compose file as tasks and services: what becomes of each key, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own.compose.containers import SUPPORTED
from sandbox.model.own.compose.stack import FILE_SYSTEM, Machine, compose
from sandbox.model.own.errors import OwnError
from sandbox.model.own.plan import Place, plan
from sandbox.model.own.settings import Build, Compose, Public, Settings

MACHINE = Machine({"TAG": "2"}, {"app.env": "A=1\nB=2"}.get, lambda name: name.rstrip("/") in {"./conf", "./app"})
CHAT = """
name: chat
services:
  web:
    image: nginx:${TAG}
    ports: ["127.0.0.1:8080:80"]
    volumes: ["./conf:/etc/nginx/conf.d:ro"]
    depends_on: [app]
  app:
    build: {context: ./app, args: {V: 1}}
    env_file: app.env
    environment: {B: 3, REDIS_URL: "redis://redis:6379"}
    command: python -m "the app"
    stop_grace_period: 5s
    healthcheck: {test: curl localhost, interval: 2s, retries: 60}
  redis:
    image: redis:7
    volumes: [data:/data, /tmp/own]
    restart: always
volumes: {data: {}}
x-more: {a: b}
"""


def own(text=CHAT, **given):
    given = {"public": {"web": Public()}, **given}
    return compose(yaml.safe_load(text), "folder", Settings(compose=Compose("compose.yaml", **given)), MACHINE)


def test_each_service_is_an_ecs_service_of_its_own():
    made = own()
    assert made.name == "chat"
    tasks = {request["family"]: request for _, request in made.task_definitions}
    assert list(tasks) == ["chat-web", "chat-app", "chat-redis"]
    assert tasks["chat-app"]["containerDefinitions"] == [
        {
            "name": "app",
            "essential": True,
            "image": "chat-app",
            "command": ["python", "-m", "the app"],
            "environment": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "3"},
                {"name": "REDIS_URL", "value": "redis://redis:6379"},
            ],
            "stopTimeout": 5,
            "healthCheck": {"command": ["CMD-SHELL", "curl localhost"], "interval": 5, "retries": 10},
        }
    ]
    assert made.settings.images == {"chat-app": Build("./app", arguments={"V": "1"})}
    assert made.settings.registries["srv-redis"] == "redis.chat.local"
    (web,) = tasks["chat-web"]["containerDefinitions"]
    assert web["image"] == "nginx:2"
    assert web["mountPoints"] == [{"sourceVolume": "web-0", "containerPath": "/etc/nginx/conf.d", "readOnly": True}]
    assert made.settings.efs == {FILE_SYSTEM: {"/bind-web-0": "./conf"}}
    assert tasks["chat-redis"]["volumes"] == [
        {"name": "data", "efsVolumeConfiguration": {"fileSystemId": FILE_SYSTEM, "rootDirectory": "/data"}},
        {"name": "redis-1"},
    ]


def test_what_is_other_than_with_compose_is_told():
    assert own().notes == (
        "service 'app': healthcheck.interval is 5, not 2: ECS takes whole numbers of 5 to 300",
        "service 'app': healthcheck.retries is 10, not 60: ECS takes whole numbers of 1 to 10",
        "service 'web' depends_on app: ECS starts services in no order; it has to try again",
        "service 'app': REDIS_URL names 'redis', which ECS does not resolve: "
        '[environment.app] REDIS_URL = "redis://redis.chat.local:6379"',
    )


def test_a_name_that_is_mended_is_not_told_of():
    settings = Settings(
        compose=Compose("compose.yaml", public={"web": Public()}),
        environment={"app": {"REDIS_URL": "redis://redis.chat.local:6379"}},
    )
    made = compose(yaml.safe_load(CHAT), "folder", settings, MACHINE)
    assert not any("REDIS_URL" in note for note in made.notes)


def test_a_variable_that_is_not_set_is_told():
    assert own(service(user="${NOBODY}"), public={}).notes == ("the variable NOBODY is not set: it is empty",)


@pytest.mark.parametrize(
    ("variable", "value", "better"),
    [
        ("DB_HOST", "b", "b.folder.local"),
        ("URL", "x://u:p@b:1/d", "x://u:p@b.folder.local:1/d"),
        ("NODES", "b:1,b:2", "b.folder.local:1,b.folder.local:2"),
        ("CACHE", "b", None),
        ("URL", "b://c", None),
        ("URL", "http://b.example.org/", None),
    ],
)
def test_names_of_other_services(variable, value, better):
    text = yaml.safe_dump({"services": {"a": {"image": "i", "environment": {variable: value}}, "b": {"image": "i"}}})
    notes = own(text, public={}).notes
    assert len(notes) == (better is not None)
    assert better is None or notes[0].endswith(f'[environment.a] {variable} = "{better}"')


def test_services_that_are_named_together_are_one_task():
    made = own(tasks=(("web", "app"),))
    families = [request["family"] for _, request in made.task_definitions]
    assert families == ["chat-web", "chat-redis"]
    first, second = made.task_definitions[0][1]["containerDefinitions"]
    assert (first["name"], second["name"]) == ("web", "app")
    assert first["dependsOn"] == [{"containerName": "app", "condition": "START"}]
    assert [request["serviceName"] for _, request in made.services] == ["web", "redis"]


def test_services_that_share_a_network_are_one_task():
    text = """
    services:
      ghost: {image: "ghost:6", ports: ["8080:80"], healthcheck: {test: "true"}}
      nginx:
        image: nginx:1.27
        network_mode: service:ghost
        depends_on: {ghost: {condition: service_healthy}, migrate: {condition: service_completed_successfully}}
      migrate: {image: "ghost:6", network_mode: "service:nginx", restart: "on-failure:3"}
    """
    made = own(text, public={"ghost": Public()})
    ((_, request),) = made.task_definitions
    assert request["family"] == "folder-ghost"
    essential = {c["name"]: c["essential"] for c in request["containerDefinitions"]}
    assert essential == {"ghost": True, "nginx": True, "migrate": False}
    assert request["containerDefinitions"][1]["dependsOn"] == [
        {"containerName": "ghost", "condition": "HEALTHY"},
        {"containerName": "migrate", "condition": "SUCCESS"},
    ]


def test_a_public_service_has_a_load_balancer_and_the_plan_waits_for_it():
    made = own(public={"web": Public(80, "chat.example.org", "/health", "204")})
    made = plan(made, Place("us-east-1", "123456789012"))
    assert made.ready == ({"url": "http://chat.example.org/health", "status": 204, "within": 120},)
    created = [step.parameters for step in made.steps if step.operation == "ecs.create_service"]
    assert [one["serviceName"] for one in created] == ["web", "app", "redis"]
    assert created[0]["loadBalancers"][0]["containerPort"] == 80
    assert "loadBalancers" not in created[1]
    networks = [one["networkConfiguration"]["awsvpcConfiguration"] for one in created]
    assert {one["assignPublicIp"] for one in networks} == {"ENABLED"}  # as with compose, they reach the internet


def service(**keys):
    return yaml.safe_dump({"services": {"a": {"image": "i", **keys}}})


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("services: {}", "there are no services in it", ""),
        (
            "services: {a: {image: i}}\nconfigs: {}",
            "'configs' is not supported at the top: COPY",
            "[compose] ignore",
        ),
        ("services: {a: {image: i}}\nservice: {}", "'service' is not supported at the top", "is 'services' meant?"),
        ("services: {a: }", "service 'a' is a mapping", ""),
        ("services: {a: {}}", "service 'a': it has neither image nor build", ""),
        (service(imag="x"), "service 'a': 'imag' is not supported", "is 'image' meant?"),
        (service(networks=["x"]), "service 'a': 'networks' is not supported: all tasks are in one VPC", "ignore ="),
        (service(container_name="x"), "'container_name' is not supported", 'ignore = ["container_name"]'),
        (service(build={"contxt": "."}), "service 'a': build.contxt is not supported", "known: args"),
        (service(ports=["80-90"]), "service 'a': ports is", ""),
        (service(ports=["80"]), "service 'a' publishes port 80: who reaches it is not said", "[compose.public.a]"),
        (service(volumes=["data:/d"]), "service 'a': volumes: unknown volume 'data'", ""),
        (service(volumes=["./file:/d"]), "service 'a': volumes: ./file is no folder", "COPY"),
        (service(volumes=["./conf:d"]), "'d' is no absolute path", ""),
        (service(volumes=["~/x:/d"]), "'~/x' is somebody's home", ""),
        (service(volumes=[{"type": "tmpfs", "target": "/d"}]), "a mount has type (bind or volume)", ""),
        (service(depends_on=["b"]), "service 'a': depends_on: unknown service 'b'", ""),
        (service(depends_on={"b": {"condition": "x"}}), "depends_on.b has a condition", "service_healthy"),
        (service(network_mode="host"), "network_mode: host is not supported", "service:NAME"),
        (service(network_mode="service:b"), "network_mode: unknown service 'b'", ""),
        (service(restart="no"), "restart: no is not supported", 'ignore = ["a.restart"]'),
        (service(deploy={"resources": {}}), "deploy.resources is not supported", "replicas"),
        (service(healthcheck={"tst": "x"}), "healthcheck: unknown key 'tst'", "'test'"),
        (service(healthcheck={"test": "x", "interval": 5}), "healthcheck.interval is a duration", ""),
        (service(env_file="none.env"), "env_file: there is no file none.env", ""),
        (service(tty="yes"), "service 'a': tty is true or false", ""),
        (service() + "volumes: {d: {external: true}}", "volumes: d: 'external' is not supported", ""),
        (service(command="a 'b"), "service 'a': command: No closing quotation", ""),
        (service(image="${NONE:?set it}"), "the variable NONE is not set: set it", ""),
    ],
)
def test_what_is_refused_names_service_and_key(text, message, hint):
    with pytest.raises(OwnError) as caught:
        own(text, public={})
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tasks": (("web", "ap"),)}, "[compose] task: unknown service 'ap'"),
        ({"private": ("ap",)}, "[compose] private: unknown service 'ap'"),
        ({"public": {"web": Public(81)}}, "[compose.public.web] port: the service has no port 81"),
        ({"public": {"web": Public(), "app": Public()}}, "[compose.public.app]: the service publishes no port"),
    ],
)
def test_settings_that_do_not_fit(given, message):
    with pytest.raises(OwnError) as caught:
        own(**given)
    assert message in caught.value.message


def test_what_is_to_be_ignored_is():
    made = own(service(networks=["x"], restart="no"), public={}, ignore=("networks", "a.restart"))
    assert len(made.services) == 1


def test_an_override_comes_before_a_build():
    settings = Settings(images={"chat-app": "mine:1"}, compose=Compose("compose.yaml", public={"web": Public()}))
    made = compose(yaml.safe_load(CHAT), "folder", settings, MACHINE)
    assert made.settings.images == {"chat-app": "mine:1"}
    assert replace(made.settings, images={}) == replace(own().settings, images={})


@given(st.text(min_size=1).filter(lambda key: not key.startswith("x-") and key not in SUPPORTED))
def test_no_key_is_dropped_in_silence(key):
    with pytest.raises(OwnError, match="is not supported"):
        compose({"services": {"a": {"image": "i", key: "v"}}}, "f", Settings(compose=Compose("c")), MACHINE)
