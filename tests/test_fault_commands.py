"""`sandbox fault`: another process puts a fault into a stack that is up, and it ends however that process does."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request

import pytest

from sandbox.controllers.faults import LEASE


def status(url):
    """What a GET is answered (0: nothing)."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_list_and_the_help(cli):
    code, out, err = cli.run("fault", "list")
    assert (code, err) == (0, "")
    assert "latency  service:NAME, task:NAME, balancer:NAME" in out
    assert "--set milliseconds=200  How late: a whole number from 1 to 60000 (ms)" in out
    code, out, _ = cli.run("fault", "list", "--json")
    content = json.loads(out)
    assert (code, content["version"]) == (0, 1)
    assert {fault["name"] for fault in content["faults"]} >= {"kill", "latency", "event-drop"}
    code, out, _ = cli.run("fault", "latency", "--help")
    assert (code, "milliseconds: How late" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope", "service:shop"], "No such command 'nope'"),
        (["latency", "service:shop", "--set", "milliseconds=slow"], "milliseconds is a whole number from 1 to 60000"),
        (["latency", "service:shop", "--set", "milliseconds"], "--set wants NAME=VALUE"),
        (["latency", "service:shop", "--set", "seconds=1"], "has no option 'seconds'"),
        (["latency", "service:shop", "--for", "0"], "0.0 is not in the range"),
        (["kill", "service:shop", "--for", "3"], "kill is over at once"),
        (["latency", "service:shop"], "no stack is up"),
    ],
)
def test_what_is_refused(cli, arguments, message):
    code, out, err = cli.run("fault", *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.docker
@pytest.mark.long(40)
def test_a_fault_in_a_stack_that_is_up_ends_with_the_command_however_that_ends(cli, small_stack):
    up = cli.start("up", small_stack(), "--speed", "10")
    url = re.search(r"http://127\.0\.0\.1:\d+/", up.wait_for("leads to"))[0]
    up.wait_for("takes it down")
    assert status(url) == 200

    code, _, err = cli.run("fault", "origin-5xx", "service:shop")
    assert (code, "there are: service:small" in err) == (2, True)
    code, out, err = cli.run("fault", "origin-5xx", "service:small", "--for", "1")
    assert (code, err) == (0, "")
    assert out.startswith("in small, for 1 s: origin-5xx service:small port=80 status=503\n")
    assert status(url) == 200

    until = cli.start("fault", "origin-5xx", "service:small", "--set", "status=500")
    until.wait_for("until Ctrl-C")
    assert status(url) == 500
    until.interrupt()
    assert until.end() == 130
    assert "ended" in until.out
    assert status(url) == 200

    killed = cli.start("fault", "origin-5xx", "service:small", "--set", "status=501")
    killed.wait_for("until Ctrl-C")
    assert status(url) == 501
    already = up.out.count("fault origin-5xx of service:small has ended")
    killed.kill()
    up.wait_for_count("fault origin-5xx of service:small has ended", already + 1, within=LEASE + 30)
    assert status(url) == 200

    left_on = cli.start("fault", "pause", "service:small")
    left_on.wait_for("until Ctrl-C")
    up.interrupt()
    assert up.end() == 130
    assert left_on.end() == 2
    assert "does not answer" in left_on.err
    assert cli.left() == []
