# A shop's load balancer. The provider waits half a minute until it looks at one that it made or changed.

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
