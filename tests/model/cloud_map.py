"""Cloud Map's model for tests, with a clock and whoever carries out what it decides."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from sandbox.model.cloudmap import CloudMap
from sandbox.model.cloudmap_messages import (
    MakeZone,
    PutHealthCheck,
    PutRecords,
    RemoveHealthCheck,
    RemoveZone,
    Settle,
    Tell,
)
from sandbox.model.cloudmap_records import CloudMapError
from sandbox.model.route53 import HostedZone, RecordSet, Zones, answer

ADDRESS = {"AWS_INSTANCE_IPV4": "10.0.0.4"}
PORT = {"AWS_INSTANCE_PORT": "32768"}


class Map:
    """Cloud Map with a clock, DNS and health checks that know what it wants known."""

    def __init__(self):
        numbers, prefix = itertools.count(1), "arn:aws:servicediscovery:us-east-1:1"
        self.cloudmap = CloudMap(prefix, lambda: f"{next(numbers):016x}" * 2, {"i-1": "10.0.0.9"}.get)
        self.now = 0.0
        self.asked = 0.0  # when the last registration was: one is over before the next one of the instance
        self.zones = {}
        self.settles = []
        self.checks = {}
        self.told = []

    def do(self, action, *arguments):
        """One action, and what follows of it."""
        result = getattr(self.cloudmap, action)(*arguments)
        for command in self.take():
            match command:
                case MakeZone(namespace):
                    self.zones[namespace.zone_id] = (namespace, ())
                case RemoveZone(zone_id):
                    del self.zones[zone_id]
                case PutRecords(namespace):
                    self.zones[namespace.zone_id] = (namespace, tuple(self.cloudmap.record_sets(namespace)))
                case PutHealthCheck(id_):
                    self.checks[id_] = command
                case RemoveHealthCheck(id_):
                    del self.checks[id_]
                case Settle():
                    self.settles.append((self.now + 30, command))
                case Tell(change, service, instance):
                    self.told.append((change, service.name, instance.id, service.health_of(instance)))
        return result

    def take(self):
        commands, self.cloudmap.commands = self.cloudmap.commands, []
        return commands

    def namespace(self, type_="DNS_PRIVATE", name="shop.local", **request):
        request = {"Name": name, **({"Vpc": "vpc-1"} if type_ == "DNS_PRIVATE" else {}), **request}
        operation = self.do("create_namespace", type_, request, self.now)
        return self.cloudmap.namespaces[operation.targets["NAMESPACE"]]

    def service(self, *types, policy="MULTIVALUE", health=False, name="web", namespace=None, ttl=10, check=None):
        request = {"Name": name, "NamespaceId": (namespace or self.namespace()).id}
        if types:
            records = [{"Type": type_, "TTL": ttl} for type_ in types]
            request["DnsConfig"] = {"DnsRecords": records, "RoutingPolicy": policy}
        if health:
            request["HealthCheckCustomConfig"] = {}
        if check:
            request["HealthCheckConfig"] = check
        return self.do("create_service", request, self.now)

    def register(self, service, instance, **attributes):
        request = {"ServiceId": service.arn, "InstanceId": instance, "Attributes": attributes}
        self.asked += 1.0
        return self.do("register", request, self.asked)

    def wait(self, seconds):
        self.now += seconds
        due = [command for at, command in self.settles if at <= self.now]
        self.settles = [(at, command) for at, command in self.settles if at > self.now]
        for command in due:
            self.do("settle_health", command)

    def dns(self, name, type_="A", seed=0):
        """What DNS says now."""
        zones = []
        for zone_id, (namespace, record_sets) in self.zones.items():
            soa = RecordSet(namespace.name, "SOA", namespace.soa_ttl, ("ns. host. 1 7200 900 1209600 86400",))
            zones.append(HostedZone(zone_id, namespace.name, namespace.type == "DNS_PRIVATE", (soa, *record_sets)))
        return answer(Zones(zones), name, type_, Random(seed))

    def values(self, name, type_="A", seed=0):
        return [record.value for record in self.dns(name, type_, seed).answers]


def refusal(cloud, action, *arguments):
    with pytest.raises(CloudMapError) as caught:
        cloud.do(action, *arguments)
    assert cloud.take() == []
    return caught.value
