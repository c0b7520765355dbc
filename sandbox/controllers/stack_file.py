"""Stacks: a folder with a ``stack.yaml`` that names AWS API calls in order, as a deployment script would make them.

``calls`` are ``service.operation: parameters`` with boto3's names; ``as: name`` keeps the answer, and ``${name.Key}``
uses it. ``{File: x.json}`` stands for the JSON in that file, ``{Zip: folder/}`` (in a function's Code) for the zipped
folder, with ``Packages: [pillow]`` for these packages of the sandbox's environment besides. ``images`` are components
of the catalogue to have beforehand, ``efs`` the files that are on a file system then; ``ready`` are the URLs that must
answer. docs/user-guide.md describes the format.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from sandbox import paths
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import Network
from sandbox.model.foreign import from_json, from_yaml
from sandbox.model.own.step import Archive, Computed, Reference

if TYPE_CHECKING:
    from sandbox.model.own.settings import Build, Terraform

FILE = "stack.yaml"
_NOT_CARRIED_OUT = re.compile(
    r"does not carry out (?:containerDefinitions\[name=(?P<container>[^\]]+)\]\.)?(?P<member>[A-Za-z]+)"
)
_KEYS = {"description", "parameters", "images", "efs", "calls", "ready"}
_FORMS: Mapping[str, type] = {"description": str, "parameters": dict, "images": list, "efs": dict, "ready": list}
_NAMES: Mapping[type, str] = {str: "text", dict: "mapping", list: "list"}
_LARGEST_CODE = 250 * 2**20  # bytes; Lambda's quota "Deployment package (.zip file archive) size", unzipped
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_IN_IMAGE = re.compile(r"image:([a-z0-9-]+)(/.+)")


@dataclass(frozen=True)
class Ready:
    """A URL that must answer ``status`` within ``within`` seconds, asked from the internet by name."""

    url: str
    status: int = 200
    within: float = 60.0


@dataclass(frozen=True)
class InImage:
    """Files in the image of a component of the catalogue: those in the folder ``path``."""

    component: str
    path: str


@dataclass(frozen=True)
class Call:
    """One AWS API call: boto3's service and operation, its parameters, and the name that its answer gets.

    ``source`` is the file that it is made of. Where that is not a stack.yaml, nothing in ``parameters`` stands for
    anything else, but for what is in `sandbox.model.own.step`.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    save_as: str
    source: str = FILE

    def fill(self, part: Any, values: Mapping[str, Any], folder: Path, place: str) -> Any:
        """A part of its parameters, with what is known in the place of references.

        Raises:
            SandboxError: Something is not known, or a file cannot be read.
        """
        return (_fill if self.source == FILE else _refer)(part, values, folder, place)

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}"


@dataclass(frozen=True)
class StackDefinition:
    """What a ``stack.yaml`` says. ``efs`` maps file system id and directory to a folder, see `efs_contents`.

    Of a ``sandbox.toml``: ``overrides`` are images in the place of others, ``references`` what names each image that is
    to be had beforehand, ``notes`` what is to be told, and ``terraform`` what is applied after the calls. Of a
    CloudFormation template: ``outputs``, and ``efs_made``, which is ``efs`` of file systems that the calls make, by
    what stands for their ids.
    """

    name: str
    folder: Path
    description: str
    parameters: Mapping[str, Any]
    images: tuple[str, ...]
    efs: Mapping[str, Mapping[str, str]]
    calls: tuple[Call, ...]
    ready: tuple[Ready, ...]
    overrides: Mapping[str, str | Build] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    terraform: Terraform | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    efs_made: Mapping[Reference, Mapping[str, str]] = field(default_factory=dict)

    @property
    def is_of_production(self) -> bool:
        """Whether it is made of somebody's own files, which may name another region than the sandbox's."""
        return self.terraform is not None or any(call.source != FILE for call in self.calls)

    def settled(self, values: Mapping[str, Any]) -> StackDefinition:
        """The same once its calls have been made, with nothing in ``ready`` and ``outputs`` that stands for a value.

        Raises:
            SandboxError: A value cannot be told.
        """

        def known(part: Any, what: str) -> Any:
            return _refer(part, values, self.folder, f"{self.folder}: {what}")

        ready = tuple(replace(item, url=known(item.url, "ready")) for item in self.ready)
        return replace(self, ready=ready, outputs={key: known(one, key) for key, one in self.outputs.items()})

    def with_parameters(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Its parameters, with ``given`` in the place of their defaults; of the same kind as these.

        Raises:
            SandboxError: It has no such parameter, or a number's, or a true or false one's, is given what is none.
        """
        values = dict(self.parameters)
        for name, text in given.items():
            if name not in values:
                raise SandboxError(
                    f"stack '{self.name}' has no parameter '{name}'",
                    hint=f"parameters: {', '.join(values) or 'none'}",
                )
            default = values[name]
            if type(default) is bool:
                if text not in ("true", "false"):
                    raise SandboxError(
                        f"stack '{self.name}': parameter '{name}' is true or false", state=f"given: {text}"
                    )
                values[name] = text == "true"
                continue
            try:
                values[name] = int(text) if type(default) is int else text
            except ValueError:
                raise SandboxError(
                    f"stack '{self.name}': parameter '{name}' is a number", state=f"given: {text}"
                ) from None
        return values


def names() -> list[str]:
    """The stacks that come with the sandbox."""
    return sorted(path.parent.name for path in (paths.share() / "compose").glob(f"*/{FILE}"))


def load(name: str) -> StackDefinition:
    """Read a stack: one of `names`, or the path of a folder that has a ``stack.yaml``.

    Raises:
        SandboxError: There is none, or it is not of the form above; the error names the place.
    """
    folder = Path(name) if "/" in name or (Path(name) / FILE).is_file() else paths.share() / "compose" / name
    file = folder / FILE
    try:
        content = from_yaml(file.read_text())
    except OSError as error:
        raise SandboxError(
            f"there is no stack '{name}'",
            state=f"{file}: {error.strerror}",
            hint=f"stacks: {', '.join(names())}; or give a folder that has a {FILE}",
        ) from None
    except ValueError as error:
        raise SandboxError(f"{file} is not YAML", state=str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("calls"), list):
        raise SandboxError(f"{file} has no list of `calls`", hint="docs/user-guide.md describes the format")
    unknown = sorted(map(str, content.keys() - _KEYS))
    if unknown:
        raise SandboxError(f"{file}: unknown key '{unknown[0]}'", hint=f"known: {', '.join(sorted(_KEYS))}")
    for key, form in _FORMS.items():
        if not isinstance(content.get(key) or form(), form):
            raise SandboxError(f"{file}: `{key}` is not a {_NAMES[form]}", state=f"found {content[key]!r}")
    for directories in (content.get("efs") or {}).values():
        if not isinstance(directories, dict) or not all(
            isinstance(part, str) for pair in directories.items() for part in pair
        ):
            raise SandboxError(f"{file}: `efs` wants directories and folders", state=f"found {directories!r}")
    return StackDefinition(
        folder.resolve().name,
        folder.resolve(),
        content.get("description") or "",
        content.get("parameters") or {},
        tuple(content.get("images") or ()),
        content.get("efs") or {},
        tuple(_call(file, item) for item in content["calls"]),
        tuple(_ready(file, item) for item in content.get("ready") or ()),
    )


def _ready(file: Path, item: Any) -> Ready:
    fault = SandboxError(
        f"{file}: each of `ready` has url (http://NAME/PATH, or with https), and may have status and within (numbers)",
        state=f"found {item!r}",
    )
    try:
        ready = Ready(**item)
        url = urlsplit(ready.url)
        numbers = isinstance(ready.status, int) and isinstance(ready.within, int | float)
    except (TypeError, ValueError, AttributeError):
        raise fault from None
    if url.scheme not in {"http", "https"} or not url.hostname or not numbers or ready.within <= 0:
        raise fault
    return ready


def _call(file: Path, item: Any) -> Call:
    entries = {key: value for key, value in item.items() if key != "as"} if isinstance(item, dict) else {}
    if len(entries) != 1:
        raise SandboxError(f"{file}: each of `calls` is one `service.operation: parameters`", state=f"found {item!r}")
    ((name, parameters),) = entries.items()
    service, dot, operation = str(name).partition(".")
    if not dot or not isinstance(parameters or {}, dict):
        raise SandboxError(f"{file}: '{name}' is not `service.operation: parameters`")
    if not isinstance(save_as := item.get("as", ""), str) or not all(isinstance(key, str) for key in parameters or ()):
        raise SandboxError(f"{file}: '{name}': `as` and the names of parameters are texts", state=f"found {item!r}")
    return Call(service, operation, parameters or {}, save_as)


def carry_out(
    definition: StackDefinition,
    client: Callable[[str], Any],
    known: Mapping[str, Any],
    observe: Callable[[Call, Mapping[str, Any]], object],
) -> dict[str, Any]:
    """Make the stack's calls and return the kept answers by name.

    Args:
        definition: The stack.
        client: Makes a boto3 client of a service.
        known: Values for ``${...}``: the stack's parameters and what the sandbox gives (``sandbox.subnets``, ...).
        observe: Told of each call after it has succeeded, and of what is known then.

    Raises:
        SandboxError: A call was refused; the error has AWS's code and message and names the call.
    """
    values: dict[str, Any] = dict(known)
    for call in definition.calls:
        place = f"{definition.folder / call.source}: {call}"
        parameters = call.fill(dict(call.parameters), values, definition.folder, place)
        try:
            operation = getattr(client(call.service), call.operation)
        except (BotoCoreError, AttributeError) as error:
            raise SandboxError(f"{place}: boto3 has no such operation", state=str(error)) from error
        try:
            answer = operation(**parameters)
        except ClientError as error:
            refusal = error.response["Error"]
            raise SandboxError(
                f"{place} was refused",
                state=f"{refusal['Code']}: {refusal['Message']}",
                hint=_way_out(call, parameters, refusal["Message"]),
            ) from error
        except (ParamValidationError, TypeError) as error:
            raise SandboxError(f"{place}: wrong parameters", state=str(error)) from error
        except BotoCoreError as error:
            raise SandboxError(f"{place} got no answer", state=str(error)) from error
        answer.pop("ResponseMetadata", None)
        if call.save_as:
            values[call.save_as] = answer
        observe(call, values)
    return values


def _way_out(call: Call, parameters: Mapping[str, Any], message: str) -> str:
    """How to leave out what the sandbox does not carry out of a task definition or service in a JSON file."""
    found = _NOT_CARRIED_OUT.search(message)
    if found is None or not call.source.endswith(".json"):
        return ""
    owner = found["container"] or parameters.get("family") or parameters.get("serviceName")
    return f'in sandbox.toml: [stack] ignore = ["{owner}.{found["member"]}"] leaves it out'


def efs_contents(
    definition: StackDefinition, known: Mapping[str, Any], made_by: Call | None = None
) -> list[tuple[str, str, Path | InImage]]:
    """What is to be on file systems: file system id, directory and the folder to copy from.

    That is of those that are there before the first call, or of the one that a call has just made. The folder is one of
    the stack's, or with "image:COMPONENT/PATH" one in an image; "" is none.

    Raises:
        SandboxError: A folder is not there, or a ``${...}`` in its name is not known.
    """
    there = definition.efs if made_by is None else {}
    for reference, directories in definition.efs_made.items():
        if made_by is not None and reference.name.partition(".")[0] == made_by.save_as:
            there = {str(_look_up(reference.name, known, str(made_by))): directories}
    found: list[tuple[str, str, Path | InImage]] = []
    for file_system, directories in there.items():
        for directory, folder in directories.items():
            given = str(_fill(folder, known, definition.folder, f"{definition.folder / FILE}: efs"))
            if given:
                found.append((file_system, directory, _source(definition.folder, given)))
    return found


def _source(folder: Path, given: str) -> Path | InImage:
    if in_image := _IN_IMAGE.fullmatch(given):
        return InImage(in_image[1], in_image[2])
    if not (folder / given).is_dir():
        raise SandboxError(f"{folder / FILE}: there is no folder {folder / given}")
    return folder / given


def task_networks(definition: StackDefinition, known: Mapping[str, Any]) -> list[Network]:
    """The networks of the Fargate tasks that the stack's calls start, as far as they are known before the first call.

    What is wrong with one is said by the call itself.
    """
    found = []
    for call in definition.calls:
        given = call.parameters.get("networkConfiguration")
        vpc = given.get("awsvpcConfiguration") if isinstance(given, Mapping) else None
        on_fargate = call.parameters.get("launchType", "FARGATE") == "FARGATE"
        if call.service == "ecs" and isinstance(vpc, Mapping) and on_fargate:
            with contextlib.suppress(SandboxError, KeyError, TypeError):
                found.append(Network.of(call.fill(dict(vpc), known, definition.folder, str(call))))
    return found


def _fill(value: Any, values: Mapping[str, Any], folder: Path, place: str) -> Any:
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _look_up(whole[1], values, place)
        return _REFERENCE.sub(lambda match: str(_look_up(match[1], values, place)), value)
    if isinstance(value, list):
        return [_fill(item, values, folder, place) for item in value]
    if isinstance(value, dict):
        filled = {key: _fill(item, values, folder, place) for key, item in value.items()}
        return _stand_in(filled, folder, place)
    return value


def _refer(value: Any, values: Mapping[str, Any], folder: Path, place: str) -> Any:
    """The same where only what is in `sandbox.model.own.step` stands for something else."""
    if isinstance(value, Reference):
        found = _look_up(value.name, values, place)
        return f"{found}{value.suffix}" if value.suffix else found
    if isinstance(value, Computed):
        arguments = [_refer(one, values, folder, place) for one in value.arguments]
        try:
            return value.function(*arguments)
        except (ValueError, LookupError, TypeError) as error:
            raise SandboxError(f"{place}: {error}") from error
    if isinstance(value, Archive):
        return _zip(folder / value.folder, (), place)
    if isinstance(value, list):
        return [_refer(item, values, folder, place) for item in value]
    if isinstance(value, dict):
        return {key: _refer(item, values, folder, place) for key, item in value.items()}
    return value


def _stand_in(value: dict[str, Any], folder: Path, place: str) -> Any:
    """``{File: ...}`` and ``{Zip: ...}`` become what they stand for."""
    if set(value) == {"File"}:
        return _read_json(folder / str(value["File"]), place)
    if "Zip" in value and value.keys() <= {"Zip", "Packages"}:
        packages = value.get("Packages", [])
        if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
            raise SandboxError(f"{place}: `Packages` is a list of names", state=f"found {packages!r}")
        return {"ZipFile": _zip(folder / str(value["Zip"]), packages, place)}
    return value


def _look_up(reference: str, values: Mapping[str, Any], place: str) -> Any:
    found: Any = values
    for part in reference.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (LookupError, TypeError, ValueError):
            raise SandboxError(
                f"{place}: '${{{reference}}}' is not known", state=f"known here: {', '.join(sorted(map(str, values)))}"
            ) from None
    return found


def _read_json(path: Path, place: str) -> Any:
    try:
        return from_json(path.read_text())
    except OSError as error:
        raise SandboxError(f"{place}: there is no file {path}", state=error.strerror or "") from None
    except ValueError as error:
        raise SandboxError(f"{place}: {path} is not JSON", state=str(error)) from error


def _zip(folder: Path, packages: Iterable[str], place: str) -> bytes:
    if not folder.is_dir():
        raise SandboxError(f"{place}: there is no folder {folder}")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _code(folder, place):
            archive.write(path, path.relative_to(folder))
        for package in dict.fromkeys(packages):
            for path, name in _files_of(package, place):
                archive.write(path, name, compresslevel=1)  # they are large, and read once
    return packed.getvalue()


def _code(folder: Path, place: str) -> list[Path]:
    """The files of a function's folder; looking ends where Lambda would not take them (so that of "/" does, too)."""
    found: list[Path] = []
    size = 0
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            found.append(path)
            size += path.stat().st_size
        if size > _LARGEST_CODE:
            raise SandboxError(
                f"{place}: {folder} has more than the {_LARGEST_CODE // 2**20} MB that Lambda takes of unzipped code"
            )
    return sorted(found)


def _files_of(package: str, place: str) -> Iterator[tuple[Path, str]]:
    """The files of an installed package, without those of what it depends on."""
    try:
        files = metadata.files(package) or ()
    except (metadata.PackageNotFoundError, ValueError):  # "" is a ValueError
        raise SandboxError(
            f"{place}: the package '{package}' is not installed in the sandbox's environment",
            hint=f"{sys.executable} -m pip install {package}",
        ) from None
    for file in files:
        path = Path(str(file.locate()))
        if path.is_file() and ".." not in file.parts and "__pycache__" not in file.parts:
            yield path, str(file)
