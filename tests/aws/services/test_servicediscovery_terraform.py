"""A shop's namespace, service and security groups, made, changed and removed by Terraform's own provider."""

from __future__ import annotations

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.clock import RealClock
from sandbox.controllers.control_plane import ControlPlane
from sandbox.timeline import Timeline

SHOP = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variable "ttl" { default = 10 }
variable "port" { default = 80 }

resource "aws_vpc" "main" { cidr_block = "10.50.0.0/16" }

resource "aws_service_discovery_private_dns_namespace" "shop" {
  name        = "shop.local"
  description = "the shop"
  vpc         = aws_vpc.main.id
}

resource "aws_service_discovery_http_namespace" "api" { name = "api" }

resource "aws_service_discovery_public_dns_namespace" "www" { name = "example.org" }

resource "aws_service_discovery_service" "web" {
  name = "web"
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.shop.id
    routing_policy = "MULTIVALUE"
    dns_records {
      ttl  = var.ttl
      type = "SRV"
    }
  }
  health_check_custom_config { failure_threshold = 1 }
  tags = { team = "shop" }
}

resource "aws_service_discovery_service" "checked" {
  name = "checked"
  dns_config {
    namespace_id   = aws_service_discovery_public_dns_namespace.www.id
    routing_policy = "WEIGHTED"
    dns_records {
      ttl  = var.ttl
      type = "A"
    }
  }
  health_check_config {
    type              = "HTTP"
    resource_path     = "/up"
    failure_threshold = var.ttl == 10 ? 2 : 3
  }
}

resource "aws_service_discovery_service" "found" {
  name         = "found"
  namespace_id = aws_service_discovery_http_namespace.api.id
  health_check_config { type = "TCP" }
}

data "aws_service_discovery_service" "web" {
  name         = aws_service_discovery_service.web.name
  namespace_id = aws_service_discovery_private_dns_namespace.shop.id
}

resource "aws_service_discovery_instance" "one" {
  instance_id = "one"
  service_id  = aws_service_discovery_service.web.id
  attributes = {
    AWS_INSTANCE_IPV4 = "10.50.0.9"
    AWS_INSTANCE_PORT = "8080"
  }
}

resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = var.port
  to_port           = var.port
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "tasks" {
  name   = "tasks"
  vpc_id = aws_vpc.main.id
  ingress {
    protocol        = "tcp"
    from_port       = var.port
    to_port         = var.port
    security_groups = [aws_security_group.web.id]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""


@pytest.fixture
def plane(tmp_path):
    """A control plane, which needs no engine."""
    (tmp_path / "sockets").mkdir()
    clock, backend = RealClock(), Embedded()
    plane = ControlPlane(backend, tmp_path, clock, Timeline(clock), None, lambda here: "")
    yield plane
    plane.close()
    backend.reset()
    clock.close()


def ports(ec2):
    """The ports that groups open, each with whom it is for."""
    groups = ec2.describe_security_groups()["SecurityGroups"]
    permissions = [one for group in groups for one in group["IpPermissions"] if "FromPort" in one]
    return sorted((one["FromPort"], "range" if one["IpRanges"] else "group") for one in permissions)


def by_name(sd):
    """Of the three services: the one with DNS names in the VPC first, then the public one."""
    return sorted(sd.list_services()["Services"], key=lambda one: ["web", "checked", "found"].index(one["Name"]))


@pytest.mark.long(40)
def test_terraform_applies_plans_nothing_more_updates_and_destroys(plane, make_terraform):
    terraform = make_terraform(SHOP, plane.aws)
    sd, ec2 = plane.aws("servicediscovery"), plane.aws("ec2")
    for command in (["init"], ["apply", "-auto-approve"]):
        code, output = terraform(*command)
        assert code == 0, output
    service, checked, _ = by_name(sd)
    assert checked["HealthCheckConfig"] == {"Type": "HTTP", "ResourcePath": "/up", "FailureThreshold": 2}
    assert (service["InstanceCount"], service["DnsConfig"]["DnsRecords"]) == (1, [{"Type": "SRV", "TTL": 10}])
    assert ports(ec2) == [(80, "group"), (80, "range")]

    nothing_to_do = 0  # with -detailed-exitcode; 2 for a difference
    code, output = terraform("plan", "-detailed-exitcode")
    assert code == nothing_to_do, output

    changes = ("-var", "ttl=20", "-var", "port=81")
    code, output = terraform("apply", "-auto-approve", *changes)
    assert code == 0, output
    service, checked, _ = by_name(sd)
    assert checked["HealthCheckConfig"]["FailureThreshold"] == 3
    assert service["DnsConfig"]["DnsRecords"] == [{"Type": "SRV", "TTL": 20}]
    assert ports(ec2) == [(81, "group"), (81, "range")]
    code, output = terraform("plan", "-detailed-exitcode", *changes)
    assert code == nothing_to_do, output

    code, output = terraform("destroy", "-auto-approve", *changes)
    assert code == 0, output
    assert sd.list_namespaces()["Namespaces"] == []
    assert plane.aws("route53").list_hosted_zones()["HostedZones"] == []
