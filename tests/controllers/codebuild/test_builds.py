"""Builds on Docker: what their commands see, and how they end."""

from __future__ import annotations

import itertools

import pytest
import yaml

from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

SPEED = 20


class Builds:
    """Starts builds of projects that have nothing but a buildspec."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.api = sandbox.aws("codebuild")
        self.names = (f"app-{number}" for number in itertools.count(1))

    def start(self, phases, image="aws/codebuild/standard:7.0", timeout=60, variables=(), **members):
        name = next(self.names)
        content = {"version": 0.2, "phases": {key: {"commands": lines} for key, lines in phases.items()}, **members}
        self.api.create_project(
            name=name,
            source={"type": "NO_SOURCE", "buildspec": yaml.safe_dump(content)},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole="arn:aws:iam::123456789012:role/build",
            timeoutInMinutes=timeout,
        )
        overrides = [{"name": key, "value": value} for key, value in dict(variables).items()]
        return self.api.start_build(projectName=name, environmentVariablesOverride=overrides)["build"]["id"]

    def wait(self, build):
        """The build as it is shown when it has ended, and what it printed without the container's own lines."""
        told = self.sandbox.timeline.wait_for(
            f"build {build} to end", lambda s: s.kind == "codebuild.build" and s["build"] == build, within=60
        )
        (shown,) = self.api.batch_get_builds(ids=[build])["builds"]
        assert shown["buildStatus"] == told["status"]
        return shown, [line for line in told["log"] if not line.startswith("[Container]")]

    def log(self, shown):
        """The lines of CloudWatch Logs, without the container's own."""
        self.sandbox._control_plane.logs.flush()
        where = {"logGroupName": shown["logs"]["groupName"], "logStreamName": shown["logs"]["streamName"]}
        lines = [event["message"] for event in self.sandbox.aws("logs").get_log_events(**where)["events"]]
        return [line for line in lines if not line.startswith("[Container]")]

    def run(self, phases, **more):
        return self.wait(self.start(phases, **more))


@pytest.fixture(scope="module")
def builds(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as sandbox:
        yield Builds(sandbox)


def phases_of(shown):
    return {phase["phaseType"]: phase.get("phaseStatus") for phase in shown["phases"]}


def test_variables_and_folders_go_from_phase_to_phase(builds):
    shown, said = builds.run(
        {
            "install": ["NAME='a  b'", "export MORE=c", "mkdir sub", "cd sub"],
            "build": ['echo "$NAME $MORE $GIVEN $OVER"', "pwd", "echo $CODEBUILD_BUILD_SUCCEEDING"],
        },
        variables={"OVER": "start"},
        env={"variables": {"GIVEN": "it's", "OVER": "buildspec"}, "exported-variables": ["NAME", "NONE"]},
    )
    assert shown["buildStatus"] == "SUCCEEDED"
    assert said == ["a  b c it's start", "/codebuild/output/src/sub", "1"]
    assert shown["exportedEnvironmentVariables"] == [{"name": "NAME", "value": "a  b"}, {"name": "NONE", "value": ""}]
    assert list(phases_of(shown)) == [
        *("PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"),
        *("UPLOAD_ARTIFACTS", "COMPLETED"),
    ]


def test_the_shell_may_be_bash(builds):
    shown, said = builds.run(
        {"install": ["WORDS=(a b)", "PAIR=c"], "build": ["[[ $PAIR == c ]] && echo ${BASH_VERSION:0:1} ${PAIR^^}"]},
        env={"shell": "bash", "exported-variables": ["PAIR"]},
    )
    assert (shown["buildStatus"], said) == ("SUCCEEDED", ["5 C"])
    assert shown["exportedEnvironmentVariables"] == [{"name": "PAIR", "value": "c"}]


def test_after_a_failed_build_phase_post_build_runs_and_knows(builds):
    shown, said = builds.run(
        {
            "build": ["echo one", "sh -c 'exit 4'", "echo never"],
            "post_build": ["echo $CODEBUILD_BUILD_SUCCEEDING; echo 1"],
        }
    )
    assert (shown["buildStatus"], said) == ("FAILED", ["one"])
    assert builds.log(shown)[-2:] == ["0", "1"]
    context = next(phase["contexts"][0] for phase in shown["phases"] if phase["phaseType"] == "BUILD")
    assert context == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: sh -c 'exit 4'. Reason: exit status 4",
    }


def test_after_a_failed_pre_build_nothing_runs(builds):
    shown, said = builds.run({"pre_build": ["exit 2"], "build": ["echo never"], "post_build": ["echo never"]})
    assert (said, list(phases_of(shown))[-1], phases_of(shown)["PRE_BUILD"]) == ([], "COMPLETED", "FAILED")


def test_a_build_reaches_the_aws_endpoint_and_not_the_engine(builds):
    _, said = builds.run(
        {
            "build": [
                "curl -s $AWS_ENDPOINT_URL/_sandbox/health | cut -c 1-15",
                "ls /var/run/docker.sock 2>&1 | tail -n 1 | cut -c 1-10 || true",
                "docker run --privileged nginx || true",
                "docker build nowhere || true",
                "docker push web || true",
                "aws s3 ls || true",
            ]
        }
    )
    assert said == [
        '{"status": "ok"',
        "ls: cannot",
        "docker run --privileged nginx: not carried out; the sandbox's docker carries out build, tag, push, login and "
        "logout",
        "unable to prepare context: path 'nowhere' not found",
        "An image does not exist locally with the tag: web:latest",
        "aws s3 ls: the sandbox's build image has no AWS CLI; name one in the project that has",
    ]


def test_images_are_built_from_images_of_the_catalogue_and_of_the_build(builds):
    shown, said = builds.run(
        {
            "build": [
                "printf 'FROM nginx:1.27\\nRUN echo first\\n' > Dockerfile",
                "docker build -t base . | tail -n 1",
                "mkdir other && printf 'ARG FROM=none\\nFROM $FROM\\nRUN echo second\\n' > other/My",
                "docker build -f other/My --build-arg FROM=base -t two other | tail -n 1",
            ]
        }
    )
    assert (shown["buildStatus"], said) == (
        "SUCCEEDED",
        ["Successfully tagged base:latest", "Successfully tagged two:latest"],
    )


def test_a_base_image_that_cannot_be_had_fails_the_build(builds):
    shown, said = builds.run(
        {"build": ["printf 'FROM no-such-image:1\\n' > Dockerfile", "docker build -t x ."]},
    )
    assert shown["buildStatus"] == "FAILED"
    assert said


@pytest.mark.parametrize(
    ("buildspec", "code", "words"),
    [
        (
            {"artifacts": {"files": ["missing.json"]}},
            "CLIENT_ERROR",
            "no matching artifact paths found for missing.json",
        ),
        ({"cache": {}}, "YAML_FILE_ERROR", "the project's buildspec: the buildspec: cache is not carried out"),
    ],
)
def test_what_a_buildspec_asks_for_and_cannot_be_had(builds, buildspec, code, words):
    shown, _ = builds.run({"build": ["true"]}, **buildspec)
    failed = next(phase for phase in shown["phases"] if phase.get("phaseStatus") == "FAILED")
    assert failed["contexts"][0]["statusCode"] == code
    assert words in failed["contexts"][0]["message"]


def test_an_image_that_cannot_be_had_fails_in_provisioning(builds):
    shown, _ = builds.run({"build": ["true"]}, image="no-such-image:1")
    assert (shown["buildStatus"], phases_of(shown)["PROVISIONING"]) == ("FAILED", "FAILED")


def test_a_build_is_stopped_by_its_time_out_or_by_hand(builds):
    build = builds.start({"build": ["echo begun", "sleep 100"]})
    builds.sandbox.timeline.wait_for(
        "the build to get to its commands",
        lambda seen: seen.kind == "codebuild.phase" and (seen["build"], seen["phase"]) == (build, "PRE_BUILD"),
        within=30,
    )
    builds.api.stop_build(id=build)
    assert builds.wait(build)[0]["buildStatus"] == "STOPPED"
    assert builds.run({"build": ["sleep 100"]}, timeout=5)[0]["buildStatus"] == "TIMED_OUT"
