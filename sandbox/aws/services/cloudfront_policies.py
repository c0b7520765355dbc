"""The actions on cache policies, origin request policies and response headers policies: the same six of each."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.cloudfront_config import NONE, without_empty_lists
from sandbox.aws.services.cloudfront_managed import MANAGED
from sandbox.aws.services.cloudfront_state import (
    Answer,
    CloudFrontActions,
    CloudFrontState,
    Config,
    HeldPolicy,
    Request,
    location,
    new_id,
    paged,
    refusals,
    require_match,
)
from sandbox.errors import log_failure
from sandbox.model.cloudfront.config import Distribution
from sandbox.model.cloudfront.policies import cache_policy, origin_request_policy, response_headers_policy, ttl

log = logging.getLogger(__name__)

Action = Callable[["PolicyActions", Request, RequestContext], Answer]


def _complete_cache_policy(config: Config) -> Config:
    times = ttl(config["MinTTL"], config.get("DefaultTTL"), config.get("MaxTTL"))
    key = {
        "EnableAcceptEncodingGzip": False,
        "EnableAcceptEncodingBrotli": False,
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
        **config.get("ParametersInCacheKeyAndForwardedToOrigin", {}),
    }
    shown_times = {"MinTTL": times.min, "DefaultTTL": times.default, "MaxTTL": times.max}
    return {**config, **shown_times, "ParametersInCacheKeyAndForwardedToOrigin": key}


def _complete_response_headers_policy(config: Config) -> Config:
    if "CorsConfig" not in config:
        return config
    return {**config, "CorsConfig": {"AccessControlExposeHeaders": NONE, **config["CorsConfig"]}}


@dataclass(frozen=True)
class _Kind:
    """A kind of policy.

    Attributes:
        key: Where policies of the kind are kept.
        name: In the names of the API ("CachePolicy").
        words: In messages.
        parse: What the edge does by a configuration.
        complete: The configuration as it is shown.
    """

    key: str
    name: str
    words: str
    parse: Callable[[Config], Any]
    complete: Callable[[Config], Config]

    @property
    def path(self) -> str:
        """Where policies of the kind are in the API."""
        return self.words.replace(" ", "-")

    @property
    def managed(self) -> Mapping[str, HeldPolicy]:
        """CloudFront's own, by id."""
        return MANAGED[self.key]

    def shown(self, policy: HeldPolicy) -> Answer:
        """The API's CachePolicy or the like."""
        return {"Id": policy.id, "LastModifiedTime": policy.modified, f"{self.name}Config": policy.config}

    def error(self, suffix: str, message: str, status: int) -> AwsError:
        """CachePolicyInUse and its like."""
        return AwsError(f"{self.name}{suffix}", message, status)


_CACHE = _Kind("cache", "CachePolicy", "cache policy", cache_policy, _complete_cache_policy)
_ORIGIN_REQUEST = _Kind("origin_request", "OriginRequestPolicy", "origin request policy", origin_request_policy, dict)
_RESPONSE_HEADERS = _Kind(
    "response_headers",
    "ResponseHeadersPolicy",
    "response headers policy",
    response_headers_policy,
    _complete_response_headers_policy,
)


def _find(state: CloudFrontState, kind: _Kind, id_: str) -> HeldPolicy:
    with state.lock:
        found = kind.managed.get(id_) or state.policies[kind.key].get(id_)
    if found is None:
        raise AwsError(f"NoSuch{kind.name}", f"The specified {kind.words} does not exist.", 404)
    return found


def _refuse_used_name(state: CloudFrontState, kind: _Kind, name: str, own_id: str = "") -> None:
    for one in (*kind.managed.values(), *state.policies[kind.key].values()):
        if one.config["Name"] == name and one.id != own_id:
            raise kind.error("AlreadyExists", f"Another {kind.words} with the same name already exists: '{name}'.", 409)


def _held(state: CloudFrontState, kind: _Kind, id_: str, config: Config) -> HeldPolicy:
    with refusals():
        model = kind.parse(config)
        return HeldPolicy(id_, kind.complete(without_empty_lists(config)), model, new_id("E"), state.now())


def _create(kind: _Kind) -> Action:
    def create(self: PolicyActions, request: Request, context: RequestContext) -> Answer:
        state, config = self._state, request[f"{kind.name}Config"]
        with state.changing:
            _refuse_used_name(state, kind, config["Name"])
            made = _held(state, kind, str(uuid.uuid4()), config)
            with state.lock:
                state.policies[kind.key][made.id] = made
        return {kind.name: kind.shown(made), "ETag": made.etag, "Location": location(f"{kind.path}/{made.id}")}

    return create


def _get(kind: _Kind) -> Action:
    def get(self: PolicyActions, request: Request, context: RequestContext) -> Answer:
        policy = _find(self._state, kind, request["Id"])
        return {kind.name: kind.shown(policy), "ETag": policy.etag}

    return get


def _get_config(kind: _Kind) -> Action:
    def get_config(self: PolicyActions, request: Request, context: RequestContext) -> Answer:
        policy = _find(self._state, kind, request["Id"])
        return {f"{kind.name}Config": policy.config, "ETag": policy.etag}

    return get_config


def _update(kind: _Kind) -> Action:
    def update(self: PolicyActions, request: Request, context: RequestContext) -> Answer:
        state, config = self._state, request[f"{kind.name}Config"]
        with state.changing:
            policy = _find(state, kind, request["Id"])
            if policy.id in kind.managed:
                raise AwsError("IllegalUpdate", f"The {kind.words} is a managed one, which cannot be changed.")
            require_match(request, policy.etag)
            _refuse_used_name(state, kind, config["Name"], policy.id)
            changed = _held(state, kind, policy.id, config)
            deployed = _redeploy(state, kind, changed)
            with state.lock:
                state.policies[kind.key][policy.id] = changed
                for id_, parsed in deployed.items():
                    state.distributions[id_] = replace(state.distributions[id_], deployed=parsed)
        return {kind.name: kind.shown(changed), "ETag": changed.etag}

    return update


def _redeploy(state: CloudFrontState, kind: _Kind, changed: HeldPolicy) -> dict[str, Distribution]:
    """Deploy the distributions that use a policy with what it is now: all of them, or none."""
    users = [one for one in state.distributions.values() if one.uses(f"{kind.name}Id", changed.id)]
    parsed = {one.id: state.parsed(one.config, one.domain_name, {kind.key: changed}) for one in users}
    done = []
    try:
        for one in users:
            state.carrier.deploy(one.id, parsed[one.id])
            done.append(one)
    except BaseException:
        for one in done:
            try:
                state.carrier.deploy(one.id, one.deployed)
            except Exception as error:
                log_failure(
                    log, error, f"distribution {one.id} keeps a {kind.words} that could not be changed everywhere"
                )
        raise
    return parsed


def _delete(kind: _Kind) -> Action:
    def delete(self: PolicyActions, request: Request, context: RequestContext) -> Answer:
        state = self._state
        with state.changing:
            policy = _find(state, kind, request["Id"])
            if policy.id in kind.managed:
                raise AwsError("IllegalDelete", f"The {kind.words} is a managed one, which cannot be deleted.")
            require_match(request, policy.etag)
            if any(one.uses(f"{kind.name}Id", policy.id) for one in state.distributions.values()):
                raise kind.error(
                    "InUse",
                    f"The specified {kind.words} is currently associated with a cache behavior. Please disassociate "
                    "the policy before deleting.",
                    409,
                )
            with state.lock:
                del state.policies[kind.key][policy.id]
        return {}

    return delete


def _list(kind: _Kind) -> Action:
    def list_(self: PolicyActions, request: Request, context: RequestContext) -> Answer:
        with self._state.lock:
            kept = {"managed": kind.managed, "custom": dict(self._state.policies[kind.key])}
        shown = {
            id_: {"Type": type_, kind.name: kind.shown(policy)}
            for type_, policies in kept.items()
            for id_, policy in policies.items()
            if request.get("Type", type_) == type_
        }
        return {f"{kind.name}List": paged(shown, request)[0]}

    return list_


class PolicyActions(CloudFrontActions):
    """Create, Get, GetConfig, Update, Delete and List of each kind. The managed ones can only be read."""

    create_cache_policy = _create(_CACHE)
    get_cache_policy = _get(_CACHE)
    get_cache_policy_config = _get_config(_CACHE)
    update_cache_policy = _update(_CACHE)
    delete_cache_policy = _delete(_CACHE)
    list_cache_policies = _list(_CACHE)

    create_origin_request_policy = _create(_ORIGIN_REQUEST)
    get_origin_request_policy = _get(_ORIGIN_REQUEST)
    get_origin_request_policy_config = _get_config(_ORIGIN_REQUEST)
    update_origin_request_policy = _update(_ORIGIN_REQUEST)
    delete_origin_request_policy = _delete(_ORIGIN_REQUEST)
    list_origin_request_policies = _list(_ORIGIN_REQUEST)

    create_response_headers_policy = _create(_RESPONSE_HEADERS)
    get_response_headers_policy = _get(_RESPONSE_HEADERS)
    get_response_headers_policy_config = _get_config(_RESPONSE_HEADERS)
    update_response_headers_policy = _update(_RESPONSE_HEADERS)
    delete_response_headers_policy = _delete(_RESPONSE_HEADERS)
    list_response_headers_policies = _list(_RESPONSE_HEADERS)
