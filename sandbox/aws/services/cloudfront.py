"""The CloudFront API: distributions.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/. The actions on policies are in `cloudfront_policies`, those
on invalidations and tags in `cloudfront_invalidations`. A change is answered when viewers see it: a distribution's
Status is always Deployed.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.cloudfront_config import completed, refuse_incomplete, refuse_uncertified
from sandbox.aws.services.cloudfront_invalidations import InvalidationActions, tag_map
from sandbox.aws.services.cloudfront_policies import PolicyActions
from sandbox.aws.services.cloudfront_state import (
    Answer,
    Carrier,
    CloudFrontState,
    Config,
    HeldDistribution,
    Request,
    location,
    new_id,
    paged,
    refusals,
    require_match,
)
from sandbox.clock import Clock
from sandbox.model.cloudfront.config import Distribution
from sandbox.model.cloudfront.lambda_edge import Association, EdgeFunction, check_function
from sandbox.model.cloudfront.policies import items

__all__ = ["Carrier", "CloudFrontService"]

_NOBODY = {"Enabled": False, "Quantity": 0}
_LETTERS = string.ascii_lowercase + string.digits
_SUMMARY = (
    "Aliases",
    "Origins",
    "OriginGroups",
    "DefaultCacheBehavior",
    "CacheBehaviors",
    "CustomErrorResponses",
    "Comment",
    "PriceClass",
    "Enabled",
    "ViewerCertificate",
    "Restrictions",
    "WebACLId",
    "IsIPV6Enabled",
    "Staging",
)


class CloudFrontService(PolicyActions, InvalidationActions):
    """CloudFront of one account. Safe to use from several threads; reads never wait for a deployment.

    Args:
        carrier: Lets viewers have the distributions.
        clock: Dates them.
        find_function: What Lambda says of a version of a function, by its ARN; None where there is none.
    """

    service_name = "cloudfront"
    falls_back = True
    validation_error_code = "MalformedXML"
    serialization_error_code = "MalformedInput"

    def __init__(
        self,
        carrier: Carrier,
        clock: Clock,
        find_function: Callable[[str], EdgeFunction | None] = lambda arn: None,
    ) -> None:
        super().__init__(CloudFrontState(carrier, clock.now))
        self._find_function = find_function

    def has_function(self, arn: str) -> bool:
        """Whether a distribution is associated with a version of a Lambda function."""
        with self._state.lock:
            distributions = list(self._state.distributions.values())
        return any(arn == each.arn for one in distributions for each in _associations(one.deployed))

    def create_distribution(self, request: Request, context: RequestContext) -> Answer:
        """CreateDistribution."""
        return self._create(request["DistributionConfig"], {})

    def create_distribution_with_tags(self, request: Request, context: RequestContext) -> Answer:
        """CreateDistributionWithTags."""
        given = request["DistributionConfigWithTags"]
        return self._create(given["DistributionConfig"], tag_map(given["Tags"]))

    def _create(self, config: Config, tags: dict[str, str]) -> Answer:
        state = self._state
        with state.changing:
            self._refuse_used_reference(config["CallerReference"])
            id_ = new_id("E")
            domain_name = f"d{''.join(secrets.choice(_LETTERS) for _ in range(13))}.cloudfront.net"
            parsed = state.parsed(config, domain_name)
            shown = self._checked(config, id_, parsed)
            state.carrier.deploy(id_, parsed)
            made = HeldDistribution(id_, domain_name, shown, parsed, new_id("E"), state.now(), tags)
            with state.lock:
                state.distributions[id_] = made
        return {"Distribution": _shown(made), "ETag": made.etag, "Location": location(f"distribution/{id_}")}

    def _refuse_used_reference(self, reference: str) -> None:
        """Also where the configuration is the same: older documents say otherwise (aws-sdk-go #2213)."""
        for one in self._state.distributions.values():
            if one.config["CallerReference"] == reference:
                raise AwsError(
                    "DistributionAlreadyExists",
                    "The caller reference that you are using to create a distribution is associated with another "
                    f"distribution. Already exists: {one.id}",
                    409,
                )

    def _checked(self, config: Config, id_: str, parsed: Distribution) -> Config:
        """The configuration, complete, if its functions can be had, and its names are free and certified."""
        with refusals():
            for association in _associations(parsed):
                check_function(association, self._find_function(association.arn))
        shown = completed(config)
        refuse_uncertified(shown)
        names = {name.lower() for name in items(shown["Aliases"])}
        for one in self._state.distributions.values():
            if one.id != id_ and names & {name.lower() for name in items(one.config["Aliases"])}:
                raise AwsError(
                    "CNAMEAlreadyExists",
                    "One or more of the CNAMEs you provided are already associated with a different resource.",
                    409,
                )
        return shown

    def get_distribution(self, request: Request, context: RequestContext) -> Answer:
        """GetDistribution."""
        with self._state.lock:
            one = self._state.find(request["Id"])
            return {"Distribution": _shown(one), "ETag": one.etag}

    def get_distribution_config(self, request: Request, context: RequestContext) -> Answer:
        """GetDistributionConfig."""
        with self._state.lock:
            one = self._state.find(request["Id"])
            return {"DistributionConfig": one.config, "ETag": one.etag}

    def update_distribution(self, request: Request, context: RequestContext) -> Answer:
        """UpdateDistribution: the new configuration replaces the old one."""
        state, config = self._state, request["DistributionConfig"]
        with state.changing:
            one = state.find(request["Id"])
            require_match(request, one.etag)
            if config["CallerReference"] != one.config["CallerReference"]:
                raise AwsError("IllegalUpdate", "You cannot update Origin or CallerReference.")
            parsed = state.parsed(config, one.domain_name)
            refuse_incomplete(config)
            shown = self._checked(config, one.id, parsed)
            state.carrier.deploy(one.id, parsed)
            with state.lock:
                # Tags and invalidations may have come meanwhile; they are in what is shared.
                changed = replace(one, config=shown, deployed=parsed, etag=new_id("E"), modified=state.now())
                state.distributions[one.id] = changed
        return {"Distribution": _shown(changed), "ETag": changed.etag}

    def delete_distribution(self, request: Request, context: RequestContext) -> Answer:
        """DeleteDistribution, of one that is disabled."""
        state = self._state
        with state.changing:
            one = state.find(request["Id"])
            require_match(request, one.etag)
            if one.config["Enabled"]:
                raise AwsError(
                    "DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.", 409
                )
            state.carrier.remove(one.id)
            with state.lock:
                del state.distributions[one.id]
        return {}

    def list_distributions(self, request: Request, context: RequestContext) -> Answer:
        """ListDistributions, oldest first."""
        with self._state.lock:
            page, more = paged({one.id: _summary(one) for one in self._state.distributions.values()}, request)
        return {"DistributionList": {**page, "Marker": request.get("Marker", ""), "IsTruncated": more}}


def _associations(distribution: Distribution) -> list[Association]:
    """Those of all cache behaviours."""
    return [one for behavior in distribution.behaviors for one in behavior.functions.values()]


def _head(one: HeldDistribution) -> Answer:
    names = [{"CNAME": name, "ICPRecordalStatus": "APPROVED"} for name in items(one.config["Aliases"])]
    return {
        "Id": one.id,
        "ARN": one.arn,
        "Status": "Deployed",
        "LastModifiedTime": one.modified,
        "DomainName": one.domain_name,
        "AliasICPRecordals": names or None,
    }


def _shown(one: HeldDistribution) -> Answer:
    """The API's Distribution."""
    return {
        **_head(one),
        "InProgressInvalidationBatches": sum(each.status == "InProgress" for each in one.invalidations),
        "ActiveTrustedSigners": _NOBODY,
        "ActiveTrustedKeyGroups": _NOBODY,
        "DistributionConfig": one.config,
    }


def _summary(one: HeldDistribution) -> Answer:
    """The API's DistributionSummary."""
    of_config: Mapping[str, object] = {name: one.config[name] for name in _SUMMARY}
    # In lists, and only there, AWS writes the version in capitals.
    return {**_head(one), "ETag": one.etag, **of_config, "HttpVersion": one.config["HttpVersion"].upper()}
