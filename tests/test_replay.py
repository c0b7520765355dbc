"""Replays as a user has them: from Python, and by the command line, which needs no engine."""

from __future__ import annotations

import json
import os
import select
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.model.replay.compose import Composer
from sandbox.replay import Options, Outcome, perturbation, replay

ROOT = Path(__file__).parent.parent
BY_NAME = f"{ROOT}/compose/ghost/lambda/by_name.py:handler"
BY_STATE = f"{ROOT}/compose/ghost/lambda/by_state.py:handler"
ENVIRONMENT = {"HOSTED_ZONE_ID": "ZEXAMPLECOM", "RECORD_NAME": "blog.example.com"}
RUNNING = '{"detail": {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}'
POINTS = "record-points-at-running-task"
FUNCTION = [f"--env={name}={value}" for name, value in ENVIRONMENT.items()] + ["--zone=example.com"]


def replayed(handler: str = BY_NAME, **more: object) -> Outcome:
    more = {"environment": ENVIRONMENT, "zones": ["example.com"], "pattern": RUNNING, "invariant": POINTS, **more}
    return replay(Composer().start().replace(), handler, **more)  # type: ignore[arg-type]


# -- Python --


def test_an_order_that_fails_is_shortened_and_told():
    outcome = replayed(order="shuffled", duplicate=0.5)
    assert not outcome.held
    assert outcome.repeats
    assert len(outcome.minimal.plan) == 2
    lines = str(outcome).splitlines()
    assert lines[0] == f"broken by the order of seed {outcome.seed}:"
    assert lines[1].endswith("RUNNING v3: blog.example.com A: none -> 198.51.100.11")
    assert "(after 1 newer, 120 s late, the task is STOPPING v4 now)" in lines[2]
    assert lines[3] == f"{POINTS}: blog.example.com is 198.51.100.10; running: 198.51.100.11"


def test_a_function_that_asks_ecs_holds_in_every_order():
    outcome = replayed(BY_STATE, order="shuffled", duplicate=0.5, pattern="", tries=10)
    assert (outcome.held, outcome.tried, str(outcome)) == (True, 10, "held in 10 orders")
    assert not outcome.fresh


def test_an_invariant_of_one_s_own_sees_the_state():
    seen = []

    def ours(state):
        seen.append((state.is_end, state.record("blog.example.com"), len(state.running_tasks("service:web"))))

    assert replayed(invariant=ours).held
    assert seen == [
        (False, ["198.51.100.10"], 1),
        (False, ["198.51.100.11"], 1),
        (True, ["198.51.100.11"], 1),
    ]


def test_what_the_module_keeps_does_not_decide_about_the_next_order(tmp_path):
    """By the version that it has seen last it leaves out duplicates, and all events of the next order."""
    code = (
        "import by_name\n"
        "seen = {}\n"
        "def handler(event, context):\n"
        "    detail = event['detail']\n"
        "    if detail['version'] <= seen.get(detail['taskArn'], 0):\n"
        "        return 'old'\n"
        "    seen[detail['taskArn']] = detail['version']\n"
        "    return by_name.handler(event, context)\n"
    )
    (tmp_path / "app.py").write_text(code)
    (tmp_path / "by_name.py").write_text((ROOT / "compose" / "ghost" / "lambda" / "by_name.py").read_text())
    outcome = replayed(f"{tmp_path / 'app.py'}:handler", duplicate=0.5, tries=5)
    assert (outcome.held, outcome.fresh, outcome.tried) == (True, True, 5)
    assert not replayed(duplicate=0.5, tries=1).fresh


def test_chance_of_the_function_s_own_is_told(tmp_path):
    code = "import os\ndef handler(event, context):\n    open(os.path.expanduser(PATH), 'a').write('x')\n"
    marks = tmp_path / "marks"
    code = code.replace("os.path.expanduser(PATH)", repr(str(marks)))
    code += f"    assert len(open({str(marks)!r}).read()) not in range(7, 10)\n"
    (tmp_path / "app.py").write_text(code)
    events = [{"detail": {}, "id": str(number)} for number in range(3)]
    outcome = replay(events, f"{tmp_path / 'app.py'}:handler", order="shuffled", retries=0)
    assert (outcome.held, outcome.repeats) == (False, False)


def test_what_is_broken_as_recorded_is_told_first():
    outcome = replayed(f"{ROOT}/compose/ghost/lambda/by_position.py:handler", order="shuffled", pattern="")
    assert (outcome.held, outcome.as_recorded, outcome.tried) == (False, True, 1)
    assert str(outcome).startswith("broken as recorded:")


def test_chance_is_tried_often_and_the_rest_once():
    assert Options().orders == 1
    assert Options(perturbation("reversed", 0, 0, 0, 0)).orders == 1
    assert Options(perturbation("recorded", 0, 5, 5, 0)).orders == 1
    assert Options(perturbation("shuffled", 0, 0, 0, 0)).orders == 100
    assert Options(perturbation("recorded", 0.1, 0, 0, 0), tries=7).orders == 7


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"order": "sideways"}, "there is no order 'sideways'"),
        ({"duplicate": 2.0}, "duplicate is a probability"),
        ({"check": "never"}, "there is no check 'never'"),
        ({"pattern": '{"detail": {"lastStatus": ["GONE"]}}'}, "none of the 9 events matches"),
        ({"pattern": '{"detail": 1}'}, "no event pattern"),
        ({"invariant": "nonsense"}, "there is no invariant 'nonsense'"),
        ({"zones": ["example.com", "example.com"]}, "two hosted zones have the id ZEXAMPLECOM"),
        ({"handler": "nowhere.py:handler"}, "there is no file nowhere.py"),
        ({"against": "nowhere.json"}, "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(wrong, why):
    with pytest.raises(SandboxError, match=why):
        replayed(**wrong)


@pytest.mark.parametrize("events", [[], [{}], "text", 7, [{"detail": "x"}], Composer()])
def test_what_is_no_events_is_refused(events):
    with pytest.raises(SandboxError, match=r"these are no events|nothing is composed"):
        replay(events, BY_NAME)


# -- the command line --


def told(cli, *arguments, code=0):
    """Standard output of a command that exits so and leaves nothing."""
    exit_code, out, err = cli.run("replay", *arguments, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert exit_code == code, out + err
    assert "\nTraceback" not in err
    assert [*cli.files()] == []
    return out if code < 2 else err


def test_recorded_events_are_replayed_without_an_engine(cli, tmp_path):
    events = [one.event for one in Composer().start().replace().recording().events]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    out = told(cli, tmp_path / "events.jsonl", "--handler", BY_STATE, *FUNCTION, "--invariant", POINTS)
    assert "9 events as recorded" in out
    assert "blog.example.com A: none -> 198.51.100.10" in out
    assert f"✓ {POINTS}: held in the end; it held after 9 of 9 events" in out


@pytest.mark.parametrize(("shape", "error"), [("elb-first", "IndexError"), ("field-inserted", "IndexError")])
def test_the_shape_of_the_attachments_is_chosen(cli, shape, error):
    by_position = f"{ROOT}/compose/ghost/lambda/by_position.py:handler"
    arguments = ["--handler", by_position, *FUNCTION, "--pattern", RUNNING, "--retries", "0"]
    assert error in told(cli, "start", *arguments, "--shape", shape, code=1)
    told(cli, "start", *arguments, "--shape", "documented")


def test_a_recording_without_stops_is_doubted(cli, tmp_path):
    events = [one.event for one in Composer().start().replace().recording().events]
    running = [event for event in events if event["detail"]["lastStatus"] == "RUNNING"]
    for name, chosen in (("running", [running[0], running[-1]]), ("all", running)):
        (tmp_path / f"{name}.json").write_text(json.dumps(chosen))
    doubt = "2 tasks of one service run until the end"
    arguments = ["--handler", BY_STATE, *FUNCTION, "--invariant", POINTS]
    assert doubt in told(cli, tmp_path / "running.json", *arguments)
    assert doubt not in told(cli, tmp_path / "all.json", *arguments)


def test_the_shortest_order_is_shown_saved_and_repeated(cli, tmp_path):
    saved, result = tmp_path / "failing.json", tmp_path / "result.json"
    arguments = ["--handler", BY_NAME, *FUNCTION, "--invariant", POINTS]
    chance = ["--pattern", RUNNING, "--order", "shuffled", "--save", saved, "--json", result]
    out = told(cli, "replace", *arguments, *chance, code=1)
    assert "the shortest order found that breaks it" in out
    assert f"✗ {POINTS}: broken in the end: blog.example.com is 198.51.100.10; running: 198.51.100.11" in out
    content = json.loads(result.read_text())
    assert (content["held"], content["exit_code"]) == (False, 1)
    minimal = content["minimal"]
    assert [step["event"] for step in minimal["steps"]] == [2, 1]
    assert minimal["records"] == {"blog.example.com A": ["198.51.100.10"]}
    again = json.loads(told(cli, saved, *arguments[:4], *arguments[5:], "--json", "-", code=1))
    assert [step["changes"] for step in again["report"]["steps"]] == [step["changes"] for step in minimal["steps"]]
    assert [step["at"] for step in again["report"]["steps"]] == [step["at"] for step in minimal["steps"]]


def test_a_state_a_sequence_and_an_invariant_of_one_s_own(cli, tmp_path):
    state = {
        "HostedZones": [
            {
                "Id": "Z7",
                "Name": "example.com",
                "ResourceRecordSets": [
                    {"Name": "blog.example.com", "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": "192.0.2.1"}]}
                ],
            }
        ]
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    (tmp_path / "mine.py").write_text(
        "from sandbox.model.replay.compose import Composer\n"
        "def twice():\n    return Composer(service='blog').start().replace().replace()\n"
        "def one_record(state):\n    assert len(state.names()) == 1, state.names()\n"
    )
    out = told(
        cli,
        f"{tmp_path / 'mine.py'}:twice",
        "--handler=" + BY_STATE,
        "--env=HOSTED_ZONE_ID=Z7",
        "--env=RECORD_NAME=blog.example.com",
        "--against",
        tmp_path / "state.json",
        "--invariant",
        f"{tmp_path / 'mine.py'}:one_record",
    )
    assert "blog.example.com A: 192.0.2.1 -> 198.51.100.10" in out
    assert "mine.py:one_record: held in the end" in out


def test_an_interrupted_replay_leaves_nothing(cli, tmp_path):
    os.mkfifo(tmp_path / "begun")
    (tmp_path / "app.py").write_text(
        "import time\n"
        "def handler(event, context):\n"
        f"    open({str(tmp_path / 'begun')!r}, 'w').write('x')\n"
        "    time.sleep(600)\n"
    )
    command = cli.start("replay", "start", "--handler", f"{tmp_path / 'app.py'}:handler", "--timeout", "900")
    begun = os.open(tmp_path / "begun", os.O_RDONLY | os.O_NONBLOCK)
    assert select.select([begun], [], [], 60)[0], command.err
    os.close(begun)
    command.interrupt(group=True)
    assert command.end(30) == 130
    assert "interrupted" in command.err
    assert cli.files() == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "line 1 is not JSON"),
        ('{"detail": {}}\n{"detail"\n', "line 2 is not JSON"),
        ('[{"detail": {}}, {"source": "aws.ecs"}]', "event 2 is not an event: it has no detail"),
        ("[]", "there is no event in it"),
        ('{"version": 2, "events": [], "facts": []}', "it is of version 2"),
    ],
)
def test_a_file_that_is_no_recording(cli, tmp_path, text, why):
    (tmp_path / "events.json").write_text(text)
    err = told(cli, tmp_path / "events.json", "--handler", BY_NAME, code=2)
    assert f"events.json: {why}" in err
    assert "docs/formats.md" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere.json", "--handler", BY_NAME], "nowhere.json cannot be read"),
        (["start", "--handler", "nowhere.py:handler"], "there is no file nowhere.py"),
        (["start", "--handler", f"{ROOT}/README.md:handler"], "is not a Python module"),
        (["start", "--handler", "by_name.handler"], "'by_name.handler' is not FILE:FUNCTION"),
        (["start", "--handler", BY_NAME.replace(":handler", ":other")], "Runtime.HandlerNotFound"),
        (["start", "--handler", BY_NAME, "--shape", "round"], "there is no shape 'round'"),
        (["a.json", "--handler", BY_NAME, "--shape", "elb-first"], "--shape is of sequences that are composed by name"),
        (["start", "--handler", BY_NAME, "--delay", "soon"], "--delay soon: it is SECONDS, or FROM-TO"),
        (["start", "--handler", BY_NAME, "--delay", "9-3"], "delays are seconds from low to high"),
        (["start", "--handler", BY_NAME, "--order", "up"], "there is no order 'up'"),
        (["start", "--handler", BY_NAME, "--env", "X"], "--env wants NAME=VALUE"),
        (["start", "--handler", BY_NAME, "--against", "nowhere"], "nowhere cannot be read"),
        (["start", "--handler", BY_NAME, "--invariant", "nope"], "there is no invariant 'nope'"),
        (["start", "--handler", BY_NAME, "--invariant", f"{ROOT}/docs/picture.py:nope"], "has no 'nope'"),
        (["start", "--handler", BY_NAME, "--name", "a.example.com"], "--name is of --invariant record-points"),
        (["start", "--handler", BY_NAME, "--check", "never"], "there is no check 'never'"),
        (["start", "--handler", BY_NAME, "--save", "/nonexistent/x"], "there is no folder /nonexistent"),
        (["start"], "Missing option '--handler'"),
    ],
)
def test_what_is_wrong_is_named(cli, arguments, why):
    assert why in " ".join(told(cli, *arguments, code=2).split())
