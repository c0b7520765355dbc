"""By which names load balancers are reached, and what must answer there before the stack is up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
        """What must answer: health checks of target groups that services use, where a listener leads there.

        That is by the names of its load balancer, and where its rules lead the health check's path to the group itself.
        """
        found: list[Mapping[str, Any]] = []
        for balancer in self._balancers.values():
            if balancer.properties.get("Scheme") == "internal":
                continue
            names = self._names(balancer) or [balancer.made.attributes["DNSName"]]
            asked = [
                one
                for listener in self._listeners(balancer)
                if listener.properties.get("Protocol", "HTTP") == "HTTP"
                for one in self._ready(listener, names)
            ]
            if not asked:
                self._account.notes.append(
                    f"{balancer.label} ({balancer.type}): no health check can be asked for by HTTP through it, so its "
                    "answer is not waited for: [[ready]] may name a URL"
                )
            found += asked
        return found

    def _ready(self, listener: Finished, names: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
        port = str(listener.properties.get("Port", _HTTP))
        where = "" if port == str(_HTTP) else f":{port}"
        for group in self._account.finished:
            if group.type != f"{_ELB}TargetGroup" or not self._is_served(group):
                continue
            path = group.properties.get("HealthCheckPath", "/")
            for name in names:
                if isinstance(path, str) and self._target(listener, name, path) == group.made.ref:
                    yield {"url": text(["http://", name, where, path]), "status": _status(group)}

    def _is_served(self, group: Finished) -> bool:
        """Whether anything is to be a target of it: what only stands for others answers nobody."""
        if group.properties.get("Targets"):
            return True
        for one in self._account.finished:
            if one.type == "AWS::ECS::Service" and self._has_tasks(one):
                used = [each.get("TargetGroupArn") for each in _mappings(one.properties.get("LoadBalancers"))]
                if group.made.ref in used:
                    return True
            if one.type == "AWS::AutoScaling::AutoScalingGroup":
                arns = one.properties.get("TargetGroupARNs")
                if isinstance(arns, list) and group.made.ref in arns:
                    return True
        return False

    def _has_tasks(self, service: Finished) -> bool:
        counts = self._account.settings.desired_counts
        given = counts.get(service.label, counts.get(str(service.properties.get("ServiceName"))))
        return str(service.properties.get("DesiredCount", 1) if given is None else given) != "0"

    def _target(self, listener: Finished, name: Any, path: str) -> Any:
        """The target group to which a listener leads a request; None: to none, or that depends on more than its URL."""
        rules = [
            one
            for one in self._account.finished
            if one.type == f"{_ELB}ListenerRule" and one.properties.get("ListenerArn") == listener.made.ref
        ]
        for rule in sorted(rules, key=_priority):
            holds = [_holds(one, name, path) for one in _mappings(rule.properties.get("Conditions"))]
            if False in holds:
                continue
            return None if None in holds else _forwards_to(rule.properties.get("Actions"))
        return _forwards_to(listener.properties.get("DefaultActions"))

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


def _forwards_to(actions: Any) -> Any:
    """The target group to which actions forward; None: to none, or to several."""
    for action in _mappings(actions):
        if action.get("Type") != "forward":
            continue
        config = action.get("ForwardConfig")
        groups = _mappings(config.get("TargetGroups") if isinstance(config, Mapping) else None)
        return action.get("TargetGroupArn") or (groups[0].get("TargetGroupArn") if len(groups) == 1 else None)
    return None


def _holds(condition: Mapping[str, Any], name: Any, path: str) -> bool | None:
    """Whether a rule's condition holds for a request; None: that depends on more than its URL."""
    field = condition.get("Field")
    config = condition.get("PathPatternConfig" if field == "path-pattern" else "HostHeaderConfig")
    values = condition.get("Values", config.get("Values") if isinstance(config, Mapping) else None)
    asked = {"path-pattern": path, "host-header": name}.get(str(field))
    if not isinstance(asked, str) or not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        return None
    flags = re.IGNORECASE if field == "host-header" else 0
    return any(re.fullmatch(_pattern(one), asked, flags) for one in values)


def _pattern(wildcards: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in wildcards)


def _priority(rule: Finished) -> int:
    text = str(rule.properties.get("Priority", ""))
    return int(text) if text.isdecimal() else 0


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _status(group: Finished) -> int:
    """The first status of its matcher that is written out."""
    matcher = group.properties.get("Matcher")
    found = _STATUS.search(str(matcher.get("HttpCode", ""))) if isinstance(matcher, Mapping) else None
    return int(found[0]) if found else 200
