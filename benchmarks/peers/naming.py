"""What a tool gives for one scan, and how FreeSurfer's structures add up to the regions of the benchmark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from manual_set import PROTOCOL
from measuring import REPOSITORY
from nibabel.nifti1 import Nifti1Image

from morpho.rois import read_labels, read_rois, resolve_rois

Where = tuple[str, str]
SIDE_OF = {"left": "L", "lh": "L", "right": "R", "rh": "R"}
NAME = re.compile(r"(?:ctx[-_ ])?(left|right|lh|rh)[-_. ](.+)")


class PeerError(Exception):
    """A tool that cannot be run, or gave nothing for a scan."""


@dataclass(frozen=True)
class PeerScan:
    """Volumes of a tool for one scan, (structure, L or R) -> mm3, and masks in world space where the tool has them."""

    volumes_mm3: Mapping[Where, float]
    masks: Mapping[Where, Nifti1Image] = field(default_factory=dict)


def parse_name(text: str) -> Where | None:
    """Side and name of a structure as FreeSurfer, SynthSeg or brainchop write it; None for one without side.

    Examples
    --------
    >>> parse_name("ctx-lh-superiorfrontal"), parse_name("Right-Hippocampus"), parse_name("left amygdala")
    (('L', 'superiorfrontal'), ('R', 'hippocampus'), ('L', 'amygdala'))
    """
    found = NAME.fullmatch(text.strip().lower())
    return (SIDE_OF[found[1]], found[2]) if found else None


@cache
def parts_of_structure(structure: str) -> frozenset[str]:
    """Names of FreeSurfer's structures that make up a region of config/rois.tsv, of one side."""
    labels = read_labels(REPOSITORY / "config" / "atlas-desikankilliany_labels.tsv")
    rois = resolve_rois(read_rois(REPOSITORY / "config" / "rois.tsv"), labels)
    indices = next(row["label_indices"] for row in rois.to_dict("records") if row["roi"] == structure)
    rows = labels[labels["index"].isin(indices)]
    # A label that morpho carves out of another one is part of that one everywhere else.
    return frozenset(rows.loc[rows["split_of"].isna(), "name"])


def add_up(named_mm3: Mapping[Where, float]) -> dict[Where, float]:
    """Volumes of the benchmark's structures from those of (side, FreeSurfer's name); NaN where a part is missing."""
    return {
        (structure, side): sum(named_mm3.get((side, name), np.nan) for name in parts_of_structure(structure))
        for structure in PROTOCOL
        for side in ("L", "R")
    }


def voxel_mm3(image: Nifti1Image) -> float:
    """Volume of a voxel."""
    return float(abs(np.linalg.det(image.affine[:3, :3])))
