"""`--speed` divides every time of a distribution, and shows Age in AWS's seconds all the same."""

from __future__ import annotations

import pytest

from sandbox.model.cloudfront import config
from sandbox.model.cloudfront.messages import Failure, Request, Response

pytestmark = pytest.mark.docker

HOST = "d111111abcdef8.cloudfront.net"
CUSTOM = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
DISTRIBUTION = {
    "CallerReference": "1",
    "Comment": "",
    "Enabled": True,
    "Origins": {
        "Quantity": 1,
        "Items": [{"Id": "site", "DomainName": "site.example.org", "CustomOriginConfig": CUSTOM}],
    },
    "DefaultCacheBehavior": {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "allow-all",
        "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
        "MinTTL": 0,
    },
}
SPEED = 10.0


@pytest.fixture(scope="module")
def ask(varnish_edge):
    varnish_edge.serve(config.parse(DISTRIBUTION, HOST), SPEED)

    def ask(path, *answers):
        got = varnish_edge.ask(Request(path=path, headers={"host": HOST}, scheme="http"), *answers)
        return got.headers["x-cache"].removesuffix(" from cloudfront"), got.headers.get("age")

    return ask


@pytest.mark.parametrize("speed", [0.001, 1 / 3, 12_345.678_901])
def test_any_speed_can_be_written_down(varnish_edge, ask, speed):
    varnish_edge.serve(config.parse(DISTRIBUTION, HOST), speed)
    varnish_edge.serve(config.parse(DISTRIBUTION, HOST), SPEED)


def test_times_to_live_and_age(varnish_edge, ask):
    varnish_edge.at(0)
    assert ask("/ttl", Response(200, {"cache-control": "max-age=1000"}, body="1")) == ("Miss", None)
    varnish_edge.at(90)
    x_cache, age = ask("/ttl")
    assert x_cache == "Hit"
    assert 900 <= int(age) < 1000
    varnish_edge.at(100)
    assert ask("/ttl", Response(200, {"cache-control": "max-age=1000"}, body="2"))[0] == "Miss"


def test_the_age_that_an_origin_names(varnish_edge, ask):
    varnish_edge.at(200)
    assert ask("/age", Response(200, {"cache-control": "max-age=1000", "age": "500"}, body="1")) == ("Miss", "500")
    varnish_edge.at(240)
    x_cache, age = ask("/age")
    assert x_cache == "Hit"
    assert 900 <= int(age) < 1000
    varnish_edge.at(250)
    assert ask("/age", Response(200, {}, body="2"))[0] == "Miss"


def test_stale_while_revalidate_and_what_is_left_alone(varnish_edge, ask):
    varnish_edge.at(300)
    ask("/stale", Response(200, {"cache-control": "max-age=100, stale-while-revalidate=600"}, body="1"))
    for later in (340, 350):
        varnish_edge.at(later)
        told = len(varnish_edge.script.asked)
        assert ask("/stale", Failure("timeout"))[0] == "Hit"
        for _ in range(9):  # who comes while Varnish is still at the end of the last time does not make it ask
            if varnish_edge.has_asked(told + 1, within=2):
                break
            assert ask("/stale")[0] == "Hit"
        varnish_edge.await_origin(told + 1)  # it is asked meanwhile


def test_errors(varnish_edge, ask):
    varnish_edge.at(400)
    assert ask("/error", Response(404, {}, body="no")) == ("Error", None)
    varnish_edge.at(401)
    assert ask("/error", Response(404, {}, body="no")) == ("Error", None)  # its ten seconds are over


def test_the_age_of_an_error_is_its_time_here(varnish_edge, ask):
    varnish_edge.at(500)
    assert ask("/aged", Response(404, {"cache-control": "max-age=1000", "age": "500"}, body="no")) == ("Error", "500")
    varnish_edge.at(510)
    x_cache, age = ask("/aged")
    assert x_cache == "Error"
    assert 100 <= int(age) < 400
