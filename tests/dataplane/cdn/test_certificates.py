from __future__ import annotations

import socket
import ssl
import threading

import pytest

from sandbox.dataplane.cdn.certificates import Authority


@pytest.fixture(scope="module")
def authority():
    return Authority()


def handshake(authority, names, asked, tmp_path):
    issued = authority.issue(names)
    (tmp_path / "server.pem").write_bytes(issued.certificate + issued.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem")
    client = ssl.create_default_context(cadata=authority.certificate.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 has by default
    here, there = socket.socketpair()
    with here, there:
        serving = threading.Thread(target=lambda: _serve(server, there), daemon=True)
        serving.start()
        with client.wrap_socket(here, server_hostname=asked) as connection:
            version = connection.version()
        serving.join(5)
    return version


def _serve(context, connection):
    try:
        context.wrap_socket(connection, server_side=True).close()
    except (ssl.SSLError, OSError):
        return


@pytest.mark.parametrize("asked", ["d1.cloudfront.net", "www.example.org", "localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_takes_the_certificate(authority, tmp_path, asked):
    assert handshake(authority, ["d1.cloudfront.net", "*.example.org"], asked, tmp_path).startswith("TLSv1.")


def test_another_name_is_refused(authority, tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(authority, ["d1.cloudfront.net"], "d2.cloudfront.net", tmp_path)


def test_another_authority_is_not_trusted(authority, tmp_path):
    stranger = Authority()
    stranger.certificate, stranger_s = authority.certificate, stranger.certificate
    assert stranger_s != authority.certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(stranger, ["d1.cloudfront.net"], "d1.cloudfront.net", tmp_path)
