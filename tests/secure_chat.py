"""A stack that is there by HTTPS alone: its load balancer redirects plain HTTP, and a CDN has its files, too."""

from __future__ import annotations

import shutil
from pathlib import Path

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


def make(folder: Path) -> Path:
    """Make it in a folder, whose name is then the stack's."""
    shutil.copytree(share() / "compose" / "socketio" / "app", folder / "app")
    files = {
        "stack.yaml": STACK,
        "conf.d/default.conf": NGINX,
        "www/index.html": PAGE,
        "www/about.html": "<!doctype html>about",
        "www/plain.html": PLAIN,
        "www/uncertified.html": UNCERTIFIED,
        **{f"www/{name}.js": "var a = 1;" for name in ("own", "absolute", "like-the-page")},
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder
