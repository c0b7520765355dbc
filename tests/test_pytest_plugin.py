"""The pytest plugin, as another project has it: by its entry point, in a folder of its own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from sandbox.engine import daemon, sweep

pytest_plugins = ["pytester"]

NO_ENGINE = "unix:///nonexistent/docker.sock"


@pytest.fixture
def project(pytester, monkeypatch):
    """Another project: nothing of this repository's is on its path but the installed package."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def test_an_installed_package_brings_its_fixtures_and_options(project):
    assert [entry.value for entry in entry_points(group="pytest11", name="sandbox")] == ["sandbox.pytest_plugin"]
    told = project.runpytest_subprocess("--help").stdout.str()
    assert "--sandbox-images={auto,official,build}" in told
    assert "--sandbox-speed=N" in told
    assert "--sandbox-keep" in told
    listed = project.runpytest_subprocess("--fixtures").stdout.str()
    assert "A sandbox of its own" in listed
    assert "A factory of boto3 clients" in listed
    assert "Brings stacks up" in listed


def test_loading_the_plugin_loads_nothing_that_is_slow(project):
    project.makepyfile(
        """
        import sys

        def test_nothing_slow():
            assert not {"docker", "boto3", "moto", "botocore"} & set(sys.modules)
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sandbox-images", "nope"], "invalid choice: 'nope'"),
        (["--sandbox-speed", "fast"], "invalid float value: 'fast'"),
        (["--sandbox-speed", "0"], "--sandbox-speed"),
        (["--sandbox-speed", "nan"], "--sandbox-speed"),
        (["--sandbox-report", "/dev/null/report"], "there can be no report in /dev/null/report"),
    ],
)
def test_a_wrong_option_is_a_usage_error(project, arguments, message):
    project.makepyfile("def test_it(): pass")
    done = project.runpytest_subprocess(*arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr.str()


def test_a_wrong_scope_is_named(project):
    project.makeini("[pytest]\nsandbox_scope = week\n")
    project.makepyfile("def test_it(sandbox): pass")
    done = project.runpytest_subprocess()
    assert done.ret != 0
    assert "sandbox_scope: 'week' is none of function, class, module, package, session" in done.stdout.str() + str(
        done.stderr
    )


def test_without_an_engine_tests_that_need_one_fail_and_the_others_pass(project, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    project.makepyfile(
        """
        import pytest

        def test_needs_none(): pass

        @pytest.mark.docker
        def test_is_marked(): pass

        def test_has_a_sandbox(sandbox): pass

        def test_has_clients(aws): pass

        def test_has_a_stack(stack): pass
        """
    )
    done = project.runpytest_subprocess()
    done.assert_outcomes(passed=1, errors=4)
    text = done.stdout.str()
    assert text.count("not run: no Docker engine answers") >= 4
    assert "next: DOCKER_HOST names an engine that does not answer" in text
    assert "Traceback" not in text


def test_without_an_optional_part_what_needs_it_is_skipped_where_one_sees_it(project):
    project.makepyfile(
        """
        import pytest
        from sandbox.errors import NotRunnable

        def lack():
            raise NotRunnable("a part is needed", command="install the part")

        @pytest.fixture
        def part():
            lack()

        def test_has_a_fixture(part): pass

        def test_asks(): lack()

        def test_needs_none(): pass

        def test_is_skipped_for_another_reason(): pytest.skip("not today")
        """
    )
    done = project.runpytest_subprocess()
    done.assert_outcomes(passed=1, skipped=3)
    lines = done.stdout.lines
    for name in ("test_has_a_fixture", "test_asks"):
        (at,) = [number for number, line in enumerate(lines) if f"::{name} not run: a part is needed" in line]
        assert lines[at + 1] == "next: install the part"
    assert "not today" not in done.stdout.str()


@pytest.mark.docker
def test_each_test_has_a_sandbox_of_its_own(project, small_stack):
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("which", [1, 2])
        def test_empty(sandbox, aws, which):
            route53 = aws("route53")
            assert route53.list_hosted_zones()["HostedZones"] == []
            route53.create_hosted_zone(Name="example.org", CallerReference="same")
            assert sandbox.speed == 20

        def test_a_stack(stack, sandbox):
            small = stack({str(small_stack())!r}, handler="by_name")
            assert small.name == "small"
            assert sandbox.http_get("http://small.example.org/").status == 200
        """
    )
    project.runpytest_subprocess("--sandbox-speed", "20").assert_outcomes(passed=3)


@pytest.mark.docker
def test_the_scope_can_be_wider(project):
    project.makeini("[pytest]\nsandbox_scope = module\n")
    project.makepyfile(
        """
        ids = set()

        def test_one(sandbox): ids.add(sandbox.run_id)

        def test_two(sandbox, aws): ids.add(sandbox.run_id)

        def test_three(): assert len(ids) == 1
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=3)


@pytest.mark.docker
def test_a_report_shows_of_a_shared_sandbox_what_each_test_saw(project):
    project.makeini("[pytest]\nsandbox_scope = module\n")
    project.makepyfile(
        """
        def test_good(sandbox):
            "All is well."
            sandbox.timeline.record("seen.first", by="good")

        def test_bad(sandbox):
            sandbox.timeline.record("seen.second", by="bad")
            assert 1 == 2, "</script> of it"

        def test_without(): pass
        """
    )
    project.runpytest_subprocess("--sandbox-report", "shown").assert_outcomes(passed=2, failed=1)
    page = (project.path / "shown/index.html").read_text()
    assert "1 of 2 did what they declare" in page
    assert "All is well." in page
    assert "&lt;/script&gt; of it" in page
    bad = next((project.path / "shown/timelines").glob("*test_bad*")).read_text()
    assert "seen.second" in bad
    assert "seen.first" not in bad


@pytest.mark.docker
def test_a_failed_tests_sandbox_is_kept_where_that_is_asked_for(project):
    project.makepyfile(
        """
        def test_good(sandbox): print("run", sandbox.run_id)

        def test_bad(sandbox):
            print("run", sandbox.run_id)
            assert sandbox.http_get("http://no.such.example/").status == 200
        """
    )
    done = project.runpytest_subprocess("--sandbox-keep", "-rP")
    done.assert_outcomes(passed=1, failed=1)
    (kept,) = [line.split()[2].rstrip(";") for line in done.stdout.lines if line.startswith("kept run ")]
    client = daemon.connect()
    try:
        containers = client.api.containers(all=True, filters={"label": f"aws-container-sandbox.run={kept}"})
        assert containers
        good = next(line.split()[1] for line in done.stdout.lines if line.startswith("run ") and kept not in line)
        assert not client.api.containers(all=True, filters={"label": f"aws-container-sandbox.run={good}"})
        sweep.remove_dead_runs(client, kept=True)
        assert not client.api.containers(all=True, filters={"label": f"aws-container-sandbox.run={kept}"})
    finally:
        client.close()


@pytest.mark.docker
def test_sandboxes_side_by_side_under_xdist(project, small_stack):
    project.makepyfile(
        f"""
        import os
        import pytest

        @pytest.mark.parametrize("which", range(2))
        def test_alone(which, stack, sandbox, aws):
            stack({str(small_stack())!r})
            (zone,) = aws("route53").list_hosted_zones()["HostedZones"]
            answer = sandbox.http_get("http://small.example.org/")
            assert answer.status == 200
            assert answer.remote_ip in sandbox.resolve("small.example.org").values
            assert os.environ["PYTEST_XDIST_WORKER"] in ("gw0", "gw1")
        """
    )
    done = project.runpytest_subprocess("-n", "2", "--sandbox-report", "shown")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["report: shown/index.html"])
    page = (project.path / "shown/index.html").read_text()
    assert "2 of 2 did what they declare" in page
    assert page.count("viewer of small.example.org") >= 2


def test_the_replay_fixture_needs_no_engine(project, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    project.mkpydir("tests")
    (project.path / "tests" / "dns.py").write_text(
        "def handler(event, context):\n    return event['detail']['lastStatus']\n"
    )
    (project.path / "tests" / "test_it.py").write_text(
        """
from sandbox.model.replay.compose import Composer

def test_it(replay):
    outcome = replay(Composer().start(), "dns.py:handler", order="reversed")
    outcome.assert_held()
    assert [step.result for step in outcome.report.steps] == ['"RUNNING"', '"PENDING"', '"PROVISIONING"']

def test_it_breaks(replay):
    outcome = replay(Composer().start(), "dns.py:handler", invariant=lambda state: not state.tasks)
    outcome.assert_held()
"""
    )
    done = project.runpytest_subprocess("tests")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*broken as recorded*", "*RUNNING v3: changed nothing*"])
