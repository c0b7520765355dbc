"""A stack for the live view: nginx on Fargate Spot behind a load balancer, and a record that a function writes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import SmallStack, make_small_stack

CALLS = """\
  - elbv2.create_load_balancer:
      Name: front
      Subnets: ${sandbox.subnets}
      SecurityGroups: ["${sandbox.security_group}"]
    as: balancer
  - elbv2.create_target_group:
      Name: web
      Protocol: HTTP
      Port: 80
      VpcId: ${sandbox.vpc}
      TargetType: ip
      HealthCheckIntervalSeconds: 5
      HealthCheckTimeoutSeconds: 2
      HealthyThresholdCount: 2
      UnhealthyThresholdCount: 2
    as: group
  - elbv2.modify_target_group_attributes:
      TargetGroupArn: ${group.TargetGroups.0.TargetGroupArn}
      Attributes: [{Key: deregistration_delay.timeout_seconds, Value: "10"}]
  - elbv2.create_listener:
      LoadBalancerArn: ${balancer.LoadBalancers.0.LoadBalancerArn}
      Protocol: HTTP
      Port: 80
      DefaultActions: [{Type: forward, TargetGroupArn: "${group.TargetGroups.0.TargetGroupArn}"}]
  - route53.change_resource_record_sets:
      HostedZoneId: ${zone.HostedZone.Id}
      ChangeBatch:
        Changes:
          - Action: CREATE
            ResourceRecordSet:
              Name: www.example.org
              Type: A
              AliasTarget:
                DNSName: ${balancer.LoadBalancers.0.DNSName}
                HostedZoneId: ${balancer.LoadBalancers.0.CanonicalHostedZoneId}
                EvaluateTargetHealth: false
"""
TARGETS = """\
      loadBalancers:
        - {targetGroupArn: "${group.TargetGroups.0.TargetGroupArn}", containerName: nginx, containerPort: 80}
      healthCheckGracePeriodSeconds: 300
"""


def make_live_stack(folder: Path) -> SmallStack:
    """Make it in ``folder``."""
    made = make_small_stack(folder)
    file = folder / "stack.yaml"
    text = file.read_text().replace("images: [toolbox, nginx]", "images: [toolbox, nginx, haproxy]")
    text = text.replace("  - ecs.create_cluster:", CALLS + "  - ecs.create_cluster:")
    text = text.replace(
        "      launchType: FARGATE\n",
        "      capacityProviderStrategy: [{capacityProvider: FARGATE_SPOT, weight: 1}]\n" + TARGETS,
    )
    file.write_text(text)
    definition = json.loads((folder / "taskdef.json").read_text())
    definition["containerDefinitions"][0] |= {"portMappings": [{"containerPort": 80}], "stopTimeout": 2}
    (folder / "taskdef.json").write_text(json.dumps(definition))
    return made
