"""What both executors make of a function: its runtime, its layers, its environment variables."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from sandbox.aws.lambda_runtime.bootstrap import OPT_VARIABLE
from sandbox_localstack import settings

_unpacking = threading.Lock()


class UnsupportedFunctionError(Exception):
    """LocalStack shows it as the reason of the function's state ``Failed``."""


def runtime_of(version: FunctionVersion) -> str:
    """``python3.x``.

    Raises:
        UnsupportedFunctionError: It is a container image, or in another language.
    """
    runtime = version.config.runtime
    if not runtime or not version.config.code:
        raise UnsupportedFunctionError("functions that are container images are not carried out")
    if not runtime.startswith("python"):
        raise UnsupportedFunctionError(
            f"runtime {runtime} is not carried out: functions are in Python here, "
            "or in AWS's own images (LAMBDA_RUNTIME_EXECUTOR=docker)"
        )
    return str(runtime)


def prepare(version: FunctionVersion) -> None:
    """Unpack a version's code and layers.

    Raises:
        UnsupportedFunctionError: It cannot be run here.
    """
    runtime_of(version)
    version.config.code.prepare_for_execution()
    opt = layers_folder(version)
    with _unpacking:
        if opt.exists():
            return
        opt.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=opt.parent) as folder:
            made = Path(folder) / "opt"
            made.mkdir()
            for layer in version.config.layers:  # later ones over earlier ones
                layer.code.prepare_for_execution()
                shutil.copytree(layer.code.get_unzipped_code_location(), made, dirs_exist_ok=True, symlinks=True)
            made.rename(opt)


def forget(version: FunctionVersion) -> None:
    """Remove the unpacked layers of a version (its code is LocalStack's)."""
    shutil.rmtree(layers_folder(version), ignore_errors=True)


def layers_folder(version: FunctionVersion) -> Path:
    """Where the layers of a version are unpacked, one over the other."""
    return Path(tempfile.gettempdir()) / "sandbox-layers" / version.config.internal_revision


def variables(
    given: Mapping[str, object], version: FunctionVersion, task: Path, opt: Path, host: str
) -> dict[str, str]:
    """The environment variables of a function.

    Args:
        given: LocalStack's, which have the function's own in them.
        version: The function.
        task: Where its code is.
        opt: Where its layers are.
        host: This container, as the function reaches it.
    """
    endpoint = settings.ENDPOINT_URL
    if not endpoint and settings.GATEWAY_SOCKET:
        endpoint = f"http://{host}:{settings.GATEWAY_PORT}"
    own = version.config.environment or {}
    found = {
        "PATH": f"/var/lang/bin:/usr/local/bin:/usr/bin:/bin:{opt}/bin",
        "LD_LIBRARY_PATH": f"{task}:{task}/lib:{opt}/lib",
        "LANG": "en_US.UTF-8",
        **{name: str(value) for name, value in given.items()},
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime_of(version)}",
        "LAMBDA_TASK_ROOT": str(task),
        OPT_VARIABLE: str(opt),
    }
    if endpoint and "AWS_ENDPOINT_URL" not in own:
        found["AWS_ENDPOINT_URL"] = endpoint
    return found
