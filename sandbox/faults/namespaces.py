"""Network namespaces of tasks and load balancers: rules of nftables in them, and a helper that listens there."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.faults.base import Reach, Undo
from sandbox.faults.targets import Target, namespaces

HELPER_USER = 64999
"""The user of helpers, by whom their own connections are told from those of the task."""

_SCRIPTS = Path(__file__).parent
_INSIDE = "/helper.pl"
_PORTS = range(61000, 65000)  # Linux takes no port from there for a connection that asks for none


def in_each(reach: Reach, target: Target, put: Callable[[str], Undo]) -> Undo:
    """Put something into each network namespace of the target; where one of them refuses it, the others lose it again.

    Args:
        reach: The sandbox's.
        target: See `targets.namespaces`, also for its errors.
        put: Called with the container that owns a namespace.
    """
    with contextlib.ExitStack() as undo:
        for container in namespaces(reach, target):
            undo.callback(put(container))
        return undo.pop_all().close


def redirect(
    reach: Reach, container: str, rules: Callable[[int], str], script: str, *arguments: str, only: str
) -> Undo:
    """Have nftables lead connections to a helper in the namespace that ``container`` owns.

    Args:
        reach: The sandbox's.
        container: The owner of the namespace.
        rules: The chains, given the port of the helper.
        script: See `_add_helper`.
        arguments: See there.
        only: See `add_rules`.

    Raises:
        SandboxError: The helper did not come up, or nftables refused the rules; nothing is left.
    """
    with contextlib.ExitStack() as undo:
        port, removed = _add_helper(reach, container, script, arguments)
        undo.callback(removed)
        undo.callback(add_rules(reach, container, rules(port), only))
        return undo.pop_all().close


def add_rules(reach: Reach, container: str, rules: str, only: str = "") -> Undo:
    """Have nftables carry out chains, in a table of their own, in the namespace that ``container`` owns.

    Args:
        reach: The sandbox's.
        container: The owner of the namespace.
        rules: The chains.
        only: What there can be one of in a namespace, such as "latency" ("": as many as wanted).

    Raises:
        SandboxError: nftables refused them, or there is one already.
    """
    table = f"inet fault_{only or secrets.token_hex(4)}"
    try:
        run(reach, container, ["nft", f"create table {table}\ntable {table} {{\n{rules}\n}}\n"])
    except SandboxError as error:
        if "File exists" in error.state:
            raise already_held(only) from None
        raise
    return lambda: run_if_there(reach, container, ["nft", f"delete table {table}"])


def already_held(kind: str) -> SandboxError:
    """What to raise where there can be one fault of a kind, and there is one."""
    return SandboxError(f"the target has a fault of this kind already ({kind})", hint="end that first")


def run_if_there(reach: Reach, container: str, command: Sequence[str]) -> None:
    """As `run`; fine where the container is gone, or is going."""
    try:
        run(reach, container, command)
    except SandboxError:
        if reach.containers.client.api.containers(filters={"id": container}):
            raise


def run(reach: Reach, container: str, command: Sequence[str]) -> None:
    """Run a command in the container that owns a namespace.

    Raises:
        SandboxError: It failed; the error has its words.
    """
    code, out, err = reach.containers.execute(container, command)
    if code:
        raise SandboxError(f"{command[0]} could not carry out the fault", state=(err or out).strip())


def _add_helper(reach: Reach, container: str, script: str, arguments: Sequence[str]) -> tuple[int, Undo]:
    """Run a script of this package in the namespace that ``container`` owns; it listens when this returns.

    Args:
        reach: The sandbox's.
        container: The owner of the namespace.
        script: Its file's name. It gets the port that it listens on, and ``arguments``, and prints a line when it does.
        arguments: See there.

    Returns:
        The port, and what removes it.

    Raises:
        SandboxError: It did not come up.
    """
    # They take a while to load, and `sandbox --help` has no use for them.
    from docker.types import Mount

    from sandbox.engine.containers import Spec

    port = secrets.choice(_PORTS)
    helper = reach.containers.run_new(
        Spec(
            f"fault-{secrets.token_hex(4)}",
            reach.toolbox(),
            entrypoint=["tini", "-g", "--", "perl", _INSIDE],
            command=[str(port), *arguments],
            user=str(HELPER_USER),
            network_of=container,
            cap_drop=["ALL"],
            mounts=[Mount(_INSIDE, str(_SCRIPTS / script), type="bind", read_only=True)],
        )
    )
    with contextlib.ExitStack() as removed:
        removed.callback(reach.containers.remove, helper)
        if next(reach.containers.follow(helper), b"") != b"listening\n":
            raise SandboxError(f"the helper {script} did not come up", log=reach.containers.log_tail(helper))
        removed.pop_all()
    return port, lambda: reach.containers.remove(helper)
