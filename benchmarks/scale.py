"""Weigh a large cohort on stand-ins: planning of its scans, and everything that is made of all scans together.

    python benchmarks/scale.py dag --scans 1000 10000 --work DIR
    python benchmarks/scale.py group --people 1000 10000 40000 --from tables --work DIR --out group.tsv

Nothing is measured: `stand_ins.py` makes people, volumes and metrics with effects, gaps, 20 sites and a second visit of
every tenth person, so that all claims of the claims file are tested. Snakemake runs as in a study.

dag
    `snakemake --dry-run` of all scans, none of them measured. With --batch K, each of K parts of the scans is planned
    by itself (`--batch assemble_cohort=1/K`), as a cohort beyond memory would be; the first part is timed.
group
    All tables, models, figures and the report. ``--from tables``: volumes and participants come as two tables;
    ``--from scans``: the files of each scan are there as measuring leaves them (tables, record, pictures).

Each step is a process of its own, which says at its end what it took: seconds of wall clock, CPU seconds (user and
system), and its largest resident memory (VmHWM), in MB of 10^6 bytes. "all tables there" is the time from the start of
Snakemake until the last table of the cohort was written; figures and report come after. Rows are appended to --out as
steps end, so that a run that is cut is not lost. The report's viewer, which needs real images, is off; all else is as
configured, with 40 tests of volumes (five families).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from measuring import REPOSITORY, BenchmarkError, summary_line
from stand_ins import simulate_cohort, write_bids, write_measured, write_tables

ROIS = REPOSITORY / "config" / "rois.tsv"
BYTES_PER_KIB, BYTES_PER_MB = 1024, 1e6
FOUR_MORE = ["superior_frontal", "inferior_frontal", "frontal_pole", "middle_frontal"]
SETTINGS: dict[str, Any] = {
    "participants": {"severity": {"HAMD17": "hamd", "BDI": "bdi"}},
    "models": {"harmonise": "combat", "families": {"others": {"hemispheres": ["L", "R"], "rois": FOUR_MORE}}},
    "report": {"viewer_mb": 0},
}
COLUMNS = ("part", "people", "scans", "step", "wall_s", "cpu_s", "peak_mb")
# Run by every Python process whose path leads to it: says what the process took.
METER = """
import atexit, json, os, resource, sys, time
began = time.time()
def note():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open("/proc/self/status") as file:
        peak_kib = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    own = used[0].ru_utime + used[0].ru_stime
    row = {"step": os.path.basename(sys.argv[0]), "wall_s": time.time() - began, "cpu_s": own, "peak_kib": peak_kib}
    with open(os.path.join(os.environ["MORPHO_METER"], f"{os.getpid()}.json"), "w") as file:
        json.dump(row, file)
atexit.register(note)
"""


@dataclass(frozen=True)
class Row:
    """What one step took; `part` is dag or group with the kind of its input, `scans` the scans of its people."""

    part: str
    people: int
    scans: int
    step: str
    wall_s: float
    cpu_s: float
    peak_mb: float


def run_snakemake(work: Path, settings: dict[str, Any], options: Sequence[str]) -> None:
    """Run Snakemake on a configuration; every process of it leaves its costs in ``work/meter``.

    Raises
    ------
    BenchmarkError
        If it fails.
    """
    meter = work / "meter"
    shutil.rmtree(meter, ignore_errors=True)
    meter.mkdir(parents=True)
    (work / "sitecustomize.py").write_text(METER)
    (work / "config.yaml").write_text(yaml.safe_dump(SETTINGS | settings), encoding="utf-8")
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, *options, "--directory", str(work), "--snakefile", str(REPOSITORY / "Snakefile")]
    profile = ["--workflow-profile", str(REPOSITORY / "profiles" / "default")]
    environment = os.environ | {"PYTHONPATH": str(work), "MORPHO_METER": str(meter)}
    with (work / "snakemake.log").open("w", encoding="utf-8") as log:
        ended = subprocess.run(
            [*command, *profile, "--configfile", str(work / "config.yaml")],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        message = f"Snakemake failed; see '{work / 'snakemake.log'}'."
        raise BenchmarkError(message)


def read_meter(work: Path, part: str, people: int, scans: int) -> Iterator[Row]:
    """Read what the processes of a run took, the longest first."""
    rows = [json.loads(file.read_text()) for file in (work / "meter").glob("*.json")]
    for row in sorted(rows, key=lambda row: -row["cpu_s"]):
        peak_mb = row["peak_kib"] * BYTES_PER_KIB / BYTES_PER_MB
        yield Row(part, people, scans, name_step(row["step"]), row["wall_s"], row["cpu_s"], peak_mb)


def name_step(script: str) -> str:
    """Name the step of a process by its script: Snakemake puts a random name before that of a rule.

    Examples
    --------
    >>> name_step("tmp4x_1y.compare_groups.py"), name_step("snakemake")
    ('compare_groups', 'snakemake')
    """
    return script.removesuffix(".py").rpartition(".")[2]


def plan_scans(n: int, work: Path, batches: int) -> list[Row]:
    """Plan n scans of which none is measured."""
    cohort = simulate_cohort(n, ROIS, np.random.default_rng(n), second_visits=0.0)
    write_bids(cohort, work / "bids")
    options = ["--dry-run", "--quiet", "all", "--cores", "1"]
    options += [f"--batch=assemble_cohort=1/{batches}"] if batches > 1 else []
    run_snakemake(work, {"bids_dir": str(work / "bids"), "output_dir": str(work / "morpho")}, options)
    part = f"dag, part 1 of {batches}" if batches > 1 else "dag"
    return list(read_meter(work, part, n, n))


def make_group(n: int, work: Path, source: str, cores: int) -> list[Row]:
    """Make everything about n people that is made of all scans together."""
    cohort = simulate_cohort(n, ROIS, np.random.default_rng(n))
    settings: dict[str, Any] = {"output_dir": str(work / "morpho")}
    if source == "tables":
        settings |= {name: str(path) for name, path in write_tables(cohort, work).items()}
    else:
        write_bids(cohort, work / "bids")
        write_measured(cohort, work / "morpho", work / "shared")
        settings["bids_dir"] = str(work / "bids")
    began = time.time()
    run_snakemake(work, settings, ["--cores", str(cores)])
    ended = time.time()
    rows = list(read_meter(work, f"group from {source}", n, len(cohort.people)))
    total = Row(rows[0].part, n, len(cohort.people), "all", ended - began, sum(row.cpu_s for row in rows), 0.0)
    last_table = max(path.stat().st_mtime for path in (work / "morpho" / "group").rglob("*.tsv"))
    tables = Row(rows[0].part, n, len(cohort.people), "all tables there", last_table - began, math.nan, math.nan)
    report = sum(file.stat().st_size for file in (work / "morpho" / "report").rglob("*") if file.is_file())
    sys.stdout.write(f"report of {n} people: {report / BYTES_PER_MB:.1f} MB\n")
    return [total, tables, *rows]


def append_rows(rows: Sequence[Row], path: Path | None) -> None:
    """Print rows, and append them to a table."""
    table = pd.DataFrame(rows, columns=list(COLUMNS)).round({"wall_s": 1, "cpu_s": 1, "peak_mb": 0})
    sys.stdout.write(table.to_string(index=False) + "\n")
    if path is not None:
        table.to_csv(path, sep="\t", index=False, mode="a", header=not path.exists())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one part and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    dag = parts.add_parser("dag", help="plan scans")
    dag.add_argument("--scans", type=int, nargs="+", default=[1000, 10_000])
    dag.add_argument("--batch", type=int, default=1, help="plan the first of so many parts")
    group = parts.add_parser("group", help="make everything of all scans together")
    group.add_argument("--people", type=int, nargs="+", default=[1000, 10_000])
    group.add_argument("--from", dest="source", choices=("tables", "scans"), default="tables")
    group.add_argument("--cores", type=int, default=2)
    for part in (dag, group):
        part.add_argument("--work", type=Path, required=True, help="folder for the cohorts, one folder each")
        part.add_argument("--out", type=Path, help="table to append to")
    given = parser.parse_args(arguments)
    for n in given.scans if given.part == "dag" else given.people:
        work = given.work.resolve() / f"{given.part}-{n}-{time.strftime('%H%M%S')}"
        work.mkdir(parents=True)
        try:
            rows = (
                plan_scans(n, work, given.batch)
                if given.part == "dag"
                else make_group(n, work, given.source, given.cores)
            )
        except BenchmarkError as error:
            sys.exit(f"scale: {error}")
        append_rows(rows, given.out)
        largest = max(row.peak_mb for row in rows if not math.isnan(row.peak_mb))
        found = {"people": n, "wall_s": rows[0].wall_s, "cpu_s": rows[0].cpu_s, "largest_process_mb": largest}
        sys.stdout.write(summary_line(found) + "\n")


if __name__ == "__main__":
    main()
