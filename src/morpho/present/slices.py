"""Parts of the picture of one scan: what is drawn of it, which slices, and one slice.

Takes the images of one scan, draws into matplotlib axes. The figure around the slices: `morpho.present.brainmaps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image

from morpho.images import array_of, labels_of, mask_of
from morpho.present.style import FigureStyle

Mask = npt.NDArray[np.bool_]

SIDES = ("L", "R")
PLANES = ("sagittal", "coronal", "axial")
# What each of the three slices of a plane goes through: regions and sides whose common centre it passes.
ANTERIOR = ("anterior_cingulate", "prefrontal_cortex")
SLICES: tuple[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...], ...] = (
    (
        ("left hippocampus", ("hippocampus",), ("L",)),
        ("right anterior cingulate", ("anterior_cingulate",), ("R",)),
        ("right prefrontal cortex", ("prefrontal_cortex",), ("R",)),
    ),
    (("cingulate and prefrontal cortex", ANTERIOR, SIDES), ("amygdala", ("amygdala",), SIDES),
     ("hippocampus", ("hippocampus",), SIDES)),
    (("hippocampus", ("hippocampus",), SIDES), ("centre of the brain", (), ()),
     ("cingulate and prefrontal cortex", ANTERIOR, SIDES)),
)  # fmt: skip
LETTERS = (("P", "A"), ("L", "R"), ("L", "R"))  # at the left and right border of a slice, by plane
IN_PLANE = ((1, 2), (0, 2), (0, 1))  # axes drawn to the right and upwards, by plane
MARGIN_MM = 8.0  # drawn around the brain
BRIGHTEST_PERCENTILE = 99.5
HALF = 0.5  # a tissue border is where its share reaches one half


@dataclass(frozen=True)
class Layers:
    """What is drawn of a scan: arrays of shape (X, Y, Z) in RAS+ order and the edges of a voxel (mm)."""

    t1w: npt.NDArray[np.float32]
    outlines: Mapping[str, npt.NDArray[Any]]
    rois: Mapping[tuple[str, str], Mask]
    brain_mask: Mask
    voxel_mm: npt.NDArray[np.float64]


def stack_layers(
    t1w: Nifti1Image,
    tissues: tuple[Nifti1Image, Nifti1Image],
    brain_mask: Nifti1Image,
    regions: Nifti1Image,
    roi_labels: pd.DataFrame,
    style: FigureStyle,
) -> Layers:
    """Turn all images to RAS+ and find the regions that have a colour.

    Parameters
    ----------
    t1w, brain_mask, regions : shape (X, Y, Z)
        Scan, mask and region labels on one grid, in any orientation.
    tissues : each of shape (X, Y, Z)
        Shares of grey and of white matter.
    roi_labels
        Columns roi, hemisphere, label_indices.
    style
        Says which regions have a colour.

    Returns
    -------
    Arrays on one RAS+ grid.
    """
    t1w, grey, white, brain_mask, regions = (
        nib.as_closest_canonical(image) for image in (t1w, *tissues, brain_mask, regions)
    )
    labels = labels_of(regions)
    white_share = array_of(white)
    tissue = array_of(grey) + white_share
    mask = mask_of(brain_mask)
    wanted = roi_labels[roi_labels["roi"].isin(list(style.region_colours))]
    rois: dict[tuple[str, str], Mask] = {}
    for row in wanted.to_dict("records"):
        lookup = np.zeros(max(int(labels.max()), *row["label_indices"]) + 1, dtype=bool)
        lookup[list(row["label_indices"])] = True
        rois[str(row["roi"]), str(row["hemisphere"])] = lookup[labels]
    outlines = {"brain_mask": mask, "grey_matter": tissue, "white_matter": white_share}
    return Layers(array_of(t1w), outlines, rois, mask, voxel_sizes(t1w.affine))


def display_box(layers: Layers) -> list[tuple[int, int]]:
    """First and last voxel to draw along each axis: the brain with a margin."""
    box = []
    for axis in range(3):
        there = np.flatnonzero(layers.brain_mask.any(axis=tuple(other for other in range(3) if other != axis)))
        margin = int(np.ceil(MARGIN_MM / layers.voxel_mm[axis]))
        size = layers.brain_mask.shape[axis]
        first, last = (int(there[0]), int(there[-1])) if len(there) else (0, size - 1)
        box.append((max(first - margin, 0), min(last + margin, size - 1)))
    return box


def choose_slice(layers: Layers, plane: int, rois: Sequence[str], sides: Sequence[str]) -> int:
    """Index of the slice through the centre of regions; through that of the brain where they are absent."""
    masks = [mask for (roi, side), mask in layers.rois.items() if roi in rois and side in sides]
    others = tuple(axis for axis in range(3) if axis != plane)
    counts = np.sum([mask.sum(axis=others) for mask in masks], axis=0) if masks else np.zeros(1)
    if not counts.sum():
        counts = layers.brain_mask.sum(axis=others)
    if not counts.sum():
        return int(layers.brain_mask.shape[plane]) // 2
    return round(float(np.average(np.arange(len(counts)), weights=counts)))


def draw_slice(
    axes: Axes, layers: Layers, plane: int, index: int, box: list[tuple[int, int]], style: FigureStyle
) -> None:
    """Draw one slice: the scan in grey, thin lines of the tissues, thick ones of the regions, letters of the sides.

    Parameters
    ----------
    axes
        Where to draw.
    layers
        From `stack_layers`.
    plane, index
        Axis that the slice cuts (0 sagittal, 1 coronal, 2 axial) and the voxel it lies at.
    box
        First and last voxel to show, per axis.
    style
        Colours of the lines.
    """
    right, up = IN_PLANE[plane]
    cut = tuple(index if axis == plane else slice(None) for axis in range(3))
    scan = layers.t1w[cut]
    inside = scan[layers.brain_mask[cut]]
    brightest = float(np.percentile(inside, BRIGHTEST_PERCENTILE)) if inside.size else float(scan.max())
    aspect = layers.voxel_mm[up] / layers.voxel_mm[right]
    axes.imshow(scan.T, cmap="gray", origin="lower", vmin=0, vmax=max(brightest, 1e-6), aspect=aspect)
    for name, layer in layers.outlines.items():
        _draw_outline(axes, layer[cut], style.outline_colours[name], 0.5)
    for (roi, _), mask in layers.rois.items():
        _draw_outline(axes, mask[cut], style.region_colours[roi], 1.1)
    axes.set_xlim(box[right][0] - 0.5, box[right][1] + 0.5)
    axes.set_ylim(box[up][0] - 0.5, box[up][1] + 0.5)
    axes.set_axis_off()
    for x, letter, align in ((0.015, LETTERS[plane][0], "left"), (0.985, LETTERS[plane][1], "right")):
        axes.text(x, 0.02, letter, transform=axes.transAxes, ha=align, va="bottom", color="white", fontweight="bold")


def _draw_outline(axes: Axes, layer: npt.NDArray[Any], colour: str, width: float) -> None:
    """Draw the line where a layer of shape (right, up) passes one half, if it does and has a colour."""
    values = np.asarray(layer.T, dtype=np.float32)
    if colour and values.min() < HALF < values.max():
        axes.contour(values, levels=[HALF], colors=[colour], linewidths=width)
