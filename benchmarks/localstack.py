"""`--aws localstack` against LocalStack itself, and EventBridge to a record in DNS on both backends.

Run ``python benchmarks/localstack.py`` on a machine that does nothing else. Prints two tables:

- until a sandbox is ready on a warm image, against LocalStack's own start with a first call to each service, one after
  another, as whoever starts it by hand makes them. Exits with 1 above 1.1 times.
- PutEvents until a function has written a record that DNS answers: cold, warm, and 200 events until all are visible.
  Exits with 1 where the embedded backend is not at least 3 times as fast at 200.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from typing import Any

import docker
from botocore.config import Config
from localstack_client.session import Session
from rich.console import Console
from rich.table import Column, Table
from testcontainers.community.localstack import LocalStackContainer
from testcontainers.core.config import testcontainers_config

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.localstack.container import ENVIRONMENT
from sandbox.controllers.localstack_server import OwnedServer
from sandbox.controllers.sandbox import Sandbox
from sandbox.engine import daemon
from sandbox.engine.images import Images
from sandbox.timeline import Observation

READY_LIMIT = 1.1
EVENTS_FACTOR = 3.0
EVENTS = 200
WARM = 10

FIRST_CALLS: dict[str, Callable[[Any], Any]] = {
    "events": lambda client: client.list_event_buses(),
    "lambda": lambda client: client.list_functions(),
    "logs": lambda client: client.describe_log_groups(),
    "route53": lambda client: client.list_hosted_zones(),
    "sns": lambda client: client.list_topics(),
    "sqs": lambda client: client.list_queues(),
    "s3": lambda client: client.list_buckets(),
    "ssm": lambda client: client.describe_parameters(),
}

FUNCTION = """
import os
import boto3
route53 = boto3.client("route53")

def handler(event, context):
    route53.change_resource_record_sets(
        HostedZoneId=os.environ["ZONE"],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {
            "Name": event["detail"]["name"], "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.1"}]}}]},
    )
"""


def by_hand(image: str) -> float:
    """Seconds from the start of LocalStack's container until each service has answered its first call."""
    testcontainers_config.ryuk_disabled = True
    settings = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("SANDBOX_")}
    container = LocalStackContainer(image, region_name=REGION)
    container.ports = {"4566/tcp": ("127.0.0.1", None)}  # type: ignore[dict-item]
    container.with_envs(**settings)
    began = time.monotonic()
    with container:
        host = f"127.0.0.1:{container.get_exposed_port(4566)}"
        session = Session(ACCOUNT_ID, "any", region_name=REGION, localstack_host=host)
        for service, call in FIRST_CALLS.items():
            call(session.client(service, config=Config(read_timeout=120)))
        return time.monotonic() - began


def by_option() -> float:
    """Seconds until a sandbox with ``--aws localstack`` is ready, its own VPC and DNS included."""
    began = time.monotonic()
    server = OwnedServer()
    try:
        with Sandbox(localstack=server):
            return time.monotonic() - began
    finally:
        server.close()


class Records:
    """A rule, a function and a zone: an event becomes a record."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        aws = sandbox.aws
        zone = aws("route53").create_hosted_zone(Name="measured.example", CallerReference="1")["HostedZone"]["Id"]
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", FUNCTION)
        function = aws("lambda").create_function(
            FunctionName="records",
            Runtime="python3.12",
            Role=f"arn:aws:iam::{ACCOUNT_ID}:role/any",
            Handler="app.handler",
            Timeout=30,
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": {"ZONE": zone}},
        )
        aws("lambda").get_waiter("function_active_v2").wait(FunctionName="records")
        aws("events").put_rule(Name="measured", EventPattern=json.dumps({"source": ["measured"]}))
        aws("events").put_targets(Rule="measured", Targets=[{"Id": "1", "Arn": function["FunctionArn"]}])

    def seconds(self, names: list[str]) -> float:
        """From the first PutEvents until all of these names are in DNS."""
        entries = [
            {"Source": "measured", "DetailType": "x", "Detail": json.dumps({"name": f"{name}.measured.example"})}
            for name in names
        ]
        mark = self._sandbox.timeline.mark()
        left = {f"{name}.measured.example" for name in names}

        def last(seen: Observation) -> bool:
            if seen.kind == "dns.change":
                left.discard(seen["name"].rstrip("."))
            return not left

        began = time.monotonic()
        for first in range(0, len(entries), 10):  # which is what PutEvents takes
            self._sandbox.aws("events").put_events(Entries=entries[first : first + 10])
        self._sandbox.timeline.wait_for(f"{len(names)} records", last, within=300, since=mark)
        return time.monotonic() - began


def visible(sandbox: Sandbox, events: int) -> tuple[float, float, float]:
    """Seconds: the first event, the median of single ones after it, and many at once."""
    records = Records(sandbox)
    cold = records.seconds(["cold"])
    warm = statistics.median(records.seconds([f"warm-{number}"]) for number in range(WARM))
    return cold, warm, records.seconds([f"many-{number}" for number in range(events)])


def main() -> None:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=EVENTS)
    options = parser.parse_args()
    console = Console(width=100)
    client: docker.DockerClient = daemon.connect()
    image = Images(client, "auto", console.print).ensure("localstack")
    client.close()

    hand, option = [], []
    for _ in range(options.rounds):
        hand.append(by_hand(image))
        option.append(by_option())
    ratio = statistics.median(option) / statistics.median(hand)
    table = Table(Column("until ready"), Column("seconds, median", justify="right"), Column("all"))
    for what, taken in (("LocalStack by hand, and a first call to each service", hand), ("--aws localstack", option)):
        table.add_row(what, f"{statistics.median(taken):.2f}", " ".join(f"{one:.2f}" for one in taken))
    console.print(table, f"ratio {ratio:.2f}, at most {READY_LIMIT}")

    with Sandbox() as sandbox:
        embedded = visible(sandbox, options.events)
    server = OwnedServer()
    try:
        with Sandbox(localstack=server) as sandbox:
            remote = visible(sandbox, options.events)
    finally:
        server.close()
    table = Table(Column("PutEvents to record visible"), *(Column(what, justify="right") for what in _COLUMNS))
    for name, (cold, warm, many) in (("embedded", embedded), ("localstack", remote)):
        table.add_row(name, f"{1000 * cold:.0f} ms", f"{1000 * warm:.0f} ms", f"{many:.2f} s")
    factor = remote[2] / embedded[2]
    console.print(table, f"at {options.events} events the embedded one is {factor:.1f} times as fast")
    sys.exit(ratio > READY_LIMIT or factor < EVENTS_FACTOR)


_COLUMNS = ("first", "then, median", "many at once")

if __name__ == "__main__":
    main()
