"""What a person at the terminal is told while a stack is up: a line for an observation, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.text import Text

from sandbox import evidence
from sandbox.timeline import Observation


def line(seen: Observation) -> str:
    """One line, or "" for what nobody waits to see."""
    told = _LINES.get(seen.kind)
    return told(seen) if told else ""


def _task(seen: Observation) -> str:
    address = f" at {seen['public_ip']}" if seen["public_ip"] else ""
    reason = f" ({seen['stopped_reason']})" if seen["stopped_reason"] else ""
    return f"task {evidence.task(seen)} {seen['last_status']}, desired {seen['desired_status']}{address}{reason}"


def _exited(seen: Observation) -> str:
    words = Text.from_ansi(evidence.last_words(seen)).plain
    said = f": {words}" if words else ""
    return f"container {seen['container']} of task {evidence.task(seen)} exited with code {seen['exit_code']}{said}"


def _function(seen: Observation) -> str:
    return f"function {seen['function']}: {seen['status']} in {seen['duration_ms']:.0f} ms {seen.get('error') or ''}"


def _edge_function(seen: Observation) -> str:
    """Those that have failed; the others are told of by their invocation and CloudFront's answer."""
    return f"CloudFront: {seen['event']} for {seen['url']}: {seen['error']}" if seen["error"] else ""


def _target(seen: Observation) -> str:
    why = f" ({seen['description']})" if seen["description"] else ""
    return f"target {seen['target']} of {seen['group']} is {seen['state']}{why}"


def _balancer(seen: Observation) -> str:
    whom = seen["target"] or "no target"
    why = f": {seen['reason']}" if seen["reason"] else ""
    return f"ALB {seen['balancer']}: {seen['method']} {seen['url']} {seen['status']}, {whom}{why}"


def _instance(seen: Observation) -> str:
    name = f"{seen['service']}.{seen['namespace']}"
    return f"Cloud Map: {seen['instance'][:8]} of {name} {seen['change']}, {seen['health']}"


def _fault(seen: Observation) -> str:
    options = " ".join(f"{name}={value}" for name, value in seen["options"].items())
    ending = seen.kind == "fault.ended"
    return f"fault {seen['name']} of {seen['target']} " + ("has ended" if ending else f"begins {options}").rstrip()


def _pipeline(seen: Observation) -> str:
    why = f": {seen['error'] or seen['summary']}" if seen["error"] or seen["summary"] else ""
    return (
        f"pipeline {seen['pipeline']} {seen['execution'][:8]}: {seen['stage']}/{seen['action']} {seen['status']}{why}"
    )


_LINES: Mapping[str, Callable[[Observation], str]] = {
    "task.state": _task,
    "container.exited": _exited,
    "service.event": lambda seen: str(seen["message"]),
    "lambda.invocation": _function,
    "dns.change": lambda seen: f"{seen['name']} {seen['type']} {seen['old']} -> {seen['new']}",
    "cdn.response": lambda seen: f"CloudFront: {seen['method']} {seen['url']} {seen['status']} {seen['x_cache']}",
    "cdn.origin_error": lambda seen: f"CloudFront: no answer from {seen['origin']}: {seen['error']}",
    "cdn.function": _edge_function,
    "target.health": _target,
    "alb.response": _balancer,
    "cloudmap.instance": _instance,
    "fault.begun": _fault,
    "fault.ended": _fault,
    "pipeline.execution": lambda seen: f"pipeline {seen['pipeline']} {seen['execution'][:8]} {seen['status']}",
    "pipeline.action": _pipeline,
    "codebuild.phase": lambda seen: (
        f"build {seen['build']}: {seen['phase']} {seen['status']} {seen['message']}".rstrip()
    ),
    "ecr.push": lambda seen: f"ECR: {seen['repository']}:{seen['tag']} is {seen['digest'][:19]}",
    "slack.message": lambda seen: f"Slack, {seen['answer']}: {seen['text']}",
    "instance.launched": lambda seen: f"instance {seen['instance']} ({seen['type']}) at {seen['address']}",
    "scaling.target": lambda seen: f"service {seen['service']} has a scalable target, and is not scaled here",
    "scaling.instance": lambda seen: f"group {seen['group']}: {seen['instance']} is {seen['state']}",
    "ssm.node": lambda seen: f"Systems Manager: {seen['instance']} {seen['state']}",
    "ssm.invocation": lambda seen: f"command {seen['command'][:8]} on {seen['instance']}: {seen['details']}",
    "ssm.command": lambda seen: f"command {seen['command'][:8]} {seen['details']}, {seen['targets']} targets",
    "instance.failed": lambda seen: f"instance {seen['instance']} could not be launched: {seen['reason']}",
}
