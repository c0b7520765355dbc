"""A function at the edge, made, changed and removed by Terraform's own provider, which finds nothing that differs."""

from __future__ import annotations

import pytest

from tests.aws.services.test_cloudfront_functions import account  # noqa: F401

EDGE = """
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

variable "timeout" { default = 5 }

resource "aws_iam_role" "edge" {
  name = "edge"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = ["lambda.amazonaws.com", "edgelambda.amazonaws.com"] }
    }]
  })
}

resource "aws_lambda_function" "headers" {
  function_name = "headers"
  role          = aws_iam_role.edge.arn
  runtime       = "python3.12"
  handler       = "app.handler"
  filename      = "app.zip"
  timeout       = var.timeout
  publish       = true
}

resource "aws_cloudfront_distribution" "site" {
  enabled             = false
  wait_for_deployment = false
  origin {
    origin_id   = "site"
    domain_name = "site.example.org"
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "http-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }
  default_cache_behavior {
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    target_origin_id       = "site"
    viewer_protocol_policy = "allow-all"
    forwarded_values {
      query_string = true
      cookies { forward = "none" }
    }
    lambda_function_association {
      event_type   = "viewer-response"
      lambda_arn   = aws_lambda_function.headers.qualified_arn
      include_body = false
    }
  }
  restrictions {
    geo_restriction { restriction_type = "none" }
  }
  viewer_certificate { cloudfront_default_certificate = true }
}
"""


@pytest.fixture
def terraform(account, make_terraform):  # noqa: F811
    made = make_terraform(EDGE, account.aws)
    made.folder.joinpath("app.zip").write_bytes(account.package)
    return made


def test_terraform_publishes_associates_updates_and_destroys(terraform, account):  # noqa: F811
    code, said = terraform("init")
    assert code == 0, said
    code, said = terraform("apply", "-auto-approve")
    assert code == 0, said
    assert account.functions.list_versions_by_function(FunctionName="headers")["Versions"][-1]["Version"] == "1"
    code, said = terraform("plan", "-detailed-exitcode")
    assert code == 0, said
    code, said = terraform("apply", "-auto-approve", "-var", "timeout=4")
    assert code == 0, said
    (distribution,) = account.cloudfront.list_distributions()["DistributionList"]["Items"]
    (association,) = distribution["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"]
    assert association["LambdaFunctionARN"].endswith(":function:headers:2")
    code, said = terraform("plan", "-detailed-exitcode", "-var", "timeout=4")
    assert code == 0, said
    code, said = terraform("destroy", "-auto-approve")
    assert code == 0, said
    assert account.functions.list_functions()["Functions"] == []
