"""How Cloud Map's API shows what the model has, and which of it a List action's filters want."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sandbox.aws.protocol import AwsError
from sandbox.model.cloudmap_messages import Operation
from sandbox.model.cloudmap_records import Namespace, Service

Request = dict[str, Any]
Answer = dict[str, Any]

_PAGE = 100
_OWNERS = {"SELF", "OTHER_ACCOUNTS"}
# API Reference, "NamespaceFilter", "ServiceFilter", "OperationFilter": Condition.
_CONDITIONS = {
    "TYPE": {"EQ", "IN", "BEGINS_WITH"},
    "NAME": {"EQ", "BEGINS_WITH"},
    "HTTP_NAME": {"EQ", "BEGINS_WITH"},
    "STATUS": {"EQ", "IN"},
    "UPDATE_DATE": {"BETWEEN"},
}


def namespace(one: Namespace, services: int, account: str) -> Answer:
    """A Namespace."""
    properties: Answer = {"HttpProperties": {"HttpName": one.http_name}}
    if one.zone_id:
        properties["DnsProperties"] = {"HostedZoneId": one.zone_id, "SOA": {"TTL": one.soa_ttl}}
    return {
        "Id": one.id,
        "Arn": one.arn,
        "ResourceOwner": account,
        "Name": one.name,
        "Type": one.type,
        "Description": one.description,
        "ServiceCount": services,
        "Properties": properties,
        "CreateDate": one.created,
        "CreatorRequestId": one.creator_request_id or None,
    }


def service(one: Service, account: str) -> Answer:
    """A Service."""
    shown: Answer = {
        "Id": one.id,
        "Arn": one.arn,
        "ResourceOwner": account,
        "CreatedByAccount": account,
        "Name": one.name,
        "NamespaceId": one.namespace.id,
        "Description": one.description,
        "InstanceCount": len(one.instances),
        "Type": "DNS_HTTP" if one.records else "HTTP",
        "CreateDate": one.created,
        "CreatorRequestId": one.creator_request_id or None,
    }
    if one.records:
        shown["DnsConfig"] = {
            "NamespaceId": one.namespace.id,
            "RoutingPolicy": one.routing_policy,
            "DnsRecords": [{"Type": record.type, "TTL": record.ttl} for record in one.records],
        }
    if one.custom_health:
        shown["HealthCheckCustomConfig"] = {"FailureThreshold": 1}
    if one.health_check:
        shown["HealthCheckConfig"] = {
            "Type": one.health_check.type,
            "ResourcePath": one.health_check.path,
            "FailureThreshold": one.health_check.threshold,
        }
    return shown


def summary(shown: Answer, *left_out: str) -> Answer:
    """What the List actions show of it."""
    return {name: value for name, value in shown.items() if name not in {"CreatorRequestId", *left_out}}


def operation(one: Operation, now: float, account: str) -> Answer:
    """An Operation."""
    status = one.status(now)
    failed = status == "FAIL"
    return {
        "Id": one.id,
        "OwnerAccount": account,
        "Type": one.type,
        "Status": status,
        "ErrorCode": one.error_code if failed else None,
        "ErrorMessage": one.error_message if failed else None,
        "CreateDate": one.submitted,
        "UpdateDate": one.updated(now),
        "Targets": dict(one.targets),
    }


def filters(request: Request) -> list[Mapping[str, Any]]:
    """The filters of a List action.

    Raises:
        AwsError: InvalidInput: a filter does not have that condition, or a condition takes other values.
    """
    given: list[Mapping[str, Any]] = list(request.get("Filters", ()))
    for one in given:
        name, values, condition = one["Name"], one["Values"], one.get("Condition", "EQ")
        if condition not in _CONDITIONS.get(name, {"EQ"}):
            raise AwsError("InvalidInput", f"The condition {condition} is not supported for {name}")
        if condition in {"EQ", "BEGINS_WITH"} and len(values) != 1:
            raise AwsError("InvalidInput", f"The condition {condition} takes one value")
        if name == "RESOURCE_OWNER" and values[0] not in _OWNERS:
            raise AwsError("InvalidInput", "RESOURCE_OWNER must be SELF or OTHER_ACCOUNTS")
        if condition == "BETWEEN":
            _times(values)
    return given


def wanted(item: Mapping[str, Any], filters: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an item, by the names that filters have for what it is, passes all of them."""
    return all(_passes(item, one) for one in filters)


def _passes(item: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    name, values, condition = one["Name"], one["Values"], one.get("Condition", "EQ")
    if name == "RESOURCE_OWNER":
        return bool(values[0] == "SELF")
    value = item[name]
    if condition == "BETWEEN":
        first, last = _times(values)
        return first <= float(value) <= last
    if condition == "BEGINS_WITH":
        return str(value).startswith(values[0])
    return any(value == given.rpartition("/")[2] if name.endswith("_ID") else value == given for given in values)


def _times(values: Sequence[str]) -> tuple[float, float]:
    try:
        first, last = (float(given) for given in values)
    except ValueError:
        raise AwsError("InvalidInput", "The condition BETWEEN takes two times in seconds") from None
    return first, last


def paged(items: Sequence[Any], request: Request, member: str, show: Callable[[Any], Any]) -> Answer:
    """One page of a List action: MaxResults from NextToken on.

    Raises:
        AwsError: InvalidInput: the token is none of ours.
    """
    start = _position(request["NextToken"]) if request.get("NextToken") else 0
    end = start + request.get("MaxResults", _PAGE)
    answer: Answer = {member: [show(item) for item in items[start:end]]}
    if end < len(items):
        answer["NextToken"] = base64.b64encode(str(end).encode()).decode()
    return answer


def _position(token: str) -> int:
    try:
        return max(int(base64.b64decode(token, validate=True)), 0)
    except ValueError:
        raise AwsError("InvalidInput", "The NextToken is not valid.") from None
