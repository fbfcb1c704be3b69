"""Parts of the picture of one scan: what is drawn of it, which slices, and one slice.

Takes the images of one scan, draws into matplotlib axes. The figure around the slices: `morpho.present.overlay`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image

from morpho.images import array_of, check_same_grid, labels_of, mask_of
from morpho.present.style import FigureStyle

Mask = npt.NDArray[np.bool_]

BOTH = ("L", "R")
LETTERS = (("P", "A"), ("L", "R"), ("L", "R"))  # at the borders of sagittal, coronal, axial slices
IN_PLANE = ((1, 2), (0, 2), (0, 1))  # axes drawn to the right and upwards, by plane
MARGIN_MM = 4.0  # drawn around the brain
BRIGHTEST_PERCENTILE = 99.0
TINY = 1e-6  # an empty image is black
HALF = 0.5  # a tissue border is where its share reaches one half


@dataclass(frozen=True)
class Cut:
    """Where a slice goes: through regions of some sides (none: the brain), at a share of them along its axis.

    A share of 0.5 halves the regions; 0 is their left, back or lower end, 1 the other one.
    """

    name: str
    rois: tuple[str, ...] = ()
    sides: tuple[str, ...] = BOTH
    share: float = 0.5


HIPPOCAMPUS, AMYGDALA, CINGULATE = ("hippocampus",), ("amygdala",), ("anterior_cingulate",)
CUTS: tuple[tuple[Cut, ...], ...] = (
    (
        Cut("left hippocampus", HIPPOCAMPUS, ("L",)),
        Cut("left cingulate", CINGULATE, ("L",)),
        Cut("right cingulate", CINGULATE, ("R",)),
        Cut("right hippocampus", HIPPOCAMPUS, ("R",)),
    ),
    (
        Cut("prefrontal", ("prefrontal_cortex",), share=0.65),
        Cut("cingulate", CINGULATE),
        Cut("amygdala", AMYGDALA),
        Cut("head of hippocampus", HIPPOCAMPUS, share=0.7),
        Cut("body of hippocampus", HIPPOCAMPUS, share=0.3),
    ),
    (
        Cut("low hippocampus", HIPPOCAMPUS, share=0.2),
        Cut("high hippocampus", HIPPOCAMPUS, share=0.8),
        Cut("centre of the brain"),
        Cut("cingulate", CINGULATE),
        Cut("upper brain", share=0.85),
    ),
)
THUMBNAIL_CUTS = (Cut("", HIPPOCAMPUS, ("L",)), Cut("", HIPPOCAMPUS), Cut("", HIPPOCAMPUS))


@dataclass(frozen=True)
class Layers:
    """What is drawn of a scan: arrays of shape (X, Y, Z) in RAS+ order, cut to the brain, and voxel edges (mm).

    A signal of `brightest` is white in all slices.
    """

    t1w: npt.NDArray[np.float32]
    brightest: float
    outlines: Mapping[str, npt.NDArray[Any]]
    rois: Mapping[tuple[str, str], Mask]
    brain_mask: Mask
    voxel_mm: npt.NDArray[np.float64]

    @property
    def extents_mm(self) -> list[tuple[float, float]]:
        """Width and height of the slices of each plane."""
        sizes = [float(n * edge) for n, edge in zip(self.t1w.shape, self.voxel_mm, strict=True)]
        return [(sizes[right], sizes[up]) for right, up in IN_PLANE]


def stack_layers(
    t1w: Nifti1Image,
    tissues: tuple[Nifti1Image, Nifti1Image],
    brain_mask: Nifti1Image,
    regions: Nifti1Image,
    *,
    roi_labels: pd.DataFrame,
    style: FigureStyle,
) -> Layers:
    """Turn all images of a scan to RAS+, cut them to the brain, and find the regions that have a colour.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Scan in its own space, any orientation.
    tissues : each of shape (X, Y, Z)
        Shares of grey and of white matter, 0 to 1.
    brain_mask : shape (X, Y, Z)
        Brain mask.
    regions : shape (X, Y, Z)
        Region labels (integer, 0 is none).
    roi_labels
        Columns roi, hemisphere ("L" or "R") and label_indices (list of labels), from `morpho.rois.resolve_rois`.
        Regions that the labels lack are passed over.
    style
        Says which regions have a colour.

    Returns
    -------
    Arrays on one grid: the brain with a margin, or all if the mask is empty.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    ImageError
        If the region labels are not whole numbers.
    """
    check_same_grid(t1w, *tissues, brain_mask, regions)
    t1w, grey, white, brain_mask, regions = (
        nib.as_closest_canonical(image) for image in (t1w, *tissues, brain_mask, regions)
    )
    voxel_mm = voxel_sizes(t1w.affine)
    mask = mask_of(brain_mask)
    window = _window(mask, voxel_mm)
    mask, labels, white_share = mask[window], labels_of(regions)[window], array_of(white)[window]
    outlines = {"brain_mask": mask, "grey_matter": array_of(grey)[window] + white_share, "white_matter": white_share}
    wanted = roi_labels[roi_labels["roi"].isin(list(style.region_colours))]
    rois: dict[tuple[str, str], Mask] = {}
    for row in wanted.to_dict("records"):
        lookup = np.zeros(max(int(labels.max()), *row["label_indices"]) + 1, dtype=bool)
        lookup[list(row["label_indices"])] = True
        rois[str(row["roi"]), str(row["hemisphere"])] = lookup[labels]
    signal = array_of(t1w)[window]
    inside = signal[mask] if mask.any() else signal
    brightest = max(float(np.percentile(inside, BRIGHTEST_PERCENTILE)), TINY)
    return Layers(signal, brightest, outlines, rois, mask, voxel_mm)


def _window(mask: Mask, voxel_mm: npt.NDArray[np.float64]) -> tuple[slice, slice, slice]:
    """Voxels to draw along each axis: the brain with a margin."""
    window = []
    for axis in range(3):
        there = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        margin = int(np.ceil(MARGIN_MM / voxel_mm[axis]))
        first, last = (int(there[0]), int(there[-1])) if len(there) else (0, mask.shape[axis] - 1)
        window.append(slice(max(first - margin, 0), last + margin + 1))
    return window[0], window[1], window[2]


def choose_slice(layers: Layers, plane: int, cut: Cut) -> int:
    """Index of the slice of a cut; where its regions are absent, that of the brain at the same share."""
    masks = [mask for (roi, side), mask in layers.rois.items() if roi in cut.rois and side in cut.sides]
    others = tuple(axis for axis in range(3) if axis != plane)
    counts = np.sum([mask.sum(axis=others) for mask in masks], axis=0) if masks else np.zeros(1)
    if not counts.sum():
        counts = layers.brain_mask.sum(axis=others)
    if not counts.sum():
        return int(layers.brain_mask.shape[plane]) // 2
    return int(np.searchsorted(np.cumsum(counts), cut.share * counts.sum()))


@dataclass(frozen=True)
class Lines:
    """Which lines a slice has, and how thick they are (points): outlines of tissues and of regions."""

    outlines: Mapping[str, float]
    rois: Mapping[str, float]


def draw_slice(axes: Axes, layers: Layers, plane: int, cut: Cut, style: FigureStyle, *, lines: Lines) -> None:
    """Draw one slice: the scan in grey, thin lines of the tissues, thick ones of the regions.

    Parameters
    ----------
    axes
        Where to draw.
    layers
        From `stack_layers`.
    plane, cut
        Axis that the slice cuts (0 sagittal, 1 coronal, 2 axial), and where.
    style
        Colours of the lines.
    lines
        Which of the layers to outline.
    """
    right, up = IN_PLANE[plane]
    shown: tuple[Any, ...] = tuple(
        choose_slice(layers, plane, cut) if axis == plane else slice(None) for axis in range(3)
    )
    aspect = layers.voxel_mm[up] / layers.voxel_mm[right]
    axes.imshow(layers.t1w[shown].T, cmap="gray", origin="lower", vmin=0, vmax=layers.brightest, aspect=aspect)
    for name, width in lines.outlines.items():
        _draw_outline(axes, layers.outlines[name][shown], style.outline_colours[name], width)
    for (roi, _), mask in layers.rois.items():
        if roi in lines.rois:
            _draw_outline(axes, mask[shown], style.region_colours[roi], lines.rois[roi])
    axes.set_axis_off()


def mark_sides(axes: Axes, plane: int, *, colour: str = "white") -> None:
    """Write at the borders of a slice which side is which."""
    for x, letter, align in ((0.015, LETTERS[plane][0], "left"), (0.985, LETTERS[plane][1], "right")):
        axes.text(x, 0.02, letter, transform=axes.transAxes, ha=align, va="bottom", color=colour, fontweight="bold")


def _draw_outline(axes: Axes, layer: npt.NDArray[Any], colour: str, width: float) -> None:
    """Draw the line where a layer of shape (right, up) passes one half, if it does and has a colour."""
    values = np.asarray(layer.T, dtype=np.float32)
    if colour and values.min() < HALF < values.max():
        axes.contour(values, levels=[HALF], colors=[colour], linewidths=width)
