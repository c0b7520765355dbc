"""`sandbox deploy`: a new image for a stack that another process keeps up."""

from __future__ import annotations

import json

import pytest

from sandbox.controllers import deploy
from sandbox.controllers.up import UpState
from sandbox.errors import SandboxError


def test_a_stack_that_is_not_up_is_named_with_those_that_are():
    up = UpState("ghost", 1, {}, [], "http://127.0.0.1:1", "", {})
    assert deploy.find([up], "ghost") is up
    with pytest.raises(SandboxError) as raised:
        deploy.find([up], "nuxt")
    assert (raised.value.state, raised.value.hint) == ("up: ghost", "bring it up in another terminal: sandbox up nuxt")


def test_a_sandbox_that_has_gone_is_an_error():
    with pytest.raises(SandboxError, match="the sandbox does not answer"):
        deploy.deploy("http://127.0.0.1:9", {"web": "x"}, tell=print)


@pytest.mark.docker
def test_images_are_deployed_and_rolled_back(cli, small_stack):
    stack = small_stack()
    file = stack.folder / "stack.yaml"
    breaker = "      deploymentConfiguration: {deploymentCircuitBreaker: {enable: true, rollback: true}}\n"
    file.write_text(file.read_text().replace("      launchType: FARGATE\n", f"      launchType: FARGATE\n{breaker}"))
    assert cli.run("deploy", "small", "--image", "nginx=nginx:1.27")[0] == 2
    up = cli.start("up", stack, "--speed", "20")
    up.wait_for("is up")
    code, out, err = cli.run("deploy", "small", "--image", "nginx=nginx:1.27")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "small: small:1 -> small:2 (nginx=nginx:1.27)"
    assert "deployment completed." in out
    assert lines[-1].startswith("small: completed after ")
    code, out, _ = cli.run("deploy", "small", "--image", "nginx=no-such-image:2", "--json")
    assert code == 1
    (outcome,) = json.loads(out)["deployments"]
    assert (outcome["result"], outcome["before"], outcome["task_definition"]) == ("rolled back", "small:2", "small:3")
    assert outcome["reason"].endswith("tasks failed to start.")
    assert any("rolling back to deployment" in event for event in outcome["events"])
    assert "stopped: CannotPullContainerError" in outcome["stopped"]
    code, _, err = cli.run("deploy", "small", "--image", "app=nginx:1.27")
    assert (code, "there is no container 'app' in any service" in err, "small: nginx" in err) == (2, True, True)
    up.interrupt()
    assert up.end() == 130
    assert not cli.left()
