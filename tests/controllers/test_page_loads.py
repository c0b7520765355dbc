"""Page loads through a load balancer with two builds behind it: with and without its stickiness, and after a deploy."""

from __future__ import annotations

import contextlib
import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.model.elb.config import Stickiness
from sandbox.model.elb.target import Target
from tests.controllers.balanced import make_site
from tests.probes import asset_sites

pytestmark = pytest.mark.docker
OLD, NEW = "a1b2c3d4", "b1b2c3d4"


class Files(SimpleHTTPRequestHandler):
    """The files of a build."""

    protocol_version = "HTTP/1.1"

    def handle(self):
        with contextlib.suppress(ConnectionResetError):  # HAProxy leaves so
            super().handle()

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    """One that many connect to at once."""

    request_queue_size = 128


class Build:
    """A target on this machine with one build."""

    def __init__(self, address, folder, version):
        asset_sites.build(folder, version)
        (folder / "health").write_text("well")
        self._server = Server((address, 0), functools.partial(Files, directory=folder))
        self.target = Target(address, self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=20
    ) as made:
        yield made


@pytest.fixture
def site(sandbox, tmp_path):
    made = make_site(sandbox)
    address = sandbox._network.vpc.address(1)
    made.backends += [Build(address, tmp_path / version, version) for version in (OLD, NEW)]
    for build in made.backends:
        made.register(build)
    yield made
    made.close()


def test_a_visitor_without_stickiness_gets_the_page_of_one_build_and_asks_the_other_for_its_files(sandbox, site):
    mark = sandbox.timeline.mark()
    with sandbox.page_loads(f"http://{site.balancer.dns_name}/", visitors=2) as crowd:
        crowd.wait_loads(30, 60)
    summary = crowd.summary()
    assert summary.share > 0.5
    assert set(summary.causes) == {"missing"}
    told = [seen for seen in sandbox.timeline.since(mark) if seen.kind.startswith("page.")]
    assert told[0]["cause"] == "missing"
    assert (told[-1].kind, told[-1]["broken"], told[-1]["loads"]) == ("page.loads", summary.broken, summary.loads)


def test_stickiness_saves_first_loads_and_no_tab_that_is_left_open(sandbox, site):
    site.change_group(stickiness=Stickiness(True))
    with sandbox.page_loads(f"http://{site.balancer.dns_name}/", visitors=2) as crowd:
        assert crowd.open_tabs(12).broken == 0
        crowd.wait_loads(40, 60)
        of_the_old = sum(any(OLD in url for url in tab.later) for tab in crowd.tabs)
        assert 0 < of_the_old < 12
        assert crowd.summary().broken == 0
        site.elb.deregister(site.group.arn, [site.backends[0].target])
        back = crowd.return_to_tabs()
    assert (back.loads, back.broken, back.causes) == (12, of_the_old, {"missing": of_the_old})
