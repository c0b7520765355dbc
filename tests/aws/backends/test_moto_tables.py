"""EC2's images and instance types, which moto reads late here: they are the same, and nobody waits for them in vain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.core.base_backend import BackendDict

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway

ORIGINAL = f"""
from moto.ec2.models import ec2_backends
backend = ec2_backends["{ACCOUNT_ID}"]["{REGION}"]
types = backend.describe_instance_type_offerings("availability-zone", None)
print(len(backend.amis), len(backend.snapshots), len(types), len(types[0]))
"""


@pytest.fixture
def aws() -> Iterator[Clients]:
    embedded = Embedded()
    with Gateway([], embedded) as gateway:
        yield Clients(gateway.url)
    embedded.reset()


def backend() -> Any:
    from sandbox.aws.backends import moto_app

    return moto_app.load("ec2")[ACCOUNT_ID][REGION]


def test_nothing_is_missing() -> None:
    original = subprocess.run([sys.executable, "-c", ORIGINAL], check=True, capture_output=True, text=True).stdout
    ours = backend()
    snapshots = len(ours.snapshots)
    types = ours.describe_instance_type_offerings("availability-zone", None)
    assert f"{len(ours.amis)} {snapshots} {len(types)} {len(types[0])}\n" == original


def test_clients_see_images_and_offerings(aws: Clients) -> None:
    ec2 = aws("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert ec2.describe_instance_type_offerings(LocationType="availability-zone")["InstanceTypeOfferings"]
    started = ec2.run_instances(ImageId=image["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1)
    assert started["Instances"][0]["ImageId"] == image["ImageId"]


def test_each_reset_begins_anew() -> None:
    kept = len(backend().amis)
    backend().amis.clear()
    BackendDict.reset()
    assert len(backend().amis) == kept


def test_all_of_several_threads_see_everything() -> None:
    BackendDict.reset()
    ours = backend()
    with ThreadPoolExecutor(8) as pool:
        counts = set(pool.map(lambda _: (len(ours.amis), len(ours.snapshots)), range(8)))
    assert counts == {(len(ours.amis), len(ours.snapshots))}
    assert min(counts)[0] > 1000
