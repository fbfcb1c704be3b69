"""Helper of quality control: whether left and right of a scan are exchanged, and whether both hemispheres are there.

Takes the tissue shares of a scan and its affine alignment, gives numbers. A mirrored scan whose header was not changed
with it cannot be told from the header, only from the brain: on average the right frontal and the left occipital lobe
reach further, the Sylvian fissure is longer on the left, and so on. What of that tells sides apart was learnt from true
scans, by ``training/build_asymmetry_map.py``.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.atlas import file_sha256
from morpho.errors import AtlasError
from morpho.images import FloatArray, array_of, check_same_grid, load_image
from morpho.itk import to_ants

MAP_FILE = Path(__file__).parents[1] / "weights" / "asymmetry_map.nii.gz"

# Grid in template space, symmetric about x = 0: N_LATERAL planes on the left, the mid-plane, as many on the right.
GRID_MM = 4.0
GRID_SHAPE = (41, 49, 41)
GRID_START_MM = (-80.0, -114.0, -72.0)
N_LATERAL = 20
SMOOTHING_MM = 5.0  # full width at half maximum; sulci vary by more than a voxel from person to person
LEAST_TISSUE = 0.05  # share of a tissue on either side from which a place counts for the correlation of both sides


def measure_laterality(grey_matter: Nifti1Image, white_matter: Nifti1Image, affine: Path) -> dict[str, float]:
    """Measure how far a scan's sides are those of a human brain, and how alike they are.

    Parameters
    ----------
    grey_matter, white_matter : shape (X, Y, Z)
        Shares of both tissues, 0 to 1, on one grid, native space.
    affine
        File of the affine alignment of the scan with the template, as `register_to_template` makes it. The deformable
        part is not used: it would undo the asymmetry.

    Returns
    -------
    laterality_score
        1 is the mean of true scans, -1 that of mirrored ones, 0 no evidence; the threshold, and how often it is wrong,
        are in ``weights/asymmetry_map.json``.
    hemisphere_ratio
        Grey and white matter on the side of the template's mid-plane that has less, over the other side, 0 to 1.
        0 if there is none at all.
    mirror_correlation
        Pearson's r of the tissue shares left of the mid-plane with the mirror of those right of it; 0 if there are
        none. Low if a hemisphere is missing and the alignment has stretched the other over the template, which
        `hemisphere_ratio` does not see.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    AtlasError
        If the asymmetry map is missing or damaged.
    """
    tissue = sample_tissue(grey_matter, white_matter, affine)
    left, right = split_sides(tissue)
    smaller, larger = sorted((float(left.sum(dtype=np.float64)), float(right.sum(dtype=np.float64))))
    weights, usual_size = load_asymmetry_map()
    return {
        "laterality_score": score_asymmetry(left - right, weights, usual_size),
        "hemisphere_ratio": max(smaller, 0.0) / larger if larger > 0 else 0.0,
        "mirror_correlation": _correlate_sides(left, right),
    }


def sample_tissue(grey_matter: Nifti1Image, white_matter: Nifti1Image, affine: Path) -> FloatArray:
    """Smooth grey and white matter and carry them to the coarse grid in template space.

    Parameters
    ----------
    grey_matter, white_matter : shape (X, Y, Z)
        Shares of both tissues, 0 to 1, on one grid, native space.
    affine
        File of the affine alignment of the scan with the template.

    Returns
    -------
    Shares of both tissues, shape (2, 41, 49, 41), x from left to right; 0 outside the scan.

    Raises
    ------
    GridMismatchError
        If the images do not share one grid.
    """
    check_same_grid(grey_matter, white_matter)
    grid = to_ants(nib.Nifti1Image(np.zeros(GRID_SHAPE, np.float32), grid_affine()))
    carried = []
    for tissue in (grey_matter, white_matter):
        smooth = ants.smooth_image(to_ants(tissue), SMOOTHING_MM, sigma_in_physical_coordinates=True, FWHM=True)
        carried.append(ants.apply_transforms(grid, smooth, [str(affine)], interpolator="linear").numpy())
    return np.stack(carried).astype(np.float32)


def grid_affine() -> NDArray[np.float64]:
    """Affine of the coarse grid in template space (mm), shape (4, 4)."""
    affine = np.diag([GRID_MM, GRID_MM, GRID_MM, 1.0])
    affine[:3, 3] = GRID_START_MM
    return affine


def split_sides(tissue: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Left half and mirrored right half, both of shape (2, 20, 49, 41), of shares of shape (2, 41, 49, 41)."""
    return tissue[:, :N_LATERAL], tissue[:, : -N_LATERAL - 1 : -1]


def score_asymmetry(asymmetry: FloatArray, weights: FloatArray, usual_size: float) -> float:
    """Score of left minus mirrored right tissue; its sign changes when the sides are exchanged.

    Parameters
    ----------
    asymmetry : shape (2, 20, 49, 41)
        Left minus mirrored right, of grey and white matter.
    weights : same shape
        What each place counts; 0 where the template has no brain.
    usual_size
        Root of the sum of squares of the asymmetry of a usual brain. A larger asymmetry is scaled down to it, so that a
        lesion or a bad alignment cannot pass for evidence; a smaller one is taken as it is, because a brain that is
        nearly symmetric tells nothing.

    Returns
    -------
    Sum of weights times asymmetry.
    """
    inside = (weights != 0).any(axis=0)
    values = asymmetry[:, inside].astype(np.float64)
    size = float(np.sqrt((values**2).sum()))
    return float((weights[:, inside] * values).sum()) * usual_size / max(size, usual_size)


@functools.cache
def load_asymmetry_map() -> tuple[FloatArray, float]:
    """Load what each place counts for the laterality score, and the size of a usual asymmetry.

    Returns
    -------
    weights : shape (2, 20, 49, 41)
        Of left minus mirrored right grey and white matter.
    usual_size
        Root of the sum of squares of the asymmetry of a usual brain where weights are not 0.

    Raises
    ------
    AtlasError
        If the file is missing or is not the one that was shipped.
    """
    about = MAP_FILE.with_name("asymmetry_map.json")
    if not MAP_FILE.is_file() or not about.is_file():
        message = f"The asymmetry map {MAP_FILE.name} is missing from the package. Install morpho again."
        raise AtlasError(message)
    description = json.loads(about.read_text(encoding="utf-8"))
    if file_sha256(MAP_FILE) != description["sha256"]:
        message = f"{MAP_FILE.name} is damaged (its SHA-256 differs). Install morpho again."
        raise AtlasError(message)
    weights = np.moveaxis(array_of(load_image(MAP_FILE)), -1, 0)
    return np.ascontiguousarray(weights), float(description["usual_size"])


def _correlate_sides(left: FloatArray, right: FloatArray) -> float:
    """Pearson's r of both sides where either has tissue; 0 if nothing varies."""
    there = left + right > LEAST_TISSUE
    first, second = left[there], right[there]
    if first.size == 0 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
