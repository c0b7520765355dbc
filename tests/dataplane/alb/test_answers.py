from __future__ import annotations

import pytest

from sandbox.dataplane.alb.answers import CUT, MOST_ERRORS, MOST_OUTCOMES, Noted, read

SERVER = "10.0.0.4:80"


def line(status, ended, server=SERVER, *, method="GET", path="/x?y", host="a.example"):
    return "\t".join((method, str(status), ended, "tg-web", server, "listener-80", host, path))


@pytest.mark.parametrize(
    ("status", "ended", "server", "shown", "target_status", "is_error"),
    [
        (200, "--", SERVER, 200, 200, False),
        (503, "--", SERVER, 503, 503, False),
        (101, "--", SERVER, 101, 101, False),
        (101, "sD", SERVER, 101, 101, False),
        (502, "SH", SERVER, 502, None, True),
        (502, "SC", SERVER, 502, None, True),
        (504, "sC", SERVER, 504, None, True),
        (504, "sH", SERVER, 504, None, True),
        (502, "PH", SERVER, 502, None, True),
        (400, "CH", SERVER, 460, None, True),
        (-1, "CC", SERVER, 460, None, True),
        (503, "LR", "<NOSRV>", 503, None, True),
        (463, "LR", "<NOSRV>", 463, None, True),
        (500, "KC", SERVER, 502, None, True),
        (200, "CD", SERVER, 200, 200, False),
    ],
)
def test_what_became_of_a_request(status, ended, server, shown, target_status, is_error):
    told = read(line(status, ended, server))
    assert (told.status, told.target_status, told.is_error) == (shown, target_status, is_error)
    assert bool(told.reason) == (is_error or ended[1:] == "D")
    assert told.url == "a.example/x?y"


def test_a_session_that_was_cut():
    assert read(line(500, "KC")).reason == CUT


def test_what_a_rule_answers_is_no_error():
    told = read("\t".join(("GET", "404", "LR", "listener-80-rule-0-answer", "<NOSRV>", "listener-80", "a", "/")))
    assert (told.status, told.reason, told.is_error, told.server) == (404, "", False, "")


def test_http_2_says_its_urls_whole():
    assert read(line(200, "--", path="https://a.example/x", host="-")).url == "a.example/x"


@pytest.mark.parametrize(("status", "ended"), [("400", "PR"), ("408", "cR")])
def test_a_request_that_could_not_be_read(status, ended):
    told = read("\t".join(("<BADREQ>", status, ended, "listener-80", "<NOSRV>", "listener-80", "-", "<BADREQ>")))
    assert (told.status, told.is_error) == (int(status), True)


@pytest.mark.parametrize("text", ["", "nonsense", line(-1, "cR", "<NOSRV>", method="<BADREQ>")])
def test_what_is_no_request(text):
    assert read(text) is None


def test_an_outcome_is_told_of_once_until_it_is_another_one():
    noted = Noted()
    fine, broken = read(line(200, "--")), read(line(500, "--"))
    assert [noted.takes(one) for one in (fine, fine, broken, broken, fine)] == [True, False, True, False, True]


def test_every_error_is_told_of_until_there_are_too_many():
    noted = Noted()
    error = read(line(503, "LR", "<NOSRV>"))
    assert sum(noted.takes(error) for _ in range(MOST_ERRORS + 100)) == MOST_ERRORS
    assert noted.takes(read(line(200, "--"))), "other answers go on"


def test_no_flood_of_urls_or_of_changing_answers_is_told_of():
    noted = Noted()
    answers = [read(line(status, "--", path=f"/{n}")) for n in range(MOST_OUTCOMES) for status in (200, 500)]
    assert sum(noted.takes(one) for one in answers) == MOST_OUTCOMES
