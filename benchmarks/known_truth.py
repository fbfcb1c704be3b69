"""Measure heads whose volumes are known: simulated from label maps that neither the networks nor the atlas have seen.

    python benchmarks/known_truth.py LABEL_MAPS_DIR --cores 2 --out known_truth.tsv

LABEL_MAPS_DIR holds the label maps seg_01.nii.gz to seg_20.nii.gz of SynthSeg (Billot et al. 2023, Apache-2.0). Each
one held out (training/label_maps.py, HELD_OUT) becomes some whole heads with another pose, shape, contrast, bias field,
noise, voxel size and orientation (simulate_head.py). Truth is counted in the very points that the scan is made from.

The table has one row per figure: of a head, or of all (level cohort). Columns: tool (truth, morpho, kmeans), level,
name, structure, side (L, R, both), measure, value, n, note. In the last line dice and bias are means over heads and
sides; r is over heads and sides; error is the mean absolute difference from the truth; bias and error are in percent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from agreement import COLUMNS, bias_percent, dice, mean_of, pearson, row_of
from grids import load_labels, on_grid_of, save_if_changed
from measuring import (
    BRAIN_MASK,
    PREPROCESSED,
    REGIONS,
    REPOSITORY,
    BenchmarkError,
    Measured,
    label_indices,
    measure_scans,
    read_overrides,
    summary_line,
    work_folder,
    write_results,
)
from nibabel.nifti1 import Nifti1Image
from simulate_head import SimulatedHead, simulate_head

sys.path.append(str(REPOSITORY / "training"))
import label_maps as lm

SIDED = {
    ("hippocampus", "L"): (17,),
    ("hippocampus", "R"): (53,),
    ("amygdala", "L"): (18,),
    ("amygdala", "R"): (54,),
}
INTRACRANIAL = ("tiv", "both")
ALL_GREY = ("total_grey_matter", "both")
OUTSIDE_BRAIN = 500
CEREBELLAR_CORTEX = (8, 47)
GREY = (*lm.CORTEX, *lm.HIPPOCAMPUS, *lm.AMYGDALA, *lm.DEEP_GREY_MATTER, *CEREBELLAR_CORTEX)
STRUCTURES = {**SIDED, INTRACRANIAL: tuple(range(1, OUTSIDE_BRAIN)), ALL_GREY: GREY}
SEGMENTERS = ("morpho", "kmeans")

Where = tuple[str, str]


@dataclass(frozen=True)
class Truth:
    """Volumes of a simulated head, and masks of its structures (share of at least one half), one bit each."""

    volumes_mm3: Mapping[Where, float]
    masks: Nifti1Image

    def mask(self, where: Where) -> np.ndarray:
        """Mask of a structure, shape of the scan on axes right, anterior, superior."""
        return (np.asanyarray(self.masks.dataobj) >> list(STRUCTURES).index(where)) & 1 > 0


def simulate_all(
    folder: Path, maps: Sequence[int], heads_per_map: int, work: Path
) -> tuple[dict[str, Path], dict[str, Truth]]:
    """Simulate all heads; gives subject -> scan, which is written into `work`, and subject -> truth.

    Raises
    ------
    BenchmarkError
        If a label map is missing.
    """
    scans, truths = {}, {}
    try:
        files = lm.label_map_files(folder, held_out=True)
    except FileNotFoundError as error:
        raise BenchmarkError(str(error)) from error
    names = {f"{structure}{side}": labels for (structure, side), labels in STRUCTURES.items()}
    for number, file in zip(sorted(lm.HELD_OUT), files, strict=True):
        if number not in maps:
            continue
        labels = lm.read_labels(file)
        lowest = float(np.argwhere(np.isin(labels, lm.CEREBELLUM))[:, 2].min())
        for repeat in range(heads_per_map):
            subject = f"map{number:02d}head{repeat + 1}"
            head = simulate_head(labels, names, seed=1000 * number + repeat, lowest_mm=lowest)
            scans[subject] = work / "heads" / f"{subject}.nii.gz"
            save_if_changed(head.t1w, scans[subject])
            truths[subject] = truth_of(head)
    return scans, truths


def truth_of(head: SimulatedHead) -> Truth:
    """Keep of a head what is compared."""
    bits = np.zeros(next(iter(head.shares.values())).shape, np.uint8)
    volumes = {}
    for position, (structure, side) in enumerate(STRUCTURES):
        bits |= (head.shares[f"{structure}{side}"] >= 0.5).astype(np.uint8) << position
        volumes[structure, side] = head.volume_mm3(f"{structure}{side}")
    return Truth(volumes, Nifti1Image(bits, head.affine))


def compare_head(result: Measured, truth: Truth) -> list[dict[str, object]]:
    """Rows of one head: volumes of both, Dice, difference in percent."""
    name = result.subject
    rows = [
        row_of("truth", ("head", name, *where), "volume_mm3", volume) for where, volume in truth.volumes_mm3.items()
    ]
    if result.failure:
        rows.append(row_of("morpho", ("head", name, "all", "both"), "failure", n=0, note=result.failure))
        return rows
    regions = on_grid_of(load_labels(result.file(REGIONS)), truth.masks)
    for where in SIDED:
        value = dice(np.isin(regions, label_indices()[where]), truth.mask(where))
        rows.append(row_of("morpho", ("head", name, *where), "dice", value))
    mask = on_grid_of(load_labels(result.file(BRAIN_MASK)), truth.masks) > 0
    rows.append(row_of("morpho", ("head", name, *INTRACRANIAL), "dice", dice(mask, truth.mask(INTRACRANIAL))))
    for where, true in truth.volumes_mm3.items():
        structure, side = where
        measured = result.volume_mm3(structure, side if where in SIDED else "whole")
        rows += _volume_rows("morpho", (name, *where), measured, true)
    return rows


def compare_kmeans(result: Measured, truth: Truth) -> list[dict[str, object]]:
    """Rows of one head for the grey matter of Atropos from k-means, in the mask and bias-corrected scan of morpho."""
    if result.failure:
        return []
    # Slow to import, and only needed here.
    from stock_recipe import kmeans_grey_matter_mm3

    measured = kmeans_grey_matter_mm3(result.file(PREPROCESSED), result.file(BRAIN_MASK))
    return _volume_rows("kmeans", (result.subject, *ALL_GREY), measured, truth.volumes_mm3[ALL_GREY])


def _volume_rows(tool: str, where: tuple[str, str, str], measured: float, true: float) -> list[dict[str, object]]:
    """Rows of one volume: itself, and its difference from the truth."""
    place = ("head", *where)
    difference = (measured - true) / true * 100
    return [row_of(tool, place, "volume_mm3", measured), row_of(tool, place, "error_percent", difference)]


def cohort_rows(heads: pd.DataFrame, tool: str) -> list[dict[str, object]]:
    """Means over heads (and sides), and r between measured and true volumes."""
    rows = []
    truth = heads[(heads["tool"] == "truth") & (heads["measure"] == "volume_mm3")]
    for structure in dict.fromkeys(structure for structure, _ in STRUCTURES):
        mine = heads[(heads["tool"] == tool) & (heads["structure"] == structure)]
        if mine.empty:
            continue
        where = ("cohort", "all", structure, "both")
        overlaps = mine.loc[mine["measure"] == "dice", "value"].dropna().tolist()
        rows.append(row_of(tool, where, "dice", mean_of(overlaps), len(overlaps)))
        volumes = mine[mine["measure"] == "volume_mm3"].merge(truth, on=["name", "structure", "side"])
        volumes = volumes.dropna(subset=["value_x", "value_y"])
        measured, true = volumes["value_x"].to_numpy(dtype=float), volumes["value_y"].to_numpy(dtype=float)
        errors = np.abs(measured - true) / true * 100
        rows += [
            row_of(tool, where, "bias_percent", bias_percent(measured, true), len(true)),
            row_of(tool, where, "abs_error_percent", mean_of(errors.tolist()), len(true)),
            row_of(tool, where, "max_error_percent", float(errors.max()) if len(errors) else np.nan, len(true)),
            row_of(tool, where, "r", pearson(measured, true), len(true)),
        ]
    return rows


def summarise(table: pd.DataFrame, segmenters: Sequence[str]) -> dict[str, float | int | str]:
    """Figures of the last line."""
    cohort = table[table["level"] == "cohort"].set_index(["tool", "structure", "measure"])["value"].to_dict()

    def take(structure: str, measure: str, tool: str = "morpho") -> float:
        return float(cohort.get((tool, structure, measure), np.nan))

    values: dict[str, float | int | str] = {}
    for structure in ("hippocampus", "amygdala"):
        for measure in ("dice", "bias_percent", "r", "abs_error_percent"):
            name = measure.removesuffix("_percent").removeprefix("abs_")
            values[f"{structure}_{name}"] = take(structure, measure)
    values["mask_dice"] = take("tiv", "dice")
    values["tiv_error"] = take("tiv", "abs_error_percent")
    values["gm_bias"] = take("total_grey_matter", "bias_percent")
    values["gm_r"] = take("total_grey_matter", "r")
    values["tiv_bias"] = take("tiv", "bias_percent")
    values["tiv_max_error"] = take("tiv", "max_error_percent")
    if "kmeans" in segmenters:
        values["kmeans_gm_bias"] = take("total_grey_matter", "bias_percent", "kmeans")
        values["gm_error"] = take("total_grey_matter", "abs_error_percent")
        values["kmeans_gm_error"] = take("total_grey_matter", "abs_error_percent", "kmeans")
    values["n"] = int(table.loc[table["level"] == "head", "name"].nunique())
    values["failed"] = int((table["measure"] == "failure").sum())
    return values


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("label_maps_dir", type=Path, help="folder with seg_01.nii.gz to seg_20.nii.gz")
    parser.add_argument(
        "--maps", type=int, nargs="+", choices=lm.HELD_OUT, default=list(lm.HELD_OUT), help="which held-out maps"
    )
    parser.add_argument("--heads-per-map", type=int, default=2, help="heads made from each map (default: 2)")
    parser.add_argument(
        "--segmenters", default="morpho", help="morpho, or morpho,kmeans: grey matter of Atropos beside ours"
    )
    parser.add_argument("--cores", type=int, default=1, help="jobs at a time (default: 1)")
    parser.add_argument("--config", type=Path, help="YAML file with settings of morpho that differ from the default")
    parser.add_argument("--work", type=Path, help="folder to keep the outputs in; a second run uses them again")
    parser.add_argument("--out", type=Path, default=Path("known_truth.tsv"), help="table to write")
    arguments = parser.parse_args()
    arguments.segmenters = arguments.segmenters.split(",")
    unknown = sorted(set(arguments.segmenters) - set(SEGMENTERS))
    if unknown or "morpho" not in arguments.segmenters:
        parser.error(f"--segmenters is '{','.join(arguments.segmenters)}'; give morpho or morpho,kmeans")
    if arguments.heads_per_map < 1:
        parser.error(f"--heads-per-map is {arguments.heads_per_map}; at least 1 is needed")
    return arguments


def main() -> None:
    """Simulate, measure, compare, write the table, print the summary."""
    arguments = parse_arguments()
    rows: list[dict[str, object]] = []
    try:
        overrides = read_overrides(arguments.config)
        with work_folder(arguments.work) as work:
            scans, truths = simulate_all(arguments.label_maps_dir, arguments.maps, arguments.heads_per_map, work)
            measured = measure_scans(scans, work, cores=arguments.cores, overrides=overrides)
            for subject, truth in truths.items():
                rows += compare_head(measured[subject], truth)
                if "kmeans" in arguments.segmenters:
                    rows += compare_kmeans(measured[subject], truth)
    except BenchmarkError as error:
        sys.exit(f"known_truth: {error}")
    heads = pd.DataFrame(rows, columns=list(COLUMNS))
    cohort = [row for tool in arguments.segmenters for row in cohort_rows(heads, tool)]
    table = pd.concat([heads, pd.DataFrame(cohort, columns=list(COLUMNS))], ignore_index=True)
    write_results(table, arguments.out)
    for result in measured.values():
        if result.failure:
            sys.stdout.write(f"failed: {result.subject}: {result.failure}\n")
    sys.stdout.write(summary_line(summarise(table, arguments.segmenters)) + "\n")


if __name__ == "__main__":
    main()
