"""Sandboxes that have their networks in one place, one after another: what lasts, and what does not."""

from __future__ import annotations

import shutil

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.controllers.site import Site
from sandbox.engine import daemon, sweep
from sandbox.engine.run import LABEL_OWNER, LABEL_RUN, owner_of_this_process, runs_folder

pytestmark = pytest.mark.docker


@pytest.fixture
def site():
    with Site() as made:
        yield made


@pytest.fixture
def enter(site, request):
    return lambda: Sandbox(images=request.config.getoption("--sandbox-images"), site=site)


def look_up(box, name):
    """What a viewer on the internet finds, by way of the resolver."""
    code, out, _ = box._in_viewer(["getent", "ahostsv4", name])
    return out.split()[0] if code == 0 else ""


def add_record(box, name, address):
    route53 = box.aws("route53")
    zone = route53.create_hosted_zone(Name="site.example", CallerReference="1")["HostedZone"]["Id"]
    record = {"Name": name, "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": address}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def run_task(box):
    """The public address of a task."""
    ecs = box.aws("ecs")
    ecs.create_cluster(clusterName="c")
    container = {"name": "sleeps", "image": box._ground.toolbox, "command": ["sleep", "infinity"]}
    ecs.register_task_definition(
        family="t",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    network = {"subnets": box.subnets, "assignPublicIp": "ENABLED"}
    ecs.run_task(
        cluster="c", taskDefinition="t", launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": network}
    )
    seen = box.timeline.wait_for("its address", lambda one: one.kind == "eni.association", within=30)
    return seen["public_ip"]


def networks_of(box):
    return box._network.vpc.id, box._network.internet.id


def in_engine(api):
    """Names of the containers and networks of this process; other fixtures may have some, too."""
    filters = {"label": f"{LABEL_OWNER}={owner_of_this_process()}"}
    return {c["Names"][0] for c in api.containers(all=True, filters=filters)} | {
        n["Name"] for n in api.networks(filters=filters)
    }


def test_the_networks_last_and_nothing_else_does(enter, site):
    client = daemon.connect()
    before = in_engine(client.api)
    with enter() as one:
        networks = networks_of(one)
        add_record(one, "www.site.example", "198.51.100.77")
        assert look_up(one, "www.site.example") == "198.51.100.77"
        address = run_task(one)
        run = one.run_id
    left = in_engine(client.api) - before
    assert len(left) == 3, left  # both networks and the resolver
    assert not [name for name in left if run in name]
    with enter() as two:
        assert networks_of(two) == networks
        assert look_up(two, "www.site.example") == ""
        assert two.aws("ecs").list_clusters()["clusterArns"] == []
        assert run_task(two) != address
        add_record(two, "www.site.example", "198.51.100.78")
        assert look_up(two, "www.site.example") == "198.51.100.78"
    site.close()
    assert in_engine(client.api) == before
    client.close()


def test_a_resolver_that_has_died_is_replaced_with_its_networks(enter):
    with enter() as one:
        networks = networks_of(one)
        one._network.viewer()
        one._containers.remove(one._network._resolver.result())
    with enter() as two:
        assert networks_of(two) != networks
        add_record(two, "www.site.example", "198.51.100.79")
        assert look_up(two, "www.site.example") == "198.51.100.79"


def test_a_kept_sandbox_keeps_its_networks_and_the_next_one_has_others(enter):
    client = daemon.connect()
    with enter() as one:
        networks = networks_of(one)
        one.keep()
    try:
        for network in networks:
            assert client.api.inspect_network(network)
        with enter() as two:
            assert not set(networks_of(two)) & set(networks)
    finally:
        for run in (client.api.inspect_network(networks[0])["Labels"][LABEL_RUN], one.run_id):
            sweep.remove_run(client, run)
            shutil.rmtree(runs_folder() / run)
        client.close()
