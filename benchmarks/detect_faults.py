"""Lay faults of known strength over a real scan and ask whether quality control catches and names them.

    python benchmarks/detect_faults.py BIDS_DIR RESULTS_DIR SCAN --work FOLDER --out detect_faults.tsv

RESULTS_DIR is the output of a finished run of morpho on the scans of BIDS_DIR. The scan (sub-01 or sub-01_ses-1) is
measured as it is and with each fault at three strengths (faults.py), by the stages of morpho in this process
(scan_stages.py). Every faulty copy takes the place of the scan in its cohort and is judged there, by the limits of
config/config.yaml. Images that are no brain at all (a fruit, nothing, noise) are judged in the same way.

The table is written as it grows, one row per fault and strength: verdict, hard_failures and flags; added (codes that
the unchanged scan does not have), caught (there are any) and named (one of them is a name of the fault). What was
measured stays in --work, and a second run goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from faults import FAULTS, NO_SCANS, Anatomy, Planned, Scan
from measuring import BenchmarkError, summary_line, write_results
from scan_stages import configuration, files_of, run_stages

from morpho.config import drop_removed
from morpho.failures import Failure
from morpho.images import array_of, like, load_image, mask_of, save_image
from morpho.infer.quality.assessment import assess_quality, make_limits
from morpho.measure.mask_shape import box_in_raw, place_in_raw
from morpho.quality_metrics import METRICS
from morpho.scans import read_scans
from morpho.structures import unstack_structures
from morpho.t1w import load_t1w
from morpho.tables import read_table

PURE_TISSUE = 0.95
LEAST_SIGNAL = 0.05  # of white matter; where it is darker, shading cannot be read off
COLUMNS = ("scan", "fault", "strength", "verdict", "hard_failures", "flags", "added", "caught", "named", "reason")
ALL_FAULTS = {**FAULTS, **NO_SCANS}


@dataclass(frozen=True)
class Cohort:
    """Tables of a finished run: metrics and volumes of every scan, and the list of scans."""

    metrics: pd.DataFrame
    volumes: pd.DataFrame
    scans: pd.DataFrame


@dataclass(frozen=True)
class Verdict:
    """Verdict, codes and reason of one scan in its cohort."""

    verdict: str
    hard_failures: tuple[str, ...]
    flags: tuple[str, ...]
    reason: str

    @property
    def codes(self) -> set[str]:
        """All codes."""
        return {*self.hard_failures, *self.flags}


def read_cohort(results: Path) -> Cohort:
    """Read the tables of a finished run.

    Raises
    ------
    BenchmarkError
        If a table is not there.
    """
    files = [results / "group" / f"{name}.tsv" for name in ("metrics", "cohort", "scans")]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        message = f"There is no {', '.join(missing)}. Give the output folder of a finished run of morpho."
        raise BenchmarkError(message)
    metrics = read_table(files[0])
    metrics = metrics[["scan", "input_kind", *METRICS]].astype(dict.fromkeys(METRICS, "float64"))
    measured = metrics["input_kind"].notna() & (metrics["input_kind"] != "")
    return Cohort(metrics[measured], read_table(files[1]), read_scans(files[2]))


def read_scan(t1w: Path, folder: Path) -> Scan:
    """Read a scan and what its stages left in a folder."""
    image = load_t1w(t1w)[0]
    files = files_of(t1w, folder)
    paths = (files.brain_mask, files.t1w, files.tissue("white_matter"), files.structures)
    mask, corrected, white, structures = (load_image(path) for path in paths)
    raw, box, signal = array_of(image), box_in_raw(mask, image), array_of(corrected)
    white_signal = float(raw[box][array_of(white) >= PURE_TISSUE].mean())
    shading = np.full(raw.shape, white_signal, np.float32)
    bright = mask_of(mask) & (signal > LEAST_SIGNAL)
    shading[box][bright] = raw[box][bright] / signal[bright]
    hippocampus = unstack_structures(structures)["hippocampus", "L"]
    core = like(hippocampus, (array_of(hippocampus) >= 0.5).astype(np.uint8))
    return Scan(image, Anatomy(place_in_raw(mask, image), place_in_raw(core, image), shading, white_signal))


def measure_copy(t1w: Path, folder: Path) -> pd.DataFrame | Failure:
    """Measure one image; gives its metrics, or why there are none."""
    failure = run_stages(t1w, folder)
    if failure is not None:
        return failure
    return read_table(files_of(t1w, folder).metrics).astype(dict.fromkeys(METRICS, "float64"))


def judge_copy(scan: str, measured: pd.DataFrame | Failure, folder: Path, cohort: Cohort) -> Verdict:
    """Judge a copy of a scan that takes its place in the cohort."""
    metrics = cohort.metrics[cohort.metrics["scan"] != scan]
    volumes = cohort.volumes[cohort.volumes["scan"] != scan]
    failures = {}
    if isinstance(measured, Failure):
        failures[scan] = measured
    else:
        metrics = pd.concat([metrics, measured.assign(scan=scan)[metrics.columns]], ignore_index=True)
        own = cohort.volumes[cohort.volumes["scan"] == scan]
        found = name_volumes(read_table(files_of(Path(), folder).volumes))
        own = own.assign(**{name: value for name, value in found.items() if name in own.columns})
        volumes = pd.concat([volumes, own.astype(volumes.dtypes)], ignore_index=True)
    limits = make_limits(drop_removed(configuration())["quality"])
    judged = assess_quality(metrics, volumes, cohort.scans, failures, limits).scans.set_index("scan").loc[scan]
    codes = [tuple(str(judged[name]).split(",")) if judged[name] else () for name in ("hard_failures", "flags")]
    return Verdict(str(judged["verdict"]), codes[0], codes[1], str(judged["reason"]))


def name_volumes(volumes: pd.DataFrame) -> dict[str, float]:
    """Name the volumes of a scan as the columns of the cohort's table.

    Examples
    --------
    >>> table = pd.DataFrame({"roi": ["amygdala", "tiv"], "hemisphere": ["L", "whole"], "volume_mm3": [900.0, 1e6]})
    >>> name_volumes(table)
    {'amygdala_L_mm3': 900.0, 'tiv_whole_mm3': 1000000.0}
    """
    rows = volumes.to_dict("records")
    return {f"{row['roi']}_{row['hemisphere']}_mm3": float(row["volume_mm3"]) for row in rows}


def detect_faults(
    t1w: Path, scan: str, cohort: Cohort, work: Path, faults: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Measure and judge a scan as it is and with each fault; gives one row each.

    Raises
    ------
    BenchmarkError
        If the unchanged scan cannot be measured.
    """
    base = measure_copy(t1w, work / "none")
    if isinstance(base, Failure):
        message = f"{scan} cannot be measured as it is: {base.reason}"
        raise BenchmarkError(message)
    clean = judge_copy(scan, base, work / "none", cohort)
    yield make_row(scan, "none", 0, clean, clean, frozenset())
    given = read_scan(t1w, work / "none")
    for name in faults:
        planned = ALL_FAULTS[name]
        for strength in planned.strengths:
            folder = work / f"{name}-{strength:g}"
            measured = measure_copy(write_copy(given, name, planned, strength, folder), folder)
            verdict = judge_copy(scan, measured, folder, cohort)
            yield make_row(scan, name, strength, verdict, clean, planned.names)


def write_copy(given: Scan, name: str, planned: Planned, strength: float, folder: Path) -> Path:
    """Write a faulty copy of a scan unless it is there; what is random in it depends on its name alone."""
    file = folder / "raw.nii.gz"
    if not file.exists():
        random = np.random.default_rng(zlib.crc32(f"{name}-{strength:g}".encode()))
        save_image(planned.make(given, strength, random), file, kind="intensity")
    return file


def make_row(
    scan: str, fault: str, strength: float, verdict: Verdict, clean: Verdict, names: frozenset[str]
) -> dict[str, object]:
    """Make one row of the table."""
    added = verdict.codes - clean.codes
    return {
        "scan": scan,
        "fault": fault,
        "strength": strength,
        "verdict": verdict.verdict,
        "hard_failures": ",".join(verdict.hard_failures) or "n/a",
        "flags": ",".join(verdict.flags) or "n/a",
        "added": ",".join(sorted(added)) or "n/a",
        "caught": bool(added),
        "named": bool(added & names),
        "reason": verdict.reason or "n/a",
    }


def summarise(table: pd.DataFrame) -> dict[str, float | int | str]:
    """Count what was caught and named, by the rank of the strength among those of its fault."""
    faulty = table[table["fault"] != "none"]
    values: dict[str, float | int | str] = {"copies": len(faulty)}
    values["caught"], values["named"] = int(faulty["caught"].sum()), int(faulty["named"].sum())
    degrees = faulty[faulty["fault"].map(lambda name: len(ALL_FAULTS[name].strengths) > 1).astype(bool)]
    rank = degrees.groupby("fault")["strength"].rank().astype(int)
    for number, word in ((1, "weak"), (2, "middle"), (3, "strong")):
        rows = degrees[rank == number]
        values[f"{word}_named"] = f"{int(rows['named'].sum())}/{len(rows)}"
    return values


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bids", type=Path, help="BIDS folder of the cohort")
    parser.add_argument("results", type=Path, help="output folder of a finished run of morpho on it")
    parser.add_argument("scan", help="scan to lay faults over, sub-01 or sub-01_ses-1")
    parser.add_argument("--faults", nargs="+", choices=sorted(ALL_FAULTS), default=list(ALL_FAULTS), help="only these")
    parser.add_argument("--work", type=Path, required=True, help="folder to keep what is measured in")
    parser.add_argument("--out", type=Path, default=Path("detect_faults.tsv"), help="table to write")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> pd.DataFrame:
    """Go through the faults; the table is written after each."""
    cohort = read_cohort(arguments.results)
    paths = cohort.scans.loc[cohort.scans["chosen"]].set_index("scan")["path"]
    if arguments.scan not in paths:
        message = f"The run in {arguments.results} has no scan '{arguments.scan}'; it has {', '.join(paths.index)}."
        raise BenchmarkError(message)
    rows: list[dict[str, object]] = []
    t1w = arguments.bids / paths[arguments.scan]
    for row in detect_faults(t1w, arguments.scan, cohort, arguments.work, arguments.faults):
        rows.append(row)
        write_results(pd.DataFrame(rows, columns=list(COLUMNS)), arguments.out)
        sys.stdout.write(f"{row['fault']} {row['strength']}: {row['verdict']} {row['added']}\n")
        sys.stdout.flush()
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    """Run, write the table, print the summary."""
    arguments = parse_arguments()
    try:
        table = run(arguments)
    except BenchmarkError as error:
        sys.exit(f"detect_faults: {error}")
    sys.stdout.write(summary_line(summarise(table)) + "\n")


if __name__ == "__main__":
    main()
