"""Weigh the report of a large cohort, and time how long a browser takes to open it.

    python benchmarks/report_scale.py MEASURED --work DIR --participants 500

MEASURED is the output folder of a cohort that morpho has measured. Its scans are copied (by hard links) under new names
until there are enough, their volumes and metrics are moved by random amounts, group, age, sex and severity are drawn,
and `snakemake report` runs on the result: all tables, models, figures and pages are made as in a study, only the
measuring is left out. A hippocampus 2 % smaller in patients is planted.

Seconds to open are from the start of the navigation to the load event and to the first table that can be sorted, in
headless Chromium, as the median of the repeats, each in a browser with an empty cache. Megabytes are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from measuring import REPOSITORY, VOLUMES, BenchmarkError, summary_line

from morpho.failures import read_failure

METRICS = "desc-quality_metrics.tsv"
BYTES_PER_MB = 1e6
SD_SHARE = 0.08  # standard deviation of what is done to the volumes of a scan, share of them
PLANTED_SHARE = -0.02
AN_HOUR_S = 3600
BROWSER_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def find_scans(measured: Path) -> list[Path]:
    """Folders ``sub-XX`` of the scans that were measured, one session each.

    Raises
    ------
    BenchmarkError
        If there is none.
    """
    found = [
        folder
        for folder in sorted(measured.glob("sub-*"))
        if all((folder / "anat" / f"{folder.name}_{name}").is_file() for name in (VOLUMES, METRICS))
        and read_failure(folder / "anat" / f"{folder.name}_{METRICS}") is None
    ]
    if not found:
        message = f"'{measured}' holds no measured scan (sub-XX/anat). Give the output folder of a cohort that was run."
        raise BenchmarkError(message)
    return found


def copy_scan(source: Path, target: Path) -> Iterator[Path]:
    """Link all files of a scan under another name; gives the two tables, which are copied instead."""
    for file in source.rglob("*"):
        if file.is_dir():
            continue
        copy = target / file.relative_to(source).with_name(file.name.replace(source.name, target.name))
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.name.endswith((VOLUMES, METRICS)):
            shutil.copy2(file, copy)
            yield copy
        else:
            os.link(file, copy)


def change_numbers(table: Path, hippocampus: float, rng: np.random.Generator) -> None:
    """Move the numbers of a table by random shares, the hippocampus by a given share more; the file keeps its time."""
    stamp = table.stat()
    cells = pd.read_csv(table, sep="\t", na_values=["n/a"])
    numbers = [name for name in cells.select_dtypes("number") if name not in ("n_voxels", "mask_parts")]
    body, own = rng.normal(1, SD_SHARE), rng.normal(1, SD_SHARE / 2, (len(cells), len(numbers)))
    cells[numbers] = cells[numbers].to_numpy(dtype=float) * body * own
    if "roi" in cells:
        cells.loc[cells["roi"] == "hippocampus", "volume_mm3"] *= 1 + hippocampus
    cells.to_csv(table, sep="\t", index=False, na_rep="n/a")
    os.utime(table, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # as old as it was: nothing is to be measured again


def build_cohort(measured: Path, work: Path, n_participants: int, rng: np.random.Generator) -> None:
    """Lay a BIDS folder and its outputs, as if everybody had been measured."""
    sources = find_scans(measured)
    rows = []
    for number in range(n_participants):
        name, is_patient = f"sub-{number + 1:05d}", number % 2 == 1
        t1w = work / "bids" / name / "anat" / f"{name}_T1w.nii.gz"
        t1w.parent.mkdir(parents=True)
        t1w.write_bytes(b"stand-in")  # never opened: what is made from it is there already
        os.utime(t1w, (0, 0))
        for table in list(copy_scan(sources[number % len(sources)], work / "morpho" / name)):
            change_numbers(table, PLANTED_SHARE * is_patient, rng)
        severity = f"{rng.integers(8, 40)}" if is_patient else "n/a"
        group = "patient" if is_patient else "control"
        rows.append((name, group, rng.integers(18, 65), rng.choice(["F", "M"]), severity))
    people = pd.DataFrame(rows, columns=["participant_id", "group", "age", "sex", "hamd"])
    people.to_csv(work / "bids" / "participants.tsv", sep="\t", index=False)


def run_report(work: Path, cores: int) -> float:
    """Run `snakemake report`; gives the seconds that it took."""
    settings = {
        "bids_dir": str(work / "bids"),
        "output_dir": str(work / "morpho"),
        "participants": {"severity": {"HAMD17": "hamd"}},
    }
    (work / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    program = Path(sys.executable).with_name("snakemake")
    command = [
        str(program),
        "--cores",
        str(cores),
        "--directory",
        str(work),
        "--snakefile",
        str(REPOSITORY / "Snakefile"),
    ]
    profile = [
        "--workflow-profile",
        str(REPOSITORY / "profiles" / "default"),
        "--configfile",
        str(work / "config.yaml"),
    ]
    start = time.perf_counter()
    run = subprocess.run(
        [*command, *profile, "--", "report"], capture_output=True, text=True, timeout=AN_HOUR_S, check=False
    )
    (work / "snakemake.log").write_text(run.stdout + run.stderr, encoding="utf-8")
    if run.returncode != 0:
        message = f"The report could not be made; see '{work / 'snakemake.log'}'."
        raise BenchmarkError(message)
    return time.perf_counter() - start


def weigh(folder: Path) -> dict[str, float]:
    """Megabytes of a report: all of it, its first page, and its files by kind."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kinds = {f"{kind}_mb": {f".{kind}"} for kind in ("html", "webp", "js", "tsv", "svg")}
    sizes = {name: sum(file.stat().st_size for file in files if file.suffix in ends) for name, ends in kinds.items()}
    sizes |= {"all_mb": sum(file.stat().st_size for file in files), "index_mb": (folder / "index.html").stat().st_size}
    return {name: size / BYTES_PER_MB for name, size in sizes.items()}


def time_opening(page: Path, browser: str, repeats: int) -> float:
    """Median seconds from the start of the navigation to the load event and a table that can be sorted."""
    from playwright.sync_api import sync_playwright

    seconds = []
    with sync_playwright() as playwright:
        for _ in range(repeats):
            running = playwright.chromium.launch(executable_path=browser, args=list(BROWSER_FLAGS))
            tab = running.new_page()
            start = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            tab.locator("table thead button").first.wait_for(state="attached")
            seconds.append(time.perf_counter() - start)
            running.close()
    return statistics.median(seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path, help="output folder of a cohort that morpho has measured")
    parser.add_argument("--work", type=Path, required=True, help="new folder for the large cohort and its report")
    parser.add_argument("--participants", type=int, default=500)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="how often the first page is opened")
    parser.add_argument("--browser", default=shutil.which("chromium") or "", help="Chromium; empty: nothing is timed")
    parser.add_argument("--seed", type=int, default=2016)
    given = parser.parse_args(arguments)
    if given.work.exists():
        parser.error(f"--work '{given.work}' is there already; name a new folder")
    work = given.work.resolve()
    build_cohort(given.measured, work, given.participants, np.random.default_rng(given.seed))
    found: dict[str, float | int | str] = {"participants": given.participants, "make_s": run_report(work, given.cores)}
    report = work / "morpho" / "report"
    found |= weigh(report)
    pages = {"index": "index.html", "quality": "quality.html"}
    if given.browser:
        found |= {
            f"open_{name}_s": time_opening(report / page, given.browser, given.repeats) for name, page in pages.items()
        }
    sys.stdout.write(summary_line(found) + "\n")


if __name__ == "__main__":
    main()
