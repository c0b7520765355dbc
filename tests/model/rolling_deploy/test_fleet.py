"""A fleet that cannot be is refused, and the field named."""

from __future__ import annotations

import pytest

from sandbox.model.rolling_deploy.fleet import Fleet, Refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tasks", 0),
        ("tasks", 5_001),
        ("tasks", 2.5),
        ("rps", 0.0),
        ("rps", float("nan")),
        ("boot", -1.0),
        ("start", ()),
        ("start", (1.0, -1.0)),
        ("health_interval", 4),
        ("healthy_threshold", 1),
        ("deregistration_delay", 3_601),
        ("changed", 9),
        ("algorithm", "round-robin"),
        ("places", "efs"),
        ("rollback_at", 600.0),
        ("duration", 0.0),
        ("edges", 0),
        ("error_ttl", float("inf")),
    ],
)
def test_what_cannot_be_is_refused_by_name(field, value):
    with pytest.raises(Refused, match=field) as caught:
        Fleet(**{"tasks": 4, "rps": 10.0, "assets": 8, field: value})
    assert caught.value.parameter == field


def test_what_was_measured_of_each_task():
    fleet = Fleet(tasks=4, rps=900.0, start=(3.0, 1.0))
    assert [fleet.start_of(number) for number in range(4)] == [3.0, 1.0, 1.0, 1.0]


def test_a_load_is_the_page_and_its_files():
    fleet = Fleet(tasks=4, rps=900.0, assets=8)
    assert fleet.loads_per_second == 100
    assert fleet.requests_per_second == 900


@pytest.mark.parametrize("elsewhere", [{"cdn": True}, {"places": "s3"}])
def test_files_that_others_serve_do_not_come_to_the_load_balancer(elsewhere):
    assert Fleet(tasks=4, rps=900.0, assets=8, **elsewhere).requests_per_second == 100
