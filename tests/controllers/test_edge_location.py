"""A distribution in front of an origin that misbehaves: what viewers get, and what the timeline says of it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.errors import SandboxError

pytestmark = pytest.mark.docker

ZONE = "example.org"


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    released = threading.Event()

    def do_GET(self):
        what = self.path.strip("/").partition("?")[0]
        getattr(self, f"do_{what.replace('-', '_')}", self.do_page)()

    def do_page(self):
        self.say(json.dumps({"path": self.path, "headers": dict(self.headers.items())}).encode())

    def say(self, body, length=None, **headers):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in {"Cache-Control": "max-age=60", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        with contextlib.suppress(OSError):  # a viewer has gone
            self.wfile.write(body)

    def do_reset(self):
        self.close_connection = True

    def do_stall(self):
        self.released.wait(20)
        self.close_connection = True

    def do_malformed(self):
        self.wfile.write(b"what is this\r\n\r\nnothing")
        self.close_connection = True

    def do_bad_header(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx")
        self.close_connection = True

    def do_broken_off(self):
        self.say(b"x" * 10_000, length=20_000)
        self.close_connection = True

    def do_endless(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x" * 1_000_000)

    def do_text(self):
        self.say(b"text " * 1000, Content_Type="text/plain")

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def site(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"),
        images=request.config.getoption("--sandbox-images"),
        progress=lambda text: None,
    ) as sandbox:
        gateway = sandbox._network.internet.address(1)
        server = ThreadingHTTPServer((gateway, 0), Origin)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Origin.released.clear()  # a worker may come back to this module when it has finished with it once
        try:
            yield Site(sandbox, gateway, server.server_address[1])
        finally:
            Origin.released.set()
            server.shutdown()


class Site:
    def __init__(self, sandbox, address, port):
        self.sandbox = sandbox
        self.port = port
        self.cloudfront = sandbox.aws("cloudfront")
        made = sandbox.aws("route53").create_hosted_zone(Name=ZONE, CallerReference=ZONE)
        self.zone = made["HostedZone"]["Id"]
        self.name("site", address)
        self.name("dead", "198.51.100.250")  # nobody has that address
        # An origin of its own, so that its time-outs are short.
        self.config = {
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 3,
                "Items": [self.origin("site"), self.origin("dead"), self.origin("nowhere")],
            },
            "DefaultCacheBehavior": self.behavior("site"),
            "CacheBehaviors": {
                "Quantity": 2,
                "Items": [{"PathPattern": f"/{name}*", **self.behavior(name)} for name in ("dead", "nowhere")],
            },
        }
        made = self.cloudfront.create_distribution(DistributionConfig=self.config)
        self.id = made["Distribution"]["Id"]
        self.domain = made["Distribution"]["DomainName"]

    def origin(self, name):
        custom = {
            "HTTPPort": self.port,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "http-only",
            "OriginReadTimeout": 2,
            "OriginKeepaliveTimeout": 5,
            "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
        }
        return {
            "Id": name,
            "DomainName": f"{name}.{ZONE}",
            "ConnectionAttempts": 1,
            "ConnectionTimeout": 1,
            "CustomOriginConfig": custom,
        }

    def behavior(self, origin):
        return {
            "TargetOriginId": origin,
            "ViewerProtocolPolicy": "allow-all",
            "Compress": True,
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        }

    def name(self, name, address=None, ttl=1, **more):
        values = {"TTL": ttl, "ResourceRecords": [{"Value": address}]} if address else more
        record = {"Name": f"{name}.{ZONE}", "Type": "A", **values}
        self.sandbox.aws("route53").change_resource_record_sets(
            HostedZoneId=self.zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        )

    def get(self, path, host="", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.sandbox.http_get(f"http://{host or self.domain}{path}", headers=headers)

    def update(self, **changes):
        shown = self.cloudfront.get_distribution_config(Id=self.id)
        config = shown["DistributionConfig"] | changes
        self.cloudfront.update_distribution(Id=self.id, IfMatch=shown["ETag"], DistributionConfig=config)

    def told(self, kind, path):
        return self.sandbox.timeline.wait_for(
            f"{kind} of {path}",
            lambda seen: seen.kind == kind and seen["distribution"] == self.id and seen["url"].endswith(path),
            within=10,
        )


def test_a_page_is_kept_and_the_origin_sees_nothing_of_how(site):
    first, second = site.get("/page/first"), site.get("/page/first")
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("Miss from cloudfront", "Hit from cloudfront")
    asked = json.loads(first.body)["headers"]
    assert asked["Host"] == f"site.{ZONE}"
    assert asked["User-Agent"] == "Amazon CloudFront"
    assert sorted(asked) == ["Host", "User-Agent", "Via", "X-Amz-Cf-Id", "X-Forwarded-For"]
    told = site.told("cdn.response", "/page/first")
    assert (told["status"], told["x_cache"], told["age"]) == (200, "Miss", None)


def test_what_a_viewer_sends_in_the_name_of_varnish_is_not_heard(site):
    site.get("/page/inner", X_Cdn_Inner="1", X_Cdn_Path="/other", X_Cdn_Pass="1")
    answer = site.get("/page/inner", X_Cdn_Serve="1", X_Cdn_Sync="1")
    assert json.loads(answer.body)["path"] == "/page/inner"
    assert answer.headers["x-cache"] == "Hit from cloudfront"


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/reset", 502, "prematurely closed"),
        ("/malformed", 502, "no valid HTTP/1.0 header"),
        ("/bad-header", 502, 'invalid "Content-Length" header'),
        ("/stall", 504, "timed out"),
        ("/dead", 504, "timed out"),
        ("/nowhere", 502, f"nowhere.{ZONE} could not be resolved"),
    ],
)
def test_an_origin_that_gives_no_answer(site, path, status, error):
    answer = site.get(path)
    assert (answer.status, answer.headers["x-cache"]) == (status, "Error from cloudfront")
    assert "The request could not be satisfied" in answer.body
    assert error in site.told("cdn.origin_error", path)["error"]
    again = site.get(path)
    assert (again.status, int(again.headers["age"])) == (status, pytest.approx(0, abs=9))  # kept for 10 s
    assert site.get("/page/after").status == 200


def test_an_answer_that_breaks_off_is_passed_on_and_not_kept(site):
    for _ in range(2):
        answer = site.get("/broken-off")
        assert answer.error or answer.status == 502  # as much as had been sent on, or nothing yet
        assert "Hit" not in answer.headers.get("x-cache", "")
    assert "prematurely closed" in site.told("cdn.origin_error", "/broken-off")["error"]


def test_an_endless_body_ends_with_its_viewer_and_nothing_else(site):
    answer = site.sandbox.http_get(f"http://{site.domain}/endless", timeout=2)
    assert "timed out" in answer.error
    assert site.get("/page/after-endless").status == 200


def test_compression(site):
    plain, packed = site.get("/text"), site.get("/text", Accept_Encoding="gzip, br")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert site.get("/text", Accept_Encoding="gzip").headers["x-cache"] == "Miss from cloudfront"


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_https(site, protocol):
    context = ssl.create_default_context(cadata=site.sandbox.authority.certificate.decode())
    context.set_alpn_protocols([protocol])
    address = site.sandbox.resolve(site.domain).values[0]
    with (
        socket.create_connection((address, 443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=site.domain) as viewer,
    ):
        assert viewer.selected_alpn_protocol() == protocol
        if protocol == "h2":
            return
        viewer.sendall(f"GET /page/tls HTTP/1.1\r\nHost: {site.domain}\r\nConnection: close\r\n\r\n".encode())
        answer = HTTPResponse(viewer)
        answer.begin()
        assert (answer.status, answer.headers["X-Cache"]) == (200, "Miss from cloudfront")


def test_invalidations(site):
    for path in ("/page/1", "/pages/1", "/pages/2"):
        assert [site.get(path).facts()["x_cache"] for _ in range(2)] == ["Miss", "Hit"]
    paths = {"Quantity": 2, "Items": ["/pages/*", "/page.1"]}
    made = site.cloudfront.create_invalidation(
        DistributionId=site.id, InvalidationBatch={"Paths": paths, "CallerReference": "1"}
    )
    site.cloudfront.get_waiter("invalidation_completed").wait(
        DistributionId=site.id, Id=made["Invalidation"]["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 5}
    )
    asked = [site.get(path).facts()["x_cache"] for path in ("/page/1", "/pages/1", "/pages/2")]
    assert asked == ["Hit", "Miss", "Miss"]


def test_the_origin_s_name_is_asked_again_when_its_time_is_over(site):
    address = site.sandbox._network.internet.address(1)
    site.name("dead", address, ttl=1)
    deadline = time.monotonic() + 20
    while (answer := site.get(f"/dead/{time.monotonic()}")).status != 200:
        assert time.monotonic() < deadline, answer
    site.name("dead", "198.51.100.250", ttl=1)


def test_an_update_is_seen_at_once_and_what_is_kept_stays(site):
    assert [site.get("/page/update").facts()["x_cache"] for _ in range(2)] == ["Miss", "Hit"]
    site.update(DefaultRootObject="page", Comment="changed")
    assert json.loads(site.get("/").body)["path"] == "/page"
    assert site.get("/page/update").facts()["x_cache"] == "Hit"


def test_other_names_are_refused_until_they_are_aliases(site):
    alias = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": site.domain, "EvaluateTargetHealth": False}
    site.name("www", AliasTarget=alias)
    refused = site.get("/page", host=f"www.{ZONE}")
    assert (refused.status, refused.headers["x-cache"]) == (403, "Error from cloudfront")
    site.update(
        Aliases={"Quantity": 1, "Items": [f"www.{ZONE}"]},
        ViewerCertificate={
            "ACMCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
    )
    assert site.get("/page", host=f"www.{ZONE}").status == 200


def test_a_distribution_that_is_disabled_and_deleted(site):
    config = {**site.config, "CallerReference": "2", "Enabled": False}
    made = site.cloudfront.create_distribution(DistributionConfig=config)
    distribution = made["Distribution"]
    assert site.get("/page", host=distribution["DomainName"]).status == 403
    site.cloudfront.delete_distribution(Id=distribution["Id"], IfMatch=made["ETag"])
    assert site.sandbox.resolve(distribution["DomainName"]).rcode == "NXDOMAIN"


def test_origins_come_and_go(site):
    config = {**site.config, "CallerReference": "3", "Origins": {"Quantity": 1, "Items": [site.origin("site")]}}
    config |= {"CacheBehaviors": {"Quantity": 0}}
    made = site.cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
    address = site.sandbox._network.internet.address(1)
    site.name("second", address)
    for origin in ("second", "site"):
        shown = site.cloudfront.get_distribution_config(Id=made["Id"])
        changed = shown["DistributionConfig"]
        changed["Origins"]["Items"][0] |= {"Id": origin, "DomainName": f"{origin}.{ZONE}"}
        changed["DefaultCacheBehavior"]["TargetOriginId"] = origin
        site.cloudfront.update_distribution(Id=made["Id"], IfMatch=shown["ETag"], DistributionConfig=changed)
        asked = json.loads(site.get(f"/page/{origin}", host=made["DomainName"]).body)["headers"]
        assert asked["Host"] == f"{origin}.{ZONE}"


@pytest.mark.parametrize(("certified", "status"), [("secure", 200), ("another", 502)])
def test_an_origin_with_https_is_asked_by_its_certificate_s_name(site, tmp_path, certified, status):
    issued = site.sandbox.authority.issue([f"{certified}.{ZONE}"])
    (tmp_path / "origin.pem").write_bytes(issued.certificate + issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "origin.pem")
    address = site.sandbox._network.internet.address(1)
    server = ThreadingHTTPServer((address, 0), Origin)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site.name("secure", address)
    origin = site.origin("secure")
    origin["CustomOriginConfig"] |= {"HTTPSPort": server.server_address[1], "OriginProtocolPolicy": "https-only"}
    config = {
        "CallerReference": certified,
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": site.behavior("secure"),
    }
    made = site.cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
    try:
        assert site.get("/page", host=made["DomainName"]).status == status
    finally:
        server.shutdown()


def test_a_server_that_does_not_listen_is_told_of_with_its_log_and_the_engine_seldom_asked(site, monkeypatch):
    edge, _, _ = site.sandbox._cloudfront._edges[site.id]
    monkeypatch.setattr("sandbox.controllers.edge_location._UP_WITHIN", 2.5)
    asked = []
    runs = edge._containers.runs
    monkeypatch.setattr(edge._containers, "runs", lambda container: asked.append(container) or runs(container))
    with pytest.raises(SandboxError, match=f"of distribution {site.id} did not come up") as caught:
        edge._await_port(edge._varnish, 9)
    assert caught.value.state.startswith("port 9: ")
    assert caught.value.log
    assert len(asked) < 4
