"""The components that stacks are made of: an official image, and a Dockerfile with the same contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sandbox
from sandbox import paths

LOCAL = "aws-container-sandbox"
DEBIAN = "trixie"
# What a folder has once somebody has worked in it, or pip has installed it: it is no part of an image.
_GENERATED = frozenset({"node_modules", ".nuxt", ".output", "__pycache__"})


@dataclass(frozen=True)
class Component:
    """An image by its role.

    Attributes:
        name: As in ``sandbox images build NAME`` and in ``images`` of a stack.yaml.
        official: The reference in a public registry ("" where only we make one).
        folder: Its folder under compose/images, with a Dockerfile ("" for a base, which has none).
        contract: One line: what the local build has in common with the official image.
        suite: The Debian that the local build is made of; it is "bookworm" where trixie has no such version.
        sources: Folders under compose/ that are in the build context beside the Dockerfile, by their last name.
        modules: Files of this package that are in the build context, as they lie in it, under ``sandbox/``.
        arguments: Build arguments.
        images: Build arguments that are the image of another component.
        target: The stage of the Dockerfile that is the image ("": the last one).
    """

    name: str
    official: str
    folder: str
    contract: str
    suite: str = DEBIAN
    sources: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    target: str = ""

    @property
    def context(self) -> Path:
        """The build context."""
        return paths.share() / "compose" / "images" / self.folder

    @property
    def base(self) -> str:
        """The component that its Dockerfile begins with."""
        return "base" if self.suite == DEBIAN else f"base-{self.suite}"

    @property
    def reference(self) -> str:
        """What a task definition or a compose.yaml calls it: the official image, or our name where there is none."""
        return self.official or f"{LOCAL}/{self.name}"

    def files(self) -> Iterator[tuple[str, Path]]:
        """The files of the build context and their names in it, in an order that stays."""
        for inner, path in _files_in(self.context):
            yield str(inner), path
        for source in self.sources:
            folder = paths.share() / "compose" / source
            for inner, path in _files_in(folder):
                yield str(folder.name / inner), path
        for module in self.modules:
            yield f"sandbox/{module}", Path(sandbox.__file__).parent / module


def _files_in(folder: Path) -> Iterator[tuple[Path, Path]]:
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.is_file() and _GENERATED.isdisjoint(inner.parts):
            yield inner, path


_NUXT = "the shop of compose/nuxt: /app/.output, port 3000, user node; HOST, PORT, BOOT_SECONDS, FAULT"
_NUXT_SOURCES = ("nuxt/app", "nuxt/release")
_NUXT2, _NUXT2_SOURCES = "the same shop with Nuxt 2", ("nuxt/app2", "nuxt/release")
# The execution environment of the embedded Lambda: a function runs alike on both backends.
_LAMBDA_MODULES = (
    "__init__.py",
    "aws/__init__.py",
    *(
        f"aws/lambda_runtime/{name}.py"
        for name in ("__init__", "api", "bootstrap", "environment", "function", "log", "process", "usage")
    ),
)

CATALOGUE: Mapping[str, Component] = {
    component.name: component
    for component in (
        Component("base", f"debian:{DEBIAN}-slim", "", "Debian without documentation and locales"),
        Component("toolbox", "", "toolbox", "tini, socat, curl, nftables, tc: the sandbox's own containers"),
        Component(
            "base-bookworm",
            "debian:bookworm-slim",
            "",
            "the Debian before that, for versions that trixie no longer has",
            "bookworm",
        ),
        Component("nginx", "nginx:1.27", "nginx", "/etc/nginx/conf.d, logs to the output, user nginx, SIGQUIT, curl"),
        Component("haproxy", "haproxy:3.0", "haproxy", "user haproxy, /usr/local/etc/haproxy, SIGUSR1, Lua"),
        Component(
            "h2o",
            "lkwg82/h2o-http2-server:v2.2.5",
            "h2o",
            "/etc/h2o/h2o.conf, port 8080, logs to the output",
            "bookworm",
        ),
        Component("redis", "redis:7", "redis", "port 6379, /data, user redis, arguments of redis-server", "bookworm"),
        Component(
            "mariadb",
            "mariadb:11.8",
            "mariadb",
            "port 3306, /var/lib/mysql, MARIADB_..., SQL in /docker-entrypoint-initdb.d; no TLS, no scripts there",
        ),
        Component(
            "php-apcu",
            "",
            "php-apcu",
            "php:8.4-fpm with APCu, pdo_mysql and redis: port 9000, /var/www/html, /usr/local/etc/php-fpm.d",
        ),
        Component("varnish", "varnish:7.7", "varnish", "user varnish, the modules of varnish-modules, a C compiler"),
        Component(
            "mongo",
            "mongo:7",
            "mongo",
            "port 27017, /data/db, MONGO_INITDB_ROOT_...: a stand-in for MongoDB, no mongosh",
        ),
        Component("ghost", "ghost:6", "ghost", "/var/lib/ghost/content, port 2368, configuration by environment"),
        Component(
            "ghost-blog",
            "",
            "ghost-blog",
            "/blog: the content of a blog that ghost has been up with, for file systems that are not new",
            images={"GHOST": "ghost"},
        ),
        Component(
            "flask-socketio", "", "flask-socketio", "Flask-SocketIO 5: threads, gevent or eventlet; runs /app/app.py"
        ),
        Component(
            "flask-socketio-2020", "", "flask-socketio-2020", "the same with Flask-SocketIO 4.3 of 2020", "bookworm"
        ),
        Component(
            "socketio-client", "", "socketio-client", "Node with socket.io-client 4 and 2; runs a session script"
        ),
        Component(
            "cache-tests", "", "cache-tests", "the suite http-tests/cache-tests: its origin on port 8000, its client"
        ),
        Component("chromium", "", "chromium", "headless Chromium, its DevTools protocol on port 9222"),
        Component("nuxt-a", "", "nuxt", _NUXT, sources=_NUXT_SOURCES, arguments={"RELEASE": "a"}),
        Component("nuxt-b", "", "nuxt", _NUXT, sources=_NUXT_SOURCES, arguments={"RELEASE": "b"}),
        Component(
            "nuxt-b-after-a",
            "",
            "nuxt",
            "nuxt-b that also has the assets of nuxt-a",
            sources=_NUXT_SOURCES,
            arguments={"RELEASE": "b"},
            images={"PREVIOUS": "nuxt-a"},
        ),
        Component(
            "nuxt-dev",
            "",
            "nuxt",
            "Node, npm and the packages of the shop: `nuxt dev` on sources that are mounted in /app",
            sources=_NUXT_SOURCES,
            target="packages",
        ),
        Component("nuxt2-a", "", "nuxt2", _NUXT2, sources=_NUXT2_SOURCES, arguments={"RELEASE": "a"}),
        Component("nuxt2-b", "", "nuxt2", _NUXT2, sources=_NUXT2_SOURCES, arguments={"RELEASE": "b"}),
        Component(
            "orders",
            "",
            "orders",
            "the first release of compose/orders: /app, port 5000, DATABASE",
            sources=("orders/app",),
            images={"PYTHON": "flask-socketio"},
        ),
        Component(
            "localstack-server",
            "localstack/localstack:4.14.0",
            "localstack-server",
            'port 4566, /var/lib/localstack, configuration by environment, "Ready." in the log',
        ),
        Component(
            "localstack-lambda",
            "",
            "localstack-lambda",
            "what runs a function under LocalStack: Python with awslambdaric and boto3 in /var/lang, /var/rapid/init",
            modules=_LAMBDA_MODULES,
        ),
        Component(
            "localstack",
            "",
            "localstack",
            "localstack-server that runs functions by itself: the sandbox's plugin, LAMBDA_RUNTIME_EXECUTOR=process",
            modules=_LAMBDA_MODULES,
            images={"LOCALSTACK": "localstack-server", "LAMBDA": "localstack-lambda"},
        ),
        Component(
            "discovery",
            "",
            "discovery",
            "flask-socketio with curl and dnsmasq: runs the services of compose/discovery/app",
            images={"PYTHON": "flask-socketio"},
        ),
        Component("instance", "", "instance", "an EC2 instance from within: a shell, curl, docker's client, ssm-run"),
        Component(
            "faketime", "", "faketime", "libfaketime at /opt/faketime, which shows processes another time", "bookworm"
        ),
        Component("compose-plugin", "", "compose-plugin", "Docker Compose 2 as one file, for engines without it"),
    )
}


def local_tag(name: str) -> str:
    """The tag of the local build: it changes with the build context and with what the base is made of."""
    component = CATALOGUE[name]
    digest = hashlib.sha256(component.suite.encode())
    if component.folder:
        for inner, path in component.files():
            digest.update(inner.encode() + b"\0" + path.read_bytes() + b"\0")
    made_of = {**component.arguments, **{argument: local_tag(other) for argument, other in component.images.items()}}
    for argument, value in sorted(made_of.items()):
        digest.update(f"{argument}={value}\0".encode())
    digest.update(component.target.encode())
    return f"{LOCAL}/{name}:{digest.hexdigest()[:12]}"


def component_of(reference: str) -> str | None:
    """The component whose image ``reference`` is (another tag of an official one is another image), or None."""
    short = reference.removeprefix("docker.io/").removeprefix("library/")
    for component in CATALOGUE.values():
        if short == component.reference:
            return component.name
    return None
