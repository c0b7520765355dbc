"""The gateway: real boto3 clients and raw sockets against a real one."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import MAX_BODY, ApiCall, Gateway
from sandbox.aws.protocol import AwsError, HttpResponse, RequestContext
from sandbox.errors import SandboxError

SIGNED = "AWS4-HMAC-SHA256 Credential=sandbox/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=00"


class Ecs:
    service_name = "ecs"
    validation_error_code = "InvalidParameterException"

    def __init__(self) -> None:
        self.release = threading.Event()

    def list_clusters(self, _request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return {"clusterArns": [f"arn:aws:ecs:{context.region}:{context.account_id}:cluster/default"]}

    def describe_clusters(self, _request: dict[str, Any], _context: RequestContext) -> dict[str, Any]:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")

    def list_tasks(self, _request: dict[str, Any], _context: RequestContext) -> dict[str, Any]:
        self.release.wait(20)
        return {"taskArns": []}


class CloudMap:
    service_name = "servicediscovery"

    def discover_instances(self, request: dict[str, Any], _context: RequestContext) -> dict[str, Any]:
        return {"Instances": [{"InstanceId": request["ServiceName"]}]}


class RunCommand:
    service_name = "ssm"
    falls_back = True

    def list_commands(self, _request: dict[str, Any], _context: RequestContext) -> dict[str, Any]:
        return {"Commands": [{"CommandId": "11111111-1111-1111-1111-111111111111"}]}


@pytest.fixture
def calls() -> list[ApiCall]:
    return []


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    service = Ecs()
    yield service
    service.release.set()


@pytest.fixture
def gateway(calls: list[ApiCall], ecs: Ecs, tmp_path: Path) -> Iterator[Gateway]:
    services = [ecs, CloudMap(), RunCommand()]
    socket_path = tmp_path / "aws.sock"
    with Gateway(services, Embedded(), unix_socket=socket_path, on_call=calls.append) as running:
        yield running


@pytest.fixture
def aws(gateway: Gateway) -> Iterator[Clients]:
    clients = Clients(gateway.url)
    yield clients
    clients.close()


@pytest.mark.parametrize(
    ("service", "minutes", "code", "status"),
    [
        ("ecs", -6, "InvalidSignatureException", 400),
        ("ecs", 6, "InvalidSignatureException", 400),
        ("ecs", -4, "", 200),
        ("sts", -6, "SignatureDoesNotMatch", 403),
        ("sts", 4, "", 200),
        ("s3", -16, "RequestTimeTooSkewed", 403),
        ("s3", -14, "", 200),
    ],
)
def test_a_clock_that_is_off_is_refused(
    gateway: Gateway, calls: list[ApiCall], service: str, minutes: int, code: str, status: int
) -> None:
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 60 * minutes))
    headers = {"Authorization": SIGNED.format(service), "X-Amz-Date": at}
    if service == "ecs":
        headers |= {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
        asked = send(gateway, "POST", "/", headers, b"{}")
    elif service == "sts":
        headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        asked = send(gateway, "POST", "/", headers, b"Action=GetCallerIdentity&Version=2011-06-15")
    else:
        asked = send(gateway, "GET", "/", headers)
    assert asked[0] == status
    assert code in str(asked[1])
    assert len(calls) == (0 if code else 1)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ecs", "list_clusters", "InvalidSignatureException"),
        ("ecr", "describe_repositories", "InvalidSignatureException"),
        ("ec2", "describe_vpcs", "SignatureDoesNotMatch"),
        ("s3", "list_buckets", "AuthorizationHeaderMalformed"),
    ],
)
def test_a_region_that_there_is_not_is_refused(
    aws: Clients, calls: list[ApiCall], service: str, operation: str, code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(aws(service, "us-esat-1"), operation)()
    assert refused.value.response["Error"]["Code"] == code
    assert "'us-esat-1'" in refused.value.response["Error"]["Message"]
    assert calls == []
    getattr(aws(service, "eu-north-1"), operation)()


def send(gateway: Gateway, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text[:1] == b"{" else text


def test_a_service_of_ours_answers_in_the_region_of_the_signature(aws: Clients, calls: list[ApiCall]) -> None:
    arns = aws("ecs", "eu-west-1").list_clusters()["clusterArns"]
    assert arns == ["arn:aws:ecs:eu-west-1:123456789012:cluster/default"]
    assert calls == [ApiCall("ecs", "ListClusters", "POST", "/", 200, "eu-west-1")]


def test_an_error_reaches_the_client_and_is_not_reported(aws: Clients, calls: list[ApiCall]) -> None:
    client = aws("ecs")
    with pytest.raises(client.exceptions.ClusterNotFoundException, match="Cluster not found"):
        client.describe_clusters()
    with pytest.raises(ClientError, match="does not implement ecs CreateCluster"):
        client.create_cluster()
    assert calls == []


def test_everything_else_goes_to_moto(aws: Clients, calls: list[ApiCall]) -> None:
    assert aws("sts").get_caller_identity()["Account"] == "123456789012"
    zone = aws("route53").create_hosted_zone(Name="example.com", CallerReference=str(time.time()))["HostedZone"]["Id"]
    assert aws("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [(call.service, call.operation, call.status) for call in calls] == [
        ("sts", "GetCallerIdentity", 200),
        ("route53", None, 201),
        ("route53", None, 200),
    ]


def test_moto_keeps_regions_paths_and_urls_apart(aws: Clients, gateway: Gateway) -> None:
    assert aws("sqs", "eu-west-1").create_queue(QueueName="q")["QueueUrl"].startswith(gateway.url)
    assert "QueueUrls" not in aws("sqs").list_queues(QueueNamePrefix="q")
    s3 = aws("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a b/ü+%2F.txt", Body=b"text" * 50_000)
    assert s3.get_object(Bucket="bucket", Key="a b/ü+%2F.txt")["Body"].read() == b"text" * 50_000


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_is_a_signed_request(aws: Clients, gateway: Gateway, version: str) -> None:
    aws("s3").create_bucket(Bucket="presigned")
    aws("s3").put_object(Bucket="presigned", Key="a b/ü.txt", Body=b"text")
    signer = boto3.client(
        "s3",
        endpoint_url=gateway.url,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "a b/ü.txt"})
    assert send(gateway, "GET", url.removeprefix(gateway.url), {}) == (200, b"text")


def test_what_moto_lacks_is_said_honestly(aws: Clients) -> None:
    with pytest.raises(ClientError, match="NotImplemented") as caught:
        aws("ec2").describe_aggregate_id_format()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_service_may_leave_operations_to_moto(aws: Clients) -> None:
    assert aws("ssm").list_commands()["Commands"]
    aws("ssm").put_parameter(Name="/p", Value="v", Type="String", Overwrite=True)
    assert aws("ssm").get_parameter(Name="/p")["Parameter"]["Value"] == "v"


def test_a_service_can_be_added_later(gateway: Gateway, aws: Clients) -> None:
    class Events:
        service_name = "events"

        def list_rules(self, _request: dict[str, Any], _context: RequestContext) -> dict[str, Any]:
            return {"Rules": [{"Name": "late"}]}

    gateway.add(Events())
    assert aws("events").list_rules()["Rules"] == [{"Name": "late"}]


def test_cloud_map_data_calls_work_without_the_host_prefix_and_with_it(aws: Clients, gateway: Gateway) -> None:
    found = aws("servicediscovery").discover_instances(NamespaceName="n", ServiceName="s")
    assert found["Instances"][0]["InstanceId"] == "s"
    body = json.dumps({"NamespaceName": "n", "ServiceName": "s"}).encode()
    for host in ("data-servicediscovery.us-east-1.localhost", "data-localhost"):
        headers = {"Host": host, "X-Amz-Target": "Route53AutoNaming_v20170314.DiscoverInstances"}
        status, answer = send(gateway, "POST", "/", headers, body)
        assert (status, answer["Instances"][0]["InstanceId"]) == (200, "s")


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"", 403, "MissingAuthenticationToken"),
        ({"Authorization": "Basic c2VjcmV0"}, b"", 403, "MissingAuthenticationToken"),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=a/b"}, b"", 403, "MissingAuthenticationToken"),
        ({"Authorization": SIGNED.format("ecs")}, b"", 400, "UnknownOperationException"),
        (
            {
                "Authorization": SIGNED.format("ecs"),
                "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
            },
            b"{not json",
            400,
            "SerializationException",
        ),
        ({"Authorization": SIGNED.format("coffee"), "X-Amz-Target": "Coffee.Make"}, b"{}", 501, "NotImplemented"),
    ],
)
def test_a_malformed_request_gets_a_clear_answer(
    gateway: Gateway, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    answered, error = send(gateway, "POST", "/", headers, body)
    assert (answered, error["__type"]) == (status, code)


def raw(gateway: Gateway, request: bytes) -> bytes:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        return exchange(connection, request)


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send a request, and read until the gateway closes the connection."""
    connection.sendall(request)
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_huge_body_is_refused_before_it_is_sent(gateway: Gateway) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n".encode()
    answer = raw(gateway, head)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"RequestEntityTooLargeException" in answer


@pytest.mark.parametrize("request_", [b"GARBAGE\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n"])
def test_what_is_not_http_is_refused(gateway: Gateway, request_: bytes) -> None:
    assert raw(gateway, request_).startswith(b"HTTP/1.1 400")


def test_a_chunked_body_is_read(gateway: Gateway) -> None:
    head = (
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: {SIGNED.format('sts')}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    answer = raw(gateway, head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"123456789012" in answer


def test_health(gateway: Gateway) -> None:
    status, health = send(gateway, "GET", "/_sandbox/health", {})
    assert status == 200
    assert health == {"status": "ok", "services": ["ecs", "servicediscovery", "ssm"], "others": True}


def test_containers_reach_the_same_services_over_the_unix_socket(gateway: Gateway, tmp_path: Path) -> None:
    request = (
        f"POST / HTTP/1.1\r\nHost: aws\r\nConnection: close\r\nAuthorization: {SIGNED.format('ecs')}\r\n"
        "Content-Length: 2\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters\r\n\r\n{}"
    )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(tmp_path / "aws.sock"))
        assert b"arn:aws:ecs:eu-west-1" in exchange(connection, request.encode())
    gateway.close()
    assert not (tmp_path / "aws.sock").exists()


def test_fifty_slow_callers_do_not_keep_others_waiting(aws: Clients, ecs: Ecs) -> None:
    client = aws("ecs")
    with ThreadPoolExecutor(50) as pool:
        slow = [pool.submit(client.list_tasks) for _ in range(50)]
        assert client.list_clusters()["clusterArns"]
        assert not any(call.done() for call in slow)
        ecs.release.set()
        assert all(call.result()["taskArns"] == [] for call in slow)


def test_closing_does_not_wait_for_a_slow_call(ecs: Ecs) -> None:
    gateway = Gateway([ecs]).start()
    client = Clients(gateway.url)("ecs")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.list_tasks)
        client.list_clusters()
        started = time.monotonic()
        gateway.close()
        assert time.monotonic() - started < 1
        ecs.release.set()
        call.exception(10)


def test_a_failing_listener_does_not_break_the_answer(ecs: Ecs, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_call: ApiCall) -> None:
        raise RuntimeError("listener")

    with Gateway([ecs], on_call=fail) as gateway:
        assert Clients(gateway.url)("ecs").list_clusters()["clusterArns"]
    assert "after ecs ListClusters" in caplog.text


def test_before_each_call_somebody_is_told(ecs: Ecs) -> None:
    order: list[str] = []
    with Gateway([ecs], before_call=lambda: order.append("before"), on_call=lambda _: order.append("after")) as gateway:
        for _ in range(2):
            Clients(gateway.url)("ecs").list_clusters()
    assert order == ["before", "after"] * 2


def test_without_a_backend_other_services_are_refused(ecs: Ecs) -> None:
    with Gateway([ecs]) as gateway:
        headers = {"Authorization": SIGNED.format("sts")}
        assert send(gateway, "POST", "/", headers)[0] == 501


def test_a_taken_port_is_named(gateway: Gateway) -> None:
    port = int(gateway.url.rpartition(":")[2])
    with pytest.raises(SandboxError, match=f"port {port} on 127.0.0.1 is in use.*\n.*ss -ltnp"):
        Gateway([], port=port).start()


def test_a_socket_path_that_cannot_be_bound_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot listen on the socket"):
        Gateway([], unix_socket=tmp_path / ("x" * 120)).start()


def test_a_path_of_ones_own_answers_unsigned_gets_only(gateway: Gateway, aws: Clients) -> None:
    gateway.add_path("/own-path/", lambda path: HttpResponse(200, {}, path.encode()))

    def ask(method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*gateway.url.removeprefix("http://").split(":"), timeout=5)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert ask("GET", "/own-path/task") == (200, b"/own-path/task")
    assert ask("POST", "/own-path/task")[0] == ask("GET", "/v5/task")[0] == 403
    aws("s3").create_bucket(Bucket="own-path")  # a signed request for the same path is S3's
    assert aws("s3").list_objects_v2(Bucket="own-path")["KeyCount"] == 0


def test_a_host_that_is_none_of_aws_s_answers_every_request_for_it(gateway: Gateway) -> None:
    gateway.add_host("hooks.example.com", lambda request: HttpResponse(200, {}, request.path.encode() + request.body))
    connection = http.client.HTTPConnection(*gateway.url.removeprefix("http://").split(":"), timeout=5)
    connection.request("POST", "/services", body=b"text", headers={"Host": "hooks.example.com:80"})
    assert connection.getresponse().read() == b"/servicestext"
    assert send(gateway, "POST", "/services", {"Host": "hooks.example.org"})[0] == 403


def test_calls_that_wait_do_not_keep_others_out() -> None:
    waiting = Ecs()
    with Gateway([waiting, CloudMap()]) as gateway, ThreadPoolExecutor(150) as pool:
        clients = Clients(gateway.url)
        ecs, cloud_map = clients("ecs"), clients("servicediscovery")
        waits = [pool.submit(ecs.list_tasks) for _ in range(150)]  # more than the gateway begins with threads
        started = time.monotonic()
        found = cloud_map.discover_instances(NamespaceName="n", ServiceName="s")["Instances"]
        taken = time.monotonic() - started
        assert not any(wait.done() for wait in waits)
        waiting.release.set()
        assert all(wait.result()["taskArns"] == [] for wait in waits)
    assert found == [{"InstanceId": "s"}]
    assert taken < 5


def test_a_service_is_made_at_the_first_request_for_it_and_once() -> None:
    made: list[CloudMap] = []

    def make() -> CloudMap:
        made.append(CloudMap())
        return made[-1]

    with Gateway([Ecs()]) as later:
        later.add_later("servicediscovery", make)
        clients = Clients(later.url)
        assert clients("ecs").list_clusters()["clusterArns"]
        assert send(later, "GET", "/_sandbox/health", {})[1]["services"] == ["ecs", "servicediscovery"]
        assert made == []
        client = clients("servicediscovery")
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda n: client.discover_instances(NamespaceName="n", ServiceName=f"s{n}"), range(8))
            assert {answer["Instances"][0]["InstanceId"] for answer in answers} == {f"s{n}" for n in range(8)}
        clients.close()
    assert len(made) == 1
