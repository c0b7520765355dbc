"""The hosted zones that LocalStack's Route 53 holds, read by its API, as our model's."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from botocore.parsers import ResponseParser, create_parser

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.backends.localstack.connection import Connection
from sandbox.aws.backends.localstack.services import authorization
from sandbox.aws.protocol import service_model
from sandbox.errors import SandboxError
from sandbox.model.route53 import HostedZone, RecordSet

# LocalStack shows the value of a zone's own SOA as the text of a Python dictionary.
_WRAPPED = re.compile(r"\{'Value': '(.*)'\}")
_ZONES = "/2013-04-01/hostedzone"


def read_zones(connection: Connection, is_healthy: Callable[[str], bool]) -> list[HostedZone]:
    """Every hosted zone with every record set in it; a zone that goes away meanwhile is left out.

    Args:
        connection: To LocalStack.
        is_healthy: What a health check says, by its id.

    Raises:
        SandboxError: LocalStack does not answer, or refuses.
    """
    found: list[HostedZone] = []
    for zone in _pages(connection, "ListHostedZones", _ZONES, "HostedZones"):
        zone_id = zone["Id"].rpartition("/")[2]
        path = f"{_ZONES}/{quote(zone_id)}/rrset"
        shown = _pages(connection, "ListResourceRecordSets", path, "ResourceRecordSets")
        sets = tuple(_record_set(one, is_healthy) for one in shown)
        private = bool(zone.get("Config", {}).get("PrivateZone"))
        found.append(HostedZone(id=zone_id, name=zone["Name"], private=private, record_sets=sets))
    return found


def _record_set(shown: Mapping[str, Any], is_healthy: Callable[[str], bool]) -> RecordSet:
    check = shown.get("HealthCheckId")
    alias = shown.get("AliasTarget") or {}
    return RecordSet(
        name=shown["Name"],
        type=shown["Type"],
        ttl=None if alias else int(shown.get("TTL") or 0),
        values=tuple(_WRAPPED.sub(r"\1", record["Value"]) for record in shown.get("ResourceRecords", ())),
        set_identifier=shown.get("SetIdentifier"),
        weight=shown.get("Weight"),
        multivalue=bool(shown.get("MultiValueAnswer")),
        alias_target=alias.get("DNSName"),
        health_check_id=check,
        healthy=check is None or is_healthy(check),
    )


def _pages(connection: Connection, operation: str, path: str, member: str) -> Iterator[dict[str, Any]]:
    query: dict[str, str] = {}
    while True:
        page = _ask(connection, operation, f"{path}?{urlencode(query)}" if query else path)
        yield from page.get(member, ())
        if not page.get("IsTruncated"):
            return
        nexts = {"NextRecordName": "name", "NextRecordType": "type", "NextRecordIdentifier": "identifier"}
        query = {"marker": page["NextMarker"]} if page.get("NextMarker") else {}
        query |= {name: page[key] for key, name in nexts.items() if page.get(key)}


def _ask(connection: Connection, operation: str, uri: str) -> dict[str, Any]:
    headers = {"Authorization": authorization("route53", ACCOUNT_ID)}
    status, answered, body = connection.ask("GET", uri, headers)
    if status == 404:
        return {}
    if status != 200:
        raise SandboxError(f"LocalStack's route53 refuses {operation}", state=f"HTTP {status}: {body[:500]!r}")
    response = {"status_code": status, "headers": answered, "body": body}
    parsed: dict[str, Any] = _parser().parse(response, service_model("route53").operation_model(operation).output_shape)
    return parsed


@functools.cache
def _parser() -> ResponseParser:
    return create_parser("rest-xml")
