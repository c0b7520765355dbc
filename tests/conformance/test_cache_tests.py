"""The CDN against the public suite http-tests/cache-tests: each outcome is the one in expected.json.

`make cache-tests` runs this alone; `make cache-tests UPDATE=1` writes what came into the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.controllers.sandbox import Sandbox
from tests.conformance import cache_tests, expectations

FILE = Path(__file__).with_name("expected.json")
HINT = f"Where that is right, `make cache-tests UPDATE=1` writes it into {FILE.name}."


@pytest.mark.docker
@pytest.mark.long(60)
def test_the_cdn_does_what_is_expected_of_it(request):
    expected = expectations.parse(FILE.read_text())
    # At the speed of the suite's own pauses, whatever that of other tests is.
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images")
    ) as sandbox:
        tests, results = cache_tests.run(sandbox)
    found = expectations.outcomes(tests, results)
    if request.config.getoption("--update-expected", default=False):
        expected = expectations.updated(expected, tests, found)
        FILE.write_text(expectations.unparse(expected))
    print(expectations.table(expected, tests, found))
    if findings := expectations.compare(expected, tests, found):
        pytest.fail(f"{findings}\n{HINT}", pytrace=False)


def test_each_departure_has_a_reason_and_each_reason_a_source():
    if wrong := expectations.flaws(expectations.parse(FILE.read_text())):
        pytest.fail("\n".join([f"In {FILE.name}:", *wrong]), pytrace=False)


def test_the_file_is_as_an_update_writes_it():
    text = FILE.read_text()
    assert expectations.unparse(expectations.parse(text)) == text
