"""`sandbox check cache` as a user has it: no engine, exit codes, files that are wrong."""

from __future__ import annotations

import json
import os

import pytest

from sandbox.dataplane.cdn.certificates import Authority
from tests import forks
from tests.secure import serving

HTML = {"Content-Type": "text/html; charset=utf-8"}
GHOST = HTML | {"Cache-Control": "public, max-age=0", "ETag": 'W/"1-a"'}
KEPT = HTML | {"Cache-Control": "public, max-age=600", "ETag": '"1"'}


def check(*arguments, within=30):
    code, out, err = forks.run(
        "check", "cache", *arguments, within=within, COLUMNS="160", DOCKER_HOST="unix:///nonexistent"
    )
    assert "Traceback" not in err
    return code, out, err


def config(**default):
    values = {"QueryString": False, "Cookies": {"Forward": "none"}}
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "o.example", "CustomOriginConfig": custom}]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "o",
            "ViewerProtocolPolicy": "redirect-to-https",
            "ForwardedValues": values,
            "MinTTL": 0,
            **default,
        },
    }


@pytest.fixture
def written(tmp_path):
    def write(content, name="distribution.json"):
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


def test_ghost_s_headers_with_minimum_zero(web_site, written):
    site = web_site({"/": (200, GHOST, "<a href='/post/'>post</a>"), "/post/": (200, GHOST, "post")})
    file = written({"ETag": "E1", "DistributionConfig": config()})
    code, out, _ = check(site.url, "--distribution", file)
    assert code == 1
    assert "every request goes to the origin: max-age=0 with minimum TTL 0" in out
    assert "hit ratio 0%" in out


def test_ghost_s_headers_with_a_minimum_ttl(web_site, written):
    site = web_site({"/": (200, GHOST, "")})
    code, out, _ = check(site.url, "--distribution", written(config()), "--min-ttl", 600)
    assert code == 0
    assert "kept for 10 min" in out


def test_a_site_that_is_right(web_site):
    code, out, _ = check(web_site({"/": (200, KEPT, "")}).url)
    assert code == 0
    assert "by managed cache policy CachingOptimized (minimum 1 s, default 1 day, maximum 365 days)" in out
    assert "nothing is wrong with it" in out
    assert "hit ratio 99%" in out or "hit ratio 100%" in out


@pytest.mark.parametrize(("severity", "code"), [("error", 0), ("warning", 1), ("info", 1), ("never", 0)])
def test_the_severity_decides_about_the_exit_code(web_site, severity, code):
    site = web_site({"/": (200, HTML | {"Cache-Control": "max-age=600"}, "")})
    assert check(site.url, "--severity", severity)[0] == code


def test_json(web_site, tmp_path):
    site = web_site({"/": (200, GHOST, ""), "/b": (302, {"Location": "/"}, "")})
    code, out, _ = check(site.url, f"{site.url}/b", "--json", tmp_path / "r.json", "--rate", 10)
    result = json.loads((tmp_path / "r.json").read_text())
    assert code == result["exit_code"] == 1
    assert "kept-for-moments" in out
    page, redirect = result["resources"]
    assert (page["ttl"], page["confirms"], page["origin_down"]) == (1, True, "last copy")
    assert redirect["status"] == 302
    assert result["findings"][0]["urls"] == [f"{site.url}/"]
    assert result["mix"]["requests"] == 600
    code, out, _ = check(site.url, "--json", "-")
    assert json.loads(out)["version"] == 1


def test_a_policy_of_one_s_own(web_site, written):
    key = {
        "EnableAcceptEncodingGzip": True,
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }
    policy = {"Name": "pages", "MinTTL": 300, "ParametersInCacheKeyAndForwardedToOrigin": key}
    file = written({"CachePolicy": {"Id": "own-1", "CachePolicyConfig": policy}}, "policy.json")
    site = web_site({"/": (200, GHOST, "")})
    for name in ("pages", "own-1"):
        code, out, _ = check(site.url, "--policy-file", file, "--policy", name)
        assert code == 0
        assert "cache policy pages (minimum 5 min" in out
    custom = config(CachePolicyId="own-1")
    for name in ("ForwardedValues", "MinTTL"):
        del custom["DefaultCacheBehavior"][name]
    distribution = written(custom)
    assert check(site.url, "--policy-file", file, "--distribution", distribution)[0] == 0
    code, _, err = check(site.url, "--distribution", distribution)
    assert code == 2
    assert "NoSuchCachePolicy: The specified cache policy does not exist." in err
    assert "--policy-file FILE" in err


def test_a_policy_beside_a_distribution_is_refused(written):
    code, _, err = check("http://127.0.0.1:1/", "--policy", "CachingDisabled", "--distribution", written(config()))
    assert code == 2
    assert "--policy and --distribution: one of them" in err


def test_headers_that_cloudfront_makes_are_left_out_and_named(web_site):
    code, out, _ = check(web_site({"/": (200, KEPT, "")}).url, "--policy", "Amplify", "--severity", "never")
    assert code == 0
    assert "does not carry it out: the header cloudfront-viewer-country in Amplify" in out


def test_what_is_not_carried_out_is_left_out_and_named(web_site, written):
    code, out, _ = check(web_site({"/": (200, KEPT, "")}).url, "--distribution", written(config() | {"WebACLId": "x"}))
    assert code == 0
    assert "left out, as the sandbox does not carry it out: WebACLId" in out


def test_a_site_with_a_public_name(web_site, tmp_path):
    site = web_site({"/": (200, KEPT, '<a href="http://blog.invalid/post/">'), "/post/": (200, KEPT, "")})
    for host, number in ((), 1), (("--host", "blog.invalid"), 2):
        check(site.url, *host, "--json", tmp_path / "r.json")
        assert len(json.loads((tmp_path / "r.json").read_text())["resources"]) == number
    assert site.asked[-1][1]["host"] == "blog.invalid"


def test_a_stack_that_is_up_is_named_and_its_own_names_are_known(web_site, monkeypatch):
    from sandbox.checks import cache
    from sandbox.controllers import up
    from sandbox.probes.http_cache import Limits

    site = web_site({"/": (200, KEPT, '<a href="http://blog.invalid/post/">'), "/post/": (200, KEPT, "")})
    state = up.UpState("blog", os.getpid(), {"http://blog.invalid/": f"{site.url}/"}, [], "", "", {})
    monkeypatch.setattr(up, "living", lambda: [state])
    request = cache.Request(("blog",), "CachingOptimized", None, (), None, {}, "", Limits(), 60)
    outcome = cache.carry_out(request, lambda text: None)
    assert [one.observed.path for one in outcome.outlooks] == ["/", "/post/"]


def test_of_a_stack_behind_cloudfront_the_origin_is_asked(web_site, monkeypatch):
    from sandbox.checks import cache
    from sandbox.controllers import up
    from sandbox.probes.http_cache import Limits

    origin = web_site({"/": (200, KEPT, '<a href="http://blog.invalid/post/">'), "/post/": (200, KEPT, "")})
    urls = {
        "http://origin.invalid/": f"{origin.url}/",
        "http://blog.invalid/": "http://127.0.0.1:1/",
        "https://blog.invalid/": "https://127.0.0.1:1/",
    }
    state = up.UpState("blog", os.getpid(), urls, ["blog.invalid"], "", "", {})
    monkeypatch.setattr(up, "living", lambda: [state])
    request = cache.Request(("blog",), "CachingOptimized", None, (), None, {}, "", Limits(), 60)
    outcome = cache.carry_out(request, lambda text: None)
    assert [one.observed.path for one in outcome.outlooks] == ["/", "/post/"]


def test_each_door_of_a_stack_by_https_has_the_certificate_of_its_own_name(web_site, monkeypatch):
    from sandbox.checks import cache
    from sandbox.controllers import up
    from sandbox.probes.http_cache import Limits

    authority = Authority()
    pages = {
        "/health": (200, KEPT, ""),
        "/": (200, KEPT, '<a href="https://shop.invalid/cart/">'),
        "/cart/": (200, KEPT, ""),
    }
    sites = {}
    for name in ("blog.invalid", "shop.invalid"):
        sites[name] = web_site(pages)
        sites[name].socket = serving(authority, name).wrap_socket(sites[name].socket, server_side=True)
    doors = {name: site.url.replace("http:", "https:") for name, site in sites.items()}
    urls = {
        "https://blog.invalid/health": f"{doors['blog.invalid']}/health",
        "https://shop.invalid/": f"{doors['shop.invalid']}/",
        "http://shop.invalid/": "http://127.0.0.1:1/",
        "https://cdn.invalid/": "https://127.0.0.1:1/",
    }
    made = up.UpState(
        "blog", os.getpid(), urls, ["cdn.invalid"], "", "", {}, list(urls), authority.certificate.decode()
    )
    monkeypatch.setattr(up, "living", lambda: [made])
    request = cache.Request(("blog",), "CachingOptimized", None, (), None, {}, "", Limits(), 60)
    outcome = cache.carry_out(request, lambda text: None)
    asked = [("blog.invalid", "/health"), ("shop.invalid", "/"), ("blog.invalid", "/"), ("shop.invalid", "/cart/")]
    assert [one.observed.url for one in outcome.outlooks] == [f"{doors[name]}{path}" for name, path in asked]


def test_a_loop_of_redirects(web_site):
    code, out, _ = check(web_site({"/": (302, {"Location": "/"}, "")}).url)
    assert code == 1
    assert "error redirect-loop" in out
    assert "--header 'X-Forwarded-Proto: https'" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:1/"], "http://127.0.0.1:1/ cannot be reached"),
        (["ftp://x/"], "ftp://x/ is no URL to check"),
        (["http://127.0.0.1:1/", "--policy", "nope"], "--policy nope: there is no such cache policy"),
        (["http://127.0.0.1:1/", "--severity", "high"], "--severity high: there is no such severity"),
        (["http://127.0.0.1:1/", "--header", "nope"], "--header nope: it is 'NAME: VALUE'"),
        (["http://127.0.0.1:1/", "--distribution", "/nonexistent"], "/nonexistent cannot be read as JSON"),
        (["http://127.0.0.1:1/", "--policy-file", "/nonexistent"], "/nonexistent cannot be read as JSON"),
        (["http://127.0.0.1:1/", "--json", "/nonexistent/x"], "there is no folder /nonexistent"),
        (["http://127.0.0.1:1/", "--count", "0"], "Invalid value for '--count'"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_exits_2(arguments, words):
    code, out, err = check(*arguments)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is no DistributionConfig"),
        ({"DistributionConfig": {}}, 'Missing required parameter in input: "Origins"'),
        (config(TargetOriginId="other"), "NoSuchOrigin"),
        (config(MinTTL=9, DefaultTTL=1), "InvalidTTLOrder"),
    ],
)
def test_a_distribution_that_is_wrong(written, content, words):
    code, _, err = check("http://127.0.0.1:1/", "--distribution", written(content))
    assert code == 2
    assert words in err


@pytest.mark.parametrize("content", ["[]", "{}", {"CachePolicy": {"Id": "x"}}, {"CachePolicyList": {"Items": [{}]}}])
def test_a_policy_file_that_is_wrong(written, content):
    code, _, err = check("http://127.0.0.1:1/", "--policy-file", written(content))
    assert code == 2
    assert "has no policy" in err
