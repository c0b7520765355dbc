"""CloudFront's API as boto3 sees it, with a carrier that only notes what it is told."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.cloudfront import CloudFrontService
from sandbox.clock import VirtualClock
from sandbox.model.cloudfront.config import Distribution

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
NOON = 1_750_000_000.25


@dataclass
class Recorder:
    """A carrier that notes what it is told, in order; ``before_deploy`` may wait, or raise."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    distributions: dict[str, Distribution] = field(default_factory=dict)
    before_deploy: Callable[[str, Distribution], None] = lambda id_, distribution: None
    before_invalidate: Callable[[], None] = lambda: None

    def deploy(self, distribution_id: str, distribution: Distribution) -> None:
        self.before_deploy(distribution_id, distribution)
        self.calls.append(("deploy", distribution_id))
        self.distributions[distribution_id] = distribution

    def invalidate(self, distribution_id: str, paths: Sequence[str]) -> None:
        self.before_invalidate()
        self.calls.append(("invalidate", distribution_id, list(paths)))

    def remove(self, distribution_id: str) -> None:
        self.calls.append(("remove", distribution_id))
        del self.distributions[distribution_id]


@dataclass
class Control:
    """CloudFront, its carrier, and boto3's client of it."""

    client: Any
    carrier: Recorder
    clock: VirtualClock

    def create(self, reference: str = "1", **more: Any) -> tuple[str, str]:
        """Id and ETag of a new distribution."""
        made = self.client.create_distribution(DistributionConfig=described(CallerReference=reference, **more))
        return made["Distribution"]["Id"], made["ETag"]

    def config(self, id_: str) -> tuple[dict[str, Any], str]:
        """What GetDistributionConfig answers: to be changed and sent again."""
        got = self.client.get_distribution_config(Id=id_)
        return got["DistributionConfig"], got["ETag"]


@pytest.fixture
def control() -> Iterator[Control]:
    carrier, clock, backend = Recorder(), VirtualClock(NOON), Embedded()
    with Gateway([CloudFrontService(carrier, clock)], backend) as gateway:
        clients = Clients(gateway.url)
        yield Control(clients("cloudfront"), carrier, clock)
        clients.close()
    backend.reset()


def listed(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def origin(**more: Any) -> dict[str, Any]:
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {"Id": "site", "DomainName": "site.example.org", "CustomOriginConfig": custom, **more}


def behavior(**more: Any) -> dict[str, Any]:
    return {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": OPTIMIZED, **more}


def described(**more: Any) -> dict[str, Any]:
    return {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": listed(origin()),
        "DefaultCacheBehavior": behavior(),
        **more,
    }


def certified(*names: str) -> dict[str, Any]:
    certificate = {
        "ACMCertificateArn": CERTIFICATE,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }
    return {"Aliases": listed(*names), "ViewerCertificate": certificate}


def refused(call: Any, **parameters: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


NO_DISTRIBUTION = (404, "NoSuchDistribution", "The specified distribution does not exist.")
NO_MATCH = (400, "InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
OTHER_VERSION = (
    412,
    "PreconditionFailed",
    "The request failed because it didn't meet the preconditions in one or more request-header fields.",
)


# -- distributions --


def test_a_distribution_is_made_shown_changed_disabled_and_deleted(control: Control) -> None:
    client, carrier = control.client, control.carrier
    made = client.create_distribution(DistributionConfig=described())
    distribution, etag = made["Distribution"], made["ETag"]
    id_ = distribution["Id"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert re.fullmatch(r"E[A-Z0-9]{13}", id_)
    assert re.fullmatch(r"d[a-z0-9]{13}\.cloudfront\.net", distribution["DomainName"])
    assert distribution["ARN"] == f"arn:aws:cloudfront::123456789012:distribution/{id_}"
    assert made["Location"] == f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{id_}"
    assert distribution["LastModifiedTime"] == datetime.fromtimestamp(NOON, UTC)
    assert carrier.calls == [("deploy", id_)]
    assert carrier.distributions[id_].domain_name == distribution["DomainName"]
    assert carrier.distributions[id_].behaviors[0].cache.name == "CachingOptimized"

    got = client.get_distribution(Id=id_)
    assert (got["Distribution"], got["ETag"]) == (distribution, etag)
    client.get_waiter("distribution_deployed").wait(Id=id_)

    control.clock.advance(60)
    config, _ = control.config(id_)
    config |= {"Comment": "changed", "Enabled": False}
    changed = client.update_distribution(Id=id_, IfMatch=etag, DistributionConfig=config)
    assert changed["ETag"] != etag
    assert changed["Distribution"]["DistributionConfig"] == config
    assert changed["Distribution"]["LastModifiedTime"] == datetime.fromtimestamp(NOON + 60, UTC)
    assert changed["Distribution"]["DomainName"] == distribution["DomainName"]
    assert carrier.calls == [("deploy", id_)] * 2
    assert not carrier.distributions[id_].enabled

    gone = client.delete_distribution(Id=id_, IfMatch=changed["ETag"])
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert carrier.calls[-1] == ("remove", id_)
    assert refused(client.get_distribution, Id=id_) == NO_DISTRIBUTION


def test_what_was_left_out_is_shown_with_its_default(control: Control) -> None:
    nobody = {"Enabled": False, "Quantity": 0}
    none = {"Quantity": 0}
    made = control.client.create_distribution(DistributionConfig=described())["Distribution"]
    custom = {
        "HTTPPort": 80,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": "http-only",
        "OriginSslProtocols": listed("SSLv3", "TLSv1"),
        "OriginReadTimeout": 30,
        "OriginKeepaliveTimeout": 5,
    }
    assert made["DistributionConfig"] == {
        "CallerReference": "1",
        "Aliases": none,
        "DefaultRootObject": "",
        "Origins": listed(
            {
                "Id": "site",
                "DomainName": "site.example.org",
                "OriginPath": "",
                "CustomHeaders": none,
                "CustomOriginConfig": custom,
                "ConnectionAttempts": 3,
                "ConnectionTimeout": 10,
                "OriginShield": {"Enabled": False},
                "OriginAccessControlId": "",
            }
        ),
        "OriginGroups": none,
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "TrustedSigners": nobody,
            "TrustedKeyGroups": nobody,
            "ViewerProtocolPolicy": "allow-all",
            "AllowedMethods": {**listed("HEAD", "GET"), "CachedMethods": listed("HEAD", "GET")},
            "SmoothStreaming": False,
            "Compress": False,
            "LambdaFunctionAssociations": none,
            "FunctionAssociations": none,
            "FieldLevelEncryptionId": "",
            "CachePolicyId": OPTIMIZED,
            "GrpcConfig": {"Enabled": False},
        },
        "CacheBehaviors": none,
        "CustomErrorResponses": none,
        "Comment": "",
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "PriceClass": "PriceClass_All",
        "Enabled": True,
        "ViewerCertificate": {
            "CloudFrontDefaultCertificate": True,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront",
        },
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "WebACLId": "",
        "HttpVersion": "http2",
        "IsIPV6Enabled": True,
        "ContinuousDeploymentPolicyId": "",
        "Staging": False,
    }
    assert {name: made[name] for name in ("Status", "InProgressInvalidationBatches")} == {
        "Status": "Deployed",
        "InProgressInvalidationBatches": 0,
    }
    assert made["ActiveTrustedSigners"] == made["ActiveTrustedKeyGroups"] == nobody
    assert "AliasICPRecordals" not in made


def test_the_defaults_of_forwarded_values_errors_and_certificates(control: Control) -> None:
    values = {"QueryString": False, "Cookies": {"Forward": "none"}}
    old = {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "ForwardedValues": values, "MinTTL": 0}
    methods = listed("GET", "HEAD", "OPTIONS")
    bucket = {"Id": "site", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    config = described(
        DefaultCacheBehavior=old,
        CacheBehaviors=listed(behavior(PathPattern="/api/*", AllowedMethods=methods)),
        CustomErrorResponses=listed({"ErrorCode": 404}),
        Origins=listed(bucket),
        Logging={"Enabled": True, "Bucket": "logs.s3.amazonaws.com"},
        **certified("shop.example.org"),
    )
    made = control.client.create_distribution(DistributionConfig=config)["Distribution"]
    shown = made["DistributionConfig"]
    default = shown["DefaultCacheBehavior"]
    assert (default["MinTTL"], default["DefaultTTL"], default["MaxTTL"]) == (0, 86_400, 31_536_000)
    none = {"Quantity": 0}
    assert default["ForwardedValues"] == {**values, "Headers": none, "QueryStringCacheKeys": none}
    (api,) = shown["CacheBehaviors"]["Items"]
    assert api["AllowedMethods"] == {**methods, "CachedMethods": listed("HEAD", "GET")}
    assert "ForwardedValues" not in api
    assert shown["CustomErrorResponses"] == listed(
        {"ErrorCode": 404, "ResponsePagePath": "", "ResponseCode": "", "ErrorCachingMinTTL": 10}
    )
    assert "CustomOriginConfig" not in shown["Origins"]["Items"][0]
    assert shown["Logging"] == {
        "Enabled": True, "IncludeCookies": False, "Bucket": "logs.s3.amazonaws.com", "Prefix": ""
    }  # fmt: skip
    assert shown["ViewerCertificate"] == {
        "CloudFrontDefaultCertificate": False,
        "ACMCertificateArn": CERTIFICATE,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "Certificate": CERTIFICATE,
        "CertificateSource": "acm",
    }
    assert made["AliasICPRecordals"] == [{"CNAME": "shop.example.org", "ICPRecordalStatus": "APPROVED"}]
    # What is shown can be sent again, and stays as it is.
    config, etag = control.config(made["Id"])
    control.client.update_distribution(Id=made["Id"], IfMatch=etag, DistributionConfig=config)
    assert control.config(made["Id"])[0] == shown


def test_zeros_and_empty_lists_as_terraform_sends_them(control: Control) -> None:
    """Its provider writes times of 0 beside a cache policy, and Items without an item."""
    config = described(
        DefaultCacheBehavior=behavior(MinTTL=0, DefaultTTL=0, MaxTTL=0, FieldLevelEncryptionId=""),
        Restrictions={"GeoRestriction": {"RestrictionType": "none", "Quantity": 0, "Items": []}},
        Aliases={"Quantity": 0, "Items": []},
    )
    tags = {"Items": [{"Key": "team", "Value": "shop"}]}
    given = {"DistributionConfig": config, "Tags": tags}
    made = control.client.create_distribution_with_tags(DistributionConfigWithTags=given)["Distribution"]
    shown = made["DistributionConfig"]
    assert not {"MinTTL", "DefaultTTL", "MaxTTL", "ForwardedValues"} & set(shown["DefaultCacheBehavior"])
    assert shown["Restrictions"] == {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}}
    assert shown["Aliases"] == {"Quantity": 0}
    assert control.client.list_tags_for_resource(Resource=made["ARN"])["Tags"] == tags


def test_a_caller_reference_is_for_one_distribution(control: Control) -> None:
    id_, etag = control.create()
    told = (
        409,
        "DistributionAlreadyExists",
        "The caller reference that you are using to create a distribution is associated with another distribution. "
        f"Already exists: {id_}",
    )
    assert refused(control.client.create_distribution, DistributionConfig=described()) == told
    assert refused(control.client.create_distribution, DistributionConfig=described(Comment="other")) == told
    config, _ = control.config(id_)
    other = {**config, "CallerReference": "2"}
    assert refused(control.client.update_distribution, Id=id_, IfMatch=etag, DistributionConfig=other) == (
        400, "IllegalUpdate", "You cannot update Origin or CallerReference."
    )  # fmt: skip


def test_an_alternate_domain_name_is_for_one_distribution(control: Control) -> None:
    first, _ = control.create("1", **certified("a.example.org", "b.example.org"))
    second, etag = control.create("2", **certified("c.example.org"))
    taken = (
        409,
        "CNAMEAlreadyExists",
        "One or more of the CNAMEs you provided are already associated with a different resource.",
    )
    third = described(CallerReference="3", **certified("B.example.org"))
    assert refused(control.client.create_distribution, DistributionConfig=third) == taken
    config, _ = control.config(second)
    config["Aliases"] = listed("c.example.org", "a.example.org")
    assert refused(control.client.update_distribution, Id=second, IfMatch=etag, DistributionConfig=config) == taken
    config, etag = control.config(first)  # its own names are no hindrance
    control.client.update_distribution(Id=first, IfMatch=etag, DistributionConfig=config)


def test_an_alternate_domain_name_needs_a_certificate(control: Control) -> None:
    named = described(Aliases=listed("shop.example.org"))
    status, code, message = refused(control.client.create_distribution, DistributionConfig=named)
    assert (status, code) == (400, "InvalidViewerCertificate")
    assert message.startswith("To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach")
    assert control.carrier.calls == []


def test_a_change_needs_the_version_that_was_read(control: Control) -> None:
    id_, etag = control.create()
    config, _ = control.config(id_)
    client = control.client
    assert refused(client.update_distribution, Id=id_, DistributionConfig=config) == NO_MATCH
    assert refused(client.update_distribution, Id=id_, IfMatch="E0", DistributionConfig=config) == OTHER_VERSION
    assert refused(client.delete_distribution, Id=id_) == NO_MATCH
    assert refused(client.delete_distribution, Id=id_, IfMatch="E0") == OTHER_VERSION
    client.update_distribution(Id=id_, IfMatch=etag, DistributionConfig=config)
    assert refused(client.update_distribution, Id=id_, IfMatch=etag, DistributionConfig=config) == OTHER_VERSION


def test_an_enabled_distribution_is_not_deleted(control: Control) -> None:
    id_, etag = control.create()
    assert refused(control.client.delete_distribution, Id=id_, IfMatch=etag) == (
        409, "DistributionNotDisabled", "The distribution you are trying to delete has not been disabled."
    )  # fmt: skip
    assert control.carrier.calls == [("deploy", id_)]


def test_a_distribution_that_does_not_exist(control: Control) -> None:
    client = control.client
    batch = {"Paths": listed("/*"), "CallerReference": "1"}
    for call, more in (
        (client.get_distribution, {}),
        (client.get_distribution_config, {}),
        (client.update_distribution, {"DistributionConfig": described(), "IfMatch": "E1"}),
        (client.delete_distribution, {"IfMatch": "E1"}),
    ):
        assert refused(call, Id="E0", **more) == NO_DISTRIBUTION
    assert refused(client.create_invalidation, DistributionId="E0", InvalidationBatch=batch) == NO_DISTRIBUTION
    assert refused(client.get_invalidation, DistributionId="E0", Id="I1") == NO_DISTRIBUTION
    assert refused(client.list_invalidations, DistributionId="E0") == NO_DISTRIBUTION
    with pytest.raises(client.exceptions.NoSuchDistribution):
        client.get_distribution(Id="E0")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (["WebACLId"], "WebACLId is missing for the resource"),
        (["HttpVersion"], "HttpVersion is missing for the resource"),
        (["DefaultRootObject"], "Default root object is missing for the resource"),
        (["Aliases"], "Aliases is missing for the resource"),
        (["DefaultCacheBehavior", "Compress"], "Compress is missing for the resource"),
        (["CacheBehaviors", "Items", 0, "SmoothStreaming"], "SmoothStreaming is missing for the resource"),
        (["Origins", "Items", 0, "CustomHeaders"], "The 'OriginCustomHeaders' field is missing."),
        (
            ["Origins", "Items", 0, "CustomOriginConfig", "OriginReadTimeout"],
            "OriginReadTimeout is required for updates.",
        ),
    ],
)
def test_an_update_has_to_say_everything(control: Control, place: list[Any], message: str) -> None:
    """As UpdateDistribution replaces the configuration, it does not fill in what CreateDistribution does."""
    id_, etag = control.create(CacheBehaviors=listed(behavior(PathPattern="/a")))
    config, _ = control.config(id_)
    inner = copy.deepcopy(config)
    changed = inner
    for step in place[:-1]:
        inner = inner[step]
    del inner[place[-1]]
    answer = refused(control.client.update_distribution, Id=id_, IfMatch=etag, DistributionConfig=changed)
    assert answer == (400, "IllegalUpdate", message)
    assert control.config(id_) == (config, etag)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"DefaultCacheBehavior": behavior(TargetOriginId="other")}, 404, "NoSuchOrigin"),
        ({"DefaultCacheBehavior": behavior(CachePolicyId="no-such-policy")}, 404, "NoSuchCachePolicy"),
        ({"DefaultCacheBehavior": behavior(OriginRequestPolicyId="x")}, 404, "NoSuchOriginRequestPolicy"),
        ({"DefaultCacheBehavior": behavior(ResponseHeadersPolicyId="x")}, 404, "NoSuchResponseHeadersPolicy"),
        ({"Origins": {"Quantity": 2, "Items": [origin()]}}, 400, "InconsistentQuantities"),
        ({"WebACLId": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/b"}, 400, "InvalidArgument"),
        ({"PriceClass": "PriceClass_Free"}, 400, "MalformedXML"),
    ],
)
def test_what_cloudfront_or_the_sandbox_does_not_take(
    control: Control, more: dict[str, Any], status: int, code: str
) -> None:
    assert refused(control.client.create_distribution, DistributionConfig=described(**more))[:2] == (status, code)
    id_, etag = control.create()
    config, _ = control.config(id_)
    answer = refused(control.client.update_distribution, Id=id_, IfMatch=etag, DistributionConfig={**config, **more})
    assert answer[:2] == (status, code)
    assert control.carrier.calls == [("deploy", id_)]


def test_distributions_are_listed_page_by_page(control: Control) -> None:
    empty = control.client.list_distributions()["DistributionList"]
    assert empty == {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": 0}
    made = [control.create(str(number))[0] for number in range(5)]
    first = control.client.list_distributions(MaxItems="2")["DistributionList"]
    assert [one["Id"] for one in first["Items"]] == made[:2]
    assert (first["IsTruncated"], first["NextMarker"], first["Quantity"], first["MaxItems"]) == (True, made[1], 2, 2)
    last = control.client.list_distributions(Marker=made[3], MaxItems="2")["DistributionList"]
    assert [one["Id"] for one in last["Items"]] == made[4:]
    assert (last["IsTruncated"], last["Marker"], "NextMarker" in last) == (False, made[3], False)
    paginator = control.client.get_paginator("list_distributions")
    pages = paginator.paginate(PaginationConfig={"PageSize": 2})
    assert [one["Id"] for page in pages for one in page["DistributionList"]["Items"]] == made
    for wrong in ({"MaxItems": "0"}, {"MaxItems": "many"}, {"Marker": "E0"}):
        assert refused(control.client.list_distributions, **wrong)[:2] == (400, "InvalidArgument")


def test_a_summary_has_what_the_distribution_has(control: Control) -> None:
    id_, etag = control.create(**certified("shop.example.org"))
    shown = control.client.get_distribution(Id=id_)["Distribution"]
    (summary,) = control.client.list_distributions()["DistributionList"]["Items"]
    config = shown["DistributionConfig"]
    assert summary.pop("ETag") == etag
    assert summary.pop("HttpVersion") == "HTTP2"
    assert all(value == {**config, **shown}[name] for name, value in summary.items())
    assert {"Id", "ARN", "Status", "DomainName", "Aliases", "Origins", "AliasICPRecordals"} <= set(summary)


# -- when it goes wrong, and several at a time --


class OutOfOrderError(Exception):
    pass


def failing(_: str, __: Distribution) -> None:
    raise OutOfOrderError("the edge is out of order")


FAILED = (500, "InternalFailure", "OutOfOrderError: the edge is out of order")


def test_what_cannot_be_deployed_leaves_all_as_it_was(control: Control) -> None:
    control.carrier.before_deploy = failing
    assert refused(control.client.create_distribution, DistributionConfig=described()) == FAILED
    assert control.client.list_distributions()["DistributionList"]["Quantity"] == 0
    control.carrier.before_deploy = lambda id_, distribution: None
    id_, etag = control.create()  # the caller reference is still free
    config, _ = control.config(id_)
    control.carrier.before_deploy = failing
    update = control.client.update_distribution
    assert refused(update, Id=id_, IfMatch=etag, DistributionConfig={**config, "Comment": "new"}) == FAILED
    assert control.config(id_) == (config, etag)


def test_what_is_kept_can_be_read_while_a_deployment_takes_its_time(control: Control) -> None:
    id_, etag = control.create()
    config, _ = control.config(id_)
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: str, __: Distribution) -> None:
        begun.set()
        assert go_on.wait(20)

    control.carrier.before_deploy = slow
    with ThreadPoolExecutor() as pool:
        changed = {**config, "Comment": "new"}
        update = pool.submit(control.client.update_distribution, Id=id_, IfMatch=etag, DistributionConfig=changed)
        assert begun.wait(20)
        try:
            assert control.client.get_distribution(Id=id_)["Distribution"]["DistributionConfig"] == config
            assert control.client.list_distributions()["DistributionList"]["Quantity"] == 1
            arn = f"arn:aws:cloudfront::123456789012:distribution/{id_}"
            control.client.tag_resource(Resource=arn, Tags={"Items": [{"Key": "a", "Value": "b"}]})
            batch = {"Paths": listed("/*"), "CallerReference": "1"}
            control.client.create_invalidation(DistributionId=id_, InvalidationBatch=batch)
        finally:
            go_on.set()
        assert update.result()["Distribution"]["DistributionConfig"]["Comment"] == "new"
    assert control.client.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [{"Key": "a", "Value": "b"}]
    assert control.client.list_invalidations(DistributionId=id_)["InvalidationList"]["Quantity"] == 1


def test_of_many_who_want_a_name_at_once_one_gets_it(control: Control) -> None:
    def attempt(number: int) -> str:
        try:
            control.create(str(number), **certified("shop.example.org"))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "made"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(8)))
    assert outcomes == ["CNAMEAlreadyExists"] * 7 + ["made"]
    assert len(control.carrier.distributions) == 1


def test_operations_of_cloudfront_that_are_not_ours_go_to_the_backend(control: Control) -> None:
    access = {
        "Name": "a",
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }
    made = control.client.create_origin_access_control(OriginAccessControlConfig=access)
    assert made["OriginAccessControl"]["OriginAccessControlConfig"]["Name"] == "a"


# -- policies --


@dataclass(frozen=True)
class Kind:
    """How boto3 names the actions on a kind of policy."""

    name: str
    method: str
    plural: str
    words: str
    managed: str
    config: dict[str, Any]

    def call(self, client: Any, action: str, **parameters: Any) -> Any:
        return getattr(client, f"{action}_{self.method}")(**parameters)

    def create(self, client: Any, **more: Any) -> tuple[str, str]:
        made = self.call(client, "create", **{f"{self.name}Config": {**self.config, **more}})
        return made[self.name]["Id"], made["ETag"]

    def list(self, client: Any, **parameters: Any) -> Any:
        return getattr(client, f"list_{self.plural}")(**parameters)[f"{self.name}List"]

    def refused(self, client: Any, action: str, **parameters: Any) -> tuple[int, str, str]:
        return refused(getattr(client, f"{action}_{self.method}"), **parameters)


KINDS = [
    Kind(
        "CachePolicy",
        "cache_policy",
        "cache_policies",
        "cache policy",
        OPTIMIZED,
        {"Name": "pages", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 600},
    ),
    Kind(
        "OriginRequestPolicy",
        "origin_request_policy",
        "origin_request_policies",
        "origin request policy",
        "216adef6-5c7f-47e4-b989-5492eafa07d3",
        {
            "Name": "pages",
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": listed("Accept-Language")},
            "CookiesConfig": {"CookieBehavior": "all"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    ),
    Kind(
        "ResponseHeadersPolicy",
        "response_headers_policy",
        "response_headers_policies",
        "response headers policy",
        "67f7725c-6f97-4210-82d7-5512b31e9d03",
        {
            "Name": "pages",
            "CustomHeadersConfig": listed({"Header": "X-Shop", "Value": "1", "Override": True}),
            "RemoveHeadersConfig": listed({"Header": "Server"}),
        },
    ),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@each_kind
def test_a_policy_is_made_shown_changed_and_deleted(control: Control, kind: Kind) -> None:
    client = control.client
    made = kind.call(client, "create", **{f"{kind.name}Config": kind.config})
    policy, etag = made[kind.name], made["ETag"]
    id_ = policy["Id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id_)
    assert re.fullmatch(r"E[A-Z0-9]{13}", etag)
    assert policy["LastModifiedTime"] == datetime.fromtimestamp(NOON, UTC)
    assert policy[f"{kind.name}Config"].items() >= kind.config.items()
    path = kind.method.replace("_", "-")
    assert made["Location"] == f"https://cloudfront.amazonaws.com/2020-05-31/{path}/{id_}"
    got = kind.call(client, "get", Id=id_)
    assert (got[kind.name], got["ETag"]) == (policy, etag)
    got = getattr(client, f"get_{kind.method}_config")(Id=id_)
    assert (got[f"{kind.name}Config"], got["ETag"]) == (policy[f"{kind.name}Config"], etag)

    control.clock.advance(1)
    config = {**policy[f"{kind.name}Config"], "Comment": "new"}
    assert kind.refused(client, "update", Id=id_, **{f"{kind.name}Config": config}) == NO_MATCH
    given = {"Id": id_, f"{kind.name}Config": config}
    assert kind.refused(client, "update", IfMatch="E0", **given) == OTHER_VERSION
    changed = kind.call(client, "update", IfMatch=etag, **given)
    assert changed[kind.name][f"{kind.name}Config"] == config
    assert changed[kind.name]["LastModifiedTime"] == datetime.fromtimestamp(NOON + 1, UTC)
    assert changed["ETag"] != etag

    assert kind.refused(client, "delete", Id=id_) == NO_MATCH
    assert kind.refused(client, "delete", Id=id_, IfMatch=etag) == OTHER_VERSION
    kind.call(client, "delete", Id=id_, IfMatch=changed["ETag"])
    missing = (404, f"NoSuch{kind.name}", f"The specified {kind.words} does not exist.")
    assert kind.refused(client, "get", Id=id_) == missing
    assert kind.refused(client, "delete", Id=id_, IfMatch=etag) == missing
    assert kind.refused(client, "update", IfMatch=etag, **given) == missing


@each_kind
def test_names_of_policies_are_unique(control: Control, kind: Kind) -> None:
    client = control.client
    _, etag = kind.create(client)
    other, etag = kind.create(client, Name="other")
    for taken in ("pages", kind.list(client, Type="managed")["Items"][0][kind.name][f"{kind.name}Config"]["Name"]):
        config = {**kind.config, "Name": taken}
        answer = kind.refused(client, "create", **{f"{kind.name}Config": config})
        assert answer[:2] == (409, f"{kind.name}AlreadyExists")
        answer = kind.refused(client, "update", Id=other, IfMatch=etag, **{f"{kind.name}Config": config})
        assert answer[:2] == (409, f"{kind.name}AlreadyExists")


@each_kind
def test_managed_policies_can_only_be_read(control: Control, kind: Kind) -> None:
    client = control.client
    got = kind.call(client, "get", Id=kind.managed)
    assert got[kind.name]["LastModifiedTime"] == datetime.fromtimestamp(0, UTC)
    config = got[kind.name][f"{kind.name}Config"]
    given = {"Id": kind.managed, "IfMatch": got["ETag"]}
    assert kind.refused(client, "update", **given, **{f"{kind.name}Config": config})[:2] == (400, "IllegalUpdate")
    assert kind.refused(client, "delete", **given)[:2] == (400, "IllegalDelete")


@each_kind
def test_managed_policies_mean_what_the_model_does_by_them(control: Control, kind: Kind) -> None:
    """Made from what is shown, a policy of one's own is the same at the edge."""
    edge, _ = control.create()
    for item in kind.list(control.client, Type="managed")["Items"]:
        config = item[kind.name][f"{kind.name}Config"]
        assert item["Type"] == "managed"
        if "Amplify" in config["Name"] or "CloudFrontHeaders" in config["Name"]:
            continue  # they want headers that the sandbox does not make, and can only be shown
        copied = {f"{kind.name}Config": {**config, "Name": f"own-{config['Name']}"}}
        own = kind.call(control.client, "create", **copied)[kind.name]["Id"]
        models = []
        for id_ in (item[kind.name]["Id"], own):
            shown, etag = control.config(edge)
            shown["DefaultCacheBehavior"][f"{kind.name}Id"] = id_
            control.client.update_distribution(Id=edge, IfMatch=etag, DistributionConfig=shown)
            found = control.carrier.distributions[edge].behaviors[0]
            models.append({"C": found.cache, "O": found.origin_request, "R": found.response_headers}[kind.name[0]])
        left, right = (vars_of(model) for model in models)
        assert left == right


def vars_of(model: Any) -> dict[str, Any]:
    """What a policy does, without its name."""
    return {name: _unordered(getattr(model, name)) for name in model.__slots__ if name != "name"}


def _unordered(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, tuple) else value


def test_names_of_managed_policies(control: Control) -> None:
    names = {
        item["CachePolicy"]["CachePolicyConfig"]["Name"]
        for item in control.client.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]
    }
    assert {"Managed-CachingOptimized", "Managed-CachingDisabled", "UseOriginCacheControlHeaders"} <= names


@each_kind
def test_policies_are_listed_by_type_and_page_by_page(control: Control, kind: Kind) -> None:
    client = control.client
    assert kind.list(client, Type="custom") == {"MaxItems": 100, "Quantity": 0}
    own = [kind.create(client, Name=f"p{number}")[0] for number in range(3)]
    assert [item[kind.name]["Id"] for item in kind.list(client, Type="custom")["Items"]] == own
    everything = kind.list(client)
    assert everything["Quantity"] == 3 + kind.list(client, Type="managed")["Quantity"]
    assert {item["Type"] for item in everything["Items"]} == {"managed", "custom"}
    first = kind.list(client, Type="custom", MaxItems="2")
    assert (first["NextMarker"], first["Quantity"]) == (own[1], 2)
    last = kind.list(client, Type="custom", MaxItems="2", Marker=own[1])
    assert [item[kind.name]["Id"] for item in last["Items"]] == own[2:]
    assert "NextMarker" not in last


@each_kind
def test_a_policy_in_use_is_not_deleted(control: Control, kind: Kind) -> None:
    client = control.client
    id_, etag = kind.create(client)
    inner = behavior(PathPattern="/a", **{f"{kind.name}Id": id_})
    used, version = control.create(CacheBehaviors=listed(inner))
    assert kind.refused(client, "delete", Id=id_, IfMatch=etag) == (
        409,
        f"{kind.name}InUse",
        f"The specified {kind.words} is currently associated with a cache behavior. Please disassociate the policy "
        "before deleting.",
    )
    config, _ = control.config(used)
    config["CacheBehaviors"] = {"Quantity": 0}
    client.update_distribution(Id=used, IfMatch=version, DistributionConfig=config)
    kind.call(client, "delete", Id=id_, IfMatch=etag)


def test_a_policy_that_is_changed_reaches_the_distributions_that_use_it(control: Control) -> None:
    kind, client, carrier = KINDS[0], control.client, control.carrier
    id_, etag = kind.create(client)
    first, version = control.create("1", DefaultCacheBehavior=behavior(CachePolicyId=id_))
    second, _ = control.create("2", CacheBehaviors=listed(behavior(PathPattern="/a", CachePolicyId=id_)))
    control.create("3")
    carrier.calls.clear()
    changed = {**kind.config, "DefaultTTL": 61}
    etag = kind.call(client, "update", Id=id_, IfMatch=etag, CachePolicyConfig=changed)["ETag"]
    assert carrier.calls == [("deploy", first), ("deploy", second)]
    assert [carrier.distributions[one].behaviors[0].cache.ttl.default for one in (first, second)] == [61, 61]
    # A version of a distribution is one of its configuration, which names the policy as before.
    assert control.config(first)[1] == version

    def second_fails(deployed: str, distribution: Distribution) -> None:
        if deployed == second:
            failing(deployed, distribution)

    carrier.before_deploy = second_fails
    answer = kind.refused(client, "update", Id=id_, IfMatch=etag, CachePolicyConfig={**changed, "DefaultTTL": 62})
    assert answer == FAILED
    assert [carrier.distributions[one].behaviors[0].cache.ttl.default for one in (first, second)] == [61, 61]
    got = client.get_cache_policy(Id=id_)
    assert (got["CachePolicy"]["CachePolicyConfig"]["DefaultTTL"], got["ETag"]) == (61, etag)


def test_a_policy_that_does_not_fit_its_distributions_is_not_taken(control: Control) -> None:
    kind, client = KINDS[1], control.client
    id_, etag = kind.create(client)
    control.create(DefaultCacheBehavior=behavior(OriginRequestPolicyId=id_))
    control.carrier.calls.clear()
    country = {"HeaderBehavior": "whitelist", "Headers": listed("CloudFront-Viewer-Country")}
    config = {**kind.config, "HeadersConfig": country}
    answer = kind.refused(client, "update", Id=id_, IfMatch=etag, OriginRequestPolicyConfig=config)
    assert answer[:2] == (400, "InvalidArgument")
    assert control.carrier.calls == []
    assert client.get_origin_request_policy(Id=id_)["ETag"] == etag


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [
        (KINDS[0], {"MinTTL": 100}, "InvalidTTLOrder"),
        (KINDS[1], {"CookiesConfig": {"CookieBehavior": "whitelist"}}, "InvalidArgument"),
        (KINDS[2], {"RemoveHeadersConfig": {"Quantity": 2, "Items": [{"Header": "A"}]}}, "InconsistentQuantities"),
        (KINDS[2], {"ServerTimingHeadersConfig": {"Enabled": True, "SamplingRate": 1.5}}, "InvalidArgument"),
        (KINDS[1], {"CookiesConfig": {"CookieBehavior": "some"}}, "MalformedXML"),
    ],
)
def test_policies_that_are_not_taken(control: Control, kind: Kind, more: dict[str, Any], code: str) -> None:
    config = {f"{kind.name}Config": {**kind.config, **more}}
    assert kind.refused(control.client, "create", **config)[:2] == (400, code)
    assert kind.list(control.client, Type="custom")["Quantity"] == 0


def test_the_defaults_of_policies(control: Control) -> None:
    config = {"Name": "small", "MinTTL": 5}
    made = control.client.create_cache_policy(CachePolicyConfig=config)["CachePolicy"]["CachePolicyConfig"]
    assert made == {
        **config,
        "DefaultTTL": 86_400,
        "MaxTTL": 31_536_000,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": False,
            "EnableAcceptEncodingBrotli": False,
            "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    }
    cors = {
        "AccessControlAllowOrigins": listed("*"),
        "AccessControlAllowHeaders": listed("*"),
        "AccessControlAllowMethods": listed("GET"),
        "AccessControlAllowCredentials": False,
        "OriginOverride": True,
    }
    headers = {"Name": "cors", "CorsConfig": cors}
    made = control.client.create_response_headers_policy(ResponseHeadersPolicyConfig=headers)["ResponseHeadersPolicy"]
    assert made["ResponseHeadersPolicyConfig"]["CorsConfig"] == {**cors, "AccessControlExposeHeaders": {"Quantity": 0}}


# -- invalidations --


def test_an_invalidation_is_made_shown_and_listed(control: Control) -> None:
    client = control.client
    id_, _ = control.create()
    batch = {"Paths": listed("/a", "/b/*"), "CallerReference": "1"}
    made = client.create_invalidation(DistributionId=id_, InvalidationBatch=batch)
    invalidation = made["Invalidation"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert re.fullmatch(r"I[A-Z0-9]{13}", invalidation["Id"])
    where = f"distribution/{id_}/invalidation/{invalidation['Id']}"
    assert made["Location"] == f"https://cloudfront.amazonaws.com/2020-05-31/{where}"
    assert (invalidation["InvalidationBatch"], invalidation["Status"]) == (batch, "Completed")
    assert invalidation["CreateTime"] == datetime.fromtimestamp(NOON, UTC)
    assert control.carrier.calls[-1] == ("invalidate", id_, ["/a", "/b/*"])
    assert client.get_invalidation(DistributionId=id_, Id=invalidation["Id"])["Invalidation"] == invalidation
    client.get_waiter("invalidation_completed").wait(DistributionId=id_, Id=invalidation["Id"])
    assert refused(client.get_invalidation, DistributionId=id_, Id="I0") == (
        404, "NoSuchInvalidation", "The specified invalidation does not exist."
    )  # fmt: skip

    more = [
        client.create_invalidation(
            DistributionId=id_, InvalidationBatch={"Paths": listed("/*"), "CallerReference": f"more {number}"}
        )["Invalidation"]["Id"]
        for number in range(2)
    ]
    newest_first = [more[1], more[0], invalidation["Id"]]
    first = client.list_invalidations(DistributionId=id_, MaxItems="2")["InvalidationList"]
    assert [one["Id"] for one in first["Items"]] == newest_first[:2]
    assert (first["IsTruncated"], first["NextMarker"]) == (True, more[0])
    last = client.list_invalidations(DistributionId=id_, Marker=more[0])["InvalidationList"]
    assert last["Items"] == [
        {"Id": invalidation["Id"], "CreateTime": invalidation["CreateTime"], "Status": "Completed"}
    ]


def test_the_same_invalidation_again_is_the_same_one(control: Control) -> None:
    client = control.client
    id_, _ = control.create()
    batch = {"Paths": listed("/a", "/b"), "CallerReference": "1"}
    first = client.create_invalidation(DistributionId=id_, InvalidationBatch=batch)["Invalidation"]
    again = client.create_invalidation(DistributionId=id_, InvalidationBatch=batch)["Invalidation"]
    assert first == again
    assert len(control.carrier.calls) == 2
    other = {"Paths": listed("/c"), "CallerReference": "1"}
    assert refused(client.create_invalidation, DistributionId=id_, InvalidationBatch=other) == (
        400,
        "InvalidArgument",
        "Your request contains a caller reference that was used for a previous invalidation batch for the same "
        "distribution.",
    )
    second, _ = control.create("2")
    client.create_invalidation(DistributionId=second, InvalidationBatch=other)


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        (listed("/a*b"), "InvalidArgument"),
        ({"Quantity": 0}, "InvalidArgument"),
        ({"Quantity": 2, "Items": ["/a"]}, "InconsistentQuantities"),
    ],
)
def test_invalidations_that_are_not_taken(control: Control, paths: dict[str, Any], code: str) -> None:
    id_, _ = control.create()
    batch = {"Paths": paths, "CallerReference": "1"}
    answer = refused(control.client.create_invalidation, DistributionId=id_, InvalidationBatch=batch)
    assert answer[:2] == (400, code)
    assert control.carrier.calls == [("deploy", id_)]


def test_an_invalidation_under_way_is_counted_and_one_that_fails_is_not_kept(control: Control) -> None:
    id_, _ = control.create()
    seen = []

    def look() -> None:
        seen.append(control.client.get_distribution(Id=id_)["Distribution"]["InProgressInvalidationBatches"])
        raise OutOfOrderError("the edge is out of order")

    control.carrier.before_invalidate = look
    batch = {"Paths": listed("/*"), "CallerReference": "1"}
    assert refused(control.client.create_invalidation, DistributionId=id_, InvalidationBatch=batch) == FAILED
    assert set(seen) == {1}
    assert control.client.list_invalidations(DistributionId=id_)["InvalidationList"]["Quantity"] == 0


# -- tags --


def test_distributions_are_tagged(control: Control) -> None:
    client = control.client
    id_, _ = control.create()
    arn = f"arn:aws:cloudfront::123456789012:distribution/{id_}"
    assert client.list_tags_for_resource(Resource=arn)["Tags"] == {"Items": []}
    tags = [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]
    client.tag_resource(Resource=arn, Tags={"Items": tags})
    client.tag_resource(Resource=arn, Tags={"Items": [{"Key": "a", "Value": "new"}]})
    assert client.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [{"Key": "a", "Value": "new"}, tags[1]]
    client.untag_resource(Resource=arn, TagKeys={"Items": ["a", "unknown"]})
    assert client.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == tags[1:]
    for call, more in (
        (client.list_tags_for_resource, {}),
        (client.tag_resource, {"Tags": {"Items": tags}}),
        (client.untag_resource, {"TagKeys": {"Items": ["a"]}}),
    ):
        assert refused(call, Resource=arn[:-1], **more)[:2] == (404, "NoSuchResource")
