"""Systems Manager's API: Run Command and its nodes. Documents are in `ssm_documents`; the rest stays with the backend.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/. What the sandbox would have to ignore is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.ssm_documents import Answer, DocumentActions, Request, answered, page
from sandbox.model.ssm import parameters, rate, shown, targets, told
from sandbox.model.ssm.command import DEFAULT_DELIVERY, Command, oldest_last
from sandbox.model.ssm.control import RunCommand
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.library import DEFAULT, Library
from sandbox.model.ssm.nodes import matches

T = TypeVar("T")


class Controller(Protocol):
    """Carries commands out; see `sandbox.controllers.ssm`."""

    def read(self, look: Callable[[RunCommand], T]) -> T:
        """Look at the model while nothing changes it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def tags(self) -> dict[str, Mapping[str, str]]:
        """The tags of EC2's instances."""

    def send(self, command: Command, instance_ids: list[str]) -> None:
        """Take a command."""

    def cancel(self, command_id: str, instance_ids: list[str]) -> None:
        """Cancel a command."""


class SsmService(DocumentActions):
    """Run Command and documents of one account.

    Args:
        controller: Carries commands out.
        account_id: Owns the documents.
    """

    service_name = "ssm"
    falls_back = True

    def __init__(self, controller: Controller, account_id: str) -> None:
        super().__init__(Library(account_id), controller.now)
        self._controller = controller

    @answered
    def send_command(self, request: Request, context: RequestContext) -> Answer:
        """SendCommand."""
        for member in ("AlarmConfiguration", "CloudWatchOutputConfig"):
            if request.get(member) and (member != "CloudWatchOutputConfig" or _is_on(request[member])):
                raise AwsError("ValidationException", f"The sandbox does not carry out {member} of SendCommand yet.")
        instance_ids = list(request.get("InstanceIds") or [])
        wanted = list(request.get("Targets") or [])
        if bool(instance_ids) == bool(wanted):
            raise AwsError("ValidationException", "Either InstanceIds or Targets is required, and not both.")
        targets.check(wanted)
        version = request.get("DocumentVersion", "")
        document = self._library.version(request["DocumentName"], version)
        given = {name: list(values) for name, values in (request.get("Parameters") or {}).items()}
        if request.get("DocumentHash") not in {None, "", document.hash}:
            raise SsmError("InvalidDocument", "The hash of the document is another one.")
        name = self._library.entry(request["DocumentName"]).name
        plan = document.document.steps(parameters.given(name, document.document.parameters, given))
        told.check(request.get("NotificationConfig") or {}, request.get("ServiceRoleArn", ""))
        named = instance_ids or targets.named(wanted)
        self._controller.read(lambda ssm: ssm.check_instances(named, context.account_id))
        command = Command(
            str(uuid.uuid4()),
            name,
            version or DEFAULT,
            {**request, "Parameters": given, "InstanceIds": instance_ids, "Targets": wanted},
            plan,
            self._controller.now(),
            request.get("TimeoutSeconds", DEFAULT_DELIVERY),
            request.get("MaxConcurrency", rate.DEFAULT_CONCURRENCY),
            request.get("MaxErrors", rate.DEFAULT_ERRORS),
        )
        # As AWS answers it: Pending, and without a number of targets where these are still to be found.
        answer = {"Command": {**shown.command(command), "TargetCount": len(instance_ids)}}
        self._controller.send(command, instance_ids)
        return answer

    @answered
    def cancel_command(self, request: Request, context: RequestContext) -> Answer:
        """CancelCommand."""
        self._controller.cancel(request["CommandId"], list(request.get("InstanceIds") or []))
        return {}

    @answered
    def list_commands(self, request: Request, context: RequestContext) -> Answer:
        """ListCommands."""

        def look(ssm: RunCommand) -> list[Answer]:
            return [
                shown.command(one)
                for one in self._commands(ssm, request)
                if _has_instance(one, request.get("InstanceId"))
                and shown.passes_command(one, request.get("Filters") or [])
            ]

        return page(self._controller.read(look), request, "Commands")

    @answered
    def list_command_invocations(self, request: Request, context: RequestContext) -> Answer:
        """ListCommandInvocations."""

        def look(ssm: RunCommand) -> list[Answer]:
            return [
                shown.invocation(of, one, details=bool(request.get("Details")))
                for of, one in shown.invocations(self._commands(ssm, request))
                if request.get("InstanceId") in {None, one.instance_id}
                and shown.passes_invocation(of, one, request.get("Filters") or [])
            ]

        return page(self._controller.read(look), request, "CommandInvocations")

    @answered
    def get_command_invocation(self, request: Request, context: RequestContext) -> Answer:
        """GetCommandInvocation."""

        def look(ssm: RunCommand) -> Answer:
            command = ssm.commands.get(request["CommandId"])
            one = command.invocations.get(request["InstanceId"]) if command else None
            if command is None or one is None:
                raise SsmError("InvocationDoesNotExist", "")
            return shown.step(command, one, request.get("PluginName", ""))

        return self._controller.read(look)

    @answered
    def describe_instance_information(self, request: Request, context: RequestContext) -> Answer:
        """DescribeInstanceInformation; nodes that are stopped or terminated are left out."""
        new, old = request.get("Filters") or [], request.get("InstanceInformationFilterList") or []
        if new and old:
            raise AwsError("ValidationException", "Filters and InstanceInformationFilterList can't be used together.")
        filters = {item["Key"]: list(item["Values"]) for item in new}
        filters |= {item["key"]: list(item["valueSet"]) for item in old}
        tags = self._controller.tags()

        def look(ssm: RunCommand) -> list[Answer]:
            nodes = [node for node in ssm.nodes.values() if node.state == "running"]
            return [node.described() for node in nodes if matches(node, filters, tags.get(node.instance_id, {}))]

        return page(self._controller.read(look), request, "InstanceInformationList", size=10)

    def _commands(self, ssm: RunCommand, request: Request) -> list[Command]:
        if request.get("CommandId"):
            return [ssm.find(request["CommandId"])]
        return oldest_last(ssm.commands.values())


def _has_instance(command: Command, instance_id: str | None) -> bool:
    return instance_id is None or instance_id in command.invocations


def _is_on(config: Mapping[str, Any]) -> bool:
    return bool(config.get("CloudWatchOutputEnabled"))
