"""Whether a purge by Run Command has cleared every machine of an Auto Scaling group.

Rules: Systems Manager user guide "Understanding command statuses" (a command without a target is a Success,
NoInstancesInTag) and API reference "Command" (TargetCount), "CommandInvocation" (StatusDetails, one a node).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_EXCERPT = 60  # characters of an answer


@dataclass(frozen=True)
class Answer:
    """What a machine answered at its own address.

    Attributes:
        status: HTTP's; 0: nothing came.
        body: The beginning of the body; without a status why nothing came.
        is_new: It has the text of the new content.
    """

    status: int
    body: str
    is_new: bool

    def __str__(self) -> str:
        shown = " ".join(self.body.split())[:_EXCERPT]
        return f"HTTP {self.status} {shown!r}" if self.status else f"no answer: {shown}"


@dataclass(frozen=True)
class Sent:
    """A command.

    Attributes:
        status: "Success", "TimedOut", ...
        details: Its StatusDetails.
        targets: Its TargetCount.
        invocations: By instance, the StatusDetails.
    """

    id: str
    status: str
    details: str
    targets: int
    invocations: Mapping[str, str] = field(default_factory=dict)


def was_new(machines: Mapping[str, Answer]) -> list[str]:
    """Why a purge would show nothing: these machines have the new content before it."""
    return [
        f"{one}: has the new content before the purge: {answer}" for one, answer in machines.items() if answer.is_new
    ]


def judge(group: str, sent: Sequence[Sent], after: Mapping[str, Answer]) -> tuple[bool, list[str]]:
    """Whether every machine was reached, said Success, and has the new content; and the evidence.

    Args:
        group: The Auto Scaling group's name.
        sent: The commands of the purge.
        after: What each machine of the group that is InService answered after it.
    """
    evidence = [
        f"command {one.id}: {one.status} ({one.details}), {one.targets} of the {len(after)} machines of group {group}"
        for one in sent
    ]
    wrong = []
    if not sent:
        wrong.append("no command of Systems Manager was sent")
    elif not any(one.targets for one in sent):
        said = f"{sent[-1].status} ({sent[-1].details})"
        wrong.append(f"no machine was asked, and the command is called {said}; group {group} has {len(after)} machines")
    if not after:
        wrong.append(f"group {group} has no machine that is InService")
    invocations = {instance: details for one in sent for instance, details in one.invocations.items()}
    for instance, answer in after.items():
        details = invocations.get(instance)
        if details is None:
            wrong.append(f"{instance}: was not asked")
        elif details != "Success":
            wrong.append(f"{instance}: {details}")
        if answer.is_new:
            evidence.append(f"{instance}: {details or 'not asked'}; {answer}")
        else:
            wrong.append(f"{instance}: does not have the new content: {answer}")
    return not wrong, [*evidence, *wrong]
