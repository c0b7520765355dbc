"""What a user's own files say: stacks, builds, images, proxies. Any content is read, or refused in the file's name."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.checks import proxy_files
from sandbox.controllers import stack_file, stacks
from sandbox.errors import SandboxError
from sandbox.model import image_definitions
from sandbox.model.codebuild import buildspec
from sandbox.model.dockerfile import rebased
from sandbox.model.foreign import ForeignError, from_yaml
from sandbox.model.image_definitions import InvalidImagesError
from sandbox.model.websocket import h2o, nginx
from tests.fuzz.documents import TEXTS, json_texts, yaml_texts

one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

STACK = {
    "description": "A shop",
    "parameters": {"image": "nginx", "count": 2, "public": True},
    "images": ["nginx"],
    "efs": {"fs-12345678": {"/": "content"}},
    "calls": [
        {"ecs.create_cluster": {"clusterName": "shop"}, "as": "cluster"},
        {"ecs.register_task_definition": {"File": "taskdef.json"}},
        {"lambda.create_function": {"Code": {"Zip": "lambda", "Packages": ["requests"]}, "FunctionName": "${image}"}},
        {"ecs.create_service": {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["${cluster.a.0}"]}}}},
    ],
    "ready": [{"url": "http://shop.example.com/", "status": 200, "within": 30}],
}
BUILDSPEC = {
    "version": 0.2,
    "env": {"shell": "bash", "variables": {"A": "b"}, "exported-variables": ["A"]},
    "phases": {
        "install": {"commands": ["true"]},
        "build": {"commands": ["make"], "finally": ["x"], "on-failure": "ABORT"},
    },
    "artifacts": {"files": ["**/*"], "name": "x", "discard-paths": "yes", "base-directory": "dist"},
}
IMAGES = [{"name": "web", "imageUri": "shop:2"}]
H2O = {
    "listen": 8080,
    "proxy.preserve-host": "ON",
    "hosts": {
        "shop.example.com:8080": {
            "paths": {"/": [{"proxy.reverse.url": ["http://a/", "http://b/"], "proxy.websocket": "ON"}, {"x": 1}]}
        }
    },
}
NGINX = """map $http_upgrade $connection_upgrade { default upgrade; '' close; }
upstream app { ip_hash; server a:80; }
server { listen 80 default_server; server_name ~^(www\\.)?shop$ *.example.com;
 location ~ ^/socket\\.io { proxy_pass http://app; proxy_http_version 1.1; proxy_read_timeout 1h 5m;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; if ($x) { return 403; } }
 location @a { proxy_pass $b; } location / { try_files $uri @a; include *.none; } }
"""


class Stack:
    """Stands for AWS: each call gets an answer."""

    def __getattr__(self, name: str):
        return lambda **parameters: {"answer": [parameters]}


@one_folder
@given(yaml_texts(STACK))
@example("calls: []\n1: a\nx: b\n")
@example("calls: []\n? [1]\n: 2\n")
@example("calls: []\nefs: {a: {b: [c]}}\n")
@example("calls: [{a.b: {}, as: [x]}]\n")
@example("calls: []\nimages: [[x], {}]\n")
@example("calls: []\nready: [{url: 'http://['}, {url: 'http://a:b/'}, {1: 2}]\n")
@example('calls: [{ecs.run: {a: {File: "\\0"}}}]\n')
@example('calls: [{ecs.run: {a: {Zip: "\\0"}}}]\n')
@example("calls: [{ecs.run: {a: {Zip: ., Packages: 5}}}]\n")
def test_any_stack_yaml_is_a_stack_or_refused(tmp_path, text):
    (tmp_path / "taskdef.json").write_text("{}")
    (tmp_path / "lambda").mkdir(exist_ok=True)
    (tmp_path / "content").mkdir(exist_ok=True)
    (tmp_path / "stack.yaml").write_bytes(text.encode(errors="surrogatepass"))
    with suppress(SandboxError):
        definition = stack_file.load(str(tmp_path))
        values = definition.with_parameters(dict.fromkeys(list(definition.parameters)[:1], "7"))
        stack_file.task_networks(definition, values)
        with suppress(SandboxError):
            stack_file.efs_contents(definition, values)
        stack_file.carry_out(definition, lambda service: Stack(), values, lambda call, known: None)


@given(st.text(alphabet="[]{}=\"',.#\n abcdeklmnostuw-0129", max_size=60).map(lambda text: f"{text}\n"))
@example("[[check]]\nkind = 'replay'\nevents = []\nhandler = ':'\n")
@example("[[check]]\nkind = 'purge'\nurl = 'http://['\ngroup = 'g'\ncontains = 'c'\nsend = 's'\n")
@example("[[check]]\nkind = 'eni'\ncount = 99999999999999999999\n")
@example("[terraform]\nvariables = { a = [{ b = 12:00:00 }] }\n")
@example("check = 1\n")
@example("[[ready]]\nurl = 'http://['\n")
@one_folder
def test_any_sandbox_toml_says_something_or_is_refused(tmp_path, text):
    (tmp_path / "main.tf").write_text('variable "a" {}\n')
    (tmp_path / "sandbox.toml").write_text(text)
    with suppress(SandboxError):
        stacks.find(f"{tmp_path}/")


@one_folder
@given(json_texts({"family": "shop"}))
@example("[" * 100_000)
def test_any_task_definition_file_is_json_or_refused(tmp_path, text):
    (tmp_path / "stack.yaml").write_text("calls: [{ecs.register_task_definition: {File: taskdef.json}}]")
    (tmp_path / "taskdef.json").write_bytes(text.encode(errors="surrogatepass"))
    with suppress(SandboxError):
        stack_file.carry_out(stack_file.load(str(tmp_path)), lambda service: Stack(), {}, lambda call, known: None)


@given(yaml_texts(BUILDSPEC))
@example("{version: 0.2, env: {variables: [a]}, phases: {build: {commands: [x]}}}")
@example("{version: 0.2, env: {exported-variables: 5}, phases: {build: {commands: [x]}}}")
@example("{version: 0.2, env: {shell: [a]}, phases: {build: {commands: [x]}}}")
@example("{version: 0.2, phases: {build: {commands: [x], on-failure: [a]}}}")
@example("{version: 0.2, phases: {build: {commands: !!binary eA==}}}")
def test_any_buildspec_is_one_or_refused(text):
    with suppress(ForeignError, buildspec.BuildspecError):
        spec = buildspec.parse(from_yaml(text))
        assert spec.phases
        assert all(isinstance(line, str) for phase in spec.phases for line in (*phase.commands, *phase.at_last))
        if spec.artifacts is not None:
            spec.artifacts.choose(["a/b.txt"])


@given(json_texts(IMAGES).map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=20))
@example(b"[" * 90_000)
@example(b'["' + b'{"a":' * 100 + b"1")
def test_any_image_definitions_are_images_or_refused(content):
    with suppress(InvalidImagesError):
        images = image_definitions.parse(content)
        assert images
        shown = {"family": "shop", "revision": 1, "containerDefinitions": [{"name": "web", "image": "shop:1"}]}
        revision = image_definitions.revision_with(shown, images)
        assert revision["containerDefinitions"][0]["image"] == images["web"]


@given(st.lists(st.sampled_from(["FROM ", "ARG ", "A=", "$A", "${A:-x}", " AS b", "b", "\n", "${", "--platform=x "])))
def test_any_dockerfile_is_given_back(parts):
    text = "".join(parts)
    assert rebased(text, {"A": "x"}, lambda image: "resolved").endswith("\n")


@one_folder
@given(yaml_texts(H2O))
@example("a: &a {b: *a}")
@example("hosts: {h: {paths: {/: {proxy.reverse.url: x, proxy.timeout.io: '²'}}}}")
@example("? [a, b]\n: c\n")
@example("\0")
def test_any_h2o_conf_is_judged_or_refused(tmp_path, text):
    file = tmp_path / "h2o.conf"
    file.write_bytes(text.encode(errors="surrogatepass"))
    with suppress(SandboxError):
        h2o.find(proxy_files.h2o(file), nginx.Asked())


WORDS = sorted(
    {*NGINX.replace("{", " { ").replace(";", " ; ").split(), "{", "}", ";", "$", "~*", "^~", "=", "'", '"', "\\"}
)


@one_folder
@given(
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
    | st.tuples(st.integers(0, 600), TEXTS).map(lambda cut: NGINX[: cut[0]] + cut[1] + NGINX[cut[0] :])
)
@example(NGINX)
@example("a { " * 2000 + "}" * 2000)
@example(
    "server { listen 99999999999999999999; location / { proxy_pass http://x; proxy_read_timeout 9"
    + "9" * 5000
    + "; } }"
)
@example("server { location / { proxy_pass http://x; proxy_read_timeout 1111111111111111111111111111111111111x; } }")
@example("server { server_name ~( ; location ~ [ { proxy_pass http://x; } }")
@example("map $a $b { default $b; } server { location / { proxy_pass http://x; proxy_set_header Host $b; } }")
def test_any_nginx_conf_is_judged_or_refused(tmp_path, text):
    file = tmp_path / "nginx.conf"
    file.write_bytes(text.encode(errors="surrogatepass"))
    with suppress(SandboxError):
        tree = proxy_files.nginx(file)
        for asked in (nginx.Asked(), nginx.Asked(path="/chat", protocol="websocket", host="shop", port=80)):
            nginx.find(tree, str(file), asked)
