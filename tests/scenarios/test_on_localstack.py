"""Scenarios that touch LocalStack's own services, on LocalStack: the same verdicts as on the embedded backend."""

from __future__ import annotations

import re
from importlib import metadata

import pytest

from sandbox import paths, runner, scenario
from sandbox.errors import NotRunnable
from tests.scenarios.on_localstack import TOUCHING, touches

VARIANTS = [(item, one) for item in scenario.load_all().values() if item.name in TOUCHING for one in item.variants]

PACKAGES = re.compile(r"Packages: \[([^]]+)]")


def test_every_scenario_that_touches_it_is_there():
    assert {item.name for item, _ in VARIANTS} == TOUCHING


def test_packages_that_functions_bring_are_in_the_image():
    """Of this environment's version, for functions run there on a Python for which it need not have been made."""
    stacks = (paths.share() / "compose").glob("*/stack.yaml")
    brought = {name for stack in stacks for names in PACKAGES.findall(stack.read_text()) for name in names.split(", ")}
    pins = (paths.share() / "compose/images/localstack-lambda/packages.txt").read_text().split()
    assert sorted(pins) == sorted(f"{name}=={metadata.version(name)}" for name in brought)


@pytest.mark.docker
@pytest.mark.parametrize(("item", "variant"), VARIANTS, ids=[f"{s.name}-{v.name}" for s, v in VARIANTS])
def test_variant_does_what_it_declares(item, variant, request, tmp_path, sandbox_site, localstack_server):
    option = request.config.getoption
    options = runner.Options(option("--sandbox-images"), option("--sandbox-speed"), timelines=tmp_path)
    result = runner.run_variant(item, variant, options, site=sandbox_site, localstack=localstack_server)
    if result.install:
        raise NotRunnable(result.error, command=result.install)
    assert result.outcome == variant.expect, "\n".join((*result.evidence, result.error))
    assert touches(result.called)
