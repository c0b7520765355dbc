"""Security groups in moto's EC2. Importing this imports moto."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.security_groups import SecurityGroupBackend

from sandbox.model.security_groups import Group, Member, Records, Rule


def correct_security_groups() -> None:
    """Let moto's EC2 treat security groups as AWS does where it does not, from now on in this process.

    Measured with moto 5.2.5: a VPC's default group lets nothing in (on AWS all that comes from interfaces with it: VPC
    User Guide, "Default security groups for your VPCs"); a group that is in use can be deleted; and
    ModifySecurityGroupRules leaves out ReferencedGroupId. Rules for prefix lists it takes, but the sandbox would not
    know whom they mean.
    """
    backend: Any = SecurityGroupBackend
    create, delete = backend.create_security_group, backend.delete_security_group

    def create_group(self: Any, name: str, *args: Any, **options: Any) -> Any:
        group = create(self, name, *args, **options)
        if group.is_default:
            self.authorize_security_group_ingress(group.id, "-1", None, None, [], source_groups=[{"GroupId": group.id}])
        return group

    def delete_group(self: Any, name: str | None = None, group_id: str | None = None) -> None:
        group = self.get_security_group_by_name_or_id(group_id or name)
        if group is not None and _is_needed(self, group):
            raise EC2ClientError("DependencyViolation", f"resource {group.id} has a dependent object")
        delete(self, name, group_id)

    backend.create_security_group, backend.delete_security_group = create_group, delete_group
    for direction in ("ingress", "egress"):
        _refuse_prefix_lists(backend, f"authorize_security_group_{direction}")
    modify = backend.modify_security_group_rules

    def modify_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        _refuse([rule.get("PrefixListId") for rule in rules.values()])
        modify(self, group_id, rules)
        group = self.get_security_group_by_name_or_id(group_id)
        for rule_id, rule in rules.items():
            if rule.get("ReferencedGroupId"):
                group.get_rule(rule_id).source_group = {"GroupId": rule["ReferencedGroupId"]}

    backend.modify_security_group_rules = modify_rules


def _is_needed(ec2: Any, group: Any) -> bool:
    """Whether an interface has the group, or a rule of another group names it."""
    others = [other for by_id in list(ec2.groups.values()) for other in list(by_id.values()) if other is not group]
    named = {
        (rule.source_group or {}).get("GroupId")
        for other in others
        for rule in other.ingress_rules + other.egress_rules
    }
    return group.id in named or any(group in eni.group_set for eni in list(ec2.enis.values()))


def _refuse_prefix_lists(backend: Any, name: str) -> None:
    authorize = getattr(backend, name)

    def checked(self: Any, *args: Any, **options: Any) -> Any:
        _refuse([prefix_list.get("PrefixListId") for prefix_list in options.get("prefix_list_ids") or ()])
        return authorize(self, *args, **options)

    setattr(backend, name, checked)


def _refuse(prefix_lists: Iterable[str | None]) -> None:
    named = ", ".join(name for name in prefix_lists if name)
    if named:
        raise EC2ClientError("UnsupportedOperation", f"the sandbox has no prefix lists in security groups: {named}")


def security_records(ec2: Any) -> Records:
    """The groups of moto's EC2 and the interfaces that have them, as our model's."""
    found = [group for by_id in list(ec2.groups.values()) for group in list(by_id.values())]
    return Records(
        {group.id: Group(_rules(group.ingress_rules), _rules(group.egress_rules)) for group in found},
        {
            eni.id: Member(
                tuple(group.id for group in eni.group_set),
                tuple(address["PrivateIpAddress"] for address in eni.private_ip_addresses),
            )
            for eni in list(ec2.enis.values())
        },
    )


def _rules(rules: Iterable[Any]) -> tuple[Rule, ...]:
    """Moto has a rule for each peer, as our model has."""
    return tuple(
        Rule(
            rule.ip_protocol,
            _number(rule.from_port),
            _number(rule.to_port),
            rule.cidr_ipv4,
            (rule.source_group or {}).get("GroupId"),
        )
        for rule in list(rules)
    )


def _number(port: Any) -> int | None:
    """Moto keeps the ports of a rule that has been modified as they were sent."""
    return None if port is None else int(port)
