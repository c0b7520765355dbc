"""The DNS controller: zones in, observations out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.clock import VirtualClock
from sandbox.controllers.dns import MAX_RECORDED_ANSWERS, DnsController
from sandbox.model.route53 import HostedZone, Rcode, RecordSet
from sandbox.timeline import Timeline


def www(*values: str, ttl: int = 60) -> RecordSet:
    return RecordSet("WWW.example.com.", "A", ttl, values)


class Route53:
    """What the API holds."""

    def __init__(self) -> None:
        self.zones: list[HostedZone] = []

    def hold(self, *record_sets: RecordSet) -> None:
        self.zones = [HostedZone("Z1", "example.com.", False, record_sets)]


@pytest.fixture
def route53() -> Route53:
    return Route53()


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(VirtualClock())


@pytest.fixture
def controller(route53: Route53, timeline: Timeline) -> DnsController:
    return DnsController(lambda: route53.zones, timeline)


def changes(timeline: Timeline, since: int = 0) -> list[tuple[object, ...]]:
    return [
        (o["zone"], o["name"], o["type"], o["old"], o["new"], o["ttl"])
        for o in timeline.since(since)
        if o.kind == "dns.change"
    ]


def test_nothing_is_read_before_the_first_refresh(route53: Route53, controller: DnsController) -> None:
    route53.hold(www("192.0.2.1"))
    assert controller.answer("www.example.com", "A").rcode is Rcode.NXDOMAIN
    controller.refresh()
    assert [r.value for r in controller.answer("www.example.com", "A").answers] == ["192.0.2.1"]


def test_life_of_a_record_is_on_the_timeline(route53: Route53, controller: DnsController, timeline: Timeline) -> None:
    key = ("example.com", "www.example.com", "A")
    for record_sets in ([www("192.0.2.1")], [www("192.0.2.1")], [www("192.0.2.2", ttl=5)], []):
        route53.hold(*record_sets)
        controller.refresh()
    assert changes(timeline) == [
        (*key, None, ["192.0.2.1"], 60),
        (*key, ["192.0.2.1"], ["192.0.2.2"], 5),
        (*key, ["192.0.2.2"], None, 5),
    ]


def test_record_sets_of_a_routing_policy_change_one_by_one(
    route53: Route53, controller: DnsController, timeline: Timeline
) -> None:
    first, second = (RecordSet("w.example.com", "A", 60, (f"192.0.2.{n}",), str(n), weight=n) for n in (1, 2))
    route53.hold(first)
    controller.refresh()
    mark = timeline.mark()
    route53.hold(first, second)
    controller.refresh()
    assert [(o["set_identifier"], o["new"]) for o in timeline.since(mark)] == [("2", ["192.0.2.2"])]


def test_deleted_zone_and_alias(route53: Route53, controller: DnsController, timeline: Timeline) -> None:
    route53.hold(RecordSet("example.com", "A", alias_target="www.example.com"))
    controller.refresh()
    route53.zones = []
    controller.refresh()
    alias = ["ALIAS www.example.com"]
    assert changes(timeline) == [
        ("example.com", "example.com", "A", None, alias, None),
        ("example.com", "example.com", "A", alias, None, None),
    ]


def answers(timeline: Timeline) -> list[tuple[object, object]]:
    return [(o["name"], o["values"]) for o in timeline.since() if o.kind == "dns.answer"]


def test_an_answer_is_recorded_once_until_the_zones_change(
    route53: Route53, controller: DnsController, timeline: Timeline
) -> None:
    for value in ("192.0.2.1", "192.0.2.2"):
        route53.hold(www(value))
        controller.refresh()
        for _ in range(3):
            controller.answer("www.example.com", "A")
            controller.refresh()
    assert answers(timeline) == [("www.example.com", ["192.0.2.1"]), ("www.example.com", ["192.0.2.2"])]


def test_order_of_values_is_not_another_answer(route53: Route53, controller: DnsController, timeline: Timeline) -> None:
    route53.hold(www("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    controller.refresh()
    assert len({controller.answer("www.example.com", "A").answers for _ in range(200)}) == 6
    assert len(answers(timeline)) == 1


def test_a_flood_is_not_recorded(route53: Route53, controller: DnsController, timeline: Timeline) -> None:
    route53.hold(www("192.0.2.1"))
    controller.refresh()
    for number in range(MAX_RECORDED_ANSWERS + 100):
        controller.answer(f"x{number}.example.com", "A")
        controller.answer(f"x{number}.example.org", "A")
    assert len(answers(timeline)) == MAX_RECORDED_ANSWERS


def test_answers_come_from_one_state_while_zones_change(route53: Route53, controller: DnsController) -> None:
    def write(number: int) -> None:
        route53.hold(RecordSet("a.example.com", "CNAME", 0, ("b.example.com",)), *b(number))
        controller.refresh()

    def b(number: int) -> tuple[RecordSet, ...]:
        return (RecordSet("b.example.com", "A", 0, (f"192.0.2.{number}", f"198.51.100.{number}")),)

    def read(_: int) -> bool:
        _, *records = controller.answer("a.example.com", "A").answers
        return len({record.value.rpartition(".")[2] for record in records}) == 1

    write(0)
    with ThreadPoolExecutor(4) as pool:
        writes, reads = pool.map(write, range(100)), pool.map(read, range(1000))
        list(writes)
        assert all(reads)


def test_a_look_is_no_question(controller, route53, timeline):
    route53.hold(www("198.51.100.1"))
    controller.refresh()
    release = controller.hold("www.example.com")
    route53.hold(www("198.51.100.2"))
    controller.refresh()
    mark = timeline.mark()
    for outside in (False, True):
        (record,) = controller.look("WWW.example.com.", "A", outside=outside).answers
        assert record.value == "198.51.100.1", "what is held is answered"
    release()
    (record,) = controller.look("www.example.com", "A").answers
    assert record.value == "198.51.100.2"
    assert timeline.since(mark) == ()
    route53.zones = [HostedZone("Z1", "example.com.", True, (www("10.0.0.1"),))]
    controller.refresh()
    assert controller.look("www.example.com", "A").answers
    assert not controller.look("www.example.com", "A", outside=True).answers
