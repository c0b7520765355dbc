"""``sandbox up`` and ``sandbox down``: a stack that stays up in a process of its own, and its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.controllers.ground import Ground
from sandbox.engine import placement, sweep
from sandbox.engine.run import runs_folder
from sandbox.errors import SandboxError
from sandbox.report import terminal
from sandbox.runner import EXIT_NOT_RUN
from sandbox.timeline import Observation

if TYPE_CHECKING:
    from sandbox.controllers.sandbox import Sandbox
    from sandbox.controllers.stack import Stack
    from sandbox.controllers.stack_file import StackDefinition
    from sandbox.live.server import LiveServer

AUTHORITY_FILE = "authority.pem"


@dataclass(frozen=True)
class Request:
    """What ``sandbox up`` was asked for; see its options."""

    stack: str
    port: int
    endpoint_port: int
    dns_port: int
    parameters: Mapping[str, str]
    timeline: Path | None
    keep: bool
    images: str
    speed: float
    aws: str
    ui: bool = False
    ui_port: int = 0


def up(request: Request) -> None:
    """Bring the stack up and serve it until interrupted.

    Raises:
        SandboxError: It did not come up, or the engine went away while it was.
    """
    with ExitStack() as closing:
        view = _live_view(request, closing)
        progress = closing.enter_context(terminal.Progress(f"up {request.stack}"))
        sandbox, definition = _sandbox(request, progress, closing)
        closing.enter_context(sandbox)
        if view is not None:
            view.begin(sandbox, definition.name)
            closing.callback(view.close)  # before the sandbox is
            terminal.out.print(f"live view: {view.url}", soft_wrap=True)
        try:
            stack, urls = _bring_up(sandbox, definition, request)
        except BaseException:
            if request.keep:
                sandbox.keep()
            raise
        progress.stop()
        from sandbox.controllers import up as states

        for note in stack.definition.notes:
            terminal.err.print(f"note: {note}", soft_wrap=True, markup=False)
        host, port = sandbox.dns_address
        names = _distributions(sandbox)
        secure = any(inside.startswith("https:") for inside in urls)
        authority = sandbox.authority.certificate.decode() if secure else ""
        environment = sandbox.environment()
        ready = [one.url for one in stack.definition.ready]
        states.UpState(
            stack.name, os.getpid(), urls, names, sandbox.endpoint_url, f"{host}:{port}", environment, ready, authority
        ).write(sandbox.run_id)
        unsubscribe = sandbox.timeline.subscribe(_follow)
        try:
            _show(sandbox, stack, urls)
            sandbox.timeline.wait_for("the end", lambda seen: False, within=threading.TIMEOUT_MAX)
        except KeyboardInterrupt:
            terminal.err.print("taking the stack down ...")
            raise
        finally:
            unsubscribe()
            if (failure := sandbox.timeline.unwritten) is not None:
                terminal.error(failure)


def _live_view(request: Request, closing: ExitStack) -> LiveServer | None:
    """Its port is taken before anything is made, which would be for nothing where it is in use."""
    if not request.ui:
        return None
    from sandbox.live.server import LiveServer  # what it serves with takes a while to load

    view = LiveServer(request.ui_port)
    closing.callback(view.close)
    return view


def _sandbox(request: Request, progress: terminal.Progress, closing: ExitStack) -> tuple[Sandbox, StackDefinition]:
    """A sandbox, and the stack that is to come up in it: the engine begins with that before the sandbox is whole.

    ``closing`` gets what the sandbox is given, and is not its own to end.
    """
    with ExitStack() as undone:
        ground = Ground(request.images, progress.step)
        undone.callback(ground.close)
        # This takes as long to load as the engine needs for the networks,
        from sandbox.controllers import stacks
        from sandbox.controllers.estate import Estate
        from sandbox.controllers.localstack_choice import localstack_of

        definition = stacks.find(request.stack)
        estate = Estate(ground, request.speed, request.timeline)
        undone.callback(estate.close)
        estate.make_ahead(definition, estate.known(definition, request.parameters))
        given = localstack_of(request.aws, request.images, request.speed, progress.step)
        localstack = closing.enter_context(given)
        # and this as long as it needs for the first task's interface.
        from sandbox.controllers.sandbox import Sandbox

        sandbox = Sandbox(
            speed=request.speed,
            progress=progress.step,
            timeline_file=request.timeline,
            endpoint_port=request.endpoint_port,
            dns_port=request.dns_port,
            localstack=localstack,
            ground=ground,
            estate=estate,
        )
        undone.pop_all()
        return sandbox, definition


def _bring_up(sandbox: Sandbox, definition: StackDefinition, request: Request) -> tuple[Stack, dict[str, str]]:
    stack = sandbox.begin_stack(definition, request.parameters)
    stack.wait_running()
    urls: dict[str, str] = {}
    for index, ready in enumerate(stack.definition.ready):
        parts = urlsplit(ready.url)
        wanted = request.port if index == 0 else 0
        usual = 443 if parts.scheme == "https" else 80
        door = sandbox.door(parts.hostname or "", port=wanted, target_port=parts.port or usual)
        urls[ready.url] = f"{door}{parts.path}".replace("http:", f"{parts.scheme}:", 1)
    stack.wait_ready()
    for name in _distributions(sandbox):
        urls[f"https://{name}/"] = f"{sandbox.door(name, target_port=443)}/".replace("http:", "https:", 1)
    return stack, urls


def _distributions(sandbox: Sandbox) -> list[str]:
    """The names by which viewers ask for the distributions of the stack."""
    deployed = {seen["distribution"]: seen for seen in sandbox.timeline.since() if seen.kind == "cdn.deployed"}
    return [name for seen in deployed.values() for name in seen["aliases"] or [seen["domain_name"]] if "*" not in name]


def _discovered(sandbox: Sandbox) -> list[str]:
    """The names of Cloud Map's services that are in DNS."""
    seen = sandbox.timeline.since()
    services = {f"{one['service']}.{one['namespace']}" for one in seen if one.kind == "cloudmap.instance"}
    return sorted({one["name"] for one in seen if one.kind == "dns.change" and one["name"] in services})


def _show(sandbox: Sandbox, stack: Stack, urls: Mapping[str, str]) -> None:
    out = terminal.out
    out.print(f"[bold]{stack.name}[/bold] is up: {stack.definition.description}")
    for inside, url in urls.items():
        out.print(f"  {url}  leads to {inside}, as a viewer on the internet reaches it", soft_wrap=True)
    if any(inside.startswith("https:") for inside in urls):
        file = runs_folder() / sandbox.run_id / AUTHORITY_FILE
        file.write_bytes(sandbox.authority.certificate)
        out.print(f"  HTTPS has a certificate of the sandbox's own authority: curl --cacert {file}", soft_wrap=True)
    for output, text in stack.definition.outputs.items():
        out.print(f"  output {output} = {text}", soft_wrap=True, markup=False)
    host, port = sandbox.dns_address
    names = dict.fromkeys([*(urlsplit(inside).hostname for inside in urls), *_discovered(sandbox)])
    for name in names or ("NAME",):
        out.print(f"  dig @{host} -p {port} {name}", soft_wrap=True)
    out.print('  environment (or, in another terminal: eval "$(sandbox env)"):')
    for name, value in sandbox.environment().items():
        out.print(f"    export {name}={value}", soft_wrap=True)
    out.print("Ctrl-C, or `sandbox down` in another terminal, takes it down.")


def _follow(seen: Observation) -> None:
    from sandbox.report import live

    if told := live.line(seen):
        try:
            terminal.out.print(f"  {told}", soft_wrap=True, markup=False)
        except OSError as error:  # a full disk: whoever has recorded this has more to do than to show it
            terminal.out.quiet = True
            terminal.err.print(f"what happens is not shown any more, and the stack stays up: {error}", soft_wrap=True)


def down(*, everything: bool) -> int:
    """Take down stacks that are up, then remove what dead runs left (``everything``: what any run has).

    Returns:
        The exit code: 2 where one of several engines does not answer, or a stack does not go down, which is named.

    Raises:
        SandboxError: No engine answers.
    """
    from sandbox.controllers import up as states

    living = states.living()
    stays = False
    for state in living:
        terminal.out.print(f"taking down {state.stack} (process {state.pid})")
        try:
            states.end(state)
        except SandboxError as error:  # the others go down all the same
            terminal.error(error)
            stays = True
    swept = sweep.Swept()
    with placement.opened() as engines:
        for client in engines.answering.values():
            swept += sweep.remove_everything(client) if everything else sweep.remove_dead_runs(client, kept=True)
        engines.complain(terminal.err.print)
        exit_code = engines.exit_code or (EXIT_NOT_RUN if stays else 0)
    if swept:
        terminal.out.print(f"removed {swept}")
    elif not living:
        terminal.out.print("nothing to take down")
    return exit_code
