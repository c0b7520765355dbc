"""LocalStack's own Docker executor, with an image that was built here.

LocalStack pulls the image of a runtime when a function is created; it is told that it has done so. What it then puts
into the container is our init instead of its own, which is a download.
"""

from __future__ import annotations

from pathlib import Path

from localstack.services.lambda_.invocation import docker_runtime_executor as executor
from localstack.services.lambda_.invocation.docker_runtime_executor import LambdaContainerConfiguration
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion
from localstack.services.lambda_.networking import get_main_endpoint_from_container
from localstack.utils.container_networking import get_main_container_name
from localstack.utils.container_utils.container_client import NoSuchImage
from localstack.utils.docker_utils import DOCKER_CLIENT

from sandbox_localstack import functions, settings

# By these labels the sandbox, or Testcontainers' reaper, removes what is left when LocalStack was killed.
_OWNERS = ("aws-container-sandbox.", "org.testcontainers")


class NoFunctionImageError(Exception):
    """LocalStack shows it as the reason of the function's state ``Failed``."""


def prepare(version: FunctionVersion) -> None:
    """Before a function's first container: its code and layers are unpacked, and its image is there.

    Raises:
        UnsupportedFunctionError: It cannot be run here.
        NoFunctionImageError: The engine has not got the image.
    """
    runtime = functions.runtime_of(version)
    image = settings.FUNCTION_IMAGE
    try:
        DOCKER_CLIENT.inspect_image(image, pull=False)
    except NoSuchImage:
        raise NoFunctionImageError(f"the engine has no image {image}, which SANDBOX_LAMBDA_IMAGE names") from None
    functions.prepare(version)
    platform = executor.docker_platform(version.config.architectures[0])
    executor.PULLED_IMAGES.add((executor.resolver.get_image_for_runtime(runtime), platform))


def configure(container: LambdaContainerConfiguration, version: FunctionVersion) -> None:
    """What LocalStack is about to create becomes a container of our image."""
    container.image_name = settings.FUNCTION_IMAGE
    container.entrypoint = ["/var/rapid/init"]
    host = get_main_endpoint_from_container()
    container.env_vars = functions.variables(container.env_vars, version, Path("/var/task"), Path("/opt"), host)
    if version.config.layers:
        container.copy_folders.append((f"{functions.layers_folder(version)}/.", "/opt"))
    mine = DOCKER_CLIENT.inspect_container(get_main_container_name())["Config"]["Labels"] or {}
    owners = {name: value for name, value in mine.items() if name.startswith(_OWNERS)}
    container.labels = {**(container.labels or {}), **owners}
