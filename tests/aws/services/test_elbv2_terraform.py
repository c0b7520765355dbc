"""A shop's load balancer, made, changed and removed by Terraform's own provider, which finds nothing that differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.elbv2 import ElbService
from sandbox.clock import RealClock
from sandbox.model.elb.config import Condition, FixedResponse, Forward, Redirect, Target
from tests.aws.services.balancing_recorder import Recorder

if TYPE_CHECKING:
    from tests.aws.services.conftest import Terraform

# Most of the test's time the provider waits: half a minute until it looks at a load balancer that it made or changed.
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

variable "idle_timeout" { default = 120 }
variable "weight" { default = 10 }
variable "path" { default = "/api/*" }
variable "priority" { default = 20 }
variable "interval" { default = 10 }

resource "aws_vpc" "shop" { cidr_block = "10.30.0.0/16" }

resource "aws_internet_gateway" "shop" { vpc_id = aws_vpc.shop.id }

resource "aws_subnet" "shop" {
  count             = 2
  vpc_id            = aws_vpc.shop.id
  cidr_block        = "10.30.${count.index}.0/24"
  availability_zone = ["us-east-1a", "us-east-1b"][count.index]
}

resource "aws_security_group" "shop" {
  name   = "shop"
  vpc_id = aws_vpc.shop.id
}

resource "aws_acm_certificate" "shop" {
  count             = 2
  domain_name       = "shop${count.index}.example.org"
  validation_method = "DNS"
}

resource "aws_lb" "shop" {
  name                       = "shop"
  load_balancer_type         = "application"
  subnets                    = aws_subnet.shop[*].id
  security_groups            = [aws_security_group.shop.id]
  idle_timeout               = var.idle_timeout
  drop_invalid_header_fields = true
  tags                       = { team = "shop" }
  depends_on                 = [aws_internet_gateway.shop]
}

resource "aws_lb_target_group" "shop" {
  count                = 2
  name                 = "shop-${count.index}"
  port                 = 8080
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.shop.id
  deregistration_delay = 30
  health_check {
    path     = "/health"
    matcher  = "200-299"
    interval = var.interval
    timeout  = 3
  }
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 600
  }
}

resource "aws_lb_target_group_attachment" "shop" {
  target_group_arn = aws_lb_target_group.shop[0].arn
  target_id        = "10.30.1.17"
  port             = 8081
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.shop[0].arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.shop[0].arn
  }
  tags = { team = "shop" }
}

resource "aws_lb_listener_certificate" "more" {
  listener_arn    = aws_lb_listener.https.arn
  certificate_arn = aws_acm_certificate.shop[1].arn
}

resource "aws_lb_listener_rule" "api" {
  listener_arn = aws_lb_listener.https.arn
  priority     = var.priority
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.shop[0].arn
        weight = var.weight
      }
      target_group {
        arn    = aws_lb_target_group.shop[1].arn
        weight = 90
      }
      stickiness {
        enabled  = true
        duration = 300
      }
    }
  }
  condition {
    path_pattern { values = [var.path] }
  }
  condition {
    host_header { values = ["shop.example.org"] }
  }
}

resource "aws_lb_listener_rule" "closed" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "closed"
      status_code  = "403"
    }
  }
  condition {
    http_header {
      http_header_name = "X-Internal"
      values           = ["*"]
    }
  }
  condition {
    http_request_method { values = ["POST"] }
  }
  condition {
    query_string {
      key   = "debug"
      value = "1"
    }
  }
  condition {
    source_ip { values = ["192.0.2.0/24"] }
  }
  tags = { team = "shop" }
}
"""


@pytest.fixture
def balancing() -> Recorder:
    return Recorder()


@pytest.fixture
def terraform(balancing: Recorder, make_terraform: Callable[[str, Clients], Terraform]) -> Iterator[Terraform]:
    clock, backend = RealClock(), Embedded()
    with Gateway([ElbService(balancing, clock, backend)], backend) as gateway:
        yield make_terraform(SHOP, Clients(gateway.url))
    backend.reset()
    clock.close()


@pytest.mark.long(120)
def test_terraform_applies_plans_nothing_more_updates_and_destroys(terraform: Terraform, balancing: Recorder) -> None:
    code, output = terraform("init")
    assert code == 0, output
    code, output = terraform("apply", "-auto-approve")
    assert code == 0, output
    (arn,) = balancing.balancers
    shop = balancing.balancers[arn]
    assert (shop.name, shop.attributes.idle_timeout, shop.attributes.drop_invalid_header_fields) == ("shop", 120, True)
    http, https = shop.listeners
    assert http.rules[-1].action == Redirect(301, protocol="HTTPS", port="443")
    assert len(https.certificates) == 2
    closed, api, default = https.rules
    assert closed.action == FixedResponse(403, "text/plain", "closed")
    assert {condition.field for condition in closed.conditions} == {
        "http-header",
        "http-request-method",
        "query-string",
        "source-ip",
    }
    first, second = sorted(balancing.groups.values(), key=lambda group: group.name)
    assert default.action == Forward(((first.arn, 1),))
    assert isinstance(api.action, Forward)
    assert set(api.action.groups) == {(first.arn, 10), (second.arn, 90)}
    assert api.action.stickiness == 300
    assert (first.deregistration_delay, first.stickiness.duration, first.health_check.path) == (30, 600, "/health")
    assert list(balancing.targets[first.arn]) == [Target("10.30.1.17", 8081)]

    nothing_to_do = 0  # with -detailed-exitcode; 2 for a difference
    code, output = terraform("plan", "-detailed-exitcode")
    assert code == nothing_to_do, output

    values = {"idle_timeout": "30", "weight": "20", "path": "/v2/*", "priority": "5", "interval": "15"}
    changes = [part for name, value in values.items() for part in ("-var", f"{name}={value}")]
    code, output = terraform("apply", "-auto-approve", *changes)
    assert code == 0, output
    shop = balancing.balancers[arn]
    assert shop.attributes.idle_timeout == 30
    assert shop.listeners[1].rules[0].arn == api.arn
    assert Condition("path-pattern", ("/v2/*",)) in shop.listeners[1].rules[0].conditions
    assert shop.groups[first.arn].health_check.interval == 15
    code, output = terraform("plan", "-detailed-exitcode", *changes)
    assert code == nothing_to_do, output

    code, output = terraform("destroy", "-auto-approve", *changes)
    assert code == 0, output
    assert balancing.balancers == balancing.groups == {}
