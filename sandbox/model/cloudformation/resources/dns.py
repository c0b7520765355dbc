"""AWS::Route53 and AWS::ServiceDiscovery; AWS::CertificateManager's certificates."""

from __future__ import annotations

from typing import Any

from sandbox.model.cloudformation.document import Path
from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind, last
from sandbox.model.cloudformation.shapes import Given, PropertyError, UnsupportedError
from sandbox.model.cloudformation.values import apply

_RECORD = (
    "AliasTarget Failover GeoLocation HealthCheckId MultiValueAnswer Name Region ResourceRecords SetIdentifier TTL "
    "Type Weight"
)
_ZONE = "HostedZoneId HostedZoneName"


def _hosted_zone(r: Resource) -> Made:
    vpcs = r.items("VPCs")
    answer = r.call(
        "route53.create_hosted_zone",
        {
            "CallerReference": r.label,
            **r.given("HostedZoneConfig", "Name"),
            **({"VPC": vpcs[0]} if vpcs else {}),
        },
    )
    zone = apply(last, answer("HostedZone.Id"))
    for vpc in vpcs[1:]:
        r.call("route53.associate_vpc_with_hosted_zone", {"HostedZoneId": zone, "VPC": vpc})
    r.around.remember("zone", r.get("Name"), zone)
    return Made(zone, {"Id": zone, "NameServers": answer("DelegationSet.NameServers")})


def _record_set(r: Resource) -> Made:
    record = {name: one for name, one in r.properties.items() if name in _RECORD.split()}
    _change(r, [(record, r.path)])
    return Made(r.get("Name"))


def _record_sets(r: Resource) -> Made:
    records = r.mappings("RecordSets")
    _change(r, [({k: v for k, v in one.items() if k not in _ZONE.split()}, path) for one, path in records])
    return Made(r.name())


def _change(r: Resource, records: list[tuple[dict[str, Any], Path]]) -> None:
    zone = r.around.zone(r.get("HostedZoneId"), r.get("HostedZoneName"))
    # CloudFormation creates records; one that is there already is an error, as by its API.
    changes = [{"Action": "CREATE", "ResourceRecordSet": _record(one, path)} for one, path in records]
    r.call("route53.change_resource_record_sets", {"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}})


def _record(record: dict[str, Any], path: Path) -> dict[str, Any]:
    for name in record:
        if name not in _RECORD.split():
            raise UnsupportedError((*path, name), _RECORD.split())
    made: dict[str, Any] = {name: Given(one, (*path, name)) for name, one in record.items()}
    if "ResourceRecords" in record:
        values = record["ResourceRecords"]
        if not isinstance(values, list):
            raise PropertyError((*path, "ResourceRecords"), "ResourceRecords is a list")
        made["ResourceRecords"] = [{"Value": one} for one in values]
    target = record.get("AliasTarget")
    if isinstance(target, dict):
        made["AliasTarget"] = Given({"EvaluateTargetHealth": False, **target}, (*path, "AliasTarget"))
    return made


def _health_check(r: Resource) -> Made:
    answer = r.call("route53.create_health_check", {"CallerReference": r.label, **r.given("HealthCheckConfig")})
    return Made(answer("HealthCheck.Id"), {"HealthCheckId": answer("HealthCheck.Id")})


def _namespace(operation: str) -> Any:
    def make(r: Resource) -> Made:
        begun = r.call(operation, r.given("Description", "Name", "Properties", "Tags", "Vpc"))
        ended = r.call("servicediscovery.get_operation", {"OperationId": begun("OperationId")})
        namespace = ended("Operation.Targets.NAMESPACE")
        found = r.call("servicediscovery.get_namespace", {"Id": namespace})
        zone = found("Namespace.Properties.DnsProperties.HostedZoneId")
        return Made(namespace, {"Arn": found("Namespace.Arn"), "Id": namespace, "HostedZoneId": zone})

    return make


_SERVICE = "Description DnsConfig HealthCheckConfig HealthCheckCustomConfig NamespaceId Tags Type"


def _service(r: Resource) -> Made:
    answer = r.call("servicediscovery.create_service", {"Name": r.named("Name"), **r.given(*_SERVICE.split())})
    service = answer("Service.Id")
    return Made(service, {"Arn": answer("Service.Arn"), "Id": service, "Name": answer("Service.Name")})


def _instance(r: Resource) -> Made:
    name = r.named("InstanceId", 64)
    attributes = Given(r.get("InstanceAttributes", {}), (*r.path, "InstanceAttributes"))
    r.call("servicediscovery.register_instance", {"InstanceId": name, "Attributes": attributes, **r.given("ServiceId")})
    return Made(name)


def _certificate(r: Resource) -> Made:
    answer = r.call(
        "acm.request_certificate", r.given("DomainName", "SubjectAlternativeNames", "Tags", "ValidationMethod")
    )
    return Made(answer("CertificateArn"))


_NAMESPACE = "Description Name Properties Tags"

KINDS: dict[str, Kind] = {
    "AWS::CertificateManager::Certificate": kind(
        "DomainName SubjectAlternativeNames Tags ValidationMethod", "", _certificate
    ),
    "AWS::Route53::HealthCheck": kind("HealthCheckConfig", "HealthCheckId", _health_check),
    "AWS::Route53::HostedZone": kind("HostedZoneConfig Name VPCs", "Id NameServers", _hosted_zone),
    "AWS::Route53::RecordSet": kind(f"{_RECORD} {_ZONE}", "", _record_set),
    "AWS::Route53::RecordSetGroup": kind(f"{_ZONE} RecordSets", "", _record_sets),
    "AWS::ServiceDiscovery::HttpNamespace": kind(
        "Description Name Tags", "Arn Id", _namespace("servicediscovery.create_http_namespace")
    ),
    "AWS::ServiceDiscovery::Instance": kind("InstanceAttributes InstanceId ServiceId", "", _instance),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": kind(
        f"{_NAMESPACE} Vpc", "Arn HostedZoneId Id", _namespace("servicediscovery.create_private_dns_namespace")
    ),
    "AWS::ServiceDiscovery::PublicDnsNamespace": kind(
        _NAMESPACE, "Arn HostedZoneId Id", _namespace("servicediscovery.create_public_dns_namespace")
    ),
    "AWS::ServiceDiscovery::Service": kind(f"{_SERVICE} Name", "Arn Id Name", _service),
}
