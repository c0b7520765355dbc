"""Real functions in real processes are told of events; AWS's state is that of the moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.controllers.replay.replayer import Replayer
from sandbox.errors import SandboxError
from sandbox.model.ecs.events import SEEN_2024
from sandbox.model.eventbridge import compile_pattern
from sandbox.model.replay.compose import BEGIN, Composer, Durations
from sandbox.model.replay.plan import Delivery, Perturbation, draw_plan
from sandbox.model.replay.recording import recorded
from sandbox.model.replay.state import no_event_lost, record_points_at_running_task

RUNNING = compile_pattern('{"detail": {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}')
POINTS = {"points": record_points_at_running_task()}
LOST = {"lost": no_event_lost()}
FIRST, SECOND = "198.51.100.10", "198.51.100.11"


def events(count: int = 1) -> object:
    return recorded(
        {"id": str(number), "time": "2026-01-01T00:00:00Z", "detail": {"n": number}} for number in range(count)
    )


def changes(report):
    return [list(step.changes) for step in report.steps]


def test_what_each_event_did_stands_in_the_report(replacement, ghost, replayer):
    report = replayer(replacement, ghost("by_name")).run(invariants=POINTS)
    assert changes(report) == [[f"blog.example.com A: none -> {FIRST}"], [f"blog.example.com A: {FIRST} -> {SECOND}"]]
    assert [step.at for step in report.steps] == [BEGIN + 20, BEGIN + 140]
    assert json.loads(report.steps[1].result) == {"record": "blog.example.com", "address": SECOND}
    assert report.steps[0].log[0].startswith("START RequestId")
    assert report.held
    assert report.end.is_end
    assert report.end.record("blog.example.com") == [SECOND]


def test_a_late_event_of_the_old_task_is_believed_or_not(replacement, ghost, replayer):
    late = (Delivery(1), Delivery(0))
    runner = replayer(replacement, ghost("by_name"))
    report = runner.run(late, POINTS)
    assert not report.held
    assert report.broken == {"points": f"blog.example.com is {FIRST}; running: {SECOND}"}
    assert report.steps[1].note == "after 1 newer, 120 s late, the task is STOPPING v4 now"
    runner.close()
    assert replayer(replacement, ghost("by_state")).run(late, POINTS).held


def test_each_run_begins_anew_in_a_warm_process(replacement, ghost, replayer):
    runner = replayer(replacement, ghost("by_name"))
    reports = [runner.run(plan, POINTS) for plan in (None, (Delivery(1), Delivery(0)), None)]
    assert [report.held for report in reports] == [True, False, True]
    assert changes(reports[0]) == changes(reports[2])
    assert ["Init Duration" in report.steps[0].log[-1] for report in reports] == [True, False, False]


def test_the_module_s_state_lasts_unless_it_is_fresh(source, replayer):
    counts = source("seen = []\ndef handler(event, context):\n    seen.append(1)\n    return len(seen)\n")
    warm = replayer(events(), counts)
    assert [warm.run().steps[0].result for _ in range(2)] == ["1", "2"]
    warm.close()
    fresh = replayer(events(), counts, fresh=True)
    assert [fresh.run().steps[0].result for _ in range(2)] == ["1", "1"]


def test_an_event_before_the_public_address_succeeds_at_the_retry(ghost, replayer):
    """The Association comes 30 s after RUNNING; Lambda tries again after a minute."""
    recording = Composer(durations=Durations(association=42)).start().recording().matching(RUNNING.matches)
    report = replayer(recording, ghost("by_name")).run(invariants={**POINTS, **LOST})
    assert [(step.at - BEGIN, step.attempt, step.error) for step in report.steps] == [
        (20.0, 1, "KeyError: 'Association'"),
        (80.0, 2, ""),
    ]
    assert report.held
    assert report.steps[1].note == "retry 1"


def test_what_fails_three_times_is_lost(source, replayer):
    report = replayer(
        events(), source("def handler(event, context):\n    print('hm')\n    raise ValueError('no')\n")
    ).run()
    assert [step.at - report.steps[0].at for step in report.steps] == [0, 60, 180]
    assert report.lost == ("event 1, ValueError: no",)
    assert report.broken == {"no-event-lost": "1 of the events were lost: event 1, ValueError: no"}
    assert "hm" in report.steps[0].log


def test_without_retries_it_is_lost_at_once(source, replayer):
    failing = source("def handler(event, context):\n    return event['x']\n")
    assert len(replayer(events(2), failing, retries=0).run().steps) == 2


def test_a_function_that_waits_sees_aws_go_on(ghost, replayer):
    """It asks each second; the address shows two seconds after RUNNING."""
    recording = Composer(durations=Durations(association=14)).start().recording().matching(RUNNING.matches)
    report = replayer(recording, ghost("patient", timeout=10)).run(invariants=POINTS)
    assert len(report.steps) == 1
    assert report.held
    assert report.steps[0].at - BEGIN >= 22


def test_always_counts_after_each_event(replacement, ghost, replayer):
    twice = (Delivery(0), Delivery(1), Delivery(0), Delivery(1))
    runner = replayer(replacement, ghost("by_name"))
    assert runner.run(twice, POINTS).held
    report = runner.run(twice, POINTS, check="always")
    assert not report.held
    assert report.first_broken is report.steps[2]


def test_by_position_fails_where_the_elb_attachment_comes_first(ghost, replayer):
    recording = Composer(shape=SEEN_2024).start().recording().matching(RUNNING.matches)
    report = replayer(recording, ghost("by_position")).run(invariants={**POINTS, **LOST})
    assert set(report.broken) == {"points", "lost"}
    assert report.steps[0].error.startswith("IndexError")


def test_other_calls_that_change_something_are_told_and_undone(source, replayer):
    code = """
import boto3
def handler(event, context):
    iam = boto3.client("iam")
    before = len(iam.list_users()["Users"])
    iam.create_user(UserName="someone")
    return before
"""
    runner = replayer(events(), source(code, timeout=30, memory_size=512))
    reports = [runner.run() for _ in range(2)]
    assert [report.steps[0].changes for report in reports] == [("iam CreateUser",)] * 2
    assert [report.steps[0].result for report in reports] == ["0", "0"]


def test_a_hosted_zone_can_be_made_anew_in_each_run(source, replayer):
    text = """
import boto3

def handler(event, context):
    boto3.client("route53").create_hosted_zone(Name="new.example", CallerReference="always the same")
"""
    runner = replayer(events(), source(text))
    for _ in range(2):
        (step,) = runner.run().steps
        assert not step.error, step.error
        assert any(change.startswith("new.example NS: none -> ") for change in step.changes), step.changes


def test_ecs_answers_with_the_present_and_refuses_what_it_cannot_do(source, replayer):
    code = """
import boto3
from botocore.exceptions import ClientError
ecs = boto3.client("ecs")
def handler(event, context):
    cluster = event["detail"]["clusterArn"]
    arns = ecs.list_tasks(cluster=cluster, serviceName="web")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    services = ecs.describe_services(cluster=cluster, services=["web", "other"])
    try:
        ecs.stop_task(cluster=cluster, task=arns[0])
    except ClientError as error:
        refused = error.response["Error"]["Code"]
    return [[t["lastStatus"] for t in tasks], services["services"][0]["runningCount"], services["failures"], refused]
"""
    recording = Composer().start().recording().matching(RUNNING.matches)
    report = replayer(recording, source(code, timeout=10)).run()
    assert json.loads(report.steps[0].result) == [
        ["RUNNING"],
        1,
        [{"arn": "arn:aws:ecs:us-east-1:123456789012:service/production/other", "reason": "MISSING"}],
        "NotImplemented",
    ]


def test_the_region_is_that_of_the_events(source, replayer):
    event = {**Composer().start().recording().events[2].event, "region": "eu-west-1"}
    code = """
import boto3
def handler(event, context):
    interface = event["detail"]["attachments"][0]["details"][1]["value"]
    found = boto3.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    return [boto3.client("ec2").meta.region_name, found["PrivateIpAddress"], found["Association"]["PublicIp"]]
"""
    report = replayer(recorded([event]), source(code, timeout=20, memory_size=512)).run()
    assert json.loads(report.steps[0].result) == ["eu-west-1", "10.0.0.4", "198.51.100.10"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import time\ndef handler(event, context):\n    time.sleep(60)\n", "Task timed out after 1.00 seconds"),
        ("def handler(event, context):\n    while True: pass\n", "Task timed out after 1.00 seconds"),
        ("def handler(event, context):\n    return len(bytearray(2**32))\n", "Error"),
        (
            "def handler(event, context):\n    kept = []\n    while True: kept.append(b'x' * 2**20)\n",
            "Runtime.ExitError: RequestId",
        ),
        ("import os\ndef handler(event, context):\n    os._exit(3)\n", "exit status 3"),
    ],
    ids=["sleeps", "spins", "memory at once", "memory bit by bit", "exits"],
)
def test_a_broken_function_is_told_and_the_next_event_comes(source, replayer, code, error):
    broken = code.replace("(event, context):\n", "(event, context):\n    if event['detail']['n']: return 'fine'\n")
    report = replayer(events(2), source(broken, timeout=5 if "kept" in code else 1), retries=0).run()
    assert error in report.steps[0].error
    assert report.steps[1].result == '"fine"'


def test_a_function_that_forks_harms_nobody(source, replayer, tmp_path):
    code = f"""
import os, time
def handler(event, context):
    for _ in range(20):
        if os.fork() == 0:
            open({str(tmp_path / "child")!r} + str(os.getpid()), "w").close()
            time.sleep(600)
    return "forked"
"""
    runner = replayer(events(2), source(code, timeout=10))
    report = runner.run()
    assert [step.result for step in report.steps] == ['"forked"'] * 2
    runner.close()
    children = [file.name.removeprefix("child") for file in tmp_path.glob("child*")]
    assert children
    for child in children:  # what nobody has waited for yet has no command line any more
        command = Path(f"/proc/{child}/cmdline")
        assert not command.exists() or not command.read_bytes()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def other(event, context): pass\n", "Runtime.HandlerNotFound"),
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("def handler(:\n", "Runtime.UserCodeSyntaxError"),
    ],
)
def test_a_function_that_cannot_be_loaded_ends_the_replay(source, replayer, code, why):
    with pytest.raises(SandboxError) as caught:
        replayer(events(), source(code)).run()
    assert "cannot be loaded" in caught.value.message
    assert why in caught.value.state


def test_an_invariant_that_itself_fails_is_an_error(replacement, ghost, replayer):
    with pytest.raises(SandboxError, match="the invariant mine failed: KeyError"):
        replayer(replacement, ghost("by_name")).run(invariants={"mine": lambda state: {}["x"]})


def test_a_process_has_one_replay_at_a_time_and_the_next_one_after_it(replacement, ghost, replayer):
    first = replayer(replacement, ghost("by_name"))
    with pytest.raises(SandboxError, match="already has a sandbox"):
        Replayer(replacement, ghost("by_name"))
    first.close()
    assert replayer(replacement, ghost("by_name")).run(invariants=POINTS).held


def test_addresses_that_cannot_be_are_refused(replacement, ghost):
    events = [json.loads(json.dumps(one.event)) for one in replacement.events]
    for number, event in enumerate(events):
        event["detail"]["attachments"][0]["details"][3]["value"] = f"10.{number}.0.1"
    with pytest.raises(SandboxError, match=r"cannot have both 10\.1\.0\.0/16 and 10\.0\.0\.0/16"):
        Replayer(recorded(events), ghost("by_name"))
    with pytest.raises(SandboxError, match="Lambda tries again 0 to 2 times"):
        Replayer(replacement, ghost("by_name"), retries=3)


def test_the_same_seeds_give_the_same_reports(replacement, ghost, replayer):
    runner = replayer(replacement, ghost("by_name"))
    shuffled = Perturbation("shuffled", duplicate=0.5, max_delay=60.0)
    first, second = (
        [changes(runner.run(draw_plan(replacement, shuffled, seed), POINTS)) for seed in range(20)] for _ in range(2)
    )
    assert first == second
