"""The sub-commands of ``sandbox simulate``. What they need is imported when they run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox.errors import SandboxError
from sandbox.report.files import check_writable, write_whole

app = typer.Typer(no_args_is_help=True, help="What would happen to a fleet of any size; nothing is started.")

# The fields of a Fleet that have another name on the command line.
_OPTIONS = {
    "minimum_healthy_percent": "min-healthy",
    "maximum_percent": "max",
    "grace_period": "grace",
    "rollback_at": "rollback-at",
}


@app.callback()
def _group() -> None:
    """What would happen to a fleet of any size; nothing is started."""


@app.command("rolling-deploy")
def rolling_deploy(
    tasks: Annotated[int, typer.Option(help="The service's desired count.")],
    rps: Annotated[float, typer.Option(help="Requests a second of page loads: the page, and each of its files.")],
    min_healthy: Annotated[int, typer.Option(metavar="PERCENT", help="minimumHealthyPercent.")] = 100,
    max_: Annotated[int, typer.Option("--max", metavar="PERCENT", help="maximumPercent.")] = 200,
    circuit_breaker: Annotated[
        bool, typer.Option("--circuit-breaker", help="The deployment circuit breaker, with rollback.")
    ] = False,
    start: Annotated[
        float, typer.Option(metavar="S", help="Until a task's containers run: interface and image.")
    ] = 20.0,
    boot: Annotated[float, typer.Option(metavar="S", help="From then until it answers health checks.")] = 10.0,
    stop: Annotated[float, typer.Option(metavar="S", help="From SIGTERM until its containers have ended.")] = 1.0,
    spread: Annotated[
        float, typer.Option(metavar="SHARE", help="Of --start and --boot, by which tasks differ at most.")
    ] = 0.2,
    health_interval: Annotated[int, typer.Option(metavar="S", help="Of the target group's health check.")] = 30,
    healthy_threshold: Annotated[int, typer.Option(metavar="N", help="Of the target group's health check.")] = 5,
    unhealthy_threshold: Annotated[int, typer.Option(metavar="N", help="Of the target group's health check.")] = 2,
    grace: Annotated[int, typer.Option(metavar="S", help="healthCheckGracePeriodSeconds.")] = 60,
    deregistration_delay: Annotated[int, typer.Option(metavar="S", help="Of the target group.")] = 300,
    algorithm: Annotated[
        str, typer.Option(help="round_robin, least_outstanding_requests or weighted_random.")
    ] = "round_robin",
    sticky: Annotated[bool, typer.Option("--sticky", help="Stickiness of the target group.")] = False,
    assets: Annotated[int, typer.Option(metavar="N", help="Files that a page needs.")] = 8,
    changed: Annotated[int, typer.Option(metavar="N", help="How many of them the other build does not have.")] = 1,
    baked: Annotated[bool, typer.Option("--baked", help="The new image has the old build's files, too.")] = False,
    s3: Annotated[bool, typer.Option("--s3", help="Both builds' files are on S3 before the deploy.")] = False,
    spa_fallback: Annotated[
        bool, typer.Option("--spa-fallback", help="A missing file is answered with the page and 200.")
    ] = False,
    pause: Annotated[float, typer.Option(metavar="S", help="From the page to its first file, in the mean.")] = 0.1,
    gap: Annotated[float, typer.Option(metavar="S", help="From one file to the next, in the mean.")] = 0.01,
    cdn: Annotated[str, typer.Option(help="none, or assets: files are cached at edge locations, by path.")] = "none",
    edges: Annotated[int, typer.Option(metavar="N", help="How many caches there are.")] = 10,
    error_ttl: Annotated[float, typer.Option(metavar="S", help="For which a 404 is cached.")] = 10.0,
    tab_open: Annotated[
        float, typer.Option(metavar="S", help="Until an open tab asks for one more file, in the mean; 0: never.")
    ] = 300.0,
    rollback_at: Annotated[
        float | None, typer.Option(metavar="S", help="Then the old task definition is deployed again.")
    ] = None,
    duration: Annotated[float, typer.Option(metavar="S", help="For how long there are page loads.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Of everything that chance decides.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result there (- is the output).")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw it there, over time.")] = None,
) -> None:
    """Predict which page loads a rolling deploy breaks: HTML of one build, files asked of the other."""
    from sandbox.model.rolling_deploy.fleet import Fleet, Refused
    from sandbox.model.rolling_deploy.visits import predict
    from sandbox.report import rolling_deploy as report
    from sandbox.report import rolling_deploy_plot

    quiet = json_file is not None and str(json_file) == "-"
    for file in (None if quiet else json_file, plot):
        check_writable(file)
    if plot is not None and plot.suffix.lower() != ".svg":
        raise SandboxError(f"--plot {plot}: it draws SVG alone", hint=f"--plot {plot.with_suffix('.svg')}")
    if cdn not in {"none", "assets"}:
        raise SandboxError(f"--cdn {cdn}: there is no such kind", hint="none or assets")
    if baked and s3:
        raise SandboxError("--baked and --s3: files are in one place")
    try:
        fleet = Fleet(
            tasks=tasks,
            rps=rps,
            minimum_healthy_percent=min_healthy,
            maximum_percent=max_,
            circuit_breaker=circuit_breaker,
            start=start,
            boot=boot,
            stop=stop,
            spread=spread,
            health_interval=health_interval,
            healthy_threshold=healthy_threshold,
            unhealthy_threshold=unhealthy_threshold,
            grace_period=grace,
            deregistration_delay=deregistration_delay,
            algorithm=algorithm,  # type: ignore[arg-type]  # refused by the fleet, if it is none
            stickiness=sticky,
            assets=assets,
            changed=changed,
            places="s3" if s3 else "baked" if baked else "task",
            spa_fallback=spa_fallback,
            pause=pause,
            gap=gap,
            cdn=cdn == "assets",
            edges=edges,
            error_ttl=error_ttl,
            tab_open=tab_open,
            rollback_at=rollback_at,
            duration=duration,
            seed=seed,
        )
    except Refused as refused:
        option = _OPTIONS.get(refused.parameter, refused.parameter.replace("_", "-"))
        raise SandboxError(f"--{option}: {refused.why}") from refused
    prediction = predict(fleet)
    if json_file is not None:
        text = json.dumps(prediction.as_json(), indent=2) + "\n"
        sys.stdout.write(text) if quiet else write_whole(json_file, text)
    if plot is not None:
        write_whole(plot, rolling_deploy_plot.draw(prediction))
    if not quiet:
        report.show(prediction)
