"""Elastic Load Balancing's actions on target groups."""

from __future__ import annotations

from dataclasses import replace

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.elbv2_shown import shown_attributes, shown_group
from sandbox.aws.services.elbv2_state import Answer, ElbActions, Request, new_id, paged, tag_map
from sandbox.model.elb.arns import group_arn, require
from sandbox.model.elb.attributes import with_attributes
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.groups import changed_group, new_group
from sandbox.model.elb.records import Records


class GroupActions(ElbActions):
    """Actions on target groups and their attributes."""

    def create_target_group(self, request: Request, context: RequestContext) -> Answer:
        """CreateTargetGroup: the same call once more answers with what is there."""
        with self._change() as records:
            tags = tag_map(request.get("Tags", []))
            name = request["Name"]
            made = new_group(request, group_arn(REGION, ACCOUNT_ID, name, new_id()))
            if self._state.backend.ec2_records().vpc(made.vpc_id) is None:
                raise AwsError("ValidationError", f"The VPC ID '{made.vpc_id}' is not found")
            known = next((group for group in records.groups.values() if group.name == name), None)
            if known is not None:
                return _same(records, known, made, tags)
            self._state.commit(records.with_group(made).with_tags(made.arn, tags))
            return {"TargetGroups": [shown_group(made, None)]}

    def describe_target_groups(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTargetGroups: all, those of a load balancer, or those of given ARNs or names."""
        with self._read() as records:
            arns, names = request.get("TargetGroupArns", []), request.get("Names", [])
            balancer_arn = request.get("LoadBalancerArn")
            if sum(map(bool, (arns, names, balancer_arn))) > 1:
                raise AwsError(
                    "ValidationError",
                    "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same "
                    "time",
                )
            found = list(records.groups.values())
            if balancer_arn:
                found = list(records.balancer(balancer_arn).groups.values())
            missing = {require(arn, "target group") for arn in arns} - {group.arn for group in found}
            missing |= set(names) - {group.name for group in found}
            if missing:
                raise AwsError("TargetGroupNotFound", "One or more target groups not found")
            if arns or names:
                found = [group for group in found if group.arn in arns or group.name in names]
            return paged([shown_group(group, records.user_of(group.arn)) for group in found], request, "TargetGroups")

    def modify_target_group(self, request: Request, context: RequestContext) -> Answer:
        """ModifyTargetGroup: how its targets are checked."""
        with self._change() as records:
            changed = changed_group(records.group(request["TargetGroupArn"]), request)
            self._state.commit(records.with_group(changed))
            return {"TargetGroups": [shown_group(changed, records.user_of(changed.arn))]}

    def delete_target_group(self, request: Request, context: RequestContext) -> Answer:
        """DeleteTargetGroup, with its targets; one that is not there is gone already."""
        state = self._state
        with self._change() as records:
            arn = require(request["TargetGroupArn"], "target group")
            if arn in records.groups:
                state.commit(records.without_group(arn))
                state.target_zones = {key: zone for key, zone in state.target_zones.items() if key[0] != arn}
        return {}

    def describe_target_group_attributes(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTargetGroupAttributes."""
        with self._read() as records:
            return {"Attributes": shown_attributes(records.group(request["TargetGroupArn"]).attributes)}

    def modify_target_group_attributes(self, request: Request, context: RequestContext) -> Answer:
        """ModifyTargetGroupAttributes: all of them or none."""
        with self._change() as records:
            changed = with_attributes(records.group(request["TargetGroupArn"]), request["Attributes"])
            self._state.commit(records.with_group(changed))
            return {"Attributes": shown_attributes(changed.attributes)}


def _same(records: Records, known: TargetGroup, made: TargetGroup, tags: dict[str, str]) -> Answer:
    plain = with_attributes(replace(known, attributes={}), ())
    if replace(made, arn=known.arn) != plain or (tags and tags != records.tags[known.arn]):
        raise AwsError(
            "DuplicateTargetGroupName",
            f"A target group with the same name '{known.name}' exists, but with different settings",
        )
    return {"TargetGroups": [shown_group(known, records.user_of(known.arn))]}
