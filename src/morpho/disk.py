"""Files that are there whole or not at all; room on a disk, and what a process that was killed left there."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from morpho.errors import MorphoError

MB_PER_SCAN = 25.0  # measured: 23 of a brain of 1 mm
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# A library in another language reports only that writing failed; with less room than this, the disk is why.
SMALLEST_ROOM_BYTES = 2_000_000
MEGABYTE = 1_000_000


class DiskFullError(MorphoError):
    """There is no room to write results."""

    @classmethod
    def describe(cls, folder: Path, error: BaseException) -> DiskFullError:
        """Say which disk is full, how much room there is, and what to do."""
        free_mb = shutil.disk_usage(folder).free / MEGABYTE
        message = (
            f"The disk of {folder} is full ({free_mb:.0f} MB free): {error}. Make room (a scan takes about "
            f"{MB_PER_SCAN:.0f} MB), or set output_dir to another disk; then give the same command again. What is done "
            "is kept."
        )
        return cls(message)


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """Tell whether an error came from a full disk (or quota): the error or a cause says so, or there is no room."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in FULL:
            return True
        seen = seen.__cause__ or seen.__context__
    return shutil.disk_usage(folder).free < SMALLEST_ROOM_BYTES


def temporary_path(path: Path) -> Path:
    """Name beside `path` under which it is written before it is moved into place; `remove_leftovers` knows it."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


def write_whole(content: bytes, path: Path) -> None:
    """Write a file so that it is there whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what a killed process left of files that it was writing (see `temporary_path`)."""
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(f".{path.name}.")
    for folder, starts in names.items():
        if not folder.is_dir():
            continue
        for entry in os.scandir(folder):
            if entry.name.endswith(".tmp") and entry.name.startswith(tuple(starts)):
                Path(entry.path).unlink(missing_ok=True)


def free_mb(folder: Path) -> float:
    """Room on the disk of a folder, or of its first parent that exists (MB of 10^6 bytes)."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / MEGABYTE


def describe_room(n_scans: int, free: float) -> str:
    """Warn if the room on a disk (MB) will hardly do for that many scans; "" if it will."""
    needed = n_scans * MB_PER_SCAN
    if free >= needed:
        return ""
    return (
        f"The disk of the output folder has {free / 1000:.1f} GB free; {n_scans} scans take about "
        f"{needed / 1000:.1f} GB. If it runs full the run stops; make room and give the same command again."
    )
