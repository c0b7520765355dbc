"""`sandbox check assets` as a user has it, on a real nginx: exit codes, findings, a deploy as the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests import forks
from tests.checks.websocket_servers import free_port
from tests.probes import asset_sites

pytestmark = pytest.mark.docker
LONG = 'location /_nuxt/ { add_header Cache-Control "public, max-age=31536000, immutable"; }'
LONG_ALWAYS = LONG.replace(";", " always;", 1)
DEPLOY = "mv {folder}/_nuxt/entry.a1b2c3d4.js {folder}/kept; sleep 1; mv {folder}/kept {folder}/_nuxt/entry.a1b2c3d4.js"


def command(*arguments):
    environment = {**os.environ, "COLUMNS": "160", "DOCKER_HOST": "unix:///nonexistent"}
    line = [sys.executable, "-m", "sandbox.cli", "check", "assets", *map(str, arguments)]
    return subprocess.Popen(line, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def check(*arguments, within=60):
    code, out, err = forks.run(
        "check", "assets", *arguments, within=within, COLUMNS="160", DOCKER_HOST="unix:///nonexistent"
    )
    assert "Traceback" not in err
    return code, out, err


def rules(*arguments):
    code, out, err = check(*arguments, "--json", "-")
    assert out, err
    result = json.loads(out)
    assert result["exit_code"] == code
    return code, [(one["rule"], one["severity"]) for one in result["findings"]], result


def test_a_site_that_is_right(nginx):
    url, _ = asset_sites.serve(nginx, "check-right", LONG)
    code, out, _ = check(url)
    assert code == 0
    assert "nothing is wrong with it" in out
    assert "/_nuxt/about.a1b2c3d4.css" in out


def test_hashed_files_that_are_not_kept(nginx):
    url, _ = asset_sites.serve(nginx, "check-not-kept")
    code, found, result = rules(url)
    assert (code, found) == (0, [("kept-shortly", "warning")])
    assert rules(url, "--severity", "warning")[0] == 1
    assert len(result["findings"][0]["urls"]) == 5
    assert [one["status"] for one in result["files"]] == [200] * 7


def test_a_chunk_that_nobody_has_asked_for_yet_is_missing(nginx):
    url, folder = asset_sites.serve(nginx, "check-missing", LONG)
    (folder / "_nuxt" / "about.a1b2c3d4.js").unlink()
    code, found, result = rules(url)
    assert (code, found) == (1, [("missing", "error")])
    assert result["findings"][0]["urls"] == [f"{url}_nuxt/about.a1b2c3d4.js"]
    assert rules(url, "--tabs", "0")[0] == 0


def test_a_404_that_caches_keep_for_a_year(nginx):
    url, _ = asset_sites.serve(nginx, "check-kept", LONG_ALWAYS)
    code, found, _ = rules(url)
    assert (code, found) == (1, [("error-kept", "error")])


def test_a_page_instead_of_a_file(nginx):
    url, _ = asset_sites.serve(nginx, "check-fallback", LONG.replace("}", "try_files $uri /index.html; }"))
    assert rules(url)[:2] == (1, [("fallback", "error")])


def test_a_deploy_that_breaks_loads_and_is_over(nginx, tmp_path):
    url, folder = asset_sites.serve(nginx, "during-breaks", LONG)
    file = tmp_path / "result.json"
    deploy = DEPLOY.format(folder=folder) + "; echo deployed; exit 7"
    code, out, err = check(url, "--during", deploy, "--rate", 20, "--settle", 1, "--json", file)
    result = json.loads(file.read_text())
    assert code == 1
    assert "error loads-broken" in out
    assert "warning command-failed: the command ended with exit code 7" in out
    assert "deployed" in err
    assert "deployed" not in out
    assert (result["command"]["exit_code"], result["tabs"]["broken"]) == (7, 0)
    assert result["loads"]["causes"] == {"missing": result["loads"]["broken"]}
    assert result["command"]["began"] <= result["loads"]["first_broken"] <= result["command"]["ended"]
    assert {one["cause"] for one in result["broken"]} == {"missing"}


def test_a_deploy_after_which_open_tabs_miss_their_chunks(nginx):
    url, folder = asset_sites.serve(nginx, "during-tabs", LONG)
    deploy = (
        "from pathlib import Path; from tests.probes import asset_sites; "
        f"asset_sites.build(Path('{folder}'), 'b1b2c3d4'); Path('{folder}/_nuxt/about.a1b2c3d4.js').unlink()"
    )
    call = f'"{sys.executable}" -c "{deploy}"'
    code, found, result = rules(url, "--during", call, "--settle", 1, "--tabs", 3)
    assert (code, found) == (1, [("tabs-broken", "error")])
    assert (result["loads"]["broken"], result["tabs"]["broken"], result["tabs"]["loads"]) == (0, 3, 3)


def test_a_deploy_that_breaks_nothing(nginx):
    url, _ = asset_sites.serve(nginx, "during-holds", LONG)
    code, out, _ = check(url, "--during", "true", "--settle", 0.5, "--visitors", 2)
    assert code == 0
    assert "nothing is wrong with it" in out


def test_a_command_that_does_not_end_is_told_to(nginx):
    url, _ = asset_sites.serve(nginx, "during-long", LONG)
    code, found, result = rules(url, "--during", "sleep 600", "--seconds", 1, "--settle", 0)
    assert (code, found) == (0, [("command-stopped", "warning")])
    assert result["command"]["exit_code"] is None


def test_loads_that_stay_broken(nginx):
    url, folder = asset_sites.serve(nginx, "during-stays", LONG)
    code, found, _ = rules(url, "--during", f"rm {folder}/_nuxt/vendor.js", "--seconds", 2, "--settle", 5)
    assert code == 1
    assert ("not-settled", "error") in found


def test_an_interruption_ends_the_command(nginx, tmp_path):
    url, _ = asset_sites.serve(nginx, "during-interrupted", LONG)
    written = tmp_path / "pid"
    process = command(url, "--during", f"echo $$ > {written}; exec sleep 600")
    deadline = time.monotonic() + 30
    while not (written.exists() and written.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)


def test_a_public_name_and_a_host_for_assets(nginx):
    url, folder = asset_sites.serve(nginx, "check-names", LONG + " if ($host = 127.0.0.1) { return 421; }")
    page = folder / "index.html"
    page.write_text(page.read_text().replace('src="/_nuxt', 'src="http://cdn.example.net/_nuxt'))
    code, _, result = rules(url, "--host", "shop.example.org")
    assert (code, result["url"]) == (0, "http://shop.example.org/")
    assert all(one["url"].startswith("http://shop.example.org/") for one in result["files"])
    _, _, result = rules(url, "--host", "shop.example.org", "--asset-host", f"cdn.example.net={url}")
    assert "http://cdn.example.net/_nuxt/entry.a1b2c3d4.js" in [one["url"] for one in result["files"]]


def test_a_name_leads_nowhere_but_where_it_is_told_to(nginx):
    url, _ = asset_sites.serve(nginx, "check-https", "return 301 https://shop.example.org/;")
    code, _, err = check(url, "--host", "shop.example.org")
    assert code == 2
    assert "nothing leads to port 443 of shop.example.org" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://x/"], "is no URL to check"),
        (["http://[::1"], "is no URL to check"),
        (["no-such-stack"], "cannot be reached"),
        (["http://a:b@x/"], "no name and password in a URL"),
        (["http://127.0.0.1:1/", "--rate", "5"], "--rate needs --during"),
        (["http://127.0.0.1:1/", "--during", "true", "--rate", "5", "--visitors", "2"], "one of them"),
        (["http://127.0.0.1:1/", "--host", "a/b"], "it is no name"),
        (["http://127.0.0.1:1/", "--asset-host", "="], "it is NAME or NAME=URL"),
        (["http://127.0.0.1:1/", "--severity", "bad"], "there is no such severity"),
        (["http://127.0.0.1:1/"], "cannot be reached"),
        (["http://127.0.0.1:1/", "--during", "true"], "cannot be reached"),
        (["http://nothing.invalid/"], "cannot be reached"),
    ],
)
def test_bad_input(arguments, message):
    code, _, err = check(*arguments)
    assert code == 2
    assert message in err


def test_nobody_is_asked_where_the_page_is_not(nginx):
    url, _ = asset_sites.serve(nginx, "check-500", "location = / { return 500; }")
    assert rules(url)[:2] == (1, [("error-answer", "error")])
    assert check(f"http://127.0.0.1:{free_port()}/")[0] == 2
