"""Real, scaled and virtual time."""

from __future__ import annotations

import threading
import time

import pytest

from sandbox.clock import Clock, RealClock, VirtualClock, aws_seconds

# -- virtual ---------------------------------------------------------------------------------------------------------


def test_virtual_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(100.0)
    done: list[float] = []
    clock.call_later(5.0, lambda: done.append(clock.now()))
    assert (clock.now(), done) == (100.0, [])
    clock.advance(4.0)
    assert (clock.now(), done) == (104.0, [])
    clock.advance(1.0)
    assert (clock.now(), done) == (105.0, [105.0])


def test_timers_run_in_order_of_time_and_then_of_asking() -> None:
    clock = VirtualClock()
    done: list[str] = []
    for delay, name in [(3, "c"), (1, "a"), (2, "b1"), (2, "b2"), (-1, "past")]:
        clock.call_later(delay, lambda name=name: done.append(name))  # type: ignore[misc]
    clock.advance(10.0)
    assert done == ["past", "a", "b1", "b2", "c"]


def test_a_callback_may_ask_for_another() -> None:
    clock = VirtualClock()
    done: list[float] = []

    def tick() -> None:
        done.append(clock.now())
        clock.call_later(10.0, tick)

    clock.call_later(10.0, tick)
    clock.advance(35.0)
    assert done == [10.0, 20.0, 30.0]
    assert clock.now() == 35.0


def test_a_cancelled_timer_does_not_run() -> None:
    clock = VirtualClock()
    done: list[int] = []
    clock.call_later(1.0, lambda: done.append(1)).cancel()
    later = clock.call_later(2.0, lambda: done.append(2))
    clock.call_later(1.5, later.cancel)
    clock.advance(3.0)
    assert done == []


def test_the_next_timer_is_known() -> None:
    clock = VirtualClock(100.0)
    assert clock.next_due() is None
    first, _ = clock.call_later(5, lambda: None), clock.call_later(7, lambda: None)
    assert clock.next_due() == 105.0
    first.cancel()
    assert clock.next_due() == 107.0
    clock.advance(7)
    assert clock.next_due() is None


def test_virtual_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="-1"):
        VirtualClock().advance(-1.0)


def test_virtual_delays_take_no_time() -> None:
    assert VirtualClock().real_seconds(300.0) == 0.0


# -- real ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> RealClock:
    return RealClock(speed=1000.0)


def test_real_time_is_scaled(clock: RealClock) -> None:
    assert clock.real_seconds(300.0) == pytest.approx(0.3)
    assert RealClock().real_seconds(300.0) == 300.0
    assert abs(clock.now() - time.time()) < 5.0
    began, done = time.monotonic(), threading.Event()
    clock.call_later(30.0, done.set)
    assert done.wait(5.0)
    assert 0.03 <= time.monotonic() - began < 5.0
    clock.close()


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_speed_is_positive(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be positive"):
        RealClock(speed)


def test_an_earlier_timer_overtakes(clock: RealClock) -> None:
    done: list[str] = []
    both = threading.Event()
    clock.call_later(100.0, lambda: (done.append("late"), both.set()))
    clock.call_later(1.0, lambda: done.append("early"))
    assert both.wait(5.0)
    assert done == ["early", "late"]
    clock.close()


def test_a_callback_that_fails_is_logged_and_the_next_runs(clock: RealClock, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    clock.call_later(0.0, lambda: 1 / 0)
    clock.call_later(1.0, done.set)
    assert done.wait(5.0)
    assert "a timer's callback failed" in caplog.text
    clock.close()


def test_a_cancelled_real_timer_does_not_run(clock: RealClock) -> None:
    done: list[str] = []
    end = threading.Event()
    clock.call_later(5.0, lambda: done.append("cancelled")).cancel()
    clock.call_later(10.0, end.set)
    assert end.wait(5.0)
    assert done == []
    clock.close()


def test_nothing_runs_after_close(clock: RealClock) -> None:
    done: list[str] = []
    clock.call_later(50.0, lambda: done.append("before"))
    thread = clock._thread
    assert thread is not None
    clock.close()
    thread.join(5.0)
    assert not thread.is_alive()
    clock.call_later(0.0, lambda: done.append("after"))
    assert done == []
    assert RealClock().close() is None  # one that never ran


@pytest.mark.parametrize("made", [RealClock, VirtualClock])
def test_both_are_clocks(made: type[RealClock | VirtualClock]) -> None:
    clock: Clock = made()
    timer = clock.call_later(60.0, lambda: None)
    assert not timer.cancelled
    timer.cancel()
    assert timer.cancelled
    if isinstance(clock, RealClock):
        clock.close()


def test_aws_seconds():
    assert aws_seconds(RealClock(speed=10), 6) == pytest.approx(60)
    assert aws_seconds(VirtualClock(), 6) == 6
