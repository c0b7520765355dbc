"""A cache that was cleared from the command line: the web server's is another one."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import OLD, WITHOUT_DATABASE, Shop, machines, shown, visits
from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

CLEAR = "var_dump(apcu_enabled(), apcu_clear_cache());"
ONE_MACHINE = {**WITHOUT_DATABASE, "machines": "1"}


def play(play: Play) -> None:
    """Change a price, clear the cache in the task's own containers, and ask for the price."""
    sandbox, shop = play.sandbox, Shop(play.sandbox)
    ((_, task),) = shop.wait_machines(1).items()
    shop.look()
    shop.change_price()
    container, command = play.variant.settings["container"], play.variant.settings["command"]
    sandbox.progress(f"clearing the cache in container {container}")
    code, out, said = sandbox.execute(task, container, command, prints=True)
    if code:
        raise SandboxError(f"container {container} could not run {command[0]}", state=said.strip() or out.strip())
    sandbox.timeline.record("cleared", command=command, said=" ".join(out.split()))
    shop.look()
    shop.visit(5)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the old price is shown after the cache was cleared."""
    (cleared,) = (seen for seen in observations if seen.kind == "cleared")
    (before,), (after,) = machines(observations, last=False), machines(observations)
    facts = (
        f"before: {shown(before)}; then the price was changed",
        f"{' '.join(cleared['command'])}: {cleared['said']}",
        f"after: {shown(after)}; APCu of php-fpm had {after['entries']} entries",
        visits(observations),
    )
    return Verdict(after["price"] == OLD, facts)


SCENARIO = Scenario(
    name="apcu-cli-vs-fpm",
    stack="apcu",
    symptom="The deploy script has cleared APCu, and said so; visitors still see the old price.",
    cause=(
        "APCu is memory of one server's processes. The command line is another process, with a memory of its own (or, "
        "by default, with none): what it clears is that, and php-fpm's stays."
    ),
    fix="Have php-fpm clear it: a page that calls apcu_clear_cache(), asked through nginx, and from 127.0.0.1 alone.",
    variants=(
        Variant(
            "command-line",
            "reproduces",
            "php -r in php-fpm's own container; there APCu is off by default",
            ONE_MACHINE,
            {"container": "php", "command": ["php", "-r", CLEAR]},
        ),
        Variant(
            "command-line-enabled",
            "reproduces",
            "the same with apc.enable_cli=1: it clears a cache of its own",
            ONE_MACHINE,
            {"container": "php", "command": ["php", "-d", "apc.enable_cli=1", "-r", CLEAR]},
        ),
        Variant(
            "through-nginx",
            "holds",
            "curl in nginx's container: php-fpm clears its own",
            ONE_MACHINE,
            {"container": "nginx", "command": ["curl", "--fail", "--silent", "http://127.0.0.1/purge"]},
        ),
    ),
    play=play,
    judge=judge,
    speed=5,
)
