"""The verdict of dns-lambda-no-ip-yet, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["dns-lambda-no-ip-yet"]
OLD, NEW = "198.51.100.16", "198.51.100.17"
URL = "http://blog.example.com/"


def observed(*, record=NEW, page=200, log=()):
    task = {"task": f"arn:aws:ecs:x:task/blog/{'b' * 32}", "public_ip": NEW}
    facts = [
        (10.0, "task.state", {**task, "last_status": "RUNNING", "desired_status": "RUNNING"}),
        (
            11.0,
            "lambda.invocation",
            {"function": "blog-dns", "status": "Success", "error": None, "duration_ms": 40, "log": list(log)},
        ),
        (16.5, "eni.association", {"interface": "eni-1", "public_ip": NEW}),
        (17.0, "http.response", {"url": f"http://{NEW}/", "status": 200, "error": ""}),
        (18.0, "dns.probe", {"name": "blog.example.com", "rcode": "NOERROR", "answers": [record]}),
        (19.0, "http.response", {"url": URL, "status": page, "error": "" if page else "timed out"}),
    ]
    return [Observation(at, kind, fields) for at, kind, fields in facts]


def test_a_record_that_follows_holds():
    verdict = SCENARIO.judge(observed())
    assert verdict.outcome == "holds"
    assert verdict.evidence[:2] == (
        f"replacement bbbbbbbb RUNNING; EC2 shows its Association {NEW} 6.5 s later",
        "blog-dns for its event: Success after 0.0 s",
    )


@pytest.mark.parametrize("what", [{"record": OLD, "page": 0}, {"record": OLD}, {"page": 0}])
def test_a_lost_update_reproduces(what):
    said = "skipped arn:aws:ecs:x:task/blog/bbbb: KeyError('Association')"
    verdict = SCENARIO.judge(observed(log=["START", said], **what))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[1].endswith("; it says in its log: KeyError('Association')")
