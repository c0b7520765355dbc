"""AWS::CloudFront: distributions, and policies of what is kept and asked for.

What the API has as a quantity and items is a list in a template; `sandbox.model.cloudformation.shapes` counts it. What
is otherwise in another form is put right here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.model.cloudformation.document import Path
from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import Given, PropertyError

_PORTS = {"HTTPPort": 80, "HTTPSPort": 443}
_READ = ["GET", "HEAD"]  # what CloudFront keeps of a behaviour that does not say more


def _distribution(r: Resource) -> Made:
    path = (*r.path, "DistributionConfig")
    given = _mapping(r.need("DistributionConfig"), path)
    config = {"CallerReference": r.label, "Comment": "", **{k: Given(v, (*path, k)) for k, v in given.items()}}
    if "DefaultCacheBehavior" in given:
        where = (*path, "DefaultCacheBehavior")
        config["DefaultCacheBehavior"] = Given(_behavior(given["DefaultCacheBehavior"], where), where)
    if isinstance(given.get("CacheBehaviors"), list):
        where = (*path, "CacheBehaviors")
        behaviors = [_behavior(one, (*where, index)) for index, one in enumerate(given["CacheBehaviors"])]
        config["CacheBehaviors"] = Given(behaviors, where)
    if isinstance(given.get("Origins"), list):
        where = (*path, "Origins")
        config["Origins"] = Given([_origin(one, (*where, index)) for index, one in enumerate(given["Origins"])], where)
    if isinstance(given.get("ViewerCertificate"), dict) and "AcmCertificateArn" in given["ViewerCertificate"]:
        arn = r.around.certificate(given["ViewerCertificate"]["AcmCertificateArn"])
        where = (*path, "ViewerCertificate")
        config["ViewerCertificate"] = Given({**given["ViewerCertificate"], "AcmCertificateArn": arn}, where)
    if "Restrictions" in given:
        where = (*path, "Restrictions")
        config["Restrictions"] = Given(_restrictions(given["Restrictions"], where), where)
    answer = r.call("cloudfront.create_distribution", {"DistributionConfig": Given(config, path)})
    name = answer("Distribution.Id")
    return Made(name, {"DomainName": answer("Distribution.DomainName"), "Id": name})


def _behavior(value: Any, path: Path) -> dict[str, Any]:
    """A cache behaviour: the API has the methods that are kept within those that are allowed."""
    given = dict(_mapping(value, path))
    cached = given.pop("CachedMethods", None)
    allowed = given.get("AllowedMethods", _READ if cached else None)
    if allowed is not None:
        if not isinstance(allowed, list) or not isinstance(cached or _READ, list):
            raise PropertyError((*path, "AllowedMethods"), "AllowedMethods and CachedMethods are lists")
        kept = cached or _READ
        given["AllowedMethods"] = {
            "Quantity": len(allowed),
            "Items": allowed,
            "CachedMethods": {"Quantity": len(kept), "Items": kept},
        }
    return given


def _origin(value: Any, path: Path) -> dict[str, Any]:
    """An origin, with the ports that CloudFormation takes where none are given, and no identity where it has none.

    Its headers have other names.
    """
    given = dict(_mapping(value, path))
    if "CustomOriginConfig" in given:
        given["CustomOriginConfig"] = {
            **_PORTS,
            **_mapping(given["CustomOriginConfig"], (*path, "CustomOriginConfig")),
        }
    if "S3OriginConfig" in given:
        where = (*path, "S3OriginConfig")
        given["S3OriginConfig"] = Given({"OriginAccessIdentity": "", **_mapping(given["S3OriginConfig"], where)}, where)
    if "OriginCustomHeaders" in given:
        given["CustomHeaders"] = Given(given.pop("OriginCustomHeaders"), (*path, "OriginCustomHeaders"))
    return given


def _restrictions(value: Any, path: Path) -> dict[str, Any]:
    given = dict(_mapping(value, path))
    geo = given.get("GeoRestriction")
    if isinstance(geo, dict):
        places = geo.get("Locations", [])
        if not isinstance(places, list):
            raise PropertyError((*path, "GeoRestriction", "Locations"), "Locations is a list")
        rest = {key: one for key, one in geo.items() if key != "Locations"}
        given["GeoRestriction"] = {**rest, "Quantity": len(places), **({"Items": places} if places else {})}
    return given


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PropertyError(path, f"{path[-1]} is a mapping")
    return value


def _policy(operation: str, config: str, answer_part: str) -> Callable[[Resource], Made]:
    def make(r: Resource) -> Made:
        answer = r.call(operation, r.given(config))
        name = answer(f"{answer_part}.Id")
        return Made(name, {"Id": name})

    return make


KINDS: dict[str, Kind] = {
    "AWS::CloudFront::CachePolicy": kind(
        "CachePolicyConfig", "Id", _policy("cloudfront.create_cache_policy", "CachePolicyConfig", "CachePolicy")
    ),
    "AWS::CloudFront::Distribution": kind("DistributionConfig", "DomainName Id", _distribution),
    "AWS::CloudFront::OriginRequestPolicy": kind(
        "OriginRequestPolicyConfig",
        "Id",
        _policy("cloudfront.create_origin_request_policy", "OriginRequestPolicyConfig", "OriginRequestPolicy"),
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": kind(
        "ResponseHeadersPolicyConfig",
        "Id",
        _policy("cloudfront.create_response_headers_policy", "ResponseHeadersPolicyConfig", "ResponseHeadersPolicy"),
    ),
}
