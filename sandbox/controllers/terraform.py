"""What makes Terraform's AWS provider use the sandbox: a file beside a configuration that knows nothing of it.

"Override Files" (Terraform); "Custom Service Endpoint Configuration" (AWS provider): an argument of ``endpoints`` for
each service. The provider takes a name that it does not know for a mistake, so these are services that the provider has
had since its version 5.0.
"""

from __future__ import annotations

from sandbox.aws.clients import ACCESS_KEY, SECRET_KEY

OVERRIDE_FILE = "sandbox_override.tf"

_SERVICES = (
    *("acm", "acmpca", "apigateway", "appautoscaling", "appmesh", "appsync", "athena", "autoscaling", "backup"),
    *("batch", "budgets", "cloudformation", "cloudfront", "cloudtrail", "cloudwatch", "codebuild", "codecommit"),
    *("codedeploy", "codepipeline", "cognitoidentity", "cognitoidp", "configservice", "datasync", "dax", "dms", "ds"),
    *("dynamodb", "ec2", "ecr", "ecs", "efs", "eks", "elasticache", "elasticbeanstalk", "elb", "elbv2", "emr"),
    *("emrcontainers", "events", "firehose", "fsx", "glacier", "glue", "guardduty", "iam", "inspector2", "iot"),
    *("kafka", "kinesis", "kinesisvideo", "kms", "lakeformation", "lambda", "logs", "macie2", "mediaconnect"),
    *("medialive", "mediapackage", "mediastore", "memorydb", "mq", "networkmanager", "opensearchserverless"),
    *("organizations", "pinpoint", "pipes", "quicksight", "ram", "rds", "redshift", "resourcegroups"),
    *("resourcegroupstaggingapi", "route53", "route53domains", "route53resolver", "s3", "s3control", "sagemaker"),
    *("scheduler", "secretsmanager", "securityhub", "servicecatalog", "servicediscovery", "servicequotas", "ses"),
    *("sesv2", "sfn", "shield", "signer", "simpledb", "sns", "sqs", "ssm", "ssoadmin", "sts", "swf", "synthetics"),
    *("timestreamwrite", "transcribe", "transfer", "wafv2", "workspaces", "xray"),
)


def override(endpoint_url: str, region: str) -> str:
    """The override file, for the configuration's ``provider "aws"`` without an alias.

    Args:
        endpoint_url: The AWS endpoint.
        region: What the provider's region is.
    """
    head = "# Written by `sandbox env --terraform`: Terraform merges it into the configuration beside it.\n"
    return head + provider(endpoint_url, region)


def provider(endpoint_url: str, region: str, alias: str = "") -> str:
    """A block ``provider "aws"`` that leads to the sandbox, and to nobody else.

    What a configuration says of profiles and accounts is taken back: they are those of another account.

    Args:
        endpoint_url: The AWS endpoint.
        region: What the provider's region is.
        alias: Of the configuration that it is to be merged into; "": the one without.
    """
    width = max(map(len, _SERVICES))
    endpoints = "\n".join(f'    {name.ljust(width)} = "{endpoint_url}"' for name in _SERVICES)
    named = f'  alias                       = "{alias}"\n' if alias else ""
    return f"""\
provider "aws" {{
{named}  region                      = "{region}"
  access_key                  = "{ACCESS_KEY}"
  secret_key                  = "{SECRET_KEY}"
  profile                     = null
  shared_config_files         = null
  shared_credentials_files    = null
  allowed_account_ids         = null
  forbidden_account_ids       = null
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  s3_use_path_style           = true
  endpoints {{
{endpoints}
  }}
}}
"""
