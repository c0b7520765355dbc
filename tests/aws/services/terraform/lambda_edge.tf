# A function at the edge.

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
  filename      = "${path.module}/app.zip"
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
