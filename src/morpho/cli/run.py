"""`morpho BIDS_DIR OUT_DIR participant|group`: checks the call, writes its configuration, becomes Snakemake.

A thin layer: what is measured and how is the matter of the workflow alone. The configuration goes through a file, so
that no value of it is ever quoted for a shell.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from morpho.bids import check_folders
from morpho.cli.bids_filter import read_bids_filter
from morpho.cli.failed_scans import retry_options
from morpho.cli.machine import count_cores, measure_memory, with_cache
from morpho.cli.pipeline import (
    find_profile,
    merge_configs,
    pipeline_folder,
    read_study_config,
    snakemake_command,
)
from morpho.cli.run_options import RunOptions, parse_run, version
from morpho.cli.terminal import remark, say
from morpho.config import TABLES
from morpho.errors import CommandLineError, MorphoError

SCANS_TARGET = "scans"
WORK_FOLDER = ".morpho"
CACHE_FOLDER = "cache"
DEFAULT_PROFILE = "default"
STEPS = "Job stats:\n"
DRY = "This was a dry run: nothing was measured or written."
HEADER = """\
# Written by morpho {version} for one call; what stands here comes from the command line and from the files it named.
"""


def run_app(arguments: Sequence[str]) -> int:
    """Run the workflow as a BIDS App.

    Parameters
    ----------
    arguments
        What follows the name of the program.

    Returns
    -------
    Exit status of a dry run. A real run replaces this process by Snakemake, whose exit status it has.

    Raises
    ------
    CommandLineError
        If the call cannot be carried out.
    """
    options = parse_run(arguments)
    check_places(options)
    config = build_config(options)
    if options.skips_validation:
        remark("morpho: --skip-bids-validation changes nothing: only what morpho itself needs is checked, and always.")
    work_dir = (options.work_dir or options.output_dir / WORK_FOLDER).absolute()
    if options.is_dry:
        return _try_out(options, config, work_dir)
    return _become_snakemake(options, config, work_dir)


def check_places(options: RunOptions) -> None:
    """Check that the folders are what they should be, before Snakemake spends seconds on them.

    Parameters
    ----------
    options
        The call.

    Raises
    ------
    CommandLineError
        If BIDS_DIR is no BIDS folder, seems to be swapped with OUT_DIR, or holds OUT_DIR or the work folder; if
        people who were asked for, or the profile, are not there.
    """
    bids_dir, output_dir = options.bids_dir, options.output_dir
    if not _has_subjects(bids_dir):
        seen = "does not exist" if not bids_dir.exists() else "has no sub-* folder"
        swapped = f" OUT_DIR '{output_dir}' has some: are the two swapped?" if _has_subjects(output_dir) else ""
        message = (
            f"BIDS_DIR '{bids_dir}' {seen}.{swapped} Give the top of a BIDS data set, the folder in which sub-01, "
            "sub-02 ... lie."
        )
        raise CommandLineError(message)
    find_profile(options.profile or DEFAULT_PROFILE)
    _check_outside("OUT_DIR", output_dir, bids_dir)
    if options.work_dir is not None:
        _check_outside("The work folder", options.work_dir, bids_dir)
    absent = [label for label in options.participants if not (bids_dir / f"sub-{label}").is_dir()]
    if absent:
        there = sorted(path.name.removeprefix("sub-") for path in bids_dir.glob("sub-*") if path.is_dir())
        some = ", ".join(there[:5]) + (" ..." if len(there) > 5 else "")
        message = (
            f"--participant-label: {', '.join(absent)} not in BIDS_DIR '{bids_dir}', which has {len(there)}: {some}"
        )
        raise CommandLineError(message)


def _check_outside(name: str, folder: Path, bids_dir: Path) -> None:
    """Check that a folder to write into is no file, and lies outside the BIDS folder."""
    if folder.exists() and not folder.is_dir():
        message = f"{name} '{folder}' is a file. Name a folder; it is made if it does not exist."
        raise CommandLineError(message)
    try:
        check_folders(bids_dir, folder)
    except MorphoError as error:
        message = (
            f"{name} '{folder}' lies inside BIDS_DIR '{bids_dir}', which morpho never writes into. Name another one, "
            f"for example {bids_dir.absolute()}_morpho."
        )
        raise CommandLineError(message) from error


def build_config(options: RunOptions) -> dict[str, Any]:
    """Put the configuration of a call together.

    Parameters
    ----------
    options
        The call. Later files count more than earlier ones, the filter file more than these, labels most.

    Returns
    -------
    The keys that differ from the defaults of the workflow, all paths absolute.

    Raises
    ------
    CommandLineError
        If a file cannot be used.
    """
    config: dict[str, Any] = {}
    for path in options.configs:
        config = merge_configs(config, read_study_config(path))
    tables = [name for name in TABLES if isinstance(config.get(name), str)]
    if tables:
        message = (
            f"The configuration names a table in place of the block {tables[0]}, for statistics without scans, which a "
            "BIDS App has no call for. config/README.md shows the call of Snakemake."
        )
        raise CommandLineError(message)
    places = {"bids_dir": str(options.bids_dir.absolute()), "output_dir": str(options.output_dir.absolute())}
    for key, value in places.items():
        if config.get(key) not in (None, value):
            remark(f"morpho: {key} of the command line counts, {value}; the configuration file has {config[key]}.")
    config |= places
    if options.filter_file is not None:
        config = merge_configs(config, {"scans": read_bids_filter(options.filter_file)})
    if options.sessions:
        config = merge_configs(config, {"scans": {"filters": {"session": list(options.sessions)}}})
    if options.participants:
        config = merge_configs(config, {"scans": {"participants": list(options.participants)}})
    return config


def build_command(options: RunOptions, config_file: Path, work_dir: Path) -> list[str]:
    """Put the call of Snakemake together.

    Parameters
    ----------
    options
        The call of the BIDS App.
    config_file
        File with what `build_config` gives.
    work_dir
        Folder that Snakemake keeps its records in.

    Returns
    -------
    Program and arguments; no shell reads them.

    Raises
    ------
    CommandLineError
        If there is no such profile.
    """
    pipeline = pipeline_folder()
    is_local = options.profile is None
    memory_mb = options.mem_mb or (measure_memory().usable_mb if is_local else None)
    n_procs = options.n_procs or (count_cores() if is_local else None)
    command = snakemake_command()
    command += [SCANS_TARGET] if options.level == "participant" else []
    # Options that take several values come first: the last one must not take what follows for one of them.
    command += ["--configfile", str(config_file)]
    command += retry_options(options.output_dir) if options.retries else []
    command += ["--resources", f"mem_mb={memory_mb}"] if memory_mb else []
    command += ["--quiet", "rules", "reason"] if options.is_dry else []
    command += ["--dry-run"] if options.is_dry else []
    command += ["--cores" if is_local else "--jobs", str(n_procs)] if n_procs else []
    command += find_profile(options.profile or DEFAULT_PROFILE)
    command += ["--snakefile", str(pipeline / "Snakefile"), "--directory", str(work_dir)]
    return [*command, *options.handed_over]


def write_config(config: Mapping[str, Any], folder: Path) -> Path:
    """Write the configuration of a call under a name that tells its content, whole or not at all.

    Jobs of a running workflow read the file again, so that another call must never change it.
    """
    text = HEADER.format(version=version()) + yaml.safe_dump(dict(config), allow_unicode=True, sort_keys=True)
    path = folder / f"call-{hashlib.sha256(text.encode()).hexdigest()[:12]}.yaml"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, suffix=".yaml", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
    return path


def _try_out(options: RunOptions, config: Mapping[str, Any], work_dir: Path) -> int:
    """Dry run: nothing is written but into a private folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="morpho-") as private:
        place = work_dir if work_dir.is_dir() and os.access(work_dir, os.W_OK) else Path(private)
        command = build_command(options, write_config(config, Path(private)), place)
        environment = with_cache(os.environ, Path(private, CACHE_FOLDER))
        output = None if options.handed_over else subprocess.PIPE
        done = subprocess.run(command, env=environment, stdout=output, encoding="utf-8", errors="replace", check=False)
    if options.handed_over:
        return done.returncode
    say(_shorten(done.stdout) if done.returncode == 0 else done.stdout.rstrip())
    if done.returncode and not options.configs:
        remark(
            f"No --config was given; {shlex.join(['morpho', 'init', str(options.bids_dir)])} writes one to begin with."
        )
    return done.returncode


def _shorten(text: str) -> str:
    """Table of the steps that a dry run lists, without all that Snakemake says about them besides."""
    table = text.partition(STEPS)[2].partition("\n\n")[0].strip("\n")
    if not table:
        return f"Nothing to be done.\n{DRY}"
    return f"Steps that would be done:\n{table}\n{DRY}"


def _become_snakemake(options: RunOptions, config: Mapping[str, Any], work_dir: Path) -> NoReturn:
    """Make the folders, write the configuration, and give this process over to Snakemake."""
    try:
        options.output_dir.mkdir(parents=True, exist_ok=True)
        work_dir.mkdir(parents=True, exist_ok=True)
        command = build_command(options, write_config(config, work_dir), work_dir)
    except OSError as error:
        message = f"morpho cannot write where it should: {error}. Name another OUT_DIR, or another folder with -w."
        raise CommandLineError(message) from error
    remark(f"morpho {version()}: {shlex.join(command)}")
    sys.stdout.flush()
    os.execve(command[0], command, with_cache(os.environ, work_dir / CACHE_FOLDER))


def _has_subjects(folder: Path) -> bool:
    """Whether a folder has the folder of a participant."""
    return folder.is_dir() and any(path.is_dir() for path in folder.glob("sub-*"))
