"""The configuration of nginx beside Varnish: it ends viewers' HTTPS, and leads to the origins.

Varnish speaks no TLS and resolves a name once; CloudFront asks DNS again when a record's TTL is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from sandbox.dataplane.cdn.templates import environment, inner_headers, with_token
from sandbox.model.cloudfront.config import Distribution, Origin
from sandbox.model.s3 import bucket_of

FIRST_PORT = 9000
"""Of 127.0.0.1: origins are reached there, the one numbered 0 first."""


def proxy(
    distribution: Distribution,
    ports: Mapping[str, int],
    *,
    folder: str,
    https_port: int,
    resolver: IPv4Address,
    token: str = "Cdn",
    speed: float = 1.0,
) -> str:
    """Nginx's configuration.

    Args:
        distribution: Whose origins it leads to.
        ports: The port of 127.0.0.1 for each origin, by its id.
        folder: Where, in the container, the certificates are.
        https_port: Where Varnish takes what viewers say, with the PROXY protocol.
        resolver: The DNS server.
        token: As of Varnish's configuration.
        speed: Divides every time of AWS's.
    """
    made = (
        environment()
        .get_template("proxy.conf.j2")
        .render(
            folder=folder,
            https_port=https_port,
            resolver=resolver,
            http2="http2" in distribution.http_version,
            inner_headers=inner_headers(),
            origins=[_origin(one, ports[one.id], speed) for one in distribution.origins.values()],
        )
    )
    return with_token(made, token)


def _origin(origin: Origin, port: int, speed: float) -> dict[str, object]:
    http = f"http://{origin.domain_name}:{origin.http_port}"
    return {
        "port": port,
        "protocol": origin.protocol,
        "http": http,
        # S3 is the sandbox's own endpoint, which speaks no TLS.
        "https": http if bucket_of(origin.domain_name) else f"https://{origin.domain_name}:{origin.https_port}",
        # nginx asks an address once; CloudFront has several attempts, each with its time.
        "connect": _milliseconds(origin.connection_attempts * origin.connection_timeout / speed),
        "read": _milliseconds(origin.read_timeout / speed),
    }


def _milliseconds(seconds: float) -> str:
    return f"{max(round(seconds * 1000), 1)}ms"
