"""What RegisterTaskDefinition takes, refuses and fills in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs import taskdef
from sandbox.model.ecs.errors import EcsError

Make = Callable[..., Any]


def refusal(register: Make, *containers: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(EcsError) as caught:
        register(*containers, **changes)
    assert caught.value.code == "ClientException"
    return caught.value.message


# -- taken -----------------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_filled_in(register: Make, container: Make) -> None:
    definition = register(container("web", portMappings=[{"containerPort": 80}]), tags=[{"key": "k", "value": "v"}])
    assert definition.raw == {
        "family": "blog",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"],
        "cpu": "256",
        "memory": "512",
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/blog:1",
        "revision": 1,
        "status": "ACTIVE",
        "registeredAt": 1.0,
        "volumes": [],
        "placementConstraints": [],
        "requiresAttributes": [
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"},
            {"name": "ecs.capability.task-cpu-mem-limit"},
            {"name": "ecs.capability.task-eni"},
        ],
        "containerDefinitions": [
            {
                "name": "web",
                "image": "web:1",
                "cpu": 0,
                "essential": True,
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
                "environment": [],
                "mountPoints": [],
                "volumesFrom": [],
            }
        ],
    }
    assert definition.name == "blog:1"
    assert definition.container("web").stop_timeout == 30
    with pytest.raises(KeyError):
        definition.container("db")


def test_the_request_is_not_changed(request_for: Make) -> None:
    request = request_for()
    before = repr(request)
    taskdef.register(request, arn_prefix="arn", revision=1, now=0.0)
    assert repr(request) == before


@pytest.mark.parametrize(
    ("cpu", "memory", "units", "mib"),
    [
        ("256", "512", "256", "512"),
        (".25 vCPU", "0.5GB", "256", "512"),
        ("0.5 vcpu", "1 GB", "512", "1024"),
        ("1vCPU", "2gb", "1024", "2048"),
        (1024, 8192, "1024", "8192"),
        ("4 vCPU", "30 GB", "4096", "30720"),
        ("8192", "61440", "8192", "61440"),
        ("16 vCPU", "120 GB", "16384", "122880"),
    ],
)
def test_sizes_become_units_and_mib(register: Make, cpu: object, memory: object, units: str, mib: str) -> None:
    raw = register(cpu=cpu, memory=memory).raw
    assert (raw["cpu"], raw["memory"]) == (units, mib)


def test_the_number_of_fargate_sizes() -> None:
    """The rows of "Task size": 3, 4, 7, 13, 23, 12 and 12 memory values."""
    assert [len(values) for values in taskdef.FARGATE_MEMORY.values()] == [3, 4, 7, 13, 23, 12, 12]


def test_stop_timeout(register: Make, container: Make) -> None:
    assert register(container("web", stopTimeout=120)).container("web").stop_timeout == 120
    assert "120 seconds at most" in refusal(register, container("web", stopTimeout=121))
    assert "stopTimeout" in refusal(register, container("web", stopTimeout=-1))


def test_a_definition_for_ec2_has_no_size_of_its_own(register: Make, container: Make) -> None:
    definition = register(container("web", memoryReservation=64), requiresCompatibilities=None, cpu=None, memory=None)
    assert definition.raw["compatibilities"] == ["EC2"]
    assert "cpu" not in definition.raw


# -- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["", None, "my blog", "blog:1", "é", "x" * 256, "blog\n"])
def test_family(register: Make, family: str | None) -> None:
    assert "Family contains invalid characters" in refusal(register, family=family)


@pytest.mark.parametrize("definitions", [None, []])
def test_no_containers(register: Make, definitions: object) -> None:
    assert "Container list cannot be empty" in refusal(register, containerDefinitions=definitions)


@pytest.mark.parametrize("mode", ["bridge", "host", "none", None])
def test_fargate_needs_awsvpc(register: Make, mode: str | None) -> None:
    assert refusal(register, networkMode=mode) == "Fargate only supports network mode ‘awsvpc’."


@pytest.mark.parametrize("mode", ["bridge", "host", "none", None])
def test_ec2_takes_every_network_mode(register: Make, mode: str | None) -> None:
    assert register(networkMode=mode, requiresCompatibilities=["EC2"]).network_mode == (mode or "bridge")
    assert "Invalid network mode" in refusal(register, networkMode="nat", requiresCompatibilities=["EC2"])


def test_host_ports_of_each_network_mode(register: Make, container: Make) -> None:
    def ports(mode: str, **mapping: int) -> tuple[int, str]:
        web = container("web", portMappings=[{"containerPort": 80, **mapping}])
        (made,) = register(web, networkMode=mode, requiresCompatibilities=["EC2"]).raw["containerDefinitions"]
        return made["portMappings"][0]["hostPort"], made["portMappings"][0]["protocol"]

    assert ports("bridge") == (0, "tcp")
    assert ports("bridge", hostPort=8080) == (8080, "tcp")
    assert ports("host") == (80, "tcp")
    for mode in ("host", "awsvpc"):
        web = container("web", portMappings=[{"containerPort": 80, "hostPort": 81}])
        said = refusal(register, web, networkMode=mode, requiresCompatibilities=["EC2"])
        assert said == f"When networkMode={mode}, the host ports and container ports in port mappings must match."
    none = container("web", portMappings=[{"containerPort": 80}])
    assert "networkMode=none" in refusal(register, none, networkMode="none", requiresCompatibilities=["EC2"])


def test_links_are_for_bridge_mode_and_order_the_start(register: Make, container: Make) -> None:
    ec2 = {"requiresCompatibilities": ["EC2"], "networkMode": "bridge"}
    web, db = container("web", links=["db:mongo", "db"]), container("db")
    made = register(web, db, **ec2).container("web")
    assert made.links == {"db": ("mongo", "db")}
    assert made.waits_for[0].container == "db"
    assert "no container 'db'" in refusal(register, web, **ec2)
    assert "Invalid link" in refusal(register, container("web", links=["web"]), **ec2)
    assert "networkMode=host" in refusal(register, web, db, **{**ec2, "networkMode": "host"})
    assert "not supported on Fargate" in refusal(register, web, db)


def test_what_ec2_has_to_have_for_a_definition(register: Make, container: Make) -> None:
    names = [item["name"] for item in register(requiresCompatibilities=["EC2"]).raw["requiresAttributes"]]
    assert "ecs.capability.task-eni" in names
    small = register(
        networkMode="bridge",
        requiresCompatibilities=["EC2"],
        cpu=None,
        memory=None,
        **{"containerDefinitions": [container("web", memory=64)]},
    )
    assert small.raw["requiresAttributes"] == [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}]


def test_placement_constraints_of_a_definition(register: Make) -> None:
    here = {"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t3.*"}
    ec2 = {"requiresCompatibilities": ["EC2"]}
    assert register(placementConstraints=[here], **ec2).raw["placementConstraints"] == [here]
    for wrong in ({"type": "distinctInstance"}, {"type": "memberOf"}, {"type": "memberOf", "expression": "a =="}):
        assert refusal(register, placementConstraints=[wrong], **ec2)


def test_volumes_of_the_instance_are_for_ec2(register: Make) -> None:
    ec2 = {"requiresCompatibilities": ["EC2"]}
    shared = {"scope": "shared", "autoprovision": True}
    for volume in ({"host": {"sourcePath": "/srv"}}, {"dockerVolumeConfiguration": shared}):
        assert register(volumes=[{"name": "v", **volume}], **ec2)
    for wrong in ({"scope": "shared"}, {"autoprovision": True}, {"driver": "rexray"}, {"driverOpts": {"type": "nfs"}}):
        assert refusal(register, volumes=[{"name": "v", "dockerVolumeConfiguration": wrong}], **ec2)


def test_fargate_needs_sizes(register: Make) -> None:
    assert refusal(register, cpu=None) == "Fargate requires that 'cpu' be defined at the task level."
    assert refusal(register, memory=None) == "Fargate requires that 'memory' be defined at the task level."


@pytest.mark.parametrize(
    ("cpu", "memory"), [("256", "4096"), ("300", "512"), ("8192", "17 GB"), ("16384", "124 GB"), ("32768", "64 GB")]
)
def test_pairs_that_fargate_does_not_have(register: Make, cpu: str, memory: str) -> None:
    assert refusal(register, cpu=cpu, memory=memory) == "No Fargate configuration exists for given values."


@pytest.mark.parametrize("size", ["", "much", "-256", "0", "1 GHz", "256.5", "1e3", "٢٥٦", "nan"])
def test_sizes_that_are_no_numbers(register: Make, size: str) -> None:
    assert refusal(register, cpu=size) == "Invalid 'cpu' setting for task."
    assert refusal(register, memory=size) == "Invalid 'memory' setting for task."


@pytest.mark.parametrize("nameless", [{"image": "web:1"}, {"name": "", "image": "web:1"}])
def test_container_name(register: Make, nameless: dict[str, Any]) -> None:
    assert refusal(register, nameless) == "Container.name should not be null or empty."


def test_container_image(register: Make) -> None:
    assert refusal(register, {"name": "web"}) == "Container.image should not be null or empty."


def test_container_names_are_unique(register: Make, container: Make) -> None:
    assert "must be unique" in refusal(register, container("web"), container("web"))


def test_one_container_is_essential(register: Make, container: Make) -> None:
    assert "At least one container must be essential" in refusal(register, container("web", essential=False))


def test_memory_is_needed_somewhere(register: Make) -> None:
    said = refusal(register, requiresCompatibilities=["EC2"], cpu=None, memory=None)
    assert said == (
        "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified."
    )


def test_port_mappings(register: Make, container: Make) -> None:
    said = refusal(register, container("web", portMappings=[{"containerPort": 80, "hostPort": 8080}]))
    assert said == "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
    assert "containerPort is required" in refusal(register, container("web", portMappings=[{}]))
    for wrong in ({"containerPort": 0}, {"containerPort": 65536}, {"containerPort": 80, "hostPort": -1}):
        assert "ports are 1 to 65535" in refusal(register, container("web", portMappings=[wrong]))
    assert "containerPortRange" in refusal(register, container("web", portMappings=[{"containerPortRange": "1-9"}]))


def test_volumes(register: Make, container: Make) -> None:
    mount = {"sourceVolume": "content", "containerPath": "/content"}
    web = container("web", mountPoints=[mount])
    assert register(web, volumes=[{"name": "content"}]).raw["volumes"] == [{"name": "content"}]
    assert refusal(register, web) == "Unknown volume 'content'."
    assert refusal(register, volumes=[{}]) == "Volume.name should not be null or empty."
    for what, volume in (
        ("dockerVolumeConfiguration", {"dockerVolumeConfiguration": {"scope": "task"}}),
        ("host.sourcePath", {"host": {"sourcePath": "/srv"}}),
    ):
        assert what in refusal(register, volumes=[{"name": "v", **volume}])
    assert register(web, volumes=[{"name": "content", "host": {}}])


@pytest.mark.parametrize(
    ("authorization", "more", "words"),
    [
        ({"accessPointId": "fsap-1"}, {"transitEncryption": "ENABLED"}, ""),
        ({"accessPointId": "fsap-1", "iam": "ENABLED"}, {"transitEncryption": "ENABLED", "rootDirectory": "/"}, ""),
        ({"iam": "ENABLED"}, {"transitEncryption": "ENABLED", "rootDirectory": "/data"}, ""),
        ({"iam": "DISABLED"}, {"rootDirectory": "/data"}, ""),
        ({"accessPointId": "fsap-1"}, {}, "When using an EFS access point, transit encryption must be enabled."),
        ({"iam": "ENABLED"}, {}, "When using IAM authorization for EFS, transit encryption must be enabled."),
        (
            {"accessPointId": "fsap-1"},
            {"transitEncryption": "ENABLED", "rootDirectory": "/data"},
            'When using an EFS access point, the root directory must either be set to "/" or be omitted.',
        ),
    ],
)
def test_how_a_file_system_is_authorized(register: Make, authorization: Any, more: Any, words: str) -> None:
    efs = {"fileSystemId": "fs-1", "authorizationConfig": authorization, **more}
    volumes = [{"name": "v", "efsVolumeConfiguration": efs}]
    if words:
        assert refusal(register, volumes=volumes) == f"Create TaskDefinition: {words}"
    else:
        assert register(volumes=volumes).raw["volumes"] == volumes


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("systemControls", [{"namespace": "net.core.somaxconn", "value": "1"}]),
        ("firelensConfiguration", {"type": "fluentbit"}),
    ],
)
def test_what_would_be_ignored_in_silence_is_refused(
    register: Make, container: Make, parameter: str, value: object
) -> None:
    said = refusal(register, container("web", **{parameter: value}))
    assert f"containerDefinitions[name=web].{parameter} yet; see docs/fidelity.md" in said
    assert register(container("web", **{parameter: type(value)()})).name == "blog:1"  # empty asks for nothing


def test_task_parameters_that_are_not_carried_out(register: Make) -> None:
    assert "pidMode" in refusal(register, pidMode="task")


# -- robustness ------------------------------------------------------------------------------------------------------

good_types = st.fixed_dictionaries(
    {},
    optional={
        "family": st.sampled_from(["blog", "", "a b"]) | st.text(max_size=5),
        "networkMode": st.sampled_from(["awsvpc", "bridge", "x"]),
        "requiresCompatibilities": st.lists(st.sampled_from(["FARGATE", "EC2", "EXTERNAL"]), max_size=2),
        "cpu": st.sampled_from(["256", ".5 vCPU", "9"]) | st.text(max_size=5),
        "memory": st.sampled_from(["512", "1 GB", "9"]) | st.text(max_size=5),
        "volumes": st.lists(st.fixed_dictionaries({}, optional={"name": st.text(max_size=2)}), max_size=2),
        "containerDefinitions": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": st.sampled_from(["web", "db", ""]),
                    "image": st.sampled_from(["web:1", ""]),
                    "essential": st.booleans() | st.none(),
                    "memory": st.integers(-1, 999),
                    "stopTimeout": st.integers(-1, 999),
                    "portMappings": st.lists(
                        st.fixed_dictionaries(
                            {}, optional={"containerPort": st.integers(0, 99), "hostPort": st.integers(0, 99)}
                        ),
                        max_size=2,
                    ),
                    "mountPoints": st.lists(
                        st.fixed_dictionaries({}, optional={"sourceVolume": st.text(max_size=2)}), max_size=2
                    ),
                    "secrets": st.none() | st.just([]),
                },
            ),
            max_size=3,
        ),
    },
)


@given(good_types)
def test_a_request_is_registered_or_refused(request: dict[str, Any]) -> None:
    with suppress(EcsError):
        definition = taskdef.register(request, arn_prefix="arn:aws:ecs:r:a", revision=3, now=0.0)
        assert any(container.essential for container in definition.containers)


# -- references ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("blog", ("blog", None)),
        ("blog:12", ("blog", 12)),
        ("arn:aws:ecs:us-east-1:123456789012:task-definition/blog:3", ("blog", 3)),
        ("arn:aws:ecs:us-east-1:123456789012:task-definition/blog", ("blog", None)),
    ],
)
def test_references(reference: str, expected: tuple[str, int | None]) -> None:
    assert taskdef.parse_reference(reference) == expected


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("blog:x", "Invalid revision number. Number: x"),
        ("blog:", "Invalid revision number. Number: "),
        ("blog:²", "Invalid revision number. Number: ²"),
        ("blog:" + "9" * 5000, "Invalid revision number. Number: " + "9" * 5000),
        ("", "Unable to describe task definition."),
        ("my blog", "Unable to describe task definition."),
        ("arn:aws:ecs:us-east-1:123456789012:cluster/blog", "Unable to describe task definition."),
    ],
)
def test_references_that_are_none(reference: str, message: str) -> None:
    with pytest.raises(EcsError) as caught:
        taskdef.parse_reference(reference)
    assert (caught.value.code, caught.value.message) == ("ClientException", message)
