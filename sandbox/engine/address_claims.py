"""Address ranges that somebody on this machine is about to have: engines know their own networks alone.

All engines of a machine share the kernel's routes, which tell of each other's networks once these are made. Until then
a range is claimed by a lock on bytes of one file, where the byte N stands for the IPv4 address N: two ranges that
overlap are bytes that do, whatever their sizes. A claim ends with its process at the latest.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Network

from sandbox import paths

_FILE = "addresses.lock"
_FLOCK = "hhqqi4x"  # struct flock: l_type, l_whence, l_start, l_len, l_pid
# Of an open file, not of a process: threads keep each other out, too. Linux has them; elsewhere engines are in a
# machine of their own, whose routes nobody can see from here.
_SET = getattr(fcntl, "F_OFD_SETLK", None)
_SET_WAIT = getattr(fcntl, "F_OFD_SETLKW", None)


@contextlib.contextmanager
def claimed(cidr: IPv4Network, *, wait: bool = False) -> Iterator[bool]:
    """Claim a range as long as the block lasts; whether it is ours, or somebody else is about to have a part of it.

    Args:
        cidr: The range.
        wait: Wait until nobody else has a claim to it.
    """
    operation = _SET_WAIT if wait else _SET
    if operation is None:
        yield True
        return
    try:
        paths.cache().mkdir(parents=True, exist_ok=True)
        file = os.open(paths.cache() / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # nothing can be kept there: then routes and the engine's own refusal are all that there is
        yield True
        return
    try:
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, int(cidr.network_address), cidr.num_addresses, 0)
        try:
            fcntl.fcntl(file, operation, wanted)
        except (BlockingIOError, PermissionError):  # EAGAIN, or EACCES, as POSIX has it
            yield False
        else:
            yield True
    finally:
        os.close(file)
