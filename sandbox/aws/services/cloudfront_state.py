"""What CloudFront keeps: distributions and policies, and what the groups of its actions have in common."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.protocol import AwsError
from sandbox.model.cloudfront.config import Distribution, parse
from sandbox.model.cloudfront.errors import CloudFrontError
from sandbox.model.cloudfront.managed import CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS
from sandbox.model.cloudfront.policies import Policies, items

Request = dict[str, Any]
Answer = dict[str, Any]
Config = Mapping[str, Any]

_API = "https://cloudfront.amazonaws.com/2020-05-31"
_LETTERS = string.ascii_uppercase + string.digits
_PAGE = 100  # "The maximum and default values are both 100" (ListDistributions, API version 2015-07-27)


class Carrier(Protocol):
    """Who lets viewers have distributions. Its methods return when viewers see what they did."""

    def deploy(self, distribution_id: str, distribution: Distribution) -> None:
        """Serve this distribution from now on, a new one or a changed one. If it raises, all is as before."""

    def invalidate(self, distribution_id: str, paths: Sequence[str]) -> None:
        """Forget what is kept of these paths."""

    def remove(self, distribution_id: str) -> None:
        """Serve this distribution no more."""


@dataclass
class Invalidation:
    """An invalidation of a distribution. ``batch`` is its InvalidationBatch."""

    id: str
    created: float
    batch: Config
    status: str = "InProgress"


@dataclass
class HeldDistribution:
    """A distribution as the API has it. ``config``, complete, and ``deployed`` are replaced, never changed.

    Attributes:
        config: As GetDistributionConfig shows it.
        deployed: What viewers have of it.
        etag: Another one with each change.
        modified: Seconds since the epoch.
        invalidations: Oldest first.
    """

    id: str
    domain_name: str
    config: Config
    deployed: Distribution
    etag: str
    modified: float
    tags: dict[str, str]
    invalidations: list[Invalidation] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """Without a region: CloudFront has none."""
        return f"arn:aws:cloudfront::{ACCOUNT_ID}:distribution/{self.id}"

    def uses(self, member: str, policy_id: str) -> bool:
        """Whether a cache behaviour names the policy as ``member`` ("CachePolicyId")."""
        behaviors = [self.config["DefaultCacheBehavior"], *items(self.config["CacheBehaviors"])]
        return any(one.get(member) == policy_id for one in behaviors)


@dataclass(frozen=True)
class HeldPolicy:
    """A policy of any kind. ``model`` is what the edge does by it."""

    id: str
    config: Config
    model: Any
    etag: str
    modified: float


class CloudFrontState:
    """Distributions, and policies of one's own.

    Hold `changing` for a change as a whole: it takes as long as the carrier takes. Hold `lock` to look at what is
    kept, or to put a change in; never while calling the carrier, so that reads get through.

    Args:
        carrier: Gets what viewers are to see.
        now: Seconds since the epoch.
    """

    def __init__(self, carrier: Carrier, now: Callable[[], float]) -> None:
        self.carrier = carrier
        self.now = now
        self.changing = threading.RLock()
        self.lock = threading.RLock()
        self.distributions: dict[str, HeldDistribution] = {}
        self.policies: dict[str, dict[str, HeldPolicy]] = {"cache": {}, "origin_request": {}, "response_headers": {}}

    def find(self, distribution_id: str) -> HeldDistribution:
        """A distribution.

        Raises:
            AwsError: NoSuchDistribution.
        """
        with self.lock:
            found = self.distributions.get(distribution_id)
        if found is None:
            raise AwsError("NoSuchDistribution", "The specified distribution does not exist.", 404)
        return found

    def parsed(self, config: Config, domain_name: str, changed: Mapping[str, HeldPolicy] | None = None) -> Distribution:
        """What viewers are to get by a DistributionConfig.

        Args:
            config: The configuration.
            domain_name: The distribution's.
            changed: Policies, by kind, that are to be taken instead of those that are kept.

        Raises:
            AwsError: CloudFront refuses the configuration, or the sandbox cannot carry it out.
        """
        with self.lock:
            own = {kind: {id_: one.model for id_, one in kept.items()} for kind, kept in self.policies.items()}
        for kind, policy in (changed or {}).items():
            own[kind][policy.id] = policy.model
        policies = Policies(
            {**CACHE, **own["cache"]},
            {**ORIGIN_REQUEST, **own["origin_request"]},
            {**RESPONSE_HEADERS, **own["response_headers"]},
        )
        with refusals():
            return parse(config, domain_name, policies)


class CloudFrontActions:
    """What the groups of CloudFront's actions have in common."""

    def __init__(self, state: CloudFrontState) -> None:
        self._state = state


@contextmanager
def refusals() -> Iterator[None]:
    """Tell the caller what the model refuses.

    Raises:
        AwsError: With the model's code, words and status.
    """
    try:
        yield
    except CloudFrontError as error:
        raise AwsError(error.code, error.message, error.status) from error


def new_id(first: str) -> str:
    """``first`` and 13 more capital letters or digits: E for a distribution or an ETag, I for an invalidation."""
    return first + "".join(secrets.choice(_LETTERS) for _ in range(13))


def location(path: str) -> str:
    """The Location header for what has been made."""
    return f"{_API}/{path}"


def require_match(request: Request, etag: str) -> None:
    """Refuse a change of what is not the version that the caller has read.

    Raises:
        AwsError: InvalidIfMatchVersion without If-Match, PreconditionFailed with that of another version.
    """
    given = request.get("IfMatch")
    if not given:
        raise AwsError("InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
    if given != etag:
        raise AwsError(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more request-header fields.",
            412,
        )


def invalid_argument(message: str) -> AwsError:
    """InvalidArgument."""
    return AwsError("InvalidArgument", message)


def paged(shown: Mapping[str, Answer], request: Request) -> tuple[Answer, bool]:
    """One page of a List action, and whether there are more.

    Args:
        shown: All of them, by id.
        request: May have Marker, the id of the last one of the page before, and MaxItems.

    Raises:
        AwsError: InvalidArgument.
    """
    ids = list(shown)
    marker = request.get("Marker", "")
    if marker and marker not in shown:
        raise invalid_argument(f"The parameter Marker is not one of this list's: '{marker}'.")
    wanted = str(request.get("MaxItems", _PAGE))
    if not wanted.isdecimal() or not int(wanted):
        raise invalid_argument(f"The parameter MaxItems must be a number above 0: '{wanted}'.")
    most = min(int(wanted), _PAGE)
    start = ids.index(marker) + 1 if marker else 0
    page = ids[start : start + most]
    more = start + most < len(ids)
    answer: Answer = {"MaxItems": most, "Quantity": len(page)}
    if page:
        answer["Items"] = [shown[id_] for id_ in page]
    if more:
        answer["NextMarker"] = page[-1]
    return answer, more
