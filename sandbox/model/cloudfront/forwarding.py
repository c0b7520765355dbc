"""What an origin is sent for a viewer's request.

Amazon CloudFront Developer Guide, "Request and response behavior for custom origins" (the table of request headers) and
"Control origin requests with a policy".
"""

from __future__ import annotations

from sandbox.model.cloudfront.config import Behavior, Origin
from sandbox.model.cloudfront.key import chosen_cookies, chosen_query, encoding, header
from sandbox.model.cloudfront.messages import OriginRequest, Request

AGENT = "Amazon CloudFront"

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer")
) | {"transfer-encoding", "upgrade"}
_NEVER = _HOP_BY_HOP | {"cookie", "x-forwarded-proto", "x-real-ip", "x-amz-cf-id"}
# With ForwardedValues everything else goes to the origin, chosen or not.
_REMOVED = frozenset(
    ("accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "expect", "host", "referer")
) | {"user-agent", "x-http-method-override"}
_WITH_A_BODY = ("content-type", "content-length", "content-encoding", "content-md5")
_READ = ("GET", "HEAD")
PROTOCOL = "cloudfront-forwarded-proto"


def forwards_cookies(behavior: Behavior) -> bool:
    """Whether cookies go to the origin, and so Set-Cookie to the viewer."""
    return behavior.cache.cookies.behavior != "none" or behavior.origin_request.cookies.behavior != "none"


def origin_request(
    request: Request, behavior: Behavior, origin: Origin, path: str, method: str, conditions: dict[str, str]
) -> OriginRequest:
    """The request to an origin.

    Args:
        request: The viewer's.
        behavior: Its behaviour.
        origin: The one that is asked.
        path: The request's, or the default root object's.
        method: The request's, or GET for a HEAD whose object is to be kept.
        conditions: If-None-Match and If-Modified-Since of an object that has expired; in place of the viewer's.
    """
    sent = {name: value for name, value in request.headers.items() if _is_sent(name, request, behavior)}
    if conditions:
        sent.pop("if-none-match", None)
        sent.pop("if-modified-since", None)
    for name in behavior.cache.headers:
        if name != "*" and (value := header(request, name)) is not None:
            sent[name] = value
    added = behavior.origin_request.headers
    if added.behavior != "allExcept" and PROTOCOL in added.names:
        sent[PROTOCOL] = request.scheme
    _add_encoding(sent, request, behavior)
    if cookies := chosen_cookies(request, behavior.cache.cookies, behavior.origin_request.cookies):
        sent["cookie"] = cookies
    sent.setdefault("host", origin.domain_name)
    sent.setdefault("user-agent", AGENT)
    before = request.headers.get("x-forwarded-for")
    sent["x-forwarded-for"] = f"{before},{request.client}" if before else request.client
    sent |= conditions | dict(origin.custom_headers)
    query = chosen_query(request.query, behavior.cache.query, behavior.origin_request.query)
    scheme = {"http-only": "http", "https-only": "https"}.get(origin.protocol, request.scheme)
    uri = f"{origin.path}{path}{'?' if query else ''}{query}"
    return OriginRequest(origin.id, method, scheme, uri, sent)


def sends(name: str, behavior: Behavior, method: str = "GET") -> bool:
    """Whether the origin is sent a viewer's header, or the one of that name which CloudFront makes."""
    added = behavior.origin_request.headers
    if name == PROTOCOL:
        return name in behavior.cache.headers or (added.behavior != "allExcept" and name in added.names)
    has_body = method not in _READ
    return name in behavior.cache.headers or _is_sent(name, Request(method, has_body=has_body), behavior)


def known_names(behavior: Behavior) -> frozenset[str]:
    """The headers about which there is a rule; the origin is sent all others, or none of them."""
    policy = behavior.origin_request.headers.names
    return _NEVER | _REMOVED | {*_WITH_A_BODY, "range", *behavior.cache.headers, *policy} - {"*"}


def _is_sent(name: str, request: Request, behavior: Behavior) -> bool:
    if name in _NEVER or name.startswith(("x-edge-", "cloudfront-")):
        return False
    read = request.method in _READ
    if (name == "range" and read) or (name == "authorization" and not read and request.method != "OPTIONS"):
        return True
    if name in _WITH_A_BODY and request.has_body:
        return True
    if behavior.cache.legacy:
        return behavior.cache.all_headers or name not in _REMOVED
    return behavior.origin_request.headers.has(name)


def _add_encoding(sent: dict[str, str], request: Request, behavior: Behavior) -> None:
    policy = behavior.cache
    if policy.all_headers or not (policy.gzip or policy.brotli):
        return
    sent.pop("accept-encoding", None)
    if normal := encoding(request, behavior):
        sent["accept-encoding"] = normal
    elif not policy.legacy and "accept-encoding" in request.headers and request.version != "1.0":
        sent["accept-encoding"] = "identity"
