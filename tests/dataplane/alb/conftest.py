from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.dataplane.cdn.certificates import Authority
from sandbox.engine import sweep
from sandbox.engine.containers import Containers
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from tests.dataplane.alb.haproxy import HAProxy


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory, request):
    client = connect()
    run = Run.begin()
    try:
        image = Images(client, request.config.getoption("--sandbox-images"), print).ensure("haproxy")
        issued = Authority().issue(["alone.example.org"])
        folder = Path(tmp_path_factory.mktemp("alb"))
        certificate = issued.certificate.decode(), issued.key.decode()
        yield HAProxy(Containers(client, run), image, folder, certificate, Embedded().ssl_policies)
    finally:
        sweep.remove_run(client, run.id)
        run.end()
        client.close()
