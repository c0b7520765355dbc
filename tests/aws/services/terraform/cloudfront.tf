# A shop's distribution with policies of its own. The provider waits half a minute for a deployment before it looks for
# the first time, hence wait_for_deployment.

variable "enabled" { default = true }
variable "default_ttl" { default = 60 }

data "aws_cloudfront_cache_policy" "optimized" { name = "Managed-CachingOptimized" }
data "aws_cloudfront_origin_request_policy" "all" { name = "Managed-AllViewer" }
data "aws_cloudfront_response_headers_policy" "security" { name = "Managed-SecurityHeadersPolicy" }

resource "aws_cloudfront_cache_policy" "pages" {
  name        = "pages"
  min_ttl     = 0
  default_ttl = var.default_ttl
  max_ttl     = 3600
  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_gzip = true
    cookies_config { cookie_behavior = "none" }
    headers_config {
      header_behavior = "whitelist"
      headers { items = ["Accept-Language"] }
    }
    query_strings_config { query_string_behavior = "all" }
  }
}

resource "aws_cloudfront_origin_request_policy" "pages" {
  name = "pages"
  cookies_config {
    cookie_behavior = "whitelist"
    cookies { items = ["session"] }
  }
  headers_config { header_behavior = "none" }
  query_strings_config { query_string_behavior = "none" }
}

resource "aws_cloudfront_response_headers_policy" "pages" {
  name = "pages"
  cors_config {
    access_control_allow_credentials = false
    access_control_allow_headers { items = ["*"] }
    access_control_allow_methods { items = ["GET", "HEAD"] }
    access_control_allow_origins { items = ["shop.example.org"] }
    origin_override = true
  }
  security_headers_config {
    content_type_options { override = true }
    strict_transport_security {
      access_control_max_age_sec = 300
      override                   = true
    }
  }
  remove_headers_config {
    items { header = "Server" }
  }
}

resource "aws_cloudfront_distribution" "shop" {
  enabled             = var.enabled
  wait_for_deployment = false
  aliases             = ["shop.example.org"]
  default_root_object = "index.html"
  origin {
    origin_id   = "site"
    domain_name = "site.example.org"
    custom_header {
      name  = "X-From"
      value = "cdn"
    }
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "http-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }
  origin {
    origin_id   = "bucket"
    domain_name = "bucket.s3.amazonaws.com"
  }
  origin_group {
    origin_id = "both"
    failover_criteria { status_codes = [500, 503] }
    member { origin_id = "site" }
    member { origin_id = "bucket" }
  }
  default_cache_behavior {
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = aws_cloudfront_cache_policy.pages.id
    origin_request_policy_id   = aws_cloudfront_origin_request_policy.pages.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.pages.id
    target_origin_id           = "both"
    viewer_protocol_policy     = "redirect-to-https"
  }
  ordered_cache_behavior {
    path_pattern               = "/assets/*"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = data.aws_cloudfront_cache_policy.optimized.id
    origin_request_policy_id   = data.aws_cloudfront_origin_request_policy.all.id
    response_headers_policy_id = data.aws_cloudfront_response_headers_policy.security.id
    target_origin_id           = "site"
    viewer_protocol_policy     = "allow-all"
  }
  ordered_cache_behavior {
    path_pattern           = "/old/*"
    allowed_methods        = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    cached_methods         = ["GET", "HEAD"]
    target_origin_id       = "site"
    viewer_protocol_policy = "allow-all"
    min_ttl                = 0
    default_ttl            = 10
    max_ttl                = 100
    forwarded_values {
      query_string = true
      headers      = ["Host"]
      cookies {
        forward           = "whitelist"
        whitelisted_names = ["session"]
      }
    }
  }
  custom_error_response {
    error_code            = 404
    error_caching_min_ttl = 5
    response_code         = 200
    response_page_path    = "/missing.html"
  }
  restrictions {
    geo_restriction { restriction_type = "none" }
  }
  viewer_certificate {
    acm_certificate_arn      = "arn:aws:acm:us-east-1:123456789012:certificate/0f0f0f0f"
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }
  tags = { team = "shop" }
}
