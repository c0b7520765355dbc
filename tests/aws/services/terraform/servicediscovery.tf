# A shop's namespaces, service and security groups.

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
