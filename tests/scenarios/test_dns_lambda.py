"""The verdict of dns-lambda, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["dns-lambda"]
OLD, NEW = "198.51.100.16", "198.51.100.17"


def observed(*, record=NEW, page=200, function="Success"):
    def task(name, address):
        fields = {"task": f"arn:aws:ecs:x:task/blog/{name}", "public_ip": address, "group": "service:ghost"}
        return {"kind": "task.state", **fields, "last_status": "RUNNING", "desired_status": "RUNNING"}

    def page_of(url, status):
        return {"kind": "http.response", "url": url, "status": status, "error": "" if status else "timed out"}

    def dns(address):
        return {"kind": "dns.probe", "name": "blog.example.com", "rcode": "NOERROR", "answers": [address]}

    function_of = {"kind": "lambda.invocation", "function": "blog-dns", "status": function, "error": "no index"}
    facts = [
        task("a" * 32, OLD),
        dns(OLD),
        page_of("http://blog.example.com/", 200),
        task("b" * 32, NEW),
        function_of,
        page_of(f"http://{NEW}/", 200),
        dns(record),
        page_of("http://blog.example.com/", page),
    ]
    return [
        Observation(float(at), fact["kind"], {name: value for name, value in fact.items() if name != "kind"})
        for at, fact in enumerate(facts)
    ]


def test_a_record_that_follows_holds():
    verdict = SCENARIO.judge(observed())
    assert verdict.outcome == "holds"
    assert verdict.evidence[-1] == f"blog.example.com is {NEW}; http://blog.example.com/: HTTP 200"


@pytest.mark.parametrize(
    "what", [{"record": OLD, "page": 0, "function": "IndexError"}, {"record": OLD, "page": 200}, {"page": 502}]
)
def test_a_name_that_does_not_lead_to_the_replacement_reproduces(what):
    assert SCENARIO.judge(observed(**what)).outcome == "reproduces"


def test_the_functions_error_is_evidence():
    verdict = SCENARIO.judge(observed(record=OLD, page=0, function="Unhandled"))
    assert "blog-dns for its event: Unhandled: no index" in verdict.evidence
