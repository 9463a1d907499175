"""How many threads this process may use: its CPU affinity and its cgroups' CPU quotas.

A container that may use two of a host's 64 cores still sees 64 of them; an engine that started 64
threads there would be throttled by the kernel to a crawl.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import SupportsIndex

from edge_rerank.description import ThreadsChoice
from edge_rerank.errors import InputError
from edge_rerank.warning import warn

ENVIRONMENT_VARIABLE = "EDGE_RERANK_THREADS"
AUTO: ThreadsChoice = "auto"
_PROC_SELF = Path("/proc/self")


def resolve_threads(requested: SupportsIndex | ThreadsChoice | None = None) -> int:
    """Return the number of threads to use, at least 1 and at most :func:`usable_threads`.

    ``requested`` comes first, then the environment variable EDGE_RERANK_THREADS, then all that
    the process may use, which ``auto`` asks for as well.

    Raises InputError for a value that is not a whole number from 1, and for a requested number
    over the limit. The variable is often set for a larger machine than this one: it is lowered
    to the limit, with a warning.
    """
    if requested == AUTO:
        return usable_threads()
    if requested is not None:
        return _checked(_whole(requested))
    text = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if text in ("", AUTO):
        return usable_threads()
    if not (text.isascii() and text.isdigit() and text.strip("0")):
        raise InputError(
            f"{ENVIRONMENT_VARIABLE} is {text!r}; expected a whole number from 1, or {AUTO}"
        )
    limit = usable_threads()
    if len(text) > len(str(sys.maxsize)) or int(text) > limit:
        _warn_once(text, limit)
        return limit
    return int(text)


def usable_threads() -> int:
    """Return how many threads can run at once, by affinity and cgroup quotas; at least 1."""
    limits = [_affinity(), *cgroup_limits(_PROC_SELF)]
    return max(1, min(limits))


@lru_cache
def _warn_once(text: str, limit: int) -> None:
    warn(
        f"{ENVIRONMENT_VARIABLE} is {text[:20]}, and this process may use {limit} (CPU affinity "
        f"and cgroup quota): it uses {limit}"
    )


def _whole(value: SupportsIndex | str) -> int:
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputError(
            f"threads is {value!r}; expected a whole number from 1, or {AUTO!r}"
        ) from None


def _checked(count: int) -> int:
    limit = usable_threads()
    if 1 <= count <= limit:
        return count
    raise InputError(
        f"threads is {count}; this process may use 1 to {limit} (CPU affinity and cgroup quota): "
        "ask for fewer, leave it unset to use them all, or widen the process's limits"
    )


def _affinity() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13 and later
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def cgroup_limits(proc_self: Path) -> Iterator[int]:
    """Return the whole CPUs that each cgroup above this process allows it, where it has a quota.

    ``proc_self`` is the folder that is ``/proc/self`` on Linux. Anything unreadable counts as no
    limit: the affinity still holds.
    """
    mounts = list(_mounts(proc_self))
    for line in _lines(proc_self / "cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for kind, root, mount in mounts:
            unified = kind == "cgroup2" and not controllers
            if unified or (kind == "cgroup" and "cpu" in controllers.split(",")):
                for folder in _up_to_mount(Path(mount), root, path):
                    limit = _quota_v2(folder) if unified else _quota_v1(folder)
                    if limit is not None:
                        yield limit


def _mounts(proc_self: Path) -> Iterator[tuple[str, str, str]]:
    """Return (kind, root inside the hierarchy, mount point) of each mount that can hold quotas."""
    for line in _lines(proc_self / "mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" or (kind[0] == "cgroup" and "cpu" in kind[2].split(",")):
            yield kind[0], _unescape(fields[3]), _unescape(fields[4])


def _up_to_mount(mount: Path, root: str, path: str) -> Iterator[Path]:
    """Walk from the process's own cgroup up to the mount point, both included.

    A path outside ``root`` belongs to another cgroup namespace; the mount point is then all that
    can be seen.
    """
    inner = PurePosixPath(path)
    if ".." in inner.parts or not inner.is_relative_to(root):
        yield mount
        return
    folder = mount / inner.relative_to(root)
    while folder != mount:
        yield folder
        folder = folder.parent
    yield mount


def _quota_v2(folder: Path) -> int | None:
    line = next(_lines(folder / "cpu.max"), "")
    quota, _, period = line.partition(" ")
    return _whole_cpus(quota, period)


def _quota_v1(folder: Path) -> int | None:
    quota = next(_lines(folder / "cpu.cfs_quota_us"), "")
    period = next(_lines(folder / "cpu.cfs_period_us"), "")
    return _whole_cpus(quota, period)


def _whole_cpus(quota: str, period: str) -> int | None:
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None  # "max", "-1" and absent files: no quota
    return max(1, int(quota) // int(period))


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    yield from text.splitlines()


def _unescape(field: str) -> str:
    """Undo the octal escapes of mountinfo (blank, tab, newline, backslash)."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
