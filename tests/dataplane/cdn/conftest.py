from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.engine import sweep
from sandbox.engine.containers import Containers
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from tests.dataplane.cdn.varnish_edge import VarnishEdge


@pytest.fixture(scope="module")
def varnish_edge(tmp_path_factory):
    client = connect()
    run = Run.begin()
    edge = None
    try:
        image = Images(client, "auto", print).ensure("varnish")
        edge = VarnishEdge(Containers(client, run), image, Path(tmp_path_factory.mktemp("varnish")))
        yield edge
    finally:
        if edge is not None:
            edge.close()
        sweep.remove_run(client, run.id)
        run.end()
        client.close()
