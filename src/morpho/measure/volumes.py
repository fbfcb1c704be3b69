"""Stage 5 of measuring a scan: regional and total volumes in mm3.

Takes tissue maps, region labels and the shares of structures that a network found, all in native space, gives one table
per scan. No resampling is done.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from nibabel.nifti1 import Nifti1Image

from morpho.errors import SmallRegionError
from morpho.images import array_of, check_same_grid, labels_of, mask_of, voxel_volume_mm3

COLUMNS = ["roi", "hemisphere", "n_voxels", "volume_mm3"]


def measure_volumes(
    grey_matter: Nifti1Image,
    regions: Nifti1Image,
    structures: Mapping[int, Nifti1Image],
    rois: pd.DataFrame,
    *,
    min_voxels: int,
) -> pd.DataFrame:
    """Measure the grey-matter volume of each region of one scan.

    A region's volume is the sum of grey-matter shares over its voxels times the volume of a voxel, so that boundary
    voxels count for their part. A structure that was found in the scan itself is the sum of its own shares, and no
    region beside it counts them. All images must lie on one grid.

    Parameters
    ----------
    grey_matter : shape (X, Y, Z)
        Share of grey matter, 0 to 1, in T1w space.
    regions : shape (X, Y, Z)
        Region label of each voxel (integer, 0 is none), in T1w space.
    structures
        Label of each structure that was found in the scan itself -> its share, 0 to 1, in T1w space.
    rois
        Columns ``roi``, ``hemisphere`` ("L" or "R"), ``label_indices`` (list of labels).
    min_voxels
        Fewest voxels a region may have.

    Returns
    -------
    Rows of each ROI: "L", "R" and their "mean", in the order of `rois`, with columns

    ============== ======= ====================================================
    roi            str     name in `rois`
    hemisphere     str     "L", "R" or "mean" (of both)
    n_voxels       Int64   voxels that carry the ROI's labels; missing for means
    volume_mm3     float   grey-matter volume
    ============== ======= ====================================================

    Raises
    ------
    GridMismatchError
        If shapes differ or affines differ by more than 1e-3 mm.
    SmallRegionError
        If regions have fewer than `min_voxels` voxels (usually a failed registration).

    Notes
    -----
    ASSUME: the probability of grey matter is the voxel's share of grey matter.

    Examples
    --------
    Two voxels of 1 and 0.5 grey matter on the left, one of 1 on the right, voxels of 2 x 2 x 2 mm:

    >>> import nibabel as nib
    >>> grid = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> grey = nib.Nifti1Image(np.array([[[1.0, 0.5, 1.0]]], dtype=np.float32), grid)
    >>> regions = nib.Nifti1Image(np.array([[[1, 1, 2]]], dtype=np.int16), grid)
    >>> rois = pd.DataFrame({"roi": "amygdala", "hemisphere": ["L", "R"], "label_indices": [[1], [2]]})
    >>> measure_volumes(grey, regions, {}, rois, min_voxels=1)["volume_mm3"].tolist()
    [12.0, 8.0, 10.0]
    """
    check_same_grid(grey_matter, regions, *structures.values())
    labels = labels_of(regions).ravel()
    shares = {label: array_of(image).ravel().astype(np.float64) for label, image in structures.items()}
    grey = array_of(grey_matter).ravel().astype(np.float64)
    if shares:
        grey = np.maximum(grey - np.sum(list(shares.values()), axis=0), 0)
    n_labels = max(int(labels.max()), max(max(indices) for indices in rois["label_indices"])) + 1
    n_voxels = np.bincount(labels, minlength=n_labels)
    grey_sum = np.bincount(labels, weights=grey, minlength=n_labels)
    for label, share in shares.items():
        if label < n_labels:
            grey_sum[label] = share.sum()
    sides = pd.DataFrame(
        {
            "roi": rois["roi"].to_numpy(),
            "hemisphere": rois["hemisphere"].to_numpy(),
            "n_voxels": [int(n_voxels[indices].sum()) for indices in rois["label_indices"]],
            "volume_mm3": [
                grey_sum[indices].sum() * voxel_volume_mm3(grey_matter) for indices in rois["label_indices"]
            ],
        }
    )
    _check_sizes(sides, min_voxels)
    return _with_means(sides)


def measure_totals(
    grey_matter: Nifti1Image,
    white_matter: Nifti1Image,
    csf: Nifti1Image,
    brain_mask: Nifti1Image,
    *,
    has_whole_head: bool,
    affine_tiv_mm3: float,
) -> pd.DataFrame:
    """Measure tissue totals, brain volume and intracranial volume of one scan.

    Parameters
    ----------
    grey_matter, white_matter, csf : shape (X, Y, Z)
        Tissue shares, 0 to 1, on one grid.
    brain_mask : shape (X, Y, Z)
        Brain mask on the same grid.
    has_whole_head
        Whether the scan shows the whole head. If not, intracranial volume cannot be measured.
    affine_tiv_mm3
        Intracranial volume estimated by the affine alignment with the template.

    Returns
    -------
    Rows ``total_grey_matter``, ``total_white_matter``, ``total_csf``, ``brain_volume`` (grey plus white), ``tiv``
    (volume of the mask of a whole head; missing for extracted brains) and ``affine_tiv``, all with hemisphere
    "whole" and the columns of `measure_volumes`.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    """
    check_same_grid(grey_matter, white_matter, csf, brain_mask)
    voxel_mm3 = voxel_volume_mm3(grey_matter)
    totals = [float(array_of(image).sum(dtype=np.float64)) * voxel_mm3 for image in (grey_matter, white_matter, csf)]
    n_mask = int(mask_of(brain_mask).sum())
    volumes = {
        "total_grey_matter": totals[0],
        "total_white_matter": totals[1],
        "total_csf": totals[2],
        "brain_volume": totals[0] + totals[1],
        "tiv": n_mask * voxel_mm3 if has_whole_head else np.nan,
        "affine_tiv": affine_tiv_mm3,
    }
    table = pd.DataFrame({"roi": list(volumes), "hemisphere": "whole", "volume_mm3": list(volumes.values())})
    table["n_voxels"] = pd.array([n_mask] * 5 + [pd.NA], dtype="Int64")
    return table[COLUMNS]


def _check_sizes(sides: pd.DataFrame, min_voxels: int) -> None:
    """Refuse regions with too few voxels, naming all of them."""
    small = sides[sides["n_voxels"] < min_voxels]
    if len(small):
        listed = ", ".join(f"{row['roi']} {row['hemisphere']} ({row['n_voxels']})" for row in small.to_dict("records"))
        message = (
            f"Regions with fewer than {min_voxels} voxels: {listed}. The alignment with the template probably failed; "
            "look at the scan's overlay, or lower volumes.min_voxels if the regions are meant to be that small."
        )
        raise SmallRegionError(message)


def _with_means(sides: pd.DataFrame) -> pd.DataFrame:
    """Add the mean of left and right after each ROI."""
    means = sides.groupby("roi", sort=False)["volume_mm3"].mean().reset_index().assign(hemisphere="mean")
    both = pd.concat([sides, means], ignore_index=True)
    order = {roi: position for position, roi in enumerate(dict.fromkeys(sides["roi"]))}
    both = both.sort_values("roi", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)
    both["n_voxels"] = both["n_voxels"].astype("Int64")
    return both[COLUMNS]
