"""What tests of the stacks' files share: plain Docker Compose, without a sandbox."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from testcontainers.compose import DockerCompose

from sandbox.engine import compose_plugin, daemon
from sandbox.engine.images import Images

Compose = Callable[..., AbstractContextManager[DockerCompose]]


@pytest.fixture
def compose(request: pytest.FixtureRequest, tmp_path: Path) -> Compose:
    """Brings up a compose file for as long as a block lasts, and waits for its health checks.

    It is called with the folder, the variables that are images (by component), the file's name, and other variables.
    """

    @contextlib.contextmanager
    def up(
        folder: Path, images: Mapping[str, str], file: str = "compose.yaml", **variables: str
    ) -> Iterator[DockerCompose]:
        client = daemon.connect()
        source = Images(client, request.config.getoption("--sandbox-images"), lambda text: None)
        if compose_plugin.find() is None:
            compose_plugin.extract(client, source.ensure("compose-plugin"))
        command = compose_plugin.find()
        assert command is not None
        settings = {
            "COMPOSE_PROJECT_NAME": f"{folder.name}-{secrets.token_hex(4)}",
            **{name: source.ensure(component) for name, component in images.items()},
            **variables,
        }
        client.close()
        env_file = tmp_path / "env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        with DockerCompose(folder, file, env_file=str(env_file), docker_command_path=command[0], wait=True) as running:
            yield running

    return up
