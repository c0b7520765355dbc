"""Lambda@Edge: real functions between viewers, the cache and an origin that tells what it was asked."""

from __future__ import annotations

import gzip
import io
import json
import socket
import ssl
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError

from sandbox.controllers.sandbox import Sandbox

pytestmark = pytest.mark.docker

ZONE = "example.org"
ALL_QUERIES = {
    "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
    "MinTTL": 0,
    "DefaultTTL": 60,
    "MaxTTL": 60,
}
READING = ["GET", "HEAD"]
WRITING = [*READING, "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
SOURCE = """
import base64, json, time

def cf(event):
    return event["Records"][0]["cf"]

def view(event, context):
    request = cf(event)["request"]
    request["headers"]["x-from-viewer-request"] = [{"value": cf(event)["config"]["eventType"]}]
    if request["uri"] == "/viewed/old":
        request.update(uri="/viewed/new", querystring="by=function")
    if request["uri"] == "/viewed/generated":
        return {"status": "302", "statusDescription": "Found", "headers": {"location": [{"value": "/viewed/b"}]}}
    if request["uri"] == "/viewed/event":
        return {"status": "200", "body": json.dumps(event)}
    return request

def answer(event, context):
    response = cf(event)["response"]
    response["headers"]["x-served"] = [{"value": context.aws_request_id}]
    if "replaced" in cf(event)["request"]["uri"]:
        response["body"] = "replaced"
    return response

def send(event, context):
    print("to the origin:", cf(event)["request"]["uri"])
    request = cf(event)["request"]
    if request["uri"] == "/sent/generated":
        kept = {"cache-control": [{"value": "max-age=60"}]}
        return {"status": "200", "headers": kept, "body": context.aws_request_id}
    if request["uri"] == "/sent/event":
        return {"status": "200", "body": json.dumps(event), "headers": {"cache-control": [{"value": "no-store"}]}}
    if request["uri"] == "/sent/elsewhere":
        request["origin"]["custom"].update(domainName="other.example.org", path="/other")
        request["headers"]["host"] = [{"key": "Host", "value": "other.example.org"}]
    if request.get("body", {}).get("data"):
        data = base64.b64decode(request["body"]["data"]).decode()
        request["body"].update(action="replace", encoding="text", data=data.upper())
    request["headers"]["x-from-origin-request"] = [{"value": "1"}]
    return request

def receive(event, context):
    response = cf(event)["response"]
    if response["status"] == "404":
        response.update(status=200, statusDescription="OK", body="found after all")
    if response["status"] == "304":
        return response
    if "emptied" in cf(event)["request"]["uri"]:
        response.update(status="204", statusDescription="No Content")
    response["headers"]["x-received"] = [{"value": context.aws_request_id}]
    return response

def broken(event, context):
    uri = cf(event)["request"]["uri"]
    if "raises" in uri:
        raise ValueError("the function is broken")
    if "sleeps" in uri:
        time.sleep(30)
    if "nonsense" in uri:
        return "nonsense"
    if "forbidden" in uri:
        return {"status": "200", "headers": {"x-edge-resize": [{"value": "1"}]}}
    if "read-only" in uri:
        return {"status": "200", "headers": {"via": [{"value": "me"}]}}
    if "too-large" in uri:
        return {"status": "200", "body": "x" * (40 * 1024 + 1)}
    return cf(event)["request"]
"""
PACKED = gzip.compress(b"text " * 1000)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        fixed = {
            "missing": (404, b"missing", {"Cache-Control": "max-age=60"}),
            "expired": (200, b"whole", {"ETag": '"1"', "Cache-Control": "max-age=0"}),
            "gzipped": (200, PACKED, {"Content-Encoding": "gzip", "Content-Type": "text/plain"}),
            "stale": (200, b"stale", {"Cache-Control": "max-age=1, stale-while-revalidate=60"}),
        }
        what = self.path.rpartition("/")[2]
        if what == "chunked":
            self.say_chunked()
        elif what == "expired" and self.headers.get("If-None-Match"):
            self.say(304, b"", {"ETag": '"1"', "Cache-Control": "max-age=0"})
        elif what in fixed:
            self.say(*fixed[what])
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = {"method": self.command, "path": self.path, "headers": headers, "body": body}
            self.say(200, json.dumps(asked).encode(), {"Cache-Control": "max-age=60"})

    do_POST = do_HEAD = do_GET

    def say(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if status != 304 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def say_chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"):
            self.wfile.write(piece)

    def log_message(self, format, *args):
        pass


class Site:
    def __init__(self, sandbox, address, port):
        self.sandbox = sandbox
        self.port = port
        self.cloudfront, self.functions = sandbox.aws("cloudfront"), sandbox.aws("lambda")
        zone = sandbox.aws("route53").create_hosted_zone(Name=ZONE, CallerReference=ZONE)["HostedZone"]["Id"]
        for name in ("site", "other"):
            record = {
                "Name": f"{name}.{ZONE}",
                "Type": "A",
                "TTL": 1,
                "ResourceRecords": [{"Value": address}],
            }
            sandbox.aws("route53").change_resource_record_sets(
                HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
            )
        iam = sandbox.aws("iam")
        self.role = iam.create_role(RoleName="edge", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", SOURCE)
        self.package = package.getvalue()
        self.arns = {name: self.publish(name) for name in ("view", "answer", "send", "receive", "broken")}
        viewer = [("viewer-request", "view"), ("viewer-response", "answer")]
        origin = [("origin-request", "send"), ("origin-response", "receive")]
        behaviors = {
            "/viewed/*": self.behavior(viewer),
            "/sent/*": self.behavior(origin),
            "/all/*": self.behavior(viewer + origin),
            "/broken/*": self.behavior([("viewer-request", "broken")]),
            "/broken-within/*": self.behavior([("origin-request", "broken")]),
        }
        self.config = {
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [self.origin()]},
            "DefaultCacheBehavior": self.behavior([]),
            "CacheBehaviors": {
                "Quantity": len(behaviors),
                "Items": [{"PathPattern": pattern, **one} for pattern, one in behaviors.items()],
            },
        }
        made = self.cloudfront.create_distribution(DistributionConfig=self.config)["Distribution"]
        self.id, self.domain = made["Id"], made["DomainName"]

    def publish(self, name, **more):
        created = self.functions.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.12",
                "Role": self.role,
                "Handler": f"app.{name}",
                "Code": {"ZipFile": self.package},
                "Publish": True,
                "Timeout": 2 if name == "broken" else 5,
                **more,
            }
        )
        return f"{created['FunctionArn']}:{created['Version']}"

    def origin(self):
        return {
            "Id": "site",
            "DomainName": f"site.{ZONE}",
            "OriginPath": "/origin",
            "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-Key", "HeaderValue": "secret"}]},
            "CustomOriginConfig": {"HTTPPort": self.port, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
        }

    def behavior(self, functions):
        items = [
            {"EventType": trigger, "LambdaFunctionARN": self.arns[name], "IncludeBody": trigger == "origin-request"}
            for trigger, name in functions
        ]
        return {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "allow-all",
            "AllowedMethods": {
                "Quantity": len(WRITING),
                "Items": WRITING,
                "CachedMethods": {"Quantity": len(READING), "Items": READING},
            },
            "LambdaFunctionAssociations": {"Quantity": len(items), "Items": items},
            **ALL_QUERIES,
        }

    def get(self, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.sandbox.http_get(f"http://{self.domain}{path}", headers=headers)

    def ran(self, event, url):
        return [
            seen
            for seen in self.sandbox.timeline.since()
            if seen.kind == "cdn.function" and seen["event"] == event and seen["url"].startswith(url)
        ]


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
        try:
            yield Site(sandbox, gateway, server.server_address[1])
        finally:
            server.shutdown()


def test_a_behaviour_without_functions_goes_past_them(site):
    assert [site.get("/plain").facts()["x_cache"] for _ in range(2)] == ["Miss", "Hit"]
    assert not site.ran("viewer-request", "/plain")


def test_viewer_functions_run_for_each_request_and_change_what_is_looked_up(site):
    first, second = site.get("/viewed/old"), site.get("/viewed/old")
    asked = json.loads(first.body)
    assert asked["path"] == "/origin/viewed/new?by=function"
    assert asked["headers"]["x-from-viewer-request"] == "viewer-request"
    assert asked["headers"]["x-key"] == "secret"
    assert (first.facts()["x_cache"], second.facts()["x_cache"]) == ("Miss", "Hit")
    assert first.body == second.body
    assert first.headers["x-served"] != second.headers["x-served"]
    assert "age" not in first.headers
    assert int(second.headers["age"]) >= 0
    assert [seen["outcome"] for seen in site.ran("viewer-request", "/viewed/old")] == ["request", "request"]
    assert site.get("/viewed/new?by=function").facts()["x_cache"] == "Hit"


def test_the_origin_sees_nothing_of_how(site):
    asked = json.loads(site.get("/all/headers").body)["headers"]
    asked.pop("content-length", None)
    expected = "host user-agent via x-amz-cf-id x-forwarded-for x-from-origin-request x-from-viewer-request x-key"
    assert sorted(asked) == expected.split()
    viewer = site.sandbox.http_get(f"http://{site.domain}/plain/headers")
    assert asked["x-forwarded-for"] == json.loads(viewer.body)["headers"]["x-forwarded-for"]


def test_a_viewer_request_function_s_own_answer_is_not_kept(site):
    for _ in range(2):
        answer = site.get("/viewed/generated")
        assert (answer.status, answer.headers["location"]) == (302, "/viewed/b")
        assert answer.headers["x-cache"] == "LambdaGeneratedResponse from cloudfront"
        assert "x-served" not in answer.headers  # no viewer response function for it
        assert {"via", "x-amz-cf-id", "x-amz-cf-pop"} <= answer.headers.keys()


def test_the_viewer_request_s_event_tells_of_the_viewer(site):
    answer = site.get("/viewed/event?a=1", X_Forwarded_For="192.0.2.77")
    cf = json.loads(answer.body)["Records"][0]["cf"]
    assert cf["config"] == {
        "distributionDomainName": site.domain,
        "distributionId": site.id,
        "eventType": "viewer-request",
        "requestId": answer.headers["x-amz-cf-id"],
    }
    request = cf["request"]
    assert request["clientIp"] == site.sandbox._network.internet.address(3)
    assert (request["uri"], request["querystring"], request["method"]) == ("/viewed/event", "a=1", "GET")
    assert request["headers"]["x-forwarded-for"] == [{"key": "X-Forwarded-For", "value": "192.0.2.77"}]
    assert sorted(request["headers"]) == ["accept", "host", "user-agent", "x-forwarded-for", "x-from-viewer-request"]


def test_the_origin_request_s_event_tells_of_the_origin(site):
    cf = json.loads(site.get("/sent/event?a=1").body)["Records"][0]["cf"]
    assert cf["config"]["eventType"] == "origin-request"
    origin = cf["request"]["origin"]["custom"]
    assert (origin["domainName"], origin["path"], origin["port"]) == (f"site.{ZONE}", "/origin", site.port)
    assert origin["customHeaders"] == {"x-key": [{"key": "X-Key", "value": "secret"}]}
    assert "x-key" not in cf["request"]["headers"]
    assert cf["request"]["headers"]["host"][0]["value"] == f"site.{ZONE}"
    assert (cf["request"]["uri"], cf["request"]["querystring"]) == ("/sent/event", "a=1")


def test_origin_functions_run_on_misses_alone_and_their_answers_are_kept(site):
    first, second = site.get("/sent/page"), site.get("/sent/page")
    assert (first.facts()["x_cache"], second.facts()["x_cache"]) == ("Miss", "Hit")
    assert first.headers["x-received"] == second.headers["x-received"]
    assert len(site.ran("origin-request", "/sent/page")) == len(site.ran("origin-response", "/sent/page")) == 1
    made, kept = site.get("/sent/generated"), site.get("/sent/generated")
    assert made.body == kept.body
    assert (made.facts()["x_cache"], kept.facts()["x_cache"]) == ("LambdaGeneratedResponse", "Hit")
    assert not site.ran("origin-response", "/sent/generated")


def test_an_origin_response_function_makes_another_answer_of_an_error(site):
    first, second = site.get("/sent/missing"), site.get("/sent/missing")
    assert (first.status, first.body) == (200, "found after all")
    assert (first.facts()["x_cache"], second.facts()["x_cache"]) == ("Miss", "Hit")


def test_an_expired_object_is_confirmed_through_the_functions(site):
    first, second = site.get("/sent/expired"), site.get("/sent/expired")
    assert (first.body, second.body) == ("whole", "whole")
    assert second.facts()["x_cache"] == "RefreshHit"


def test_what_is_served_while_it_is_fetched_anew_goes_through_the_functions(site):
    assert site.get("/sent/stale").body == "stale"
    site.sandbox.wait_aws(1.5)
    mark = site.sandbox.timeline.mark()
    assert site.get("/sent/stale").facts()["x_cache"] == "Hit"
    site.sandbox.timeline.wait_for(
        "the origin to be asked in the background",
        lambda seen: seen.kind == "cdn.function" and seen["event"] == "origin-response" and "stale" in seen["url"],
        within=10,
        since=mark,
    )


def test_a_function_takes_the_body_away_with_the_status(site):
    for _ in range(2):
        answer = site.get("/sent/emptied")
        assert (answer.status, answer.body) == (204, "")
    assert site.get("/sent/after").status == 200


def test_a_request_goes_to_another_origin(site):
    asked = json.loads(site.get("/sent/elsewhere").body)
    assert (asked["path"], asked["headers"]["host"]) == ("/other/sent/elsewhere", f"other.{ZONE}")


def test_all_four_in_their_order(site):
    answer = site.get("/all/page")
    assert {"x-served", "x-received"} <= answer.headers.keys()
    ran = [
        seen["event"]
        for seen in site.sandbox.timeline.since()
        if seen.kind == "cdn.function" and seen["url"] == "/all/page"
    ]
    assert ran == ["viewer-request", "origin-request", "origin-response", "viewer-response"]
    site.get("/all/page")
    assert len(site.ran("origin-request", "/all/page")) == 1
    assert len(site.ran("viewer-response", "/all/page")) == 2


def test_a_viewer_response_function_replaces_a_body_for_this_viewer_alone(site):
    assert site.get("/viewed/replaced").body == "replaced"
    site.sandbox.timeline.wait_for(
        "the answer on the timeline",
        lambda seen: seen.kind == "cdn.response" and seen["url"].endswith("/viewed/replaced"),
        within=10,
    )


def test_a_viewer_response_function_does_not_run_for_an_error(site):
    answer = site.get("/viewed/missing")
    assert (answer.status, answer.facts()["x_cache"]) == (404, "Error")
    assert "x-served" not in answer.headers


def test_bodies_of_requests(site):
    url = f"http://{site.domain}/all/form"
    sent = site.sandbox.http_send("POST", url, body=b"name=value")
    asked = json.loads(sent.body)
    assert (asked["method"], asked["body"], asked["headers"]["content-length"]) == ("POST", "NAME=VALUE", "10")
    # without IncludeBody it is passed on as it came
    assert (
        json.loads(site.sandbox.http_send("POST", url.replace("all", "viewed"), body=b"a" * 50_000).body)["body"]
        == "a" * 50_000
    )


def test_a_body_without_a_length_is_passed_on(site):
    for path in ("/sent/chunked", "/viewed/chunked", "/all/chunked"):
        assert site.get(path).body == "firstsecond"


def test_a_compressed_body_is_passed_on_as_it_is(site):
    for path in ("/sent/gzipped", "/viewed/gzipped", "/all/gzipped"):
        for _ in range(2):
            answer = site.sandbox.http_fetch(f"http://{site.domain}{path}", headers={"Accept-Encoding": "gzip"})
            assert (answer.headers["content-encoding"], answer.content) == ("gzip", PACKED)


def test_conditions_and_ranges_of_what_is_kept(site):
    whole = site.get("/viewed/range").body
    part = site.get("/viewed/range", Range="bytes=2-5")
    assert (part.status, part.body) == (206, whole[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole)}"


@pytest.mark.parametrize("path", ["/broken", "/broken-within"])
@pytest.mark.parametrize(
    ("what", "status", "x_cache", "words"),
    [
        ("raises", 503, "LambdaExecutionError", "is invalid or doesn't have the required permissions"),
        ("sleeps", 503, "LambdaExecutionError", "is invalid or doesn't have the required permissions"),
        ("nonsense", 502, "LambdaValidationError", "returned neither a request nor a response"),
        ("forbidden", 502, "LambdaValidationError", "tried to add a blacklisted header"),
        ("read-only", 502, "LambdaValidationError", "tried to add, delete, or change a read-only header"),
    ],
)
def test_a_function_that_fails(site, path, what, status, x_cache, words):
    answer = site.get(f"{path}/{what}")
    assert (answer.status, answer.facts()["x_cache"]) == (status, x_cache)
    assert words in answer.body
    (ran,) = [seen for event in ("viewer-request", "origin-request") for seen in site.ran(event, f"{path}/{what}")]
    assert ran["outcome"] == x_cache
    assert site.get(f"{path}/fine").status == 200


def test_the_size_of_a_viewer_s_answer_is_limited(site):
    assert site.get("/broken/too-large").facts()["x_cache"] == "LambdaValidationError"
    assert site.get("/broken-within/too-large").status == 200


def test_what_is_logged_where(site):
    site.get("/sent/logged")
    site.get("/broken/nonsense?logged")
    logs = site.sandbox.aws("logs")
    site.sandbox._control_plane.logs.flush()
    said = logs.filter_log_events(logGroupName="/aws/lambda/us-east-1.send")["events"]
    assert any("to the origin: /sent/logged" in one["message"] for one in said)
    said = logs.filter_log_events(logGroupName=f"/aws/cloudfront/LambdaEdge/{site.id}")["events"]
    assert any("Validation error" in one["message"] for one in said)


def test_a_throttled_function(site):
    site.functions.put_function_concurrency(FunctionName="view", ReservedConcurrentExecutions=0)
    answer = site.get("/viewed/throttled")
    site.functions.delete_function_concurrency(FunctionName="view")
    assert (answer.status, answer.facts()["x_cache"]) == (503, "LambdaLimitExceeded")
    assert site.get("/viewed/throttled").status == 200


def test_a_function_that_is_associated_is_not_deleted(site):
    for named in ({"FunctionName": "view"}, {"FunctionName": "view", "Qualifier": "1"}):
        with pytest.raises(ClientError, match="because it is a replicated function"):
            site.functions.delete_function(**named)
    assert site.get("/viewed/still-there").status == 200


def test_a_function_reaches_the_sandbox_s_internet_and_nothing_else(site):
    source = """
import urllib.request
def handler(url, context):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status
"""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", source)
    site.publish("fetch", Handler="app.handler", Code={"ZipFile": package.getvalue()}, Timeout=10)

    def fetched(url):
        answer = site.functions.invoke(FunctionName="fetch", Payload=json.dumps(url).encode())
        return json.load(answer["Payload"])

    assert fetched(f"http://site.{ZONE}:{site.port}/page") == 200
    assert fetched(f"http://{site.domain}/plain") == 200
    for url in ("http://example.com/", f"http://nowhere.{ZONE}/", "http://192.0.2.1/"):
        assert "the sandbox's functions reach only the sandbox" in fetched(url)["errorMessage"]


def test_a_new_version_is_run_when_the_distribution_names_it(site):
    source = SOURCE.replace('"x-served"', '"x-served-by-two"')
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", source)
    made = site.functions.update_function_code(FunctionName="answer", ZipFile=package.getvalue(), Publish=True)
    assert made["FunctionArn"].endswith(":answer:2")
    assert "x-served" in site.get("/viewed/version").headers
    shown = site.cloudfront.get_distribution_config(Id=site.id)
    changed = json.loads(json.dumps(shown["DistributionConfig"]).replace(site.arns["answer"], made["FunctionArn"]))
    site.cloudfront.update_distribution(Id=site.id, IfMatch=shown["ETag"], DistributionConfig=changed)
    assert "x-served-by-two" in site.get("/viewed/version").headers
    # the /all/* behaviour names the second one, too, so the first is free
    site.functions.delete_function(FunctionName="answer", Qualifier="1")


def test_https_goes_through_viewer_functions(site):
    context = ssl.create_default_context(cadata=site.sandbox.authority.certificate.decode())
    address = site.sandbox.resolve(site.domain).values[0]
    with (
        socket.create_connection((address, 443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=site.domain) as viewer,
    ):
        viewer.sendall(f"GET /all/tls HTTP/1.1\r\nHost: {site.domain}\r\nConnection: close\r\n\r\n".encode())
        answer = HTTPResponse(viewer)
        answer.begin()
        assert (answer.status, answer.headers["X-Cache"]) == (200, "Miss from cloudfront")


@pytest.fixture(scope="module")
def corners(site):
    """A distribution with an origin that fails, an error page, a default root object, and HTTPS wanted somewhere."""
    dead = {**site.origin(), "Id": "dead", "OriginPath": ""}
    dead["CustomOriginConfig"] = {"HTTPPort": 1024, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    group = {
        "Id": "group",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [502]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "dead"}, {"OriginId": "site"}]},
    }
    reading = {"AllowedMethods": {"Quantity": 2, "Items": READING}}
    viewed, sent = ("viewer-request", "view"), ("origin-request", "send")
    behaviors = {
        "/group/*": {**site.behavior([sent, ("origin-response", "receive")]), "TargetOriginId": "group", **reading},
        "/dead/*": {**site.behavior([sent, ("origin-response", "receive")]), "TargetOriginId": "dead"},
        "/secure/*": {**site.behavior([viewed]), "ViewerProtocolPolicy": "redirect-to-https"},
    }
    config = {
        **site.config,
        "CallerReference": "corners",
        "DefaultRootObject": "index",
        "Origins": {"Quantity": 2, "Items": [site.origin(), dead]},
        "OriginGroups": {"Quantity": 1, "Items": [group]},
        "DefaultCacheBehavior": site.behavior([viewed, ("viewer-response", "receive"), sent]),
        "CacheBehaviors": {
            "Quantity": len(behaviors),
            "Items": [{"PathPattern": pattern, **one} for pattern, one in behaviors.items()],
        },
        "CustomErrorResponses": {
            "Quantity": 1,
            "Items": [{"ErrorCode": 404, "ResponsePagePath": "/error-page", "ResponseCode": "200"}],
        },
    }
    domain = site.cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["DomainName"]

    def get(path):
        mark = site.sandbox.timeline.mark()
        answer = site.sandbox.http_get(f"http://{domain}{path}")
        ran = [seen["event"] for seen in site.sandbox.timeline.since(mark) if seen.kind == "cdn.function"]
        return answer, ran

    return get


def test_each_origin_of_a_group_is_asked_through_the_functions(corners):
    answer, ran = corners("/group/page")
    assert (answer.status, json.loads(answer.body)["path"]) == (200, "/origin/group/page")
    assert ran == ["origin-request", "origin-request", "origin-response"]


def test_no_function_runs_for_an_answer_that_the_origin_has_not_given(corners):
    answer, ran = corners("/dead/page")
    assert (answer.status, answer.facts()["x_cache"]) == (502, "Error")
    assert ran == ["origin-request"]


def test_no_function_runs_for_a_redirect_to_https(corners):
    answer, ran = corners("/secure/page")
    assert (answer.status, answer.facts()["x_cache"], ran) == (301, "Redirect", [])


def test_no_viewer_response_function_runs_for_an_error_page(corners):
    answer, ran = corners("/missing")
    assert (answer.status, answer.facts()["x_cache"]) == (200, "Error")
    assert json.loads(answer.body)["path"] == "/origin/error-page"
    assert ran == ["viewer-request", "origin-request", "origin-request"]  # the page comes from the origin, too


def test_the_default_root_object_is_for_the_cache_and_the_origin(corners, site):
    answer, ran = corners("/")
    assert json.loads(answer.body)["path"] == "/origin/index"
    assert ran == ["viewer-request", "origin-request", "viewer-response"]
    told = [seen for seen in site.sandbox.timeline.since() if seen.kind == "cdn.function"][-3:]
    assert [seen["url"] for seen in told] == ["/", "/index", "/"]


def test_head_has_no_body(site):
    for path in ("/viewed/head", "/sent/head", "/all/head"):
        answer = site.sandbox.http_send("HEAD", f"http://{site.domain}{path}")
        assert (answer.status, answer.body) == (200, "")
        assert int(answer.headers["content-length"]) > 100


def test_many_at_once(site):
    def ask(number):
        return site.sandbox.http_fetch(f"http://{site.domain}/all/many?{number % 5}").status

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(100))) == {200}


def test_associations_come_and_go(site):
    plain = {**site.config, "CallerReference": "2", "CacheBehaviors": {"Quantity": 0}}
    made = site.cloudfront.create_distribution(DistributionConfig=plain)
    id_, etag, domain = made["Distribution"]["Id"], made["ETag"], made["Distribution"]["DomainName"]
    url = f"http://{domain}/page"
    for functions in ([("viewer-response", "receive")], [], [("viewer-response", "receive")]):
        config = site.cloudfront.get_distribution_config(Id=id_)["DistributionConfig"]
        config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = site.behavior(functions)[
            "LambdaFunctionAssociations"
        ]
        etag = site.cloudfront.update_distribution(Id=id_, IfMatch=etag, DistributionConfig=config)["ETag"]
        assert ("x-received" in site.sandbox.http_get(url).headers) is bool(functions)
