"""Run Command: nodes and commands of an account, and what has to be done for them.

Every method takes the time and returns what is to be done (`Effect`); what has been done comes back as an event.
Source, unless another is named: API reference of Systems Manager.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.model.ssm.command import Command
from sandbox.model.ssm.documents import Step
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.invocation import KILLED, STDERR_KEPT, STDOUT_KEPT, Invocation, StepResult, cut
from sandbox.model.ssm.nodes import PING_EVERY, Node

_UNREACHED = frozenset({"Pending", "Delayed"})


@dataclass(frozen=True)
class Hand:
    """Hand an invocation to the node's agent, which runs its steps one after another (`RunCommand.next_step`)."""

    command_id: str
    instance_id: str


@dataclass(frozen=True)
class Kill:
    """Kill what an invocation runs; `RunCommand.step_ended` tells when that is done."""

    command_id: str
    instance_id: str


@dataclass(frozen=True)
class Remind:
    """Call `RunCommand.remind` in so many AWS seconds.

    A command expires, or its time for delivery is over (``is_delivery``), or a node is to have pinged.
    """

    seconds: float
    command_id: str = ""
    is_delivery: bool = False
    instance_id: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class InvocationChanged:
    """The StatusDetails of an invocation are others than before."""

    command_id: str
    instance_id: str
    detail: str


@dataclass(frozen=True)
class CommandChanged:
    """The StatusDetails of a command are others than before."""

    command_id: str
    detail: str


Effect = Hand | Kill | Remind | InvocationChanged | CommandChanged


class RunCommand:
    """See the module. Not for use from several threads at once.

    Attributes:
        nodes: The managed nodes by instance; terminated ones are gone.
        commands: By id.
        pending_limit: How many invocations may be Pending in all (None: any number); a command that would go over it
            is RateExceeded. AWS has such a limit and does not publish it.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.commands: dict[str, Command] = {}
        self.pending_limit: int | None = None

    # -- nodes --

    def register(self, node: Node) -> list[Effect]:
        """An agent registers, or is back after its instance was stopped."""
        self.nodes[node.instance_id] = node
        return self._deliver_delayed(node)

    def agent_stopped(self, instance_id: str, now: float) -> list[Effect]:
        """An agent takes no more commands; what it has begun it ends, and tells of when it is back."""
        node = self.nodes[instance_id]
        node.is_listening, node.last_ping = False, now
        return [Remind(PING_EVERY, instance_id=instance_id, since=now)]

    def agent_started(self, instance_id: str, now: float) -> list[Effect]:
        """An agent takes commands again."""
        node = self.nodes[instance_id]
        node.is_listening, node.is_lost, node.last_ping = True, False, now
        return self._deliver_delayed(node)

    def instance_changed(self, instance_id: str, state: str, now: float) -> list[Effect]:
        """EC2 stops an instance or terminates it; its node goes with the latter, and what had not been delivered."""
        node = self.nodes.get(instance_id)
        if node is None:
            return []
        node.state = state
        if state == "terminated":
            del self.nodes[instance_id]
            effects: list[Effect] = []
            for command in self._with(instance_id, _UNREACHED):
                effects += self._set(command, command.invocations[instance_id], "Undeliverable")
                effects += self._go_on(command)
            return effects
        return self.agent_stopped(instance_id, now)

    # -- commands --

    def check_instances(self, instance_ids: Sequence[str], account_id: str) -> None:
        """Refuse instances that no command can be sent to by id.

        Raises:
            SsmError: DuplicateInstanceId; InvalidInstanceId, in the words that users have seen, names all that are not
                managed nodes: never registered, or terminated.
        """
        if len(set(instance_ids)) < len(instance_ids):
            raise SsmError("DuplicateInstanceId", "You can't specify a managed node ID in more than one association.")
        unknown = [instance_id for instance_id in instance_ids if instance_id not in self.nodes]
        if unknown:
            raise SsmError(
                "InvalidInstanceId", f"Instances [[{', '.join(unknown)}]] not in a valid state for account {account_id}"
            )

    def send(self, command: Command) -> list[Effect]:
        """Take a command. Its targets come with `begin`."""
        self.commands[command.id] = command
        return [
            Remind(command.delivery, command.id, is_delivery=True),
            Remind(command.lifetime, command.id),
            CommandChanged(command.id, "Pending"),
        ]

    def begin(self, command_id: str, instance_ids: Iterable[str], now: float) -> list[Effect]:
        """The targets of a command are known: make its invocations and hand over as many as MaxConcurrency allows."""
        command = self.commands[command_id]
        if command.is_over:
            return []
        for instance_id in instance_ids:
            node = self.nodes.get(instance_id)
            steps = [StepResult(step.name, step.plugin) for step in command.plan]
            name = node.computer_name if node is not None else ""
            command.invocations[instance_id] = Invocation(instance_id, name, steps, now, plan=command.plan)
        if not command.invocations:
            return self._set_command(command, "NoInstancesInTag")
        if self.pending_limit is not None and self._pending() > self.pending_limit:
            effects: list[Effect] = []
            for invocation in command.invocations.values():
                effects += self._set(command, invocation, "Cancelled")
            return effects + self._set_command(command, "RateExceeded")
        effects = []
        for instance_id in [one for one in command.invocations if one not in self.nodes]:  # terminated in this moment
            effects += self._set(command, command.invocations[instance_id], "Undeliverable")
        return effects + self._go_on(command)

    def cancel(self, command_id: str, instance_ids: Sequence[str]) -> list[Effect]:
        """CancelCommand, for all nodes where none is named. A command that is over stays what it is.

        Raises:
            SsmError: InvalidCommandId, DuplicateInstanceId, or InvalidInstanceId.
        """
        command = self.find(command_id)
        if len(set(instance_ids)) < len(instance_ids):
            raise SsmError("DuplicateInstanceId", "You can't specify a managed node ID in more than one association.")
        for instance_id in instance_ids:
            if instance_id not in command.invocations:
                raise SsmError("InvalidInstanceId", f"{instance_id} has no invocation of command {command_id}")
        if command.is_over:
            return []
        effects: list[Effect] = []
        if not instance_ids:
            effects += self._set_command(command, "Cancelling")
        for invocation in list(command.invocations.values()):
            if instance_ids and invocation.instance_id not in instance_ids:
                continue
            if invocation.detail in _UNREACHED:
                effects += self._set(command, invocation, "Cancelled")
            elif invocation.detail == "InProgress":
                effects += self._set(command, invocation, "Cancelling")
                effects.append(Kill(command.id, invocation.instance_id))
        return effects + self._go_on(command)

    def find(self, command_id: str) -> Command:
        """A command.

        Raises:
            SsmError: InvalidCommandId.
        """
        found = self.commands.get(command_id)
        if found is None:
            raise SsmError("InvalidCommandId", f"Command {command_id} does not exist.")
        return found

    # -- what has happened --

    def remind(self, reminder: Remind, now: float) -> list[Effect]:
        """The time of a `Remind` has come."""
        if reminder.is_delivery:
            self.commands[reminder.command_id].is_too_late = True
            return []
        if reminder.command_id:
            return self._expire(self.commands[reminder.command_id])
        node = self.nodes.get(reminder.instance_id)
        if node is not None and not node.is_listening and node.last_ping == reminder.since:
            node.is_lost = True
        return []

    def next_step(self, command_id: str, instance_id: str, now: float) -> tuple[Step | None, list[Effect]]:
        """The step that the agent is to run now; None: there is no more, and the invocation has its outcome."""
        command = self.commands[command_id]
        invocation = command.invocations[instance_id]
        effects: list[Effect] = []
        if invocation.is_over:  # it has expired meanwhile
            return None, effects
        for step, result in zip(invocation.plan, invocation.steps, strict=True):
            if result.ended is not None:
                continue
            if invocation.detail == "Cancelling":
                result.detail, result.ended = "Cancelled", now
            elif not step.runs_on_linux or (invocation.left_out() and not step.is_last_word):
                result.detail, result.code, result.started, result.ended = "Success", 0, now, now
                result.stdout = "Step execution skipped."
            else:
                result.detail, result.started = "InProgress", now
                return step, effects
        effects += self._set(command, invocation, invocation.ended())
        return None, effects + self._go_on(command)

    def step_ended(
        self,
        command_id: str,
        instance_id: str,
        result: StepResult,
        now: float,
    ) -> list[Effect]:
        """A step is over; its ``detail``, ``code`` and output are those of ``result``, which may be longer."""
        invocation = self.commands[command_id].invocations[instance_id]
        known = next(one for one in invocation.steps if one.name == result.name and one.ended is None)
        known.detail = "Cancelled" if invocation.detail == "Cancelling" else result.detail
        known.code = KILLED if known.detail == "Cancelled" else result.code
        known.stdout, known.stderr = cut(result.stdout, STDOUT_KEPT), cut(result.stderr, STDERR_KEPT)
        known.ended = now
        return []

    # -- within --

    def _go_on(self, command: Command) -> list[Effect]:
        """Hand over what may be handed over now, and give the command its status."""
        effects: list[Effect] = []
        while following := command.next_ones():
            for invocation in following:
                effects += self._hand(command, invocation)
        if command.too_many_errors():
            for invocation in command.invocations.values():
                if invocation.detail == "Pending":
                    effects += self._set(command, invocation, "Terminated")
        if command.is_over or not command.invocations:
            if command.detail == "Cancelling":  # before its targets were known
                effects += self._set_command(command, "Cancelled")
            return effects
        if all(one.is_over for one in command.invocations.values()):
            effects += self._set_command(command, command.outcome())
        elif command.detail == "Pending" and any(one.detail == "InProgress" for one in command.invocations.values()):
            effects += self._set_command(command, "InProgress")
        return effects

    def _hand(self, command: Command, invocation: Invocation) -> list[Effect]:
        node = self.nodes.get(invocation.instance_id)
        if node is None:
            return self._set(command, invocation, "Undeliverable")
        if not any(step.runs_on_linux or not step.applies for step in command.plan):
            return self._set(command, invocation, "InvalidPlatform")
        if not node.is_listening:
            return self._set(command, invocation, "Delayed")
        if not node.can_run:
            return self._set(command, invocation, "AccessDenied")
        return [
            *self._set(command, invocation, "InProgress"),
            Hand(command.id, invocation.instance_id),
        ]

    def _deliver_delayed(self, node: Node) -> list[Effect]:
        effects: list[Effect] = []
        for command in self._with(node.instance_id, frozenset({"Delayed"})):
            invocation = command.invocations[node.instance_id]
            if command.is_too_late:
                effects += self._set(command, invocation, "DeliveryTimedOut")
            else:
                effects += self._hand(command, invocation)
            effects += self._go_on(command)
        return effects

    def _expire(self, command: Command) -> list[Effect]:
        """ExpiresAfter: what is InProgress, Pending or Delayed becomes DeliveryTimedOut (API reference: Command)."""
        effects: list[Effect] = []
        if command.is_over:
            return effects
        for invocation in command.invocations.values():
            if invocation.detail == "InProgress":
                effects.append(Kill(command.id, invocation.instance_id))
            if not invocation.is_over:
                over = "Cancelled" if invocation.detail == "Cancelling" else "DeliveryTimedOut"
                effects += self._set(command, invocation, over)
        return effects + self._go_on(command)

    def _with(self, instance_id: str, details: frozenset[str]) -> list[Command]:
        return [
            command
            for command in self.commands.values()
            if instance_id in command.invocations and command.invocations[instance_id].detail in details
        ]

    def _pending(self) -> int:
        return sum(command.count("Pending") for command in self.commands.values())

    def _set(self, command: Command, invocation: Invocation, detail: str) -> list[Effect]:
        if invocation.detail == detail:
            return []
        invocation.detail = detail
        return [InvocationChanged(command.id, invocation.instance_id, detail)]

    def _set_command(self, command: Command, detail: str) -> list[Effect]:
        if command.detail == detail:
            return []
        command.detail = detail
        return [CommandChanged(command.id, detail)]
