from __future__ import annotations

import pytest

from sandbox.engine import sweep
from sandbox.engine.containers import Containers
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from tests.checks.websocket_servers import Apps, Nginx


@pytest.fixture(scope="module")
def apps():
    """Flask-SocketIO processes."""
    made = Apps()
    yield made
    made.close()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory, request):
    """The catalogue's nginx, one process for each configuration."""
    client = connect()
    run = Run.begin()
    try:
        image = Images(client, request.config.getoption("--sandbox-images"), print).ensure("nginx")
        yield Nginx(Containers(client, run), image, tmp_path_factory.mktemp("nginx"))
    finally:
        sweep.remove_run(client, run.id)
        run.end()
        client.close()
