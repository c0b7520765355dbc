"""The container executor: LocalStack's own Docker executor, with an image and an init that were built here.

LocalStack pulls the image of a runtime when a function is created, and downloads its init: neither can be had without
a registry.
"""

from __future__ import annotations

import re
from pathlib import Path

from localstack.services.lambda_.invocation import docker_runtime_executor
from localstack.services.lambda_.invocation.docker_runtime_executor import (
    DockerRuntimeExecutor,
    LambdaContainerConfiguration,
)
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.networking import get_main_endpoint_from_container
from localstack.utils.container_networking import get_main_container_name
from localstack.utils.container_utils.container_client import NoSuchImage
from localstack.utils.docker_utils import DOCKER_CLIENT

from sandbox.aws.lambda_runtime.function import Result
from sandbox_localstack import functions, report, settings

# By these labels the sandbox, or Testcontainers' reaper, removes what is left when LocalStack was killed.
_OWNERS = ("aws-container-sandbox.", "org.testcontainers")
_INIT = Path("/opt/code/init")
_DURATION = re.compile(r"^REPORT .*?\tDuration: ([\d.]+) ms(?:.*\tInit Duration: ([\d.]+) ms)?", re.MULTILINE)

# What LocalStack copies over the root of each function's container; it has no setting for it.
docker_runtime_executor.get_runtime_client_path = lambda: _INIT


class NoFunctionImageError(Exception):
    """LocalStack shows it as the reason of the function's state ``Failed``."""


class ContainerRuntimeExecutor(DockerRuntimeExecutor):
    """One execution environment of a function."""

    def get_image(self) -> str:
        """The image of its container."""
        return settings.FUNCTION_IMAGE

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation and wait for its result."""
        gave: InvocationResult = super().invoke(payload)
        if settings.has_gateway():
            report.invocation(self.function_version, payload["invoked-function-arn"], payload["payload"], _result(gave))
        return gave

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack code and layers, and make sure of the image.

        Raises:
            UnsupportedFunctionError: It cannot be run here.
            NoFunctionImageError: The engine has not got the image.
        """
        functions.prepare(function_version)
        image = settings.FUNCTION_IMAGE
        try:
            DOCKER_CLIENT.inspect_image(image, pull=False)
        except NoSuchImage:
            raise NoFunctionImageError(f"the engine has no image '{image}', which SANDBOX_LAMBDA_IMAGE names") from None

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Remove what `prepare_version` unpacked."""
        functions.forget(function_version)


def _result(gave: InvocationResult) -> Result:
    """What an invocation gave, with the times that only its log has."""
    log = gave.logs or ""
    found = _DURATION.search(log)
    duration, init = found.groups() if found else ("0", None)
    init_ms = float(init) if init else None
    return Result(gave.request_id, gave.payload or b"", gave.is_error, log, float(duration), init_ms)


def configure(container: LambdaContainerConfiguration, version: FunctionVersion) -> None:
    """Complete what LocalStack is about to create: variables, layers, and labels by which it is found."""
    host = get_main_endpoint_from_container()
    container.env_vars = functions.variables(container.env_vars, version, Path("/var/task"), Path("/opt"), host)
    if version.config.layers:
        container.copy_folders.append((f"{functions.layers_folder(version)}/.", "/opt"))
    mine = DOCKER_CLIENT.inspect_container(get_main_container_name())["Config"]["Labels"] or {}
    owners = {name: value for name, value in mine.items() if name.startswith(_OWNERS)}
    container.labels = {**(container.labels or {}), **owners}
