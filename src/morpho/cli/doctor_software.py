"""Python and the packages that morpho needs: what is installed, and whether the versions fit."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from morpho.cli.findings import Finding
from morpho.cli.pipeline import pipeline_folder
from morpho.errors import CommandLineError

OLDEST_PYTHON, NEWEST_TRIED = (3, 11), (3, 13)
INSTALL = "install the packages of requirements.lock: pip install --no-deps --require-hashes -r requirements.lock"
LOGGER_PLUGIN = "snakemake_logger_plugin_morpho"
SLURM_NEEDS = Path("profiles", "slurm", "requirements.txt")  # in the folder of the Snakefile
EXECUTOR_PREFIX = "snakemake-executor-plugin-"


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Check the version of Python."""
    oldest, newest = (".".join(map(str, limit)) for limit in (OLDEST_PYTHON, NEWEST_TRIED))
    value, wanted = ".".join(map(str, version)), f">={oldest}"
    if version[:2] < OLDEST_PYTHON:
        return Finding("Python", value, "fail", wanted, f"install Python {oldest} to {newest}, and morpho in it")
    if version[:2] > NEWEST_TRIED:
        return Finding("Python", value, "note", wanted, f"morpho was tried with Python {oldest} to {newest}")
    return Finding("Python", f"{value} ({platform.machine()}, {platform.system()})", "ok", wanted)


def check_packages(requirements: Iterable[str] | None = None) -> list[Finding]:
    """Compare the installed packages with what morpho says it needs.

    Parameters
    ----------
    requirements
        Requirements as in the metadata of a package; those of the installed morpho if None. What belongs to an extra,
        or to another platform, is passed over.

    Returns
    -------
    One finding per requirement.
    """
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return [Finding("packaging", "not installed", "fail", "", INSTALL)]
    given = importlib.metadata.requires("morpho") if requirements is None else requirements
    needed = [Requirement(text) for text in given or ()]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [_compare(one.name, str(one.specifier), one.specifier.contains) for one in needed]


def _compare(name: str, wanted: str, fits: object) -> Finding:
    """Compare one package; `fits` says whether a version is among those that are wanted."""
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", "fail", wanted, f"pip install '{name}{wanted}', or {INSTALL}")
    is_right = callable(fits) and fits(found, prereleases=True)
    remedy = "" if is_right else f"pip install '{name}{wanted}', or {INSTALL}"
    return Finding(name, found, "ok" if is_right else "fail", wanted, remedy)


def check_logger() -> Finding:
    """Check that Snakemake can find what morpho shows while it runs."""
    if importlib.util.find_spec(LOGGER_PLUGIN) is None:
        return Finding("logger plugin", "not installed", "fail", "", "install morpho again: pip install --no-deps .")
    return Finding("logger plugin", "installed")


def check_clusters() -> list[Finding]:
    """Say which batch systems Snakemake could use from here; none is needed on one machine."""
    plugins = {
        name.removeprefix(EXECUTOR_PREFIX): found.version
        for found in importlib.metadata.distributions()
        if (name := str(found.metadata["Name"]).lower().replace("_", "-")).startswith(EXECUTOR_PREFIX)
    }
    listed = ", ".join(f"{name} {version}" for name, version in sorted(plugins.items()))
    findings = [Finding("cluster plugins", listed or "none (only needed on a cluster: docs/scaling.md)", "")]
    if shutil.which("sbatch"):
        has_plugin = "slurm" in plugins
        install = shlex.join(["pip", "install", "--no-deps", "-r", str(_find_slurm_needs())])
        remedy = "" if has_plugin else f"to use it: {install}, then --profile slurm"
        findings.append(Finding("Slurm", "sbatch is here", "" if has_plugin else "note", "", remedy))
    return findings


def _find_slurm_needs() -> Path:
    """Find the file with Slurm's plugin."""
    try:
        return pipeline_folder() / SLURM_NEEDS
    except CommandLineError:  # that the workflow is missing is a finding of its own
        return SLURM_NEEDS
