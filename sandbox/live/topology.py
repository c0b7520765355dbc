"""From what is known to what is drawn: who leads to whom, from viewers to containers.

Pure: no I/O, no waiting. What DNS answers now comes in as a function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sandbox.live.nodes import Action, Answers, Column, Node, Topology
from sandbox.live.state import Container, RecordSet, State, Target, Task
from sandbox.report.page.picture import Tone
from sandbox.report.page.states import HEALTH, TARGET, task_look

MOST_NODES = 24
"""Of a column: more are said to be left out."""
STOPPED_FOR = 60.0
"""Seconds for which a task that has stopped is still shown."""
_MOST_STOPPED = 3  # of a service
_VIEWERS = "viewers"
_ALIAS = "ALIAS "
_FAULTS = (("port-closed", "Block a port"), ("latency", "Add latency"))


def topology(state: State, answers: Answers, now: float) -> Topology:
    """What there is, and who leads to whom.

    Args:
        state: What is known.
        answers: What DNS answers to a name and type.
        now: Seconds since the epoch.
    """
    return _Drawing(state, answers, now).drawn()


class _Drawing:
    def __init__(self, state: State, answers: Answers, now: float) -> None:
        self._state = state
        self._answers = answers
        self._now = now
        self._tasks = [task for task in state.tasks.values() if not task.is_over or task.at > now - STOPPED_FOR]
        self._places = self._all_places()

    def drawn(self) -> Topology:
        names = self._names()
        columns = [
            names,
            _column("CloudFront", self._distributions()),
            _column("Load balancers", self._balancers()),
            _column("Target groups", self._groups()),
            _column("Services, tasks, containers", self._services()),
            _column("EC2 instances", self._machines()),
        ]
        viewers = Node(_VIEWERS, "Viewers", lines=("on the internet",), leads_to=self._entries(names.nodes))
        shown = [Column("From", (viewers,)), *(column for column in columns if column.nodes)]
        drawn = Topology(tuple(shown), tuple(self._targets()))
        known = {node.id for node in drawn.nodes()}
        return Topology(tuple(_within(column, known) for column in drawn.columns), drawn.targets)

    def _targets(self) -> Iterator[str]:
        tasks = [task for task in self._tasks if not task.is_over]
        yield from sorted({task.group for task in tasks if task.group.startswith("service:")})
        yield from (f"balancer:{one.name}" for one in self._state.balancers.values())
        yield from (f"task:{task.id}" for task in tasks)
        yield from sorted({f"name:{name}" for name, _, _ in (key for key, _ in self._state.records.items())})

    def _in_force(self, target: str) -> tuple[str, ...]:
        """A line for each fault of a target, or of one of its containers."""
        return tuple(
            f"fault {fault.id}: {fault.name}"
            for fault in self._state.faults.values()
            if fault.target == target or fault.target.startswith(f"{target}/")
        )

    # -- names --

    def _all_places(self) -> dict[str, str]:
        """The node at each address and name."""
        places = {address: f"task:{arn}" for address, arn in self._state.addresses.items() if arn}
        for machine in self._state.machines.values():
            places[machine.address] = f"instance:{machine.id}"
        for balancer in self._state.balancers.values():
            places |= dict.fromkeys((balancer.address, _bare(balancer.dns_name)), f"balancer:{balancer.name}")
        for one in self._state.distributions.values():
            places |= dict.fromkeys((one.address, _bare(one.domain_name)), f"distribution:{one.id}")
        for (name, _, _), _record in self._state.records.items():
            places.setdefault(_bare(name), f"name:{_bare(name)}")
        places.pop("", None)
        return places

    def _entries(self, names: tuple[Node, ...]) -> tuple[str, ...]:
        """What viewers ask: names that the internet knows, and what no name leads to."""
        led = {to for node in names for to in node.leads_to}
        public = [node.id for node in names if node.state != "private"]
        others = [f"distribution:{one.id}" for one in self._state.distributions.values()]
        behind = {to for node in self._distributions() for to in node.leads_to}
        others += [f"balancer:{one.name}" for one in self._state.balancers.values()]
        return (*public, *(one for one in others if one not in led | behind))

    def _names(self) -> Column:
        of: dict[str, list[tuple[str, RecordSet | None]]] = {}
        for (name, kind, _), record in self._state.records.items():
            of.setdefault(_bare(name), []).append((kind, record))
        shown = sorted(of)[:MOST_NODES]  # DNS is asked for no others
        return Column("Names in DNS", tuple(self._name(name, of[name]) for name in shown), len(of) - len(shown))

    def _name(self, name: str, records: list[tuple[str, RecordSet | None]]) -> Node:
        kinds = list(dict.fromkeys(kind for kind, _ in records))
        there = [record for _, record in records if record is not None]
        lines, leads_to, outside, dead = [], [], False, False
        for kind in kinds:
            sets = [record for record in there if record.type == kind]
            values = [value for record in sets for value in record.values]
            ttl = next((f", TTL {record.ttl} s" for record in sets if record.ttl is not None), "")
            lines.append(f"{kind}: {', '.join(values) or 'no record'}{ttl}")
            answered = self._answers(name, kind)
            outside = outside or answered.outside
            lines.append(f"answers now: {', '.join(sorted(answered.values)) or answered.rcode}")
            leads_to += [self._places.get(_target_name(value), "") for value in (*values, *answered.values)]
            gone = [self._dead(value) for value in answered.values]
            lines += list(filter(None, gone))
            dead = dead or any(gone) or not answered.values
        tone: Tone = "bad" if dead else "good"
        own = f"name:{name}"
        to = dict.fromkeys(one for one in leads_to if one and one != own)
        lines += self._in_force(f"name:{name}")
        return Node(own, name, "" if outside or not there else "private", tone, tuple(lines), tuple(to))

    def _dead(self, value: str) -> str:
        """Why nobody is at an address any more."""
        task = self._state.tasks.get(self._state.addresses.get(value) or "")
        return f"{value} was task {task.id}, {task.last_status}" if task is not None and task.is_over else ""

    # -- what carries traffic --

    def _distributions(self) -> list[Node]:
        return [
            Node(
                f"distribution:{one.id}",
                one.id,
                "deployed",
                "good",
                (", ".join((*one.aliases, one.domain_name)), *(f"origin {origin}" for origin in one.origins)),
                tuple(filter(None, (self._places.get(_bare(origin)) for origin in one.origins))),
            )
            for one in self._state.distributions.values()
        ]

    def _balancers(self) -> list[Node]:
        return [
            Node(
                f"balancer:{one.name}",
                one.name,
                "active",
                "good",
                (
                    one.dns_name,
                    f"listens on {', '.join(map(str, one.listeners)) or 'no port'}",
                    *self._in_force(f"balancer:{one.name}"),
                ),
                tuple(f"group:{group}" for group in one.groups),
                actions=_faults(f"balancer:{one.name}", one.name, one.listeners[0] if one.listeners else 80),
            )
            for one in self._state.balancers.values()
        ]

    def _groups(self) -> list[Node]:
        of: dict[str, list[Target]] = {
            group: [] for balancer in self._state.balancers.values() for group in balancer.groups
        }
        for target in self._state.targets.values():
            of.setdefault(target.group, []).append(target)
        return [self._group(name, targets) for name, targets in of.items()]

    def _group(self, name: str, targets: list[Target]) -> Node:
        healthy = sum(target.state == "healthy" for target in targets)
        return Node(
            f"group:{name}",
            name,
            f"{healthy} of {len(targets)} healthy",
            "good" if healthy == len(targets) > 0 else "bad" if not healthy else "wait",
            inside=tuple(
                Node(
                    f"target:{name}/{one.target}",
                    one.target,
                    one.state,
                    TARGET.get(one.state, "plain"),
                    (one.why,) if one.why else (),
                    tuple(self._behind(one.target)),
                )
                for one in sorted(targets, key=lambda one: one.target)
            ),
        )

    def _behind(self, target: str) -> Iterator[str]:
        """The tasks at a target: ``ADDRESS:PORT``, or ``INSTANCE:PORT``, where the instance has many."""
        place, _, port = target.rpartition(":")
        found = self._places.get(place, "")
        if found.startswith("task:"):
            yield found
            return
        for task in self._tasks:
            agent = self._state.agents.get(task.container_instance)
            at_place = agent is not None and f"instance:{agent.instance}" in {found, f"instance:{place}"}
            if at_place and any(port == str(one) for container in task.containers for one in container.host_ports):
                yield f"task:{task.arn}"

    # -- services --

    def _services(self) -> list[Node]:
        of: dict[tuple[str, str], list[Task]] = {
            (cluster, f"service:{name}"): [] for (cluster, name), said in self._state.services.items() if said
        }
        for task in self._tasks:
            of.setdefault((task.cluster, task.group), []).append(task)
        return [self._service(*key, tasks) for key, tasks in sorted(of.items()) if tasks or key[1]]

    def _service(self, cluster: str, group: str, tasks: list[Task]) -> Node:
        kind, _, name = group.partition(":")
        is_service = kind == "service"
        running = sum(task.last_status == task.desired_status == "RUNNING" for task in tasks)
        living = [task for task in tasks if not task.is_over]
        stopped = sorted((task for task in tasks if task.is_over), key=lambda task: -task.at)[:_MOST_STOPPED]
        said = self._state.services.get((cluster, name)) if is_service else None
        actions: tuple[Action, ...] = ()
        if is_service:
            order = {"cluster": cluster, "service": name}
            deploy = Action("Deploy", f"Deploy service {name} anew", "deploy", order)
            actions = (deploy, *_faults(group, name, self._port(living)))
        return Node(
            f"{kind}:{cluster}/{name}",
            name or group,
            f"{running} of {len(living)} running" if living else "no task runs",
            "good" if running and running == len(living) else "wait" if living else "bad",
            (
                f"{'service' if is_service else kind or 'task'} in {cluster}",
                *((said.text,) if said else ()),
                *self._in_force(group),
            ),
            inside=tuple(self._task(task) for task in (*sorted(living, key=lambda one: one.arn), *stopped)),
            actions=actions,
        )

    def _port(self, tasks: list[Task]) -> int:
        """The port that clients ask a service's tasks by, where a target group knows it."""
        addresses = {task.private_ip for task in tasks}
        for target in self._state.targets.values():
            place, _, port = target.target.rpartition(":")
            if place in addresses and port.isdecimal() and 0 < int(port) < 65536:
                return int(port)
        return 80

    def _task(self, task: Task) -> Node:
        tone, label = task_look(task.last_status, task.desired_status)
        agent = self._state.agents.get(task.container_instance)
        where = " ".join(filter(None, (task.public_ip, task.private_ip)))
        kind = task.capacity_provider or task.launch_type
        on = f" on {agent.instance}" if agent else ""
        lines = (
            f"{kind}{on}",
            where,
            task.why,
            *self._in_force(f"task:{task.id}"),
            *self._in_force(f"task:{task.arn}"),
        )
        actions = []
        if task.desired_status == "RUNNING" and not task.is_over:
            order = {"cluster": task.cluster, "task": task.arn}
            actions.append(Action("Stop", f"Stop task {task.id}", "stop", order))
            if task.capacity_provider == "FARGATE_SPOT":
                actions.append(
                    Action("Interrupt", f"Spot interruption of task {task.id}", "interrupt", {"task": task.arn})
                )
        return Node(
            f"task:{task.arn}",
            task.id,
            label,
            tone,
            tuple(filter(None, lines)),
            (f"instance:{agent.instance}",) if agent else (),
            tuple(self._container(task, container) for container in task.containers),
            tuple(actions),
        )

    def _container(self, task: Task, container: Container) -> Node:
        tone: Tone
        tone, label = task_look(container.status, "RUNNING")
        word = self._state.containers.get((task.arn, container.name))
        lines = [word.text] if word and word.text != container.health else []
        if container.health in HEALTH:
            tone, label = HEALTH[container.health], f"{label}, {container.health}"
        if container.status == "STOPPED" or (word and word.is_bad):
            tone = "bad" if word and word.is_bad else "going"
        return Node(f"container:{task.arn}/{container.name}", container.name, label, tone, tuple(lines))

    def _machines(self) -> list[Node]:
        agents = {one.instance: one for one in self._state.agents.values()}
        nodes = []
        for machine in self._state.machines.values():
            agent = agents.get(machine.id)
            label = "running" if agent is None else agent.status if agent.connected else "agent not connected"
            tone: Tone = "bad" if agent is not None and not agent.connected else "good"
            nodes.append(
                Node(f"instance:{machine.id}", machine.id, label, tone, (f"{machine.type} {machine.address}".strip(),))
            )
        return nodes


def _faults(target: str, name: str, port: int) -> tuple[Action, ...]:
    given: Mapping[str, Mapping[str, object]] = {"port-closed": {"port": port}}
    return tuple(
        Action(label, f"{label} of {name}", "", {"name": fault, "target": target, "options": given.get(fault, {})})
        for fault, label in _FAULTS
    )


def _column(title: str, nodes: list[Node]) -> Column:
    return Column(title, tuple(nodes[:MOST_NODES]), max(0, len(nodes) - MOST_NODES))


def _within(column: Column, known: set[str]) -> Column:
    """Without what leads to nodes that are not shown."""

    def cut(node: Node) -> Node:
        to = tuple(one for one in node.leads_to if one in known)
        inside = tuple(map(cut, node.inside))
        return Node(node.id, node.title, node.state, node.tone, node.lines, to, inside, node.actions)

    return Column(column.title, tuple(map(cut, column.nodes)), column.left_out)


def _bare(name: str) -> str:
    return name.removesuffix(".").lower()


def _target_name(value: str) -> str:
    """What a value leads to: an address, an alias's or CNAME's name, the host of an SRV record."""
    return _bare(value.removeprefix(_ALIAS).rpartition(" ")[2])
