"""The fixture ``fault``, as another project has it: a fault ends with its test, whatever the sandbox's scope is."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


@pytest.mark.docker
def test_a_fault_ends_with_its_test_though_the_sandbox_goes_on(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeini("[pytest]\nsandbox_scope = module\n")
    pytester.makepyfile(
        """
        import pytest
        from sandbox.errors import SandboxError

        def of_faults(sandbox):
            return [seen.kind for seen in sandbox.timeline.since() if seen.kind.startswith("fault.")]

        def test_begins_faults(sandbox, aws, fault):
            aws("events").put_rule(Name="orders", EventPattern='{"source": ["shop"]}')
            fault("event-drop", "rule:orders")
            with fault("event-delay", "rule:orders", seconds=5):
                assert of_faults(sandbox) == ["fault.begun"] * 2
            assert of_faults(sandbox) == ["fault.begun"] * 2 + ["fault.ended"]
            with pytest.raises(SandboxError, match="there is no rule 'order'"):
                fault("event-drop", "rule:order")

        def test_they_have_ended(sandbox):
            assert of_faults(sandbox) == ["fault.begun"] * 2 + ["fault.ended"] * 2
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
