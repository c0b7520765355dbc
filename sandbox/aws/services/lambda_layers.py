"""Layers of the Lambda API: packages that functions share.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html. A version of a layer never changes; a function that
uses one keeps it when it is deleted.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.aws.lambda_runtime.archive import unpacked_size
from sandbox.aws.lambda_runtime.function import Layer
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_code import UNPACKED_LIMIT, CodeSource
from sandbox.aws.services.lambda_requests import invalid, not_found
from sandbox.clock import Clock

Request = dict[str, Any]
Answer = dict[str, Any]

_LAYERS_PER_FUNCTION = 5  # "Lambda quotas"
_NAME = re.compile(r"(?:arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:layer:)?([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class _Version:
    number: int
    layer: Layer
    created: str
    request: Request

    def shown(self) -> Answer:
        """The API's LayerVersionsListItem."""
        kept = ("Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
        return {
            "LayerVersionArn": self.layer.arn,
            "Version": self.number,
            "CreatedDate": self.created,
            **{name: self.request[name] for name in kept if name in self.request},
        }

    def whole(self) -> Answer:
        """The answer of GetLayerVersion. The content has no location: there is no bucket that holds it."""
        content = {"CodeSha256": code_sha256(self.layer.code), "CodeSize": len(self.layer.code)}
        return {"Description": "", **self.shown(), "LayerArn": self.layer.arn.rpartition(":")[0], "Content": content}

    def suits(self, request: Request) -> bool:
        runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
        return (not runtime or runtime in self.request.get("CompatibleRuntimes", ())) and (
            not architecture or architecture in self.request.get("CompatibleArchitectures", ())
        )


class LayerOperations:
    """The API's operations on layers.

    Args:
        code: Where the packages come from.
        clock: Dates the versions.
    """

    def __init__(self, code: CodeSource, clock: Clock) -> None:
        self._code_source = code
        self._layer_clock = clock
        self._layers: dict[str, dict[int, _Version]] = {}  # by the layer's ARN
        self._layer_numbers: dict[str, int] = {}
        self._layers_lock = threading.Lock()

    def publish_layer_version(self, request: Request, context: RequestContext) -> Answer:
        """PublishLayerVersion; numbers grow and never come again."""
        arn = _layer_arn(request["LayerName"], context)
        package = self._code_source.fetch(request["Content"], context.region)
        created = datetime.fromtimestamp(self._layer_clock.now(), UTC).isoformat(timespec="milliseconds")
        with self._layers_lock:
            number = self._layer_numbers.get(arn, 0) + 1
            self._layer_numbers[arn] = number
            layer = Layer(f"{arn}:{number}", package)
            version = _Version(number, layer, created.replace("+00:00", "+0000"), request)
            self._layers.setdefault(arn, {})[number] = version
        return version.whole()

    def get_layer_version(self, request: Request, context: RequestContext) -> Answer:
        """GetLayerVersion."""
        if request["VersionNumber"] < 1:
            raise invalid("Layer Version Cannot be less than 1")
        return self._version(_layer_arn(request["LayerName"], context), request["VersionNumber"]).whole()

    def get_layer_version_by_arn(self, request: Request, context: RequestContext) -> Answer:
        """GetLayerVersionByArn."""
        arn, _, number = request["Arn"].rpartition(":")
        return self._version(arn, int(number)).whole()

    def list_layer_versions(self, request: Request, context: RequestContext) -> Answer:
        """ListLayerVersions; one page, newest first."""
        with self._layers_lock:
            versions = list(self._layers.get(_layer_arn(request["LayerName"], context), {}).values())
        return {"LayerVersions": [version.shown() for version in reversed(versions) if version.suits(request)]}

    def list_layers(self, request: Request, context: RequestContext) -> Answer:
        """ListLayers; one page, each with its latest version that suits."""
        with self._layers_lock:
            layers = {arn: list(versions.values()) for arn, versions in self._layers.items()}
        found = []
        for arn, versions in layers.items():
            suiting = [version for version in versions if version.suits(request)]
            if suiting and arn.split(":")[3] == context.region:
                name = arn.rpartition(":")[2]
                found.append({"LayerName": name, "LayerArn": arn, "LatestMatchingVersion": suiting[-1].shown()})
        return {"Layers": found}

    def delete_layer_version(self, request: Request, context: RequestContext) -> Answer:
        """DeleteLayerVersion; fine if there is none. Functions that use it keep it."""
        arn = _layer_arn(request["LayerName"], context)
        with self._layers_lock:
            self._layers.get(arn, {}).pop(request["VersionNumber"], None)
        return {}

    def _layers_named(self, arns: Iterable[str]) -> tuple[Layer, ...]:
        """The layers of a function, in its order.

        Raises:
            AwsError: InvalidParameterValueException: too many, two versions of one, or one that there is not.
        """
        wanted = list(arns)
        if len(wanted) > _LAYERS_PER_FUNCTION:
            raise invalid(f"Cannot reference more than {_LAYERS_PER_FUNCTION} layers.")
        found: dict[str, Layer] = {}
        for version_arn in wanted:
            arn, _, number = version_arn.rpartition(":")
            if arn in found:
                raise invalid(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. "
                    f"{found[arn].arn} and {version_arn} are versions of the same layer."
                )
            with self._layers_lock:
                version = self._layers.get(arn, {}).get(int(number) if number.isdecimal() else 0)
            if version is None:
                raise invalid(f"Layer version {version_arn} does not exist.")
            found[arn] = version.layer
        return tuple(found.values())

    def _version(self, arn: str, number: int) -> _Version:
        with self._layers_lock:
            version = self._layers.get(arn, {}).get(number)
        if version is None:
            raise not_found("The resource you requested does not exist.")
        return version


def check_size(code: bytes, layers: Iterable[Layer]) -> None:
    """Refuse a function that is too large with its layers.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    size = sum(map(unpacked_size, [code, *(layer.code for layer in layers)]))
    if size > UNPACKED_LIMIT:
        raise invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {UNPACKED_LIMIT} bytes. "
            f"The actual size is {size} bytes."
        )


def code_sha256(package: bytes) -> str:
    """As the API shows it."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def _layer_arn(name: str, context: RequestContext) -> str:
    match = _NAME.fullmatch(name)
    if match is None:
        raise AwsError("ValidationException", f"{name} is not a layer's name or ARN")
    if name.startswith("arn:"):
        return name
    return f"arn:aws:lambda:{context.region}:{context.account_id}:layer:{name}"
