"""Which versions of TLS and which ciphers a listener's security policy lets clients have."""

from __future__ import annotations

import socket
import ssl
import warnings

import pytest

from sandbox.model.elb.config import FixedResponse, Listener, Rule
from tests.dataplane.alb.haproxy import PATIENCE

pytestmark = pytest.mark.docker
OLD = "ECDHE-ECDSA-AES128-SHA"
V10, V11, V12, V13 = (getattr(ssl.TLSVersion, name) for name in ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"))


def listener(policy):
    rule = Rule("default", None, (), FixedResponse(200))
    return Listener("arn:l", 443, "HTTPS", (rule,), ("arn:certificate",), policy)


def handshake(haproxy, version, ciphers="ALL"):
    """The cipher that a client with this version alone gets; None: none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection((haproxy.address, 443), timeout=PATIENCE) as connection,
            context.wrap_socket(connection) as secure,
        ):
            return secure.cipher()[0]
    except (ssl.SSLError, ConnectionResetError):
        return None


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("ELBSecurityPolicy-2016-08", {V10, V11, V12}),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", {V11, V12}),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", {V12}),
        ("ELBSecurityPolicy-TLS13-1-2-2021-06", {V12, V13}),
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", {V13}),
    ],
)
def test_versions(haproxy, policy, versions):
    haproxy.serve(listener(policy))
    assert {one for one in (V10, V11, V12, V13) if handshake(haproxy, one)} == versions


def test_ciphers(haproxy):
    haproxy.serve(listener("ELBSecurityPolicy-2016-08"))
    assert handshake(haproxy, V12, OLD) == OLD
    haproxy.serve(listener("ELBSecurityPolicy-FS-1-2-Res-2020-10"))
    assert handshake(haproxy, V12, OLD) is None
    assert handshake(haproxy, V12, "ECDHE+AES256+AESGCM").endswith("AES256-GCM-SHA384")


def test_every_policy_is_taken(haproxy):
    from sandbox.aws.backends.embedded import Embedded

    for policy in Embedded().ssl_policies():
        haproxy.serve(listener(policy))
    assert handshake(haproxy, V12) or handshake(haproxy, V13)
