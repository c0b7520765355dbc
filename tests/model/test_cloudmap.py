"""Cloud Map, as transcripts: actions in, commands and answers out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudmap_records import CloudMapError
from sandbox.model.route53 import Rcode
from tests.model.cloud_map import ADDRESS, PORT, Map, refusal


@pytest.fixture
def cloud():
    return Map()


# -- namespaces --


def test_a_namespace_is_a_hosted_zone_but_for_http(cloud):
    for type_ in ("DNS_PRIVATE", "DNS_PUBLIC", "HTTP"):
        cloud.namespace(type_)
    assert [namespace.type for namespace, _ in cloud.zones.values()] == ["DNS_PRIVATE", "DNS_PUBLIC"]


def test_names_are_taken_once_by_type_and_vpc(cloud):
    first = cloud.namespace(CreatorRequestId="mine")
    error = refusal(cloud, "create_namespace", "DNS_PRIVATE", {"Name": "SHOP.local", "Vpc": "vpc-1"}, 0.0)
    assert (error.code, error.members["NamespaceId"]) == ("NamespaceAlreadyExists", first.id)
    assert error.members["CreatorRequestId"] == "mine"
    other = cloud.namespace(Vpc="vpc-2")
    assert first.http_name == "shop.local"
    assert other.http_name.startswith("shop.local-")  # a hash tells it apart for DiscoverInstances
    cloud.namespace("HTTP", "shop")
    assert refusal(cloud, "create_namespace", "HTTP", {"Name": "shop"}, 0.0).code == "NamespaceAlreadyExists"
    cloud.namespace("HTTP", "SHOP")


def test_the_same_request_twice_is_one(cloud):
    request = {"Name": "shop.local", "Vpc": "vpc-1", "CreatorRequestId": "once"}
    first = cloud.do("create_namespace", "DNS_PRIVATE", request, 0.0)
    assert cloud.do("create_namespace", "DNS_PRIVATE", dict(request), 1.0) is first
    assert len(cloud.cloudmap.namespaces) == 1


def test_a_name_that_is_none_of_dns(cloud):
    for name in ("shop..local", "x" * 64 + ".local"):
        assert refusal(cloud, "create_namespace", "DNS_PUBLIC", {"Name": name}, 0.0).code == "InvalidInput"


def test_a_zone_that_cannot_be_had_fails_the_operation(cloud):
    operation = cloud.cloudmap.create_namespace("DNS_PRIVATE", {"Name": "shop.local", "Vpc": "vpc-1"}, 0.0)
    (command,) = cloud.take()
    cloud.cloudmap.zone_refused(command, "taken")
    assert [operation.status(now) for now in (0.05, 0.2, 1)] == ["SUBMITTED", "PENDING", "FAIL"]
    assert operation.error_code == "CANNOT_CREATE_HOSTED_ZONE"
    assert cloud.cloudmap.namespaces == {}


def test_a_namespace_with_services_stays(cloud):
    service = cloud.service("A")
    assert refusal(cloud, "delete_namespace", service.namespace.id, 0.0).code == "ResourceInUse"
    cloud.do("delete_service", service.id)
    cloud.do("delete_namespace", service.namespace.arn, 0.0)
    assert cloud.zones == {}
    assert refusal(cloud, "delete_namespace", service.namespace.id, 0.0).code == "NamespaceNotFound"


def test_the_soa_bounds_negative_caching(cloud):
    namespace = cloud.namespace()
    (soa,) = cloud.dns("nothing.shop.local").authority
    assert soa.ttl == 15
    change = {"Properties": {"DnsProperties": {"SOA": {"TTL": 60}}}, "Description": "d"}
    cloud.do("update_namespace", "DNS_PRIVATE", {"Id": namespace.id, "Namespace": change}, 0.0)
    assert cloud.dns("nothing.shop.local").authority[0].ttl == 60
    assert namespace.description == "d"
    wrong = {"Id": namespace.id, "Namespace": {}}
    assert refusal(cloud, "update_namespace", "HTTP", wrong, 0.0).code == "InvalidInput"


# -- services --


@pytest.mark.parametrize("types", [["A"], ["AAAA"], ["A", "AAAA"], ["SRV"]])
def test_the_record_types_that_a_service_can_have(cloud, types):
    assert cloud.service(*types).record_types == tuple(types)


@pytest.mark.parametrize("types", [["A", "SRV"], ["A", "A"], ["CNAME"], ["CNAME", "A"]])
def test_combinations_that_are_none(cloud, types):
    records = [{"Type": type_, "TTL": 1} for type_ in types]
    request = {"Name": "web", "NamespaceId": cloud.namespace().id, "DnsConfig": {"DnsRecords": records}}
    assert refusal(cloud, "create_service", request, 0.0).code == "InvalidInput"


def test_services_that_are_refused(cloud):
    namespace, http = cloud.namespace(), cloud.namespace("HTTP", "api")
    config = {"DnsRecords": [{"Type": "A", "TTL": 1}]}
    check = {"Type": "HTTP"}
    for request in [
        {"Name": "web"},
        {"Name": "web", "NamespaceId": namespace.id},
        {"Name": "web", "NamespaceId": http.id, "DnsConfig": config},
        {"Name": "web", "NamespaceId": namespace.id, "DnsConfig": config, "Type": "HTTP"},
        {"Name": "web", "NamespaceId": namespace.id, "DnsConfig": config, "HealthCheckConfig": check},
    ]:
        assert refusal(cloud, "create_service", request, 0.0).code == "InvalidInput"
    request = {"Name": "web", "NamespaceId": "ns-none", "DnsConfig": config}
    assert refusal(cloud, "create_service", request, 0.0).code == "NamespaceNotFound"


def test_service_names_that_differ_by_case_are_the_same_in_dns(cloud):
    service = cloud.service("A")
    request = {
        "Name": "WEB",
        "NamespaceId": service.namespace.id,
        "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 1}]},
    }
    error = refusal(cloud, "create_service", request, 0.0)
    assert (error.code, error.members["ServiceArn"]) == ("ServiceAlreadyExists", service.arn)


def test_only_the_time_to_live_of_records_changes(cloud):
    service = cloud.service("A")
    cloud.register(service, "i", **ADDRESS)
    change = {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 60}]}}
    cloud.do("update_service", {"Id": service.id, "Service": change}, 0.0)
    assert cloud.dns("web.shop.local").answers[0].ttl == 60
    change = {"DnsConfig": {"DnsRecords": [{"Type": "SRV", "TTL": 60}]}}
    assert refusal(cloud, "update_service", {"Id": service.id, "Service": change}, 0.0).code == "InvalidInput"


# -- instances --


def test_an_a_record_of_each_instance(cloud):
    service = cloud.service("A")
    cloud.register(service, "one", **ADDRESS)
    cloud.register(service, "two", AWS_INSTANCE_IPV4="10.0.0.5")
    assert sorted(cloud.values("web.shop.local")) == ["10.0.0.4", "10.0.0.5"]
    assert cloud.dns("web.shop.local").answers[0].ttl == 10
    cloud.register(service, "one", AWS_INSTANCE_IPV4="10.0.0.6")
    assert sorted(cloud.values("web.shop.local")) == ["10.0.0.5", "10.0.0.6"]
    cloud.do("deregister", service.id, "one", 0.0)
    assert cloud.values("web.shop.local") == ["10.0.0.5"]
    cloud.do("deregister", service.id, "two", 0.0)
    assert cloud.dns("web.shop.local").rcode is Rcode.NXDOMAIN
    assert [told[:3] for told in cloud.told] == [
        ("registered", "web", "one"),
        ("registered", "web", "two"),
        ("updated", "web", "one"),
        ("deregistered", "web", "one"),
        ("deregistered", "web", "two"),
    ]
    assert service.revision == 5


def test_an_srv_record_names_a_host_that_has_the_address(cloud):
    service = cloud.service("SRV")
    cloud.register(service, "i-1", **ADDRESS, **PORT)
    assert cloud.values("web.shop.local", "SRV") == ["1 1 32768 i-1.web.shop.local"]
    assert cloud.values("i-1.web.shop.local") == ["10.0.0.4"]
    assert cloud.values("web.shop.local", "A") == []
    assert cloud.dns("web.shop.local", "A").rcode is Rcode.NOERROR


def test_a_and_aaaa(cloud):
    service = cloud.service("A", "AAAA")
    cloud.register(service, "i", **ADDRESS, AWS_INSTANCE_IPV6="2001:db8::1")
    assert cloud.values("web.shop.local", "AAAA") == ["2001:db8::1"]


def test_a_cname(cloud):
    service = cloud.service("CNAME", policy="WEIGHTED")
    cloud.register(service, "i", AWS_INSTANCE_CNAME="www.example.com")
    assert cloud.values("web.shop.local", "CNAME") == ["www.example.com"]


def test_an_alias_takes_a_weighted_service(cloud):
    service = cloud.service("A", policy="WEIGHTED")
    cloud.register(service, "i", AWS_ALIAS_DNS_NAME="lb-1.us-east-1.elb.amazonaws.com")
    (record_set,) = cloud.cloudmap.record_sets(service.namespace)
    assert (record_set.alias_target, record_set.ttl) == ("lb-1.us-east-1.elb.amazonaws.com", None)


def test_weighted_answers_have_one_instance_of_equal_chance(cloud):
    service = cloud.service("A", policy="WEIGHTED")
    for number in range(3):
        cloud.register(service, f"i{number}", AWS_INSTANCE_IPV4=f"10.0.0.{number}")
    answers = [cloud.values("web.shop.local", seed=seed) for seed in range(60)]
    assert {len(values) for values in answers} == {1}
    assert {values[0] for values in answers} == {"10.0.0.0", "10.0.0.1", "10.0.0.2"}


@pytest.mark.parametrize(
    ("types", "attributes"),
    [
        (["A"], {}),
        (["A"], {"AWS_INSTANCE_IPV4": "2001:db8::1"}),
        (["A"], {"AWS_INSTANCE_IPV4": "here"}),
        (["A"], {**ADDRESS, "AWS_INSTANCE_PORT": "http"}),
        (["A"], {**ADDRESS, "AWS_INSTANCE_PORT": "70000"}),
        (["A"], {**ADDRESS, "AWS_INIT_HEALTH_STATUS": "GOOD"}),
        (["A"], {**ADDRESS, "AWS_EC2_INSTANCE_ID": "i-1"}),
        (["A"], {"AWS_ALIAS_DNS_NAME": "lb.example"}),
        (["A", "AAAA"], ADDRESS),
        (["SRV"], ADDRESS),
        (["SRV"], PORT),
    ],
)
def test_attributes_that_records_cannot_be_made_of(cloud, types, attributes):
    service = cloud.service(*types)
    request = {"ServiceId": service.id, "InstanceId": "i", "Attributes": attributes}
    assert refusal(cloud, "register", request, 0.0).code == "InvalidInput"
    assert service.instances == {}


def test_the_same_registration_twice_at_once(cloud):
    service = cloud.service("A")
    request = {"ServiceId": service.id, "InstanceId": "i", "Attributes": ADDRESS, "CreatorRequestId": "once"}
    operation = cloud.do("register", request, 0.0)
    error = refusal(cloud, "register", dict(request), 0.1)
    assert (error.code, error.members["DuplicateOperationId"]) == ("DuplicateRequest", operation.id)
    cloud.do("register", dict(request), 5.0)


def test_what_there_is_not(cloud):
    service = cloud.service("A", health=True)
    assert refusal(cloud, "deregister", service.id, "none", 0.0).code == "InstanceNotFound"
    assert refusal(cloud, "deregister", "srv-none", "none", 0.0).code == "ServiceNotFound"
    assert refusal(cloud, "report_health", service.id, "none", True).code == "InstanceNotFound"


def test_a_service_with_instances_stays(cloud):
    service = cloud.service("A")
    cloud.register(service, "i", **ADDRESS)
    assert refusal(cloud, "delete_service", service.id).code == "ResourceInUse"


# -- health --


def test_a_reported_health_counts_after_30_seconds(cloud):
    service = cloud.service("A", health=True)
    cloud.register(service, "sick", **ADDRESS)
    cloud.register(service, "well", AWS_INSTANCE_IPV4="10.0.0.5")
    cloud.do("report_health", service.id, "sick", False)
    cloud.wait(20)
    cloud.do("report_health", service.id, "sick", False)  # does not begin anew, nor hasten it
    assert sorted(cloud.values("web.shop.local")) == ["10.0.0.4", "10.0.0.5"]
    cloud.wait(10)
    assert cloud.values("web.shop.local") == ["10.0.0.5"]
    assert cloud.told[-1] == ("health", "web", "sick", "UNHEALTHY")
    cloud.wait(30)
    assert len(cloud.told) == 3


def test_a_report_that_is_taken_back_in_time_does_not_count(cloud):
    service = cloud.service("A", health=True)
    cloud.register(service, "i", **ADDRESS)
    cloud.register(service, "j", AWS_INSTANCE_IPV4="10.0.0.5")
    cloud.do("report_health", service.id, "i", False)
    cloud.wait(10)
    cloud.do("report_health", service.id, "i", True)
    cloud.wait(10)
    cloud.do("report_health", service.id, "i", False)
    cloud.wait(10)  # 30 s after the first report, which was taken back
    assert len(cloud.values("web.shop.local")) == 2
    cloud.wait(20)
    assert cloud.values("web.shop.local") == ["10.0.0.5"]


def test_with_all_unhealthy_all_are_answered(cloud):
    service = cloud.service("A", health=True)
    for number in (4, 5):
        cloud.register(service, f"i{number}", AWS_INSTANCE_IPV4=f"10.0.0.{number}", AWS_INIT_HEALTH_STATUS="UNHEALTHY")
    assert sorted(cloud.values("web.shop.local")) == ["10.0.0.4", "10.0.0.5"]


def test_an_instance_registered_anew_is_not_what_was_reported_of_the_old_one(cloud):
    service = cloud.service("A", health=True)
    cloud.register(service, "i", **ADDRESS)
    cloud.do("report_health", service.id, "i", False)
    cloud.register(service, "i", **ADDRESS)
    cloud.wait(30)
    assert service.instances["i"].healthy


def test_without_a_custom_health_check_nothing_can_be_reported(cloud):
    service = cloud.service("A")
    cloud.register(service, "i", **ADDRESS)
    assert refusal(cloud, "report_health", service.id, "i", False).code == "CustomHealthNotFound"


# -- discovery --


def discovered(cloud, **request):
    named = {"NamespaceName": "shop.local", "ServiceName": "web", **request}
    return sorted(instance.id for instance in cloud.cloudmap.discover(named, Random(0))[1])


def test_discovery_filters_by_attributes(cloud):
    service = cloud.service("A")
    for name, version, zone in [("a", "v1", "1a"), ("b", "v1", "1b"), ("c", "v2", "1a")]:
        cloud.register(service, name, **ADDRESS, version=version, az=zone)
    assert discovered(cloud) == ["a", "b", "c"]
    assert discovered(cloud, QueryParameters={"version": "v1"}) == ["a", "b"]
    assert discovered(cloud, QueryParameters={"version": "v1"}, OptionalParameters={"az": "1a"}) == ["a"]
    assert discovered(cloud, QueryParameters={"version": "v2"}, OptionalParameters={"az": "1b"}) == ["c"]
    assert discovered(cloud, QueryParameters={"version": "v3"}) == []
    assert len(discovered(cloud, MaxResults=2)) == 2


def test_discovery_filters_by_health(cloud):
    service = cloud.service("A", health=True)
    cloud.register(service, "sick", **ADDRESS, AWS_INIT_HEALTH_STATUS="UNHEALTHY")
    assert discovered(cloud) == []
    assert discovered(cloud, HealthStatus="HEALTHY_OR_ELSE_ALL") == ["sick"]
    cloud.register(service, "well", **ADDRESS)
    assert discovered(cloud) == discovered(cloud, HealthStatus="HEALTHY") == ["well"]
    assert discovered(cloud, HealthStatus="HEALTHY_OR_ELSE_ALL") == ["well"]
    assert discovered(cloud, HealthStatus="UNHEALTHY") == ["sick"]
    assert discovered(cloud, HealthStatus="ALL") == ["sick", "well"]


def test_health_is_ignored_where_nothing_checks_it(cloud):
    service = cloud.service("A")
    cloud.register(service, "i", **ADDRESS, AWS_INIT_HEALTH_STATUS="UNHEALTHY")
    assert discovered(cloud, HealthStatus="HEALTHY") == ["i"]
    assert service.health_of(service.instances["i"]) == "UNKNOWN"


def test_discovery_of_what_there_is_not(cloud):
    cloud.service("A")
    for names, code in [(("none", "web"), "NamespaceNotFound"), (("shop.local", "none"), "ServiceNotFound")]:
        request = dict(zip(("NamespaceName", "ServiceName"), names, strict=True))
        with pytest.raises(CloudMapError) as caught:
            cloud.cloudmap.discover(request, Random(0))
        assert caught.value.code == code


def test_an_http_service_needs_no_attributes_and_has_no_records(cloud):
    namespace = cloud.namespace("HTTP", "shop.local")
    service = cloud.service(namespace=namespace)
    cloud.register(service, "i", endpoint="https://example.com")
    assert discovered(cloud) == ["i"]
    assert cloud.zones == {}


# -- invariants --

healths = st.lists(st.booleans(), min_size=1, max_size=25)


@given(healths, st.integers(0, 1000), st.sampled_from(["A", "SRV"]))
def test_never_more_than_eight_and_never_an_unhealthy_one_beside_a_healthy_one(healthy, seed, type_):
    cloud = Map()
    service = cloud.service(type_, health=True)
    of_value = {}
    for number, well in enumerate(healthy):
        address, name = f"10.0.0.{number}", f"i{number}"
        health = "HEALTHY" if well else "UNHEALTHY"
        cloud.register(service, name, AWS_INSTANCE_IPV4=address, **PORT, AWS_INIT_HEALTH_STATUS=health)
        of_value[address if type_ == "A" else f"1 1 32768 {name}.web.shop.local"] = well
    values = cloud.values("web.shop.local", type_, seed)
    candidates = sum(healthy) or len(healthy)
    assert len(values) == len(set(values)) == min(candidates, 8)
    if any(healthy):
        assert all(of_value[value] for value in values)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.integers(0, 3)),
        st.tuples(st.just("deregister"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["well", "sick"]), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([5, 10, 30])),
    ),
    max_size=30,
)


@given(steps)
def test_dns_and_discovery_agree_whatever_happens(taken):
    cloud = Map()
    service = cloud.service("A", health=True)
    for action, number in taken:
        name = f"i{number}"
        if action == "register":
            cloud.register(service, name, AWS_INSTANCE_IPV4=f"10.0.0.{number}")
        elif action == "wait":
            cloud.wait(number)
        elif name in service.instances and action == "deregister":
            cloud.do("deregister", service.id, name, cloud.now)
        elif name in service.instances:
            cloud.do("report_health", service.id, name, action == "well")
        found = {f"i{value.rpartition('.')[2]}" for value in cloud.values("web.shop.local")}
        assert found == set(discovered(cloud, HealthStatus="HEALTHY_OR_ELSE_ALL"))
