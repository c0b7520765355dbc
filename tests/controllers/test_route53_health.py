"""Health checks of Route 53, asked of real servers: Route 53's own, and Cloud Map's."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
import time
from types import SimpleNamespace

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.clock import RealClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.dataplane.cdn.certificates import Authority
from sandbox.model.route53_health import EndpointCheck
from sandbox.probes.endpoint_health import check_endpoint
from sandbox.timeline import Timeline

SPEED = 300
"""30 s between two checks are 0.1 s."""
WITHIN = 20


def connect(name, port, timeout):
    """The endpoints of these tests are on this machine; 192.0.2.0/24 is nowhere."""
    if name.startswith("192.0.2."):
        raise OSError(f"{name} is not an address of the sandbox's internet")
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


class Endpoint:
    """An HTTP server whose answer can be changed; it keeps what it was asked."""

    def __init__(self, tls=None):
        self.status, self.body, self.asked = 200, b"all is well", []
        endpoint = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                endpoint.asked.append((self.path, self.headers["Host"], self.headers["User-Agent"]))
                self.send_response(endpoint.status)
                self.send_header("Content-Length", str(len(endpoint.body)))
                self.end_headers()
                self.wfile.write(endpoint.body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def endpoint():
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def plane(tmp_path):
    (tmp_path / "sockets").mkdir()
    backend, clock = Embedded(), RealClock(SPEED)
    timeline = Timeline(clock)
    plane = ControlPlane(backend, tmp_path, clock, timeline, connect, lambda here: plane.gateway.url)
    yield SimpleNamespace(aws=plane.aws, timeline=timeline, control=plane)
    plane.close()
    backend.reset()
    clock.close()


def seen(plane, health_check, status, since=0):
    plane.timeline.wait_for(
        f"{health_check} is {status}",
        lambda one: one.kind == "route53.health" and (one["health_check"], one["status"]) == (health_check, status),
        within=WITHIN,
        since=since,
    )


def made(plane, answer):
    sd = plane.aws("servicediscovery")
    return sd.get_operation(OperationId=answer["OperationId"])["Operation"]["Targets"]["NAMESPACE"]


# -- Route 53's own --


def test_a_record_with_a_failing_health_check_leaves_the_answers_and_comes_back(plane, endpoint):
    route53 = plane.aws("route53")
    config = {"IPAddress": "127.0.0.1", "Port": endpoint.port, "Type": "HTTP", "FailureThreshold": 2}
    made = route53.create_health_check(CallerReference="1", HealthCheckConfig={**config, "ResourcePath": "/up"})
    check = made["HealthCheck"]["Id"]
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": "www.shop.example",
                "Type": "A",
                "TTL": 10,
                "SetIdentifier": value,
                "MultiValueAnswer": True,
                "ResourceRecords": [{"Value": value}],
                **named,
            },
        }
        for value, named in [("127.0.0.1", {"HealthCheckId": check}), ("127.0.0.2", {})]
    ]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    seen(plane, check, "HEALTHY")
    assert sorted(plane.control.addresses("www.shop.example")) == ["127.0.0.1", "127.0.0.2"]
    path, host, agent = endpoint.asked[0]
    assert (path, host) == ("/up", f"127.0.0.1:{endpoint.port}")
    assert agent.startswith("Amazon-Route53-Health-Check-Service")
    endpoint.status = 503
    seen(plane, check, "UNHEALTHY")
    assert plane.control.addresses("www.shop.example") == ["127.0.0.2"]
    (observed,) = route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    assert observed["StatusReport"]["Status"] == "Failure: HTTP Status Code 503"
    route53.update_health_check(HealthCheckId=check, Inverted=True)
    assert sorted(plane.control.addresses("www.shop.example")) == ["127.0.0.1", "127.0.0.2"]
    route53.update_health_check(HealthCheckId=check, Inverted=False)
    mark = plane.timeline.mark()
    endpoint.status = 302
    seen(plane, check, "HEALTHY", since=mark)
    assert sorted(plane.control.addresses("www.shop.example")) == ["127.0.0.1", "127.0.0.2"]
    route53.delete_health_check(HealthCheckId=check)
    asked = len(endpoint.asked)
    plane.control._health.refresh()
    assert plane.control._health.observation(check) is None
    assert len(endpoint.asked) <= asked + 1  # one may have been under way


@pytest.mark.parametrize(("type_", "port"), [("HTTP", 80), ("HTTPS", 443), ("HTTPS_STR_MATCH", 443)])
def test_the_port_is_the_protocols_unless_one_is_given(plane, type_, port):
    route53 = plane.aws("route53")
    for given, expected in [({}, port), ({"Port": 8443}, 8443)]:
        config = {"IPAddress": "192.0.2.1", "Type": type_, "SearchString": "x", **given}
        made = route53.create_health_check(CallerReference=str(given), HealthCheckConfig=config)
        assert made["HealthCheck"]["HealthCheckConfig"]["Port"] == expected


# -- Cloud Map's --


def service_of(plane, check, **request):
    sd = plane.aws("servicediscovery")
    namespace = made(plane, sd.create_public_dns_namespace(Name="shop.example"))
    config = {"DnsRecords": [{"Type": "A", "TTL": 10}], **request}
    service = sd.create_service(Name="web", NamespaceId=namespace, DnsConfig=config, HealthCheckConfig=check)
    return namespace, service["Service"]["Id"]


def register(plane, service, name, address, port):
    attributes = {"AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": str(port)}
    plane.aws("servicediscovery").register_instance(ServiceId=service, InstanceId=name, Attributes=attributes)


def health_check_of(plane, namespace, address):
    sd, route53 = plane.aws("servicediscovery"), plane.aws("route53")
    zone = sd.get_namespace(Id=namespace)["Namespace"]["Properties"]["DnsProperties"]["HostedZoneId"]
    (found,) = [
        record["HealthCheckId"]
        for record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        if record.get("ResourceRecords") == [{"Value": address}]
    ]
    return found


def test_instances_of_a_public_namespace_are_checked_while_they_are_registered(plane, endpoint):
    sd, route53 = plane.aws("servicediscovery"), plane.aws("route53")
    check = {"Type": "HTTP", "ResourcePath": "/up", "FailureThreshold": 1}
    namespace, service = service_of(plane, check)
    assert sd.get_service(Id=service)["Service"]["HealthCheckConfig"] == check
    register(plane, service, "here", "127.0.0.1", endpoint.port)
    register(plane, service, "nowhere", "192.0.2.1", endpoint.port)
    here, nowhere = (health_check_of(plane, namespace, address) for address in ("127.0.0.1", "192.0.2.1"))
    seen(plane, here, "HEALTHY")
    seen(plane, nowhere, "UNHEALTHY")
    assert sd.get_instances_health_status(ServiceId=service)["Status"] == {"here": "HEALTHY", "nowhere": "UNHEALTHY"}
    assert plane.control.addresses("web.shop.example") == ["127.0.0.1"]
    found = sd.discover_instances(NamespaceName="shop.example", ServiceName="web")["Instances"]
    assert [one["InstanceId"] for one in found] == ["here"]
    assert endpoint.asked[0][:2] == ("/up", f"web.shop.example:{endpoint.port}")
    shown = route53.get_health_check(HealthCheckId=here)["HealthCheck"]["HealthCheckConfig"]
    assert (shown["IPAddress"], shown["FailureThreshold"], shown["ResourcePath"]) == ("127.0.0.1", 1, "/up")
    endpoint.status = 500
    seen(plane, here, "UNHEALTHY")
    assert sorted(plane.control.addresses("web.shop.example")) == ["127.0.0.1", "192.0.2.1"]  # all are unhealthy
    told = [one for one in plane.timeline.since() if one.kind == "cloudmap.instance" and one["change"] == "health"]
    assert [(one["instance"], one["health"]) for one in told][-1] == ("here", "UNHEALTHY")
    for name in ("here", "nowhere"):
        sd.deregister_instance(ServiceId=service, InstanceId=name)
    assert route53.list_health_checks()["HealthChecks"] == []


def test_a_tcp_check_of_an_http_namespace(plane):
    sd = plane.aws("servicediscovery")
    namespace = made(plane, sd.create_http_namespace(Name="shop"))
    check = {"Type": "TCP", "FailureThreshold": 1}
    service = sd.create_service(Name="web", NamespaceId=namespace, HealthCheckConfig=check)["Service"]["Id"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        register(plane, service, "i", "127.0.0.1", listener.getsockname()[1])
        (id_,) = [one["Id"] for one in plane.aws("route53").list_health_checks()["HealthChecks"]]
        seen(plane, id_, "HEALTHY")
    seen(plane, id_, "UNHEALTHY")
    named = {"NamespaceName": "shop", "ServiceName": "web"}
    assert sd.discover_instances(**named)["Instances"] == []
    assert len(sd.discover_instances(**named, HealthStatus="HEALTHY_OR_ELSE_ALL")["Instances"]) == 1


# -- one check --


def ask(port, type_="HTTP", **config):
    return check_endpoint(EndpointCheck(type_, "127.0.0.1", port, **config), connect, lambda seconds: seconds / 10)


def test_https_takes_any_certificate(tmp_path):
    issued, pem = Authority().issue(["endpoint.example"]), tmp_path / "endpoint.pem"
    pem.write_bytes(issued.certificate + issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    endpoint = Endpoint(context)
    try:
        assert ask(endpoint.port, "HTTPS", host="other.example", names_host=True) == ""
        assert ask(endpoint.port, "HTTPS", names_host=True) == ""
        assert ask(endpoint.port, "HTTPS", host="x" * 64 + ".example", names_host=True).startswith("no answer")
        assert ask(endpoint.port, "HTTPS_STR_MATCH", search="well") == ""
        assert ask(endpoint.port, "HTTPS_STR_MATCH", search="ill") == "the search string is not in the body"
        assert ask(endpoint.port, "HTTP").startswith("no answer")
    finally:
        endpoint.close()


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", "the answer is no HTTP"),
        (b"SSH-2.0-x\r\n\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 999 What\r\n\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP Status Code 404"),
        (b"x" * 100_000, "the answer is no HTTP"),
    ],
    ids=["nothing", "another protocol", "204", "no status", "404", "endless head"],
)
def test_answers(answer, failure):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        assert ask(listener.getsockname()[1]) == failure


def test_an_answer_that_dribbles_has_two_seconds_in_all():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                while not over.wait(0.05):
                    connection.sendall(b"H")

        threading.Thread(target=serve, daemon=True).start()
        begun = time.monotonic()
        assert ask(listener.getsockname()[1]) == "no answer within 2 s"
        over.set()
        assert time.monotonic() - begun < 2  # at ten times the speed the two seconds are 0.25 s, the least there is


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask(port, "TCP").startswith("no connection")
