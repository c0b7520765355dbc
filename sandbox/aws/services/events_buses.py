"""The actions on event buses and their resource policies."""

from __future__ import annotations

import json
from typing import Any

from sandbox.aws.protocol import RequestContext
from sandbox.aws.services.events_state import (
    DEFAULT,
    Answer,
    Bus,
    EventsActions,
    Request,
    already_exists,
    bus_name,
    invalid,
    limit_exceeded,
    not_found,
    paged,
    refuse,
    tag_list,
    tag_map,
)

_BUSES_PER_REGION = 100  # "Amazon EventBridge quotas"
_POLICY_SIZE = 10_240  # characters; API reference: PutPermission
_NOT_CARRIED_OUT = ("EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")


class BusActions(EventsActions):
    """CreateEventBus to UpdateEventBus, PutPermission and RemovePermission, and tags of buses and rules."""

    def create_event_bus(self, request: Request, context: RequestContext) -> Answer:
        """CreateEventBus; a name with a slash is a partner's, which the sandbox has not."""
        refuse(request, *_NOT_CARRIED_OUT)
        name = request["Name"]
        if "/" in name:
            raise invalid("Event bus name must not contain '/'.")
        with self._buses.lock:
            there = self._buses.in_region(context.region)
            if any(bus.name == name for bus in there):
                raise already_exists(f"Event bus {name} already exists.")
            if len(there) >= _BUSES_PER_REGION:
                raise limit_exceeded()
            bus = self._buses.add(name, context.region)
            bus.description = request.get("Description")
            bus.tags = tag_map(request.get("Tags", []))
        return {"EventBusArn": bus.arn, **_description(bus)}

    def describe_event_bus(self, request: Request, context: RequestContext) -> Answer:
        """DescribeEventBus; without a name, of the default one."""
        return _describe(self._buses.find(request.get("Name"), context.region))

    def list_event_buses(self, request: Request, context: RequestContext) -> Answer:
        """ListEventBuses, by name."""
        prefix = request.get("NamePrefix", "")
        buses = [bus for bus in self._buses.in_region(context.region) if bus.name.startswith(prefix)]
        page, more = paged(buses, request)
        return {"EventBuses": [_describe(bus) for bus in page], **more}

    def update_event_bus(self, request: Request, context: RequestContext) -> Answer:
        """UpdateEventBus, of its description."""
        refuse(request, *_NOT_CARRIED_OUT)
        bus = self._buses.find(request.get("Name"), context.region)
        with self._buses.lock:
            if "Description" in request:
                bus.description = request["Description"]
            bus.modified = self._buses.now()
        return {"Arn": bus.arn, "Name": bus.name, **_description(bus)}

    def delete_event_bus(self, request: Request, context: RequestContext) -> Answer:
        """DeleteEventBus; fine if there is none, refused while it has rules."""
        name = bus_name(request["Name"])
        if name == DEFAULT:
            raise invalid(f"Cannot delete event bus {DEFAULT}.")
        with self._buses.lock:
            bus = next((bus for bus in self._buses.in_region(context.region) if bus.name == name), None)
            if bus is not None and bus.rules:
                raise invalid(f"Event bus {name} can't be deleted since it has rules.")
            if bus is not None:
                self._buses.remove(bus)
        return {}

    # -- policies --

    def put_permission(self, request: Request, context: RequestContext) -> Answer:
        """PutPermission: a statement, which replaces one of the same id, or the whole policy."""
        bus = self._buses.find(request.get("EventBusName"), context.region)
        policy = _whole_policy(request["Policy"]) if request.get("Policy") else _with_statement(bus, request)
        if len(json.dumps(policy)) > _POLICY_SIZE:
            raise invalid("The policy exceeds the maximum size of 10 KB.")
        with self._buses.lock:
            bus.policy = policy
        return {}

    def remove_permission(self, request: Request, context: RequestContext) -> Answer:
        """RemovePermission: a statement, or all of them."""
        bus = self._buses.find(request.get("EventBusName"), context.region)
        with self._buses.lock:
            if request.get("RemoveAllPermissions"):
                bus.policy = None
                return {}
            if bus.policy is None:
                raise not_found("EventBus does not have a policy.")
            statements = bus.policy["Statement"]
            kept = [one for one in statements if one.get("Sid") != request.get("StatementId")]
            if len(kept) == len(statements):
                raise not_found("Statement with the provided id does not exist.")
            bus.policy = {**bus.policy, "Statement": kept} if kept else None
        return {}

    # -- tags --

    def list_tags_for_resource(self, request: Request, context: RequestContext) -> Answer:
        """ListTagsForResource."""
        return {"Tags": tag_list(self._buses.tagged(request["ResourceARN"], context))}

    def tag_resource(self, request: Request, context: RequestContext) -> Answer:
        """TagResource; a known key gets the new value."""
        self._buses.tagged(request["ResourceARN"], context).update(tag_map(request["Tags"]))
        return {}

    def untag_resource(self, request: Request, context: RequestContext) -> Answer:
        """UntagResource."""
        tags = self._buses.tagged(request["ResourceARN"], context)
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}


def _description(bus: Bus) -> Answer:
    return {"Description": bus.description} if bus.description is not None else {}


def _describe(bus: Bus) -> Answer:
    policy = {"Policy": json.dumps(bus.policy, separators=(",", ":"))} if bus.policy is not None else {}
    return {
        "Name": bus.name,
        "Arn": bus.arn,
        **_description(bus),
        **policy,
        "CreationTime": bus.created,
        "LastModifiedTime": bus.modified,
    }


def _whole_policy(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(text)
        statements = policy["Statement"]
    except (ValueError, KeyError, TypeError):
        raise invalid("Parameter Policy is not valid.") from None
    return {**policy, "Statement": statements if isinstance(statements, list) else [statements]}


def _with_statement(bus: Bus, request: Request) -> dict[str, Any]:
    """The bus's policy with the statement that PutPermission's single members describe."""
    missing = [member for member in ("Action", "Principal", "StatementId") if member not in request]
    if missing:
        raise invalid(f"Parameter(s) {', '.join(missing)} must be specified.")
    principal = request["Principal"]
    statement: dict[str, Any] = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": request["Action"],
        "Resource": bus.arn,
    }
    if "Condition" in request:
        condition = request["Condition"]
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    policy = bus.policy or {"Version": "2012-10-17", "Statement": []}
    others = [one for one in policy["Statement"] if one.get("Sid") != request["StatementId"]]
    return {**policy, "Statement": [*others, statement]}
