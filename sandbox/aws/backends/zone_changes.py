"""Route 53's rules for ChangeResourceRecordSets in front of moto's hosted zones.

Measured with moto 5.2.5: it refuses a CREATE only where the very same change was made before, so that one with another
value makes a second record set, and one after a DELETE may be refused; and a batch that is refused in the middle stays
half done. A value that is no address is taken.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

from sandbox.aws.backends.zones import read_record_set
from sandbox.model.route53_changes import Change, ChangeRefused, Key, apply_changes, key_of

OWNER = "sandbox_owner"
"""What a hosted zone of moto's has that another service manages: the ARN of the resource it is for."""

changing = threading.Lock()
"""Held while the record sets of a zone are changed."""


def enforce_change_rules() -> None:
    """Let moto's Route 53 change record sets by our rules from now on, in this process. Imports moto."""
    from moto.route53 import models

    backend: Any = models.Route53Backend
    backend.change_resource_record_sets = _change_resource_record_sets
    delete = backend.delete_hosted_zone

    def delete_hosted_zone(self: Any, id_: str) -> Any:
        _check_owner(self.get_hosted_zone(id_))
        return delete(self, id_)

    backend.delete_hosted_zone = delete_hosted_zone
    # AccessDenied is in no service's model; moto tells of that on the standard error.
    warnings.filterwarnings("ignore", r"Exception\(Route53ClientError\) with code AccessDenied", UserWarning)


def _check_owner(zone: Any) -> None:
    """Refuse to change what another service manages, in words that users have seen (aws-sdk-java-v2 #6754)."""
    from moto.route53.exceptions import Route53ClientError

    owner = getattr(zone, OWNER, None)
    if owner:
        told = f"The resource hostedzone/{zone.resource_id} can only be managed through AWS Cloud Map ({owner})"
        raise Route53ClientError("AccessDenied", told)


def _change_resource_record_sets(backend: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """In place of moto's method of that name; ``change_list`` is the request's."""
    from moto.route53.exceptions import Route53ClientError
    from moto.route53.models import RecordSet

    moto_record_set: Any = RecordSet
    zone = backend.get_hosted_zone(zoneid)
    _check_owner(zone)
    requested = [(change["Action"], _moto_fields(change)) for change in change_list]
    with changing:
        held: dict[Key, Any] = {key_of(read_record_set(record_set)): record_set for record_set in zone.rrsets}
        current = {key: read_record_set(record_set) for key, record_set in held.items()}
        changes = [Change(action, read_record_set(moto_record_set(fields))) for action, fields in requested]
        try:
            apply_changes(zone.name, current, changes)
        except ChangeRefused as refused:
            raise Route53ClientError("InvalidChangeBatch", str(refused)) from refused
        for change, (_, fields) in zip(changes, requested, strict=True):
            if change.action == "DELETE":
                del held[key_of(change.record_set)]
            else:
                held[key_of(change.record_set)] = moto_record_set(fields)
        zone.rrsets = list(held.values())


def _moto_fields(change: dict[str, Any]) -> dict[str, Any]:
    """The request's record set as moto's constructor wants it.

    Raises:
        Route53ClientError: InvalidInput: an unknown action, or neither values with a TTL nor an alias.
    """
    from moto.route53.exceptions import InvalidActionValue, InvalidInput
    from moto.route53.utils import validate_domain_name

    action, fields = change["Action"], dict(change["ResourceRecordSet"])
    validate_domain_name(fields["Name"], code="InvalidChangeBatch")
    if action not in {"CREATE", "UPSERT", "DELETE"}:
        raise InvalidActionValue(action)
    values = [record["Value"] for record in fields.get("ResourceRecords") or ()]
    if not fields.get("AliasTarget") and not (values and fields.get("TTL") is not None):
        raise InvalidInput(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId], but found none in Change with [Action={action}, Name={fields['Name']}, "
            f"Type={fields['Type']}, SetIdentifier={fields.get('SetIdentifier', 'null')}]"
        )
    return fields | {"Name": fields["Name"].removesuffix(".").lower() + ".", "ResourceRecords": values}
