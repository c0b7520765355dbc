"""``terraform apply`` of somebody's own folder, in a copy of it that knows the sandbox's endpoint and no other.

Nothing is written into the folder itself. Copy, providers and state are in the run's folder, which goes with the run:
the account that the state is about goes, too, so that nothing has to be destroyed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sandbox.aws.clients import Clients
from sandbox.controllers import commands, own_images, terraform
from sandbox.controllers.stack_file import StackDefinition
from sandbox.errors import SandboxError
from sandbox.model.own import FILE
from sandbox.model.own.checks import is_url
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.settings import Terraform
from sandbox.model.own.terraform import DEFAULT, Configuration, Told, configuration, filled, outputs_in_words
from sandbox.timeline import Observation, Timeline

PROGRAMS = ("terraform", "tofu")
_SKIPPED = frozenset({".git", ".terraform", "terraform.tfstate.d"})
_STATE = ("terraform.tfstate", ".terraform.tfstate")  # beginnings of the names of state files and their locks
_MOST_FILES, _MOST_BYTES = 20_000, 500 * 2**20
_INIT_WITHIN = 600.0  # seconds; a provider may have to be downloaded
_LINES = 12  # of output, in an error
_OF_INIT = (
    "providers come from a registry, or from a mirror that the file in TF_CLI_CONFIG_FILE names (filesystem_mirror)"
)
# What would change the command line, the folder of state, or the workspace.
_OTHERS = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE", "TF_INPUT", "TF_LOG", "TF_REATTACH_PROVIDERS")


@dataclass(frozen=True)
class Applied:
    """What has come of it.

    Attributes:
        outputs: By name; None where they are sensitive.
        notes: Each output as a line.
    """

    outputs: Mapping[str, Any]
    notes: tuple[str, ...]


def check(folder: Path, wanted: Terraform) -> None:
    """Whether it can be applied, as far as that is known without a sandbox.

    Raises:
        SandboxError: No Terraform is installed; a folder or file is not there, or a variable that is given is not
            declared.
    """
    root = folder / wanted.folder
    place = f"{folder / FILE}: [terraform]"
    if not root.is_dir():
        raise SandboxError(f"{place}: there is no folder {root}")
    found = read(root)
    if not any(_sources(root, below=False)):
        raise SandboxError(f"{place}: {root} has no *.tf", hint='folder = "FOLDER" of the root module')
    for name in wanted.var_files:
        if not (folder / name).is_file():
            raise SandboxError(f"{place}: there is no file {folder / name}", hint="paths of var_files begin here")
    for name in wanted.variables:
        if name not in found.variables:
            error = unknown(f"{place} variables", name, found.variables, "variable")
            raise SandboxError(error.message, hint=error.hint)
    _program()


def apply(
    folder: Path,
    wanted: Terraform,
    into: Path,
    environment: Mapping[str, str],
    progress: Callable[[str], None],
    record: Callable[..., object],
) -> Applied:
    """Initialise and apply.

    Args:
        folder: Has the sandbox.toml.
        wanted: Its table.
        into: A folder for the copy and the state, which is made.
        environment: What leads AWS clients to the sandbox.
        progress: Told what Terraform does.
        record: Gets ``terraform.resource`` for each resource that is begun and done.

    Raises:
        SandboxError: Terraform has failed, or was not done in time; the error has the resource's address.
    """
    root = folder / wanted.folder
    found = read(root)
    variables = into / "variables.tfvars.json"
    try:
        copy = _copy(root, found.above, into / "copy")
        _lead(copy, found, environment, into)
        variables.write_text(json.dumps(wanted.variables))
        temporary = into / "tmp"  # providers have their sockets there, and leave them when they are killed
        temporary.mkdir()
    except OSError as error:
        raise SandboxError(f"{root} cannot be copied", state=str(error)) from error
    files = [str((folder / name).resolve()) for name in wanted.var_files]
    work = _Work(_program(), copy, root, {**_environment(environment), "TMPDIR": str(temporary)})
    progress("terraform init")

    def tell(line: str) -> None:
        if line.startswith("- "):  # "- Installing hashicorp/aws v5.100.0..."
            progress(f"terraform init: {line[2:]}")

    work.run("init", _INIT_WITHIN, tell, "-input=false", "-no-color")
    told = Told()

    def take(line: str) -> None:
        if not (said := dict(told.take(line))):
            return
        progress(said.pop("text"))
        if said["state"] != "progress":
            record("terraform.resource", **said)

    progress("terraform apply")
    given = [f"-var-file={file}" for file in (*files, variables)]
    work.run("apply", wanted.within, take, "-input=false", "-auto-approve", "-json", *given, told=told)
    return Applied(told.outputs, tuple(outputs_in_words(told)))


def make(
    definition: StackDefinition,
    into: Path,
    aws: Clients,
    timeline: Timeline,
    progress: Callable[[str], None],
) -> tuple[StackDefinition, dict[str, Any]]:
    """Apply what a stack's definition says, and fill in what is known then: URLs, and notes of outputs and images.

    Args:
        definition: It has a ``terraform``.
        into: As of `apply`.
        aws: Clients of the sandbox.
        timeline: The sandbox's.
        progress: Also told of containers that end meanwhile: a resource that waits for its tasks tells nothing of them.

    Returns:
        The definition, and the outputs.

    Raises:
        SandboxError: As of `apply`; or a URL names an output that there is not.
    """
    assert definition.terraform is not None

    def tell(seen: Observation) -> None:
        if seen.kind == "container.exited":
            last = f": {seen['log'][-1]}" if seen["log"] else ""
            progress(f"container {seen['container']} exited with code {seen['exit_code']}{last}")
        elif seen.kind == "container.failed":
            progress(f"container {seen['container']}: {seen['reason']}")

    unsubscribe = timeline.subscribe(tell)
    try:
        made = apply(definition.folder, definition.terraform, into, aws.environment(), progress, timeline.record)
    finally:
        unsubscribe()
    notes = (*definition.notes, *made.notes, *own_images.unused(definition, aws("ecs")))
    ready = tuple(replace(one, url=with_output(one.url, made.outputs)) for one in definition.ready)
    for one in ready:
        if not is_url(one.url):
            raise SandboxError(f"{FILE}: [[ready]]: {one.url!r} is no URL", hint="url is http(s)://NAME/PATH")
    return replace(definition, notes=notes, ready=ready), dict(made.outputs)


def with_output(text: str, outputs: Mapping[str, Any]) -> str:
    """A text with the values of the ``${output.NAME}`` in it.

    Raises:
        SandboxError: There is no such output.
    """
    try:
        return filled(text, outputs)
    except OwnError as error:
        raise SandboxError(f"{FILE}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True)
class _Work:
    """Terraform in the copy; errors name the folder that it is a copy of."""

    program: str
    copy: Path
    root: Path
    environment: Mapping[str, str]

    def run(
        self, command: str, within: float, tell: Callable[[str], object], *arguments: str, told: Told | None = None
    ) -> None:
        said: list[Exception] = []

        def take(line: str) -> None:
            try:
                tell(line)
            except Exception as error:  # it is a thread's
                said.append(error)

        ended = commands.run([self.program, command, *arguments], self.copy, self.environment, within, take)
        if said:
            raise said[0]
        if ended.exit_code == 0:
            return
        name = f"{self.root}: {Path(self.program).name} {command}"
        if told is not None and told.errors:
            first, *others = told.errors
            more = f" (and {len(others)} more: {'; '.join(map(str, others[:3]))})" if others else ""
            raise SandboxError(
                f"{name}: {first}{more}", state=" ".join(first.detail.split()), hint=_hint(first.summary)
            )
        state = f"exit code {ended.exit_code}" if ended.exit_code is not None else f"not over within {within:g} s"
        lines = [line for line in ended.lines if line.strip(" \u2577\u2502\u2575")]
        hint = _OF_INIT if command == "init" else ""
        raise SandboxError(f"{name} failed", state=state, log=[_plain(line) for line in lines[-_LINES:]], hint=hint)


def _hint(summary: str) -> str:
    if summary == "No value for required variable":
        return f"in {FILE}: [terraform] variables = {{ NAME = VALUE }}, or var_files"
    return ""


def _plain(line: str) -> str:
    """A line of `-json`, or of a person's, as a person's."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    return str(said.get("@message", line)) if isinstance(said, dict) else line


def _program() -> str:
    for name in PROGRAMS:
        if (found := shutil.which(name)) is not None:
            return found
    raise SandboxError(
        "Terraform is not installed",
        state=f"looked for {' and '.join(PROGRAMS)} in PATH",
        hint="install it (developer.hashicorp.com/terraform/install, or opentofu.org/docs/intro/install), then again",
    )


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    found = commands.environment(os.environ, ours)
    kept = {name: value for name, value in found.items() if not name.startswith(_OTHERS)}
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def _sources(root: Path, *, below: bool) -> Iterator[Path]:
    for pattern in ("*.tf", "*.tf.json"):
        yield from sorted(root.rglob(pattern) if below else root.glob(pattern))


def read(root: Path) -> Configuration:
    """What the configuration in a folder says.

    Raises:
        SandboxError: A file cannot be read.
    """
    files = []
    for path in _sources(root, below=True):
        inside = path.relative_to(root)
        if path.is_file() and not _SKIPPED.intersection(inside.parts):
            try:
                files.append((PurePosixPath(inside), path.read_text()))
            except (OSError, UnicodeDecodeError) as error:
                raise SandboxError(f"{path} cannot be read", state=str(error)) from error
    return configuration(files)


def _lead(copy: Path, found: Configuration, environment: Mapping[str, str], into: Path) -> None:
    """Let every provider of AWS lead to the sandbox, and the state be in the run's folder.

    An override file can only change a provider that the configuration has; one that it has not is added.
    """
    endpoint, region = environment["AWS_ENDPOINT_URL"], environment["AWS_REGION"]
    state = json.dumps(str(into / "terraform.tfstate"))
    blocks = [f'terraform {{\n  backend "local" {{\n    path = {state}\n  }}\n}}\n']
    blocks += [terraform.provider(endpoint, region, alias) for alias in sorted(found.providers)]
    (copy / terraform.OVERRIDE_FILE).write_text("\n".join(blocks))
    if DEFAULT not in found.providers:
        (copy / "sandbox_provider.tf").write_text(terraform.provider(endpoint, region))


def _is_around(folder: Path) -> bool:
    """Whether it is a link to a folder that it is in."""
    return folder.is_symlink() and folder.resolve() in folder.parent.resolve().joinpath("here").parents


def _copy(root: Path, above: int, into: Path) -> Path:
    """The root module's folder in a copy of it, or of the folder so far above it as its paths lead."""
    root = root.resolve()
    top = root.parents[above - 1] if 0 < above <= len(root.parents) else root
    count = size = 0
    for here, folders, names in os.walk(top, followlinks=True):
        folders[:] = sorted(name for name in set(folders) - _SKIPPED if not _is_around(Path(here, name)))
        there = into / Path(here).relative_to(top)
        there.mkdir(parents=True)
        for name in names:
            source = Path(here, name)
            if name.startswith(_STATE) or not source.is_file():
                continue
            count += 1
            size += source.stat().st_size
            if count > _MOST_FILES or size > _MOST_BYTES:
                leads = f", to which paths of {root} lead" if top != root else ""
                raise SandboxError(
                    f"{top}{leads}, is too large to be copied",
                    state=f"more than {_MOST_FILES} files or {_MOST_BYTES // 2**20} MiB",
                    hint="put the configuration, and what it reads, into a folder of its own",
                )
            shutil.copy2(source, there / name)
    return into / root.relative_to(top)
