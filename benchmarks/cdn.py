"""Cached GETs a second through a distribution, against a bare Varnish in a container of the same image.

Both have the same object of 4 KiB from the same origin. The load comes from a container in the same network (wrk, which
the benchmark's own image gets from Debian), for a few seconds each, in turn; exit 1 where the median of the rounds'
ratios is below 0.95.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import statistics
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.containers import Spec

ROUNDS, SECONDS, CONNECTIONS = 10, 2, 16
GOAL = 0.95
PEER, OURS = "bare Varnish", "distribution"
HOST = "site.example.org"


class Origin(BaseHTTPRequestHandler):
    """The same page for everybody, for an hour."""

    def do_GET(self) -> None:
        """Answer."""
        body = b"x" * 4096
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=3600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def load_image(client: Any, base: str) -> str:
    """The toolbox with wrk."""
    dockerfile = f"FROM {base}\nRUN apt-get update && apt-get install -y --no-install-recommends wrk\n".encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        tar.addfile(entry, io.BytesIO(dockerfile))
    context.seek(0)
    image, _ = client.images.build(fileobj=context, custom_context=True, pull=False, forcerm=True)
    return str(image.id)


def await_port(address: str) -> None:
    """Until something listens at port 80."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, 80), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit(f"{address} does not listen")


def main() -> None:
    """Measure both in turn and print the table."""
    with Sandbox(progress=print) as sandbox:
        containers, network = sandbox._containers, sandbox._network
        gateway = network.internet.address(1)
        server = ThreadingHTTPServer((gateway, 0), Origin)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        zone = sandbox.aws("route53").create_hosted_zone(Name="example.org", CallerReference="1")["HostedZone"]["Id"]
        record = {"Name": HOST, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": gateway}]}
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        sandbox.aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
        custom = {"HTTPPort": port, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
        made = sandbox.aws("cloudfront").create_distribution(
            DistributionConfig={
                "CallerReference": "1",
                "Comment": "",
                "Enabled": True,
                "Origins": {
                    "Quantity": 1,
                    "Items": [{"Id": "site", "DomainName": HOST, "CustomOriginConfig": custom}],
                },
                "DefaultCacheBehavior": {
                    "TargetOriginId": "site",
                    "ViewerProtocolPolicy": "allow-all",
                    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                },
            }
        )["Distribution"]
        bare_address = network.public.take()
        containers.run_new(
            Spec(
                "bare",
                sandbox._images.ensure("varnish"),
                entrypoint=["varnishd"],
                command=[
                    *("-F", "-a", ":80", "-b", f"{gateway}:{port}", "-s", "malloc,256m"),
                    *("-p", "thread_pools=1", "-p", "thread_pool_min=20"),
                ],
                networks=[(network.internet.name, bare_address)],
            )
        )
        await_port(bare_address)
        image = load_image(containers.client, sandbox._images.ensure("toolbox"))
        load = containers.run_new(
            Spec("load", image, entrypoint=["sleep", "infinity"], networks=[(network.internet.name, None)])
        )
        address = sandbox.resolve(made["DomainName"]).values[0]
        where = {PEER: (bare_address, "bare"), OURS: (address, made["DomainName"])}
        rates: dict[str, list[float]] = {name: [] for name in where}
        for number in range(ROUNDS + 1):
            # Whoever comes second in a round has the warmer machine, or the more tired one: they take turns.
            for name, (target, host) in list(where.items())[:: 1 if number % 2 else -1]:
                command = [
                    "wrk",
                    "-t1",
                    f"-c{CONNECTIONS}",
                    f"-d{SECONDS}s",
                    "-H",
                    f"Host: {host}",
                    f"http://{target}:80/",
                ]
                _, out, err = containers.execute(load, command)
                found = re.search(r"Requests/sec:\s+([\d.]+)", out)
                if found is None or "Non-2xx" in out:
                    raise SystemExit(f"wrk failed:\n{out}{err}")
                if number:  # the first round fills the caches
                    rates[name].append(float(found[1]))
        server.shutdown()
        containers.remove(load)
        containers.client.images.remove(image)
    for name, values in rates.items():
        shown = ", ".join(f"{value:.0f}" for value in values)
        print(f"{name:14} median {statistics.median(values):8.0f} requests a second   all: {shown}")
    ratio = statistics.median(ours / peer for ours, peer in zip(rates[OURS], rates[PEER], strict=True))
    print(f"{OURS} is {ratio:.2f} times {PEER}; goal: at least {GOAL}")
    sys.exit(ratio < GOAL)


if __name__ == "__main__":
    main()
