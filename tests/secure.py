"""Servers that speak TLS, with certificates of an authority of the sandbox's kind."""

from __future__ import annotations

import ssl
import tempfile

from sandbox.dataplane.cdn.certificates import Authority


def serving(authority: Authority, *names: str) -> ssl.SSLContext:
    """A server's context, with a certificate for names."""
    issued = authority.issue(names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(issued.key + issued.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def trusting(authority: Authority) -> ssl.SSLContext:
    """A client's context, which trusts that authority alone."""
    return ssl.create_default_context(cadata=authority.certificate.decode())
