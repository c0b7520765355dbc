"""The stack nuxt: pages through CloudFront, assets from the task or from a bucket, and build b over build a."""

from __future__ import annotations

import re
import socket
import ssl
from http.client import HTTPResponse

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.errors import SandboxError

pytestmark = pytest.mark.docker

SITE, BALANCER = "http://shop.example.com", "http://alb.example.com"
KEPT = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def shop(request):
    """The stack with its assets in the bucket; what is asked past CloudFront comes from the tasks."""
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=5
    ) as sandbox:
        sandbox.stack("nuxt", {"assets": "s3", "tasks": "1", "deregistration_delay": "5"})
        yield sandbox


def page(shop, site):
    """The page, and its entry."""
    answer = shop.http_get(f"{site}/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html;charset=utf-8"
    assert "cache-control" not in answer.headers
    return answer, re.search(r'src="(/_nuxt/entry\.[^"]+\.js)"', answer.body)[1]


def status_over_https(shop, path):
    """The status of a page that a viewer asks for with TLS."""
    name = SITE.removeprefix("http://")
    context = ssl.create_default_context(cadata=shop.authority.certificate.decode())
    (address, *_) = shop.resolve(name).values
    with (
        socket.create_connection((address, 443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as viewer,
    ):
        viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = HTTPResponse(viewer)
        answer.begin()
        return answer.status


def test_pages_are_not_kept_and_assets_are_for_a_year(shop):
    for _ in range(2):
        answer, entry = page(shop, SITE)
        assert answer.headers["x-cache"] == "Miss from cloudfront"
        assert answer.headers["x-release"] == "a"
        assert answer.headers["server"].startswith("h2o/")
    assert entry == page(shop, BALANCER)[1]
    asset = shop.http_get(f"{BALANCER}{entry}")
    assert (asset.status, asset.headers["cache-control"]) == (200, KEPT)
    missing = shop.http_get(f"{BALANCER}{entry.replace('entry.', 'entry.0')}")
    assert (missing.status, missing.headers["cache-control"]) == (404, "no-cache")
    assert missing.headers["content-type"] == "application/json"


def test_assets_come_from_the_bucket_and_stay_there(shop):
    _, entry = page(shop, SITE)
    before = shop.http_get(f"{SITE}{entry}")
    assert (before.status, before.headers["x-cache"]) == (403, "Error from cloudfront")
    keys = shop.upload_assets("aws-container-sandbox/nuxt-b", "shop-assets")
    keys += shop.upload_assets("aws-container-sandbox/nuxt-a", "shop-assets")
    entries = {f"/{key}" for key in keys if re.fullmatch(r"_nuxt/entry\..+\.js", key)}
    assert len(entries) == 2
    assert entry in entries
    shop.wait_aws(10)  # as long as CloudFront keeps the error
    for one in entries:
        for found in ("Miss", "Hit"):
            asset = shop.http_get(f"{SITE}{one}")
            assert (asset.status, asset.headers["x-cache"]) == (200, f"{found} from cloudfront")
            assert asset.headers["cache-control"] == KEPT
            assert asset.headers["content-type"] == "text/javascript; charset=utf-8"
    picture = next(f"/{key}" for key in keys if key.endswith(".png"))
    assert status_over_https(shop, picture) == 200


def test_what_cannot_be_deployed_is_named(shop):
    with pytest.raises(SandboxError, match="there is no service 'shops' in cluster 'shop'"):
        shop.deploy("shop", "shops", {})
    with pytest.raises(SandboxError, match="has no container 'nuxt'"):
        shop.deploy("shop", "shop", {"nuxt": "aws-container-sandbox/nuxt-b"})


def test_build_b_is_rolled_over_build_a(shop):
    mark = shop.timeline.mark()
    arn = shop.deploy("shop", "shop", {"node": "aws-container-sandbox/nuxt-b"}, {"BOOT_SECONDS": "0.5"})
    assert arn.endswith(":task-definition/shop:2")
    shop.timeline.wait_for(
        "the service to be steady",
        lambda seen: seen.kind == "service.event" and "has reached a steady state" in seen["message"],
        within=120,
        since=mark,
    )
    answer, _ = page(shop, SITE)
    assert answer.headers["x-release"] == "b"
    (node,) = (
        container
        for container in shop.aws("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"][
            "containerDefinitions"
        ]
        if container["name"] == "node"
    )
    assert {one["name"]: one["value"] for one in node["environment"]}["BOOT_SECONDS"] == "0.5"
    streams = shop.aws("logs").describe_log_streams(logGroupName="/ecs/shop")["logStreams"]
    assert {name.split("/")[1] for name in (stream["logStreamName"] for stream in streams)} == {"h2o", "node"}
