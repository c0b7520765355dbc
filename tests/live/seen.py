"""Observations for tests, as a stack with a load balancer makes them."""

from __future__ import annotations

from sandbox.timeline import Observation

CLUSTER = "arn:aws:ecs:us-east-1:123456789012"
OLD, NEW = "a" * 32, "b" * 32


def seen(at, kind, **fields):
    return Observation(at, kind, fields)


def arn(task):
    return f"{CLUSTER}:task/shop/{task}"


def task(at, task, last, desired="RUNNING", version=1, **more):
    fields = {"task": arn(task), "group": "service:web", "last_status": last, "desired_status": desired}
    fields |= {"version": version, "public_ip": "", "private_ip": "", "stop_code": "", "stopped_reason": ""}
    fields |= {"launch_type": "FARGATE", "capacity_provider": "", "container_instance": "", "containers": []}
    return seen(at, "task.state", **{**fields, **more})


def container(name, status="RUNNING", **more):
    return {"name": name, "status": status, "health": "", "host_ports": [], **more}


def running(at, name, private_ip, public_ip="", **more):
    more = {"containers": [container("nginx")], **more}
    return task(at, name, "RUNNING", private_ip=private_ip, public_ip=public_ip, **more)


def change(at, name, new, kind="A", old=None, identifier=None, ttl=60):
    return seen(at, "dns.change", zone="z", name=name, type=kind, set_identifier=identifier, old=old, new=new, ttl=ttl)


def health(at, state, target="10.0.0.4:80", group="web", **why):
    fields = {"group": group, "target": target, "state": state, "reason": "", "description": ""}
    return seen(at, "target.health", **{**fields, **why})


def balancer(at, **more):
    fields = {"balancer": "front", "dns_name": "front-1.elb.amazonaws.com", "address": "198.51.100.20"}
    return seen(at, "alb.deployed", **{**fields, "listeners": [80], "groups": ["web"], **more})


def distribution(at, **more):
    fields = {"distribution": "E1", "domain_name": "d1.cloudfront.net", "aliases": ["www.example.com"]}
    fields |= {"address": "198.51.100.30", "enabled": True, "origins": ["front-1.elb.amazonaws.com"]}
    return seen(at, "cdn.deployed", **{**fields, **more})


def fault(at, number, ended=False):
    fields = {"fault": number, "name": "latency", "target": "service:web", "options": {"milliseconds": 200}}
    return seen(at, "fault.ended" if ended else "fault.begun", **fields)


STORY = (
    change(1, "www.example.com", ["ALIAS d1.cloudfront.net"], ttl=None),
    balancer(2),
    distribution(3),
    task(4, OLD, "PENDING"),
    running(5, OLD, "10.0.0.4", version=2),
    health(6, "initial"),
    health(7, "healthy"),
    seen(8, "service.event", service=f"{CLUSTER}:service/shop/web", message="has reached a steady state."),
    fault(9, 1),
    seen(10, "container.exited", task=arn(OLD), container="nginx", exit_code=137, log=["bye"]),
    task(11, OLD, "STOPPED", "STOPPED", 3, stop_code="EssentialContainerExited", private_ip="10.0.0.4"),
    health(12, "unused"),
    running(13, NEW, "10.0.0.5"),
    health(14, "healthy", "10.0.0.5:80"),
    fault(15, 1, ended=True),
    change(16, "www.example.com", None),
)
"""What a stack with CloudFront goes through while its only task is replaced."""
