"""A folder with a sandbox.toml: what is refused when it is read, and what comes up."""

from __future__ import annotations

import copy
import json

import pytest

from sandbox.controllers import own_folder, stacks
from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import catalogue
from sandbox.errors import SandboxError

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/shop/key"
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop:42"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop/0123456789abcdef"

TASK = {
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop:42",
        "family": "shop",
        "revision": 42,
        "status": "ACTIVE",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"],
        "requiresAttributes": [{"name": "ecs.capability.secrets.asm.environment-variables"}],
        "executionRoleArn": "arn:aws:iam::111122223333:role/shop-execution",
        "taskRoleArn": "arn:aws:iam::111122223333:role/shop",
        "cpu": "256",
        "memory": "512",
        "volumes": [],
        "placementConstraints": [],
        "containerDefinitions": [
            {
                "name": "web",
                "image": IMAGE,
                "cpu": 0,
                "essential": True,
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
                "environment": [{"name": "STAGE", "value": "production"}],
                "mountPoints": [],
                "volumesFrom": [],
                "secrets": [
                    {"name": "PASSWORD", "valueFrom": f"{SECRET}:password::"},
                    {"name": "KEY", "valueFrom": PARAMETER},
                ],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/ecs/shop",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "ecs",
                    },
                },
            }
        ],
    }
}
SERVICE = {
    "services": [
        {
            "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/shop",
            "serviceName": "shop",
            "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
            "loadBalancers": [
                {
                    "targetGroupArn": GROUP,
                    "containerName": "web",
                    "containerPort": 80,
                }
            ],
            "serviceRegistries": [],
            "status": "ACTIVE",
            "desiredCount": 4,
            "runningCount": 4,
            "launchType": "FARGATE",
            "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop:42",
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
            "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": "shop:42"}],
            "events": [],
            "createdAt": "2026-02-03T04:05:06.789000+01:00",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "DISABLED",
                }
            },
            "healthCheckGracePeriodSeconds": 60,
            "schedulingStrategy": "REPLICA",
        }
    ],
    "failures": [],
}
# nginx, which says what its environment has.
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY start /start
CMD ["sh", "/start"]
"""
START = """\
echo "server { listen 80; location / { return 200 '$STAGE $PASSWORD $KEY'; } }" > /etc/nginx/conf.d/default.conf
exec nginx -g 'daemon off;'
"""
TOML = f"""\
[stack]
task_definitions = ["taskdef.json"]
services = ["service.json"]

[images]
"{IMAGE}" = {{ build = "app", arguments = {{ BASE = "BASE-IMAGE" }} }}

[secrets]
db = {{ password = "p4ss" }}
"/shop/key" = "k3y"

[environment.web]
STAGE = "laptop"

[target_groups.shop]
host = "shop.example.org"
interval = 5
timeout = 2
healthy = 2

[desired_counts]
shop = 1
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "shop"
    (made / "app").mkdir(parents=True)
    (made / "taskdef.json").write_text(json.dumps(TASK))
    (made / "service.json").write_text(json.dumps(SERVICE))
    (made / "app" / "Dockerfile").write_text(DOCKERFILE)
    (made / "app" / "start").write_text(START)
    (made / "sandbox.toml").write_text(TOML.replace("BASE-IMAGE", catalogue.local_tag("nginx")))
    return made


@pytest.fixture
def begin(request, sandbox_site):
    def begin():
        return Sandbox(site=sandbox_site, images=request.config.getoption("--sandbox-images"), speed=10)

    return begin


def change(folder, old, new):
    text = (folder / "sandbox.toml").read_text()
    assert old in text
    (folder / "sandbox.toml").write_text(text.replace(old, new))


def test_a_folder_is_read(folder):
    definition = stacks.find(str(folder))
    assert definition.name == "shop"
    assert [str(call) for call in definition.calls][-3:] == [
        "ecs.create_cluster",
        "ecs.register_task_definition",
        "ecs.create_service",
    ]
    assert [item.url for item in definition.ready] == ["http://shop.example.org/"]
    assert definition.notes == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[stack]", "[stack", "shop/sandbox.toml is not TOML"),
        ("[stack]", "[stak]", "shop/sandbox.toml: unknown table 'stak'\nnext: is 'stack' meant?"),
        ("taskdef.json", "nope.json", "there is no file {folder}/nope.json"),
        ("service.json", "sandbox.toml", "shop/sandbox.toml is not JSON"),
        ("taskdef.json", "service.json", "shop/service.json: there are no containerDefinitions in it"),
        ("db =", "# db =", f"no value is given for the secret {SECRET} (of shop/web: PASSWORD)"),
        (
            'task_definitions = ["taskdef.json"]\nservices = ["service.json"]',
            "",
            "names no task_definitions, no compose file, no template and no [terraform]",
        ),
    ],
)
def test_what_is_refused_names_the_place(folder, old, new, message):
    change(folder, old, new)
    with pytest.raises(SandboxError) as caught:
        stacks.find(str(folder))
    assert message.format(folder=folder) in str(caught.value)


def test_a_folder_has_one_stack(folder):
    (folder / "stack.yaml").write_text("calls: []")
    with pytest.raises(SandboxError, match=r"has a stack\.yaml, too"):
        stacks.find(str(folder))


def test_a_stack_yaml_may_have_images_and_checks_in_a_sandbox_toml(folder):
    (folder / "stack.yaml").write_text("calls: []\ndescription: mine")
    (folder / "sandbox.toml").write_text('[images]\n"a:1" = "b:1"\n')
    definition = stacks.find(str(folder))
    assert (definition.description, definition.overrides) == ("mine", {"a:1": "b:1"})
    (folder / "sandbox.toml").write_text('[registries]\nsrv-1 = "a.b"\n')
    with pytest.raises(SandboxError, match=r"registries belongs to task definitions; the stack is stack\.yaml's"):
        stacks.find(str(folder))


def test_a_folder_that_has_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SandboxError, match=r"has neither a sandbox\.toml nor a stack\.yaml") as caught:
        stacks.find(".")
    assert "sandbox init ." in caught.value.hint


@pytest.mark.docker
def test_definitions_of_production_come_up_with_a_local_build_and_values_of_their_own(folder, begin):
    with begin() as sandbox:
        sandbox.stack(str(folder))
        assert sandbox.http_get("http://shop.example.org/").body == "laptop p4ss k3y"
        ecs = sandbox.aws("ecs")
        shown = ecs.describe_task_definition(taskDefinition="shop")["taskDefinition"]
        (container,) = shown["containerDefinitions"]
        assert container["image"] == IMAGE
        assert shown["revision"] == 1
        (service,) = ecs.describe_services(cluster="prod", services=["shop"])["services"]
        assert (service["desiredCount"], service["healthCheckGracePeriodSeconds"]) == (1, 60)
        assert service["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == sandbox.subnets


@pytest.mark.docker
def test_a_service_of_instances_is_reached_by_its_load_balancer_and_found_by_its_registry(folder, begin):
    container = {"name": "web", "image": "nginx:1.27", "memory": 128, "portMappings": [{"containerPort": 80}]}
    registry = {"registryArn": "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"}
    registry |= {"containerName": "web", "containerPort": 80}
    service = {**SERVICE["services"][0], "launchType": "EC2", "serviceRegistries": [registry]}
    del service["networkConfiguration"]
    task = {"family": "shop", "networkMode": "bridge", "containerDefinitions": [container]}
    (folder / "taskdef.json").write_text(json.dumps(task))
    (folder / "service.json").write_text(json.dumps(service))
    toml = (folder / "sandbox.toml").read_text()
    kept = toml[: toml.index("[images]")] + toml[toml.index("[target_groups") :]
    more = '[instances]\ntype = "t3.small"\n[registries]\nsrv-1 = "shop.prod.local"\n'
    (folder / "sandbox.toml").write_text(kept + more)
    with begin() as sandbox:
        sandbox.stack(str(folder))
        assert sandbox.http_get("http://shop.example.org/").status == 200
        discovery = sandbox.aws("servicediscovery")
        (found,) = discovery.discover_instances(NamespaceName="prod.local", ServiceName="shop")["Instances"]
        assert int(found["Attributes"]["AWS_INSTANCE_PORT"]) >= 32768


@pytest.mark.docker
def test_images_that_cannot_be_had_are_refused_before_the_first_call(folder, begin):
    with begin() as sandbox:
        (folder / "app" / "Dockerfile").unlink()
        with pytest.raises(SandboxError, match=r"there is no file .*Dockerfile"):
            sandbox.stack(str(folder))
        (folder / "app" / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
        with pytest.raises(SandboxError, match="the image could not be built"):
            sandbox.stack(str(folder))
        text = (folder / "sandbox.toml").read_text()
        (folder / "sandbox.toml").write_text(text.replace("[images]", "").replace(f'"{IMAGE}" = ', "# "))
        with pytest.raises(SandboxError, match=r"container 'web' of shop: .*") as caught:
            sandbox.stack(str(folder))
        assert f'[images] "{IMAGE}" = {{ build = "FOLDER" }}' in caught.value.hint
        assert sandbox.aws("ecs").list_clusters()["clusterArns"] == []


@pytest.mark.docker
def test_what_is_not_carried_out_is_named_with_the_way_to_leave_it_out(folder, begin):
    task = copy.deepcopy(TASK)
    (web,) = task["taskDefinition"]["containerDefinitions"]
    router = {"name": "router", "image": IMAGE, "essential": True, "firelensConfiguration": {"type": "fluentbit"}}
    task["taskDefinition"]["containerDefinitions"] = [
        router,
        {**web, "dependsOn": [{"containerName": "router", "condition": "START"}]},
    ]
    (folder / "taskdef.json").write_text(json.dumps(task))
    with begin() as sandbox:
        with pytest.raises(SandboxError, match=r"router.*firelensConfiguration") as caught:
            sandbox.stack(str(folder))
        assert caught.value.hint == ('in sandbox.toml: [stack] ignore = ["router.firelensConfiguration"] leaves it out')
    change(folder, "[stack]", '[stack]\nignore = ["router"]')
    with begin() as sandbox:
        sandbox.stack(str(folder))
        assert sandbox.http_get("http://shop.example.org/").status == 200


COMPOSE = """\
name: chat
services:
  web:
    image: nginx:1.27
    ports: ["127.0.0.1:8080:80"]
    volumes: ["./conf:/etc/nginx/conf.d:ro"]
  app:
    image: nginx:1.27
    network_mode: service:web
    command: sh -c "echo 'server { listen 3000; location / { return 200 app; } }' > /etc/nginx/conf.d/default.conf; exec nginx -g 'daemon off;'"
  other:
    image: nginx:1.27
    volumes: ["./other:/etc/nginx/conf.d:ro"]
"""  # noqa: E501
CONF = """\
server {
  listen 80;
  location /app { proxy_pass http://localhost:3000; }
  location / { return 200 web; }
}
"""


@pytest.fixture
def composed(tmp_path):
    for name, text in (
        ("compose.yaml", COMPOSE),
        ("sandbox.toml", '[compose.public.web]\nhost = "chat.example.org"\n'),
        ("conf/default.conf", CONF),
        ("other/default.conf", "server { listen 8000; location / { return 200 other; } }"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.docker
def test_a_compose_file_comes_up_as_tasks_that_find_each_other(composed, begin):
    with begin() as sandbox:
        sandbox.stack(str(composed))
        found = {path: sandbox.http_get(f"http://chat.example.org/{path}").body for path in ("", "app")}
        assert found == {"": "web", "app": "app"}
        arns = sandbox.aws("ecs").list_tasks(cluster="chat")["taskArns"]
        tasks = sandbox.aws("ecs").describe_tasks(cluster="chat", tasks=arns)["tasks"]
        by_containers = {tuple(sorted(c["name"] for c in task["containers"])): task for task in tasks}
        assert set(by_containers) == {("app", "web"), ("other",)}
        (details,) = (one["details"] for one in by_containers["other",]["attachments"])
        (address,) = (one["value"] for one in details if one["name"] == "privateIPv4Address")
        web = by_containers["app", "web"]["taskArn"]
        # Its name in the namespace leads to it; the name alone, which compose would know, to nothing.
        exit_code, said, _ = sandbox.execute(web, "web", ["getent", "hosts", "other.chat.local"])
        assert (exit_code, said.split()[0]) == (0, address)
        assert sandbox.execute(web, "web", ["getent", "hosts", "other"])[0] == 2


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("compose.yaml", "services: [", "compose.yaml is not YAML"),
        (
            "compose.yaml",
            "services: {a: {image: b, netwrks: []}}",
            "compose.yaml: service 'a': 'netwrks' is not supported",
        ),
        ("sandbox.toml", '[compose]\nfile = "none.yaml"\n', "there is no file"),
        (".env", "what", ".env: line 1 is not NAME=VALUE"),
    ],
)
def test_compose_files_that_are_refused(composed, file, text, message):
    (composed / file).write_text(text)
    with pytest.raises(SandboxError) as caught:
        stacks.find(str(composed))
    assert message in str(caught.value)


def test_a_folder_is_begun_and_then_read(folder):
    (folder / "sandbox.toml").unlink()
    file, found = own_folder.begin(folder)
    assert (list(found.task_definitions), list(found.services)) == (["taskdef.json"], ["service.json"])
    with pytest.raises(SandboxError, match=r"no value is given for 2 secrets"):
        stacks.find(str(folder))
    file.write_text(file.read_text().replace("[secrets]", '[secrets]\ndb = { password = "p" }\n"/shop/key" = "k"'))
    assert [item.url for item in stacks.find(str(folder)).ready] == ["http://shop.example.com/"]


def test_a_compose_file_is_begun_and_then_read(composed):
    (composed / "sandbox.toml").unlink()
    own_folder.begin(composed)
    assert [item.url for item in stacks.find(str(composed)).ready] == ["http://web.example.com/"]


def test_nothing_is_overwritten(composed):
    before = (composed / "sandbox.toml").read_text()
    with pytest.raises(SandboxError, match="is there already"):
        own_folder.begin(composed)
    assert (composed / "sandbox.toml").read_text() == before


def test_a_folder_with_nothing_to_begin_with(tmp_path):
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SandboxError, match="nothing to begin with"):
        own_folder.begin(tmp_path)
    with pytest.raises(SandboxError, match="there is no folder"):
        own_folder.begin(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.json", "package.json"]
