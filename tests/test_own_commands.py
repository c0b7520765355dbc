"""``sandbox init``, ``up`` and ``test`` of somebody's own folder, as a person has them."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET

import pytest

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

COMPOSE = """\
name: chat
services:
  web:
    image: nginx:1.27
    ports: ["127.0.0.1:8080:80"]
    volumes: ["./conf:/etc/nginx/conf.d:ro"]
"""
CONF = """\
server {
  listen 80;
  default_type text/html;
  location = / { add_header Cache-Control "max-age=600"; return 200 '<script src="/app.0a1b2c3d.js"></script>web'; }
  location = /app.0a1b2c3d.js { default_type text/javascript; return 200 'var a = 1;'; }
  location / { return 404; }
}
"""
CHECKS = """
[[check]]
name = "page"
kind = "http"
url = "http://web.example.com/"
contains = "web"
header = { Cache-Control = "max-age" }

[[check]]
name = "other-text"
kind = "http"
url = "http://web.example.com/"
contains = "nothing of the kind"

[[check]]
name = "moved"
kind = "http"
url = "http://web.example.com/none"
within = 1

[[check]]
name = "name"
kind = "dns"
url = "web.example.com"
count = 1

[[check]]
name = "no-name"
kind = "dns"
url = "none.example.com"
within = 0

[[check]]
name = "kept"
kind = "cache"
url = "http://web.example.com/"
hit_ratio = 0.5

[[check]]
name = "kept-more"
kind = "cache"
url = "http://web.example.com/"
severity = "warning"

[[check]]
name = "socket"
kind = "websocket"
url = "http://web.example.com/"
idle = 0

[[check]]
name = "deploy"
kind = "assets"
url = "http://web.example.com/"
during = "PYTHON deploy.py"
rate = 5
settle = 1
tabs = 1

[[check]]
name = "orders"
kind = "replay"
events = ["replace"]
handler = "heard.py:handler"

[[check]]
name = "room"
kind = "eni"
"""
HEARD = "def handler(event, context):\n    return event['detail']['taskArn']\n"
# A rolling deployment, of which the command waits for the end.
DEPLOY = """\
import boto3
ecs = boto3.client("ecs")
ecs.update_service(cluster="chat", service="web", forceNewDeployment=True)
ecs.get_waiter("services_stable").wait(cluster="chat", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
"""
OUTCOMES = {
    "up": "holds",
    "page": "holds",
    "other-text": "fails",
    "moved": "fails",
    "name": "holds",
    "no-name": "fails",
    "kept": "holds",
    "kept-more": "fails",
    "socket": "fails",
    "deploy": "holds",
    "orders": "holds",
    "room": "fails",
}


@pytest.fixture
def folder(cli):
    made = cli.folder / "own" / "chat"
    (made / "conf").mkdir(parents=True)
    (made / "compose.yaml").write_text(COMPOSE)
    (made / "conf" / "default.conf").write_text(CONF)
    (made / "deploy.py").write_text(DEPLOY)
    (made / "heard.py").write_text(HEARD)
    return made


def begin(cli, folder, checks=""):
    code, out, err = cli.run("init", folder)
    assert (code, err) == (0, "")
    assert f"wrote {folder}/sandbox.toml for compose.yaml" in out
    if checks:
        file = folder / "sandbox.toml"
        file.write_text(file.read_text().partition("[[check]]")[0] + checks.replace("PYTHON", sys.executable))


def test_what_is_wrong_is_named_and_exits_2(cli, folder):
    code, out, err = cli.run("test", folder)
    assert (code, out) == (2, "")
    assert f"there is no {folder}/sandbox.toml" in err or "has neither a sandbox.toml nor a stack.yaml" in err
    assert f"next: sandbox init {folder}" in err
    begin(cli, folder)
    before = (folder / "sandbox.toml").read_text()
    code, out, err = cli.run("init", folder)
    assert (code, out) == (2, "")
    assert "is there already" in err
    assert (folder / "sandbox.toml").read_text() == before
    code, out, err = cli.run("test", folder, "--check", "htp-1")
    assert (code, out) == (2, "")
    assert "unknown check 'htp-1'\n  next: is 'http-1' meant?" in err
    (folder / "sandbox.toml").write_text(before.replace("health_check", "healthcheck"))
    code, out, err = cli.run("up", folder)
    assert (code, out) == (2, "")
    assert f"{folder}/sandbox.toml: [compose.public.web]: unknown key 'healthcheck'\n  next: is" in err


def test_without_an_engine_nothing_is_run_and_that_is_said(cli, folder):
    begin(cli, folder)
    code, out, _ = cli.run("test", folder, "--json", "-", **NO_ENGINE)
    assert code == 2
    (only,) = json.loads(out)["results"]
    assert (only["variant"], only["outcome"]) == ("up", "not run")
    assert "no Docker engine answers" in only["error"]


@pytest.mark.docker
@pytest.mark.long(25)
def test_checks_hold_or_fail_and_every_format_says_so(cli, folder):
    begin(cli, folder, CHECKS)
    files = ["--json", folder / "r.json", "--junit", folder / "j.xml", "--report", folder / "report"]
    code, out, err = cli.run("test", folder, "--speed", "30", *files, within=240)
    assert code == 1, err
    results = json.loads((folder / "r.json").read_text())
    assert {one["variant"]: one["outcome"] for one in results["results"]} == OUTCOMES
    assert results["exit_code"] == 1
    evidence = {one["variant"]: "\n".join(one["evidence"]) for one in results["results"]}
    assert "its body does not contain 'nothing of the kind'; it begins with '<script" in evidence["other-text"]
    assert "wanted: HTTP 200 within 1 s" in evidence["moved"]
    assert "none.example.com A: NXDOMAIN" in evidence["no-name"]
    assert "warning no-validator" in evidence["kept-more"]
    assert "error wrong-path" in evidence["socket"]
    assert "deploy.py': 0 of " in evidence["deploy"]
    assert "exit code 0" in evidence["deploy"]
    assert "held as recorded" in evidence["orders"]
    assert "no service of the stack runs on EC2 instances" in evidence["room"]
    # Those two ask nothing of the stack, and come before it in the same process.
    assert [one["variant"] for one in results["results"]][:3] == ["orders", "room", "up"]
    assert "6 of 12 checks hold" in out
    suite = ET.parse(folder / "j.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("chat", "12", "6")
    page = (folder / "report" / "index.html").read_text()
    assert "other-text" in page
    deployed = (folder / "report" / "timelines" / "chat.deploy.jsonl").read_text()
    assert '"kind":"service.event"' in deployed.replace(" ", "") or "has started 1 tasks" in deployed
    assert cli.in_engine() == []


@pytest.mark.docker
def test_one_check_of_a_stack_that_holds_exits_0(cli, folder):
    begin(cli, folder)
    code, out, err = cli.run("test", folder, "--check", "http-1", "--speed", "10", within=120)
    assert code == 0, err
    assert "2 of 2 checks hold" in out
    # The same with the fault in it: the container ends at once, and no check has anything to ask.
    (folder / "conf" / "default.conf").write_text("nonsense;")
    code, out, _ = cli.run("test", folder, "--speed", "10", within=120)
    assert code == 2
    assert "chat / up: not run" in out
    assert 'unknown directive "nonsense"' in out
    assert cli.in_engine() == []


@pytest.mark.docker
def test_up_serves_somebodys_own_folder(cli, folder):
    (folder / "compose.yaml").write_text(COMPOSE.replace("    ports", "    depends_on: [db]\n    ports") + DATABASE)
    begin(cli, folder)
    command = cli.start("up", folder)
    command.wait_for("is up:", within=120)
    command.wait_for("leads to http://web.example.com/")
    command.wait_for("note: service 'web' depends_on db: ECS starts services in no order; it has to try again")
    command.interrupt()
    assert command.end() == 130
    assert cli.in_engine() == []


DATABASE = """\
  db:
    image: nginx:1.27
    ports: ["6379:6379"]
"""
