"""Run Command as transcripts: what has to be done, what has been done, and what the API shows of it."""

from __future__ import annotations

import json
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.model.ssm import parameters, rate, shown, targets, told
from sandbox.model.ssm.command import Command
from sandbox.model.ssm.control import CommandChanged, Hand, InvocationChanged, Kill, Remind, RunCommand
from sandbox.model.ssm.documents import RUN_SHELL_SCRIPT, parse
from sandbox.model.ssm.errors import SsmError
from sandbox.model.ssm.invocation import StepResult, cut, together, with_agents_words
from sandbox.model.ssm.nodes import Node, matches
from sandbox.model.ssm.targets import Candidate, chosen

ACCOUNT = "123456789012"
SHELL = "aws:runShellScript"


class Transcript:
    """Run Command with nodes i-1, i-2, ... whose agents do what the test says."""

    def __init__(self, count=3):
        self.ssm = RunCommand()
        self.effects = deque()
        self.told = []
        for number in range(1, count + 1):
            self.do(self.ssm.register(Node(f"i-{number}", f"ip-{number}", f"10.0.0.{number}", 0.0, 0.0)))

    def do(self, effects):
        for effect in effects:
            if isinstance(effect, CommandChanged):
                self.told.append(effect.detail)
            elif isinstance(effect, InvocationChanged):
                self.told.append((effect.instance_id, effect.detail))
            else:
                self.effects.append(effect)

    def send(self, *ids, document=RUN_SHELL_SCRIPT, values=None, **more):
        content = parse(document)
        values = {"commands": ["id"]} if values is None else values
        given_values = parameters.given("doc", content.parameters, values)
        request = {"Parameters": values, "InstanceIds": list(ids), **more.pop("request", {})}
        command = Command("c-1", "doc", "$DEFAULT", request, content.steps(given_values), 100.0, **more)
        self.do(self.ssm.send(command))
        self.do(self.ssm.begin(command.id, ids, 100.0))
        return command

    def taken(self, kind):
        """Take the effects of a kind out."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects = deque(effect for effect in self.effects if not isinstance(effect, kind))
        return found

    def run(self, instance, detail="Success", code=0, stdout="", stderr=""):
        """The agent runs the next step to its end."""
        step, effects = self.ssm.next_step("c-1", instance, 101.0)
        self.do(effects)
        if step is not None:
            result = StepResult(step.name, step.plugin, detail, code, stdout, stderr)
            self.do(self.ssm.step_ended("c-1", instance, result, 102.0))
        return step

    def finish(self, instance, detail="Success", code=0):
        """The agent runs all steps."""
        while self.run(instance, detail, code) is not None:
            pass

    def details(self):
        command = self.ssm.commands["c-1"]
        return command.detail, {one.instance_id: one.detail for one in command.invocations.values()}


def test_a_command_on_two_nodes():
    seen = Transcript()
    command = seen.send("i-1", "i-2")
    assert seen.told == ["Pending", ("i-1", "InProgress"), ("i-2", "InProgress"), "InProgress"]
    assert seen.taken(Hand) == [Hand("c-1", "i-1"), Hand("c-1", "i-2")]
    assert seen.taken(Remind) == [Remind(3600, "c-1", is_delivery=True), Remind(7200, "c-1")]
    assert (command.expires, command.lifetime) == (7300.0, 7200)
    seen.finish("i-1")
    assert seen.details() == ("InProgress", {"i-1": "Success", "i-2": "InProgress"})
    seen.finish("i-2")
    assert seen.details() == ("Success", {"i-1": "Success", "i-2": "Success"})
    described = shown.command(command)
    counts = [described[name] for name in ("TargetCount", "CompletedCount", "ErrorCount", "DeliveryTimedOutCount")]
    assert counts == [2, 2, 0, 0]


def test_no_nodes_at_all_is_a_success():
    seen = Transcript()
    command = seen.send()
    assert seen.told == ["Pending", "NoInstancesInTag"]
    described = shown.command(command)
    assert (described["Status"], described["StatusDetails"], described["TargetCount"]) == (
        "Success",
        "NoInstancesInTag",
        0,
    )


def test_never_more_at_once_than_max_concurrency():
    seen = Transcript()
    seen.send("i-1", "i-2", "i-3", max_concurrency="1")
    assert seen.details()[1] == {"i-1": "InProgress", "i-2": "Pending", "i-3": "Pending"}
    seen.finish("i-1")
    assert seen.details()[1] == {"i-1": "Success", "i-2": "InProgress", "i-3": "Pending"}


def test_after_too_many_errors_the_rest_is_terminated():
    seen = Transcript()
    command = seen.send("i-1", "i-2", "i-3", max_concurrency="1")
    seen.finish("i-1", "Failed", 1)
    assert seen.details() == ("Failed", {"i-1": "Failed", "i-2": "Terminated", "i-3": "Terminated"})
    assert [one.status for one in command.invocations.values()] == ["Failed", "Cancelled", "Cancelled"]


def test_an_error_that_max_errors_allows_makes_it_incomplete():
    seen = Transcript()
    command = seen.send("i-1", "i-2", "i-3", max_concurrency="1", max_errors="1")
    seen.finish("i-1", "Failed", 1)
    seen.finish("i-2")
    seen.finish("i-3")
    assert seen.details() == ("Incomplete", {"i-1": "Failed", "i-2": "Success", "i-3": "Success"})
    assert command.status == "Failed"
    assert shown.command(command)["ErrorCount"] == 1


@pytest.mark.parametrize(
    ("limit", "of", "expected"), [("50", 3, 50), ("10%", 50, 5), ("10%", 25, 2), ("1%", 3, 1), ("100%", 7, 7)]
)
def test_concurrency(limit, of, expected):
    assert rate.concurrency(limit, of) == expected


@pytest.mark.parametrize(("limit", "of", "expected"), [("0", 3, 0), ("10%", 50, 5), ("10%", 9, 0), ("50%", 3, 1)])
def test_errors(limit, of, expected):
    assert rate.errors(limit, of) == expected


def test_an_agent_that_is_down_delays_its_part_until_it_is_back():
    seen = Transcript()
    seen.do(seen.ssm.agent_stopped("i-2", 50.0))
    assert seen.ssm.nodes["i-2"].ping_status == "Online"  # until it misses a ping
    seen.send("i-1", "i-2")
    seen.finish("i-1")
    assert seen.details() == ("InProgress", {"i-1": "Success", "i-2": "Delayed"})
    seen.taken(Hand)
    seen.do(seen.ssm.agent_started("i-2", 200.0))
    assert seen.taken(Hand) == [Hand("c-1", "i-2")]
    seen.finish("i-2")
    assert seen.details()[0] == "Success"


def test_a_node_that_misses_a_ping_has_lost_its_connection():
    seen = Transcript()
    seen.do(seen.ssm.agent_stopped("i-1", 50.0))
    (reminder,) = seen.taken(Remind)
    assert reminder.seconds == 300
    seen.do(seen.ssm.remind(reminder, 350.0))
    assert seen.ssm.nodes["i-1"].ping_status == "ConnectionLost"
    seen.do(seen.ssm.agent_started("i-1", 400.0))
    assert seen.ssm.nodes["i-1"].ping_status == "Online"
    seen.do(seen.ssm.remind(reminder, 500.0))  # that of an earlier stop says nothing
    assert seen.ssm.nodes["i-1"].ping_status == "Online"


def test_what_is_not_delivered_in_time():
    seen = Transcript()
    seen.do(seen.ssm.agent_stopped("i-2", 50.0))
    seen.taken(Remind)
    command = seen.send("i-1", "i-2", delivery=30, values={"commands": ["id"], "executionTimeout": ["60"]})
    _, reminder = seen.taken(Remind)
    assert reminder.seconds == 90
    seen.finish("i-1")
    seen.do(seen.ssm.remind(reminder, 190.0))
    assert seen.details() == ("DeliveryTimedOut", {"i-1": "Success", "i-2": "DeliveryTimedOut"})
    assert (command.status, shown.command(command)["DeliveryTimedOutCount"], command.error_count()) == (
        "TimedOut",
        1,
        0,
    )


def test_an_agent_that_comes_back_too_late_does_not_run_the_command():
    seen = Transcript(1)
    seen.do(seen.ssm.agent_stopped("i-1", 50.0))
    seen.taken(Remind)
    seen.send("i-1", delivery=30)
    delivery, _ = seen.taken(Remind)
    seen.do(seen.ssm.remind(delivery, 130.0))
    assert seen.details() == ("Pending", {"i-1": "Delayed"})
    seen.do(seen.ssm.agent_started("i-1", 140.0))
    assert seen.details() == ("DeliveryTimedOut", {"i-1": "DeliveryTimedOut"})
    assert seen.taken(Hand) == []


def test_a_delivery_time_out_that_max_errors_allows():
    seen = Transcript()
    seen.do(seen.ssm.agent_stopped("i-2", 50.0))
    seen.taken(Remind)
    seen.send("i-1", "i-2", max_errors="1")
    seen.finish("i-1")
    seen.do(seen.ssm.remind(seen.taken(Remind)[-1], 9999.0))
    assert seen.details()[0] == "Incomplete"


def test_a_node_that_is_terminated_before_the_command_reaches_it():
    seen = Transcript()
    seen.do(seen.ssm.agent_stopped("i-2", 50.0))
    seen.send("i-1", "i-2")
    seen.do(seen.ssm.instance_changed("i-2", "terminated", 110.0))
    seen.finish("i-1")
    assert seen.details() == ("Success", {"i-1": "Success", "i-2": "Undeliverable"})


def test_a_node_that_is_terminated_while_it_runs_the_command_says_nothing_more():
    seen = Transcript()
    seen.send("i-1", "i-2")
    _, reminder = seen.taken(Remind)
    seen.do(seen.ssm.instance_changed("i-2", "terminated", 110.0))
    seen.finish("i-1")
    assert seen.details() == ("InProgress", {"i-1": "Success", "i-2": "InProgress"})
    seen.do(seen.ssm.remind(reminder, 7300.0))
    assert seen.details() == ("DeliveryTimedOut", {"i-1": "Success", "i-2": "DeliveryTimedOut"})


def test_a_script_that_takes_too_long():
    seen = Transcript()
    command = seen.send("i-1")
    seen.finish("i-1", "ExecutionTimedOut", 137)
    assert seen.details() == ("ExecutionTimedOut", {"i-1": "ExecutionTimedOut"})
    assert (command.status, command.error_count()) == ("TimedOut", 1)


def test_cancel_before_and_while_it_runs():
    seen = Transcript()
    seen.send("i-1", "i-2", max_concurrency="1")
    seen.do(seen.ssm.cancel("c-1", []))
    assert seen.details() == ("Cancelling", {"i-1": "Cancelling", "i-2": "Cancelled"})
    assert seen.taken(Kill) == [Kill("c-1", "i-1")]
    seen.finish("i-1", "Cancelled", 137)
    assert seen.details() == ("Cancelled", {"i-1": "Cancelled", "i-2": "Cancelled"})


def test_cancel_of_one_node_and_of_what_is_over():
    seen = Transcript()
    seen.send("i-1", "i-2")
    seen.do(seen.ssm.cancel("c-1", ["i-2"]))
    seen.finish("i-2", "Cancelled", 137)
    seen.finish("i-1")
    assert seen.details() == ("Incomplete", {"i-1": "Success", "i-2": "Cancelled"})
    seen.do(seen.ssm.cancel("c-1", []))
    assert seen.details() == ("Incomplete", {"i-1": "Success", "i-2": "Cancelled"})
    for ids, code in ((["i-3"], "InvalidInstanceId"), (["i-1", "i-1"], "DuplicateInstanceId")):
        with pytest.raises(SsmError) as caught:
            seen.ssm.cancel("c-1", ids)
        assert caught.value.code == code
    with pytest.raises(SsmError, match="c-2"):
        seen.ssm.cancel("c-2", [])


def test_access_denied_invalid_platform_and_rate_exceeded():
    seen = Transcript(1)
    seen.ssm.nodes["i-1"].can_run = False
    seen.send("i-1")
    assert seen.details() == ("Incomplete", {"i-1": "AccessDenied"})

    windows = {
        "schemaVersion": "2.2",
        "mainSteps": [{"action": "aws:runPowerShellScript", "name": "w", "inputs": {"runCommand": ["dir"]}}],
    }
    seen = Transcript(1)
    seen.send("i-1", document=json.dumps(windows), values={})
    assert seen.details() == ("Incomplete", {"i-1": "InvalidPlatform"})

    seen = Transcript(3)
    seen.ssm.pending_limit = 2
    seen.send("i-1", "i-2", "i-3")
    assert seen.details()[0] == "RateExceeded"
    assert seen.taken(Hand) == []


def test_instances_that_no_command_can_be_sent_to():
    ssm = Transcript(1).ssm
    ssm.check_instances(["i-1"], ACCOUNT)
    with pytest.raises(SsmError) as caught:
        ssm.check_instances(["i-1", "i-8", "i-9"], ACCOUNT)
    assert caught.value.code == "InvalidInstanceId"
    assert caught.value.message == f"Instances [[i-8, i-9]] not in a valid state for account {ACCOUNT}"
    with pytest.raises(SsmError) as caught:
        ssm.check_instances(["i-1", "i-1"], ACCOUNT)
    assert caught.value.code == "DuplicateInstanceId"


STEPS = {
    "schemaVersion": "2.2",
    "mainSteps": [
        {"action": SHELL, "name": "first", "inputs": {"runCommand": ["a"], "onFailure": "exit"}},
        {"action": SHELL, "name": "second", "inputs": {"runCommand": ["b"]}},
        {"action": SHELL, "name": "last", "inputs": {"runCommand": ["c"], "finallyStep": True}},
    ],
}


def test_steps_go_on_unless_one_says_that_its_failure_is_the_end():
    seen = Transcript(1)
    command = seen.send("i-1", document=json.dumps(STEPS), values={})
    assert seen.run("i-1", "Failed", 1).name == "first"
    assert seen.run("i-1").name == "last"
    assert seen.run("i-1") is None
    assert seen.details() == ("Failed", {"i-1": "Failed"})
    (invocation,) = command.invocations.values()
    assert [(one.detail, one.code) for one in invocation.steps] == [("Failed", 1), ("Success", 0), ("Success", 0)]
    with pytest.raises(SsmError, match="third"):
        shown.step(command, invocation, "third")
    assert shown.step(command, invocation, "first")["ResponseCode"] == 1
    assert shown.step(command, invocation, "")["PluginName"] == ""  # it has more than one


def test_a_failure_that_counts_as_success():
    step = {"action": SHELL, "name": "first", "inputs": {"runCommand": ["a"], "onFailure": "successAndExit"}}
    document = {**STEPS, "mainSteps": [step]}
    seen = Transcript(1)
    seen.send("i-1", document=json.dumps(document), values={})
    seen.finish("i-1", "Failed", 1)
    assert seen.details() == ("Success", {"i-1": "Success"})


# -- what is shown --


def test_an_invocation_before_and_after():
    seen = Transcript(1)
    command = seen.send("i-1", request={"OutputS3BucketName": "out", "OutputS3KeyPrefix": "purge/", "Comment": "now"})
    (invocation,) = command.invocations.values()
    before = shown.step(command, invocation, "")
    assert (before["ResponseCode"], before["Status"], before["ExecutionStartDateTime"]) == (-1, "InProgress", "")
    seen.run("i-1", "Failed", 3, "x" * 30_000, "y" * 9_000)
    seen.run("i-1")
    after = shown.step(command, invocation, SHELL)
    assert (after["ResponseCode"], after["StatusDetails"], after["PluginName"]) == (3, "Failed", SHELL)
    assert (len(after["StandardOutputContent"]), len(after["StandardErrorContent"])) == (24_000, 8_000)
    assert after["ExecutionElapsedTime"] == "PT1S"
    assert after["StandardOutputUrl"].endswith("out/purge/c-1/i-1/awsrunShellScript/0.awsrunShellScript/stdout")
    listed = shown.invocation(command, invocation, details=True)
    assert len(listed["CommandPlugins"][0]["Output"]) == 2_500
    assert shown.invocation(command, invocation, details=False)["CommandPlugins"] == []


def test_outputs_are_cut_as_the_agent_cuts_them():
    assert cut("short", 10) == "short"
    assert cut("x" * 100, 50) == "x" * 27 + "\n---Output truncated---"
    assert together("out", "", 100) == "out"
    assert together("", "err", 100) == "\n----------ERROR-------\nerr"
    assert together("out", "err", 100) == "out\n----------ERROR-------\nerr"
    both = together("o" * 200, "e" * 200, 100)
    assert len(both) == 100
    assert "---Output truncated---\n----------ERROR-------\n" in both
    assert both.endswith("---Error truncated----")
    assert with_agents_words("", 7) == "failed to run commands: exit status 7"
    assert with_agents_words("oh\n", 7) == "oh\nfailed to run commands: exit status 7"
    assert len(with_agents_words("y" * 9_000, 7)) == 8_000
    assert with_agents_words("warning", 0) == "warning"


@given(st.text(max_size=300), st.text(max_size=300), st.integers(100, 250))
def test_no_output_is_longer_than_what_is_kept(stdout, stderr, most):
    assert len(together(stdout, stderr, most)) <= most


def test_filters_of_lists():
    seen = Transcript(1)
    command = seen.send("i-1")
    (invocation,) = command.invocations.values()
    seen.finish("i-1", "ExecutionTimedOut", 137)

    def passes(key, value):
        return shown.passes_command(command, [{"key": key, "value": value}])

    assert passes("Status", "TimedOut")
    assert passes("Status", "ExecutionTimedOut")
    assert not passes("Status", "Success")
    assert passes("ExecutionStage", "Complete")
    assert not passes("ExecutionStage", "Executing")
    assert passes("DocumentName", "doc")
    assert passes("InvokedAfter", "1970-01-01T00:01:00Z")
    assert not passes("InvokedBefore", "1970-01-01T00:01:00Z")
    assert shown.passes_invocation(command, invocation, [{"key": "Status", "value": "TimedOut"}])
    for key, value in (("ExecutionStage", "Complete"), ("InvokedAfter", "yesterday")):
        with pytest.raises(SsmError) as caught:
            shown.passes_invocation(command, invocation, [{"key": key, "value": value}])
        assert caught.value.code == "InvalidFilterKey"


# -- targets --


FLEET = [
    Candidate("i-1", {"aws:autoscaling:groupName": "web", "env": "prod"}),
    Candidate("i-2", {"aws:autoscaling:groupName": "web", "env": "test"}),
    Candidate("i-3", {"env": "prod"}),
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([("tag:aws:autoscaling:groupName", ["web"])], ["i-1", "i-2"]),
        ([("tag:env", ["prod", "test"])], ["i-1", "i-2", "i-3"]),
        ([("tag:env", ["prod"]), ("tag:aws:autoscaling:groupName", ["web"])], ["i-1"]),
        ([("tag-key", ["aws:autoscaling:groupName"])], ["i-1", "i-2"]),
        ([("tag:env", ["PROD"])], []),
        ([("InstanceIds", ["i-2", "i-3"])], ["i-2", "i-3"]),
        ([("instanceids", ["i-2"])], ["i-2"]),
        ([("resource-groups:Name", ["prod"])], ["i-3"]),
        ([("tag:nobody", ["has"])], []),
    ],
)
def test_targets(wanted, expected):
    asked = [{"Key": key, "Values": values} for key, values in wanted]
    targets.check(asked)
    assert chosen(asked, FLEET, lambda name: {"prod": ["i-3", "i-9"]}[name]) == expected


@pytest.mark.parametrize(
    "asked",
    [
        [{"Key": "name", "Values": ["web"]}],
        [{"Key": "tag:", "Values": ["web"]}],
        [{"Key": "tag:env", "Values": []}],
        [{"Key": "resource-groups:Name", "Values": ["a", "b"]}],
        [{"Key": "resource-groups:Name", "Values": ["a"]}, {"Key": "tag:env", "Values": ["prod"]}],
        [{"Key": "resource-groups:ResourceTypeFilters", "Values": ["AWS::EC2::Instance"]}],
    ],
)
def test_targets_that_mean_nothing(asked):
    with pytest.raises(SsmError) as caught:
        targets.check(asked)
    assert caught.value.code == "InvalidParameters"


def test_filters_of_nodes():
    node = Node("i-1", "ip-1", "10.0.0.1", 0.0, 0.0)
    assert matches(node, {"PingStatus": ["Online"], "tag:env": ["prod"]}, {"env": "prod"})
    assert not matches(node, {"InstanceIds": ["i-2"]}, {})
    assert matches(node, {"tag-key": ["env"]}, {"env": ""})
    with pytest.raises(SsmError, match="Colour"):
        matches(node, {"Colour": ["red"]}, {})


# -- what is told --

TOPIC = "arn:aws:sns:us-east-1:123456789012:purges"
ROLE = "arn:aws:iam::123456789012:role/notifies"


def notified(kind, events):
    return {"NotificationArn": TOPIC, "NotificationEvents": events, "NotificationType": kind}


def test_which_changes_a_topic_hears_of():
    seen = Transcript(1)
    command = seen.send("i-1", request={"NotificationConfig": notified("Command", ["Success", "TimedOut"])})
    assert told.topic_for(command, "Command", "Success") == TOPIC
    assert told.topic_for(command, "Command", "InProgress") == ""
    assert told.topic_for(command, "Invocation", "Success") == ""
    command.request["NotificationConfig"].update(notified("Invocation", ["All"]))
    assert told.topic_for(command, "Invocation", "InProgress") == TOPIC
    assert told.topic_for(command, "Command", "InProgress") == ""
    assert told.topic_for(command, "Invocation", "Pending") == ""  # no event of notifications


def test_the_messages_have_the_documented_members():
    seen = Transcript(1)
    command = seen.send("i-1", request={"OutputS3BucketName": "out"})
    (invocation,) = command.invocations.values()
    assert json.loads(told.command_message(command, 101.0)) == {
        "commandId": "c-1",
        "documentName": "doc",
        "instanceIds": ["i-1"],
        "requestedDateTime": "1970-01-01T00:01:40.000Z",
        "expiresAfter": "1970-01-01T02:01:40.000Z",
        "outputS3BucketName": "out",
        "outputS3KeyPrefix": "",
        "status": "InProgress",
        "eventTime": "1970-01-01T00:01:41.000Z",
    }
    assert json.loads(told.invocation_message(command, invocation, 101.0)) == {
        "commandId": "c-1",
        "documentName": "doc",
        "instanceId": "i-1",
        "requestedDateTime": "1970-01-01T00:01:40.000Z",
        "status": "InProgress",
        "eventTime": "1970-01-01T00:01:41.000Z",
    }


def test_the_events_have_the_documented_members():
    seen = Transcript(1)
    command = seen.send("i-1", values={"commands": ["id"]})
    (invocation,) = command.invocations.values()
    event = told.event(command, None, "e-1", ACCOUNT, "us-east-1", 101.0)
    assert (event["source"], event["detail-type"]) == ("aws.ssm", "EC2 Command Status-change Notification")
    assert event["resources"] == [f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"]
    assert set(event["detail"]) == {
        "command-id",
        "document-name",
        "expire-after",
        "parameters",
        "requested-date-time",
        "status",
    }
    event = told.event(command, invocation, "e-2", ACCOUNT, "us-east-1", 101.0)
    assert event["detail-type"] == "EC2 Command Invocation Status-change Notification"
    assert set(event["detail"]) == {"command-id", "document-name", "instance-id", "requested-date-time", "status"}


@pytest.mark.parametrize(
    ("config", "role", "code"),
    [
        ({"NotificationEvents": ["All"]}, ROLE, "InvalidNotificationConfig"),
        ({"NotificationArn": "purges", "NotificationEvents": ["All"]}, ROLE, "InvalidNotificationConfig"),
        ({"NotificationArn": TOPIC}, ROLE, "InvalidNotificationConfig"),
        (notified("Command", ["All"]), "", "InvalidRole"),
    ],
)
def test_notifications_that_are_refused(config, role, code):
    with pytest.raises(SsmError) as caught:
        told.check(config, role)
    assert caught.value.code == code


# -- invariants --


class Fleet:
    """Agents that end in any order, as Hypothesis wants it."""

    def __init__(self, count, down, concurrency, errors):
        self.seen = Transcript(count)
        for number in down:
            self.seen.do(self.seen.ssm.agent_stopped(f"i-{number}", 0.0))
        self.seen.taken(Remind)
        self.command = self.seen.send(
            *(f"i-{number}" for number in range(1, count + 1)), max_concurrency=concurrency, max_errors=errors
        )
        _, self.reminder = self.seen.taken(Remind)

    def running(self):
        return [one.instance_id for one in self.command.invocations.values() if one.detail == "InProgress"]


@settings(max_examples=200)
@given(
    count=st.integers(1, 12),
    down=st.sets(st.integers(1, 12)),
    concurrency=st.sampled_from(["1", "2", "5", "50", "10%", "50%", "100%"]),
    errors=st.sampled_from(["0", "1", "3", "25%", "100%"]),
    outcomes=st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["Success", "Failed", "ExecutionTimedOut"]))),
    cancels=st.booleans(),
)
def test_a_command_keeps_its_limits_and_always_ends(count, down, concurrency, errors, outcomes, cancels):
    fleet = Fleet(count, {one for one in down if one <= count}, concurrency, errors)
    command, allowed = fleet.command, rate.errors(errors, count)
    begun = set()

    def check():
        details = [one.detail for one in command.invocations.values()]
        underway = [detail for detail in details if detail in {"InProgress", "Delayed", "Cancelling"}]
        assert len(underway) <= rate.concurrency(concurrency, count)
        fresh = set(fleet.running()) - begun
        begun.update(fresh)
        assert not (fresh and command.error_count() > allowed), "none begins after too many errors"

    check()
    for choice, outcome in outcomes:
        if running := fleet.running():
            fleet.seen.finish(running[choice % len(running)], outcome, 0 if outcome == "Success" else 1)
            check()
    if cancels:
        fleet.seen.do(fleet.seen.ssm.cancel("c-1", []))
        for kill in fleet.seen.taken(Kill):
            fleet.seen.finish(kill.instance_id, "Cancelled", 137)
    fleet.seen.do(fleet.seen.ssm.remind(fleet.reminder, 9999.0))
    check()
    assert command.is_over
    assert all(one.is_over for one in command.invocations.values())
    assert command.completed_count() == count
    assert fleet.seen.told.count(command.detail) == 1, "its end is told once"
