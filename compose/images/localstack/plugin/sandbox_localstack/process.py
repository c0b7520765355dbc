"""The process executor: each execution environment is a process beside LocalStack, as under the embedded Lambda.

It needs neither an engine nor images. LocalStack decides when environments are made, reused and ended, which
invocations are tried again, and what becomes of the log.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from sandbox.aws.lambda_runtime.api import Invocation
from sandbox.aws.lambda_runtime.bootstrap import INTERNET_VARIABLE
from sandbox.aws.lambda_runtime.environment import Environment
from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox_localstack import functions, report, settings

_HOST = "127.0.0.1"


class ProcessRuntimeExecutor(RuntimeExecutor):
    """One execution environment of a function."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self._home = Path()
        self._variables: dict[str, str] = {}
        self._environment: Environment | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self._log = ""

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process.

        Raises:
            LambdaRuntimeException: With provisioned concurrency: the init phase failed.
        """
        version = self.function_version
        self._home = Path(tempfile.mkdtemp(prefix="function-"))
        task, opt = version.config.code.get_unzipped_code_location(), functions.layers_folder(version)
        self._variables = functions.variables(env_vars, version, task, opt, _HOST)
        self._variables[INTERNET_VARIABLE] = settings.internet()
        environment = self._renew()
        # Otherwise the first invocation waits for the init phase, and has its log and its error.
        if env_vars.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency" and not environment.initialise():
            raise LambdaRuntimeException(f"the init phase of {version.qualified_arn} failed")

    def stop(self) -> None:
        """End the process and all that it started."""
        with self._lock:
            self._stopped = True
            environment = self._environment
        if environment is not None:
            environment.close()
            shutil.rmtree(self._home, ignore_errors=True)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation and wait for its result."""
        environment = self._environment
        if environment is None or not environment.alive:  # its process ended between two invocations
            environment = self._renew()
        result = environment.invoke(
            Invocation(
                payload["invoke-id"],
                payload["payload"].encode(),
                0.0,
                payload["invoked-function-arn"],
                payload["trace-id"],
            )
        )
        self._log = result.log
        if settings.has_gateway():
            report.invocation(self.function_version, payload["invoked-function-arn"], payload["payload"], result)
        return InvocationResult(result.request_id, result.payload, is_error=result.failed, logs=result.log)

    def get_logs(self) -> str:
        """The log of the last invocation."""
        return self._log

    def get_address(self) -> str:
        """Where the function runs, for LocalStack."""
        return _HOST

    def get_endpoint_from_executor(self) -> str:
        """Where LocalStack is, for the function."""
        return _HOST

    def get_runtime_endpoint(self) -> str:
        """Nothing: results come back as results of calls."""
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack code and layers."""
        functions.prepare(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Remove what `prepare_version` unpacked."""
        functions.forget(function_version)

    def _renew(self) -> Environment:
        with self._lock:
            if self._stopped:
                raise LambdaRuntimeException(f"{self.function_version.qualified_arn} is being stopped")
            if self._environment is not None:
                self._environment.close()
            task = self.function_version.config.code.get_unzipped_code_location()
            self._environment = Environment(
                _config(self.function_version), task, self._home, self._variables, lambda events: None, settings.PYTHON
            )
            return self._environment


def _config(version: FunctionVersion) -> FunctionConfig:
    return FunctionConfig(
        name=version.id.function_name,
        arn=version.id.unqualified_arn(),
        revision=version.config.internal_revision,
        handler=version.config.handler or "",
        runtime=functions.runtime_of(version),
        code=b"",
        timeout=version.config.timeout,
        memory_size=version.config.memory_size,
        region=version.id.region,
        version=version.id.qualifier,
    )
