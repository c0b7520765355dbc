"""Clients that can only reach the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.aws.clients import Clients
from sandbox.aws.gateway import ApiCall, Gateway
from sandbox.aws.protocol import RequestContext
from sandbox.errors import SandboxError


class Ecs:
    service_name = "ecs"

    def list_clusters(self, _request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return {"clusterArns": [context.region]}


calls: list[ApiCall] = []


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    calls.clear()
    with Gateway([Ecs()], on_call=calls.append) as running:
        yield running


@pytest.mark.parametrize("endpoint", ["", "None", "127.0.0.1:4566"])
def test_clients_without_an_endpoint_cannot_be_made(endpoint: str) -> None:
    with pytest.raises(SandboxError, match="would call the real AWS"):
        Clients(endpoint)


@pytest.mark.parametrize(
    "service", ["ecs", "ec2", "s3", "sts", "iam", "route53", "cloudfront", "lambda", "servicediscovery", "ssm"]
)
def test_every_client_has_the_endpoint_whatever_the_environment_says(
    service: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[default]\nregion = eu-north-1\nendpoint_url = https://elsewhere.example\n"
        "ignore_configured_endpoint_urls = true\n"
        "[profile work]\naws_access_key_id = real\naws_secret_access_key = real\nuse_fips_endpoint = true\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = Clients(gateway.url)(service)
    assert client.meta.endpoint_url == gateway.url
    assert client.meta.region_name in ("us-east-1", "aws-global")
    assert client._request_signer._credentials.access_key == "sandbox"
    if service == "ecs":
        assert client.list_clusters()["clusterArns"] == ["us-east-1"]


def test_clients_are_kept_per_service_and_region(gateway: Gateway) -> None:
    aws = Clients(gateway.url, region="eu-west-1")
    assert aws("ecs") is aws("ecs", "eu-west-1")
    assert aws("ecs") is not aws("ecs", "us-east-1")
    assert aws("ecs").list_clusters()["clusterArns"] == ["eu-west-1"]
    assert aws("ecs", "us-east-1").list_clusters()["clusterArns"] == ["us-east-1"]


def test_a_child_process_with_our_environment_reaches_only_the_sandbox(gateway: Gateway, tmp_path: Path) -> None:
    code = "import boto3, json; print(json.dumps(boto3.client('ecs').list_clusters()['clusterArns']))"
    environment = {**Clients(gateway.url, "ap-south-1").environment(), "HOME": str(tmp_path), "PATH": ""}
    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(child.stdout) == ["ap-south-1"]
    assert [call.operation for call in calls] == ["ListClusters"]


def test_the_environment_is_complete() -> None:
    environment = Clients("http://127.0.0.1:1").environment()
    assert environment == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def test_clients_are_as_boto3_makes_them() -> None:
    clients = Clients("http://127.0.0.1:1")
    for service, method in (("s3", "upload_file"), ("ecs", "get_waiter"), ("route53", "get_paginator")):
        theirs = boto3.client(service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        assert hasattr(clients(service), method)
        assert {name for name in dir(clients(service)) if name[0] != "_"} == {n for n in dir(theirs) if n[0] != "_"}
        assert clients(service).meta.config.signature_version == theirs.meta.config.signature_version
