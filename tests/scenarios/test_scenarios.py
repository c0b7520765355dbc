"""Every variant of every scenario, in a sandbox of its own, must do what it declares."""

from __future__ import annotations

import pytest

from sandbox import runner, scenario
from sandbox.errors import NotRunnable
from tests.scenarios.on_localstack import TOUCHING, touches

VARIANTS = [(item, variant) for item in scenario.load_all().values() for variant in item.variants]


@pytest.mark.docker
@pytest.mark.long(30)
@pytest.mark.parametrize(("item", "variant"), VARIANTS, ids=[f"{s.name}-{v.name}" for s, v in VARIANTS])
def test_variant_does_what_it_declares(item, variant, request, tmp_path, sandbox_site, sandbox_localstack):
    option = request.config.getoption
    reporting = request.config.pluginmanager.get_plugin("sandbox-report")
    timelines = reporting.timelines if reporting else tmp_path
    options = runner.Options(
        option("--sandbox-images"), option("--sandbox-speed"), option("--sandbox-keep"), timelines=timelines
    )
    result = runner.run_variant(item, variant, options, site=sandbox_site, localstack=sandbox_localstack)
    if reporting:
        reporting.played(request.node, result, item)
    if result.install:
        raise NotRunnable(result.error, command=result.install)
    assert result.outcome == variant.expect, "\n".join((*result.evidence, result.error))
    assert result.evidence
    assert touches(result.called) == (item.name in TOUCHING), sorted(result.called)
