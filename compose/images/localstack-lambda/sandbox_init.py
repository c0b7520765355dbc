"""The first process of a function's container under LocalStack's Docker executor.

Towards LocalStack it speaks the protocol of LocalStack's own init (``localstack/services/lambda_/invocation/
executor_endpoint.py`` of the package is the other side): it says that it is ready, takes invocations on port 9563, and
posts their logs and results. What runs the function is the execution environment of the sandbox's embedded Lambda.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.aws.lambda_runtime.api import Invocation
from sandbox.aws.lambda_runtime.environment import Environment
from sandbox.aws.lambda_runtime.function import FunctionConfig

PORT = 9563
_OWN = ("LOCALSTACK_RUNTIME_ID", "LOCALSTACK_RUNTIME_ENDPOINT", "LOCALSTACK_CHMOD_PATHS")  # not for the function


class Init:
    """The protocol, around one execution environment.

    Args:
        variables: The container's environment variables, as LocalStack has set them.
    """

    def __init__(self, variables: dict[str, str]) -> None:
        self._endpoint = variables["LOCALSTACK_RUNTIME_ENDPOINT"]
        self._id = variables["LOCALSTACK_RUNTIME_ID"]
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._server = ThreadingHTTPServer(("", PORT), _Handler)
        self._server.init = self  # type: ignore[attr-defined]
        self._provisioned = variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency"
        self._function = _function(variables)
        self._variables = {name: value for name, value in variables.items() if name not in _OWN}
        self._environment = self._start()

    def run(self) -> None:
        """Serve until the container is stopped."""
        # LocalStack has no place for the log of an init phase that fails, so such a one ends with the first invocation,
        # which has the log; only with provisioned concurrency does AWS want to know before.
        if self._provisioned and not self._environment.initialise():
            error = {"errorType": "Runtime.ExitError", "errorMessage": "the init phase failed"}
            self._post(f"status/{self._id}/error", error)
            return
        self._post(f"status/{self._id}/ready", {})
        self._server.serve_forever()

    def invoke(self, told: dict[str, Any]) -> None:
        """Run one invocation and post what it gave."""
        request_id = told["invoke-id"]
        if not self._environment.alive:  # its process ended between two invocations
            self._environment.close()
            self._environment = self._start()
        result = self._environment.invoke(
            Invocation(request_id, told["payload"].encode(), 0.0, told["invoked-function-arn"], told["trace-id"])
        )
        self._post(f"invocations/{request_id}/logs", {"logs": result.log})
        self._post(f"invocations/{request_id}/{'error' if result.failed else 'response'}", result.payload)

    def close(self) -> None:
        """End the function's process and all that it started."""
        self._environment.close()

    def _start(self) -> Environment:
        task = Path(self._variables["LAMBDA_TASK_ROOT"])
        return Environment(self._function, task, Path("/tmp"), self._variables, lambda events: None)

    def _post(self, path: str, body: object) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._endpoint}/{path}", data, {"Content-Type": "application/json"}, method="POST"
        )
        with self._opener.open(request, timeout=60):
            pass


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()
        self.server.init.invoke(told)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the container's log is for what goes wrong."""


def _function(variables: dict[str, str]) -> FunctionConfig:
    return FunctionConfig(
        name=variables["AWS_LAMBDA_FUNCTION_NAME"],
        arn="",
        revision="",
        handler=variables.get("_HANDLER", ""),
        runtime=variables["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_"),
        code=b"",
        timeout=int(variables["AWS_LAMBDA_FUNCTION_TIMEOUT"]),
        memory_size=int(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]),
        region=variables["AWS_REGION"],
        version=variables["AWS_LAMBDA_FUNCTION_VERSION"],
    )


def _reap() -> None:
    """As first process of a container, become one that takes in orphans and hands SIGTERM on; its child goes on.

    The kernel ignores a signal for which the first process has no handler, and orphans come to it.
    """
    child = os.fork()
    if child == 0:
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: os.kill(child, got))
    while True:
        ended, status = os.wait()
        if ended == child:
            sys.stdout.flush()
            os._exit(abs(os.waitstatus_to_exitcode(status)))


def main() -> None:
    """Run the init until SIGTERM."""
    if os.getpid() == 1:
        _reap()
    init = Init(dict(os.environ))

    def stop(number: int, frame: object) -> None:
        # An invocation that is under way is not waited for: LocalStack has given it up.
        threading.Thread(target=end, daemon=True).start()

    def end() -> None:
        with contextlib.suppress(Exception):
            init.close()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    init.run()
