"""Stage 2 of measuring a scan: how much of each voxel is grey matter, white matter, fluid, hippocampus and amygdala.

Takes the preprocessed scan, its brain mask and the coarse shares, gives maps of shares in native space.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.errors import NotABrainError, SegmentationError
from morpho.images import FloatArray, array_of, bounding_box, check_same_grid, like, mask_of, voxel_volume_mm3
from morpho.measure.medial_temporal import locate_medial_temporal_lobes, segment_medial_temporal_lobes
from morpho.measure.mixture import fit_tissue_signals, tissue_shares
from morpho.measure.sampling import AlignedGrid, sample_on_scan
from morpho.networks import load_network

LOGGER = logging.getLogger(__name__)

LEAST_TISSUE_SHARE = 0.02
MM3_PER_ML = 1000.0
# Sizes that no brain has (adults: hippocampus 2 to 5.5 ml, amygdala 0.7 to 2.7 ml by FreeSurfer's definitions).
PLAUSIBLE_ML = {"hippocampus": (1.0, 8.0), "amygdala": (0.2, 4.0)}
# What the cerebellum is made of; its layers are too thin for a coarse share.
CEREBELLUM = {"fluid": 0.1, "grey": 0.65, "white": 0.25}


@dataclass(frozen=True)
class TissueMaps:
    """Share of each tissue in each voxel, 0 to 1, shape (X, Y, Z), native space; zero outside the brain."""

    grey_matter: Nifti1Image
    white_matter: Nifti1Image
    csf: Nifti1Image


@dataclass(frozen=True)
class Segmentation:
    """Tissue maps, and the share of each (structure, side) that a network measures, on the same grid."""

    tissue: TissueMaps
    structures: Mapping[tuple[str, str], Nifti1Image]


def segment_tissue(
    t1w: Nifti1Image, brain_mask: Nifti1Image, coarse_shares: Nifti1Image, *, prior_weight: float
) -> Segmentation:
    """Segment tissues, hippocampus and amygdala of one scan.

    Parameters
    ----------
    t1w : shape (X, Y, Z)
        Scan without shading, white matter near 1.
    brain_mask : shape (X, Y, Z)
        Brain mask on the same grid.
    coarse_shares : shape (U, V, W, classes)
        Shares on a 2 mm grid with the axes of the scan, as made by stage 1.
    prior_weight
        Weight of the coarse shares against the signal, 0 to 1.

    Returns
    -------
    Tissue maps that sum to 1 in each voxel of the mask. Hippocampus and amygdala are grey matter whatever their signal.

    Raises
    ------
    GridMismatchError
        If scan and mask do not share one grid.
    NotABrainError
        If a tissue comes out (nearly) empty, or the scan does not have the contrast of T1w.
    SegmentationError
        If hippocampus or amygdala have a size that no brain has.
    """
    check_same_grid(t1w, brain_mask)
    inside = mask_of(brain_mask)
    shares = np.moveaxis(np.asarray(coarse_shares.dataobj, dtype=np.float32), -1, 0)
    coarse = dict(zip(load_network("head").classes, shares, strict=True))
    grid = _grid_of(coarse_shares, t1w)
    centres = locate_medial_temporal_lobes(coarse["hippocampus_amygdala"], grid)
    structures = segment_medial_temporal_lobes(t1w, centres)
    structures = {name: np.where(inside, share, 0) for name, share in structures.items()}
    _check_sizes(structures, t1w)
    tissue = _segment_tissues(array_of(t1w), inside, coarse, grid, prior_weight)
    _settle(tissue, structures)
    _check_shares(tissue[:, inside].mean(axis=1))
    fluid, grey, white = (like(t1w, share) for share in tissue)
    return Segmentation(TissueMaps(grey, white, fluid), {name: like(t1w, share) for name, share in structures.items()})


def _grid_of(coarse: Nifti1Image, t1w: Nifti1Image) -> AlignedGrid:
    """Grid of the coarse shares in voxels of the scan."""
    to_scan = np.linalg.inv(t1w.affine) @ coarse.affine
    first, second, third = coarse.shape[:3]
    return AlignedGrid((first, second, third), to_scan[:3, 3], voxel_sizes(coarse.affine) / voxel_sizes(t1w.affine))


def _segment_tissues(
    signal: FloatArray,
    inside: NDArray[np.bool_],
    coarse: Mapping[str, FloatArray],
    grid: AlignedGrid,
    prior_weight: float,
) -> FloatArray:
    """Shares of fluid, grey and white matter, shape (3, X, Y, Z), zero outside the mask."""
    expected = [
        coarse["fluid"] + coarse["outside"] + CEREBELLUM["fluid"] * coarse["cerebellum"],
        coarse["cortex"] + coarse["hippocampus_amygdala"] + CEREBELLUM["grey"] * coarse["cerebellum"],
        coarse["deep_grey_matter"],
        coarse["white_matter"] + coarse["brain_stem"] + CEREBELLUM["white"] * coarse["cerebellum"],
    ]
    box = bounding_box(inside, np.zeros(3, dtype=int))
    part = AlignedGrid(grid.shape, grid.start - [axis.start for axis in box], grid.step)
    within = inside[box]
    prior = np.stack([sample_on_scan(np.asarray(share), part, within.shape)[within] for share in expected])
    values = signal[inside]
    signals = fit_tissue_signals(values, prior, prior_weight=prior_weight)
    shares = tissue_shares(values, prior, signals, prior_weight=prior_weight)
    tissue = np.zeros((3, *inside.shape), dtype=np.float32)
    for number, share in enumerate((shares[0], shares[1] + shares[2], shares[3])):
        tissue[number][inside] = share
    return tissue


def _settle(tissue: FloatArray, structures: Mapping[tuple[str, str], FloatArray]) -> None:
    """Make hippocampus and amygdala grey matter, in place; the other tissues share the rest of a voxel."""
    certain = np.clip(np.sum(list(structures.values()), axis=0), 0, 1)
    touched = certain > 0
    part = tissue[:, touched] * (1 - certain[touched])
    part[1] += certain[touched] * (tissue[:, touched].sum(axis=0) > 0)
    tissue[:, touched] = part


def _check_sizes(structures: Mapping[tuple[str, str], FloatArray], t1w: Nifti1Image) -> None:
    """Refuse structures of a size that no brain has, naming all of them."""
    volumes_ml = {
        name: float(share.sum(dtype=np.float64)) * voxel_volume_mm3(t1w) / MM3_PER_ML
        for name, share in structures.items()
    }
    LOGGER.info("volumes (ml): %s", {" ".join(name): round(volume, 2) for name, volume in volumes_ml.items()})
    wrong = [
        f"{structure} {side} has {volume:.2f} ml ({PLAUSIBLE_ML[structure][0]} to {PLAUSIBLE_ML[structure][1]})"
        for (structure, side), volume in volumes_ml.items()
        if not PLAUSIBLE_ML[structure][0] <= volume <= PLAUSIBLE_ML[structure][1]
    ]
    if wrong:
        message = f"Sizes that no brain has: {', '.join(wrong)}. Look at the scan and its brain mask."
        raise SegmentationError(message)


def _check_shares(fractions: NDArray[np.float32]) -> None:
    """Refuse a segmentation in which a tissue is nearly absent; `fractions` of fluid, grey and white matter."""
    LOGGER.info("share of the brain mask: CSF %.3f, GM %.3f, WM %.3f", *fractions)
    if fractions.min() < LEAST_TISSUE_SHARE:
        message = (
            f"CSF, grey and white matter make up {np.round(fractions, 3).tolist()} of the brain; each should have at "
            f"least {LEAST_TISSUE_SHARE}. The scan has no T1 contrast, or the brain mask is wrong."
        )
        raise NotABrainError(message)
