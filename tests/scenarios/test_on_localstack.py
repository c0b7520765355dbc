"""Scenarios that touch LocalStack's own services, on LocalStack: the same verdicts as on the embedded backend."""

from __future__ import annotations

import pytest

from sandbox import runner, scenario
from sandbox.errors import NotRunnable
from tests.scenarios.on_localstack import NEEDS_PYTHON, TOUCHING, chosen, touches

VARIANTS = [(item, one) for item in scenario.load_all().values() if item.name in TOUCHING for one in chosen(item)]


def test_every_scenario_that_touches_it_is_there():
    assert TOUCHING - {item.name for item, _ in VARIANTS} <= NEEDS_PYTHON.keys()


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
