"""From what was seen to what is wrong: the words that servers use, hops, and lines of configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.websocket import observed
from sandbox.model.websocket.causes import cause_of, causes
from sandbox.model.websocket.finding import SEVERITIES, Finding, at_least
from sandbox.model.websocket.findings import conclude, told
from sandbox.model.websocket.observed import Answer, Broadcast, Ending, Seen, Session, Step

TOLD = {"sid": "a", "upgrades": ["websocket"], "pingInterval": 25000}
CUT = Ending("eof")
SWITCHED = Step("upgrade", True, Answer(101))


def refused(name, status, body="", server="", error=""):
    return Step(name, False, Answer(status, (("server", server),) if server else (), body, error))


def works(client, number=0):
    return Session(client, (Step("handshake", True, Answer(200)),), TOLD | {"sid": f"{client}{number}"})


def fails(client, *steps):
    before = (Step("handshake", True, Answer(200)),) if steps[0].name not in {"handshake", "open"} else ()
    return Session(client, (*before, *steps), TOLD | {"sid": client} if before else None)


def seen(*sessions, url="http://x/", protocol=observed.SOCKET_IO, **more):
    given_ = {one.client: one for one in sessions}
    clients = (observed.POLLING, observed.NO_COOKIES, observed.UPGRADING, observed.ONLY)
    if protocol == observed.WEBSOCKET:
        clients = (observed.ONLY,)
    every = [given_.pop(client, works(client)) for client in clients] + list(given_.values())
    return Seen(url, protocol, "/socket.io/", "http://x", "x", tuple(every), **more)


def rules(*urls):
    return {one.rule: one.severity for one in conclude(urls)}


def test_nothing_is_wrong():
    assert conclude([seen()]) == []
    assert conclude([]) == []


@pytest.mark.parametrize(
    ("client", "step", "cause"),
    [
        (observed.UPGRADING, refused("upgrade", 400, '"Invalid transport"'), "upgrade-lost"),
        (observed.ONLY, refused("open", 400, '{"code":3,"message":"Bad request"}'), "upgrade-lost"),
        (observed.ONLY, refused("open", 426), "upgrade-lost"),
        (observed.ONLY, refused("open", 502), "upgrade-lost"),
        (observed.ONLY, refused("open", 0, error="no answer in time"), "upgrade-lost"),
        (observed.POLLING, refused("post", 400, '"Invalid session abc"'), "unknown-session"),
        (observed.POLLING, refused("post", 400, '{"code":1,"message":"Session ID unknown"}'), "unknown-session"),
        (observed.UPGRADING, refused("upgrade", 400, '{"code": 1, "message": "..."}'), "unknown-session"),
        (observed.POLLING, refused("handshake", 400, '"Not an accepted origin."'), "origin-refused"),
        (observed.POLLING, refused("handshake", 400, '{"code":5,"message":"Unsupported protocol version"}'),
         "wrong-version"),
        (observed.POLLING, refused("handshake", 200, '12:0{"sid":"x"}'), "wrong-version"),
        (observed.POLLING, refused("handshake", 400, '{"code":0,"message":"Transport unknown"}'), "polling-disabled"),
        (observed.POLLING, refused("handshake", 404, "<html>"), "wrong-path"),
        (observed.POLLING, refused("handshake", 200, "<html>"), "wrong-path"),
        (observed.POLLING, refused("handshake", 308), "redirected"),
        (observed.POLLING, refused("handshake", 401), "denied"),
        (observed.POLLING, refused("handshake", 503), "gateway-error"),
        (observed.POLLING, refused("handshake", 0, error="no answer in time"), "no-answer"),
        (observed.POLLING, refused("handshake", 500), "refused"),
        (observed.POLLING, refused("post", 403), "post-refused"),
        (observed.POLLING, refused("poll", 504), "gateway-error"),
        (observed.ONLY, Step("open", False, None, "", CUT), "no-open-packet"),
        (observed.ONLY, Step("open", False, Answer(101), "Sec-WebSocket-Accept is wrong"), "bad-handshake"),
        (observed.ONLY, Step("open", False, None, "", Ending("garbage")), "garbage-frames"),
        (observed.ONLY, Step("connect", False), "silent"),
        (observed.UPGRADING, Step("probe", False, None, "", CUT), "probe-unanswered"),
    ],
)  # fmt: skip
def test_the_words_and_statuses_of_servers(client, step, cause):
    one = seen(fails(client, step))
    assert cause_of(one, one.session(client)) == cause
    assert cause in rules(one)


def test_what_ends_a_first_poll_so_ends_all_clients():
    one = seen(
        fails(observed.POLLING, refused("handshake", 404)),
        fails(observed.ONLY, refused("open", 0, error="the connection was closed without an answer")),
    )
    assert list(causes(one)) == ["wrong-path"]


def test_a_redirect_is_told_with_where_it_leads():
    step = Step("handshake", False, Answer(301, (("location", "https://x/socket.io/"),)))
    (one,) = conclude([seen(fails(observed.POLLING, step))])
    assert one.text.endswith("a WebSocket follows no redirect: https://x/socket.io/")


def test_a_server_that_offers_no_upgrade_is_not_behind_a_proxy_that_loses_it():
    polling = replace(works(observed.POLLING), opened=TOLD | {"upgrades": []})
    assert rules(seen(polling, fails(observed.ONLY, refused("open", 400)))) == {"websocket-disabled": "warning"}


def test_101_without_open_is_the_origin_s_fault_if_it_is_not_so_without_origin():
    only = fails(observed.ONLY, Step("upgrade", True, Answer(101)), Step("open", False, None, "", CUT))
    without = {"": Step("open", True), "http://y": Step("open", False)}
    assert rules(seen(only)) == {"no-open-packet": "error"}
    assert rules(seen(only, origins=without)) == {"origin-refused": "error"}
    (one,) = conclude([seen(only, origins=without | {"http://y": Step("open", True)})])
    assert "but would http://y: a proxy takes the port off Host" in one.text


def test_a_probe_is_lost_to_another_process_where_polls_are():
    post = refused("post", 400, '"Invalid session x"')
    one = seen(fails(observed.POLLING, post), fails(observed.UPGRADING, SWITCHED, Step("probe", False, None, "", CUT)))
    assert list(causes(one)) == ["unknown-session"]


def test_cookies_are_needed_where_only_those_who_keep_them_stay():
    post = refused("post", 400, '"Invalid session x"')
    cookie = Session(observed.POLLING, (Step("handshake", True, Answer(200, (("set-cookie", "AWSALB=1"),))),), TOLD)
    assert rules(seen(cookie, fails(observed.NO_COOKIES, post))) == {"cookies-needed": "warning"}
    assert rules(seen(fails(observed.NO_COOKIES, post))) == {"unknown-session": "error"}


LOST = fails(observed.ONLY, refused("open", 400, '"Invalid websocket upgrade"', "nginx/1.26"))


def test_the_hop_is_the_last_at_which_it_fails():
    bad = [seen(LOST, url=f"http://{name}/") for name in "ab"]
    (one,) = conclude([*bad, seen(url="http://c/")])
    assert (one.hop, one.known_by) == ("http://b/", "it is not so at http://c/")
    assert "proxy_set_header Upgrade" in one.fix
    (one,) = conclude(bad)
    assert (one.hop, one.known_by) == ("http://b/", "it is so there, too")
    assert "simple-websocket" in one.fix
    (one,) = conclude(bad[:1])
    assert (one.hop, one.known_by) == ("", "")


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        ((("server", "nginx"),), "proxy_set_header Upgrade $http_upgrade;"),
        ((("server", "h2o/2.2.5"),), "proxy.websocket: ON"),
        ((("server", "Apache/2.4"),), "upgrade=websocket"),
        ((("via", "1.1 x.cloudfront.net (CloudFront)"), ("server", "nginx")), "AllViewer"),
        ((), "H2O: proxy.websocket: ON"),
    ],
)
def test_the_line_is_of_the_server_that_answers(headers, line):
    step = Step("open", False, Answer(400, headers))
    (one,) = conclude([seen(fails(observed.ONLY, step))])
    assert line in one.fix


LINE = Finding("upgrade-headers", "error", "no Upgrade", "write it", where=("nginx.conf:7",))


def test_a_line_explains_what_was_seen():
    (one,) = conclude([seen(LOST)], [LINE])
    assert (one.rule, one.why, one.fix, one.where) == ("upgrade-lost", "no Upgrade", "write it", ("nginx.conf:7",))
    behind = [seen(LOST), seen(LOST, url="http://behind/")]
    assert [one.rule for one in conclude(behind, [LINE])] == ["upgrade-lost", "upgrade-headers"], (
        "not the proxy's fault"
    )


def test_a_line_that_harms_nobody_is_a_warning():
    (one,) = conclude([seen()], [LINE])
    assert (one.severity, one.text) == ("warning", "no Upgrade; with this server it goes well all the same")
    timeout = Finding("read-timeout", "error", "5 s", "more")
    assert rules_of(conclude([seen()], [timeout])) == {"read-timeout": "error"}, "nobody was idle"
    idle = Session(observed.IDLE, (Step("wait", True),), TOLD | {"sid": "i"}, 27.0, 27.0, 1)
    assert rules_of(conclude([seen(idle)], [timeout])) == {"read-timeout": "warning"}
    assert rules_of(conclude([], [timeout])) == {"read-timeout": "error"}


def rules_of(found):
    return {one.rule: one.severity for one in found}


def test_idle_connections():
    def idle(lived, pings, *steps):
        return Session(observed.IDLE, steps, TOLD | {"sid": "i"}, 60.0, lived, pings)

    (one,) = conclude([seen(idle(5.0, 0, Step("wait", False, None, "", CUT)))])
    assert one.text.endswith("(1006), before the first ping (every 25 s): clients reconnect again and again")
    (one,) = conclude([seen(idle(50.0, 1, Step("wait", False, None, "", Ending("close", 1001, "bye"))))])
    assert one.text == "an idle WebSocket lives 50.0 s: closed with code 1001 (bye)"
    (one,) = conclude([seen(idle(5.0, 0, refused("poll", 504)))])
    assert one.text == "a poll that waits is ended after 5.0 s: 504"


def test_what_no_single_session_shows():
    assert rules(seen(tls="self-signed certificate")) == {"certificate": "error"}
    assert rules(seen(works(observed.AGAIN))) == {}
    assert rules(seen(fails(observed.AGAIN, refused("open", 502)))) == {"reconnect": "error"}
    twice = replace(works(observed.NO_COOKIES), opened=works(observed.POLLING).opened)
    assert rules(seen(twice)) == {"same-session": "error"}
    assert rules(seen(broadcast=Broadcast("a", "b", 3, 3))) == {}
    assert rules(seen(broadcast=Broadcast("a", "b", 3, 1))) == {"broadcast-lost": "error"}
    (one,) = conclude([seen(broadcast=Broadcast("a", "b", 3, 0, ready=False))])
    assert one.text == "'a' was not tried: not all of 4 clients could connect"


def test_a_plain_websocket_may_have_the_wrong_path():
    (one,) = conclude([seen(fails(observed.ONLY, refused("open", 400)), protocol=observed.WEBSOCKET)])
    assert one.rule == "upgrade-lost"
    assert one.fix.startswith("if the path is right: ")
    one = seen(fails(observed.ONLY, refused("upgrade", 404)), protocol=observed.WEBSOCKET)
    assert rules(one) == {"wrong-path": "error"}


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((refused("post", 400, '"x"'),), '400 "x" to its post'),
        ((SWITCHED, Step("open", False, None, "", CUT)), "101, then cut without a Close frame (1006)"),
        ((SWITCHED, Step("connect", False)), "101, then nothing"),
        ((SWITCHED, Step("probe", False, None, "3oops")), "101, then 3oops"),
        ((refused("open", 500, "<html><body>"),), "500 an HTML page"),
        ((refused("open", 0, error="connection refused"),), "connection refused"),
    ],
)
def test_what_a_client_gets_in_a_few_words(steps, text):
    assert told(Session(observed.ONLY, steps)) == text


ANSWERS = st.builds(
    Answer,
    st.sampled_from([0, 101, 200, 301, 400, 401, 403, 404, 413, 426, 500, 502, 504]),
    st.lists(st.tuples(st.sampled_from(["server", "via", "set-cookie"]), st.text(max_size=8)), max_size=2).map(tuple),
    st.sampled_from(["", '"Invalid session x"', '"Not an accepted origin."', '{"code":5}', "<html>", '0{"sid":"x"}']),
    st.sampled_from(["", "no answer in time"]),
)
STEPS = st.builds(
    Step,
    st.sampled_from(["handshake", "post", "poll", "upgrade", "open", "probe", "connect", "message", "wait"]),
    st.booleans(),
    st.none() | ANSWERS,
    st.text(max_size=5),
    st.none() | st.builds(Ending, st.sampled_from(["close", "eof", "reset", "garbage"]), st.integers(1000, 1015)),
)
SESSIONS = st.lists(
    st.builds(
        Session,
        st.sampled_from([observed.POLLING, observed.NO_COOKIES, observed.UPGRADING, observed.ONLY, observed.IDLE]),
        st.lists(STEPS, min_size=1, max_size=4).map(tuple),
        st.none() | st.just(TOLD),
        st.sampled_from([0.0, 27.0]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda session: session.client,
)


@given(
    st.lists(SESSIONS, min_size=1, max_size=3),
    st.sampled_from([observed.SOCKET_IO, observed.ENGINE_IO, observed.WEBSOCKET]),
    st.dictionaries(st.sampled_from(["", "http://y"]), STEPS),
    st.lists(st.sampled_from([LINE, Finding("host-lost", "error", "t", "f"), Finding("limited", "info", "t", "f")])),
)
def test_whatever_was_seen_every_failure_has_a_finding_with_a_fix(urls, protocol, origins, lines):
    every = [
        Seen(f"http://{at}/", protocol, "/", "o", "h", tuple(sessions), 4, origins) for at, sessions in enumerate(urls)
    ]
    found = conclude(every, lines)
    assert [SEVERITIES.index(one.severity) for one in found] == sorted(
        (SEVERITIES.index(one.severity) for one in found), reverse=True
    )
    assert all(one.text and one.fix for one in found)
    failing = [one for one in every[0].sessions if not one.ok]
    assert sum(len(sessions) for sessions in causes(every[0]).values()) == len(failing)
    assert bool(failing) <= bool(found)
    assert at_least(found, "info") == bool(found)
    assert all(one.hop in {"", *(url.url for url in every)} for one in found)
