"""A reproducing variant whose fault is taken out must hold: else what it shows is something else.

Most differ from a variant that holds in their fault alone, and `test_scenarios` runs both. Of the others the fault is
named here, and they are run without it, unless that, too, is a variant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sandbox import runner, scenario
from sandbox.scenario import Scenario, Variant

ITEMS = scenario.load_all()
REPRODUCING = {
    (item.name, one.name): one for item in ITEMS.values() for one in item.variants if one.expect == "reproduces"
}

GONE = None
# What takes its place in the variant's parameters and settings.
WITHOUT: Mapping[tuple[str, str], tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    ("alb-security-group", "no-targets"): ({}, {"without_targets": GONE}),
    ("apcu-cli-vs-fpm", "command-line"): (
        {},
        {"container": "nginx", "command": ["curl", "--fail", "--silent", "http://127.0.0.1/purge"]},
    ),
    ("apcu-cli-vs-fpm", "command-line-enabled"): (
        {},
        {"container": "nginx", "command": ["curl", "--fail", "--silent", "http://127.0.0.1/purge"]},
    ),
    ("dns-lambda", "by-position-elb-first"): ({"handler": "by_name"}, {}),
    ("dns-lambda", "by-position-field-inserted"): ({"handler": "by_name"}, {}),
    ("eni-limit", "second-instance"): ({}, {"mode": "bridge"}),
    ("nginx-websocket", "host-without-port"): ({"conf": "nginx-asobann-host"}, {}),
    ("nginx-websocket", "read-timeout"): ({"conf": "nginx-asobann-host"}, {}),
    ("pipeline-rollback", "no-circuit-breaker"): ({"circuit_breaker": "true", "rollback": "true"}, {}),
    ("rolling-deploy-assets", "assets-in-the-task"): (
        {"assets": "s3"},
        {"uploads": True, "sites": ("http://shop.example.com/",)},
    ),
    ("rolling-deploy-assets", "sticky"): ({}, {"image": "aws-container-sandbox/nuxt-b-after-a"}),
    ("rolling-deploy-assets", "previous-assets-baked-in"): ({"assets": "task-sticky", "stickiness": "true"}, {}),
    ("rolling-deploy-assets", "cdn-keeps-the-404"): ({"h2o": GONE}, {}),
    ("rolling-deploy-assets", "single-page-fallback"): ({"h2o": GONE}, {}),
    ("socketio-broadcast", "no-queue"): ({"redis_url": GONE, "redis_tasks": GONE}, {}),
}


def changed(given: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**given, **changes}.items() if value is not GONE}


def without_its_fault(name: tuple[str, str]) -> Variant:
    variant, (parameters, settings) = REPRODUCING[name], WITHOUT[name]
    return replace(
        variant, parameters=changed(variant.parameters, parameters), settings=changed(variant.settings, settings)
    )


def differences(one: Variant, other: Variant) -> int:
    """In how many parameters and settings they differ."""
    return sum(
        left.get(name) != right.get(name)
        for left, right in ((one.parameters, other.parameters), (one.settings, other.settings))
        for name in {*left, *right}
    )


def holding(item: Scenario) -> list[Variant]:
    return [one for one in item.variants if one.expect == "holds"]


def is_a_variant(name: tuple[str, str]) -> bool:
    return any(differences(without_its_fault(name), one) == 0 for one in holding(ITEMS[name[0]]))


def test_each_reproducing_variant_has_one_that_holds_without_its_fault():
    def is_alone(name: tuple[str, str]) -> bool:
        return all(differences(REPRODUCING[name], other) > 1 for other in holding(ITEMS[name[0]]))

    assert set(WITHOUT) == set(filter(is_alone, REPRODUCING))


@pytest.mark.docker
@pytest.mark.long(20)
@pytest.mark.parametrize("name", [name for name in WITHOUT if not is_a_variant(name)], ids="-".join)
def test_it_holds_without_its_fault(name, request, tmp_path, sandbox_site, sandbox_localstack):
    option = request.config.getoption
    options = runner.Options(option("--sandbox-images"), option("--sandbox-speed"), timelines=tmp_path)
    item, variant = ITEMS[name[0]], without_its_fault(name)
    result = runner.run_variant(item, variant, options, site=sandbox_site, localstack=sandbox_localstack)
    assert result.outcome == "holds", "\n".join((*result.evidence, result.error))
