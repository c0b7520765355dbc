"""What an nginx configuration does to WebSockets and Socket.IO, by its lines alone.

Sources: nginx's documentation, "WebSocket proxying", ngx_http_proxy_module, ngx_http_upstream_module; Flask-SocketIO's
and Socket.IO's pages on deployment behind nginx. What was measured is in docs/check-websocket.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sandbox.model.websocket import observed
from sandbox.model.websocket.finding import Finding
from sandbox.model.websocket.nginx_tree import (
    Chain,
    Directive,
    defines,
    effective,
    effective_all,
    http_of,
    location_of,
    named_location,
    seconds,
    servers_for,
    value,
    variables_of,
)

READ_TIMEOUT = 60.0
PING_INTERVAL = 25.0
"""Socket.IO's default, in seconds."""
MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
_OTHER_HANDLERS = ("return", "root", "alias", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass")
_OF_THE_REQUEST = ("http_", "arg_", "cookie_", "sent_http_", "upstream_", "ssl_", "geoip_", "proxy_", "jwt_")
_STICKY = ("ip_hash", "sticky")
_NOT_A_CLIENT_S = ("request_id", "arg_", "uri", "request_uri", "args", "msec", "remote_port", "connection")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the configuration is judged for.

    Attributes:
        path: Of the requests, without a query.
        protocol: `observed.SOCKET_IO`, ...
        host, port: Of the URL that clients have; None: all servers are judged.
        ping_interval: Seconds between the server's pings.
    """

    path: str = "/socket.io/"
    protocol: str = observed.SOCKET_IO
    host: str | None = None
    port: int | None = None
    ping_interval: float = PING_INTERVAL

    @property
    def polls(self) -> bool:
        """Whether clients poll, too."""
        return self.protocol != observed.WEBSOCKET


@dataclass(frozen=True, slots=True)
class Route:
    """How a request goes through nginx.

    Attributes:
        http: The http block.
        chain: The blocks it is in, from http to the innermost location.
        proxy_pass: Where it goes.
        whole: Whether the file has an http block (else maps and upstreams may stand elsewhere).
    """

    http: Directive
    chain: Chain
    proxy_pass: Directive
    whole: bool

    @property
    def block(self) -> Directive:
        """The innermost block."""
        return self.chain[-1]

    @property
    def place(self) -> str:
        """The innermost block, as a person finds it."""
        return f"{self.block.label} ({self.block.where})"

    def header(self, name: str) -> Directive | None:
        """The proxy_set_header that counts."""
        found, _ = effective_all(self.chain, "proxy_set_header")
        return next((one for one in reversed(found) if one.args and one.args[0].lower() == name.lower()), None)

    def lost(self, name: str) -> str:
        """How a header is lost that an outer block sets; "" if none does."""
        own, outer = effective_all(self.chain, "proxy_set_header")
        for one in outer:
            if one.args and one.args[0].lower() == name.lower():
                return f"'{one.label}' ({one.where}) is not inherited, because {own[0].where} sets headers of its own"
        return ""


def _write(route: Route, line: str, given: Directive | None) -> str:
    """Where to write what: in place of a line that there is, or in the innermost block."""
    if given is not None:
        return f"{given.where}: {line} instead of '{given.label};'"
    return f"in {route.place}: {line}"


def find(tree: Sequence[Directive], file: str, asked: Asked) -> list[Finding]:
    """What is wrong, in the order of the lines."""
    http = http_of(tree, file)
    whole = any(one.name == "http" for one in tree)
    servers = servers_for(http, asked.host, asked.port)
    if not servers and not whole:  # a file of locations, to be included in a server
        servers = [Directive("server", (), file, 1, http.block)]
        http = replace(http, block=())
    found: list[Finding] = []
    elsewhere: list[Finding] = []
    routes = 0
    for server in servers:
        chain, passes = _routes(server, asked.path)
        if not passes:
            elsewhere += _not_proxied(server, chain, asked)
        for one in passes:
            routes += 1
            route = Route(http, (http, server, *chain), one, whole)
            for rule in _RULES:
                found += rule(route, asked)
    if not routes:
        found += elsewhere or [_nothing(file, asked)]
    return list(dict.fromkeys(found))


def _routes(server: Directive, path: str) -> tuple[Chain, list[Directive]]:
    """The locations of a path, and each proxy_pass that may get it (those of ``if`` blocks, too)."""
    chain = location_of(server, path)
    inner = chain[-1] if chain else server
    tried = inner.first("try_files")
    if tried is not None and tried.args and tried.args[-1].startswith("@"):
        named = named_location(server, tried.args[-1])
        if named is not None:
            chain, inner = (named,), named
    if inner.first("return") is not None:
        return chain, []
    passes = inner.all("proxy_pass")
    return chain, passes + [one for block in inner.all("if") for one in block.all("proxy_pass")]


def _not_proxied(server: Directive, chain: Chain, asked: Asked) -> Iterator[Finding]:
    inner = chain[-1] if chain else server
    told = inner.first("return") or server.first("return")
    if told is not None and told.args[:1] and told.args[0] in {"301", "302", "307", "308"}:
        yield Finding(
            "redirected",
            "error",
            f"{asked.path} is redirected by '{told.label}', and a WebSocket follows no redirect",
            "let clients connect to the URL that it leads to (https:, wss:)",
            where=(told.where,),
        )
        return
    by = next((one for name in _OTHER_HANDLERS if (one := inner.first(name)) is not None), None)
    yield Finding(
        "not-proxied",
        "error",
        f"{asked.path} is served by {inner.label} ({inner.where}), which has no proxy_pass"
        + (f" but '{by.label}'" if by else ""),
        f"in the server ({server.where}): location {asked.path} {{ proxy_pass http://UPSTREAM; ... }}",
        where=(inner.where,),
    )


def _nothing(file: str, asked: Asked) -> Finding:
    fix = f"server {{ listen 80; location {asked.path} {{ proxy_pass http://UPSTREAM; ... }} }}"
    return Finding("not-proxied", "error", f"there is no server that {asked.path} could reach", fix, where=(file,))


def _upgrade(route: Route, asked: Asked) -> Iterator[Finding]:
    known = {"http_upgrade": "websocket", "http_connection": "Upgrade"}
    wrong, lines, where = [], [], []
    for name, wanted, variable in (("Upgrade", "websocket", "$http_upgrade"), ("Connection", "upgrade", "")):
        given = route.header(name)
        text = given.args[1] if given is not None and len(given.args) > 1 else ""
        result = value(text, route.http, route.chain, known)
        if result is None or wanted in result.lower():
            continue
        wrong.append(f"'{given.label}'" if given else route.lost(name) or f"no proxy_set_header {name}")
        where.append(given.where if given else route.block.where)
        lines.append(f"proxy_set_header {name} {variable or _connection_variable(route.http)};")
    if wrong:
        fix = f"in {route.place}: {' '.join(lines)}"
        if any("$connection_upgrade" in line for line in lines) and not defines(
            route.http, route.chain, "connection_upgrade"
        ):
            fix += f" and in http: {MAP}"
        text = f"the request to upgrade does not reach the upstream: {', '.join(wrong)}"
        yield Finding("upgrade-headers", "error", text, fix + _others(route), where=tuple(dict.fromkeys(where)))


def _others(route: Route) -> str:
    """A block that sets a first header of its own loses those of the outer ones."""
    own, _ = effective_all(route.chain, "proxy_set_header")
    if not own or own[0] in route.block.block:
        return ""
    lost = " ".join(f"{one.label};" for one in own)
    return f" and repeat there what it then no longer inherits: {lost}"


def _connection_variable(http: Directive) -> str:
    """The variable that a map of $http_upgrade makes already, or the usual one."""
    for one in http.all("map"):
        if len(one.args) == 2 and one.args[0] == "$http_upgrade":
            return one.args[1]
    return "$connection_upgrade"


def _unknown_variable(route: Route, asked: Asked) -> Iterator[Finding]:
    given = route.header("Connection")
    for name in variables_of(given.args[1]) if given is not None and len(given.args) > 1 and route.whole else ():
        if not name.startswith(_OF_THE_REQUEST) and not defines(route.http, route.chain, name):
            text = f"nginx will not start: unknown \"{name}\" variable in '{given.label if given else ''}'"
            fix = f"in http: {MAP.replace('$connection_upgrade', '$' + name)}"
            yield Finding("unknown-variable", "error", text, fix, where=(given.where if given else "",))


def _version(route: Route, asked: Asked) -> Iterator[Finding]:
    given = effective(route.chain, "proxy_http_version")
    version = given.args[0] if given is not None and given.args else ""
    if version != "1.1":
        text = (
            f"the upstream is spoken to with HTTP/{version} ('{given.label}')"
            if given is not None
            else "the upstream is spoken to with HTTP/1.0, nginx's default before 1.29.7"
        )
        yield Finding(
            "http-version",
            "error",
            f"{text}; an upgrade needs 1.1, and some servers (gevent-websocket) insist",
            _write(route, "proxy_http_version 1.1;", given),
            where=(given.where if given is not None else route.block.where,),
        )


def _host(route: Route, asked: Asked) -> Iterator[Finding]:
    forwarded = route.header("X-Forwarded-Host")
    if forwarded is not None and "$http_host" in forwarded.args:
        return
    given = route.header("Host")
    text = given.args[1] if given is not None and len(given.args) > 1 else "$proxy_host"
    severity = "error" if asked.polls else "warning"
    fix = _write(route, "proxy_set_header Host $http_host;", given)
    where = (given.where if given is not None else route.block.where,)
    if text == "$proxy_host":
        why = route.lost("Host") or f"no proxy_set_header Host in {route.place}"
        name = route.proxy_pass.args[0].partition("://")[2].partition("/")[0] if route.proxy_pass.args else "its name"
        told = f"the upstream gets its own name ({name}) as Host, and refuses browsers' Origin: {why}"
        yield Finding("host-lost", severity, told, fix + _others(route), where=where)
    elif text == "$host" and asked.port not in {80, 443}:
        listens = {port for block in route.chain for one in block.all("listen") for port in one.args[:1]}
        likely = asked.port is not None or not any(port.rpartition(":")[2] in {"80", "443"} for port in listens)
        told = "$host has no port: where the public URL has one, the upstream refuses browsers' Origin"
        yield Finding("host-without-port", severity if likely else "warning", told, fix, where=where)
    elif "$" not in text and asked.host is not None and text.lower() not in _names(asked.host, asked.port):
        told = f"the upstream gets {text} as Host, whatever browsers ask for, and refuses their Origin"
        yield Finding("host-lost", severity, told, fix, where=where)


def _names(host: str, port: int | None) -> set[str]:
    """The Host headers of a URL."""
    return {f"{host}:{port}"} | ({host} if port in {None, 80, 443} else set())


def _read_timeout(route: Route, asked: Asked) -> Iterator[Finding]:
    given = effective(route.chain, "proxy_read_timeout")
    limit = seconds(given.args[0]) if given is not None and given.args else READ_TIMEOUT
    where = (given.where if given is not None else route.block.where,)
    if limit is None:
        return
    if asked.polls and limit <= asked.ping_interval:
        yield Finding(
            "read-timeout",
            "error",
            f"connections are cut after {limit:g} s in which the upstream says nothing, and it pings every "
            f"{asked.ping_interval:g} s only: WebSockets end with 1006, long polls with 504",
            _write(route, f"proxy_read_timeout {max(60, asked.ping_interval * 2):g}s;", given),
            where=where,
        )
    elif not asked.polls and limit <= READ_TIMEOUT:
        yield Finding(
            "read-timeout",
            "warning",
            f"a WebSocket is cut after {limit:g} s in which nothing goes over it",
            f"let server or client ping more often; or {_write(route, 'proxy_read_timeout 3600s;', given)}",
            where=where,
        )


def _stickiness(route: Route, asked: Asked) -> Iterator[Finding]:
    if not asked.polls or not route.proxy_pass.args:
        return
    name = route.proxy_pass.args[0].partition("://")[2].partition("/")[0]
    upstream = next((one for one in route.http.all("upstream") if one.args == (name,)), None)
    if upstream is None:
        return
    servers = [one for one in upstream.all("server") if not {"backup", "down"} & set(one.args)]
    hashed = upstream.first("hash")
    key = variables_of(hashed.args[0]) if hashed is not None and hashed.args else []
    sticky = any(upstream.first(one) is not None for one in _STICKY) or (
        bool(key) and not any(one.startswith(_NOT_A_CLIENT_S) for one in key)
    )
    if len(servers) > 1 and not sticky:
        how = f"by '{hashed.label}', which differs from request to request" if hashed else "in turn"
        yield Finding(
            "no-stickiness",
            "error",
            f"upstream {name} gives the requests of one client to {len(servers)} servers {how}: polling gets 400 "
            "(session unknown) from those that did not open the session",
            f"in upstream {name} ({upstream.where}): ip_hash; or clients with transports: ['websocket'] alone",
            where=(hashed.where if hashed is not None else upstream.where,),
        )


def _path(route: Route, asked: Asked) -> Iterator[Finding]:
    scheme, _, rest = route.proxy_pass.args[0].partition("://") if route.proxy_pass.args else ("", "", "")
    host, slash, uri = rest.partition("/")
    location = route.block.args[-1] if route.block.name == "location" else ""
    if not slash or "$" in rest or scheme not in {"http", "https"} or not asked.path.startswith(location):
        return
    made = f"/{uri}{asked.path[len(location) :]}"
    end = asked.path.rstrip("/").rpartition("/")[2]
    if asked.polls and made != asked.path and not made.startswith(f"/{end}/"):
        yield Finding(
            "path-changed",
            "error",
            f"the upstream is asked for {made} instead of {asked.path}, since '{route.proxy_pass.label}' has a path",
            f"proxy_pass {scheme}://{host}; (without a path, not even a slash)",
            where=(route.proxy_pass.where,),
        )


def _cache(route: Route, asked: Asked) -> Iterator[Finding]:
    given = effective(route.chain, "proxy_cache")
    if asked.polls and given is not None and given.args != ("off",):
        text = f"answers to polls may be kept and shown to other clients ('{given.label}')"
        fix = f"in {route.place}: proxy_cache off;"
        yield Finding("polling-cached", "warning", text, fix, where=(given.where,))


def _refused(route: Route, asked: Asked) -> Iterator[Finding]:
    for one in route.block.all("limit_except"):
        if asked.polls and "POST" not in one.args and any(rule.args == ("all",) for rule in one.all("deny")):
            text = f"polling clients cannot send: '{one.label}' refuses POST with 403"
            yield Finding("post-refused", "error", text, "limit_except GET POST { ... }", where=(one.where,))
    given = effective(route.chain, "proxy_pass_request_headers")
    if given is not None and given.args == ("off",):
        text = "Sec-WebSocket-Key, Origin and cookies do not reach the upstream"
        fix = "proxy_pass_request_headers on;"
        yield Finding("request-headers-off", "error", text, fix, where=(given.where,))
    for name in ("limit_req", "limit_conn"):
        for one in effective_all(route.chain, name)[0] if asked.polls else ():
            text = f"'{one.label}' may refuse polling clients (503): each message of theirs is a request"
            fix = f"check the limit, or leave {route.block.label} out of it"
            yield Finding("limited", "info", text, fix, where=(one.where,))


_RULES = (
    _upgrade,
    _unknown_variable,
    _version,
    _host,
    _read_timeout,
    _stickiness,
    _path,
    _cache,
    _refused,
)
