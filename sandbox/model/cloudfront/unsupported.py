"""What of a DistributionConfig would change answers to viewers and is not carried out: found, so that it is refused.

Certificates, HTTP versions, IPv6, price classes, comments and logs change nothing that a viewer is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.model.cloudfront.errors import not_carried_out
from sandbox.model.cloudfront.policies import items

Config = Mapping[str, Any]


def _enabled(value: Any) -> bool:
    return bool(value and value.get("Enabled"))


def _listed(value: Any) -> bool:
    return bool(value and items(value))


_OF_A_BEHAVIOR: Mapping[str, Callable[[Any], bool]] = {
    "TrustedSigners": _enabled,
    "TrustedKeyGroups": _enabled,
    "SmoothStreaming": bool,
    "FunctionAssociations": _listed,
    "FieldLevelEncryptionId": bool,
    "GrpcConfig": _enabled,
}
# Carried out before the cache and behind it; a forecast does not know what a function would do.
_NOT_FORECAST: Mapping[str, Callable[[Any], bool]] = {"LambdaFunctionAssociations": _listed}
_OF_AN_ORIGIN: Mapping[str, Callable[[Any], bool]] = {
    "OriginAccessControlId": bool,
    "S3OriginConfig": lambda value: bool(value and value.get("OriginAccessIdentity")),
    "VpcOriginConfig": bool,
    "OriginShield": _enabled,
    "ResponseCompletionTimeout": bool,
}
_OF_A_DISTRIBUTION: Mapping[str, Callable[[Any], bool]] = {
    "WebACLId": bool,
    "Restrictions": lambda value: bool(value) and value["GeoRestriction"]["RestrictionType"] != "none",
    "ContinuousDeploymentPolicyId": bool,
    "Staging": bool,
    "AnycastIpListId": bool,
    "TenantConfig": bool,
    "ConnectionMode": lambda value: value == "tenant-only",
    "ViewerMtlsConfig": bool,
    "ConnectionFunctionAssociation": bool,
    "CacheTagConfig": bool,
}


def parts(config: Config) -> list[str]:
    """What a forecast leaves out, each with its place in the configuration."""
    return list(_parts(config, {**_OF_A_BEHAVIOR, **_NOT_FORECAST}))


def refuse(config: Config) -> None:
    """Refuse the first part that is not carried out.

    Raises:
        CloudFrontError: There is one.
    """
    for part in _parts(config, _OF_A_BEHAVIOR):
        raise not_carried_out(part)


def _parts(config: Config, of_a_behavior: Mapping[str, Callable[[Any], bool]]) -> Iterator[str]:
    yield from _of(config, _OF_A_DISTRIBUTION, "")
    for origin in items(config.get("Origins")):
        where = f"Origins[Id={origin['Id']}]."
        yield from _of(origin, _OF_AN_ORIGIN, where)
        if (origin.get("CustomOriginConfig") or {}).get("OriginMtlsConfig"):
            yield f"{where}CustomOriginConfig.OriginMtlsConfig"
    for group in items(config.get("OriginGroups")):
        if group.get("SelectionCriteria", "default") != "default":
            yield f"OriginGroups[Id={group['Id']}].SelectionCriteria {group['SelectionCriteria']}"
    yield from _of(config.get("DefaultCacheBehavior") or {}, of_a_behavior, "DefaultCacheBehavior.")
    for behavior in items(config.get("CacheBehaviors")):
        yield from _of(behavior, of_a_behavior, f"CacheBehaviors[PathPattern={behavior['PathPattern']}].")


def _of(config: Config, rules: Mapping[str, Callable[[Any], bool]], where: str) -> Iterator[str]:
    for name, changes_behaviour in rules.items():
        if changes_behaviour(config.get(name)):
            yield f"{where}{name}"
