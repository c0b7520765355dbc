"""What Cloud Map takes and what it refuses: services' records and health checks, instances' attributes, quotas.

AWS Cloud Map API Reference, "DnsRecord", "HealthCheckConfig" and "RegisterInstance"; Developer Guide, "AWS Cloud Map
quotas". Everything here raises `CloudMapError` or does nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from sandbox.model.cloudmap_records import CloudMapError, DnsRecord, HealthCheckConfig, NamespaceType, Service

MAX_NAMESPACES = 50
MAX_INSTANCES_OF_SERVICE = 1000
MAX_INSTANCES_OF_NAMESPACE = 2000
MAX_CUSTOM_ATTRIBUTES = 30
MAX_ATTRIBUTES_SIZE = 5000
"""Characters of all names and values of an instance's attributes together."""
MAX_SERVICE_ATTRIBUTES = 30

_ADDRESSES = ("AWS_INSTANCE_IPV4", "AWS_INSTANCE_IPV6")


def check_records(records: tuple[DnsRecord, ...], routing_policy: str) -> None:
    """Whether a service may have these records ("DnsRecord": A, AAAA, A and AAAA, SRV, or CNAME under WEIGHTED).

    Raises:
        CloudMapError: InvalidInput.
    """
    types = sorted(record.type for record in records)
    if types not in (["A"], ["AAAA"], ["A", "AAAA"], ["SRV"], ["CNAME"]):
        raise CloudMapError("InvalidInput", f"Invalid combination of DNS record types: {', '.join(types) or 'none'}")
    if types == ["CNAME"] and routing_policy != "WEIGHTED":
        raise CloudMapError("InvalidInput", "CNAME record requires the routing policy WEIGHTED")


def health_check(
    request: Mapping[str, Any], namespace: NamespaceType, records: tuple[DnsRecord, ...]
) -> HealthCheckConfig | None:
    """The HealthCheckConfig of a CreateService or UpdateService, None without one.

    Raises:
        CloudMapError: InvalidInput.
    """
    given = request.get("HealthCheckConfig")
    if given is None:
        return None
    config = HealthCheckConfig(given["Type"], given.get("ResourcePath"), given.get("FailureThreshold"))
    for refused, why in [
        (namespace == "DNS_PRIVATE", "HealthCheckConfig is for public DNS and HTTP namespaces only"),
        ("HealthCheckCustomConfig" in request, "HealthCheckConfig and HealthCheckCustomConfig exclude each other"),
        (any(one.type == "CNAME" for one in records), "HealthCheckConfig cannot be specified with CNAME records"),
        (config.type == "TCP" and config.path is not None, "ResourcePath cannot be specified with the type TCP"),
    ]:
        if refused:
            raise CloudMapError("InvalidInput", why)
    return config


def check_attributes(service: Service, attributes: Mapping[str, str]) -> None:
    """Whether an instance with these attributes can be registered ("RegisterInstance": Attributes).

    Raises:
        CloudMapError: InvalidInput.
    """
    _check_sizes(attributes)
    if "AWS_EC2_INSTANCE_ID" in attributes:
        if service.namespace.type != "HTTP":
            raise CloudMapError("InvalidInput", "AWS_EC2_INSTANCE_ID is for HTTP namespaces only")
        if set(attributes) - {"AWS_EC2_INSTANCE_ID", "AWS_INIT_HEALTH_STATUS"}:
            raise CloudMapError(
                "InvalidInput", "Beside AWS_EC2_INSTANCE_ID only AWS_INIT_HEALTH_STATUS can be specified"
            )
    _check_values(attributes)
    types = service.record_types
    if is_alias(attributes):
        others = [name for name in attributes if name.startswith("AWS_INSTANCE_")]
        if others or service.routing_policy != "WEIGHTED" or not {"A", "AAAA"}.intersection(types):
            raise CloudMapError(
                "InvalidInput",
                "AWS_ALIAS_DNS_NAME needs a service with A or AAAA records and the routing policy WEIGHTED, and no "
                "AWS_INSTANCE attributes",
            )
        return
    for type_, attribute in [
        ("A", "AWS_INSTANCE_IPV4"),
        ("AAAA", "AWS_INSTANCE_IPV6"),
        ("CNAME", "AWS_INSTANCE_CNAME"),
    ]:
        if type_ in types and attribute not in attributes:
            raise CloudMapError("InvalidInput", f"Attribute {attribute} is required for {type_} records")
    if "SRV" in types and not (
        "AWS_INSTANCE_PORT" in attributes and {"AWS_INSTANCE_IPV4", "AWS_INSTANCE_IPV6"}.intersection(attributes)
    ):
        raise CloudMapError(
            "InvalidInput", "SRV records require AWS_INSTANCE_PORT, and AWS_INSTANCE_IPV4 or AWS_INSTANCE_IPV6"
        )
    if service.health_check is not None:
        check_endpoint(attributes)


def is_alias(attributes: Mapping[str, str]) -> bool:
    """Whether an instance is an alias to a resource of AWS's, which Route 53 does not check ("HealthCheckConfig")."""
    return "AWS_ALIAS_DNS_NAME" in attributes


def check_endpoint(attributes: Mapping[str, str]) -> None:
    """Whether an instance can have a health check of Route 53, or needs none.

    Raises:
        CloudMapError: InvalidInput.
    """
    if not is_alias(attributes):
        endpoint(attributes)


def endpoint(attributes: Mapping[str, str]) -> tuple[str, int]:
    """The address and port of an instance that Route 53 checks: by IPv4, where it has both addresses.

    Raises:
        CloudMapError: InvalidInput: one is missing.
    """
    address = next((attributes[name] for name in _ADDRESSES if name in attributes), None)
    if address is None or "AWS_INSTANCE_PORT" not in attributes:
        raise CloudMapError(
            "InvalidInput", "A health check requires AWS_INSTANCE_PORT, and AWS_INSTANCE_IPV4 or AWS_INSTANCE_IPV6"
        )
    return address, int(attributes["AWS_INSTANCE_PORT"])


def check_quota(number: int, most: int, what: str) -> None:
    """Whether there may be one more beside ``number``.

    Raises:
        CloudMapError: ResourceLimitExceeded.
    """
    if number >= most:
        raise CloudMapError("ResourceLimitExceeded", f"{what}: the quota of {most} has been reached")


def _check_sizes(attributes: Mapping[str, str]) -> None:
    custom = [name for name in attributes if not name.startswith("AWS_")]
    if len(custom) > MAX_CUSTOM_ATTRIBUTES:
        raise CloudMapError("InvalidInput", f"An instance can have at most {MAX_CUSTOM_ATTRIBUTES} custom attributes")
    if sum(len(name) + len(value) for name, value in attributes.items()) > MAX_ATTRIBUTES_SIZE:
        raise CloudMapError("InvalidInput", f"The attributes have more than {MAX_ATTRIBUTES_SIZE} characters together")


def _check_values(attributes: Mapping[str, str]) -> None:
    for attribute, version in [("AWS_INSTANCE_IPV4", 4), ("AWS_INSTANCE_IPV6", 6)]:
        if attribute in attributes and not _is_address(attributes[attribute], version):
            raise CloudMapError("InvalidInput", f"Invalid value for {attribute}: {attributes[attribute]}")
    port = attributes.get("AWS_INSTANCE_PORT", "0")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise CloudMapError("InvalidInput", f"Invalid value for AWS_INSTANCE_PORT: {port}")
    if attributes.get("AWS_INIT_HEALTH_STATUS", "HEALTHY") not in {"HEALTHY", "UNHEALTHY"}:
        raise CloudMapError("InvalidInput", "AWS_INIT_HEALTH_STATUS must be HEALTHY or UNHEALTHY")


def _is_address(value: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(value).version == version
    except ValueError:
        return False
