"""Values of compose files, as its reference has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own.compose import values
from sandbox.model.own.errors import OwnError

VARIABLES = {"SET": "x", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$SET-${SET}", "x-x"),
        ("$$SET", "$SET"),
        ("${NONE}", ""),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NONE-d}", "d"),
        ("${SET:+y}${NONE:+y}", "y"),
        ("${EMPTY+y}${EMPTY:+n}", "y"),
        ("${NONE:-${SET}}", "x"),
        ("${SET:?needed}", "x"),
    ],
)
def test_variables(text, expected):
    assert values.interpolate({"a": [text]}, VARIABLES) == {"a": [expected]}


def test_a_variable_that_must_be_there():
    with pytest.raises(OwnError, match="the variable NONE is not set: see the readme"):
        values.interpolate("${NONE:?see the readme}", VARIABLES)
    for text in ("${NONE/a/b}", "${", "${1}"):
        with pytest.raises(OwnError, match=r"a \$\{ that begins no variable"):
            values.interpolate(text, VARIABLES)


def test_a_dollar_sign_that_begins_nothing_stays_and_variables_that_are_not_set_are_told():
    unset: set[str] = set()
    assert values.interpolate("a$ $1 ${NONE} ${OTHER:-d} $EMPTY", VARIABLES, unset) == "a$ $1  d "
    assert unset == {"NONE"}


@given(st.text())
def test_dollar_signs_that_are_doubled_are_dollar_signs(text):
    assert values.interpolate(text.replace("$", "$$"), VARIABLES) == text


def test_env_files():
    text = r"""
# comment
A=1
export B = two words # no
C='a # $SET' # no
D="x\ty \"${SET}\"" # no
E=
F=a#b
G=$A-$SET
"""
    assert values.dotenv(text, VARIABLES) == {
        "A": "1",
        "B": "two words",
        "C": "a # $SET",
        "D": 'x\ty "x"',
        "E": "",
        "F": "a#b",
        "G": "1-x",
    }
    for line in ("what", "A='x", 'A="x'):
        with pytest.raises(OwnError, match="line 2 is not NAME=VALUE"):
            values.dotenv(f"B=1\n{line}", {})


def test_environment():
    assert values.environment("e", ["A=1=2", "SET", "NONE"], VARIABLES) == {"A": "1=2", "SET": "x"}
    assert values.environment("e", {"A": 1, "B": True, "C": None}, VARIABLES) == {"A": "1", "B": "true"}
    with pytest.raises(OwnError, match="e: A is a text or a number"):
        values.environment("e", {"A": []}, VARIABLES)


def test_durations():
    found = [values.seconds("d", text) for text in ("1m30s", "2s", "500ms", "1h")]
    assert found == [90, 2, 0.5, 3600]
    for text in ("", "5", 5, "s"):
        with pytest.raises(OwnError, match="d is a duration"):
            values.seconds("d", text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (80, (80, "tcp")),
        ("8080:80", (80, "tcp")),
        ("127.0.0.1:8080:80/udp", (80, "udp")),
        ("127.0.0.1::80", (80, "tcp")),
        ("[::1]:8080:80", (80, "tcp")),
        ({"target": 80, "published": "8080"}, (80, "tcp")),
    ],
)
def test_ports(given, expected):
    assert values.port("p", given) == expected


@pytest.mark.parametrize("given", ["80-90", "a", {"published": 80}, {"target": 80, "zzz": 1}])
def test_what_is_no_port(given):
    with pytest.raises(OwnError, match=r"^p "):
        values.port("p", given)
