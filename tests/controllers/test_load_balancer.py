from __future__ import annotations

import pytest

from sandbox.controllers.sandbox import Sandbox
from tests.controllers.balanced import make_site

pytestmark = pytest.mark.docker
SPEED = 20


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(images=request.config.getoption("--sandbox-images"), speed=SPEED) as made:
        yield made


@pytest.fixture
def site(sandbox):
    made = make_site(sandbox)
    yield made
    made.close()


def test_a_healthy_target_gets_requests(site):
    backend = site.backend()
    got = site.get("/hello?a=b")
    assert (got.status, got.name) == (200, "a")
    assert site.elb.health(site.group.arn)[backend.target].state == "healthy"
