"""Observations in words."""

from __future__ import annotations

from sandbox import evidence
from sandbox.timeline import Observation


def seen(**fields):
    return Observation(0.0, "x.y", fields)


def test_words():
    assert evidence.task(seen(task="arn:aws:ecs:r:a:task/blog/0123456789abcdef")) == "01234567"
    assert evidence.answers(seen(answers=["192.0.2.1", "192.0.2.2"], rcode="NOERROR")) == "192.0.2.1, 192.0.2.2"
    assert evidence.answers(seen(answers=[], rcode="NXDOMAIN")) == "NXDOMAIN"
    assert evidence.page(seen(status=503, error="")) == "HTTP 503"
    assert evidence.page(seen(status=0, error="timed out")) == "timed out"
    assert evidence.invocation(seen(status="Success", error=None)) == "Success"
    assert evidence.invocation(seen(status="KeyError", error="'Association'")) == "KeyError: 'Association'"


def test_a_task_runs_when_it_is_running_and_is_to_be():
    state = {"last_status": "RUNNING", "desired_status": "RUNNING"}
    assert evidence.runs(Observation(0.0, "task.state", state))
    assert not evidence.runs(Observation(0.0, "task.state", {**state, "desired_status": "STOPPED"}))
    assert not evidence.runs(Observation(0.0, "task.state", {**state, "last_status": "PENDING"}))
    assert not evidence.runs(Observation(0.0, "dns.change", {}))


def test_the_last_words_of_a_container_that_failed_name_the_error():
    log = ["Error [ERR_MODULE_NOT_FOUND]: Cannot find module", "    at node:internal", "Node.js v22.20.0"]
    assert evidence.last_words(seen(log=log, exit_code=1)) == "Error [ERR_MODULE_NOT_FOUND]: Cannot find module"
    assert evidence.last_words(seen(log=["ValueError: a", "KeyError: b"], exit_code=1)) == "KeyError: b"
    assert evidence.last_words(seen(log=["an error", "last"], exit_code=1)) == "last"
    assert evidence.last_words(seen(log=["Error: handled", "bye"], exit_code=0)) == "bye"
    assert evidence.last_words(seen(log=[], exit_code=1)) == ""
