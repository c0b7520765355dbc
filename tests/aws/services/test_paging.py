"""Lists in pages."""

from __future__ import annotations

import pytest

from sandbox.aws.protocol import AwsError
from sandbox.aws.services.paging import page


def test_page_after_page() -> None:
    items, seen, request = list(range(25)), [], {"maxResults": 10}
    while True:
        answer = page(items, request, "items")
        seen.append(answer["items"])
        if "nextToken" not in answer:
            break
        request = {**request, "nextToken": answer["nextToken"]}
    assert [len(part) for part in seen] == [10, 10, 5]
    assert [item for part in seen for item in part] == items


def test_what_fits_has_no_token() -> None:
    assert page([1, 2], {}, "items", size=2) == {"items": [1, 2]}
    assert page([], {}, "items") == {"items": []}


@pytest.mark.parametrize(
    "request_", [{"maxResults": 0}, {"maxResults": 101}, {"nextToken": "?"}, {"nextToken": "YQ=="}]
)
def test_refused(request_: dict[str, object]) -> None:
    with pytest.raises(AwsError) as caught:
        page([1], request_, "items")
    assert caught.value.code == "InvalidParameterException"
