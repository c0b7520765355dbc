"""Removal of containers: they leave their network one after another, whoever removes them."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.engine import networks, sweep
from sandbox.engine.containers import Spec

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("how", ["each", "sweep"])
def test_containers_leave_a_network_one_after_another(containers, image, how):
    client, run = containers.client, containers.run
    network = networks.create_vpc(client, run)
    begun = [
        containers.run_new(
            Spec(f"leaves-{n}", image("toolbox"), command=["sleep", "9"], networks=[(network.name, None)])
        )
        for n in range(4)
    ]
    since = time.time()
    if how == "sweep":
        sweep.remove_run(client, run.id)
    else:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(containers.remove, begun))
    filters = {"label": f"aws-container-sandbox.run={run.id}", "type": "container"}
    order = [event["id"] for event in client.events(since=since, until=time.time(), decode=True, filters=filters)]
    assert set(order) == set(begun)
    assert sum(one != other for one, other in itertools.pairwise(order)) == len(begun) - 1, order
