"""moto's tables of EC2's images and instance types, read when they are first asked for.

moto reads them at its import, and makes an object of each of its 1,300 images for every new backend, hence for every
sandbox: half of the time that its EC2 takes, for what most stacks never ask about.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_OFFERINGS = "instance_type_offerings"
_FILLED_WITH_IMAGES = ("amis", "snapshots")
_PENDING = "_images_to_load"

_loading = threading.RLock()


@contextlib.contextmanager
def without_offerings() -> Iterator[None]:
    """Import moto's EC2 in this block: it finds no file that says which zone offers which instance type."""
    listdir = os.listdir

    def listed(path: Any = ".") -> Any:
        return [] if str(path).endswith(_OFFERINGS) else listdir(path)

    os.listdir = listed
    try:
        yield
    finally:
        os.listdir = listdir


def read_tables_when_asked() -> None:
    """Let moto's EC2, just imported `without_offerings`, read what it left out as soon as somebody asks for it."""
    from moto.ec2.models import EC2Backend, instance_types, instances, spot_requests
    from moto.ec2.models.amis import AmiBackend

    # Each module has its own name for it.
    for module in (instance_types, instances, spot_requests):
        module.INSTANCE_TYPE_OFFERINGS = _offerings  # type: ignore[attr-defined]
    load = AmiBackend._load_amis

    def later(backend: AmiBackend) -> None:
        vars(backend)[_PENDING] = lambda: load(backend)

    AmiBackend._load_amis = later  # type: ignore[method-assign, assignment]
    for name in _FILLED_WITH_IMAGES:
        setattr(EC2Backend, name, _after_loading(name))


class _Offerings(dict[str, dict[str, list[dict[str, str]]]]):
    """By type of location ("region", "availability-zone", ...) and region."""

    def __missing__(self, location_type: str) -> dict[str, list[dict[str, str]]]:
        import moto.ec2
        from moto.utilities.utils import load_resource

        folder = Path(moto.ec2.__file__).parent / "resources" / _OFFERINGS / location_type
        if not folder.is_dir():
            raise KeyError(location_type)
        found: dict[str, list[dict[str, str]]] = {}
        for file in folder.iterdir():
            offered = load_resource(f"ec2/resources/{_OFFERINGS}/{location_type}/{file.name}")
            found[file.name.partition(".")[0]] = [{**one, "LocationType": location_type} for one in offered]
        self[location_type] = found
        return found


_offerings = _Offerings()


def _after_loading(name: str) -> property:
    """An attribute of a backend that its images are entered in."""

    def get(backend: Any) -> Any:
        own = vars(backend)
        if _PENDING in own:
            with _loading:  # which the one who loads holds already
                load: Callable[[], None] | None = own.get(_PENDING)
                own[_PENDING] = None
                try:
                    if load is not None:
                        load()
                finally:
                    if load is not None:
                        del own[_PENDING]
        return own[name]

    def put(backend: Any, value: Any) -> None:
        vars(backend)[name] = value

    return property(get, put)
