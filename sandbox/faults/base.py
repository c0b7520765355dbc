"""What a fault is: a name, options with units, what it can be put into, and the function that does so."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import sandbox.faults
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.aws.clients import Clients
    from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
    from sandbox.clock import Clock
    from sandbox.controllers.dns import DnsController
    from sandbox.controllers.ecs import EcsController
    from sandbox.controllers.events import EventDelivery
    from sandbox.controllers.tasks import TaskRunner
    from sandbox.engine.containers import Containers

Undo = Callable[[], object]
"""Takes a fault away. What it was put into may be gone by then."""


@dataclass(frozen=True)
class Reach:
    """What of a sandbox faults can act on.

    Attributes:
        aws: Clients of its endpoint, for what the sandbox itself asks.
        clock: Its AWS time.
        containers: The run's.
        toolbox: Gives the image with nftables, tc and Perl.
        faketime: Gives the image with libfaketime.
        ecs: Knows services and tasks.
        runner: Knows the tasks' containers, and starts them.
        zones: Gives DNS's answers.
        delivery: Brings events to targets (None: not the sandbox, but LocalStack does).
        functions: Runs functions (None: not the sandbox, but LocalStack does).
        balancers: The container that owns the network namespace of each load balancer, by its name.
    """

    aws: Clients
    clock: Clock
    containers: Containers
    toolbox: Callable[[], str]
    faketime: Callable[[], str]
    ecs: EcsController
    runner: TaskRunner
    zones: DnsController
    delivery: EventDelivery | None
    functions: FunctionRuntime | None
    balancers: Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Option:
    """An option of a fault.

    Attributes:
        name: As a keyword of `Sandbox.fault` and in ``--set NAME=VALUE``.
        help: What it means, without a full stop.
        default: What it is where it is not given (None: it has to be).
        unit: Such as "ms", "AWS seconds", "%" ("": none).
        least: The least number.
        most: The greatest number.
        choices: The words that it can be (none: any number).
        type: Of a number: ``int`` or ``float``.
    """

    name: str
    help: str
    default: int | float | str | None = None
    unit: str = ""
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    type: type[int] | type[float] = int

    def read(self, given: object) -> int | float | str:
        """A value of the option's type.

        Args:
            given: A value, or a text of the command line.

        Raises:
            ValueError: It cannot be this; the error says what can.
        """
        if self.choices:
            if given not in self.choices:
                raise ValueError(f"{self.name} is one of {', '.join(self.choices)}, not '{given}'")
            return str(given)
        try:
            number = float("nan" if isinstance(given, bool) else str(given))
        except ValueError:
            number = float("nan")
        if not self.least <= number <= self.most or (self.type is int and number % 1):
            raise ValueError(f"{self.name} is {self.range()}, not '{given}'")
        return self.type(number)

    def range(self) -> str:
        """What it can be, in words."""
        if self.choices:
            return " or ".join(self.choices)
        kind = "a whole number" if self.type is int else "a number"
        return f"{kind} from {self.least:g} to {self.most:g}" + (f" ({self.unit})" if self.unit else "")

    def as_json(self) -> dict[str, Any]:
        """As ``sandbox fault list --json`` has it."""
        return {
            "name": self.name,
            "help": self.help,
            "default": self.default,
            "unit": self.unit,
            "range": self.range(),
        }


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: As in ``sandbox fault NAME``.
        summary: One line: what it does.
        targets: The kinds of target that it can be put into, as in `sandbox.faults.targets`.
        inject: Called with the `Reach`, the target and the options; returns what takes it away. Where it raises, it has
            left nothing.
        options: Its options.
        instant: It has happened when `inject` returns, and there is nothing to take away.
    """

    name: str
    summary: str
    targets: tuple[str, ...]
    inject: Callable[..., Undo]
    options: tuple[Option, ...] = field(default=())
    instant: bool = False

    def read(self, given: Mapping[str, object]) -> dict[str, Any]:
        """All options with their values.

        Args:
            given: Values or texts by the options' names.

        Raises:
            SandboxError: There is no such option, its value cannot be, or one is missing.
        """
        known = {option.name: option for option in self.options}
        for name in given:
            if name not in known:
                raise SandboxError(
                    f"the fault {self.name} has no option '{name}'", hint=f"options: {', '.join(known) or 'none'}"
                )
        values: dict[str, Any] = {}
        for name, option in known.items():
            try:
                values[name] = option.read(given[name]) if name in given else option.default
            except ValueError as error:
                raise SandboxError(f"the fault {self.name}: {error}") from None
            if values[name] is None:
                raise SandboxError(
                    f"the fault {self.name} wants the option '{name}'", hint=f"{name}: {option.help}; {option.range()}"
                )
        return values

    def as_row(self) -> str:
        """Its row in docs/faults.md."""
        options = [
            f"`{one.name}`: {one.help[0].lower()}{one.help[1:]}; {one.range()}; `{one.default}`" for one in self.options
        ]
        targets = ", ".join(f"`{kind}:`" for kind in self.targets)
        return f"| `{self.name}` | {self.summary} | {targets} | {'<br>'.join(options) or 'none'} |"

    def as_json(self) -> dict[str, Any]:
        """As ``sandbox fault list --json`` has it."""
        return {
            "name": self.name,
            "summary": self.summary,
            "targets": list(self.targets),
            "instant": self.instant,
            "options": [option.as_json() for option in self.options],
        }


@cache
def catalogue() -> Mapping[str, Fault]:
    """Every fault by its name: the ``FAULT`` of each module of this package that has one."""
    modules = [
        importlib.import_module(f"sandbox.faults.{found.name}")
        for found in pkgutil.iter_modules(sandbox.faults.__path__)
    ]
    faults = [module.FAULT for module in modules if hasattr(module, "FAULT")]
    return {fault.name: fault for fault in sorted(faults, key=lambda fault: fault.name)}


def find(name: str) -> Fault:
    """A fault by its name.

    Raises:
        SandboxError: There is none.
    """
    if name not in catalogue():
        raise SandboxError(f"there is no fault '{name}'", hint=f"faults: {', '.join(catalogue())}")
    return catalogue()[name]
