"""Hosted zones that are made, and record sets that are changed; the rest of Route 53 is the backend's.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.aws.backends.early_zones import MadeZone, Zones
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.model.route53_new_zones import InvalidNameError, NewZone, stored_name

_LOCATION = "https://route53.amazonaws.com/2013-04-01/hostedzone/"


class Route53Service:
    """See the module.

    Args:
        zones: Makes and changes zones.
    """

    service_name = "route53"
    validation_error_code = "InvalidInput"
    falls_back = True

    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    def create_hosted_zone(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """CreateHostedZone: a zone with a VPC is a private one, whatever its configuration says."""
        config, vpc = request.get("HostedZoneConfig") or {}, request.get("VPC") or {}
        try:
            name = stored_name(request["Name"])
        except InvalidNameError as error:
            raise AwsError("InvalidDomainName", str(error)) from error
        vpc_id, vpc_region = vpc.get("VPCId"), vpc.get("VPCRegion") or context.region
        zone = NewZone(
            name,
            request["CallerReference"],
            config.get("Comment"),
            bool(config.get("PrivateZone") or vpc_id),
            (vpc_id, vpc_region) if vpc_id else None,
            (request.get("DelegationSetId") or "").removeprefix("/delegationset/"),
        )
        return _shown(self._zones.make(zone))

    def change_resource_record_sets(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """ChangeResourceRecordSets: all changes of a batch, or none."""
        self._zones.change(request["HostedZoneId"].rpartition("/")[2], request["ChangeBatch"]["Changes"])
        return {"ChangeInfo": _change_info("C2682N5HXP0BZ4")}


def _change_info(change: str) -> dict[str, Any]:
    # Every change is in DNS before it is answered.
    return {"Id": f"/change/{change}", "Status": "INSYNC", "SubmittedAt": datetime.now(UTC)}


def _shown(made: MadeZone) -> dict[str, Any]:
    zone = made.zone
    shown: dict[str, Any] = {
        "HostedZone": {
            "Id": f"/hostedzone/{made.id}",
            "Name": zone.name,
            "CallerReference": zone.caller_reference,
            "Config": {"PrivateZone": zone.private} | ({} if zone.comment is None else {"Comment": zone.comment}),
            "ResourceRecordSetCount": 2,
        },
        "ChangeInfo": _change_info("C1PA6795UKMFR9"),
        "Location": _LOCATION + made.id,
    }
    if zone.vpc is not None:
        vpc_id, region = zone.vpc
        shown["VPC"] = {"VPCId": vpc_id, "VPCRegion": region}
    if not zone.private:
        given = {"Id": f"/delegationset/{zone.delegation_set}"} if zone.delegation_set else {}
        shown["DelegationSet"] = {"NameServers": list(made.name_servers), **given}
    return shown
