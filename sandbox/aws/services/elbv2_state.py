"""What Elastic Load Balancing keeps, who carries it out, and what the groups of its actions have in common."""

from __future__ import annotations

import base64
import binascii
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sandbox.aws.backends.ec2_records import Ec2Records
from sandbox.aws.protocol import AwsError
from sandbox.errors import log_failure
from sandbox.model.elb.config import LoadBalancer, TargetGroup
from sandbox.model.elb.errors import ElbError
from sandbox.model.elb.records import Records
from sandbox.model.elb.target import Target, TargetHealth

log = logging.getLogger(__name__)

Request = dict[str, Any]
Answer = dict[str, Any]

_PAGE = 400  # "The maximum number of results to return with this call": 1 to 400


class LoadBalancing(Protocol):
    """Who carries traffic. Its methods return when clients and targets see what they did.

    A method that raises has left all as it was.
    """

    def deploy(self, balancer: LoadBalancer) -> None:
        """Serve a load balancer as it is now: at its creation, and after each change of what is in it."""

    def remove(self, balancer_arn: str) -> None:
        """Serve a load balancer no more."""

    def put_group(self, group: TargetGroup) -> None:
        """Know a target group, a new one or a changed one; it is in use while a deployed load balancer names it."""

    def remove_group(self, group_arn: str) -> None:
        """Forget a target group and its targets."""

    def register(self, group_arn: str, targets: Sequence[Target]) -> None:
        """Send requests to these targets, too, and check them; nothing happens to those registered already."""

    def deregister(self, group_arn: str, targets: Sequence[Target]) -> None:
        """Send no new requests to these targets."""

    def health(self, group_arn: str) -> Mapping[Target, TargetHealth]:
        """All targets of a group, those that are draining included."""


class Backend(Protocol):
    """The records of other services (`sandbox.aws.backends.embedded.Embedded`)."""

    def ec2_records(self) -> Ec2Records:
        """EC2's."""

    def certificate(self, arn: str) -> tuple[str, str]:
        """A certificate of ACM, and its key; raises the AwsError of a listener that cannot have it."""

    def certificates_used_by(self, users: Callable[[str], Sequence[str]]) -> None:
        """Have ACM ask this for the ARNs of what uses a certificate."""

    def ssl_policies(self) -> dict[str, dict[str, Any]]:
        """Security policies by name."""


class ElbState:
    """Load balancers and target groups, and their way to who carries traffic.

    Hold `changing` for a change as a whole: it takes as long as it takes to be carried out. `records` is replaced,
    never changed, so reading needs no lock.

    Args:
        balancing: Carries traffic.
        backend: Has the records of other services.
        now: Seconds since the epoch.
    """

    def __init__(self, balancing: LoadBalancing, backend: Backend, now: Callable[[], float]) -> None:
        self.balancing = balancing
        self.backend = backend
        self.now = now
        self.records = Records()
        self.changing = threading.RLock()
        self.target_zones: dict[tuple[str, Target], str] = {}
        """The Availability Zone of targets for which the caller named one, by group."""

    def commit(self, records: Records) -> None:
        """Have what is new in these records carried out, and keep them; under `changing`.

        Raises:
            SandboxError: It could not be; then all is as it was.
        """
        undo: list[Callable[[], None]] = []
        try:
            for step, back in self._steps(records):
                step()
                undo.append(back)
        except BaseException:
            for back in reversed(undo):
                self._take_back(back)
            raise
        self.records = records

    def _steps(self, new: Records) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
        """What has to be done, each with what takes it back: groups are known before they are used."""
        old, balancing = self.records, self.balancing
        for arn, group in new.groups.items():
            known = old.groups.get(arn)
            if group != known:
                back = _call(balancing.put_group, known) if known else _call(balancing.remove_group, arn)
                yield _call(balancing.put_group, group), back
        for arn, held in new.balancers.items():
            served = old.balancers.get(arn)
            if served is None or held.balancer != served.balancer:
                back = _call(balancing.deploy, served.balancer) if served else _call(balancing.remove, arn)
                yield _call(balancing.deploy, held.balancer), back
        for arn in old.balancers:
            if arn not in new.balancers:
                yield _call(balancing.remove, arn), _call(balancing.deploy, old.balancers[arn].balancer)
        for arn in old.groups:
            if arn not in new.groups:
                yield _call(balancing.remove_group, arn), _call(balancing.put_group, old.groups[arn])

    def _take_back(self, back: Callable[[], None]) -> None:
        try:
            back()
        except Exception as error:
            log_failure(log, error, "what a failed call had done could not be taken back")


def _call(method: Callable[[Any], None], argument: Any) -> Callable[[], None]:
    return lambda: method(argument)


class ElbActions:
    """What the groups of Elastic Load Balancing's actions have in common."""

    def __init__(self, state: ElbState) -> None:
        self._state = state

    @contextmanager
    def _change(self) -> Iterator[Records]:
        """The records, for a change that nobody else makes meanwhile; what the model refuses is told."""
        with self._state.changing, refusals():
            yield self._state.records

    @contextmanager
    def _read(self) -> Iterator[Records]:
        """The records; what the model does not find is told."""
        with refusals():
            yield self._state.records


@contextmanager
def refusals() -> Iterator[None]:
    """Tell the caller what the model refuses.

    Raises:
        AwsError: With the model's code and words.
    """
    try:
        yield
    except ElbError as error:
        raise AwsError(error.code, error.message) from error


def new_id() -> str:
    """16 hexadecimal digits, as ARNs have them."""
    return secrets.token_hex(8)


def tag_map(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The API's tags by their keys.

    Raises:
        AwsError: DuplicateTagKeys.
    """
    keys = [tag["Key"] for tag in tags]
    for key in keys:
        if keys.count(key) > 1:
            raise AwsError("DuplicateTagKeys", f"Tag key was specified more than once: {key}")
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def paged(items: Sequence[Any], request: Request, member: str) -> Answer:
    """One page of a Describe action.

    Args:
        items: All of them.
        request: May have Marker and PageSize.
        member: The answer's name for the items.

    Raises:
        AwsError: ValidationError.
    """
    start = _position(request["Marker"]) if request.get("Marker") else 0
    end = start + request.get("PageSize", _PAGE)
    answer: Answer = {member: list(items[start:end])}
    if end < len(items):
        answer["NextMarker"] = base64.b64encode(str(end).encode()).decode()
    return answer


def _position(marker: str) -> int:
    try:
        text = base64.b64decode(marker, validate=True).decode()
    except (ValueError, binascii.Error):
        text = ""
    if not text.isdecimal():
        raise AwsError("ValidationError", f"The marker '{marker}' is not valid")
    return int(text)
