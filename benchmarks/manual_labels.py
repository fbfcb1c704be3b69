"""Compare volumes of morpho with manual labels: overlap, correlation, bias, difference between two scans of a person.

    python benchmarks/manual_labels.py DATA_DIR --pairs 1003-1023 --cores 2 --out manual_labels.tsv

DATA_DIR holds brain-extracted scans ID_SS.nii.gz, manual labels ID_glm.nii.gz and their names labels.csv. The table has
one row per figure: of a scan, of a pair of scans, or of all (level cohort). Columns: tool (morpho or manual), level,
name, structure, side (L, R, both: their sum), measure, value, n, note.

Figures of the last line are of both sides together: r over the scans (r_people: scans of a person averaged), dice the
mean over scans and sides, rescan the mean absolute difference of the pairs in percent, bias the mean difference from
the manual volume in percent. Protocols differ: the amygdala of the labels is about half of FreeSurfer's, and anterior
cingulate and prefrontal cortex are drawn otherwise, so there bias says little.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from agreement import COLUMNS, SIDES, compare_volumes, dice, figure, overlap_rows, row_of
from grids import load_labels, on_grid_of
from manual_set import (
    ALL_GREY,
    OVERLAPPING,
    PROTOCOL,
    SHORT_NAMES,
    ManualScan,
    find_manual_scans,
    labels_of_structure,
    manual_volumes,
    parse_pairs,
    read_manual,
)
from measuring import (
    REGIONS,
    BenchmarkError,
    Measured,
    label_indices,
    measure_scans,
    merge,
    read_overrides,
    summary_line,
    work_folder,
    write_results,
)

EXTRACTED = {"preprocess": {"brain": "extracted"}}
SUMMARY_MEASURES = {
    "hippocampus": ("dice", "r", "rescan_percent"),
    "amygdala": ("dice", "r", "rescan_percent"),
    "anterior_cingulate": ("r", "rescan_percent"),
    "prefrontal_cortex": ("r", "rescan_percent"),
}


def compare_with_manual(
    scans: Sequence[ManualScan], measured: Mapping[str, Measured], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """All figures of morpho beside those of the raters, columns of `agreement.COLUMNS`."""
    manual = manual_volumes(scans)
    raters = compare_volumes("manual", manual, manual, pairs)
    raters = raters[raters["measure"].isin(["volume_mm3", "rescan_percent"])]
    ours = compare_volumes("morpho", volumes_of(measured), manual, pairs)
    overlaps = overlap_rows("morpho", overlaps_of(scans, measured))
    failed = [
        row_of("morpho", ("scan", name, "all", "both"), "failure", n=0, note=result.failure)
        for name, result in measured.items()
        if result.failure
    ]
    return pd.concat([raters, ours, overlaps, pd.DataFrame(failed, columns=list(COLUMNS))], ignore_index=True)


def volumes_of(measured: Mapping[str, Measured]) -> pd.DataFrame:
    """Volumes of morpho, columns scan, structure, side, volume_mm3."""
    rows = []
    for name, result in measured.items():
        for structure in PROTOCOL:
            rows += [(name, structure, side, result.volume_mm3(structure, side)) for side in SIDES]
        rows.append((name, ALL_GREY, "both", result.volume_mm3(ALL_GREY, "whole")))
    return pd.DataFrame(rows, columns=["scan", "structure", "side", "volume_mm3"])


def overlaps_of(scans: Sequence[ManualScan], measured: Mapping[str, Measured]) -> dict[tuple[str, str, str], float]:
    """Dice of each (scan, structure, side) on the grid of the manual labels."""
    indices = label_indices()
    overlaps = {}
    for scan in scans:
        result = measured[scan.name]
        if result.failure:
            continue
        manual = read_manual(scan)
        ours, theirs = on_grid_of(load_labels(result.file(REGIONS)), manual), np.asanyarray(manual.dataobj)
        for structure in OVERLAPPING:
            for side in ("L", "R"):
                drawn = np.isin(theirs, labels_of_structure(structure, side))
                overlaps[scan.name, structure, side] = dice(np.isin(ours, indices[structure, side]), drawn)
    return overlaps


def summarise(table: pd.DataFrame, tool: str) -> dict[str, float | int | str]:
    """Figures of the last line for one tool."""
    values: dict[str, float | int | str] = {}
    for structure, measures in SUMMARY_MEASURES.items():
        for measure in measures:
            key = f"{SHORT_NAMES[structure]}_{measure.removesuffix('_percent')}"
            values[key] = figure(table, structure, measure, tool=tool)
    rows = table[table["tool"] == tool]
    seen = rows[(rows["measure"] == "volume_mm3") & rows["value"].notna()]
    values["n"] = int(seen["name"].nunique())
    values["failed"] = int((rows["measure"] == "failure").sum())
    values["pairs"] = int(rows.loc[rows["level"] == "pair", "name"].nunique())
    for measure in ("r_people", "icc_3_1", "bias_percent"):
        for structure, name in SHORT_NAMES.items():
            values[f"{name}_{measure.removesuffix('_percent')}"] = figure(table, structure, measure, tool=tool)
    for structure, name in SHORT_NAMES.items():
        values[f"{name}_rescan_manual"] = figure(table, structure, "rescan_percent", tool="manual")
    for measure in ("r", "bias_percent", "rescan_percent"):
        values[f"total_gm_{measure.removesuffix('_percent')}"] = figure(table, ALL_GREY, measure, tool=tool)
    return values


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path, help="folder with ID_SS.nii.gz, ID_glm.nii.gz and labels.csv")
    parser.add_argument("--pairs", nargs="*", default=[], metavar="A-B", help="scans of one person, such as 1003-1023")
    parser.add_argument("--scans", nargs="*", default=[], metavar="ID", help="only these scans (default: all)")
    parser.add_argument("--cores", type=int, default=1, help="jobs at a time (default: 1)")
    parser.add_argument("--config", type=Path, help="YAML file with settings of morpho that differ from the default")
    parser.add_argument("--work", type=Path, help="folder to keep the outputs in; a second run uses them again")
    parser.add_argument("--out", type=Path, default=Path("manual_labels.tsv"), help="table to write")
    return parser.parse_args()


def main() -> None:
    """Measure, compare, write the table, print the summary."""
    arguments = parse_arguments()
    try:
        scans = choose(find_manual_scans(arguments.data_dir), arguments.scans)
        pairs = parse_pairs(arguments.pairs, scans)
        overrides = merge(EXTRACTED, read_overrides(arguments.config))
        with work_folder(arguments.work) as work:
            t1ws = {scan.name: scan.t1w for scan in scans}
            measured = measure_scans(t1ws, work, cores=arguments.cores, overrides=overrides)
            table = compare_with_manual(scans, measured, pairs)
    except BenchmarkError as error:
        sys.exit(f"manual_labels: {error}")
    write_results(table, arguments.out)
    for result in measured.values():
        if result.failure:
            sys.stdout.write(f"failed: {result.subject}: {result.failure}\n")
    sys.stdout.write(summary_line(summarise(table, "morpho")) + "\n")


def choose(scans: Sequence[ManualScan], names: Sequence[str]) -> list[ManualScan]:
    """Choose the scans that were asked for, all if none was.

    Raises
    ------
    BenchmarkError
        If one of them is not there.
    """
    absent = sorted(set(names) - {scan.name for scan in scans})
    if absent:
        message = f"--scans asks for {', '.join(absent)}; there are {', '.join(scan.name for scan in scans)}."
        raise BenchmarkError(message)
    return [scan for scan in scans if not names or scan.name in names]


if __name__ == "__main__":
    main()
