"""A site of two builds in a service behind a load balancer, and visitors who load its pages all the time."""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from statistics import fmean

from sandbox.controllers.sandbox import Sandbox
from sandbox.model.rolling_deploy.fleet import Fleet
from sandbox.model.rolling_deploy.prediction import Prediction
from sandbox.model.rolling_deploy.visits import predict
from sandbox.simulate.measured import timing

SPEED = 10
TASKS, VISITORS = 4, 12
BOOT = 0.75  # seconds of the wall clock: between two health checks, so that no hair's breadth decides
DELAY, INTERVAL = 5, 5
LIMITS = (100, 125)
PART = 0.5  # seconds of the wall clock
FILES = 2  # of a page: one that has another name in the other build, and one that both have

SITE = """\
cd /usr/share/nginx/html && mkdir -p _app && printf x > _app/entry.{build}.js && printf x > _app/vendor.js &&
printf '<html data-build={build}><script src=/_app/entry.{build}.js></script><script src=/_app/vendor.js></script>' \
> index.html && sleep {boot} && exec nginx -g 'daemon off;'
"""


class Service:
    """nginx with a build of the site, ``tasks`` times; each boots for ``boot`` seconds."""

    def __init__(self, box, *, tasks: int, boot: float, delay: int, interval: int, limits: tuple[int, int]) -> None:
        self.box, self.boot = box, boot
        elb, ecs = box.aws("elbv2"), box.aws("ecs")
        made = elb.create_load_balancer(Name="web", Subnets=box.subnets, SecurityGroups=[box.security_group])
        balancer = made["LoadBalancers"][0]
        group = elb.create_target_group(
            Name="web",
            Protocol="HTTP",
            Port=80,
            VpcId=box.vpc,
            TargetType="ip",
            HealthCheckIntervalSeconds=interval,
            HealthCheckTimeoutSeconds=2,
            UnhealthyThresholdCount=10,
        )["TargetGroups"][0]["TargetGroupArn"]
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}
        elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        (self.address,) = box.resolve(balancer["DNSName"]).values
        mark = box.timeline.mark()
        ecs.create_cluster(clusterName="c")
        ecs.create_service(
            cluster="c",
            serviceName="web",
            taskDefinition=self._register("old"),
            desiredCount=tasks,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": box.subnets,
                    "securityGroups": [box.security_group],
                    "assignPublicIp": "ENABLED",
                }
            },
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
            healthCheckGracePeriodSeconds=60,
            deploymentConfiguration={"minimumHealthyPercent": limits[0], "maximumPercent": limits[1]},
        )
        self._said("has reached a steady state", mark)

    def deploy(self, build: str) -> None:
        """Replace the tasks by those of another build; returns when that is complete."""
        mark = self.box.timeline.mark()
        self.box.aws("ecs").update_service(cluster="c", service="web", taskDefinition=self._register(build))
        self._said("deployment completed", mark)

    def _register(self, build: str) -> str:
        container = {
            "name": "web",
            "image": "nginx:1.27",
            "command": ["sh", "-c", SITE.format(build=build, boot=self.boot)],
            "portMappings": [{"containerPort": 80}],
        }
        return self.box.aws("ecs").register_task_definition(
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )["taskDefinition"]["taskDefinitionArn"]

    def _said(self, words: str, mark: int) -> None:
        self.box.timeline.wait_for(
            f"the service to say: {words}",
            lambda seen: seen.kind == "service.event" and words in seen["message"],
            within=120,
            since=mark,
        )


@dataclass(frozen=True)
class Load:
    """A page load: when it began and ended, of which build the page was, and whether something of it was not got."""

    at: float
    end: float
    build: str
    broken: bool


@dataclass
class Visitors:
    """So many at once, each of whom loads the page again when it has it whole."""

    address: str
    number: int
    loads: list[Load] = field(default_factory=list)

    def __enter__(self) -> Visitors:
        self._enough = threading.Condition()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(self.number)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, number: int, within: float = 60) -> None:
        """Until so many loads more have ended."""
        with self._enough:
            wanted = len(self.loads) + number
            assert self._enough.wait_for(lambda: len(self.loads) >= wanted, within)

    def _visit(self) -> None:
        connection = http.client.HTTPConnection(self.address, 80, timeout=15)

        def get(path: str) -> tuple[int, str]:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

        while not self._stopped.is_set():
            at = time.time()
            status, page = get("/")
            statuses = [status, *(get(path)[0] for path in re.findall(r"src=(\S+?)>", page))]
            build = re.search(r"data-build=(\w+)", page)
            load = Load(at, time.time(), build[1] if build else "", statuses != [200] * (1 + FILES))
            with self._enough:
                self.loads.append(load)
                self._enough.notify_all()
        connection.close()


@dataclass
class Both:
    """What was measured, from the begin of the deployment until its end, and what was predicted of that."""

    begun: float
    ended: float
    loads: list[Load]
    predicted: Prediction

    def share(self, begin: float, end: float) -> float:
        """The share that breaks, all times alike: how many loads there are, is as the machine lets."""
        return fmean(share for _, share in self.shares(begin, end))

    def shares(self, begin: float, end: float) -> list[tuple[float, float]]:
        """The same of each `PART` of the time, with the time of its middle."""
        parts: list[list[bool]] = [[] for _ in range(round((end - begin) / PART))]
        size = (end - begin) / len(parts)
        for load in self.loads:
            if begin <= load.at < end:
                parts[int((load.at - begin) / size)].append(load.broken)
        return [(begin + (n + 0.5) * size, fmean(part)) for n, part in enumerate(parts) if part]

    @property
    def mixed(self) -> tuple[float, float]:
        """From the first load that sees the new build until the last one that sees the old (wall clock)."""
        first = min(load.at for load in self.loads if load.build == "new" or load.broken)
        return first, max(load.at for load in self.loads if load.build == "old" or load.broken)


def compare(images: str) -> Both:
    """Deploy under load, and predict the same from the times that the tasks took."""
    with Sandbox(images=images, speed=SPEED) as box:
        service = Service(box, tasks=TASKS, boot=BOOT, delay=DELAY, interval=INTERVAL, limits=LIMITS)
        with Visitors(service.address, VISITORS) as visitors:
            visitors.await_more(100)
            mark, begun = box.timeline.mark(), box.timeline.record("deploy").at
            service.deploy("new")
            ended = box.timeline.record("deployed").at
        loads = [load for load in visitors.loads if begun <= load.at < ended]
        measured = timing(box.timeline.since(mark), speed=SPEED, deregistration_delay=DELAY)
    seconds = (ended - begun) * SPEED
    gap = fmean(load.end - load.at for load in loads) / (1 + FILES) * SPEED
    fleet = Fleet(
        tasks=TASKS,
        rps=len(loads) * (1 + FILES) / seconds,
        minimum_healthy_percent=LIMITS[0],
        maximum_percent=LIMITS[1],
        start=measured.start,
        boot=BOOT * SPEED,
        stop=measured.stop,
        spread=0.0,
        launch_quota=False,
        health_interval=INTERVAL,
        unhealthy_threshold=10,
        deregistration_delay=DELAY,
        assets=FILES,
        changed=1,
        pause=gap,
        gap=gap,
        tab_open=0.0,
        duration=seconds,
        seed=1,
    )
    return Both(begun, ended, loads, predict(fleet))
