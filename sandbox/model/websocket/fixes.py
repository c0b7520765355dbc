"""The line of configuration that mends a failure, by the server that answers."""

from __future__ import annotations

from sandbox.model.websocket.observed import Answer, Seen

UNKNOWN = ""
_NGINX_UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; "
    "(in http: map $http_upgrade $connection_upgrade { default upgrade; '' close; })"
)
_FIXES: dict[str, dict[str, str]] = {
    "upgrade-lost": {
        "nginx": f"in the location of the path: {_NGINX_UPGRADE}",
        "h2o": "beside proxy.reverse.url: proxy.websocket: ON",
        "apache": "ProxyPass PATH ws://UPSTREAM/PATH, or upgrade=websocket (Apache 2.4.47 and later)",
        "cloudfront": "an origin request policy that forwards Sec-WebSocket-Key and -Version (AllViewer does)",
        UNKNOWN: f"let each proxy pass the upgrade on: nginx: {_NGINX_UPGRADE}; H2O: proxy.websocket: ON",
    },
    "origin-refused": {
        "nginx": "in the location of the path, even if the level above sets it: proxy_set_header Host $http_host;",
        "h2o": "beside proxy.reverse.url: proxy.preserve-host: ON",
        "apache": "ProxyPreserveHost On",
        "alb": "attribute routing.http.preserve_host_header.enabled, or cors_allowed_origins in the application",
        "cloudfront": "an origin request policy that forwards Host (AllViewer does)",
        UNKNOWN: "let each proxy pass Host on as the browser sent it (nginx: proxy_set_header Host $http_host;)",
    },
    "unknown-session": {
        "nginx": "in upstream: ip_hash; or clients with transports: ['websocket'] alone",
        "alb": "stickiness.enabled=true, stickiness.type=lb_cookie on the target group; or websocket-only clients",
        "cloudfront": "forward cookies, and stickiness at the load balancer behind it; or websocket-only clients",
        UNKNOWN: "stickiness (nginx: ip_hash; ALB: stickiness.enabled=true), or clients with transports: "
        "['websocket'] alone",
    },
    "idle-cut": {
        "nginx": "proxy_read_timeout 120s; (longer than the ping interval)",
        "alb": "the load balancer's attribute idle_timeout.timeout_seconds above the ping interval",
        "h2o": "proxy.websocket.timeout (milliseconds) above the ping interval",
        UNKNOWN: "an idle timeout longer than the ping interval (nginx: proxy_read_timeout; ALB: "
        "idle_timeout.timeout_seconds), or a shorter ping interval in the application",
    },
}


_AT_THE_APPLICATION = {
    "upgrade-lost": "the application speaks no WebSocket: Flask-SocketIO with threads needs the package "
    "simple-websocket, with gevent gevent-websocket and its handler",
    "origin-refused": "cors_allowed_origins=['ORIGIN'] in the application, with the scheme, name and port of the page",
    "unknown-session": "the processes behind this URL share no sessions: give each a URL of its own, or stickiness",
    "idle-cut": "see its log: it closes what is idle (its pingTimeout, a worker's timeout: gunicorn's --timeout)",
    "no-open-packet": "see its log: its connect handler fails or hangs",
}

_ANYWHERE = {
    "wrong-path": "the path that the server has (--path), and a proxy that passes it on unchanged (nginx: proxy_pass "
    "without a path)",
    "redirected": "let clients connect to the URL that it leads to",
    "denied": "what asks for authentication must leave this path out, or clients send it (--header)",
    "gateway-error": "the proxy that answers so cannot reach the server behind it: see that proxy's error log",
    "wrong-version": "a client of the server's version (socket.io-client 2 with protocol 3, 3 and later with 4), or "
    "allowEIO3: true at a Node.js server",
    "cookies-needed": "clients of other origins with withCredentials: true, or websocket-only ones",
    "polling-disabled": "right for websocket-only clients: transports: ['websocket']",
    "websocket-disabled": "Flask-SocketIO: pip install simple-websocket (threads), gevent-websocket (gevent); or allow "
    "the transport",
    "no-open-packet": "let each proxy pass Host and Origin on (nginx: proxy_set_header Host $http_host;); then the "
    "application's log",
    "closed-at-once": "see its log: it refuses the connection (a token or cookie that is missing: --header)",
    "probe-unanswered": "stickiness, if there are several processes; else what cuts or buffers the bytes after 101",
    "silent": "what buffers or drops the bytes after 101 (a proxy that does not tunnel); then the application's log",
    "garbage-frames": "what changes the bytes after 101: compression or rewriting in a proxy",
    "bad-handshake": "what answers is not the WebSocket server: a proxy that answers 101 by itself, or a cache",
    "post-refused": "allow POST on this path (nginx: limit_except, WAF rules, methods of a CDN's behaviour)",
    "no-answer": "see the log of that server",
    "refused": "see the log of that server",
}


def server_of(seen: Seen) -> str:
    """Who answers at a URL, as far as the headers tell: "nginx", "h2o", "alb", "apache", "cloudfront", or ""."""
    answers = [step.answer for session in seen.sessions for step in session.steps if step.answer is not None]
    for answer in answers:
        if found := _server(answer):
            return found
    return UNKNOWN


def fix(cause: str, server: str, itself: bool) -> str:
    """What to write where this server breaks it; ``itself``: there is no other behind it."""
    if itself and cause in _AT_THE_APPLICATION:
        return _AT_THE_APPLICATION[cause]
    known = _FIXES.get(cause, {})
    return known.get(server) or known.get(UNKNOWN) or _ANYWHERE[cause]


def _server(answer: Answer) -> str:
    if "cloudfront" in answer.header("via").lower():
        return "cloudfront"
    if answer.header("server").lower().startswith("awselb") or "AWSALB" in answer.header("set-cookie"):
        return "alb"
    name = answer.header("server").lower()
    return next((one for one in ("nginx", "h2o", "apache") if name.startswith(one)), UNKNOWN)
