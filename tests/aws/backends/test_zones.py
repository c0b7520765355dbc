"""boto3 writes hosted zones into moto; our model reads them and answers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.aws.backends.zones import hosted_zones, put_hosted_zones
from sandbox.model.route53 import Answer, HostedZone, Rcode, RecordSet, Zones, answer


@pytest.fixture
def route53() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("route53", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def zone_id(route53: Any) -> str:
    return str(route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"])


def change(route53: Any, zone_id: str, action: str, **record_set: Any) -> str:
    values = record_set.pop("values", None)
    if values is not None:
        record_set |= {"TTL": 60, "ResourceRecords": [{"Value": value} for value in values]}
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record_set}]}
    answered = route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
    return str(answered["ChangeInfo"]["Id"])


def ask(name: str, type: str = "A") -> Answer:
    return answer(Zones(hosted_zones()), name, type, Random(0))


def values(name: str, type: str = "A") -> list[str]:
    return sorted(record.value for record in ask(name, type).answers)


def test_no_zone(route53: Any) -> None:
    assert hosted_zones() == []
    assert ask("example.com") == Answer(Rcode.NXDOMAIN)


def test_new_zone_has_name_servers_and_soa(zone_id: str) -> None:
    (zone,) = hosted_zones()
    assert (f"/hostedzone/{zone.id}", zone.name, zone.private) == (zone_id, "example.com.", False)
    servers = ask("example.com", "NS").answers
    assert len(servers) == 4
    assert {record.ttl for record in servers} == {172800}
    (soa,) = ask("example.com", "SOA").answers
    assert soa.ttl == 900
    assert soa.value.endswith(" 1 7200 900 1209600 86400")


def test_record_is_created_replaced_and_deleted(route53: Any, zone_id: str) -> None:
    www = {"Name": "www.example.com", "Type": "A"}
    change_id = change(route53, zone_id, "UPSERT", **www, values=["192.0.2.1"])
    assert route53.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"
    assert values("www.example.com") == ["192.0.2.1"]
    change(route53, zone_id, "UPSERT", **www, values=["192.0.2.2", "192.0.2.3"])
    assert values("www.example.com") == ["192.0.2.2", "192.0.2.3"]
    change(route53, zone_id, "DELETE", **www, values=["192.0.2.2", "192.0.2.3"])
    gone = ask("www.example.com")
    assert (gone.rcode, gone.authority[0].ttl) == (Rcode.NXDOMAIN, 900)


def test_create_of_an_existing_record_is_refused(route53: Any, zone_id: str) -> None:
    change(route53, zone_id, "CREATE", Name="www.example.com", Type="A", values=["192.0.2.1"])
    with pytest.raises(ClientError) as refused:
        change(route53, zone_id, "CREATE", Name="www.example.com", Type="A", values=["192.0.2.1"])
    assert refused.value.response["Error"]["Code"] == "InvalidChangeBatch"
    assert values("www.example.com") == ["192.0.2.1"]


def test_routing_policies_and_aliases_are_read(route53: Any, zone_id: str) -> None:
    for number in range(10):
        change(
            route53, zone_id, "CREATE", Name="m.example.com", Type="A",
            SetIdentifier=str(number), MultiValueAnswer=True, values=[f"192.0.2.{number}"],
        )  # fmt: skip
    for number, weight in ((1, 0), (2, 5)):
        change(
            route53, zone_id, "CREATE", Name="w.example.com", Type="A",
            SetIdentifier=str(number), Weight=weight, values=[f"192.0.2.{number}"],
        )  # fmt: skip
    target = {"HostedZoneId": zone_id.removeprefix("/hostedzone/"), "DNSName": "w.example.com"}
    alias = target | {"EvaluateTargetHealth": False}
    change(route53, zone_id, "CREATE", Name="example.com", Type="A", AliasTarget=alias)
    change(route53, zone_id, "CREATE", Name="*.wild.example.com", Type="CNAME", values=["w.example.com"])
    assert len(values("m.example.com")) == 8
    assert values("w.example.com") == values("example.com") == ["192.0.2.2"]
    assert values("any.wild.example.com") == ["192.0.2.2", "w.example.com"]


def test_private_zone_and_deleted_zone(route53: Any, zone_id: str) -> None:
    private = route53.create_hosted_zone(
        Name="example.com",
        CallerReference="2",
        HostedZoneConfig={"PrivateZone": True},
        VPC={"VPCRegion": "us-east-1", "VPCId": "vpc-12345678"},
    )["HostedZone"]["Id"]
    change(route53, zone_id, "CREATE", Name="www.example.com", Type="A", values=["192.0.2.1"])
    assert ask("www.example.com").rcode is Rcode.NXDOMAIN
    route53.delete_hosted_zone(Id=private)
    assert values("www.example.com") == ["192.0.2.1"]


def test_zones_are_put_as_they_are(route53: Any, zone_id: str) -> None:
    zones = [
        HostedZone(
            "Z1",
            "example.org",
            record_sets=(
                RecordSet("a.example.org.", "A", 10, ("192.0.2.1",)),
                RecordSet("w.example.org.", "A", 10, ("192.0.2.2",), set_identifier="one", weight=3),
                RecordSet("b.example.org.", "A", alias_target="a.example.org."),
            ),
        ),
        HostedZone("Z2", "internal", private=True),
    ]
    put_hosted_zones(zones)
    found = hosted_zones()
    assert [(zone.id, zone.name, zone.private) for zone in found] == [
        ("Z1", "example.org.", False),
        ("Z2", "internal.", True),
    ]
    assert {one.type for one in found[0].record_sets} == {"NS", "SOA", "A"}
    assert tuple(one for one in found[0].record_sets if one.type == "A") == zones[0].record_sets
    change(route53, "Z1", "UPSERT", Name="a.example.org", Type="A", values=["192.0.2.9"])
    assert ask("b.example.org").answers[0].value == "192.0.2.9"
    put_hosted_zones(zones)
    assert ask("b.example.org").answers[0].value == "192.0.2.1"
