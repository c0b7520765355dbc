"""The pytest plugin: a sandbox for tests, in this project and in any that installs the package.

Fixtures: ``sandbox`` (a `sandbox.controllers.sandbox.Sandbox`), ``aws`` (``aws("ecs")`` is a boto3 client), ``stack``
(``stack("ghost")`` brings one up), ``fault`` (``fault("loss", "service:shop")`` puts one in until the test ends), and
``replay``, which needs no engine. The scope of the first three is the ini option ``sandbox_scope``. Tests marked
``docker`` need an engine: without one they fail, because a requirement that is skipped is a requirement that nobody
checks. What needs an optional part (a browser) that is not installed is skipped, and the summary names the command that
installs it.

Docker, boto3 and moto are imported when a fixture is first used: the plugin is loaded in every pytest run.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.errors import NotRunnable

if TYPE_CHECKING:
    from sandbox.controllers.faults import Begun
    from sandbox.controllers.localstack_server import LocalStackServer
    from sandbox.controllers.sandbox import Sandbox
    from sandbox.controllers.site import Site
    from sandbox.controllers.stack import Stack
    from sandbox.replay import Outcome

SCOPES = ("function", "class", "module", "package", "session")
_FAILED = pytest.StashKey[bool]()
_NOT_RUN = "not run: "


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options: where images come from, how fast AWS's timers run, what to keep."""
    group = parser.getgroup("sandbox", "AWS container sandbox")
    group.addoption(
        "--sandbox-images",
        default="auto",
        choices=("auto", "official", "build"),
        help="where images come from: present, else pulled, else built (auto); or only one of the two",
    )
    group.addoption(
        "--sandbox-speed", default=1.0, type=float, metavar="N", help="divide every AWS timer by N (default: 1)"
    )
    group.addoption(
        "--sandbox-aws",
        default="embedded",
        metavar="embedded|localstack|URL",
        help="who answers AWS's API: this process, a LocalStack container, or a LocalStack of your own",
    )
    group.addoption(
        "--sandbox-keep",
        action="store_true",
        help="after a failed test, keep the sandbox's containers and timeline; `sandbox down` removes them",
    )
    group.addoption(
        "--sandbox-report",
        type=Path,
        metavar="FOLDER",
        help="write a page there that shows what happened in each test with a sandbox: index.html",
    )
    parser.addini("sandbox_scope", f"scope of the sandbox fixtures: {', '.join(SCOPES)}", default="function")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse a speed that nothing can be divided by."""
    speed = config.getoption("--sandbox-speed")
    if not (speed > 0 and math.isfinite(speed)):
        raise pytest.UsageError(f"--sandbox-speed: {speed} is not a positive number")
    config.addinivalue_line("markers", "docker: needs a Docker engine; fails where none answers")
    folder = config.getoption("--sandbox-report")
    if folder is not None:
        from sandbox.pytest_report import Reporting

        config.pluginmanager.register(Reporting(config, folder), "sandbox-report")


def pytest_report_header() -> list[str]:
    """Name the engines where there are several, and those of them that do not answer."""
    if not os.environ.get("SANDBOX_DOCKER_HOSTS"):
        return []
    from sandbox.engine import placement
    from sandbox.errors import SandboxError

    told: list[str] = []
    try:
        with placement.opened() as engines:
            told += (f"sandbox: engine {host}" for host in engines.answering)
            engines.complain(lambda text: told.append(f"sandbox: {text}"))
    except SandboxError as error:
        told.append(f"sandbox: {error.message}: {error.state}")
    return told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:  # a generator: pytest's wrapper protocol
    """Remember that a test failed, for --sandbox-keep."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for node in item.listchain():
            node.stash[_FAILED] = True
    return report  # type: ignore[return-value]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:  # a generator: pytest's wrapper protocol
    """Skip what an optional part is not there for."""
    yield from _skipping()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:  # the same
    """Skip what an optional part is not there for."""
    yield from _skipping()


def _skipping() -> Iterator[None]:
    try:
        yield
    except NotRunnable as lack:
        pytest.skip(f"{_NOT_RUN}{lack}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped for want of an optional part: a plain summary only counts it."""
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        if reason.startswith(_NOT_RUN):
            terminalreporter.write_line(f"{report.nodeid} {reason}", yellow=True)


@pytest.fixture(autouse=True)
def _engine_for_docker_tests(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("docker") is not None:
        request.getfixturevalue("_engine")


@pytest.fixture(scope="session")
def _engine() -> None:  # asked once: a test finds out by itself that an engine has gone away
    _require_engine()


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    scope = config.getini("sandbox_scope")
    if scope not in SCOPES:
        raise pytest.UsageError(f"sandbox_scope: {scope!r} is none of {', '.join(SCOPES)}")
    return scope


@pytest.fixture(scope="session")
def sandbox_localstack(request: pytest.FixtureRequest) -> Iterator[LocalStackServer | None]:
    """The LocalStack of ``--sandbox-aws``, which the sandboxes of this process share; None for ``embedded``."""
    from sandbox.controllers.localstack_choice import localstack_of

    option = request.config.getoption
    with localstack_of(option("--sandbox-aws"), option("--sandbox-images"), option("--sandbox-speed")) as server:
        yield server


@pytest.fixture(scope="session")
def sandbox_site() -> Iterator[Site]:
    """Where the sandboxes of a test run have their networks, one after another (see `Site`)."""
    from sandbox.controllers.site import Site

    with Site() as site:
        yield site


@pytest.fixture(scope=_scope)
def sandbox(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sandbox_localstack: LocalStackServer | None,
    sandbox_site: Site,
) -> Iterator[Sandbox]:
    """A sandbox of its own: empty AWS account, VPC, internet and DNS."""
    _require_engine()
    from sandbox.controllers.sandbox import Sandbox

    option = request.config.getoption
    timeline: Path = tmp_path_factory.mktemp("sandbox") / "timeline.jsonl"
    with Sandbox(
        images=option("--sandbox-images"),
        speed=option("--sandbox-speed"),
        timeline_file=timeline,
        localstack=sandbox_localstack,
        site=sandbox_site,
    ) as sandbox:
        yield sandbox
        if option("--sandbox-keep") and request.node.stash.get(_FAILED, False):
            sandbox.keep()
            print(f"kept run {sandbox.run_id}; timeline: {timeline}; `sandbox down` removes it")


@pytest.fixture(scope=_scope)
def aws(sandbox: Sandbox) -> Callable[[str], Any]:
    """A factory of boto3 clients of the sandbox: ``aws("route53")``."""
    return sandbox.aws


@pytest.fixture(scope=_scope)
def stack(sandbox: Sandbox) -> Callable[..., Stack]:
    """Brings stacks up: ``stack("ghost", handler="by_name")``."""
    return lambda name, **parameters: sandbox.stack(name, parameters)


@pytest.fixture
def fault(sandbox: Sandbox) -> Iterator[Callable[..., Begun]]:
    """Begins faults: ``fault("latency", "service:shop", milliseconds=300)``.

    One ends with a ``with`` block, by ``end()``, or with the test, whatever its sandbox's scope is.
    """
    with contextlib.ExitStack() as ended:
        yield lambda name, target, **options: ended.enter_context(sandbox.fault(name, target, **options))


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Tells a Lambda function of events, without an engine: ``replay(events, "dns.py:handler", order="shuffled")``.

    The arguments are those of `sandbox.replay.replay`; a relative path is one from the test's own folder, else from the
    current one.
    """
    from sandbox.replay import replay as run

    def replayed(events: Any, handler: Any, **options: Any) -> Outcome:
        if isinstance(handler, str) and (request.path.parent / handler.rpartition(":")[0]).is_file():
            handler = str(request.path.parent / handler)
        return run(events, handler, **options)

    return replayed


def _require_engine() -> None:
    from sandbox.engine import placement
    from sandbox.errors import SandboxError

    try:
        with placement.opened():
            pass
    except SandboxError as error:
        pytest.fail(f"not run: {error}", pytrace=False)
