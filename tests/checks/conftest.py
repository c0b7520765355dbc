from __future__ import annotations

import pytest

from sandbox.engine import sweep
from sandbox.engine.containers import Containers
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from tests.checks.websocket_servers import Apps, Nginx, OnThisNetwork


@pytest.fixture(scope="module")
def apps():
    """Flask-SocketIO processes."""
    made = Apps()
    yield made
    made.close()


@pytest.fixture(scope="module")
def on_this_network(tmp_path_factory, request):
    """Containers on this machine's network."""
    client = connect()
    run = Run.begin()
    try:
        image = Images(client, request.config.getoption("--sandbox-images"), print).ensure
        yield OnThisNetwork(Containers(client, run), image, tmp_path_factory.mktemp("servers"))
    finally:
        sweep.remove_run(client, run.id)
        run.end()
        client.close()


@pytest.fixture(scope="module")
def nginx(on_this_network, tmp_path_factory):
    """The catalogue's nginx, one process for each configuration."""
    return Nginx(on_this_network.containers, on_this_network.image("nginx"), tmp_path_factory.mktemp("nginx"))
