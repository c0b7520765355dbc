"""stack.yaml: what is refused when it is read, and what is refused when its calls are made."""

from __future__ import annotations

import json

import pytest

from sandbox.controllers import stack_file as stacks
from sandbox.controllers.sandbox import Sandbox
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import Network

HERE = "a folder that has a stack.yaml"


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "stack.yaml").write_text(text)
        return str(tmp_path)

    return write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no list of `calls`"),
        ("- a", "has no list of `calls`"),
        ("calls: {a: b}", "has no list of `calls`"),
        ("calls: [", "is not YAML"),
        ("calls: []\nreadyy: []", "unknown key 'readyy'"),
        ("calls: []\nparameters: [a]", "`parameters` is not a mapping\nlast state: found ['a']"),
        ("calls: []\nimages: nginx", "`images` is not a list\nlast state: found 'nginx'"),
        ("calls: []\nefs: [a]", "`efs` is not a mapping"),
        ("calls: []\nefs: {fs-1: folder}", "`efs` wants directories and folders\nlast state: found 'folder'"),
        ("calls: []\nready: [http://x/]", "each of `ready` has url (http://NAME/PATH, or with https)"),
        ("calls: []\nready: [{url: 'ftp://x/'}]", "each of `ready` has url"),
        ("calls: []\nready: [{status: 200}]", "each of `ready` has url"),
        ("calls: []\nready: [{url: example.org}]", "each of `ready` has url"),
        ("calls: []\nready: [{url: 7}]", "each of `ready` has url"),
        ("calls: []\nready: [{url: 'http://x/', status: ok}]", "each of `ready` has url"),
        ("calls: []\nready: [{url: 'http://x/', within: soon}]", "each of `ready` has url"),
        ("calls: []\nready: [{url: 'http://x/', within: 0}]", "each of `ready` has url"),
        ("calls: [ecs.create_cluster]", "each of `calls` is one `service.operation: parameters`"),
        ("calls: [{a.b: {}, c.d: {}}]", "each of `calls` is one `service.operation: parameters`"),
        ("calls: [{ecs: {}}]", "'ecs' is not `service.operation: parameters`"),
        ("calls: [{ecs.create_cluster: [1]}]", "'ecs.create_cluster' is not `service.operation: parameters`"),
    ],
)
def test_what_is_no_stack_is_named_with_its_file(write, text, message):
    folder = write(text)
    with pytest.raises(SandboxError) as caught:
        stacks.load(folder)
    assert str(caught.value).startswith(f"{folder}/stack.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["no-such-stack", "/no/such/folder", "/dev/null", "./nowhere"])
def test_a_stack_that_is_not_there_is_answered_with_those_that_are(name):
    with pytest.raises(SandboxError, match=f"there is no stack '{name}'") as caught:
        stacks.load(name)
    assert "ghost, ghost-cdn" in caught.value.hint
    assert HERE in caught.value.hint


def test_the_ghost_stack_reads():
    ghost = stacks.load("ghost")
    assert ghost.name == "ghost"
    assert ghost.parameters == {"handler": "by_name", "taskdef": "taskdef", "nginx": "nginx", "blog": ""}
    assert [ready.url for ready in ghost.ready] == ["http://blog.example.com/"]
    assert str(ghost.calls[0]) == "route53.create_hosted_zone"


def test_a_file_system_begins_with_a_folder_of_the_stack_with_one_in_an_image_or_empty():
    ghost = stacks.load("ghost")
    nginx = ("fs-0123456789abcdef0", "/nginx", ghost.folder / "nginx")
    assert stacks.efs_contents(ghost, ghost.with_parameters({})) == [nginx]
    known = ghost.with_parameters({"blog": "image:ghost-blog/blog"})
    assert stacks.efs_contents(ghost, known) == [nginx, (nginx[0], "/content", stacks.InImage("ghost-blog", "/blog"))]


def test_what_overrides_true_or_false_is_one_of_them(write):
    stack = stacks.load(write("calls: []\nparameters: {rollback: false}"))
    assert stack.with_parameters({"rollback": "true"}) == {"rollback": True}
    for text in ("yes", "True", ""):
        with pytest.raises(SandboxError, match="parameter 'rollback' is true or false"):
            stack.with_parameters({"rollback": text})


def test_what_overrides_a_number_is_a_number(write):
    stack = stacks.load(write("calls: []\nparameters: {count: 1, name: one}"))
    assert stack.with_parameters({"count": "2", "name": "3"}) == {"count": 2, "name": "3"}
    with pytest.raises(SandboxError, match="parameter 'count' is a number") as caught:
        stack.with_parameters({"count": "two"})
    assert caught.value.state == "given: two"


# -- its calls --


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images")
    ) as made:
        made.aws("ecs").create_cluster(clusterName="small")
        yield made


@pytest.fixture
def refusal(sandbox, write, tmp_path):
    """The error of a stack with one call; ``taskdef`` is the text of taskdef.json."""

    def refusal(call="ecs.register_task_definition: {File: taskdef.json}", taskdef=None, rest=""):
        if taskdef is not None:
            (tmp_path / "taskdef.json").write_text(taskdef)
        folder = write(f"calls:\n  - {call}\n{rest}")
        with pytest.raises(SandboxError) as caught:
            sandbox.begin_stack(folder)
        assert str(caught.value).startswith(f"{folder}/stack.yaml")
        return str(caught.value)

    return refusal


def taskdef(small_stack, **changes):
    return (small_stack().taskdef(**changes).folder / "taskdef.json").read_text()


@pytest.mark.docker
def test_an_item_of_a_list(sandbox, write):
    stack = sandbox.begin_stack(
        write("calls:\n  - ecs.create_cluster: {clusterName: '${sandbox.subnets.1}'}\n    as: made")
    )
    assert stack.values["made"]["cluster"]["clusterName"] == sandbox.subnets[1]


@pytest.mark.docker
class TestCallsThatAreRefused:
    def test_a_task_definition_that_is_not_json(self, refusal, tmp_path):
        said = refusal(taskdef='{"family": "small",}')
        assert f"ecs.register_task_definition: {tmp_path}/taskdef.json is not JSON" in said
        assert "line 1 column" in said

    def test_a_task_definition_that_is_no_object(self, refusal):
        assert "ecs.register_task_definition: wrong parameters" in refusal(taskdef="[1, 2]")

    def test_a_task_definition_that_is_not_there(self, refusal, tmp_path):
        assert f"there is no file {tmp_path}/taskdef.json" in refusal()

    def test_a_value_of_the_wrong_type(self, refusal, small_stack):
        said = refusal(taskdef=taskdef(small_stack, cpu=256))
        assert "wrong parameters" in said
        assert "Invalid type for parameter cpu, value: 256" in said

    def test_an_unknown_parameter(self, refusal, small_stack):
        said = refusal(taskdef=taskdef(small_stack, container={"portMapping": []}))
        assert 'Unknown parameter in containerDefinitions[0]: "portMapping"' in said

    def test_what_ecs_itself_refuses(self, refusal, small_stack):
        said = refusal(taskdef=taskdef(small_stack, cpu="256", memory="8192"))
        assert "ecs.register_task_definition was refused" in said
        assert "ClientException: No Fargate configuration exists for given values" in said

    def test_a_volume_that_is_not_declared(self, refusal, small_stack):
        said = refusal(taskdef=taskdef(small_stack, volumes=[]))
        assert "was refused" in said
        assert "conf" in said

    def test_an_unknown_service_and_an_unknown_operation(self, refusal):
        assert "boto3 has no such operation" in refusal("ecsss.create_cluster: {}")
        assert "boto3 has no such operation" in refusal("ecs.make_cluster: {}")

    def test_an_operation_that_nobody_serves(self, refusal):
        assert "was refused" in refusal("ecs.create_capacity_provider: {name: mine}")

    def test_an_unknown_reference(self, refusal):
        said = refusal("ecs.create_cluster: {clusterName: '${zone.Id}'}")
        assert "'${zone.Id}' is not known" in said
        assert "known here: sandbox" in said

    @pytest.mark.parametrize("part", ["2", "first", "0.Id"])
    def test_an_item_that_a_list_does_not_have(self, refusal, part):
        reference = f"${{sandbox.subnets.{part}}}"
        assert f"'{reference}' is not known" in refusal(f"ecs.create_cluster: {{clusterName: '{reference}'}}")

    def test_a_folder_to_zip_that_is_not_there(self, refusal, tmp_path):
        assert f"there is no folder {tmp_path}/lambda" in refusal(
            "lambda.create_function: {FunctionName: f, Code: {Zip: lambda/}}"
        )

    def test_a_package_that_is_not_installed(self, refusal, tmp_path):
        (tmp_path / "lambda").mkdir()
        said = refusal("lambda.create_function: {FunctionName: f, Code: {Zip: lambda/, Packages: [no-such-package]}}")
        assert "the package 'no-such-package' is not installed" in said

    def test_a_folder_for_a_file_system_that_is_not_there(self, refusal, tmp_path):
        said = refusal(rest="efs: {fs-1: {/conf: conf/}}\n")
        assert f"there is no folder {tmp_path}/conf" in said

    def test_a_folder_of_an_unknown_parameter(self, refusal):
        assert "efs: '${conf}' is not known" in refusal(rest="efs: {fs-1: {/conf: '${conf}/'}}\n")

    def test_a_path_that_is_no_image_is_a_folder(self, refusal, tmp_path):
        assert f"there is no folder {tmp_path}/image:nginx" in refusal(rest="efs: {fs-1: {/conf: image:nginx}}\n")

    @pytest.mark.parametrize("named", ["images: [nginxx]", "efs: {fs-1: {/conf: image:nginxx/etc}}"])
    def test_an_unknown_component(self, named, sandbox, write):
        with pytest.raises(SandboxError, match="there is no component 'nginxx'"):
            sandbox.begin_stack(write(f"calls: []\n{named}"))

    def test_an_unknown_parameter_of_the_stack(self, sandbox, write):
        with pytest.raises(SandboxError, match="has no parameter 'b'") as caught:
            sandbox.begin_stack(write("calls: []\nparameters: {a: x}"), {"b": "y"})
        assert caught.value.hint == "parameters: a"


@pytest.mark.docker
def test_answers_are_kept_and_parameters_are_filled_in(sandbox, write):
    folder = write(
        "parameters: {name: one, size: 7}\n"
        "calls:\n"
        "  - ecs.create_cluster: {clusterName: '${name}-${size}'}\n"
        "    as: made\n"
        "  - ecs.describe_clusters: {clusters: ['${made.cluster.clusterArn}']}\n"
        "    as: seen\n"
    )
    stack = sandbox.begin_stack(folder, {"name": "two"})
    assert stack.values["seen"]["clusters"][0]["clusterName"] == "two-7"
    stack.wait_ready()  # there is nothing to wait for


@pytest.mark.docker
def test_a_stack_is_up_when_its_url_answers(sandbox, small_stack):
    stack = sandbox.stack(str(small_stack()))
    answer = sandbox.http_get("http://small.example.org/")
    assert (answer.status, answer.body, stack.name) == (200, "small", "small")
    ready = [seen for seen in sandbox.timeline.since() if seen.kind == "stack.ready"]
    assert ready[-1]["reached"]
    json.dumps([dict(seen.fields) for seen in sandbox.timeline.since()])  # the timeline holds JSON values only


NETWORK = "networkConfiguration: {awsvpcConfiguration: {subnets: ['${subnet}'], assignPublicIp: ENABLED}}"


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (f"ecs.run_task: {{taskDefinition: t, {NETWORK}}}", [Network(("subnet-1",), (), True)]),
        (f"ecs.create_service: {{{NETWORK.replace('${subnet}', '${later.Id}')}}}", []),
        (f"ecs.create_service: {{{NETWORK.replace('subnets', 'nets')}}}", []),
        ("ecs.run_task: {networkConfiguration: none}", []),
        ("ecs.run_task: {networkConfiguration: {awsvpcConfiguration: {subnets: 3}}}", []),
        ("ecs.create_cluster: {}", []),
    ],
)
def test_the_networks_that_tasks_will_have(write, call, found):
    definition = stacks.load(write(f"calls:\n  - {call}"))
    assert stacks.task_networks(definition, {"subnet": "subnet-1"}) == found


def test_a_reference_may_lead_into_a_list(write):
    definition = stacks.load(
        write(
            "calls: [{ecs.run_task: {launchType: FARGATE, networkConfiguration: {awsvpcConfiguration: "
            "{subnets: ['${sandbox.subnets.1}']}}}}]"
        )
    )
    known = {"sandbox": {"subnets": ["subnet-a", "subnet-b"]}}
    assert [network.subnets for network in stacks.task_networks(definition, known)] == [("subnet-b",)]
    assert stacks.task_networks(definition, {"sandbox": {"subnets": ["subnet-a"]}}) == []  # its call says why


def test_only_tasks_on_fargate_have_interfaces_made_ahead(write):
    call = "{ecs.run_task: {launchType: EC2, networkConfiguration: {awsvpcConfiguration: {subnets: [subnet-a]}}}}"
    assert stacks.task_networks(stacks.load(write(f"calls: [{call}]")), {}) == []


@pytest.mark.docker
def test_a_function_s_package_has_what_it_needs(sandbox, write, tmp_path):
    (tmp_path / "lambda").mkdir()
    (tmp_path / "lambda" / "app.py").write_text("import dnslib\ndef handler(event, context): return dnslib.__file__")
    function = "FunctionName: needs, Runtime: python3.12, Role: arn:aws:iam::123456789012:role/f, Handler: app.handler"
    code = "Code: {Zip: lambda/, Packages: [dnslib]}"
    sandbox.begin_stack(write(f"calls: [{{lambda.create_function: {{{function}, {code}}}}}]"))
    answer = json.load(sandbox.aws("lambda").invoke(FunctionName="needs")["Payload"])
    assert "/task/needs-" in answer  # not the environment's
