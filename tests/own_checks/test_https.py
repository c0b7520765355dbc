"""The checks of a site that is there over HTTPS alone, as most are: its load balancer redirects plain HTTP."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from tests import secure_chat

CHECKS = """
[[check]]
name = "kept"
kind = "cache"
url = "https://chat.example.com/"
hit_ratio = 0.5

[[check]]
name = "kept-by-http"
kind = "cache"
url = "http://chat.example.com/"

[[check]]
name = "kept-uncertified"
kind = "cache"
url = "https://uncertified.example.com/"

[[check]]
name = "socket"
kind = "websocket"
url = "https://chat.example.com/"
idle = 0

[[check]]
name = "socket-uncertified"
kind = "websocket"
url = "https://uncertified.example.com/"
idle = 0

[[check]]
name = "kept-at-the-cdn"
kind = "cache"
url = "https://cdn.example.com/"

[[check]]
name = "files"
kind = "assets"
url = "https://chat.example.com/"

[[check]]
name = "files-of-the-cdn"
kind = "assets"
url = "https://cdn.example.com/"

[[check]]
name = "files-by-http"
kind = "assets"
url = "http://chat.example.com/"

[[check]]
name = "files-during"
kind = "assets"
url = "https://chat.example.com/"
during = "true"
rate = 5
settle = 0.5

[[check]]
name = "files-of-others"
kind = "assets"
url = "https://chat.example.com/"
asset_hosts = ["ads.example.net"]

[[check]]
name = "files-by-plain-http"
kind = "assets"
url = "https://chat.example.com/plain.html"

[[check]]
name = "files-uncertified"
kind = "assets"
url = "https://chat.example.com/uncertified.html"

[[check]]
name = "page-uncertified"
kind = "assets"
url = "https://uncertified.example.com/"
"""
OUTCOMES = {
    "up": "holds",
    "kept": "holds",
    "kept-by-http": "fails",
    "kept-uncertified": "fails",
    "socket": "holds",
    "socket-uncertified": "fails",
    "kept-at-the-cdn": "holds",
    "files": "holds",
    "files-of-the-cdn": "holds",
    "files-by-http": "holds",
    "files-during": "holds",
    "files-of-others": "fails",
    "files-by-plain-http": "fails",
    "files-uncertified": "fails",
    "page-uncertified": "fails",
}


@pytest.fixture
def folder(cli):
    made = secure_chat.make(cli.folder / "chat")
    (made / "sandbox.toml").write_text(CHECKS)
    return made


@pytest.mark.docker
@pytest.mark.long(25)
def test_checks_ask_with_https_and_look_at_the_certificate(cli, folder):
    code, out, err = cli.run("test", folder, "--speed", "10", "--json", folder / "r.json", within=240)
    assert code == 1, out + err
    results = json.loads((folder / "r.json").read_text())["results"]
    assert {one["variant"]: one["outcome"] for one in results} == OUTCOMES, results
    evidence = {one["variant"]: "\n".join(one["evidence"]) for one in results}
    assert ": 3 URLs, hit ratio" in evidence["kept"]  # a link with http: to the site is one to it
    assert "error redirect-loop" in evidence["kept-by-http"]
    assert "ask it with https:" in evidence["kept-by-http"]
    assert "Hostname mismatch" in evidence["kept-uncertified"]
    assert "its listener wants a certificate for uncertified.example.com" in evidence["kept-uncertified"]
    assert "every kind of client gets through" in evidence["socket"]
    assert "error certificate" in evidence["socket-uncertified"]
    assert (
        "fix: its listener wants a certificate for uncertified.example.com: one that" in evidence["socket-uncertified"]
    )
    assert "SSL_CERT_FILE" not in evidence["socket-uncertified"]
    left_out = "not asked, as nothing of the stack has these names: ads.example.net"
    for name in ("files", "files-by-http", "files-of-the-cdn"):
        assert "3 page loads, 4 files" in evidence[name]
        assert left_out in evidence[name]
    assert "page loads broken; exit code 0" in evidence["files-during"]
    assert "error no-answer" in evidence["files-of-others"]
    assert left_out not in evidence["files-of-others"]
    assert "error mixed-content" in evidence["files-by-plain-http"]
    assert "Hostname mismatch" in evidence["files-uncertified"]
    assert "https://uncertified.example.com/ cannot be reached" in evidence["page-uncertified"]
    assert "its listener wants a certificate for this name" in evidence["page-uncertified"]
    assert cli.in_engine() == []


@pytest.mark.docker
@pytest.mark.long(25)
def test_a_stack_that_is_up_is_checked_with_https_by_its_name(cli, folder):
    up = cli.start("up", folder, "--speed", "10")
    up.wait_for("is up:", within=120)
    results = {}
    for kind, *options in (["cache"], ["assets"], ["websocket", "--idle", "0"]):
        file = folder / f"{kind}.json"
        code, out, err = cli.run("check", kind, "chat", *options, "--json", file, within=60)
        assert file.exists(), out + err
        results[kind] = json.loads(file.read_text())
        assert code == 0, results[kind]
        assert not [one for one in results[kind]["findings"] if one["severity"] == "error"]
    up.interrupt()
    assert up.end() == 130
    paths = {urlsplit(one["url"]).path for one in results["cache"]["resources"]}
    assert paths == {"/health", "/", "/own.js", "/absolute.js", "/like-the-page.js", "/about.html"}
    assert results["assets"]["url"] == "https://chat.example.com/"
    assert {one["status"] for one in results["assets"]["files"]} == {200}
    (url,) = results["websocket"]["urls"]
    assert (url["origin"], url["certificate"]) == ("https://chat.example.com", None)
