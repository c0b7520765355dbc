"""The catalogue's nginx, as the tests of the checks have it."""

from tests.checks.conftest import nginx, on_this_network  # noqa: F401 -- fixtures
