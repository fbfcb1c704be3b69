"""Time morpho beside a stock antspyx recipe: wall and CPU seconds and peak memory, one scan and two at once.

    python benchmarks/speed.py T1W --threads 1 2 --scans 1 2 --out speed.tsv

morpho runs as its users run it, from the raw scan to the table of volumes, with `snakemake --cores THREADS`. The recipe
(stock_recipe.py) runs in a process of its own: N4 with a mask, antsRegistrationSyNQuick[s] to the template, Atropos
from k-means, labels carried back, volumes. It is given the brain mask of morpho, so brain extraction costs it nothing.
Two scans are the same scan twice: two jobs of one Snakemake, or two recipes side by side with the threads shared out.

The table has one row per tool, number of threads, number of scans and stage. Of morpho's stages (Snakemake's own
measurements, imports included) seconds are means over the scans and peak_rss_mb is the largest; the stage `snakemake`
is what Snakemake itself adds. The stage `whole` is the command from start to end: CPU seconds as the system counted
them (wait4), memory as the largest sum over all its processes at one moment (shared libraries count in each of them).

Last line: wall_ratio_T and cpu_ratio_T are stock over morpho for whole commands of one scan with T threads;
stage_cpu_ratio_T and stage_wall_ratio_T leave Snakemake itself out; seconds_T are those of morpho; ends in x2: two
scans at once. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import psutil
import yaml
from grids import load_labels, on_grid_of
from measuring import (
    BRAIN_MASK,
    REPOSITORY,
    BenchmarkError,
    build_bids,
    config_of,
    merge,
    read_outputs,
    read_overrides,
    snakemake_command,
    summary_line,
    work_folder,
    write_results,
)
from nibabel.nifti1 import Nifti1Image

SUBJECTS = ("one", "two")
THREAD_VARIABLES = (
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
LOOK_EVERY_S = 0.1
BYTES_PER_MB = 1e6
COLUMNS = ("tool", "threads", "scans", "stage", "wall_s", "cpu_s", "peak_rss_mb")
WHOLE, OVERHEAD = "whole", "snakemake"
MISSING = ["-", "NA"]  # as Snakemake writes what it could not measure

Row = tuple[str, int, int, str, float, float, float]


@dataclass(frozen=True)
class Cost:
    """What commands took together."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float


def run_together(commands: Sequence[Sequence[str]], *, threads: int, log: Path) -> Cost:
    """Run commands side by side, and measure them with all their children.

    Raises
    ------
    BenchmarkError
        If one of them fails.
    """
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    began, peak, cpu_s = time.perf_counter(), 0.0, 0.0
    with log.open("a", encoding="utf-8") as file:
        running = [
            subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=file, stderr=subprocess.STDOUT)
            for command in commands
        ]
        while running:
            peak = max(peak, sum(_memory_mb(process.pid) for process in running))
            for process in list(running):
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    running.remove(process)
                    process.returncode = os.waitstatus_to_exitcode(status)
                    cpu_s += usage.ru_utime + usage.ru_stime
                    if process.returncode:
                        _stop(running)
                        message = f"'{Path(str(process.args[0])).name}' ended with {process.returncode}; see {log}."
                        raise BenchmarkError(message)
            time.sleep(LOOK_EVERY_S)
    return Cost(time.perf_counter() - began, cpu_s, peak)


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what still runs."""
    for process in processes:
        process.terminate()
        process.wait()


def _memory_mb(pid: int) -> float:
    """Resident memory of a process and all its descendants."""
    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / BYTES_PER_MB


def thread_settings(threads: int) -> dict[str, object]:
    """Find the settings that give a job of morpho more threads: keys `threads`, if its configuration has any."""
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8"))
    found: dict[str, object] = {"threads": threads} if "threads" in config else {}
    for block, settings in config.items():
        if isinstance(settings, Mapping) and "threads" in settings:
            found[block] = {"threads": threads}
    return found


def time_morpho(
    t1w: Path, work: Path, overrides: Mapping[str, object], *, threads: int, n_scans: int
) -> tuple[list[Row], Path]:
    """Measure the scan from the start; gives the rows of the table and the brain mask."""
    subjects = SUBJECTS[:n_scans]
    folder = work / f"morpho-{threads}-{n_scans}-{time.time_ns()}"
    folder.mkdir()
    build_bids(dict.fromkeys(subjects, t1w), folder / "bids")
    settings = merge(overrides, thread_settings(max(1, threads // n_scans)))
    command = snakemake_command(config_of(subjects, folder, settings), folder, cores=threads)
    cost = run_together([command], threads=threads, log=folder / "snakemake.log")
    results = [read_outputs(folder / "morpho", subject) for subject in subjects]
    for result in results:
        if result.failure:
            message = f"morpho could not measure {t1w}: {result.failure}."
            raise BenchmarkError(message)
    return stage_rows(folder / "morpho" / "logs", cost, threads=threads, n_scans=n_scans), results[0].file(BRAIN_MASK)


def stage_rows(logs: Path, cost: Cost, *, threads: int, n_scans: int) -> list[Row]:
    """Rows of morpho's stages in the order in which they ended, of Snakemake itself, and of the whole."""
    files = sorted(logs.glob("*/sub-*/*.benchmark.tsv"), key=lambda file: file.stat().st_mtime)
    jobs = pd.concat([_read_job(file) for file in files], ignore_index=True)
    start = ("morpho", threads, n_scans)
    rows: list[Row] = []
    for stage, part in jobs.groupby("stage", sort=False):
        wall_s, cpu_s, peak = float(part["s"].mean()), float(part["cpu_time"].mean()), float(part["max_rss"].max())
        rows.append((*start, str(stage), wall_s, cpu_s, peak))
    # Jobs of two scans overlap, so their wall seconds do not add up.
    extra_wall_s = cost.wall_s - float(jobs["s"].sum()) if n_scans == 1 else float("nan")
    rows.append((*start, OVERHEAD, extra_wall_s, cost.cpu_s - float(jobs["cpu_time"].sum()), float("nan")))
    rows.append((*start, WHOLE, cost.wall_s, cost.cpu_s, cost.peak_rss_mb))
    return rows


def _read_job(file: Path) -> pd.DataFrame:
    """Seconds and memory of one job, with the name of its rule."""
    table = pd.read_csv(file, sep="\t", na_values=MISSING)
    return table[["s", "cpu_time", "max_rss"]].astype(float).assign(stage=file.parents[1].name)


def time_stock(t1w: Path, brain_mask: Path, work: Path, *, threads: int, n_scans: int) -> list[Row]:
    """Run the stock recipe for each scan at once; gives the rows of the table."""
    folders = [work / f"stock-{threads}-{n_scans}-{time.time_ns()}-{subject}" for subject in SUBJECTS[:n_scans]]
    for folder in folders:
        folder.mkdir()
    recipe = str(Path(__file__).with_name("stock_recipe.py"))
    commands = [[sys.executable, recipe, str(t1w), str(brain_mask), str(folder)] for folder in folders]
    cost = run_together(commands, threads=max(1, threads // n_scans), log=folders[0] / "stock.log")
    stages = pd.concat(
        [pd.DataFrame(json.loads((folder / "stages.json").read_text(encoding="utf-8"))) for folder in folders]
    )
    start = ("antspyx", threads, n_scans)
    rows: list[Row] = [
        (*start, str(stage), float(part["wall_s"].mean()), float(part["cpu_s"].mean()), float("nan"))
        for stage, part in stages.groupby("stage", sort=False)
    ]
    return [*rows, (*start, WHOLE, cost.wall_s, cost.cpu_s, cost.peak_rss_mb)]


def run(arguments: argparse.Namespace, work: Path) -> pd.DataFrame:
    """Time both tools in all combinations."""
    if not arguments.t1w.is_file():
        message = f"There is no T1w image '{arguments.t1w}'. Give the path of a .nii or .nii.gz file."
        raise BenchmarkError(message)
    t1w = arguments.t1w.resolve()
    overrides = read_overrides(arguments.config)
    rows: list[Row] = []
    for threads in arguments.threads:
        for n_scans in arguments.scans:
            ours, brain_mask = time_morpho(t1w, work, overrides, threads=threads, n_scans=n_scans)
            rows += ours
            if not arguments.only_morpho:
                mask = work / "brain_mask.nii.gz"
                raw = nib.squeeze_image(nib.load(t1w))
                on_raw = on_grid_of(load_labels(brain_mask), raw).astype(np.uint8)
                nib.save(Nifti1Image(on_raw, raw.affine), mask)
                rows += time_stock(t1w, mask, work, threads=threads, n_scans=n_scans)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarise(table: pd.DataFrame) -> dict[str, float | int | str]:
    """Figures of the last line."""
    whole = table[table["stage"] == WHOLE].set_index(["tool", "threads", "scans"])
    stages = table[(table["tool"] == "morpho") & ~table["stage"].isin([WHOLE, OVERHEAD])]
    values: dict[str, float | int | str] = {}
    for tool, threads, n_scans in whole.index:
        if tool != "morpho":
            continue
        ours, end = whole.loc[(tool, threads, n_scans)], f"{threads}" if n_scans == 1 else f"{threads}x{n_scans}"
        values[f"seconds_{end}"], values[f"cpu_seconds_{end}"] = float(ours["wall_s"]), float(ours["cpu_s"])
        if ("antspyx", threads, n_scans) not in whole.index:
            continue
        stock = whole.loc[("antspyx", threads, n_scans)]
        values[f"cpu_ratio_{end}"] = float(stock["cpu_s"] / ours["cpu_s"])
        values[f"wall_ratio_{end}"] = float(stock["wall_s"] / ours["wall_s"])
        if n_scans == 1:
            sums = stages[(stages["threads"] == threads) & (stages["scans"] == 1)][["wall_s", "cpu_s"]].sum()
            values[f"stage_cpu_ratio_{end}"] = float(stock["cpu_s"] / sums["cpu_s"])
            values[f"stage_wall_ratio_{end}"] = float(stock["wall_s"] / sums["wall_s"])
    single = whole[whole.index.get_level_values("scans") == 1]["peak_rss_mb"].groupby("tool").max()
    values["peak_mb"] = float(single.get("morpho", np.nan))
    values["stage_peak_mb"] = float(stages["peak_rss_mb"].max())
    values["stock_peak_mb"] = float(single.get("antspyx", np.nan))
    return values


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("t1w", type=Path, help="T1w image")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (default: 1 2)")
    parser.add_argument("--scans", type=int, nargs="+", default=[1, 2], choices=(1, 2), help="scans at once")
    parser.add_argument("--only-morpho", action="store_true", help="leave the stock recipe out")
    parser.add_argument("--config", type=Path, help="YAML file with settings of morpho that differ from the default")
    parser.add_argument("--work", type=Path, help="folder to keep the outputs in; every run starts anew")
    parser.add_argument("--out", type=Path, default=Path("speed.tsv"), help="table to write")
    arguments = parser.parse_args()
    if min(arguments.threads) < 1:
        parser.error(f"--threads is {arguments.threads}; at least 1 is needed")
    return arguments


def main() -> None:
    """Run, write the table, print the summary."""
    arguments = parse_arguments()
    try:
        with work_folder(arguments.work) as work:
            table = run(arguments, work)
    except BenchmarkError as error:
        sys.exit(f"speed: {error}")
    write_results(table, arguments.out)
    sys.stdout.write(summary_line(summarise(table)) + "\n")


if __name__ == "__main__":
    main()
