"""Whether a purge was one: a machine that was not asked, did not succeed, or shows the old page is named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own import purge
from sandbox.model.own.purge import Answer, Sent

NEW, OLD = Answer(200, '{"price": 900}', True), Answer(200, '{"price": 1000}', False)
GONE = Answer(0, "curl: (7) Failed to connect", False)


def test_every_machine_asked_and_new():
    sent = Sent("c", "Success", "Success", 2, {"i-1": "Success", "i-2": "Success"})
    holds, evidence = purge.judge("shop", [sent], {"i-1": NEW, "i-2": NEW})
    assert holds
    assert evidence == [
        "command c: Success (Success), 2 of the 2 machines of group shop",
        "i-1: Success; HTTP 200 '{\"price\": 900}'",
        "i-2: Success; HTTP 200 '{\"price\": 900}'",
    ]


def test_a_success_of_no_machine_fails():
    sent = Sent("c", "Success", "NoInstancesInTag", 0)
    holds, evidence = purge.judge("shop", [sent], {"i-1": OLD})
    assert not holds
    assert (
        "no machine was asked, and the command is called Success (NoInstancesInTag); group shop has 1 machines"
        in evidence
    )
    # Also where the page is new for another reason: the purge has not done it.
    assert not purge.judge("shop", [sent], {"i-1": NEW})[0]


def test_no_command_at_all_fails():
    assert purge.judge("shop", [], {"i-1": NEW}) == (
        False,
        [
            "i-1: not asked; HTTP 200 '{\"price\": 900}'",
            "no command of Systems Manager was sent",
            "i-1: was not asked",
        ],
    )


def test_a_machine_that_came_later_an_agent_that_is_down_and_an_old_page_are_named():
    sent = Sent("c", "TimedOut", "DeliveryTimedOut", 2, {"i-1": "DeliveryTimedOut", "i-2": "Success"})
    holds, evidence = purge.judge("shop", [sent], {"i-1": GONE, "i-2": OLD, "i-3": NEW})
    assert not holds
    assert "i-1: DeliveryTimedOut" in evidence
    assert "i-1: does not have the new content: no answer: curl: (7) Failed to connect" in evidence
    assert "i-2: does not have the new content: HTTP 200 '{\"price\": 1000}'" in evidence
    assert "i-3: was not asked" in evidence


def test_several_commands_count_together():
    sent = [
        Sent("a", "Success", "Success", 1, {"i-1": "Success"}),
        Sent("b", "Success", "Success", 1, {"i-2": "Success"}),
    ]
    assert purge.judge("shop", sent, {"i-1": NEW, "i-2": NEW})[0]


def test_a_group_without_machines_shows_nothing():
    assert not purge.judge("shop", [Sent("c", "Success", "Success", 1, {"i-9": "Success"})], {})[0]


def test_a_purge_of_what_is_new_already_would_show_nothing():
    assert purge.was_new({"i-1": OLD, "i-2": GONE}) == []
    assert purge.was_new({"i-1": NEW}) == ["i-1: has the new content before the purge: HTTP 200 '{\"price\": 900}'"]


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([NEW, OLD, GONE])),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["Success", "Failed", "DeliveryTimedOut"])),
)
def test_it_holds_only_if_each_machine_succeeded_and_is_new(after, invocations):
    sent = Sent("c", "Success", "Success", len(invocations), invocations)
    holds, _ = purge.judge("shop", [sent], after)
    assert holds == (bool(after) and all(one.is_new and invocations.get(m) == "Success" for m, one in after.items()))
