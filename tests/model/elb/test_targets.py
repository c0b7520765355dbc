from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sandbox.clock import VirtualClock
from sandbox.model.elb.config import HealthCheck, TargetGroup
from sandbox.model.elb.messages import (
    CHECKING,
    DRAINING,
    FAILED,
    FULL,
    HEALTHY,
    IP_UNUSABLE,
    NOT_IN_USE,
    NOT_REGISTERED,
    REGISTRATION,
    TIMED_OUT,
    Add,
    Changed,
    Check,
    Checked,
    Deregistered,
    Elapsed,
    Idle,
    Registered,
    Remind,
    Remove,
    Route,
    Show,
    Unusable,
    Unused,
    Usable,
    Used,
    invalid_state,
    mismatch,
)
from sandbox.model.elb.target import Target
from sandbox.model.elb.targets import GroupTargets

GROUP = TargetGroup("arn:tg", "web", "HTTP", 80, "ip", "vpc-1")
A, B, C = (Target(f"10.0.0.{number}", 80) for number in (4, 5, 6))


class World:
    """A group whose targets answer checks as the test says, in virtual time."""

    def __init__(self, group=GROUP, *, used=True):
        self.clock = VirtualClock()
        self.group = GroupTargets(group, used=used)
        self.answers = {}
        self.checks = []
        self.shown = []
        self.routes = []
        self.known = set()

    def say(self, event):
        """Handle an event, carry the commands out, and return them without reminders."""
        commands = self.group.handle(event, self.clock.now())
        for command in commands:
            self.carry_out(command)
        return [command for command in commands if not isinstance(command, Remind)]

    def carry_out(self, command):
        now = self.clock.now()
        match command:
            case Remind(at):
                self.clock.call_later(at - now, lambda: self.say(Elapsed()))
            case Check(target, number):
                self.checks.append((now, target))
                if target in self.answers:
                    failure = self.answers[target]
                    delay = self.group.group.health_check.timeout if failure == TIMED_OUT else 0
                    self.clock.call_later(delay, lambda: self.say(Checked(target, number, failure)))
            case Show(target, health):
                self.shown.append((now, target, health))
            case Route(weights):
                self.routes.append((now, dict(weights)))
            case Add(target):
                assert target not in self.known
                self.known.add(target)
            case Remove(target):
                self.known.remove(target)

    def shows(self, target=A):
        return [(at, health) for at, one, health in self.shown if one == target]


def test_a_target_becomes_healthy_with_its_first_passed_check():
    world = World()
    world.answers[A] = None
    assert world.say(Registered((A,))) == [Add(A), Show(A, REGISTRATION), Route({A: FULL})]
    world.clock.advance(0)
    assert world.shows() == [(0, REGISTRATION), (0, CHECKING), (0, HEALTHY)]
    assert world.group.health() == {A: HEALTHY}


def test_words():
    assert (REGISTRATION.reason, REGISTRATION.state) == ("Elb.RegistrationInProgress", "initial")
    assert mismatch(503).description == "Health checks failed with these codes: [503]"
    assert TIMED_OUT.description == "Request timed out"
    assert invalid_state("stopped").description == "Target is in the stopped state"


@pytest.mark.parametrize("failure", [TIMED_OUT, FAILED, mismatch(503)])
def test_an_initial_target_is_unhealthy_after_as_many_failures_as_the_threshold(failure):
    world = World()
    world.answers[A] = failure
    world.say(Registered((A,)))
    world.clock.advance(29)
    assert world.group.health() == {A: CHECKING}
    world.clock.advance(6)
    assert world.group.health() == {A: failure}


def test_thresholds_count_checks_in_a_row():
    world = World()
    world.answers[A] = None
    world.say(Registered((A,)))
    world.clock.advance(1)
    world.answers[A] = FAILED
    world.clock.advance(30)
    world.answers[A] = None
    world.clock.advance(30)
    world.answers[A] = FAILED
    world.clock.advance(30)
    assert world.group.health() == {A: HEALTHY}
    world.clock.advance(30)
    assert world.group.health() == {A: FAILED}
    world.answers[A] = None
    world.clock.advance(4 * 30)
    assert world.group.health() == {A: FAILED}
    world.clock.advance(30)
    assert world.group.health() == {A: HEALTHY}


def test_an_unhealthy_target_shows_why_its_last_check_failed():
    world = World()
    world.answers[A] = FAILED
    world.say(Registered((A,)))
    world.clock.advance(31)
    world.answers[A] = mismatch(404)
    world.clock.advance(30)
    assert world.group.health() == {A: mismatch(404)}


def test_checks_keep_their_rhythm_however_long_an_answer_takes():
    world = World()
    world.answers[A] = TIMED_OUT
    world.say(Registered((A,)))
    world.clock.advance(95)
    assert [at for at, _ in world.checks] == [0, 30, 60, 90]


def test_only_a_group_in_use_is_checked():
    world = World(used=False)
    assert world.say(Registered((A,))) == [Show(A, NOT_IN_USE)]
    world.clock.advance(100)
    assert world.checks == []
    assert world.say(Used()) == [Add(A), Show(A, REGISTRATION), Route({A: FULL})]
    world.clock.advance(1)
    assert world.checks == [(100, A)]
    assert world.say(Unused()) == [Remove(A), Show(A, NOT_IN_USE), Route({})]
    world.clock.advance(100)
    assert len(world.checks) == 1


def test_fail_open():
    world = World()
    world.answers |= {A: FAILED, B: FAILED}
    world.say(Registered((A, B)))
    world.clock.advance(100)
    assert world.group.route() == {A: FULL, B: FULL}
    world.answers[A] = None
    world.clock.advance(150)
    assert world.group.route() == {A: FULL}
    world.answers[A] = FAILED
    world.clock.advance(60)
    assert world.group.route() == {A: FULL, B: FULL}


def test_a_deregistered_target_drains_and_is_cut_at_the_end():
    world = World()
    world.answers |= {A: None, B: None}
    world.say(Registered((A, B)))
    world.clock.advance(10)
    assert world.say(Deregistered((A,))) == [Show(A, DRAINING), Route({B: FULL})]
    world.clock.advance(299)
    assert A in world.known
    assert world.group.health() == {A: DRAINING, B: HEALTHY}
    world.clock.advance(1)
    assert A not in world.known
    assert world.group.health() == {B: HEALTHY}
    assert world.group.health_of(A) == NOT_REGISTERED
    assert [at for at, target in world.checks if target == A] == [0]


def test_a_target_without_requests_is_let_go_early_and_shown_as_draining():
    world = World()
    world.answers[A] = None
    world.say(Registered((A,)))
    world.clock.advance(10)
    world.say(Deregistered((A,)))
    assert world.say(Idle(A)) == [Remove(A)]
    assert world.group.health() == {A: DRAINING}
    world.clock.advance(300)
    assert world.group.health() == {}


def test_registered_again_while_it_drains():
    world = World()
    world.answers[A] = None
    world.say(Registered((A,)))
    world.clock.advance(10)
    world.say(Deregistered((A,)))
    world.clock.advance(100)
    assert world.say(Registered((A,))) == [Show(A, REGISTRATION), Route({A: FULL})]
    world.clock.advance(1000)
    assert world.group.health() == {A: HEALTHY}
    assert A in world.known, "requests in flight went on"


def test_the_outcome_of_a_check_from_before_counts_for_nothing():
    world = World()
    (*_, check) = [*world.say(Registered((A,))), *world.say(Elapsed())]
    world.say(Deregistered((A,)))
    world.say(Registered((A,)))
    assert world.say(Checked(A, check.number)) == []


def test_no_delay():
    world = World(replace(GROUP, deregistration_delay=0))
    world.say(Registered((A,)))
    assert world.say(Deregistered((A,))) == [Remove(A), Show(A, NOT_REGISTERED), Route({})]


def test_a_target_that_gets_no_requests_goes_at_once():
    world = World(used=False)
    world.say(Registered((A,)))
    assert world.say(Deregistered((A,))) == [Show(A, NOT_REGISTERED)]


def test_a_stopped_instance():
    world = World()
    world.answers |= {A: None, B: None}
    world.say(Registered((A, B)))
    world.clock.advance(1)
    stopped = invalid_state("stopped")
    assert world.say(Unusable(A, stopped)) == [Remove(A), Show(A, stopped), Route({B: FULL})]
    world.clock.advance(60)
    assert [at for at, target in world.checks if target == A] == [0]
    world.say(Usable(A))
    world.clock.advance(1)
    assert world.group.health() == {A: HEALTHY, B: HEALTHY}


def test_the_only_targets_that_cannot_be_used_are_none():
    world = World()
    world.say(Registered((A,)))
    world.say(Unusable(A, IP_UNUSABLE))
    assert world.group.route() == {}


def test_another_interval_counts_from_the_last_check():
    world = World()
    world.answers[A] = None
    world.say(Registered((A,)))
    world.clock.advance(10)
    world.say(Changed(replace(GROUP, health_check=HealthCheck(interval=15))))
    world.clock.advance(25)
    assert [at for at, _ in world.checks] == [0, 15, 30]


def test_slow_start_gives_a_growing_share_beside_a_healthy_target():
    world = World(replace(GROUP, slow_start=100))
    world.answers |= {A: None, B: None}
    world.say(Registered((A,)))
    world.clock.advance(10)
    assert world.group.route() == {A: FULL}, "the first has nobody beside it"
    world.say(Registered((B,)))
    world.clock.advance(50)
    assert world.group.route() == {A: FULL, B: 50}
    shares = [weights[B] for _, weights in world.routes if B in weights]
    world.clock.advance(50)
    assert shares == sorted(shares)
    assert world.group.route() == {A: FULL, B: FULL}


def test_slow_start_ends_with_an_unhealthy_target_and_begins_again():
    world = World(replace(GROUP, slow_start=900))
    world.answers |= {A: None, B: None}
    world.say(Registered((A,)))
    world.clock.advance(10)
    world.say(Registered((B,)))
    world.clock.advance(100)
    world.answers[B] = FAILED
    world.clock.advance(60)
    assert world.group.route() == {A: FULL}
    world.answers[B] = None
    world.clock.advance(150)
    assert world.group.route()[B] < 10


def test_a_thousand_targets_drain_in_no_time():
    world = World()
    targets = tuple(Target(f"10.0.{number // 250}.{number % 250}", 80) for number in range(1000))
    world.answers = dict.fromkeys(targets)
    world.say(Registered(targets))
    world.clock.advance(30)
    world.say(Deregistered(targets[:500]))
    world.clock.advance(300)
    assert len(world.group.health()) == len(world.known) == 500


class Anything(RuleBasedStateMachine):
    """Whatever happens, in whatever order."""

    @initialize(used=st.booleans(), slow_start=st.sampled_from([0, 30]), delay=st.sampled_from([0, 20, 300]))
    def begin(self, used, slow_start, delay):
        self.world = World(replace(GROUP, slow_start=slow_start, deregistration_delay=delay), used=used)

    @rule(named=st.lists(st.sampled_from([A, B, C]), unique=True))
    def register(self, named):
        self.world.say(Registered(tuple(named)))

    @rule(named=st.lists(st.sampled_from([A, B, C]), unique=True))
    def deregister(self, named):
        self.world.say(Deregistered(tuple(named)))

    @rule(one=st.sampled_from([A, B, C]), answer=st.sampled_from([None, FAILED, TIMED_OUT, mismatch(500)]))
    def answer(self, one, answer):
        self.world.answers[one] = answer

    @rule(event=st.sampled_from([Used(), Unused(), Idle(A), Unusable(B, IP_UNUSABLE), Usable(B), Elapsed()]))
    def happen(self, event):
        self.world.say(event)

    @precondition(lambda self: hasattr(self, "world"))
    @rule(seconds=st.sampled_from([0, 1, 29, 30, 65, 301]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)

    @invariant()
    def what_must_hold(self):
        if not hasattr(self, "world"):
            return
        group = self.world.group
        health, route = group.health(), group.route()
        assert set(route) <= self.world.known == set(group.known()) <= set(health)
        assert all(health[target].state in {"initial", "healthy", "unhealthy"} for target in route)
        healthy = {target for target, one in health.items() if one == HEALTHY}
        if healthy:
            assert set(route) == healthy
        elif not group.used:
            assert not self.world.known
        else:
            assert set(route) == {target for target, one in health.items() if one.state in {"initial", "unhealthy"}}
        assert all(1 <= weight <= FULL for weight in route.values())
        assert [weights for _, weights in self.world.routes][-1:] in ([], [dict(route)])
        shown = {}
        for _, target, one in self.world.shown:
            assert shown.get(target) != one, "told twice"
            shown[target] = one
        assert {target: one for target, one in shown.items() if one != NOT_REGISTERED} == health


TestAnything = Anything.TestCase
