"""CloudFormation: a template, read and evaluated to the AWS API calls that make its stack."""
