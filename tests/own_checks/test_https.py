"""The checks of a site that is there over HTTPS alone, as most are: its load balancer redirects plain HTTP."""

from __future__ import annotations

import json
import shutil
from urllib.parse import urlsplit

import pytest

from sandbox.paths import share

STACK = """\
description: nginx and Flask-SocketIO in one task behind an ALB that redirects HTTP to HTTPS, and behind CloudFront
images: [toolbox, haproxy, nginx, varnish, flask-socketio]
efs:
  fs-0123456789abcdef0:
    /app: app/
    /conf.d: conf.d/
    /www: www/
calls:
  - elbv2.create_load_balancer:
      Name: chat
      Subnets: ${sandbox.subnets}
      SecurityGroups: ["${sandbox.security_group}"]
    as: balancer
  - elbv2.create_target_group:
      Name: chat
      Protocol: HTTP
      Port: 80
      VpcId: ${sandbox.vpc}
      TargetType: ip
      HealthCheckPath: /health
      HealthCheckIntervalSeconds: 5
      HealthCheckTimeoutSeconds: 2
      HealthyThresholdCount: 2
    as: group
  - elbv2.create_listener:
      LoadBalancerArn: ${balancer.LoadBalancers.0.LoadBalancerArn}
      Protocol: HTTP
      Port: 80
      DefaultActions: [{Type: redirect, RedirectConfig: {Protocol: HTTPS, Port: "443", StatusCode: HTTP_301}}]
  - acm.request_certificate: {DomainName: chat.example.com}
    as: certificate
  - elbv2.create_listener:
      LoadBalancerArn: ${balancer.LoadBalancers.0.LoadBalancerArn}
      Protocol: HTTPS
      Port: 443
      Certificates: [{CertificateArn: "${certificate.CertificateArn}"}]
      DefaultActions: [{Type: forward, TargetGroupArn: "${group.TargetGroups.0.TargetGroupArn}"}]
  - acm.request_certificate: {DomainName: cdn.example.com}
    as: cdn_certificate
  - cloudfront.create_distribution:
      DistributionConfig:
        CallerReference: chat
        Comment: the site's files
        Enabled: true
        Aliases: {Quantity: 1, Items: [cdn.example.com]}
        ViewerCertificate:
          ACMCertificateArn: ${cdn_certificate.CertificateArn}
          SSLSupportMethod: sni-only
          MinimumProtocolVersion: TLSv1.2_2021
        Origins:
          Quantity: 1
          Items:
            - Id: balancer
              DomainName: chat.example.com
              CustomOriginConfig: {HTTPPort: 80, HTTPSPort: 443, OriginProtocolPolicy: https-only}
        DefaultCacheBehavior:
          TargetOriginId: balancer
          ViewerProtocolPolicy: redirect-to-https
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
    as: cdn
  - route53.create_hosted_zone: {Name: example.com, CallerReference: chat}
    as: zone
  - route53.change_resource_record_sets:
      HostedZoneId: ${zone.HostedZone.Id}
      ChangeBatch:
        Changes:
          - Action: CREATE
            ResourceRecordSet:
              Name: chat.example.com
              Type: A
              AliasTarget: &balancer
                DNSName: ${balancer.LoadBalancers.0.DNSName}
                HostedZoneId: ${balancer.LoadBalancers.0.CanonicalHostedZoneId}
                EvaluateTargetHealth: false
          - Action: CREATE
            ResourceRecordSet:
              Name: cdn.example.com
              Type: A
              AliasTarget:
                HostedZoneId: Z2FDTNDATAQYW2
                DNSName: ${cdn.Distribution.DomainName}
                EvaluateTargetHealth: false
          - {Action: CREATE, ResourceRecordSet: {Name: uncertified.example.com, Type: A, AliasTarget: *balancer}}
  - ecs.create_cluster: {clusterName: chat}
  - ecs.register_task_definition:
      family: chat
      networkMode: awsvpc
      requiresCompatibilities: [FARGATE]
      cpu: "256"
      memory: "512"
      containerDefinitions:
        - name: web
          image: nginx:1.27
          portMappings: [{containerPort: 80}]
          stopTimeout: 2
          mountPoints:
            - {sourceVolume: conf, containerPath: /etc/nginx/conf.d, readOnly: true}
            - {sourceVolume: www, containerPath: /www, readOnly: true}
        - name: app
          image: aws-container-sandbox/flask-socketio
          stopTimeout: 2
          environment: [{name: ASYNC_MODE, value: gevent}]
          mountPoints: [{sourceVolume: app, containerPath: /app, readOnly: true}]
      volumes:
        - {name: app, efsVolumeConfiguration: {fileSystemId: fs-0123456789abcdef0, rootDirectory: /app}}
        - {name: conf, efsVolumeConfiguration: {fileSystemId: fs-0123456789abcdef0, rootDirectory: /conf.d}}
        - {name: www, efsVolumeConfiguration: {fileSystemId: fs-0123456789abcdef0, rootDirectory: /www}}
  - ecs.create_service:
      cluster: chat
      serviceName: chat
      taskDefinition: chat
      desiredCount: 1
      launchType: FARGATE
      healthCheckGracePeriodSeconds: 60
      loadBalancers: [{targetGroupArn: "${group.TargetGroups.0.TargetGroupArn}", containerName: web, containerPort: 80}]
      networkConfiguration:
        awsvpcConfiguration: {subnets: "${sandbox.subnets}", securityGroups: ["${sandbox.security_group}"]}
ready:
  - {url: "https://chat.example.com/health", within: 120}
"""
NGINX = """\
map $http_upgrade $connection_upgrade { "" ""; default upgrade; }
server {
  listen 80;
  root /www;
  etag on;
  add_header Cache-Control "public, max-age=600";
  location ~ ^/(socket.io/|health) {
    proxy_pass http://127.0.0.1:5000;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
  }
}
"""
PAGE = """<!doctype html><title>chat</title>
<script src="/own.js"></script>
<script src="https://cdn.example.com/absolute.js"></script>
<script src="//cdn.example.com/like-the-page.js"></script>
<script src="https://ads.example.net/of-others.js"></script>
<a href="http://chat.example.com/about.html">about</a>
"""
PLAIN = '<!doctype html><script src="http://cdn.example.com/absolute.js"></script>'
UNCERTIFIED = '<!doctype html><script src="//uncertified.example.com/own.js"></script>'
CHECKS = """
[[check]]
name = "kept"
kind = "cache"
url = "https://chat.example.com/"
hit_ratio = 0.5

[[check]]
name = "kept-by-http"
kind = "cache"
url = "http://chat.example.com/"

[[check]]
name = "kept-uncertified"
kind = "cache"
url = "https://uncertified.example.com/"

[[check]]
name = "socket"
kind = "websocket"
url = "https://chat.example.com/"
idle = 0

[[check]]
name = "socket-uncertified"
kind = "websocket"
url = "https://uncertified.example.com/"
idle = 0

[[check]]
name = "kept-at-the-cdn"
kind = "cache"
url = "https://cdn.example.com/"

[[check]]
name = "files"
kind = "assets"
url = "https://chat.example.com/"

[[check]]
name = "files-of-the-cdn"
kind = "assets"
url = "https://cdn.example.com/"

[[check]]
name = "files-by-http"
kind = "assets"
url = "http://chat.example.com/"

[[check]]
name = "files-during"
kind = "assets"
url = "https://chat.example.com/"
during = "true"
rate = 5
settle = 0.5

[[check]]
name = "files-of-others"
kind = "assets"
url = "https://chat.example.com/"
asset_hosts = ["ads.example.net"]

[[check]]
name = "files-by-plain-http"
kind = "assets"
url = "https://chat.example.com/plain.html"

[[check]]
name = "files-uncertified"
kind = "assets"
url = "https://chat.example.com/uncertified.html"

[[check]]
name = "page-uncertified"
kind = "assets"
url = "https://uncertified.example.com/"
"""
OUTCOMES = {
    "up": "holds",
    "kept": "holds",
    "kept-by-http": "fails",
    "kept-uncertified": "fails",
    "socket": "holds",
    "socket-uncertified": "fails",
    "kept-at-the-cdn": "holds",
    "files": "holds",
    "files-of-the-cdn": "holds",
    "files-by-http": "holds",
    "files-during": "holds",
    "files-of-others": "fails",
    "files-by-plain-http": "fails",
    "files-uncertified": "fails",
    "page-uncertified": "fails",
}


@pytest.fixture
def folder(cli):
    made = cli.folder / "chat"
    shutil.copytree(share() / "compose" / "socketio" / "app", made / "app")
    files = {
        "stack.yaml": STACK,
        "sandbox.toml": CHECKS,
        "conf.d/default.conf": NGINX,
        "www/index.html": PAGE,
        "www/about.html": "<!doctype html>about",
        "www/plain.html": PLAIN,
        "www/uncertified.html": UNCERTIFIED,
        **{f"www/{name}.js": "var a = 1;" for name in ("own", "absolute", "like-the-page")},
    }
    for name, text in files.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    return made


@pytest.mark.docker
@pytest.mark.long(25)
def test_checks_ask_with_https_and_look_at_the_certificate(cli, folder):
    code, out, err = cli.run("test", folder, "--speed", "10", "--json", folder / "r.json", within=240)
    assert code == 1, out + err
    results = json.loads((folder / "r.json").read_text())["results"]
    assert {one["variant"]: one["outcome"] for one in results} == OUTCOMES, results
    evidence = {one["variant"]: "\n".join(one["evidence"]) for one in results}
    assert ": 3 URLs, hit ratio" in evidence["kept"]  # a link with http: to the site is one to it
    assert "error redirect-loop" in evidence["kept-by-http"]
    assert "ask it with https:" in evidence["kept-by-http"]
    assert "Hostname mismatch" in evidence["kept-uncertified"]
    assert "its listener wants a certificate for uncertified.example.com" in evidence["kept-uncertified"]
    assert "every kind of client gets through" in evidence["socket"]
    assert "error certificate" in evidence["socket-uncertified"]
    left_out = "not asked, as nothing of the stack has these names: ads.example.net"
    for name in ("files", "files-by-http", "files-of-the-cdn"):
        assert "3 page loads, 4 files" in evidence[name]
        assert left_out in evidence[name]
    assert "page loads broken; exit code 0" in evidence["files-during"]
    assert "error no-answer" in evidence["files-of-others"]
    assert left_out not in evidence["files-of-others"]
    assert "error mixed-content" in evidence["files-by-plain-http"]
    assert "Hostname mismatch" in evidence["files-uncertified"]
    assert "https://uncertified.example.com/ cannot be reached" in evidence["page-uncertified"]
    assert "its listener wants a certificate for this name" in evidence["page-uncertified"]
    assert cli.in_engine() == []


@pytest.mark.docker
@pytest.mark.long(25)
def test_a_stack_that_is_up_is_checked_with_https_by_its_name(cli, folder):
    up = cli.start("up", folder, "--speed", "10")
    up.wait_for("is up:", within=120)
    results = {}
    for kind, *options in (["cache"], ["assets"], ["websocket", "--idle", "0"]):
        file = folder / f"{kind}.json"
        code, out, err = cli.run("check", kind, "chat", *options, "--json", file, within=60)
        assert file.exists(), out + err
        results[kind] = json.loads(file.read_text())
        assert code == 0, results[kind]
        assert not [one for one in results[kind]["findings"] if one["severity"] == "error"]
    up.interrupt()
    assert up.end() == 130
    paths = {urlsplit(one["url"]).path for one in results["cache"]["resources"]}
    assert paths == {"/health", "/", "/own.js", "/absolute.js", "/like-the-page.js", "/about.html"}
    assert results["assets"]["url"] == "https://chat.example.com/"
    assert {one["status"] for one in results["assets"]["files"]} == {200}
    (url,) = results["websocket"]["urls"]
    assert (url["origin"], url["certificate"]) == ("https://chat.example.com", None)
