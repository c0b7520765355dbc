"""What the picture of a stack is made of: columns of things, what each leads to, and the buttons on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sandbox.report.page.picture import Tone


@dataclass(frozen=True, slots=True)
class Answered:
    """What DNS answers to a name and type now; ``outside``: whether the internet gets an answer, too."""

    rcode: str
    values: tuple[str, ...]
    outside: bool


Answers = Callable[[str, str], Answered]


@dataclass(frozen=True, slots=True)
class Action:
    """A button.

    Attributes:
        label: What it says.
        said: What it is for, for who does not see where it stands.
        verb: An action of `sandbox.live.actions`; "" for one that opens the form for faults.
        order: What the action is given; for the form, what stands in it.
    """

    label: str
    said: str
    verb: str
    order: Mapping[str, object]

    @property
    def as_json(self) -> str:
        """The order, for the page's script."""
        return json.dumps(self.order)


@dataclass(frozen=True, slots=True)
class Node:
    """A thing.

    Attributes:
        id: Unique in the picture, and the same in the next one.
        title, state, lines: What is written.
        tone: How it looks.
        leads_to: Ids of nodes.
        inside: Nodes in it: tasks of a service, containers of a task.
    """

    id: str
    title: str
    state: str = ""
    tone: Tone = "plain"
    lines: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
    inside: tuple[Node, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """Nodes of one kind under a heading; ``left_out``: nodes that there was no room for."""

    title: str
    nodes: tuple[Node, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Topology:
    """The columns, from viewers to containers, and what faults can be put into.

    Attributes:
        targets: As `sandbox.faults.targets` reads them.
    """

    columns: tuple[Column, ...]
    targets: tuple[str, ...]

    def nodes(self) -> Iterator[Node]:
        """Every node, those in others included."""

        def each(nodes: tuple[Node, ...]) -> Iterator[Node]:
            for node in nodes:
                yield node
                yield from each(node.inside)

        for column in self.columns:
            yield from each(column.nodes)

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """Of all nodes, by id: for who does not see the line that leads to one."""
        return {node.id: node.title for node in self.nodes()}
