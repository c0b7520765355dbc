"""`sandbox up --ui` as a command: what it refuses before anything is made."""

from __future__ import annotations

import socket


def test_a_port_in_use(cli, small_stack):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = cli.run("up", small_stack(), "--ui", "--ui-port", str(port))
    assert (code, out) == (2, "")
    assert f"the live view cannot listen on 127.0.0.1:{port}" in err
    assert "--ui-port" in err


def test_a_port_without_the_view(cli, small_stack):
    code, _, err = cli.run("up", small_stack(), "--ui-port", "8080")
    assert (code, "--ui-port is of --ui" in err) == (2, True)
