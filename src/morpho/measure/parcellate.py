"""Stage 4 of measuring a scan: to which region each voxel belongs.

Takes the atlas labels carried to the scan, the scan's grey matter and the structures that a network found, gives an
integer label image in native space.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from scipy import ndimage
from scipy.spatial import cKDTree

from morpho.images import array_of, bounding_box, check_same_grid, labels_of, like

LOGGER = logging.getLogger(__name__)
Name = TypeVar("Name", bound=Hashable)

STRUCTURE_THRESHOLD = 0.5
STRUCTURE_MARGIN_MM = 15.0  # around the structures, where they are compared with the atlas
RIBBON_THRESHOLD = 0.5  # a voxel that is at least half grey matter is part of the ribbon


def label_regions(
    carried_labels: Nifti1Image,
    grey_matter: Nifti1Image,
    structures: Mapping[int, Nifti1Image],
    labels: pd.DataFrame,
    *,
    reach_mm: float,
) -> Nifti1Image:
    """Label the regions of one scan.

    Labels carried over from the template miss the folds of this brain by a few millimetres. Grey matter that no label
    covers is given to the nearest cortical parcel within reach, so that its volume is not lost. A structure that was
    found in the scan itself replaces what the atlas says of it.

    Parameters
    ----------
    carried_labels : shape (X, Y, Z)
        Atlas labels on the scan's grid.
    grey_matter : shape (X, Y, Z)
        Share of grey matter, 0 to 1, on the same grid.
    structures
        Label of each structure that was found in the scan itself -> its share, 0 to 1, on the same grid.
    labels
        Columns index, tissue ("cortex", "subcortex", "other").
    reach_mm
        Largest distance of a grey-matter voxel from the parcel that takes it.

    Returns
    -------
    Region label of each voxel (int16, 0 is none), shape (X, Y, Z).

    Raises
    ------
    GridMismatchError
        If the two images do not share one grid.
    ImageError
        If the carried labels are not whole numbers.
    """
    check_same_grid(carried_labels, grey_matter, *structures.values())
    regions = labels_of(carried_labels)
    for label, share in structures.items():
        here = array_of(share) >= STRUCTURE_THRESHOLD
        regions[(regions == label) & ~here] = 0
        regions[here] = label
    cortical = np.isin(regions, labels.loc[labels["tissue"] == "cortex", "index"].to_numpy())
    if not cortical.any():
        return like(grey_matter, regions.astype(np.int16))
    free = np.argwhere((regions == 0) & (array_of(grey_matter) >= RIBBON_THRESHOLD))
    border = np.argwhere(cortical & ~ndimage.binary_erosion(cortical))
    sizes_mm = voxel_sizes(grey_matter.affine)
    found = cKDTree(border * sizes_mm).query(free * sizes_mm, distance_upper_bound=reach_mm + 1e-6)
    distance_mm, nearest = (np.asarray(part) for part in found)
    near = np.isfinite(distance_mm)
    LOGGER.info("%d voxels of grey matter joined the nearest cortical parcel", int(near.sum()))
    regions[tuple(free[near].T)] = regions[tuple(border[nearest[near]].T)]
    return like(grey_matter, regions.astype(np.int16))


def crop_to_structures(structures: Mapping[Name, Nifti1Image], *, margin_mm: float) -> dict[Name, Nifti1Image]:
    """Shares of structures cut to the box around all of them, so that what is compared with them stays small.

    Parameters
    ----------
    structures
        Label or name -> share, shape (X, Y, Z).
    margin_mm
        Space kept around them.

    Raises
    ------
    ImageError
        If no structure has a share anywhere.
    """
    first = next(iter(structures.values()))
    anywhere = np.sum([array_of(share) for share in structures.values()], axis=0) > 0
    box = bounding_box(anywhere, np.ceil(margin_mm / voxel_sizes(first.affine)).astype(int))
    return {label: share.slicer[box] for label, share in structures.items()}


def overlap_with_atlas(structures: Mapping[int, Nifti1Image], carried: Mapping[int, Nifti1Image]) -> float:
    """Smallest Dice of the structures found in a scan with where the atlas expects them.

    Two independent ways to the same structure: if they disagree, one of them failed.

    Parameters
    ----------
    structures
        Label -> share of the structure found in the scan, shape (X, Y, Z).
    carried
        The same labels -> probability of the atlas, carried to the same grid.

    Returns
    -------
    Smallest soft Dice over the labels, 0 to 1.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    """
    check_same_grid(*structures.values(), *carried.values())
    dice = []
    for label, share in structures.items():
        found, expected = array_of(share), array_of(carried[label])
        total = float(found.sum(dtype=np.float64) + expected.sum(dtype=np.float64))
        dice.append(2 * float(np.minimum(found, expected).sum(dtype=np.float64)) / max(total, 1e-6))
    LOGGER.info("overlap of found and expected structures: %s", np.round(dice, 2).tolist())
    return min(dice)
