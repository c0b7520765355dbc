"""The ``sandbox`` command.

Exit codes: 0, everything did what it declares; 1, something did not; 2, usage or environment; 130, interrupted.
Docker, boto3 and moto are imported by the commands that need them, so that ``--help`` is there at once.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

import sandbox
from sandbox import completion, garbage, image_commands, interrupts, own_commands
from sandbox.errors import SandboxError
from sandbox.image_commands import ImagesOption
from sandbox.manual import ManualGroup
from sandbox.own_commands import AnnotationsOption, CodeQualityOption
from sandbox.report.files import check_writable, write_whole

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class _Commands(ManualGroup):
    later = {  # noqa: RUF012
        "images": "sandbox.image_commands",
        "check": "sandbox.checks.commands",
        "fault": "sandbox.fault_commands",
        "report": "sandbox.report_commands",
        "simulate": "sandbox.simulate.commands",
    }


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(own_commands.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sandbox {sandbox.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Run AWS container deployments on this machine, and see them fail here instead of in production."""


AwsOption = Annotated[
    str,
    typer.Option(
        "--aws",
        metavar="embedded|localstack|URL",
        help="Who answers AWS's API: this process, a LocalStack container, or a LocalStack of your own.",
    ),
]
SpeedOption = Annotated[float, typer.Option("--speed", min=0.001, help="Divide every AWS timer by this.")]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False) -> None:
    """List scenarios with their variants, and stacks."""
    from sandbox import scenario
    from sandbox.controllers import stack_file
    from sandbox.report import terminal

    scenarios = list(scenario.load_all().values())
    stacks = {name: stack_file.load(name).description for name in stack_file.names()}
    if as_json:
        content = {
            "version": 1,
            "scenarios": [item.as_json() for item in scenarios],
            "stacks": [{"name": name, "description": text} for name, text in stacks.items()],
        }
        print(json.dumps(content, indent=2))
        return
    terminal.scenarios(scenarios, stacks)


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Scenarios (all where none is named).", autocompletion=completion.scenarios),
    ] = None,
    variant: Annotated[str, typer.Option(help="Only this variant.", autocompletion=completion.variants)] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results there (- is the output).")] = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML there.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep timelines, and containers of a variant that did not do as declared.")
    ] = False,
    timelines: Annotated[Path | None, typer.Option(help="Folder for the timelines: JSON lines, one a variant.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page there that shows what happened: index.html.")
    ] = None,
    images: ImagesOption = "auto",
    speed: SpeedOption = 1.0,
    aws: AwsOption = "embedded",
    annotate: AnnotationsOption = "auto",
    code_quality: CodeQualityOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Run N variants at a time.")] = 1,
) -> None:
    """Run scenarios, show their evidence, and say whether each variant did what it declares."""
    from sandbox import jobs as at_a_time
    from sandbox import paths, runner, scenario
    from sandbox.report import failures, results, terminal

    _check(images, speed)
    failures.check_mode(annotate)
    scenarios = scenario.choose(scenario.load_all(), names or [])
    chosen = [
        (item, one) for item in scenarios for one in ([item.variant(variant)] if variant else list(item.variants))
    ]
    place = partial(failures.place_of_variant, paths.share() / "scenarios")
    files = results.Files(
        json_file,
        junit_file,
        code_quality,
        reviewer=lambda found: failures.write(
            failures.of(found, place, failures.repository()), annotate, code_quality, "scenarios"
        ),
    )
    files.check()
    page = _begin_report(report)
    if page is not None:
        files = dataclasses.replace(files, page=lambda found: page.write_run(found, scenarios))
    if timelines is None and (page is not None or keep):
        timelines = page.timelines if page is not None else Path("timelines")
    _make_folder(timelines)
    options = runner.Options(images, speed, keep, timelines, aws)
    finished = runner.Run()
    exit_code = runner.EXIT_NOT_RUN

    def show(result: runner.Result) -> None:
        files.update(finished)
        if not files.is_output:
            terminal.result_line(result)

    try:
        with failures.nothing_obeyed(annotate), terminal.Progress() as progress:

            def started(item: scenario.Scenario, one: scenario.Variant) -> None:
                several = f"{len(finished.results)} of {len(chosen)}"
                progress.title(several if jobs > 1 else f"{item.name} / {one.name}")

            listener = runner.Listener(started, progress.step, show)
            if jobs > 1:
                at_a_time.run(chosen, options, listener, finished, jobs)
            else:
                runner.run(chosen, options, listener, finished)
    finally:  # whatever ends a run, nothing is lost that it already knows
        exit_code = files.finish(finished)
        if finished.results and not files.is_output:
            terminal.summary(finished.results)
    raise typer.Exit(exit_code)


@app.command()
def up(
    stack: Annotated[
        str,
        typer.Argument(
            help="A stack's name, or a folder with a sandbox.toml or stack.yaml.", autocompletion=completion.stacks
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1 for the stack's first URL (0: any free one).")
    ] = 0,
    endpoint_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1 for the AWS endpoint (0: any free one).")
    ] = 0,
    dns_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1 for DNS (0: any free one).")] = 0,
    parameter: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE for the stack's parameters.")] = None,
    timeline: Annotated[Path | None, typer.Option(help="Write the observations there, as JSON lines.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="If it does not come up, leave its containers.")] = False,
    ui: Annotated[
        bool, typer.Option("--ui", help="Serve a page that shows the stack live, with buttons to act on it.")
    ] = False,
    ui_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of 127.0.0.1 for that page (0: any free one).")
    ] = None,
    images: ImagesOption = "auto",
    speed: SpeedOption = 1.0,
    aws: AwsOption = "embedded",
) -> None:
    """Bring a stack up, print how to reach it, and keep it up until Ctrl-C or `sandbox down`."""
    from sandbox import uphold

    _check(images, speed)
    check_writable(timeline)
    if ui_port is not None and not ui:
        raise SandboxError("--ui-port is of --ui, which is not asked for")
    uphold.up(
        uphold.Request(
            stack,
            port,
            endpoint_port,
            dns_port,
            _parameters(parameter or []),
            timeline,
            keep,
            images,
            speed,
            aws,
            ui,
            ui_port or 0,
        )
    )


@app.command()
def down(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what belongs to runs of other living processes (tests, `run`).")
    ] = False,
) -> None:
    """Take down what `sandbox up` keeps up, and remove what dead runs left behind."""
    from sandbox import uphold

    raise typer.Exit(uphold.down(everything=everything))


@app.command("deploy")
def deploy_(
    stack: Annotated[str, typer.Argument(help="A stack that is up.", autocompletion=completion.stacks)],
    image: Annotated[list[str], typer.Option("--image", help="CONTAINER=REFERENCE: a container's new image.")],
    service: Annotated[str, typer.Option(help="Only this service, where several have such a container.")] = "",
    within: Annotated[float, typer.Option(min=1, help="Seconds until a deployment is given up.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False,
) -> None:
    """Deploy an image to a stack that is up: a new revision, a rolling update, and what becomes of it.

    Exits with 0 if every deployment is completed, with 1 if one is rolled back, has failed or takes too long.
    """
    from sandbox.controllers import deploy
    from sandbox.controllers import up as states
    from sandbox.report import terminal

    images = _parameters(image, "--image")
    state = deploy.find(states.living(), stack)

    def tell(text: str) -> None:
        if not as_json:
            terminal.out.print(text, soft_wrap=True, markup=False, highlight=False)

    outcomes = deploy.deploy(state.endpoint_url, images, service=service, within=within, tell=tell)
    exit_code = 0 if all(outcome.result == "completed" for outcome in outcomes) else 1
    if as_json:
        content = {"version": 1, "exit_code": exit_code, "deployments": [outcome.as_json() for outcome in outcomes]}
        print(json.dumps(content, indent=2))
    raise typer.Exit(exit_code)


@app.command("exec")
def exec_(
    task: Annotated[str, typer.Argument(help="A task's id, its beginning, or its ARN.")],
    container: Annotated[str, typer.Argument(help="The container's name in the task definition.")],
    command: Annotated[list[str], typer.Argument(help="After --: the command and its arguments.")],
) -> None:
    """Run a command in a container of a running task; the exit code is the command's (ECS: execute-command)."""
    from sandbox.controllers import task_exec
    from sandbox.engine import placement

    with placement.opened() as engines:
        exit_code = task_exec.run(list(engines.answering.values()), task, container, command)
    raise typer.Exit(exit_code)


@app.command()
def interrupt(
    task: Annotated[str, typer.Argument(help="A task's id, its beginning, or its ARN.")],
) -> None:
    """Interrupt a Fargate Spot task of a stack that is up, as AWS does when it takes the capacity back."""
    from sandbox.controllers import spot
    from sandbox.controllers import up as states

    print(f"interrupted {spot.interrupt(states.living(), task)}")


@app.command()
def env(
    terraform: Annotated[
        bool, typer.Option("--terraform", help="Print a file for Terraform instead: sandbox_override.tf.")
    ] = False,
) -> None:
    """Print what to export so that AWS clients use the stack that is up: eval "$(sandbox env)"."""
    from sandbox.controllers import up as states
    from sandbox.controllers.terraform import override

    living = states.living()
    if not living:
        raise SandboxError("no stack is up", hint="bring one up in another terminal: sandbox up ghost")
    if terraform:
        print(override(living[0].endpoint_url, living[0].environment["AWS_REGION"]), end="")
        return
    for line in states.exports(living[0].environment, os.environ):
        print(line)


@app.command()
def replay(
    events: Annotated[
        list[str],
        typer.Argument(
            help="Files with events (JSON, JSON lines, a timeline, a saved replay); or one sequence: start, stop, "
            "replace, rolling-update, spot-interruption; or FILE.py:NAME."
        ),
    ],
    handler: Annotated[str, typer.Option(metavar="FILE:FUNCTION", help="The Lambda function.")],
    shape: Annotated[
        str,
        typer.Option(
            help="Of the attachments in a sequence's events: documented, elb-first, field-inserted, seen-2024."
        ),
    ] = "",
    order: Annotated[str, typer.Option(help="recorded, shuffled or reversed.")] = "recorded",
    duplicate: Annotated[float, typer.Option(metavar="P", help="Tell an event twice with this probability.")] = 0.0,
    delay: Annotated[
        str, typer.Option(metavar="SECONDS", help="Tell events late: up to so much, or FROM-TO. Nothing waits.")
    ] = "0",
    drop: Annotated[float, typer.Option(metavar="P", help="Never tell an event with this probability.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the first order; each further one has the next.")] = 0,
    tries: Annotated[
        int | None, typer.Option(min=1, help="Orders to try (100 where chance decides them, else 1).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="STATE", help="AWS's state to start from: JSON (docs/formats.md).")
    ] = None,
    zone: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=ID]", help="A hosted zone that there is; may be repeated.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="The function's environment; may be repeated.")
    ] = None,
    pattern: Annotated[
        str,
        typer.Option(metavar="PATTERN", help="The rule's event pattern: JSON, or a file. Only what matches is told."),
    ] = "",
    invariant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE:FUNCTION",
            help="What must hold: record-points-at-running-task, no-event-lost (the default), or your own function of "
            "the state; may be repeated.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="The record that the invariant is about (all A records).")] = "",
    check: Annotated[
        str, typer.Option(help="When it must hold: in the end, or always (after each event, too).")
    ] = "end",
    retries: Annotated[int, typer.Option(min=0, max=2, help="Of an event that failed, as Lambda's.")] = 2,
    timeout: Annotated[int, typer.Option(min=1, max=900, help="The function's, in seconds.")] = 3,
    memory: Annotated[int, typer.Option(min=128, max=10240, help="The function's, in MiB.")] = 128,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="A new process for each order: no state of the module lasts.")
    ] = False,
    limit: Annotated[float, typer.Option(min=1, help="Seconds for trying and shortening, about.")] = 120.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result there (- is the output).")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the shortest failing order there, to be replayed again.")
    ] = None,
) -> None:
    """Tell a Lambda function of ECS's events late, twice or in another order, and see what it does to AWS's state."""
    from sandbox import replaying
    from sandbox.report import terminal

    quiet = json_file is not None and str(json_file) == "-"
    for file in (None if quiet else json_file, save):
        check_writable(file)
    request = replaying.Request(
        tuple(events),
        handler,
        shape,
        replaying.perturbation(order, duplicate, delay, drop),
        seed,
        tries,
        against,
        tuple(zone or ()),
        _parameters(env or [], "--env"),
        pattern,
        tuple(invariant or ()),
        name,
        check,
        retries,
        timeout,
        memory,
        fresh,
        limit,
    )
    with terminal.Progress("replay") as progress:
        outcome = replaying.carry_out(request, progress.step)
    exit_code = 0 if outcome.held else 1
    if json_file is not None:
        text = json.dumps({**outcome.as_json(), "exit_code": exit_code}, indent=2) + "\n"
        sys.stdout.write(text) if quiet else write_whole(json_file, text)
    if save is not None and not outcome.held:
        write_whole(save, outcome.saved())
    if not quiet:
        replaying.show(outcome, save)
    raise typer.Exit(exit_code)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Install and start a Docker engine where none answers.")] = False,
) -> None:
    """Say what is missing on this machine, and the one command that mends it."""
    from sandbox import doctor as health
    from sandbox.report import terminal

    if fix:
        from sandbox.engine import daemon

        daemon.ensure(terminal.err.print)
    found = health.check()
    if as_json:
        print(json.dumps([check.as_json() for check in found], indent=2))
    else:
        terminal.checks(found)
    if not all(check.ok for check in found):
        raise typer.Exit(EXIT_USAGE)


def main() -> None:
    """Entry point: errors become a message and an exit code, never a trace."""
    garbage.look_rarely()
    interrupts.install()
    try:
        app()  # prints usage errors itself, and exits
    except SandboxError as failure:
        _say(failure)
        sys.exit(EXIT_USAGE)
    except SystemExit as ending:
        if ending.code == EXIT_INTERRUPTED:
            interrupts.ignore()
            print("interrupted", file=sys.stderr, flush=True)
            sys.stdout.flush()
            # Python remembers a KeyboardInterrupt within exec(), where dataclasses are made, and though it was caught
            # would end by the signal instead of with a code.
            os._exit(EXIT_INTERRUPTED)
        raise
    except Exception as error:
        _say(SandboxError.unforeseen("the command failed", error))
        sys.exit(EXIT_USAGE)


def _say(failure: SandboxError) -> None:
    from sandbox.report import terminal  # it takes a while to load, and help has no use for it

    terminal.error(failure)


def _check(images: str, speed: float) -> None:
    image_commands.check_mode(images)
    if not math.isfinite(speed):
        raise SandboxError(f"--speed {speed}: not a number to divide by")


def _make_folder(folder: Path | None) -> None:
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"there can be no folder {folder}", state=error.strerror or str(error)) from error


def _begin_report(folder: Path | None) -> Any:
    if folder is None:
        return None
    from sandbox.report.page.folder import ReportFolder

    report = ReportFolder(folder)
    report.begin()
    return report


def _parameters(items: list[str], option: str = "--set") -> dict[str, str]:
    pairs = [item.partition("=") for item in items]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise SandboxError(f"{option} wants NAME=VALUE, not '{name}'")
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    main()
