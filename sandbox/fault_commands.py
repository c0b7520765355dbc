"""The sub-commands of ``sandbox fault``: one for each fault, and ``list``."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Annotated

import typer

from sandbox.errors import SandboxError
from sandbox.faults import base

app = typer.Typer(no_args_is_help=True, help="Put a fault into a stack that is up.")

TargetArgument = Annotated[str, typer.Argument(help="What it is put into, such as service:shop.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An option of the fault; may be repeated.")
]
ForOption = Annotated[
    float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="End it after so long (else: at Ctrl-C).")
]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False) -> None:
    """List the faults, what they can be put into, and their options."""
    faults = base.catalogue().values()
    if as_json:
        print(json.dumps({"version": 1, "faults": [fault.as_json() for fault in faults]}, indent=2))
        return
    for fault in faults:
        print(f"{fault.name}  {', '.join(f'{kind}:NAME' for kind in fault.targets)}\n    {fault.summary}")
        for option in fault.options:
            print(f"    --set {option.name}={option.default}  {option.help}: {option.range()}")


def _command(fault: base.Fault) -> Callable[..., None]:
    def command(target: TargetArgument, options: SetOption = None, seconds: ForOption = None) -> None:
        _inject(fault, target, options or [], seconds)

    kinds = f"Targets: {', '.join(f'{kind}:NAME' for kind in fault.targets)}."
    lines = [f"{option.name}: {option.help}; {option.range()}; default {option.default}." for option in fault.options]
    command.__doc__ = "\n\n".join([fault.summary, kinds, *lines])
    return command


def _inject(fault: base.Fault, target: str, options: list[str], seconds: float | None) -> None:
    from sandbox.controllers import faults, up

    given = {}
    for item in options:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise SandboxError(f"--set wants NAME=VALUE, not '{item}'")
        given[name] = value
    values = fault.read(given)
    if fault.instant and seconds is not None:
        raise SandboxError(f"--for: {fault.name} is over at once")
    remote = faults.Remote(up.living(), fault.name, target, values)
    what = " ".join([f"{fault.name} {target}", *(f"{name}={value}" for name, value in values.items())])
    if fault.instant:
        print(f"done: {what}")
        return
    until = f"for {seconds:g} s" if seconds is not None else "until Ctrl-C"
    print(f"in {remote.stack}, {until}: {what}", flush=True)
    try:
        _hold(remote.keep, seconds)
    finally:
        remote.end()
        print("ended", flush=True)


def _hold(keep: Callable[[], None], seconds: float | None) -> None:
    from sandbox.controllers.faults import LEASE

    end = time.monotonic() + (threading.TIMEOUT_MAX if seconds is None else seconds)
    never = threading.Event()
    while (left := end - time.monotonic()) > 0:
        never.wait(min(left, LEASE / 3))
        keep()


for _fault in base.catalogue().values():
    app.command(_fault.name)(_command(_fault))
