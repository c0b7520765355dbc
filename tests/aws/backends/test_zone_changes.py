"""boto3 against moto with our rules in front: what plain moto takes, or refuses, against Route 53."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.route53.models import Route53Backend

from sandbox.aws.backends.zone_changes import enforce_change_rules
from sandbox.aws.backends.zones import hosted_zones
from sandbox.model.route53 import Zones, answer


@pytest.fixture
def route53(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for owner, name in [
        (Route53Backend, "change_resource_record_sets"),
        (Route53Backend, "delete_hosted_zone"),
    ]:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back at the end
    enforce_change_rules()
    with mock_aws():
        yield boto3.client("route53", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def zone_id(route53: Any) -> str:
    return str(route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"])


def a(action: str, name: str, *values: str) -> dict[str, Any]:
    records = [{"Value": value} for value in values]
    return {"Action": action, "ResourceRecordSet": {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": records}}


def change(route53: Any, zone_id: str, *changes: dict[str, Any]) -> None:
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": list(changes)})


def refused(route53: Any, zone_id: str, *changes: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        change(route53, zone_id, *changes)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def values(name: str) -> list[str]:
    return sorted(record.value for record in answer(Zones(hosted_zones()), name, "A", Random(0)).answers)


def test_create_of_an_existing_record_with_another_value_is_refused(route53: Any, zone_id: str) -> None:
    change(route53, zone_id, a("CREATE", "www.example.com", "192.0.2.1"))
    assert refused(route53, zone_id, a("CREATE", "www.example.com.", "192.0.2.2")) == (
        "InvalidChangeBatch",
        "[Tried to create resource record set [name='www.example.com.', type='A'] but it already exists]",
    )
    assert values("www.example.com") == ["192.0.2.1"]


def test_record_can_be_created_again_after_its_deletion(route53: Any, zone_id: str) -> None:
    change(route53, zone_id, a("CREATE", "zzz.example.com", "192.0.2.9"))
    for _ in range(2):
        change(route53, zone_id, a("CREATE", "www.example.com", "192.0.2.1"))
        change(route53, zone_id, a("DELETE", "www.example.com", "192.0.2.1"))
    assert values("www.example.com") == []


def test_refused_batch_changes_nothing(route53: Any, zone_id: str) -> None:
    code, message = refused(
        route53, zone_id, a("UPSERT", "new.example.com", "192.0.2.1"), a("UPSERT", "other.example.org", "192.0.2.1")
    )
    assert code == "InvalidChangeBatch"
    assert "other.example.org. is not permitted in zone example.com." in message
    assert values("new.example.com") == []


def test_value_that_is_no_address_is_refused(route53: Any, zone_id: str) -> None:
    code, message = refused(route53, zone_id, a("UPSERT", "www.example.com", "eni-0123"))
    assert code == "InvalidChangeBatch"
    assert "ARRDATAIllegalIPv4Address" in message


def test_delete_needs_the_present_values(route53: Any, zone_id: str) -> None:
    change(route53, zone_id, a("UPSERT", "www.example.com", "192.0.2.1"))
    change(route53, zone_id, a("UPSERT", "www.example.com", "192.0.2.2"))
    _, message = refused(route53, zone_id, a("DELETE", "www.example.com", "192.0.2.1"))
    assert "do not match the current values" in message
    change(route53, zone_id, a("DELETE", "www.example.com", "192.0.2.2"))
    assert values("www.example.com") == []


def test_neither_values_nor_alias_is_invalid_input(route53: Any, zone_id: str) -> None:
    empty = {"Action": "UPSERT", "ResourceRecordSet": {"Name": "www.example.com", "Type": "A"}}
    assert refused(route53, zone_id, empty)[0] == "InvalidInput"


def test_listing_shows_what_was_changed(route53: Any, zone_id: str) -> None:
    change(route53, zone_id, a("UPSERT", "WWW.example.com", "192.0.2.1", "192.0.2.2"))
    listed = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    assert [(r["Name"], r["Type"]) for r in listed] == [
        ("example.com.", "NS"), ("example.com.", "SOA"), ("www.example.com.", "A"),
    ]  # fmt: skip
    assert listed[2]["ResourceRecords"] == [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}]
    assert listed[2]["TTL"] == 60
    change(route53, zone_id, a("DELETE", "www.example.com", "192.0.2.1", "192.0.2.2"))
    route53.delete_hosted_zone(Id=zone_id)
    assert hosted_zones() == []
