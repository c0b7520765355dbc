"""Layers and code in S3, as boto3 sees them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.services import lambda_code, lambda_layers

USES = "import shared\ndef handler(event, context):\n    return shared.NAME"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:"


def publish(control: Any, name: str, source: str, file: str = "python/shared.py", **more: Any) -> str:
    content = {"ZipFile": control.zipped(source, file)}
    return str(control.aws("lambda").publish_layer_version(LayerName=name, Content=content, **more)["LayerVersionArn"])


def answer(control: Any, name: str = "f") -> Any:
    return json.load(control.aws("lambda").invoke(FunctionName=name)["Payload"])


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_function_uses_a_layer(control: Any) -> None:
    client = control.aws("lambda")
    arn = publish(control, "shared", "NAME = 'one'", CompatibleRuntimes=["python3.12"], Description="d")
    assert arn == f"{LAYER}shared:1"
    control.function(USES, Layers=[arn])
    assert answer(control) == "one"
    shown = client.get_function_configuration(FunctionName="f")["Layers"]
    assert [layer["Arn"] for layer in shown] == [arn]
    second = publish(control, "shared", "NAME = 'two'")
    assert second == f"{LAYER}shared:2"
    assert answer(control) == "one"
    client.update_function_configuration(FunctionName="f", Layers=[second])
    assert answer(control) == "two"
    client.update_function_configuration(FunctionName="f", Layers=[])
    assert answer(control)["errorType"] == "Runtime.ImportModuleError"


@pytest.mark.parametrize("file", ["python/shared.py", "python/lib/python3.12/site-packages/shared.py"])
def test_where_a_layer_has_modules(control: Any, file: str) -> None:
    control.function(USES, Layers=[publish(control, "shared", "NAME = 'found'", file)])
    assert answer(control) == "found"


def test_later_layers_lie_over_earlier_ones_and_the_function_s_code_over_all(control: Any) -> None:
    first = publish(control, "first", "NAME = 'first'")
    second = publish(control, "second", "NAME = 'second'")
    control.function(USES, "a", Layers=[first, second])
    control.function(USES, "b", Layers=[second, first])
    assert (answer(control, "a"), answer(control, "b")) == ("second", "first")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", USES)
        archive.writestr("shared.py", "NAME = 'own'")
    control.aws("lambda").update_function_code(FunctionName="a", ZipFile=package.getvalue())
    assert answer(control, "a") == "own"


def test_programs_of_a_layer_are_on_the_path(control: Any) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        entry = zipfile.ZipInfo("bin/greet")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, "#!/bin/sh\necho hello\n")
    layer = control.aws("lambda").publish_layer_version(LayerName="bin", Content={"ZipFile": package.getvalue()})
    source = "import subprocess\ndef handler(e, c):\n    return subprocess.check_output('greet', text=True)"
    control.function(source, Layers=[layer["LayerVersionArn"]])
    assert answer(control) == "hello\n"


def test_a_deleted_version_stays_with_its_functions(control: Any) -> None:
    client = control.aws("lambda")
    arn = publish(control, "shared", "NAME = 'kept'")
    control.function(USES, Layers=[arn])
    client.delete_layer_version(LayerName="shared", VersionNumber=1)
    assert answer(control) == "kept"
    assert refused(client.get_layer_version, LayerName="shared", VersionNumber=1)[0] == "ResourceNotFoundException"
    assert refused(client.update_function_configuration, FunctionName="f", Layers=[arn]) == (
        "InvalidParameterValueException",
        f"Layer version {arn} does not exist.",
    )
    assert publish(control, "shared", "NAME = 'new'").endswith(":2")


def test_layers_are_shown(control: Any) -> None:
    client = control.aws("lambda")
    publish(control, "a", "NAME = 1", CompatibleRuntimes=["python3.11"])
    publish(control, "a", "NAME = 2", CompatibleRuntimes=["python3.12"], LicenseInfo="MIT")
    publish(control, "b", "NAME = 3")
    versions = client.list_layer_versions(LayerName="a")["LayerVersions"]
    assert [version["Version"] for version in versions] == [2, 1]
    layers = client.list_layers()["Layers"]
    assert [(x["LayerName"], x["LatestMatchingVersion"]["Version"]) for x in layers] == [("a", 2), ("b", 1)]
    (only,) = client.list_layers(CompatibleRuntime="python3.11")["Layers"]
    assert only["LatestMatchingVersion"]["Version"] == 1
    whole = client.get_layer_version(LayerName="a", VersionNumber=2)
    assert (whole["LicenseInfo"], whole["LayerArn"]) == ("MIT", f"{LAYER}a")
    assert whole["Content"]["CodeSize"] > 0
    assert client.get_layer_version_by_arn(Arn=f"{LAYER}a:2")["Content"] == whole["Content"]
    assert client.list_layer_versions(LayerName="nothing")["LayerVersions"] == []


def test_refused_layers(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = control.aws("lambda")
    arns = [publish(control, f"l{n}", "NAME = 1") for n in range(6)]
    control.function(USES)
    update = {"FunctionName": "f"}
    assert "more than 5" in refused(client.update_function_configuration, Layers=arns, **update)[1]
    second = publish(control, "l0", "NAME = 2")
    told = refused(client.update_function_configuration, Layers=[arns[0], second], **update)[1]
    assert told.startswith("Two different versions of the same layer are not allowed")
    content = {"ZipFile": b"no zip"}
    assert "Could not unzip" in refused(client.publish_layer_version, LayerName="x", Content=content)[1]
    monkeypatch.setattr(lambda_layers, "UNPACKED_LIMIT", 50)
    told = refused(client.update_function_configuration, Layers=[arns[0]], **update)[1]
    assert told.startswith("Function code combined with layers exceeds the maximum allowed size of 50 bytes.")
    monkeypatch.setattr(lambda_code, "UNPACKED_LIMIT", 5)
    code = {"ZipFile": control.zipped(USES)}
    assert refused(client.update_function_code, FunctionName="f", **code)[1] == (
        "Unzipped size must be smaller than 5 bytes"
    )
    assert "Layers" not in client.get_function_configuration(FunctionName="f")


def test_code_from_s3(control: Any) -> None:
    s3, client = control.aws("s3"), control.aws("lambda")
    s3.create_bucket(Bucket="code")
    s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket="code", Key="f.zip", Body=control.zipped("def handler(e, c): return 'old'"))["VersionId"]
    s3.put_object(Bucket="code", Key="f.zip", Body=control.zipped("def handler(e, c): return 'new'"))
    client.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/function",
        Handler="app.handler",
        Code={"S3Bucket": "code", "S3Key": "f.zip"},
    )
    assert answer(control) == "new"
    client.update_function_code(FunctionName="f", S3Bucket="code", S3Key="f.zip", S3ObjectVersion=old)
    assert answer(control) == "old"
    s3.put_object(Bucket="code", Key="layer.zip", Body=control.zipped("NAME = 's3'", "python/shared.py"))
    layer = client.publish_layer_version(LayerName="l", Content={"S3Bucket": "code", "S3Key": "layer.zip"})
    control.function(USES, "g", Layers=[layer["LayerVersionArn"]])
    assert answer(control, "g") == "s3"
    assert refused(client.update_function_code, FunctionName="f", S3Bucket="code", S3Key="none") == (
        "InvalidParameterValueException",
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
    )
    assert "NoSuchBucket" in refused(client.update_function_code, FunctionName="f", S3Bucket="none", S3Key="x")[1]
