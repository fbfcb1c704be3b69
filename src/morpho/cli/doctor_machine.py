"""What this machine has for morpho: cores, memory, disk, and places that can be written to."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from morpho.cli.findings import Finding
from morpho.cli.machine import MEGABYTE, Memory, cache_folder, count_cores, is_writable, measure_memory

SCAN_MB = 2600  # memory of one scan's largest step, with Snakemake around it (profiles/slurm)
TIGHT_DISK_MB, NO_DISK_MB = 10_000, 500
TEMPORARY_MB = 1000
OWNER = 0o700
WORLD_WRITES = 0o002


def check_machine(path: Path) -> list[Finding]:
    """Look at cores, memory, disk at `path`, temporary and cache folders, rights and letters."""
    return [
        _check_cores(),
        check_memory(measure_memory()),
        check_disk(path),
        check_temporary(),
        check_cache(os.environ),
        check_umask(read_umask()),
        _check_letters(),
    ]


def _check_cores() -> Finding:
    """Count the cores for this process, and of the machine."""
    usable, all_cores = count_cores(), os.cpu_count() or 1
    share = "" if usable == all_cores else f" of {all_cores} (affinity or quota)"
    return Finding("cores", f"{usable}{share}: as many scans at a time, if memory allows", "ok")


def check_memory(memory: Memory) -> Finding:
    """Check that one scan fits into memory."""
    if memory.usable_mb is None:
        return Finding("memory", "unknown on this system", "note", "", "say how much there is: --mem-mb")
    parts = [f"{size} MB {name}" for name, size in (("free", memory.available_mb), ("in all", memory.total_mb)) if size]
    parts += [f"limited to {memory.limit_mb} MB (container or batch job)"] if memory.limit_mb else []
    now = min(size for size in (memory.available_mb, memory.usable_mb) if size is not None)
    wanted = f"{SCAN_MB} MB per scan at a time"
    if memory.usable_mb < SCAN_MB:
        return Finding("memory", ", ".join(parts), "fail", wanted, "use a machine, or ask for a job, with more memory")
    if now < SCAN_MB:
        return Finding("memory", ", ".join(parts), "note", wanted, "other programs hold memory; close them first")
    return Finding("memory", ", ".join(parts), "ok", wanted)


def check_disk(path: Path) -> Finding:
    """Check that results can be written to a folder (or where it would be made)."""
    place = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    free_mb = shutil.disk_usage(place).free // MEGABYTE
    what, value = "disk", f"{free_mb} MB free at {path}"
    if not os.access(place, os.W_OK):
        return Finding(what, value, "fail", "", f"'{place}' cannot be written to; name another folder: --path DIR")
    if free_mb < NO_DISK_MB:
        return Finding(what, value, "fail", "", "make room, or write to another disk")
    if free_mb < TIGHT_DISK_MB:
        return Finding(what, value, "note", "", "little room for a cohort; docs/scaling.md says what a scan takes")
    return Finding(what, value)


def check_temporary() -> Finding:
    """Check that temporary files can be written."""
    try:
        with tempfile.NamedTemporaryFile(prefix="morpho-") as file:
            file.write(b"morpho")
        folder = tempfile.gettempdir()
        free_mb = shutil.disk_usage(folder).free // MEGABYTE
    except OSError as error:
        return Finding("temporary files", str(error), "fail", "", "set TMPDIR to a folder that can be written to")
    if free_mb < TEMPORARY_MB:
        remedy = "set TMPDIR to a folder with more room"
        return Finding("temporary files", f"{free_mb} MB free in {folder}", "note", "", remedy)
    return Finding("temporary files", f"{free_mb} MB free in {folder}")


def check_cache(environment: Mapping[str, str]) -> Finding:
    """Check that Snakemake can keep its cache."""
    folder = cache_folder(environment)
    if is_writable(folder):
        return Finding("cache", str(folder))
    remedy = "`morpho` uses OUT_DIR in its place; where you call snakemake yourself, set XDG_CACHE_HOME"
    return Finding("cache", f"{folder} cannot be written to", "note", "", remedy)


def read_umask() -> int:
    """Rights that new files do not get; it can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def check_umask(umask: int) -> Finding:
    """Check the rights that new files get."""
    value = f"{umask:03o}"
    if umask & OWNER:
        return Finding("umask", value, "fail", "", "you could not read your own results; in the shell: umask 022")
    if not umask & WORLD_WRITES:
        return Finding("umask", value, "note", "", "everybody could change your results; in the shell: umask 022")
    return Finding("umask", value)


def _check_letters() -> Finding:
    """Check the encoding of paths and of what is written."""
    paths, terminal = sys.getfilesystemencoding(), sys.stdout.encoding or "unknown"
    value = f"paths {paths}, output {terminal}"
    if paths.lower().replace("-", "") != "utf8":
        return Finding("letters", value, "note", "", "paths with umlauts may fail; in the shell: export PYTHONUTF8=1")
    return Finding("letters", value)
