from __future__ import annotations

import pytest

from sandbox.clock import VirtualClock
from sandbox.report import live
from sandbox.timeline import Timeline

TASK = "arn:aws:ecs:us-east-1:123456789012:task/chat/0123456789abcdef0123456789abcdef"


def line(kind, **fields):
    timeline = Timeline(VirtualClock(), None)
    timeline.record(kind, **fields)
    return live.line(timeline.since()[-1])


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (
            "task.state",
            {
                "task": TASK,
                "last_status": "RUNNING",
                "desired_status": "STOPPED",
                "public_ip": "198.51.100.16",
                "stopped_reason": "Task stopped by user",
            },
            "task 01234567 RUNNING, desired STOPPED at 198.51.100.16 (Task stopped by user)",
        ),
        (
            "scaling.instance",
            {"group": "web", "instance": "i-1", "state": "InService", "cause": "a difference"},
            "group web: i-1 is InService",
        ),
        (
            "ssm.command",
            {"command": "0123456789ab", "details": "NoInstancesInTag", "targets": 0},
            "command 01234567 NoInstancesInTag, 0 targets",
        ),
        (
            "container.exited",
            {"task": TASK, "container": "app", "exit_code": 1, "log": ["first", "\x1b[31mlast\x1b[0m"]},
            "container app of task 01234567 exited with code 1: last",
        ),
        (
            "pipeline.action",
            {
                "pipeline": "release",
                "execution": "0123456789",
                "stage": "Build",
                "action": "Make",
                "status": "Failed",
                "error": "no",
                "summary": "",
            },
            "pipeline release 01234567: Build/Make Failed: no",
        ),
        (
            "codebuild.phase",
            {"build": "app:1", "phase": "BUILD", "status": "SUCCEEDED", "message": ""},
            "build app:1: BUILD SUCCEEDED",
        ),
        (
            "ecr.push",
            {"repository": "web", "tag": "v1", "digest": "sha256:0123456789abcdef0123"},
            "ECR: web:v1 is sha256:0123456789ab",
        ),
        (
            "target.health",
            {"target": "10.0.0.4:80", "group": "web", "state": "healthy", "reason": "", "description": ""},
            "target 10.0.0.4:80 of web is healthy",
        ),
        (
            "target.health",
            {
                "target": "10.0.0.4:80",
                "group": "web",
                "state": "unhealthy",
                "reason": "Target.Timeout",
                "description": "Request timed out",
            },
            "target 10.0.0.4:80 of web is unhealthy (Request timed out)",
        ),
        (
            "alb.response",
            {"balancer": "b", "method": "GET", "url": "a.example.com/", "status": 503, "target": "", "reason": ""},
            "ALB b: GET a.example.com/ 503, no target",
        ),
        (
            "cdn.function",
            {"event": "origin-response", "url": "/a", "outcome": "LambdaExecutionError", "error": "it timed out"},
            "CloudFront: origin-response for /a: it timed out",
        ),
        ("cdn.function", {"event": "origin-response", "url": "/a", "outcome": "response", "error": None}, ""),
        ("slack.message", {"answer": "ok", "text": "All caches are clear."}, "Slack, ok: All caches are clear."),
        (
            "service.event",
            {"message": "(service x) has reached a steady state."},
            "(service x) has reached a steady state.",
        ),
    ],
)
def test_a_line_for_an_observation(kind, fields, said):
    assert line(kind, **fields) == said


def test_what_nobody_waits_to_see_has_no_line():
    assert line("dns.answer", name="a", type="A", rcode="NOERROR", values=[]) == ""
