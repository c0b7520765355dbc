"""The entry points. What they need is imported when they are used: LocalStack loads this module at its start."""

from __future__ import annotations

from typing import Any

from localstack.runtime import hooks
from localstack.services.lambda_ import hooks as lambda_hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin

from sandbox_localstack import settings


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """``LAMBDA_RUNTIME_EXECUTOR=process``."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type:
        """The executor."""
        from sandbox_localstack.process import ProcessRuntimeExecutor

        return ProcessRuntimeExecutor


class ContainerRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """``LAMBDA_RUNTIME_EXECUTOR=container``."""

    name = "container"

    def load(self, *args: Any, **kwargs: Any) -> type:
        """The executor."""
        from sandbox_localstack.container import ContainerRuntimeExecutor

        return ContainerRuntimeExecutor


@hooks.on_infra_start(should_load=settings.has_gateway)
def sandbox_relay_gateway() -> None:
    """Make the sandbox's endpoint reachable at a port of this container."""
    from sandbox_localstack.relay import Relay

    Relay().start()


@hooks.on_infra_start()
def sandbox_reset() -> None:
    """``POST /_localstack/sandbox/reset`` empties LocalStack."""
    from localstack.services.internal import get_internal_apis
    from rolo import route

    @route("/_localstack/sandbox/reset", methods=["POST"])
    def reset(request: Any) -> Any:
        from sandbox_localstack import state

        return state.reset(request)

    get_internal_apis().add(reset)


@lambda_hooks.start_docker_executor(should_load=settings.runs_containers)
def sandbox_configure_container(container: Any, function_version: Any) -> None:
    """A container for a function is about to be created."""
    from sandbox_localstack import container as ours

    ours.configure(container, function_version)
