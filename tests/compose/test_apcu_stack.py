"""The stack apcu as it comes up: two machines, each with its own cache; database and Redis in the other zone."""

from __future__ import annotations

import json

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.controllers.shop import NEW, OLD, URL, Shop

pytestmark = pytest.mark.docker

MACHINES, PRODUCTS = 2, 12
WEBHOOK = "http://hooks.slack.com/services/T00000000/B00000000/shop"
SENT = 1_000_000


@pytest.fixture(scope="module")
def box(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=10
    ) as sandbox:
        sandbox.stack("apcu")
        Shop(sandbox).wait_machines(MACHINES)
        yield sandbox


@pytest.fixture
def shop(box):
    return Shop(box)


def from_each(box, path):
    """The answers of the machines, who take turns."""
    return [box.http_fetch(URL + path) for _ in range(MACHINES)]


def test_the_page_says_where_what_it_shows_came_from_and_what_is_cached(box, shop):
    from_each(box, "/")
    pages = [answer.content.decode() for answer in from_each(box, "/")]
    assert all(f"{PRODUCTS} came from APCu, 0 from Redis,\n0 from the database" in page for page in pages)
    names = {task.rpartition("/")[2] for task in shop.tasks().values()}
    assert {name for name in names for page in pages if f"APCu of task {name} in us-east-1a" in page} == names
    for task in shop.tasks().values():
        (cache,) = shop.ask(task, "/cache")
        assert [entry["key"] for entry in cache["entries"]] == [f"product:{n}" for n in range(1, PRODUCTS + 1)]
        assert all(entry["age"] >= 0 and entry["bytes"] > 1000 for entry in cache["entries"])
        assert cache["hits"] >= PRODUCTS
        assert cache["misses"] >= PRODUCTS


def test_only_the_machine_itself_may_purge(box, shop):
    assert [answer.status for answer in from_each(box, "/purge")] == [403, 403]
    assert box.http_fetch(f"{URL}/nothing").status == 404
    assert box.http_fetch(f"{URL}/product?id=13").status == 404


def test_a_purge_clears_every_machine_and_slack_is_told_of_each(box, shop):
    assert {seen["price"] for seen in shop.look()} == {OLD}
    shop.change_price()
    assert {seen["price"] for seen in shop.look()} == {OLD}  # no machine has heard of it
    mark = box.timeline.mark()
    shop.purge()
    (told,) = (seen for seen in box.timeline.since(mark) if seen.kind == "slack.message")
    assert (told["status"], told["answer"]) == (200, "ok")
    for machine in shop.tasks():
        assert f"{machine} cleared {PRODUCTS} entries" in told["text"]
    seen = shop.look()
    assert {(one["price"], one["entries"]) for one in seen} == {(NEW, 0)}
    assert [one["source"] for one in seen] == ["mysql", "redis"]  # the first to ask puts it into Redis


def test_what_a_machine_sends_to_the_other_zone_is_counted_once(box, shop):
    task = next(iter(shop.tasks().values()))
    script = f'$r = new Redis(); $r->connect("redis.shop.local"); $r->set("large", str_repeat("x", {SENT}));'
    mark = box.timeline.mark()
    with pytest.raises(ValueError, match="given up"), box.zone_traffic():
        raise ValueError("given up")
    with box.zone_traffic():
        assert box.execute(task, "php", ["php", "-r", script])[0] == 0
    counted = {
        (seen["from_zone"], seen["to_zone"]): seen["bytes"]
        for seen in box.timeline.since(mark)
        if seen.kind == "zone.traffic"
    }
    assert SENT < counted["us-east-1a", "us-east-1b"] < 1.1 * SENT
    assert 0 < counted["us-east-1b", "us-east-1a"] < 0.1 * SENT


def test_slack_is_on_the_internet(box):
    assert box.http_get(WEBHOOK).status == 405
    client = box._network.viewer()
    post = ["curl", "-s", "-H", "Content-Type: application/json", "-w", " %{http_code}", "-d"]
    assert box._containers.execute(client, [*post, '{"text": "hello"}', WEBHOOK])[1] == "ok 200"
    assert box._containers.execute(client, [*post, "hello", WEBHOOK])[1] == "invalid_payload 400"
    form = ["curl", "-s", "--data-urlencode", f"payload={json.dumps({'text': 'as a form'})}", WEBHOOK]
    assert box._containers.execute(client, form)[1] == "ok"
    told = [seen for seen in box.timeline.since() if seen.kind == "slack.message"][-3:]
    assert [seen["text"] for seen in told] == ["hello", "", "as a form"]
