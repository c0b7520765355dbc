"""By which names load balancers are reached, and what must answer there before the stack is up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.model.cloudformation.account import Account, Finished
from sandbox.model.cloudformation.values import text
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.step import Computed, Step

_ELB = "AWS::ElasticLoadBalancingV2::"
_HTTP = 80
_STATUS = re.compile(r"\d{3}")


class Reach:
    """Finds the load balancers of an account, and gives them names.

    Args:
        account: After its stacks have been planned.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._balancers = {one.label: one for one in account.finished if one.type == f"{_ELB}LoadBalancer"}
        given = account.settings.cloudformation
        self._hosts = given.hosts if given else {}

    def steps(self) -> list[Step]:
        """The calls that make the names of ``[cloudformation.hosts]``; hosted zones of theirs come beforehand.

        Raises:
            OwnError: There is no such load balancer, or a host is no name.
        """
        made = []
        for label, host in self._hosts.items():
            if label not in self._balancers:
                raise unknown("[cloudformation.hosts]", label, self._balancers, "load balancer")
            if not all(host.partition(".")):
                raise OwnError(f'[cloudformation.hosts] "{label}": {host} is no name in a domain', '"shop.example.com"')
            attributes = self._balancers[label].made.attributes
            target = {
                "DNSName": attributes["DNSName"],
                "HostedZoneId": attributes["CanonicalHostedZoneID"],
                "EvaluateTargetHealth": False,
            }
            record = {"Name": host, "Type": "A", "AliasTarget": target}
            zone = self._account.zone_named(host.partition(".")[2])
            changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
            made.append(
                Step(
                    "route53.change_resource_record_sets",
                    {"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}},
                    source=f"sandbox.toml: [cloudformation.hosts] {label}",
                )
            )
        return made

    def ready(self) -> list[Mapping[str, Any]]:
        """What must answer: each listener's health check, by the names that lead to its load balancer."""
        groups = [one for one in self._account.finished if one.type == f"{_ELB}TargetGroup"]
        found: list[Mapping[str, Any]] = []
        for balancer in self._balancers.values():
            if balancer.properties.get("Scheme") == "internal":
                continue
            names = self._names(balancer) or [balancer.made.attributes["DNSName"]]
            for listener in self._listeners(balancer):
                target = _forwards_to(listener)
                group = next((one for one in groups if one.made.ref == target), None)
                if group is None or listener.properties.get("Protocol", "HTTP") != "HTTP":
                    continue
                port = str(listener.properties.get("Port", _HTTP))
                where = "" if port == str(_HTTP) else f":{port}"
                path = group.properties.get("HealthCheckPath", "/")
                found += [{"url": text(["http://", name, where, path]), "status": _status(group)} for name in names]
        return found

    def _listeners(self, balancer: Finished) -> Iterator[Finished]:
        for one in self._account.finished:
            if one.type == f"{_ELB}Listener" and one.properties.get("LoadBalancerArn") == balancer.made.ref:
                yield one

    def _names(self, balancer: Finished) -> list[str]:
        """Those of ``hosts``, and of the template's alias records."""
        target = balancer.made.attributes["DNSName"]
        names = [self._hosts[balancer.label]] if balancer.label in self._hosts else []
        for record in self._records():
            alias, name = record.get("AliasTarget"), record.get("Name")
            found = alias.get("DNSName") if isinstance(alias, Mapping) else None
            parts = found.arguments if isinstance(found, Computed) else (found,)
            if target in parts and isinstance(name, str) and "*" not in name:
                names.append(name.rstrip("."))
        return list(dict.fromkeys(names))

    def _records(self) -> Iterator[Mapping[str, Any]]:
        for one in self._account.finished:
            if one.type == "AWS::Route53::RecordSet":
                yield one.properties
            elif one.type == "AWS::Route53::RecordSetGroup":
                yield from one.properties["RecordSets"]


def _forwards_to(listener: Finished) -> Any:
    """The target group to which the listener's default action forwards; None: to none, or to several."""
    for action in listener.properties.get("DefaultActions", ()):
        if not isinstance(action, Mapping) or action.get("Type") != "forward":
            continue
        config = action.get("ForwardConfig")
        groups = config.get("TargetGroups", []) if isinstance(config, Mapping) else []
        named = [one.get("TargetGroupArn") for one in groups if isinstance(one, Mapping)]
        return action.get("TargetGroupArn") or (named[0] if len(named) == 1 else None)
    return None


def _status(group: Finished) -> int:
    """The first status of its matcher that is written out."""
    matcher = group.properties.get("Matcher")
    found = _STATUS.search(str(matcher.get("HttpCode", ""))) if isinstance(matcher, Mapping) else None
    return int(found[0]) if found else 200
