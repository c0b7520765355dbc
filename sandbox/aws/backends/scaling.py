"""Auto Scaling groups in moto.

Measured with moto 5.2.5: all instances of a group are started in its first subnet, without the instance profile and
with the default version of the launch template; they are InService at once, and gone from the group at once, also when
somebody else has terminated them; a scale-in takes the first of the list.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.model.autoscaling import COUNTED, Member, launch_cause, scale_in_cause, to_terminate, zone_for

LAUNCH, TERMINATE = "launch", "terminate"
_GROUP_TAG = "aws:autoscaling:groupName"


@dataclass(frozen=True)
class Change:
    """A group has launched an instance, or wants one terminated.

    Attributes:
        kind: `LAUNCH` or `TERMINATE`.
        cause: As scaling activities tell it.
    """

    kind: str
    group: str
    group_arn: str
    instance_id: str
    zone: str
    subnet: str
    cause: str


Follow = Callable[[Change], None]
_follow: Follow | None = None
_turn = itertools.count()


def follow_with(follow: Follow | None) -> None:
    """Have ``follow`` told of what groups do from now on, in this process. With None instances come and go at once."""
    global _follow  # noqa: PLW0603 # moto's state is global to the process, too
    _follow = follow


def correct_groups() -> None:
    """Let moto's groups start and terminate instances as AWS does, from now on in this process. Imports moto."""
    from moto.autoscaling.exceptions import ValidationError
    from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, TerminateInstanceActivity

    group: Any = FakeAutoScalingGroup
    scale_mixed = group.set_desired_capacity

    def set_desired_capacity(self: Any, wanted: int | None) -> None:
        if (self.mixed_instances_policy or {}).get("LaunchTemplate", {}).get("Overrides"):
            scale_mixed(self, wanted)
            return
        self.desired_capacity = self.min_size if wanted is None else wanted
        _scale(self)

    group.set_desired_capacity = set_desired_capacity
    group.replace_autoscaling_group_instances = _launch
    backend: Any = AutoScalingBackend
    replace, register = backend.notify_terminate_instances, backend.update_attached_target_groups

    def notify(self: Any, instance_ids: list[str]) -> None:
        if _follow is None:
            replace(self, instance_ids)  # else the group's own health checks see to that

    def register_targets(self: Any, group_name: str) -> None:
        if _follow is None:
            register(self, group_name)  # else who follows does, with load balancers that moto does not know

    def terminate_instance(self: Any, instance_id: str, should_decrement: bool) -> Any:
        found = _state(self, instance_id)
        if found is None:
            raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        its_group = found.instance.autoscaling_group
        before = its_group.desired_capacity
        if should_decrement:
            its_group.desired_capacity = before - 1
        now = time.time()
        _terminate(its_group, found, scale_in_cause(now, before, its_group.desired_capacity, instance_id))
        _scale(its_group)
        return TerminateInstanceActivity(found.instance, before)

    backend.notify_terminate_instances = notify
    backend.terminate_instance = terminate_instance
    backend.update_attached_target_groups = register_targets


def _scale(group: Any) -> None:
    """Launch what is missing, terminate what is too much."""
    counted = [state for state in group.instance_states if state.lifecycle_state in COUNTED]
    wanted, now = group.desired_capacity or 0, time.time()
    if wanted > len(counted):
        group.replace_autoscaling_group_instances(wanted - len(counted), group.get_propagated_tags())
    elif wanted < len(counted):
        members = [_member(group, state) for state in counted]
        for instance_id in to_terminate(members, len(counted) - wanted):
            cause = scale_in_cause(now, len(counted), wanted, instance_id)
            _terminate(group, next(state for state in counted if state.instance.id == instance_id), cause)
    if group.name in group.autoscaling_backend.autoscaling_groups:
        group.autoscaling_backend.update_attached_elbs(group.name)
        group.autoscaling_backend.update_attached_target_groups(group.name)


def _launch(group: Any, count: int, tags: dict[str, str]) -> None:
    """In place of moto's replace_autoscaling_group_instances."""
    from moto.autoscaling.models import InstanceState

    before = sum(state.lifecycle_state in COUNTED for state in group.instance_states)
    subnets = _subnets(group)
    template = group.ec2_launch_template
    for _ in range(count):
        taken = [state.availability_zone for state in group.instance_states if state.lifecycle_state in COUNTED]
        zone = zone_for(list(subnets) or list(group.availability_zones), taken)
        profile = group.launch_config.iam_instance_profile if group.launch_config and not template else None
        reservation = group.autoscaling_backend.ec2_backend.run_instances(
            group.image_id,
            1,
            group.user_data,
            group.security_groups,
            instance_type=group.instance_type,
            tags={"instance": {**tags, **group.instance_tags, _GROUP_TAG: group.name}},
            placement=zone,
            launch_config=group.launch_config,
            launch_template=template and {"LaunchTemplateId": template.id, "Version": str(_version(group))},
            is_instance_type_default=False,
            associate_public_ip=group.launch_config.associate_public_ip_address if group.launch_config else None,
            subnet_id=subnets.get(zone),
        )
        (instance,) = reservation.instances
        if profile:
            group.autoscaling_backend.ec2_backend.associate_iam_instance_profile(
                instance.id,
                **{f"iam_instance_profile_{'arn' if profile.startswith('arn:') else 'name'}": profile},
            )
        instance.autoscaling_group = group
        instance.sandbox_launched = (next(_turn), _version(group))
        state = InstanceState(
            instance,
            "InService" if _follow is None else "Pending",
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
        )
        group.instance_states.append(state)
        _tell(LAUNCH, group, state, launch_cause(time.time(), before, before + count))


def _subnets(group: Any) -> dict[str, str]:
    """A subnet for each zone of the group."""
    ids = group.vpc_zone_identifier.split(",") if group.vpc_zone_identifier else []
    ec2 = group.autoscaling_backend.ec2_backend
    found = {one: ec2.get_subnet(one).availability_zone for one in map(str.strip, ids)}
    return {zone: one for one, zone in reversed(found.items())}


def _version(group: Any) -> int | str:
    """Which launch template and version, or configuration, the group launches with now."""
    if group.ec2_launch_template:
        return int(group.ec2_launch_template.get_version(group.launch_template_version).number)
    return str(getattr(group.launch_config, "name", ""))


def _member(group: Any, state: Any) -> Member:
    turn, version = getattr(state.instance, "sandbox_launched", (-1, None))
    return Member(
        state.instance.id,
        state.availability_zone,
        turn,
        version != _version(group),
        bool(state.protected_from_scale_in),
    )


def _terminate(group: Any, state: Any, cause: str) -> None:
    """Take an instance out of service. Who follows ends it; else it is gone at once."""
    state.lifecycle_state = "Terminating"
    if _follow is None:
        group.autoscaling_backend.ec2_backend.terminate_instances([state.instance.id])
        group.instance_states = [one for one in group.instance_states if one is not state]
    _tell(TERMINATE, group, state, cause)


def _tell(kind: str, group: Any, state: Any, cause: str) -> None:
    if _follow is not None:
        subnet = state.instance.subnet_id or ""
        _follow(Change(kind, group.name, group.arn, state.instance.id, state.availability_zone, subnet, cause))


def _state(backend: Any, instance_id: str) -> Any:
    return next((state for state in _states(backend) if state.instance.id == instance_id), None)


def _states(backend: Any) -> Iterable[Any]:
    return [state for group in list(backend.autoscaling_groups.values()) for state in list(group.instance_states)]


@dataclass(frozen=True)
class Seen:
    """An instance of a group, as the group has it, its state in EC2, and the group's target groups."""

    instance_id: str
    group: str
    lifecycle: str
    is_healthy: bool
    ec2_state: str
    target_groups: tuple[str, ...]


class ScalingGroups:
    """The groups of one account and region.

    Args:
        backend: moto's.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def seen(self) -> list[Seen]:
        """The instances of all groups."""
        return [
            Seen(
                state.instance.id,
                state.auto_scaling_group_name,
                state.lifecycle_state,
                state.health_status == "Healthy",
                state.instance.state,
                tuple(state.auto_scaling_group.target_group_arns),
            )
            for state in _states(self._backend)
        ]

    def set_lifecycle(self, instance_id: str, lifecycle: str) -> None:
        """Show another lifecycle state; of one that is gone it does nothing."""
        found = _state(self._backend, instance_id)
        if found is not None:
            found.lifecycle_state = lifecycle

    def take_out(self, instance_id: str, cause: str) -> None:
        """Take an instance out of service that is not well, and launch another one."""
        found = _state(self._backend, instance_id)
        if found is None or found.lifecycle_state not in COUNTED:
            return
        found.health_status = "Unhealthy"
        group = found.instance.autoscaling_group
        _terminate(group, found, cause)
        if "ReplaceUnhealthy" not in group._suspended_processes and "Launch" not in group._suspended_processes:
            _scale(group)

    def terminate(self, instance_id: str) -> None:
        """Terminate an instance in EC2, unless somebody has."""
        ec2 = self._backend.ec2_backend
        if ec2.get_instance(instance_id).state != "terminated":
            ec2.terminate_instances([instance_id])

    def forget(self, instance_id: str) -> None:
        """Have a group list an instance no more."""
        for group in list(self._backend.autoscaling_groups.values()):
            group.instance_states = [one for one in group.instance_states if one.instance.id != instance_id]

    def hooks(self, group: str, transition: str) -> list[dict[str, Any]]:
        """The lifecycle hooks of a group for a transition: name, timeout in seconds, result where it runs out."""
        return [
            {"name": hook.name, "timeout": int(hook.heartbeat_timeout), "result": hook.default_result}
            for hook in self._backend.describe_lifecycle_hooks(group)
            if hook.lifecycle_transition == f"autoscaling:EC2_INSTANCE_{transition}"
        ]
