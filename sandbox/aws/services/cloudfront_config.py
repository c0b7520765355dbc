"""A DistributionConfig as CloudFront shows it: with everything in it that the caller left out.

The defaults are those that AWS's own examples show (Amazon CloudFront Developer Guide, "Use CreateDistribution with an
AWS SDK or CLI") and that users saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.aws.protocol import AwsError
from sandbox.model.cloudfront.config import ERROR_CACHING_MIN_TTL
from sandbox.model.cloudfront.policies import items, ttl

Config = Mapping[str, Any]

NONE: Config = {"Quantity": 0}
_NOBODY: Config = {"Enabled": False, "Quantity": 0}
_READ: Config = {"Quantity": 2, "Items": ["HEAD", "GET"]}

_DISTRIBUTION: Config = {
    "Aliases": NONE,
    "DefaultRootObject": "",
    "OriginGroups": NONE,
    "PriceClass": "PriceClass_All",
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": True,
    "ContinuousDeploymentPolicyId": "",
    "Staging": False,
}
_LOGGING: Config = {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""}
_ORIGIN: Config = {
    "OriginPath": "",
    "CustomHeaders": NONE,
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "OriginShield": {"Enabled": False},
    "OriginAccessControlId": "",
}
_CUSTOM_ORIGIN: Config = {
    # Seen of a custom origin (ansible #19727) and of a VPC origin (cdk-real-drift #1734).
    "OriginSslProtocols": {"Quantity": 2, "Items": ["SSLv3", "TLSv1"]},
    "OriginReadTimeout": 30,
    "OriginKeepaliveTimeout": 5,
}
_BEHAVIOR: Config = {
    "TrustedSigners": _NOBODY,
    "TrustedKeyGroups": _NOBODY,
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": NONE,
    "FunctionAssociations": NONE,
    "FieldLevelEncryptionId": "",
    "GrpcConfig": {"Enabled": False},
}
_OF_FORWARDED_VALUES = ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL")
_IDS = ("CachePolicyId", "OriginRequestPolicyId", "ResponseHeadersPolicyId", "RealtimeLogConfigArn")

# "Required API fields for creating and updating distributions"
_REQUIRED_FOR_UPDATE = (
    "Aliases",
    "DefaultRootObject",
    "CacheBehaviors",
    "CustomErrorResponses",
    "Logging",
    "PriceClass",
    "ViewerCertificate",
    "Restrictions",
    "WebACLId",
    "HttpVersion",
)
_REQUIRED_OF_A_BEHAVIOR = (
    "AllowedMethods",
    "SmoothStreaming",
    "Compress",
    "LambdaFunctionAssociations",
    "FieldLevelEncryptionId",
)


def completed(given: Config) -> Config:
    """The configuration with its defaults; ``given`` is one that the model takes."""
    config: Config = without_empty_lists(given)
    return {
        **_DISTRIBUTION,
        **config,
        "Origins": _each(config["Origins"], _origin),
        "DefaultCacheBehavior": _behavior(config["DefaultCacheBehavior"]),
        "CacheBehaviors": _each(config.get("CacheBehaviors"), _behavior),
        "CustomErrorResponses": _each(config.get("CustomErrorResponses"), _error_response),
        "Logging": {**_LOGGING, **config.get("Logging", {})},
        "ViewerCertificate": _certificate(config.get("ViewerCertificate", {})),
    }


def refuse_incomplete(config: Config) -> None:
    """Refuse an update, one that the model takes, which leaves out what CloudFront does not fill in again.

    Raises:
        AwsError: IllegalUpdate. The words for WebACLId, HttpVersion, DefaultRootObject, CustomHeaders and
            OriginReadTimeout have been seen; the others are made like them.
    """
    behaviors = [config["DefaultCacheBehavior"], *items(config.get("CacheBehaviors"))]
    missing = [name for name in _REQUIRED_FOR_UPDATE if name not in config]
    missing += [name for one in behaviors for name in _REQUIRED_OF_A_BEHAVIOR if name not in one]
    if missing:
        name = "Default root object" if missing[0] == "DefaultRootObject" else missing[0]
        raise _illegal_update(f"{name} is missing for the resource")
    for origin in items(config["Origins"]):
        if "CustomHeaders" not in origin:
            raise _illegal_update("The 'OriginCustomHeaders' field is missing.")
        if "CustomOriginConfig" in origin and "OriginReadTimeout" not in origin["CustomOriginConfig"]:
            raise _illegal_update("OriginReadTimeout is required for updates.")


def refuse_uncertified(config: Config) -> None:
    """Refuse alternate domain names without a certificate; what a certificate is for is not looked at.

    Raises:
        AwsError: InvalidViewerCertificate.
    """
    if items(config["Aliases"]) and config["ViewerCertificate"]["CloudFrontDefaultCertificate"]:
        raise AwsError(
            "InvalidViewerCertificate",
            "To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted "
            "certificate that validates your authorization to use the domain name. For more details, see: "
            "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html"
            "#alternate-domain-names-requirements",
        )


def listed(found: list[Any]) -> Config:
    """One of the API's lists; without items it has no Items."""
    return {"Quantity": len(found), "Items": found} if found else NONE


def without_empty_lists(value: Any) -> Any:
    """The same, without Items that have none: CloudFront takes them and does not show them."""
    if isinstance(value, Mapping):
        return {name: without_empty_lists(one) for name, one in value.items() if one != []}
    if isinstance(value, list):
        return [without_empty_lists(one) for one in value]
    return value


def _illegal_update(message: str) -> AwsError:
    return AwsError("IllegalUpdate", message)


def _each(value: Config | None, complete: Callable[[Config], Config]) -> Config:
    return listed([complete(one) for one in items(value)])


def _origin(config: Config) -> Config:
    made = {**_ORIGIN, **config}
    if "CustomOriginConfig" in config:
        made["CustomOriginConfig"] = {**_CUSTOM_ORIGIN, **config["CustomOriginConfig"]}
    return made


def _behavior(config: Config) -> Config:
    methods = {"CachedMethods": _READ, **config.get("AllowedMethods", _READ)}
    made = {**_BEHAVIOR, **config, "AllowedMethods": methods}
    functions = items(made["LambdaFunctionAssociations"])
    made["LambdaFunctionAssociations"] = listed([{"IncludeBody": False, **one} for one in functions])
    unset = [name for name in _IDS if not made.get(name)]
    if made.get("CachePolicyId"):
        unset += _OF_FORWARDED_VALUES  # Terraform sends zeros beside a policy; CloudFront does not show them
    else:
        times = ttl(made["MinTTL"], made.get("DefaultTTL"), made.get("MaxTTL"))
        made |= {"MinTTL": times.min, "DefaultTTL": times.default, "MaxTTL": times.max}
        made["ForwardedValues"] = {"Headers": NONE, "QueryStringCacheKeys": NONE, **made["ForwardedValues"]}
    return {name: value for name, value in made.items() if name not in unset}


def _error_response(config: Config) -> Config:
    return {"ResponsePagePath": "", "ResponseCode": "", "ErrorCachingMinTTL": ERROR_CACHING_MIN_TTL, **config}


def _certificate(config: Config) -> Config:
    for source, member in (("acm", "ACMCertificateArn"), ("iam", "IAMCertificateId")):
        # Certificate and CertificateSource are the old way to say it, and still shown.
        own = config.get(member) or (config.get("Certificate") if config.get("CertificateSource") == source else None)
        if own:
            return {
                "MinimumProtocolVersion": "TLSv1",
                **config,
                "CloudFrontDefaultCertificate": False,
                member: own,
                "Certificate": own,
                "CertificateSource": source,
            }
    return {
        "CloudFrontDefaultCertificate": True,
        "SSLSupportMethod": "vip",
        "MinimumProtocolVersion": "TLSv1",
        "CertificateSource": "cloudfront",
    }
