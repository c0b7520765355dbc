"""boto3 makes hosted zones by our service, and moto's Route 53 has them: those made before it was loaded, too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.early_zones import Zones
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.route53 import Route53Service
from sandbox.model.route53_new_zones import NAME_SERVERS, NewZone

VPC = {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}


@pytest.fixture
def backend() -> Iterator[Embedded]:
    backend = Embedded()
    yield backend
    backend.reset()


@pytest.fixture
def route53(backend: Embedded) -> Iterator[Any]:
    with Gateway([Route53Service(backend.zones)], backend) as gateway:
        clients = Clients(gateway.url)
        yield clients("route53")
        clients.close()


def refusal(call: Any, **request: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_public_zone_is_answered_with_its_name_servers(route53: Any) -> None:
    made = route53.create_hosted_zone(
        Name="Example.com",
        CallerReference="1",
        HostedZoneConfig={"Comment": "<the shop's> & more", "PrivateZone": False},
    )
    zone_id = made["HostedZone"]["Id"]
    assert made["Location"] == f"https://route53.amazonaws.com/2013-04-01{zone_id}"
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["HostedZone"] == {
        "Id": zone_id,
        "Name": "example.com.",
        "CallerReference": "1",
        "Config": {"Comment": "<the shop's> & more", "PrivateZone": False},
        "ResourceRecordSetCount": 2,
    }
    assert made["DelegationSet"] == {"NameServers": list(NAME_SERVERS)}
    assert "VPC" not in made
    assert made["ChangeInfo"]["Status"] == "INSYNC"
    shown = route53.get_hosted_zone(Id=zone_id)
    assert shown["HostedZone"] == made["HostedZone"]
    assert shown["DelegationSet"]["NameServers"] == list(NAME_SERVERS)


def test_a_vpc_makes_a_zone_private(route53: Any, backend: Embedded) -> None:
    made = route53.create_hosted_zone(Name="shop.local", CallerReference="1", VPC=VPC)
    assert made["HostedZone"]["Config"] == {"PrivateZone": True}
    assert made["VPC"] == VPC
    assert "DelegationSet" not in made
    assert route53.get_hosted_zone(Id=made["HostedZone"]["Id"])["VPCs"] == [VPC]
    route53.create_hosted_zone(Name="example.com", CallerReference="2")
    assert [zone.private for zone in backend.hosted_zones()] == [True, False]


def test_a_vpc_has_one_private_zone_of_a_name(route53: Any) -> None:
    route53.create_hosted_zone(Name="shop.local", CallerReference="1", VPC=VPC)
    refused = refusal(route53.create_hosted_zone, Name="Shop.local.", CallerReference="2", VPC=VPC)
    assert refused == ("ConflictingDomainExists", 400)
    route53.create_hosted_zone(Name="shop.local", CallerReference="3", VPC={**VPC, "VPCId": "vpc-2"})


def test_a_caller_reference_makes_one_zone_for_ever(route53: Any) -> None:
    made = route53.create_hosted_zone(Name="example.com", CallerReference="1")
    assert refusal(route53.create_hosted_zone, Name="b.com", CallerReference="1") == ("HostedZoneAlreadyExists", 409)
    route53.delete_hosted_zone(Id=made["HostedZone"]["Id"])
    assert refusal(route53.create_hosted_zone, Name="b.com", CallerReference="1") == ("HostedZoneAlreadyExists", 409)
    route53.create_hosted_zone(Name="b.com", CallerReference="2")


def test_a_refused_request_does_not_use_its_reference_up(route53: Any) -> None:
    absent = {"Name": "example.com", "CallerReference": "1", "DelegationSetId": "N1PA6795SAMPLE"}
    assert refusal(route53.create_hosted_zone, **absent) == ("NoSuchDelegationSet", 400)
    route53.create_hosted_zone(Name="example.com", CallerReference="1")


def test_a_delegation_set_is_shown(route53: Any) -> None:
    given = route53.create_reusable_delegation_set(CallerReference="set")["DelegationSet"]
    made = route53.create_hosted_zone(Name="example.com", CallerReference="1", DelegationSetId=given["Id"])
    shown = made["DelegationSet"]
    assert shown["Id"].rpartition("/")[2] == given["Id"].rpartition("/")[2]
    assert shown["NameServers"] == given["NameServers"]


@pytest.mark.parametrize("name", ["a..b", "exa mple.com", 64 * "a" + ".com"])
def test_what_is_no_domain_name_is_refused(route53: Any, name: str) -> None:
    assert refusal(route53.create_hosted_zone, Name=name, CallerReference="1") == ("InvalidDomainName", 400)


def test_two_zones_of_one_name_are_two(route53: Any) -> None:
    ids = [route53.create_hosted_zone(Name="example.com", CallerReference=n)["HostedZone"]["Id"] for n in "12"]
    assert len(set(ids)) == 2
    assert [zone["Id"] for zone in route53.list_hosted_zones()["HostedZones"]] == ids


# A process in which moto has not been loaded: what is made and changed there is what moto would have had of it.
EARLY = """
import sys
from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.route53 import Route53Service

def record(action, name, *values, type="A"):
    values = [{"Value": value} for value in values]
    return {"Action": action, "ResourceRecordSet": {"Name": name, "Type": type, "TTL": 60, "ResourceRecords": values}}

def change(zone, *changes):
    answered = route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": list(changes)})
    return {name: one for name, one in answered["ChangeInfo"].items() if name != "SubmittedAt"}

def play(name, reference):
    zone = route53.create_hosted_zone(Name=name, CallerReference=reference)["HostedZone"]
    two = ("192.0.2.2", "192.0.2.3")
    said = [
        change(zone, record("UPSERT", f"WWW.{name}", "192.0.2.1"), record("CREATE", f"*.{name}", *two)),
        change(zone, record("UPSERT", f"www.{name}.", "192.0.2.9"), record("CREATE", f"b.{name}", "192.0.2.4")),
        change(zone, record("DELETE", f"b.{name}", "192.0.2.4"), record("UPSERT", name, "10 m.example.", type="MX")),
        change(zone, record("UPSERT", name, "ns.example.", type="NS")),
    ]
    taken = record("CREATE", f"www.{name}", "192.0.2.1")
    for wrong in (taken, record("UPSERT", f"x.{name}", "no address"), record("UPSERT", "elsewhere.test", "192.0.2.1")):
        try:
            change(zone, record("UPSERT", f"c.{name}", "192.0.2.5"), wrong)
        except route53.exceptions.InvalidChangeBatch as error:
            said.append(str(error).replace(name, "ZONE"))
        else:
            sys.exit(f"{wrong} was not refused")
    return zone, said

def held(zone):
    return route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]

backend = Embedded()
with Gateway([Route53Service(backend.zones)], backend) as gateway:
    route53 = Clients(gateway.url)("route53")
    first, told = play("one.example", "1")
    second = route53.create_hosted_zone(Name="two.example", CallerReference="2")
    try:
        route53.create_hosted_zone(Name="b.example", CallerReference="1")
    except route53.exceptions.HostedZoneAlreadyExists:
        pass
    else:
        sys.exit("a reference was used twice")
    early = backend.hosted_zones()
    assert [record_set.values for record_set in early[0].record_sets if record_set.name == "www.one.example."] == [
        ("192.0.2.9",)
    ]
    assert "moto" not in sys.modules, "moto has been loaded"
    late, told_later = play("six.example", "3") if held(first) else None
    assert "moto" in sys.modules
    assert told == told_later, (told, told_later)
    assert backend.hosted_zones()[:2] == early, (backend.hosted_zones(), early)
    renamed = str(held(late)).replace("six.example", "one.example")
    assert str(held(first)) == renamed, (held(first), renamed)
    third = route53.create_hosted_zone(Name="ten.example", CallerReference="4")
    assert third["DelegationSet"] == second["DelegationSet"]
    assert third["HostedZone"].keys() == second["HostedZone"].keys()
    assert route53.get_hosted_zone(Id=second["HostedZone"]["Id"])["HostedZone"] == second["HostedZone"]
"""


@pytest.mark.parametrize(
    "more",
    [
        {"SetIdentifier": "a", "Weight": 1, "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]},
        {
            "AliasTarget": {
                "HostedZoneId": "Z2FDTNDATAQYW2",
                "DNSName": "d.cloudfront.net",
                "EvaluateTargetHealth": False,
            }
        },
    ],
)
def test_other_record_sets_are_motos(more: dict[str, Any]) -> None:
    code = (
        "import sys; from sandbox.aws.backends.embedded import Embedded;"
        "from sandbox.model.route53_new_zones import NewZone; backend = Embedded();"
        "zone = backend.zones.make(NewZone('a.', '1')).id;"
        f"given = {{'Name': 'w.a', 'Type': 'A', **{more}}};"
        "backend.zones.change(zone, [{'Action': 'UPSERT', 'ResourceRecordSet': given}]);"
        "assert 'moto' in sys.modules;"
        "assert [one.name for one in backend.hosted_zones()[0].record_sets] == ['a.', 'a.', 'w.a.']"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_batch_has_a_thousand_records_at_most(route53: Any) -> None:
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]

    def batch(action: str, count: int) -> dict[str, Any]:
        values = [{"Value": f"10.0.{number // 256}.{number % 256}"} for number in range(count)]
        record_set = {"Name": "a.example.com", "Type": "A", "TTL": 1, "ResourceRecords": values}
        return {"HostedZoneId": zone, "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": record_set}]}}

    change = route53.change_resource_record_sets
    assert refusal(change, **batch("CREATE", 1001)) == ("InvalidChangeBatch", 400)
    assert refusal(change, **batch("UPSERT", 501)) == ("InvalidChangeBatch", 400)
    change(**batch("UPSERT", 500))


def test_a_zone_that_there_is_not_cannot_be_changed(route53: Any) -> None:
    record_set = {"Name": "a.b", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record_set}]}
    refused = refusal(route53.change_resource_record_sets, HostedZoneId="ZABSENT", ChangeBatch=batch)
    assert refused == ("NoSuchHostedZone", 404)


def test_zones_made_before_moto_is_loaded_are_as_those_made_after() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_private_zone_waits_for_moto() -> None:
    code = (
        "import sys; from sandbox.aws.backends.embedded import Embedded;"
        "from sandbox.model.route53_new_zones import NewZone; backend = Embedded();"
        "backend.zones.make(NewZone('a.', '1'));"
        "backend.zones.make(NewZone('b.', '2', private=True, vpc=('vpc-1', 'us-east-1')));"
        "assert 'moto' in sys.modules;"
        "assert [zone.name for zone in backend.hosted_zones()] == ['a.', 'b.']"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_forgotten_is_not_entered() -> None:
    zones = Zones()
    zones.make(NewZone("example.com.", "1"))
    zones.forget()
    assert zones.early() == []
    zones.make(NewZone("example.com.", "1"))  # its reference is free again
    zones.forget()
    zones.enter({})  # where there is nothing to enter it into
    assert zones.early() is None
