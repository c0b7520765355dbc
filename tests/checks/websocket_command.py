"""The command as tests run it, and the configurations they give it."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from sandbox import cli
from sandbox.errors import SandboxError
from tests import forks

MAP = 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }'
VERSION = "proxy_http_version 1.1;"
UPGRADE = "proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $connection_upgrade;"
HOST = "proxy_set_header Host $http_host;"
RIGHT = f"{VERSION}\n{UPGRADE}\n{HOST}"


def command(*arguments, within=60):
    """In a process of its own, and without an engine."""
    code, out, err = forks.run(
        "check", "websocket", *arguments, within=within, COLUMNS="200", DOCKER_HOST="unix:///nonexistent"
    )
    assert "Traceback" not in err
    return code, out, err


def check(*arguments):
    """The same in this process, which is faster."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, ["check", "websocket", *map(str, arguments)])
    if isinstance(done.exception, SandboxError):
        return 2, done.stdout, str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def result(*arguments):
    code, out, err = check(*arguments, "--json", "-")
    assert out, err
    found = json.loads(out)
    assert found["exit_code"] == code
    return found


def rules(found):
    return {one["rule"]: one["severity"] for one in found["findings"]}


def gets(found, client):
    """What a client gets, in the table's words; "works"."""
    (one,) = [one for one in found["urls"][0]["clients"] if one["client"] == client]
    failed = next((step for step in one["steps"] if not step["ok"]), None)
    if failed is None:
        return "works"
    if failed["status"]:
        return f"{failed['status']} {failed['body'][:400]}".replace('"', "").lower()
    return "101, then broken" if any(step["status"] == 101 for step in one["steps"]) else "broken off"


def text_of(location, upstream, ports):
    servers = "\n".join(f"server 127.0.0.1:{port};" for port in ports)
    return (
        f"http {{\n{MAP}\nupstream app {{\n{upstream}\n{servers}\n}}\n"
        f"server {{\nlisten 127.0.0.1:PORT;\nlocation / {{\nproxy_pass http://app;\n{location}\n}}\n}}\n}}\n"
    )
