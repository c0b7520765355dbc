"""What a function is to those who run it, and what an invocation gave."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# "Lambda quotas": a synchronous response; RequestResponse requests have the same limit less 100 bytes.
RESPONSE_LIMIT = 6_291_556


@dataclass(frozen=True, slots=True)
class Layer:
    """A version of a layer: its ARN and its package, a ZIP file."""

    arn: str
    code: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """A function as it is now; any change makes a new one with another revision.

    Attributes:
        name: Its name.
        arn: Its ARN, without a qualifier.
        revision: Unlike that of any other configuration or code of this function.
        handler: ``module.function``.
        runtime: ``python3.x``. It runs on the sandbox's own Python, whatever x is.
        code: The deployment package, a ZIP file.
        timeout: In seconds; of the wall clock, since the code runs in real time.
        memory_size: In MiB; a process that takes more is killed.
        region: Its region.
        environment: Its own variables.
        layers: What is unpacked under what stands for /opt, in this order, later ones over earlier ones.
        dead_letter_target: The ARN of its dead-letter queue or topic, or "".
        log_group: Where its log goes; "" for ``/aws/lambda/`` and its name.
        version: "$LATEST", or the number of a published version.
        role: The ARN of its execution role, or "".
    """

    name: str
    arn: str
    revision: str
    handler: str
    runtime: str
    code: bytes = field(repr=False)
    timeout: int = 3
    memory_size: int = 128
    region: str = "us-east-1"
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    dead_letter_target: str = ""
    log_group: str = ""
    version: str = "$LATEST"
    role: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What an invocation gave.

    Attributes:
        request_id: Lambda's id of the invocation; the retries of an asynchronous one share it.
        payload: The response's or the error's JSON.
        failed: Whether `payload` is an error (AWS's FunctionError "Unhandled").
        log: The log lines, those of the initialisation included, up to REPORT.
        duration_ms: Of the handler.
        init_ms: Of the init phase of a new environment; None where a warm one was used, or where the init phase failed
            and was made up for within the invocation.
    """

    request_id: str
    payload: bytes
    failed: bool
    log: str
    duration_ms: float
    init_ms: float | None

    @property
    def billed_ms(self) -> int:
        """Each millisecond begun; the initialisation counts since August 2025."""
        return math.ceil(self.duration_ms + (self.init_ms or 0.0))

    def error(self) -> dict[str, Any]:
        """The error's ``errorType`` and ``errorMessage``, where they are known; empty for a success."""
        if not self.failed:
            return {}
        try:
            error = json.loads(self.payload)
        except ValueError:
            return {}
        return error if isinstance(error, dict) else {}
