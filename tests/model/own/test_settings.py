"""sandbox.toml: what it may say, and errors that name table and key."""

from __future__ import annotations

import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own.checks import KINDS, Check, checks, require_url
from sandbox.model.own.errors import OwnError
from sandbox.model.own.settings import Build, Compose, Group, Public, settings


def test_everything():
    found = settings(
        tomllib.loads("""
            [stack]
            name = "shop"
            cluster = "prod"
            task_definitions = ["taskdef.json"]
            services = ["service.json"]
            [images]
            "a:1" = "b:1"
            "c:1" = { build = "./c", target = "run", arguments = { X = "1" } }
            [secrets]
            "/shop/key" = "value"
            "db" = { password = "p" }
            [environment.app]
            DEBUG = "1"
            [efs.fs-1]
            "/conf" = "conf/"
            [target_groups.web]
            health_check = "/health"
            sticky = true
            [registries]
            srv-1 = "app.shop.local"
            [desired_counts]
            shop = 1
            [instances]
            type = "t3.small"
            [[ready]]
            url = "http://web.example.com/"
            [[check]]
            kind = "http"
            url = "http://web.example.com/"
            status = 200
        """)
    )
    assert found.images == {"a:1": "b:1", "c:1": Build("./c", target="run", arguments={"X": "1"})}
    assert found.target_groups == {"web": Group(health_check="/health", sticky=True)}
    assert found.instances == ("t3.small", 1)
    assert found.checks == (Check("http-1", "http", "http://web.example.com/", {"status": 200}),)
    assert (found.name, found.cluster, found.desired_counts) == ("shop", "prod", {"shop": 1})


def test_one_task_or_several_of_a_compose_file():
    one = settings(tomllib.loads('compose = { task = ["a", "b"], public = { a = { port = 80 } } }')).compose
    assert one == Compose("compose.yaml", (("a", "b"),), public={"a": Public(80)})
    two = settings(tomllib.loads('compose = { task = [["a", "b"], ["c"]] }')).compose
    assert two is not None
    assert two.tasks == (("a", "b"), ("c",))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[stak]", "unknown table 'stak'", "is 'stack' meant?"),
        ("[stack]\nnam = 'a'", "[stack]: unknown key 'nam'", "is 'name' meant?"),
        ("[stack]\nzzz = 1", "[stack]: unknown key 'zzz'", "known: cluster, description, ignore, name"),
        ("[stack]\nname = 1", "[stack] name is a text", "found 1"),
        ("stack = 1", "stack is a table", "found 1"),
        ("[stack]\nservices = [1]", "[stack] services is a list of texts", "found [1]"),
        ("[images]\na = 1", '[images] "a" is a reference, or a table with build', ""),
        ("[images]\na = { build = 'x', dokerfile = 'y' }", "unknown key 'dokerfile'", "is 'dockerfile' meant?"),
        ("[environment.app]\nA = 1", '[environment.app] "A" is a text', "found 1"),
        ("[target_groups.web]\nsticky = 1", "[target_groups.web] sticky is true or false", "found 1"),
        ("[desired_counts]\na = true", '[desired_counts] "a" is a whole number, 0 or more', "found True"),
        ("[instances]\ncount = 1", "[instances] has a type", "t3.small"),
        ("[[ready]]\nurl = 'x'", "[[ready]] number 1: url is http://NAME/PATH", ""),
        ("[compose]\n[stack]\nignore = ['a']", "[stack] ignore is about task definitions", "[compose] has its own"),
        ("[compose]\n[stack]\nservices = ['a']", "a stack is made of a compose file, or of", ""),
        ("[compose]\n[secrets]\na = 'b'", "[secrets] is about task definitions; the stack is a compose file's", ""),
        ("[cloudformation]", "[cloudformation] template names the file", 'template = "template.yaml"'),
        ("cloudformation = { template = 't', param = {} }", "unknown key 'param'", "is 'parameters' meant?"),
        ("cloudformation = { template = 't', hosts = { A = 1 } }", '[cloudformation.hosts] "A" is a text', "found 1"),
        ("cloudformation = { template = 't', stacks = { a = {} } }", "[cloudformation.stacks.a] template names", ""),
        ("cloudformation = { template = 't' }\n[compose]", "a compose file or of a template", ""),
        ("cloudformation = { template = 't' }\n[stack]\nservices = ['a']", "made of a template, or of the task_", ""),
        (
            "cloudformation = { template = 't' }\n[stack]\ncluster = 'a'",
            "[stack] cluster: the stack is a template's",
            "",
        ),
        ("cloudformation = { template = 't' }\n[instances]\ntype = 'x'", "[instances] is about task definitions", ""),
        ("[[check]]\nurl = 'x'", "[[check]] number 1 has no kind", "http, dns, cache, websocket, assets"),
        ("[[check]]\nkind = 'htp'", "[[check]] number 1: unknown kind 'htp'", "is 'http' meant?"),
        (
            "[[check]]\nkind = 'http'\nurl = 'x'",
            "url is http://NAME/PATH, or with https, as a viewer has it",
            "found 'x'",
        ),
        (
            "[[check]]\nkind = 'http'\nurl = 'ftp://x/'",
            "url is http://NAME/PATH, or with https, as a viewer has it",
            "found 'ftp://x/'",
        ),
        (
            "[[check]]\nkind = 'http'\nurl = '${output.}'",
            "url is http://NAME/PATH, or with https, as a viewer",
            "found",
        ),
        (
            "[[check]]\nkind = 'assets'\nurl = 'http://x/'\nasset_hosts = ['https://cdn.x/']",
            "[[check]] number 1: asset_hosts are names, or NAME:PORT",
            "found 'https://cdn.x/'",
        ),
        ("[[check]]\nkind = 'dns'\nurl = 'http://x/'", "url of a dns check is the name", ""),
        (
            "[[check]]\nname = 'a'\nkind = 'http'\nurl = 'http://x/'\nhit_ratio = 1",
            "[[check]] 'a': unknown key 'hit_ratio'",
            "known:",
        ),
        ("[[check]]\nkind = 'cache'\nurl = 'http://x/'\nhit_ratio = 2", "hit_ratio is from 0 to 1", "found 2"),
        ("[[check]]\nkind = 'cache'\nurl = 'http://x/'\nseverity = 'warn'", "unknown severity 'warn'", "'warning'"),
        (
            "[[check]]\nkind = 'http'\nurl = 'http://x/'\nwithin = -1",
            "within is a number that is not below 0",
            "found -1",
        ),
        (
            "[[check]]\nname='a'\nkind='http'\nurl='http://x/'\n[[check]]\nname='a'\nkind='http'\nurl='http://x/'",
            "two are named 'a'",
            "",
        ),
    ],
)
def test_what_is_refused(text, message, hint):
    with pytest.raises(OwnError) as caught:
        settings(tomllib.loads(text))
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("kind", ["http", "cache", "websocket", "assets", "purge"])
def test_every_check_that_has_a_url_takes_https(kind):
    further = {"purge": {"group": "shop", "commands": ["true"], "contains": "x"}}.get(kind, {})
    check = {"kind": kind, "url": "https://shop.example.com/", **further}
    (made,) = settings({"compose": {}, "check": [check]}).checks
    assert made.target == "https://shop.example.com/"


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_that_no_wait_would_end_by_are_refused(number):
    for text in (
        f"[[check]]\nkind='http'\nurl='http://x/'\nwithin={number}",
        f"[[ready]]\nurl='http://x/'\nwithin={number}",
        f"[terraform]\nwithin={number}",
    ):
        with pytest.raises(OwnError, match="within"):
            settings(tomllib.loads(text))


SOME = st.one_of(
    st.text(max_size=5),
    st.integers(-2, 2),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=5) | st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=2),
)


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_whatever_a_check_says_it_is_one_or_is_refused(kind, data):
    keys = st.sampled_from(sorted({*KINDS[kind], "url", "name"}))
    said = data.draw(st.dictionaries(keys, SOME))
    with suppress(OwnError):
        (found,) = checks([{"kind": kind, **said}])
        assert found.kind == kind


PURGE = "[[check]]\nname='p'\nkind='purge'\nurl='http://x/'\ngroup='g'\ncontains='new'\n"
REPLAY = "[[check]]\nname='r'\nkind='replay'\nevents=['replace']\nhandler='dns.py:handler'\n"
ENI = "[[check]]\nname='e'\nkind='eni'\n"


def test_checks_of_replay_eni_and_purge():
    found = settings(
        tomllib.loads(
            REPLAY
            + "url='shop.example.com'\nanswers=['198.51.100.11']\norder='shuffled'\ndelay='5-30'\nwhen='always'\n"
            + ENI
            + "type='t3.small'\ntrunking=true\ndesired_counts={shop=5}\n"
            + PURGE
            + "commands=['purge']\ntargets={'tag:Role'='shop'}\n"
        )
    ).checks
    assert [(one.kind, one.target) for one in found] == [
        ("replay", "shop.example.com"),
        ("eni", ""),
        ("purge", "http://x/"),
    ]
    assert found[1].bounds == {"type": "t3.small", "trunking": True, "desired_counts": {"shop": 5}}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (REPLAY.replace("events=['replace']", ""), "[[check]] 'r' names no events", "FILE.py:NAME"),
        (
            REPLAY.replace("dns.py:handler", "dns.py"),
            "[[check]] 'r': handler is FILE:FUNCTION",
            "lambda/dns.py:handler",
        ),
        (REPLAY + "order='shufled'", "[[check]] 'r': unknown order 'shufled'", "is 'shuffled' meant?"),
        (REPLAY + "when='later'", "unknown when 'later'", "always, end"),
        (REPLAY + "shape='elb-frist'", "unknown shape 'elb-frist'", "'elb-first'"),
        (REPLAY + "duplicate=2", "duplicate is a probability, from 0 to 1", "found 2"),
        (REPLAY + "delay='5..30'", "delay is seconds, or a text FROM-TO", "found '5..30'"),
        (REPLAY + "tries=0", "tries is 1 or more", "found 0"),
        (REPLAY + "retries=3", "retries is from 0 to 2", "found 3"),
        (REPLAY + "environment={A=1}", "environment A is a text", "found 1"),
        (REPLAY + "answers=['1.2.3.4']", "answers are those of the name that url says", "url ="),
        (REPLAY + "url='http://x/'", "url of a replay check is the name of a record", "url ="),
        (REPLAY + "invariants=[1]", "invariants is a list of texts", "found [1]"),
        (ENI + "url='http://x/'", "[[check]] 'e': an eni check has no url", "found 'http://x/'"),
        (ENI + "count=0", "[[check]] 'e': count is from 1 to 5000", "found 0"),
        (ENI + "count=100000000000000000000", "count is from 1 to 5000", "found 1000"),
        (PURGE.replace("http://x/", "http://[/") + "send='a'", "url is http://NAME/PATH", "found 'http://[/'"),
        (ENI + "trunking=1", "[[check]] 'e' trunking is true or false", "found 1"),
        (ENI + "desired_counts={shop='5'}", "desired_counts shop is a whole number from 0 to 5000", "found '5'"),
        (PURGE, "[[check]] 'p' has either send or commands", "purge.sh"),
        (PURGE + "send='a'\ncommands=['b']", "has either send or commands", ""),
        (PURGE + "send='a'\ntargets={a='b'}", "targets belongs to commands", ""),
        (PURGE + "commands=['a']\ntargets={a='b'}\ninstances=['i-1']", "has targets or instances, not both", ""),
        (PURGE + "commands=['a']\ntargets={a=1}", 'targets "a" is a text', "found 1"),
        (PURGE + "commands=['a']\nport=0", "port is from 1 to 65535", "found 0"),
        (PURGE.replace("group='g'\n", "send='a'\n"), "[[check]] 'p' has no group", "group ="),
        (PURGE.replace("contains='new'\n", "send='a'\n"), "[[check]] 'p' has no contains", "contains ="),
        (PURGE.replace("http://x/", "x") + "send='a'", "url is http://NAME/PATH", "found 'x'"),
    ],
)
def test_what_is_refused_of_replay_eni_and_purge(text, message, hint):
    with pytest.raises(OwnError) as caught:
        settings(tomllib.loads(text))
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("url", ["${output.url}", "${output.url}cart?a=1", "https://${output.host}/", "http://shop/"])
def test_an_output_may_stand_for_a_url_or_a_part_of_one(url):
    (check,) = settings(tomllib.loads(f"[[check]]\nkind = 'http'\nurl = '{url}'")).checks
    assert check.target == url


@pytest.mark.parametrize(
    ("kind", "url", "message"),
    [
        ("http", "https://shop/", ""),
        ("cache", "http://shop/", ""),
        ("dns", "shop", ""),
        ("http", "shop", "url is http://NAME/PATH"),
        ("http", "${output.url}", "url is http://NAME/PATH"),
        ("assets", "https://shop/", ""),
    ],
)
def test_what_an_output_has_made_of_a_url_is_looked_at_again(kind, url, message):
    if message:
        with pytest.raises(OwnError, match=message):
            require_url(kind, url)
    else:
        require_url(kind, url)
