"""The verdict of dns-lambda-order, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["dns-lambda-order"]
OLD, NEW = "198.51.100.16", "198.51.100.17"


def observed(*, record=NEW, page=200):
    def task(name, address, version, desired="RUNNING"):
        fields = {"task": f"arn:aws:ecs:x:task/blog/{name * 32}", "public_ip": address, "version": version}
        return {"kind": "task.state", **fields, "last_status": "RUNNING", "desired_status": desired}

    def published(name, version):
        fields = {"resources": [f"arn:aws:ecs:x:task/blog/{name * 32}"], "rules": ["blog-task-running"]}
        return {"kind": "event.published", "id": name * 8, **fields, "version": version}

    def page_of(url, status):
        return {"kind": "http.response", "url": url, "status": status, "error": "" if status else "timed out"}

    def dns(address):
        return {"kind": "dns.probe", "name": "blog.example.com", "rcode": "NOERROR", "answers": [address]}

    function = {"kind": "lambda.invocation", "function": "blog-dns", "status": "Success", "error": None}
    facts = [
        task("a", OLD, 3),
        published("a", 3),
        function,
        task("a", OLD, 4, "STOPPED"),
        task("b", NEW, 3),
        published("b", 3),
        function,
        dns(NEW),
        published("a", 3),
        function,
        page_of(f"http://{NEW}/", 200),
        dns(record),
        page_of("http://blog.example.com/", page),
    ]
    return [
        Observation(float(at), fact["kind"], {name: value for name, value in fact.items() if name != "kind"})
        for at, fact in enumerate(facts)
    ]


def test_a_duplicate_that_changes_nothing_holds():
    verdict = SCENARIO.judge(observed())
    assert verdict.outcome == "holds"
    assert verdict.evidence[1] == (
        "event aaaaaaaa of aaaaaaaa comes again: RUNNING, version 3; the task is at version 4, desired STOPPED"
    )


@pytest.mark.parametrize("what", [{"record": OLD, "page": 0}, {"record": OLD}, {"page": 0}])
def test_a_duplicate_that_takes_the_name_back_reproduces(what):
    verdict = SCENARIO.judge(observed(**what))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[0].endswith(f"blog.example.com is {NEW}")
