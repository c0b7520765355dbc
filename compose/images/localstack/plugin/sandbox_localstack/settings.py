"""The container's environment variables that the plugin reads; docs/localstack.md explains them."""

from __future__ import annotations

import os
from pathlib import Path

FUNCTION_IMAGE = os.environ.get("SANDBOX_LAMBDA_IMAGE", "")
"""The image of functions' containers."""
ENDPOINT_URL = os.environ.get("SANDBOX_ENDPOINT_URL", "")
"""AWS_ENDPOINT_URL of functions; "" for the sandbox's gateway if there is one, else LocalStack itself."""
GATEWAY_SOCKET = os.environ.get("SANDBOX_GATEWAY_SOCKET", "")
"""The Unix socket of the sandbox's gateway in this container; "" where there is none."""
GATEWAY_PORT = int(os.environ.get("SANDBOX_GATEWAY_PORT") or 4565)
"""Where that gateway is to be had in this container."""
PYTHON = "/var/lang/bin/python"


def internet() -> str:
    """What functions in processes reach besides this container, as ``Internet`` of the embedded runtime is told of it.

    SANDBOX_INTERNET, or after an @ the name of a file that has it: it is another one with each sandbox.
    """
    told = os.environ.get("SANDBOX_INTERNET", "")
    if not told.startswith("@"):
        return told
    try:
        return Path(told[1:]).read_text()
    except OSError:
        return ""


def has_gateway() -> bool:
    """Whether there is a gateway to relay to."""
    return bool(GATEWAY_SOCKET)


def runs_containers() -> bool:
    """Whether each function runs in a container of our image."""
    return os.environ.get("LAMBDA_RUNTIME_EXECUTOR") == "container"
