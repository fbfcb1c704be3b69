"""What this machine, or the share of it that a container or a batch system gives, can do: cores, memory, disk.

Only the standard library is imported: `morpho doctor` must be able to tell what is missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEGABYTE = 1_000_000
KIBIBYTE = 1024
USABLE_SHARE = 0.9  # of the memory is given to steps; the rest is for the system and the workflow itself


@dataclass(frozen=True)
class Memory:
    """Memory of the machine (MB): all, free for use now, and the limit of the container or batch job, None if none."""

    total_mb: int | None
    available_mb: int | None
    limit_mb: int | None

    @property
    def usable_mb(self) -> int | None:
        """What steps may take together; None if nothing is known of this machine."""
        known = [size for size in (self.total_mb, self.limit_mb) if size is not None]
        return int(min(known) * USABLE_SHARE) if known else None


def count_cores() -> int:
    """Count the cores that this process may use: affinity and the CPU quota of a cgroup count."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota()
    return max(1, min(cores, quota) if quota else cores)


def measure_memory(meminfo: Path = Path("/proc/meminfo")) -> Memory:
    """Measure the memory, and find the limit of the cgroup that this process is in."""
    sizes: dict[str, int] = {}
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, rest = line.partition(":")
            if rest.split()[:1] and rest.split()[0].isdigit():
                sizes[name] = int(rest.split()[0]) * KIBIBYTE // MEGABYTE
    total = sizes.get("MemTotal") or _physical_mb()
    return Memory(total, sizes.get("MemAvailable"), _memory_limit_mb(total))


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Folder of caches of this user."""
    given = environment.get("XDG_CACHE_HOME")
    if given:
        return Path(given)
    home = environment.get("HOME") or "/"
    return Path(home, "Library", "Caches") if sys.platform == "darwin" else Path(home, ".cache")


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the one that it would be made in."""
    place = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def with_cache(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Environment in which caches go to `folder` if this user has no place for them, as in containers."""
    changed = dict(environment)
    if not is_writable(cache_folder(environment)):
        changed["XDG_CACHE_HOME"] = str(folder)
        changed.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
    return changed


def _physical_mb() -> int | None:
    """Physical memory where there is no /proc."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEGABYTE
    except (ValueError, OSError, AttributeError):
        return None


def _cgroup_folders() -> list[Path]:
    """Folders of the cgroup of this process and of those around it, innermost first; version 1 and 2."""
    folders = []
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, inside = [*line.split(":", 2), "", ""][:3]
        root = CGROUP / controllers if controllers and (CGROUP / controllers).is_dir() else CGROUP
        folder = root / inside.lstrip("/")
        while folder != root and root in folder.parents:
            folders.append(folder)
            folder = folder.parent
        folders.append(root)
    return folders


def _memory_limit_mb(total_mb: int | None) -> int | None:
    """Smallest memory limit of the cgroups; None if there is none below the memory of the machine."""
    limits = []
    for folder in _cgroup_folders():
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read_line(folder / name)
            if text.isdigit():
                limits.append(int(text) // MEGABYTE)
    smallest = min(limits, default=None)
    return smallest if smallest is not None and (total_mb is None or smallest < total_mb) else None


def _cpu_quota() -> int | None:
    """Smallest number of whole cores that the cgroups allow; None if they set no quota."""
    quotas = []
    for folder in _cgroup_folders():
        quota, _, period = _read_line(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _read_line(folder / "cpu.cfs_quota_us"), _read_line(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            quotas.append(max(1, int(quota) // int(period)))
    return min(quotas, default=None)


def _read_line(path: Path) -> str:
    """First line of a small file; "" if it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").partition("\n")[0].strip()
    except OSError:
        return ""
