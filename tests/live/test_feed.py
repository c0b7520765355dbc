"""What is kept, and for how long: lines by number, observations by kind, and how many lines a container may print."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.live.feed import MOST_CHARACTERS, Feed, Recent, Sparing
from tests.live.seen import health, seen


def filled(lines, most=10):
    feed = Feed(most)
    for number in range(1, lines + 1):
        feed.add(float(number), "", f"line {number}")
    return feed


def test_who_comes_back_gets_what_it_has_missed():
    lines, missed = filled(5).after(3)
    assert ([line.text for line in lines], missed) == (["line 4", "line 5"], 0)


def test_what_is_not_kept_any_more_is_counted():
    lines, missed = filled(25).after(3)
    assert ([line.number for line in lines], missed) == (list(range(16, 26)), 12)


def test_a_number_of_another_process_means_nothing():
    assert [line.number for line in filled(3).after(77)[0]] == [1, 2, 3]
    assert [line.number for line in filled(3).after(-1)[0]] == [1, 2, 3]


def test_a_very_long_line_is_cut():
    feed = Feed()
    feed.add(1.0, "web", "x" * 100_000)
    assert feed.after(0)[0][0].text == "x" * MOST_CHARACTERS + "..."


def test_what_terminals_make_colours_of_is_left_out():
    feed = Feed()
    feed.add(1.0, "web", "\x1b[36mINFO\x1b[39m \x1b]0;title\x07GET \x1b[1;32m200\x1b[0m [ok]")
    assert feed.after(0)[0][0].text == "INFO GET 200 [ok]"


@given(st.integers(0, 40), st.integers(1, 10), st.integers(-5, 50))
def test_every_line_is_either_got_or_counted(lines, most, number):
    got, missed = filled(lines, most).after(number)
    known = number if 0 <= number <= lines else 0
    assert len(got) + missed == lines - known
    assert [line.number for line in got] == list(range(lines - len(got) + 1, lines + 1))
    assert len(got) <= most


def test_many_requests_do_not_drive_states_out():
    recent = Recent(states=10, others=10)
    recent.see(health(1, "healthy"))
    for number in range(100):
        recent.see(seen(2.0 + number, "http.response", url="http://x/", status=200, error=""))
    found = recent.since(95.0)
    assert [one.kind for one in found] == ["target.health"] + ["http.response"] * 7
    assert recent.since(1000.0) == [found[0]]


def test_who_prints_too_much_is_cut_short_and_it_is_said():
    sparing = Sparing(rate=1, most=3)
    told = [text for number in range(10) for text in sparing.through(100.0, str(number))]
    assert told == ["0", "1", "2"]
    assert list(sparing.through(101.5, "later")) == ["(7 lines left out: it prints more than 1 a second)", "later"]
