"""From ``sandbox up`` to ``sandbox down``: stacks that stay up. What the commands need is imported when they run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from sandbox import completion, options
from sandbox.errors import SandboxError
from sandbox.options import AwsOption, ImagesOption, SpeedOption
from sandbox.report.files import check_writable

app = typer.Typer()


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

    options.check(images, speed)
    check_writable(timeline)
    if ui_port is not None and not ui:
        raise SandboxError("--ui-port is of --ui, which is not asked for")
    uphold.up(
        uphold.Request(
            stack,
            port,
            endpoint_port,
            dns_port,
            options.named(parameter or [], "--set"),
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

    images = options.named(image, "--image")
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
