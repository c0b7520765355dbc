from __future__ import annotations

from typing import Any

import pytest

from sandbox.model.eventbridge_entries import RefusedEntryError, accepted_detail, are_too_big, as_json, entry_size

ENTRY = {"Source": "shop", "DetailType": "Order", "Detail": '{"id": 1}'}


def test_the_size_of_an_entry() -> None:
    """14 bytes for the time, and the bytes of source, detail type, detail and resources in UTF-8."""
    assert entry_size(ENTRY) == 4 + 5 + 9
    assert entry_size({**ENTRY, "Time": 0, "Resources": ["é", "xy"]}) == 18 + 14 + 2 + 2


def test_a_megabyte_is_too_much_for_all_entries_together() -> None:
    half = {"Source": "a", "DetailType": "b", "Detail": "x" * (2**19 - 2)}
    assert are_too_big([half, half])
    assert not are_too_big([half, {**half, "Detail": half["Detail"][1:]}])


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"Source": ""}, "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."),
        ({"DetailType": ""}, "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required"),
        ({"Detail": ""}, "InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."),
        ({"Source": "aws.ecs"}, "NotAuthorizedForSourceException", "Not authorized for the source."),
        ({"Detail": "{"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": "[1]"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '"text"'}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": r'{"half": "\ud800"}'}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '{"a":' * 9999 + "1" + "}" * 9999}, "MalformedDetail", "Detail is malformed."),
    ],
)
def test_an_entry_that_is_refused(change: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(RefusedEntryError) as caught:
        accepted_detail({**ENTRY, **change})
    assert caught.value.code == code
    assert str(caught.value).startswith(message)


def test_an_entry_that_is_taken() -> None:
    assert accepted_detail({**ENTRY, "Source": "awsome"}) == {"id": 1}


def test_json_as_eventbridge_sends_it() -> None:
    assert as_json({"a": [1, "é"]}) == '{"a":[1,"é"]}'
