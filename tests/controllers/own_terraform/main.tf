# A service behind a load balancer, as its owner has it: for another account and region, with its state in S3.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
  backend "s3" {
    bucket = "states"
    key    = "shop"
    region = "eu-west-1"
  }
}

provider "aws" {
  region              = "eu-west-1"
  profile             = "production"
  allowed_account_ids = ["999999999999"]
}

provider "aws" {
  alias   = "edge"
  region  = "us-east-1"
  profile = "production"
}

variable "vpc_cidr" {}

variable "page" {}

data "aws_availability_zones" "here" {}

resource "aws_sns_topic" "edge" {
  provider = aws.edge
  name     = "edge"
}

resource "aws_vpc" "main" {
  cidr_block = var.vpc_cidr
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "public" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, count.index)
  availability_zone = data.aws_availability_zones.here.names[count.index]
}

resource "aws_security_group" "open" {
  name   = "open"
  vpc_id = aws_vpc.main.id
  ingress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "main" {
  name            = "shop"
  subnets         = aws_subnet.public[*].id
  security_groups = [aws_security_group.open.id]
  depends_on      = [aws_internet_gateway.main]
}

resource "aws_lb_target_group" "web" {
  name        = "shop"
  port        = 80
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = aws_vpc.main.id
  health_check {
    interval          = 5
    timeout           = 2
    healthy_threshold = 2
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_ecs_cluster" "main" {
  name = "shop"
}

resource "aws_iam_role" "execution" {
  name = "execution"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
  inline_policy {
    name = "secrets"
    policy = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = "ssm:GetParameters", Resource = "*" }]
    })
  }
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions = jsonencode([{
    name         = "web"
    image        = "999999999999.dkr.ecr.eu-west-1.amazonaws.com/shop:42"
    portMappings = [{ containerPort = 80 }]
    secrets      = [{ name = "GREETING", valueFrom = "/shop/greeting" }]
    entryPoint   = ["sh", "-c"]
    command = [join("", [
      "echo \"server { listen 80; location / { return 200 '$GREETING, ${trimspace(file("${path.module}/../page.txt"))}, ",
      "${var.page}'; } }\" > /etc/nginx/conf.d/default.conf; exec nginx -g 'daemon off;'",
    ])]
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 1
  launch_type     = "FARGATE"
  network_configuration {
    subnets          = aws_subnet.public[*].id
    security_groups  = [aws_security_group.open.id]
    assign_public_ip = true
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
    container_name   = "web"
    container_port   = 80
  }
  depends_on = [aws_lb_listener.http]
}

output "site" {
  value = aws_lb.main.dns_name
}

output "key" {
  value     = "hidden"
  sensitive = true
}
