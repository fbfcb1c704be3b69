"""Scans with manual labels in the protocol of Neuromorphometrics (BrainCOLOR): reading, checking, measuring them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from grids import load_labels
from measuring import BenchmarkError
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

SIDE_NAMES = {"Right": "R", "Left": "L"}
ALL_GREY = "total_grey_matter"
FIRST_CORTICAL_LABEL = 100

# Structure -> how its parts begin in labels.csv after the side, with the labels of right and left.
PROTOCOL: dict[str, dict[str, tuple[int, int]]] = {
    "hippocampus": {"Hippocampus": (47, 48)},
    "amygdala": {"Amygdala": (31, 32)},
    "anterior_cingulate": {"ACgG": (100, 101)},
    "prefrontal_cortex": {
        "SFG": (190, 191), "MSFG": (152, 153), "MFG": (142, 143), "MFC": (140, 141), "OpIFG": (162, 163),
        "TrIFG": (204, 205), "OrIFG": (164, 165), "FRP": (120, 121), "GRe": (124, 125), "AOrG": (104, 105),
        "MOrG": (146, 147), "LOrG": (136, 137), "POrG": (178, 179),
    },
}  # fmt: skip
OVERLAPPING = ("hippocampus", "amygdala")  # the only ones that both protocols draw alike
SHORT_NAMES = {
    "hippocampus": "hippocampus",
    "amygdala": "amygdala",
    "anterior_cingulate": "acc",
    "prefrontal_cortex": "pfc",
}


@dataclass(frozen=True)
class ManualScan:
    """A scan and its manual labels."""

    name: str
    t1w: Path
    labels: Path


def find_manual_scans(folder: Path) -> list[ManualScan]:
    """All scans ID_SS.nii.gz with labels ID_glm.nii.gz of a folder, after a check of its labels.csv.

    Raises
    ------
    BenchmarkError
        If there is none, a scan has no labels, or labels.csv gives other names to the labels of the protocol.
    """
    if not folder.is_dir():
        message = f"There is no folder '{folder}'. Give the folder with ID_SS.nii.gz, ID_glm.nii.gz and labels.csv."
        raise BenchmarkError(message)
    names = sorted(path.name.removesuffix("_SS.nii.gz") for path in folder.glob("*_SS.nii.gz"))
    if not names:
        message = f"'{folder}' holds no scan named ID_SS.nii.gz. Give the folder with scans and manual labels."
        raise BenchmarkError(message)
    missing = [name for name in names if not (folder / f"{name}_glm.nii.gz").exists()]
    if missing:
        message = f"'{folder}' has scans without labels ID_glm.nii.gz: {', '.join(missing)}. Add the labels."
        raise BenchmarkError(message)
    check_label_names(folder / "labels.csv")
    return [ManualScan(name, folder / f"{name}_SS.nii.gz", folder / f"{name}_glm.nii.gz") for name in names]


def check_label_names(file: Path) -> None:
    """Check that labels.csv calls the labels of `PROTOCOL` as expected.

    Raises
    ------
    BenchmarkError
        If the file is absent or disagrees, with all labels that differ.
    """
    if not file.is_file():
        message = f"There is no '{file}', the names of the manual labels. Put it beside the scans."
        raise BenchmarkError(message)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = [row for row in csv.reader(lines) if len(row) > 1]
    names = {int(row[0]): row[1] for row in rows if row[0].strip().isdigit()}
    problems = []
    for parts in PROTOCOL.values():
        for part, labels in parts.items():
            for side, label in zip(SIDE_NAMES, labels, strict=True):
                found = names.get(label, "nothing")
                if not re.match(rf"{side}\s+{part}(\s|$)", found.strip()):
                    problems.append(f"{label} is '{found}', expected '{side} {part}'")
    if problems:
        message = f"{file} describes another protocol: {'; '.join(problems)}. Only that of Neuromorphometrics is known."
        raise BenchmarkError(message)


def labels_of_structure(structure: str, side: str) -> list[int]:
    """Manual labels of a structure, side L, R or both.

    Examples
    --------
    >>> labels_of_structure("hippocampus", "L")
    [48]
    """
    pairs = PROTOCOL[structure].values()
    wanted = {"R": (0,), "L": (1,), "both": (0, 1)}[side]
    return [pair[position] for pair in pairs for position in wanted]


def read_manual(scan: ManualScan) -> Nifti1Image:
    """Manual labels of a scan.

    Raises
    ------
    BenchmarkError
        If the labels lack a structure of the protocol.
    """
    image = load_labels(scan.labels)
    present = set(np.unique(image.dataobj).tolist())
    absent = [
        f"{structure} {side}"
        for structure in PROTOCOL
        for side in SIDE_NAMES.values()
        if not present.intersection(labels_of_structure(structure, side))
    ]
    if absent:
        message = f"{scan.labels} has no label of: {', '.join(absent)}. Is it an image of manual labels?"
        raise BenchmarkError(message)
    return image


def manual_volumes(scans: Sequence[ManualScan]) -> pd.DataFrame:
    """Manual volumes, columns scan, structure, side (L, R, both), volume_mm3.

    All grey matter is the cortex (labels from 100) with hippocampus and amygdala, as one value.
    """
    rows = []
    for scan in scans:
        image = read_manual(scan)
        voxel_mm3 = float(abs(np.linalg.det(image.affine[:3, :3])))
        counts = np.bincount(np.maximum(np.asanyarray(image.dataobj), 0).ravel())
        for structure in PROTOCOL:
            for side in ("L", "R", "both"):
                volume = _count(counts, labels_of_structure(structure, side)) * voxel_mm3
                rows.append((scan.name, structure, side, volume))
        deep = [label for structure in OVERLAPPING for label in labels_of_structure(structure, "both")]
        grey = _count(counts, deep) + int(counts[FIRST_CORTICAL_LABEL:].sum())
        rows.append((scan.name, ALL_GREY, "both", grey * voxel_mm3))
    return pd.DataFrame(rows, columns=["scan", "structure", "side", "volume_mm3"])


def _count(counts: NDArray[np.int64], labels: Sequence[int]) -> int:
    """Voxels with any of the labels; a label beyond the largest one has none."""
    return int(sum(counts[label] for label in labels if label < len(counts)))


def parse_pairs(texts: Sequence[str], scans: Sequence[ManualScan]) -> list[tuple[str, str]]:
    """Pairs of scans of one person, written FIRST-SECOND.

    Raises
    ------
    BenchmarkError
        If a pair is not written so or names a scan that is not there.
    """
    known = {scan.name for scan in scans}
    pairs = []
    for text in texts:
        first, separator, second = text.partition("-")
        if not separator or first not in known or second not in known or first == second:
            message = (
                f"'{text}' (--pairs) is no pair of scans. Write two of the scans as FIRST-SECOND: "
                f"{', '.join(sorted(known))}."
            )
            raise BenchmarkError(message)
        pairs.append((first, second))
    return pairs
