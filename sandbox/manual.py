"""What ``--help`` says beside a command's options: groups of them, examples, exit codes, the environment.

It is one table, so that the modules of commands have what a command does alone, and a test can try every example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.later import LaterGroup

_OK = ("0: done", "2: usage or environment", "130: interrupted")


def _or(zero: str, one: str) -> tuple[str, ...]:
    return (f"0: {zero}", f"1: {one}", *_OK[1:])


_DID = _or("everything did what it declares", "something did not")
_FOUND = _or("nothing of that severity was found", "something was")
_DOCKER = (
    "DOCKER_HOST: the Docker engine, if it is not this machine's own",
    "SANDBOX_DOCKER_HOSTS: several engines of this machine, with commas between them",
)
_ACTIONS = "GITHUB_ACTIONS: where it is true, failures are annotations"
_ENGINE = (
    *_DOCKER,
    "XDG_CACHE_HOME: what can be made again is kept there (~/.cache)",
    "HTTP_PROXY, HTTPS_PROXY, NO_PROXY, PIP_INDEX_URL, NPM_CONFIG_REGISTRY and",
    "SSL_CERT_FILE: builds of images have them, too",
)

# Examples, exit codes, variables that are read; those of a group are its commands', where they have none.
_Page = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
_PAGES: Mapping[str, _Page] = {
    "sandbox": (("sandbox doctor", "sandbox list", "sandbox run dns-lambda", "sandbox up ghost"), _DID, _ENGINE),
    "list": (("sandbox list", "sandbox list --json"), _OK, ()),
    "run": (
        (
            "sandbox run",
            "sandbox run dns-lambda alb-drain --report report",
            "sandbox run dns-lambda --variant by-name --keep",
            "sandbox run --jobs 3 --json - --junit junit.xml",
        ),
        _DID,
        (*_ENGINE, _ACTIONS),
    ),
    "up": (
        (
            "sandbox up ghost --port 8080",
            "sandbox up ghost --ui",
            "sandbox up ./my-stack --set image=shop:2 \\\n      --timeline timeline.jsonl",
        ),
        _OK,
        _ENGINE,
    ),
    "init": (("sandbox init", "sandbox init ./my-stack"), _OK, ()),
    "test": (
        ("sandbox test ./my-stack", "sandbox test ./my-stack --check front-page --junit junit.xml"),
        _or("every check held", "one did not"),
        (*_ENGINE, _ACTIONS),
    ),
    "down": (("sandbox down", "sandbox down --all"), _OK, _DOCKER),
    "deploy": (
        ("sandbox deploy ghost --image nginx=nginx:1.28", "sandbox deploy ghost --image nginx=shop:2 --json"),
        _or("every deployment is completed", "one is rolled back, has failed or takes too long"),
        (),
    ),
    "exec": (
        ("sandbox exec 2c8c02fe nginx -- nginx -T",),
        ("the command's own", "2: usage or environment"),
        _DOCKER,
    ),
    "interrupt": (("sandbox interrupt 2c8c02fe",), _OK, ()),
    "env": (('eval "$(sandbox env)"', "sandbox env --terraform > sandbox_override.tf"), _OK, ()),
    "replay": (
        (
            "sandbox replay replace --handler dns.py:handler --zone example.com \\\n"
            "      --order shuffled --duplicate 0.2",
            "sandbox replay failing.json --handler dns.py:handler --zone example.com",
        ),
        _or("the invariants held", "one did not"),
        (),
    ),
    "fault": (
        ("sandbox fault list", "sandbox fault kill service:ghost", "sandbox fault latency service:ghost --for 30"),
        _OK,
        (),
    ),
    "doctor": (("sandbox doctor", "sandbox doctor --fix"), ("0: nothing is missing", "2: something is"), _ENGINE),
    "images list": (("sandbox images list --json",), _OK, _DOCKER),
    "images build": (("sandbox images build", "sandbox images build nginx ghost --images build"), _OK, _ENGINE),
    "check cache": (
        (
            "sandbox check cache http://127.0.0.1:8080/ --policy CachingOptimized",
            "sandbox check cache http://127.0.0.1:8080/ \\\n      --distribution distribution.json --severity warning",
        ),
        _FOUND,
        (),
    ),
    "check websocket": (
        (
            "sandbox check websocket http://127.0.0.1:8080/ \\\n"
            "      --behind http://127.0.0.1:5000/ --nginx nginx.conf",
            "sandbox check websocket --nginx nginx.conf",
        ),
        _FOUND,
        (),
    ),
    "check assets": (
        (
            "sandbox check assets http://127.0.0.1:8080/",
            "sandbox check assets http://127.0.0.1:8080/ \\\n      --during ./deploy.sh --visitors 20",
        ),
        _FOUND,
        (),
    ),
    "report merge": (("sandbox report merge shards/* --into report",), _OK, ()),
    "simulate rolling-deploy": (
        ("sandbox simulate rolling-deploy --tasks 50 --rps 200 --baked \\\n      --plot deploy.svg",),
        _OK,
        (),
    ),
}

# Groups of options; one that is in none stands under "Options".
_PANELS: Mapping[str, str] = {
    "Results": "--json --junit --report --timelines --timeline --save --plot --severity --annotations --code-quality "
    "--into",
    "How it runs": "--images --aws --speed --keep --limit --within",
    "Ports": "--port --endpoint-port --dns-port --ui-port",
    "The function": "--handler --env --memory --retries --fresh",
    "What becomes of the events": "--shape --order --duplicate --delay --drop --tries --pattern",
    "AWS's state, and what must hold": "--against --zone --invariant --name --check",
    "CloudFront": "--policy --policy-file --distribution --min-ttl",
    "How the site is asked": "--header --host --origin --count --depth --seconds --rate --visitors --tabs --settle "
    "--during --asset-host --protocol --path --eio --idle --emit --expect --data --clients",
    "The deployment": "--min-healthy --max --circuit-breaker --rollback-at --start --boot --stop --spread",
    "The load balancer": "--health-interval --healthy-threshold --unhealthy-threshold --grace --deregistration-delay "
    "--algorithm --sticky",
    "The page and its files": "--assets --changed --baked --s3 --spa-fallback --pause --gap --tab-open",
    "The CDN": "--cdn --edges --error-ttl",
}
_PANEL_OF = {option: panel for panel, options in _PANELS.items() for option in options.split()}


class ManualGroup(LaterGroup):
    """A group whose commands, and theirs, have all this in their help."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.epilog = _epilog("sandbox")
        _write(self.commands, "")

    def prepare(self, name: str, group: Any) -> Any:
        """A sub-group with its help."""
        group = super().prepare(name, group)
        _write({name: group}, "")
        return group


def examples() -> dict[str, tuple[str, ...]]:
    """Each command's examples, as somebody types them."""
    return {command: page[0] for command, page in _PAGES.items()}


def page(command: str) -> _Page:
    """A command's examples, exit codes, and variables that it reads; those of its group, where it has none.

    Args:
        command: Without ``sandbox``: "images list".
    """
    return _PAGES.get(command) or _PAGES.get(command.partition(" ")[0]) or ((), (), ())


def _write(commands: Mapping[str, Any], before: str) -> None:
    for name, command in commands.items():
        command.epilog = _epilog(before + name)
        if inner := getattr(command, "commands", None):
            _write(inner, f"{before}{name} ")
        for parameter in command.params:
            parameter.rich_help_panel = next(
                (_PANEL_OF[one] for one in parameter.opts if one in _PANEL_OF), parameter.rich_help_panel
            )


def _epilog(command: str) -> str:
    shown, codes, variables = page(command)
    parts = {"Examples": shown, "Exit codes": codes, "Environment": variables}
    return "\n".join(
        line
        for title, lines in parts.items()
        if lines
        for line in (f"[bold]{title}[/bold]", *(f"  {one}" for one in lines))
    )
