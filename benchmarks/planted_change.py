"""Make one region of a real scan smaller by a known amount and measure again: is that change found, and no other.

    python benchmarks/planted_change.py T1W [T1W ...] --sizes 5 10 --cores 2 --out planted_change.tsv

Each scan is measured once. Then, for each region (both sides at once) and size, the scan is deformed in its own voxel
space so that the grey matter which morpho found in the region shrinks by that many percent (contraction.py), and
measured again. What was planted in any region is known: the sum of its grey-matter shares times the Jacobian of the
deformation. For the region itself the sum of the warped shares must give the same (column planted_check_percent).
The other regions may be moved and bent, but keep their volume to a few tenths of a percent, which is known as well.
Changed and unchanged scan are interpolated alike (raw_scan.py), and beyond 22 mm from the region they are equal.

The table has one row per scan, changed region, size, measured region and side, with a role: target (the changed one),
left_alone (shares no label with it), related, or total. recovered is measured over planted percent (target);
residual_percent is measured minus planted percent (left_alone, where hardly anything is planted). map_mm3 is the volume
in the maps that the change was planted by; it should be baseline_mm3.

In the last line region_size is recovered over planted, mean over the scans, both sides; left_alone_max and
left_alone_mean are of the absolute residuals over all regions left alone (left_alone_main_max: over the default
--regions); recovered_min and recovered_max are of all changes of 5 percent and more.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from contraction import Box, Contraction, FloatArray, contract
from grids import load_labels, on_grid_of, save_if_changed, shares_on_grid_of
from measuring import (
    GREY_MATTER,
    REGIONS,
    BenchmarkError,
    Measured,
    label_indices,
    measure_scans,
    read_overrides,
    read_structures,
    summary_line,
    work_folder,
    write_results,
)
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from raw_scan import RawScan, read_scans

MAIN_REGIONS = ("hippocampus", "amygdala", "anterior_cingulate", "prefrontal_cortex")
TOTAL = "total_grey_matter"
JUDGED_FROM_PERCENT = 5.0  # smaller changes are reported, but hardly above the noise
LARGEST_PERCENT = 20.0
SMALLEST_SHARE = 0.1  # of a voxel that is made to shrink; the others follow
EVERYWHERE: Box = (slice(None), slice(None), slice(None))
COLUMNS = (
    "scan", "changed", "size_percent", "region", "side", "role", "baseline_mm3", "after_mm3", "map_mm3",
    "planted_percent", "planted_check_percent", "measured_percent", "recovered", "residual_percent", "note",
)  # fmt: skip

Where = tuple[str, str]


@dataclass(frozen=True)
class Maps:
    """What morpho measured a scan by, on the grid of the scan.

    `structures` holds the share of each label that was found in the scan itself (hippocampus, amygdala); what is left
    of the grey matter counts by the `labels` of the other regions.
    """

    grey: FloatArray
    labels: NDArray[np.int32]
    structures: Mapping[int, FloatArray]
    voxel_mm3: float

    def rest(self, box: Box) -> FloatArray:
        """Grey matter that belongs to no structure, inside a box."""
        found = [share[box] for share in self.structures.values()]
        return np.maximum(self.grey[box] - sum(found), 0) if found else self.grey[box]

    def weights(self, where: Where) -> FloatArray:
        """Share of each voxel that counts as a region, side L, R or both."""
        own = labels_of(where)
        by_label = [label for label in own if label not in self.structures]
        weights = np.where(np.isin(self.labels, by_label), self.rest(EVERYWHERE), 0)
        return weights + sum(self.structures[label] for label in own if label in self.structures)

    def others(self, region: str) -> NDArray[np.bool_]:
        """Where any other measured region lies."""
        own = labels_of((region, "both"))
        labels = {label for group in label_indices().values() for label in group} - set(own)
        others = np.isin(self.labels, list(labels))
        for label in labels.intersection(self.structures):
            others |= self.structures[label] > SMALLEST_SHARE
        return others

    def sums(self, factor: FloatArray | float = 1.0, box: Box = EVERYWHERE) -> dict[Where, float]:
        """Sum over each region and side, and over all grey matter, of the shares in a box times a factor."""
        rest = self.rest(box) * factor
        by_label = np.bincount(self.labels[box].ravel(), weights=rest.ravel(), minlength=largest_label() + 1)
        for label, share in self.structures.items():
            by_label[label] = float((share[box] * factor).sum(dtype=np.float64))
        regions = dict.fromkeys(region for region, _ in label_indices())
        places = [(region, side) for region in regions for side in ("L", "R", "both")]
        sums = {where: float(by_label[labels_of(where)].sum()) for where in places}
        return sums | {(TOTAL, "whole"): float((self.grey[box] * factor).sum(dtype=np.float64))}


@dataclass(frozen=True)
class Planted:
    """What was planted in a region: its volume in the maps (mm3), the change in percent by both ways of counting."""

    map_mm3: float
    percent: float
    check_percent: float


@dataclass(frozen=True)
class Change:
    """One changed scan: what was made smaller by how much, and what that planted in every region and side."""

    scan: str
    region: str
    size_percent: float
    planted: Mapping[Where, Planted] = field(default_factory=dict)
    failure: str = ""

    @property
    def subject(self) -> str:
        """Name of the changed scan."""
        return re.sub("[^0-9A-Za-z]", "", f"{self.scan}{self.region}") + f"{self.size_percent:g}".replace(".", "p")


def labels_of(where: Where) -> list[int]:
    """Labels of a region, side L, R or both."""
    region, side = where
    return [label for one in ("L", "R") if side in (one, "both") for label in label_indices()[region, one]]


def largest_label() -> int:
    """Largest label of any region."""
    return max(max(labels) for labels in label_indices().values())


def read_maps(result: Measured, target: Nifti1Image) -> Maps:
    """Read the maps of a scan that was measured, on the grid of the scan."""
    grey = shares_on_grid_of(nib.load(result.file(GREY_MATTER)), target)
    labels = on_grid_of(load_labels(result.file(REGIONS)), target)
    found = {label_indices()[where][0]: share for where, share in read_structures(result).items()}
    structures = {label: shares_on_grid_of(share, target) for label, share in found.items()}
    return Maps(grey, labels, structures, float(abs(np.linalg.det(target.affine[:3, :3]))))


def plant_all(
    scan: RawScan, result: Measured, regions: Sequence[str], sizes: Sequence[float], folder: Path
) -> tuple[list[Change], dict[str, Path]]:
    """Write all changed versions of a scan; gives what was planted, and subject -> file."""
    unchanged = scan.unchanged()
    maps, voxel_mm = read_maps(result, unchanged), voxel_sizes(unchanged.affine)
    changes, files = [], {}
    for region in regions:
        target, kept = maps.weights((region, "both")), maps.others(region)
        for size in sizes:
            try:
                contraction = contract(target > SMALLEST_SHARE, target, kept, voxel_mm, size / 100)
            except ValueError as error:
                changes.append(Change(scan.name, region, size, failure=str(error)))
                continue
            change = Change(scan.name, region, size, planted_by(contraction, maps, region))
            files[change.subject] = folder / f"{change.subject}.nii.gz"
            save_if_changed(scan.changed(unchanged, contraction), files[change.subject])
            changes.append(change)
    return changes, files


def planted_by(contraction: Contraction, maps: Maps, target: str) -> dict[Where, Planted]:
    """Planted change of each region and side; for the target counted both ways."""
    before = maps.sums()
    growth = maps.sums(contraction.jacobian - 1, contraction.box)
    planted = {}
    for where, size in before.items():
        check = contraction.warped_growth(maps.weights(where)) if where[0] == target else np.nan
        in_percent = [100 * part / size if size > 0 else np.nan for part in (growth[where], check)]
        planted[where] = Planted(size * maps.voxel_mm3, *in_percent)
    return planted


def role_of(region: str, changed: str) -> str:
    """Whether a region is the changed one, related to it by a label, left alone, or the total."""
    if region in (changed, TOTAL):
        return "target" if region == changed else "total"
    return "related" if set(labels_of((region, "L"))) & set(labels_of((changed, "L"))) else "left_alone"


def rows_of(change: Change, baseline: Measured, after: Measured | None) -> list[dict[str, object]]:
    """Rows of one changed scan."""
    start: dict[str, object] = {"scan": change.scan, "changed": change.region, "size_percent": change.size_percent}
    if change.failure or after is None or after.failure:
        failure = change.failure or (after.failure if after else "not measured")
        return [start | {"role": "failure", "note": failure}]
    rows = []
    for (region, side), planted in change.planted.items():
        before, now = baseline.volume_mm3(region, side), after.volume_mm3(region, side)
        measured, role = (now / before - 1) * 100, role_of(region, change.region)
        figures = {
            "baseline_mm3": before, "after_mm3": now, "map_mm3": planted.map_mm3, "planted_percent": planted.percent,
            "planted_check_percent": planted.check_percent, "measured_percent": measured,
            "recovered": measured / planted.percent if role == "target" else np.nan,
            "residual_percent": measured - planted.percent if role == "left_alone" else np.nan,
        }  # fmt: skip
        rows.append(start | {"region": region, "side": side, "role": role} | figures)
    return rows


def run(arguments: argparse.Namespace, work: Path) -> pd.DataFrame:
    """Measure, plant, measure again; gives the table."""
    scans = read_scans(arguments.t1w)
    files = {scan.name: work / "scans" / f"{scan.name}.nii.gz" for scan in scans}
    for scan in scans:
        save_if_changed(scan.unchanged(), files[scan.name])
    settings = {"cores": arguments.cores, "overrides": read_overrides(arguments.config)}
    baselines = measure_scans(files, work, **settings)
    changes: list[Change] = []
    changed_files: dict[str, Path] = {}
    for scan in scans:
        failure = baselines[scan.name].failure
        if failure:
            changes += [Change(scan.name, region, 0.0, failure=failure) for region in arguments.regions]
            continue
        planted, files = plant_all(scan, baselines[scan.name], arguments.regions, arguments.sizes, work / "scans")
        changes, changed_files = changes + planted, changed_files | files
    afters = measure_scans(changed_files, work, **settings) if changed_files else {}
    rows = [row for change in changes for row in rows_of(change, baselines[change.scan], afters.get(change.subject))]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarise(table: pd.DataFrame, arguments: argparse.Namespace) -> dict[str, float | int | str]:
    """Figures of the last line."""
    both = table[table["side"] == "both"].infer_objects()
    targets = both[both["role"] == "target"]
    values: dict[str, float | int | str] = {}
    for size in arguments.sizes:
        for region in arguments.regions:
            found = targets[(targets["changed"] == region) & (targets["size_percent"] == size)]["recovered"]
            values[f"{region}_{size:g}"] = float(found.mean())
    left = both[both["role"] == "left_alone"]
    residuals = left["residual_percent"].abs()
    values["left_alone_max"], values["left_alone_mean"] = float(residuals.max()), float(residuals.mean())
    values["left_alone_main_max"] = float(residuals[left["region"].isin(MAIN_REGIONS)].max())
    judged = targets.loc[targets["size_percent"] >= JUDGED_FROM_PERCENT, "recovered"]
    values["recovered_min"], values["recovered_max"] = float(judged.min()), float(judged.max())
    values["planted_check_max"] = float((targets["planted_percent"] - targets["planted_check_percent"]).abs().max())
    values["map_against_table_max"] = float(((both["map_mm3"] / both["baseline_mm3"] - 1) * 100).abs().max())
    values["n"] = int(targets["scan"].nunique())
    values["failed"] = int((table["role"] == "failure").sum())
    return values


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("t1w", type=Path, nargs="+", help="T1w images")
    parser.add_argument("--regions", nargs="+", default=list(MAIN_REGIONS), help="regions to shrink, by name")
    parser.add_argument("--sizes", nargs="+", type=float, default=[2.0, 5.0, 10.0], help="percent (default: 2 5 10)")
    parser.add_argument("--cores", type=int, default=1, help="jobs at a time (default: 1)")
    parser.add_argument("--config", type=Path, help="YAML file with settings of morpho that differ from the default")
    parser.add_argument("--work", type=Path, help="folder to keep the outputs in; a second run uses them again")
    parser.add_argument("--out", type=Path, default=Path("planted_change.tsv"), help="table to write")
    arguments = parser.parse_args()
    known = sorted({region for region, _ in label_indices()})
    unknown = sorted(set(arguments.regions) - set(known))
    if unknown:
        parser.error(f"--regions has {', '.join(unknown)}; known are {', '.join(known)}")
    if not all(0 < size <= LARGEST_PERCENT for size in arguments.sizes):
        parser.error(f"--sizes is {arguments.sizes}; above 0 and at most {LARGEST_PERCENT:g} percent can be planted")
    return arguments


def main() -> None:
    """Run, write the table, print the summary."""
    arguments = parse_arguments()
    try:
        with work_folder(arguments.work) as work:
            table = run(arguments, work)
    except BenchmarkError as error:
        sys.exit(f"planted_change: {error}")
    write_results(table, arguments.out)
    for row in table[table["role"] == "failure"].to_dict("records"):
        sys.stdout.write(f"failed: {row['scan']} {row['changed']} {row['size_percent']:g}: {row['note']}\n")
    sys.stdout.write(summary_line(summarise(table, arguments)) + "\n")


if __name__ == "__main__":
    main()
