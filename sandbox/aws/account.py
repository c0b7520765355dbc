"""The sandbox's account and region, as its ARNs have them."""

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
