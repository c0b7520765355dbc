"""Runs the public suite http-tests/cache-tests on a distribution: its server is the origin, its client a viewer."""

from __future__ import annotations

import json
from typing import Any

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.containers import Spec
from sandbox.errors import SandboxError
from tests.conformance.expectations import Test

WITHIN = 120.0  # seconds; the suite's own pauses of 3 s make some 13 of them

_COMPONENT = "cache-tests"
_ZONE = "cache-tests.example"
_ORIGIN, _PORT = f"origin.{_ZONE}", 8000
# What the suite's answers vary by; without them CloudFront neither tells such answers apart nor shows their Vary.
_HEADERS = ("Abc", "Accept-Language", "Bar", "Baz", "Foo")
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
# Errors are kept for their own time alone, as the suite would have it; the default is at least ten seconds.
_ERRORS = (400, 403, 404, 405, 414, 500, 501, 502, 503, 504)
_TIMED_OUT = 124  # what `timeout` exits with
_LIST = """
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
console.log(JSON.stringify([...tests, surrogate].flatMap(group => group.tests).filter(test => !test.browser_only)))
"""


def run(sandbox: Sandbox) -> tuple[list[Test], dict[str, object]]:
    """The tests of the suite for caches that are no browsers, and its results by their ids.

    Raises:
        SandboxError: The suite did not come to an end.
    """
    sandbox._network.start()  # its resolver
    address = sandbox._network.public.take()
    origin = _start(sandbox, "origin", address, ["node", "server/server.mjs"])
    _name(sandbox, address)
    sandbox.wait_serving(f"http://{_ORIGIN}:{_PORT}/", within=30)
    tests = _list(sandbox, origin)
    return tests, _results(sandbox, _distribute(sandbox))


def _start(sandbox: Sandbox, what: str, address: str, command: list[str], **environment: str) -> str:
    network = sandbox._network
    spec = Spec(
        f"{_COMPONENT}-{what}",
        sandbox._images.ensure(_COMPONENT),
        command=command,
        environment=environment,
        networks=[(network.internet.name, address)],
        mounts=[network._internet_resolv_conf],
    )
    return sandbox._containers.run_new(spec)


def _name(sandbox: Sandbox, address: str) -> None:
    route53 = sandbox.aws("route53")
    zone = route53.create_hosted_zone(Name=_ZONE, CallerReference=_ZONE)["HostedZone"]["Id"]
    record = {"Name": _ORIGIN, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}]}
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )


def _distribute(sandbox: Sandbox) -> str:
    made = sandbox.aws("cloudfront").create_distribution(DistributionConfig=_distribution())
    return str(made["Distribution"]["DomainName"])


def _distribution() -> dict[str, Any]:
    origin = {
        "Id": "suite",
        "DomainName": _ORIGIN,
        "CustomOriginConfig": {"HTTPPort": _PORT, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
    }
    behavior = {
        "TargetOriginId": "suite",
        "ViewerProtocolPolicy": "allow-all",
        "AllowedMethods": {**_listed(*_METHODS), "CachedMethods": _listed("GET", "HEAD")},
        "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}, "Headers": _listed(*_HEADERS)},
        "MinTTL": 0,
        "DefaultTTL": 86_400,
        "MaxTTL": 31_536_000,
    }
    return {
        "CallerReference": _COMPONENT,
        "Comment": "",
        "Enabled": True,
        "Origins": _listed(origin),
        "DefaultCacheBehavior": behavior,
        "CustomErrorResponses": _listed(*({"ErrorCode": status, "ErrorCachingMinTTL": 0} for status in _ERRORS)),
    }


def _listed(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def _list(sandbox: Sandbox, origin: str) -> list[Test]:
    code, out, err = sandbox._containers.execute(origin, ["node", "--input-type=module", "-e", _LIST])
    if code:
        raise SandboxError("the suite cannot be listed", state=err)
    return [Test(one["id"], one.get("kind", "required"), tuple(one.get("depends_on", ()))) for one in json.loads(out)]


def _results(sandbox: Sandbox, name: str) -> dict[str, object]:
    containers, address = sandbox._containers, sandbox._network.public.take()
    command = ["timeout", f"{WITHIN:g}", "node", "--no-warnings", "cli.mjs"]
    client = _start(sandbox, "client", address, command, npm_package_config_base=f"http://{name}")
    code = containers.client.api.wait(client, timeout=WITHIN + 30)["StatusCode"]
    try:
        results: dict[str, object] = json.loads(containers.client.api.logs(client, stdout=True, stderr=False))
    except ValueError as error:
        ended = f"it did not end within {WITHIN:g} s" if code == _TIMED_OUT else f"it exited with code {code}"
        log = containers.log_tail(client)
        raise SandboxError("the suite's client printed no results", state=ended, log=log) from error
    return results
